//! Torch's CUDA, opened when it is first asked for: one program serves machines with a GPU and without.
//!
//! Programs are linked with torch's part for the host only. Its part for CUDA registers itself when it is opened.

use std::sync::OnceLock;

use ::tch::Cuda;
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

use super::error::TorchError;

const LIBRARY: &str = "libtorch_cuda.so";

/// Lets torch use CUDA, if this machine has it. Called by all that need it here; a program that works with torch before it does
/// with messages calls it first of all: torch keeps the first answer that it finds to whether there is CUDA, as
/// `Cuda::is_available` has it. The answer stays the same.
///
/// # Errors
/// [`TorchError::NoCuda`], which says whether torch's library is missing, or the GPU.
pub fn load_cuda() -> Result<(), TorchError> {
    static ANSWER: OnceLock<Result<(), String>> = OnceLock::new();
    let answer = ANSWER.get_or_init(find);
    answer.clone().map_err(TorchError::NoCuda)
}

fn find() -> Result<(), String> {
    // Nothing is asked before, since torch keeps what it answers then.
    // SAFETY: torch's library of the same release; its initialisers register its kernels with what is linked already.
    let library = unsafe { Library::open(Some(LIBRARY), RTLD_NOW | RTLD_GLOBAL) };
    let library = library.map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let cause = cause.unwrap_or_else(|| error.to_string());
        format!(
            "`{LIBRARY}` cannot be opened ({cause}); install torch 2.11 with CUDA, and put its folder `torch/lib` into LD_LIBRARY_PATH"
        )
    })?;
    core::mem::forget(library); // what it registered is used until the end
    if Cuda::is_available() {
        Ok(())
    } else {
        Err(format!(
            "`{LIBRARY}` is here, and shows no GPU: is there one, with a driver, does CUDA_VISIBLE_DEVICES hide it, or was torch asked for CUDA before `load_cuda` was called?"
        ))
    }
}
