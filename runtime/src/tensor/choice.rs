//! Which memory a new tensor goes to: what the caller says, else what the environment says, else the best there is.

use std::env;
use std::ffi::OsStr;

use thiserror::Error;

use crate::cpu::CPU;
use crate::registry::BackendRegistry;

/// The variable that names the backend of new tensors, as for ROS's own tensor libraries.
pub const BACKEND_VARIABLE: &str = "ROSIDL_TENSOR_BACKEND";

/// There is no backend of the name that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{source_} asks for the backend `{name}`, which is not available here; there are: {available}"
)]
pub struct ChoiceError {
    /// `the caller` or the variable.
    source_: &'static str,
    name: String,
    available: String,
}

/// What ROS's libraries call memory of NVIDIA's GPUs, and what it is called here.
const CUDA: (&str, &str) = ("cuda", "cuda_rs");

/// The backend that a new tensor goes to: `asked`, else what `ROSIDL_TENSOR_BACKEND` names when this is called, else the
/// best of the registry: memory of NVIDIA's GPUs before host memory that processes share, and that before `cpu`, which is
/// always there. Other backends are taken only where they are named, as no tensor may be had from them.
///
/// ROS's name `cuda` stands for `cuda_rs` where no backend is called `cuda`: a launch file may name it for all nodes.
///
/// ```
/// use rosidl_buffer_runtime::{BackendRegistry, tensor::choose_backend};
///
/// let backends = BackendRegistry::new();
/// assert_eq!(choose_backend(&backends, Some("cpu"))?, "cpu");
/// assert!(choose_backend(&backends, Some("cuda")).is_err());
/// # Ok::<(), rosidl_buffer_runtime::tensor::ChoiceError>(())
/// ```
///
/// # Errors
/// When the backend that is named is not in the registry; no other is taken instead.
pub fn choose_backend<'r>(
    backends: &'r BackendRegistry,
    asked: Option<&str>,
) -> Result<&'r str, ChoiceError> {
    choose(backends, asked, env::var_os(BACKEND_VARIABLE).as_deref())
}

/// As [`choose_backend`] for what lies on the host: nothing goes to a device that nobody named.
#[cfg(all(target_os = "linux", feature = "tch", not(all(test, loom))))]
pub(super) fn choose_host_backend<'r>(
    backends: &'r BackendRegistry,
    asked: Option<&str>,
) -> Result<&'r str, ChoiceError> {
    let variable = env::var_os(BACKEND_VARIABLE).is_some_and(|name| !name.is_empty());
    if asked.is_some() || variable {
        return choose_backend(backends, asked);
    }
    Ok(host(backends).unwrap_or(CPU))
}

fn choose<'r>(
    backends: &'r BackendRegistry,
    asked: Option<&str>,
    variable: Option<&OsStr>,
) -> Result<&'r str, ChoiceError> {
    let variable = variable.filter(|name| !name.is_empty());
    let (source_, name) = match (asked, variable) {
        (Some(name), _) => ("the caller", name.into()),
        (None, Some(name)) => (BACKEND_VARIABLE, name.to_string_lossy()),
        (None, None) => return Ok(best(backends)),
    };
    if name == CPU {
        return Ok(CPU);
    }
    find(&name, || backends.names()).ok_or_else(|| {
        let available: Vec<_> = [CPU].into_iter().chain(backends.names()).collect();
        ChoiceError {
            source_,
            name: name.into_owned(),
            available: available.join(", "),
        }
    })
}

fn best(backends: &BackendRegistry) -> &str {
    let gpu = backends.names().find(|name| *name == CUDA.1);
    gpu.or_else(|| host(backends)).unwrap_or(CPU)
}

/// Host memory that processes share; the first in alphabetical order.
pub(super) fn host(backends: &BackendRegistry) -> Option<&str> {
    backends.names().find(|name| backends.has_host_pool(name))
}

/// The backend of a name, or the one that it stands for.
fn find<'n, N: Iterator<Item = &'n str>>(name: &str, names: impl Fn() -> N) -> Option<&'n str> {
    let known = |name: &str| names().find(|known| *known == name);
    known(name).or_else(|| (name == CUDA.0).then(|| known(CUDA.1))?)
}

#[cfg(all(test, target_os = "linux", not(loom)))]
mod tests {
    use super::*;
    use crate::shm::ShmBackend;

    #[test]
    fn the_name_that_ros_has_for_gpus_stands_for_ours() {
        let find = |name, names: &[&'static str]| find(name, || names.iter().copied());
        assert_eq!(find("cuda", &["cuda_rs", "shm"]), Some("cuda_rs"));
        assert_eq!(find("cuda", &["cuda", "cuda_rs"]), Some("cuda"));
        assert_eq!(find("cuda", &["shm"]), None);
        assert_eq!(find("cuda_rs", &["cuda"]), None);
    }

    #[test]
    fn the_caller_comes_before_the_environment_and_that_before_the_best() {
        let none = BackendRegistry::new();
        assert_eq!(choose(&none, None, None), Ok("cpu"));
        let mut some = BackendRegistry::new();
        some.register(std::sync::Arc::new(ShmBackend::new().unwrap()))
            .unwrap();
        assert_eq!(choose(&some, None, None), Ok("shm"));
        assert_eq!(choose(&some, None, Some("".as_ref())), Ok("shm"));
        assert_eq!(choose(&some, None, Some("cpu".as_ref())), Ok("cpu"));
        assert_eq!(choose(&some, Some("shm"), Some("cpu".as_ref())), Ok("shm"));
        let error = choose(&some, None, Some("cuda".as_ref())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "ROSIDL_TENSOR_BACKEND asks for the backend `cuda`, which is not available here; there are: cpu, shm"
        );
    }
}
