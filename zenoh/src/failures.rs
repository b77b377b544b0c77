//! Which memories a subscription fails to take, and from when on it should not ask for them.
//!
//! In: how each taking ended. Out: the one time that it is enough. A sample that was lost because it came too late, or whose
//! publisher is gone, says nothing about the next one. What says that this process will never be able to take the memory is
//! enough at once; what may pass has to happen several times without a success in between. A peer that lies can bring a
//! subscription back to bytes this way: it could as well declare one that knows no buffers.

use std::collections::{BTreeMap, BTreeSet};

use rosidl_buffer_runtime::BackendError;

/// Failures in a row that may each have passed, but did not.
const IN_A_ROW: u32 = 3;

/// The memories of a registry, so there are few.
#[derive(Default)]
pub(crate) struct Failures {
    in_a_row: BTreeMap<String, u32>,
    given_up: BTreeSet<String>,
}

impl Failures {
    /// Whether memory of this backend is to be given up now; true once for each backend.
    pub(crate) fn failed(&mut self, backend: &str, cause: &BackendError) -> bool {
        let enough = match cause {
            BackendError::Lost(_) | BackendError::Disconnected(_) => return false,
            BackendError::Unavailable(_) | BackendError::Forked => true,
            _ => {
                let count = self.in_a_row.entry(backend.to_owned()).or_default();
                *count += 1;
                *count >= IN_A_ROW
            }
        };
        enough && self.given_up.insert(backend.to_owned())
    }

    /// Memory of this backend was taken.
    pub(crate) fn worked(&mut self, backend: &str) {
        self.in_a_row.remove(backend);
    }
}

#[cfg(test)]
mod tests {
    use rosidl_buffer_runtime::Loss;

    use super::*;

    #[test]
    fn what_lasts_is_given_up_once_and_what_passes_is_not() {
        let mut failures = Failures::default();
        let lost = BackendError::Lost(Loss::Expired);
        let gone = BackendError::Disconnected("gone".to_owned());
        let limit = BackendError::Limit("full".to_owned());
        let never = BackendError::Unavailable("no such device".to_owned());
        for _ in 0..100 {
            assert!(!failures.failed("shm", &lost) && !failures.failed("shm", &gone));
            assert!(!failures.failed("shm", &limit) && !failures.failed("shm", &limit));
            failures.worked("shm");
        }
        assert!(!failures.failed("shm", &limit) && !failures.failed("shm", &limit));
        assert!(!failures.failed("cuda", &limit), "each for itself");
        assert!(failures.failed("shm", &limit) && !failures.failed("shm", &limit));
        assert!(failures.failed("cuda", &never) && !failures.failed("cuda", &never));
    }
}
