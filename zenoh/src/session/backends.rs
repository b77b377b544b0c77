//! The memories that a context hands over unless its user chooses them.
//!
//! Out: a registry with what this process can have. What it cannot have is said once and left out, so that buffers travel
//! as bytes. Nothing here opens a GPU that nobody asked for.

#[cfg(target_os = "linux")]
use std::sync::{Arc, Once};

use rosidl_buffer_runtime::BackendRegistry;
#[cfg(target_os = "linux")]
use rosidl_buffer_runtime::shm::ShmBackend;
#[cfg(all(target_os = "linux", feature = "cuda"))]
use rosidl_buffer_runtime::{
    BufferBackend as _,
    cuda::{AccessError, CudaBackend, CudaError},
};

/// Shared memory, if this process can have it.
#[cfg(target_os = "linux")]
pub(super) fn of_the_host() -> BackendRegistry {
    let mut backends = BackendRegistry::new();
    let added = ShmBackend::shared()
        .map_err(|why| why.to_string())
        .and_then(|shm| {
            let added = backends.register(Arc::new(shm));
            added.map_err(|why| why.to_string())
        });
    if let Err(why) = added {
        static SAID: Once = Once::new();
        SAID.call_once(|| tracing::warn!("buffers travel as bytes only: {why}"));
    }
    backends
}

/// Nothing: memory is shared on Linux only.
#[cfg(not(target_os = "linux"))]
pub(super) fn of_the_host() -> BackendRegistry {
    BackendRegistry::new()
}

/// With the GPU's memory too, if there is any, unless a backend of that name is there already.
#[cfg(all(target_os = "linux", feature = "cuda"))]
pub(super) fn with_cuda(mut backends: BackendRegistry) -> BackendRegistry {
    let cuda = match CudaBackend::shared() {
        Ok(cuda) => cuda,
        Err(why) => {
            say(&why);
            return backends;
        }
    };
    // Without it all others on this host get bytes; why there is none was said above, or the user wants none.
    if let Ok(shm) = ShmBackend::shared() {
        cuda.set_host_pool(Arc::new(shm));
    }
    if !backends.contains(cuda.backend_type())
        && let Err(why) = backends.register(Arc::new(cuda))
    {
        tracing::warn!("buffers in GPU memory are copied to the host: {why}");
    }
    backends
}

/// The same: such memory is shared on Linux only.
#[cfg(all(not(target_os = "linux"), feature = "cuda"))]
pub(super) fn with_cuda(backends: BackendRegistry) -> BackendRegistry {
    tracing::debug!("no GPU memory: it is shared on Linux only");
    backends
}

/// A machine without a GPU is nothing to worry about; one whose GPU cannot be used is.
#[cfg(all(target_os = "linux", feature = "cuda"))]
fn say(why: &AccessError) {
    /// What `cuInit` answers where there is no device.
    const NO_DEVICE: i32 = 100;
    static SAID: Once = Once::new();
    SAID.call_once(|| match why {
        AccessError::Cuda(
            CudaError::NoDriver { .. }
            | CudaError::Start {
                code: NO_DEVICE, ..
            },
        ) => {
            tracing::debug!("no GPU memory: {why}");
        }
        _ => tracing::warn!("no GPU memory: {why}"),
    });
}
