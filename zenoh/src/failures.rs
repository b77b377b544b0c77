//! Which memories a subscription fails to take, and from when on it should not ask for them.
//!
//! In: how each taking ended. Out: the one time that it is enough. A sample that was lost because it came too late, or whose
//! publisher is gone, says nothing about the next one. What says that this process will never be able to take the memory is
//! enough at once; what may pass has to happen several times with one publisher, without a success of its own in between. Whoever
//! sends memory of a backend that was not asked for looks at one thing only: whether bytes alone are asked for. A peer
//! that lies can bring a subscription back to bytes this way: it could as well declare one that knows no buffers.

use std::collections::{BTreeMap, BTreeSet};

use rosidl_buffer_runtime::BackendError;

use crate::key::Gid;

/// Failures in a row that may each have passed, but did not.
const IN_A_ROW: u32 = 3;

/// Publishers and backends whose failures are counted each for itself. A stranger may invent any number of publishers.
const MAX_COUNTED: usize = 1024;

/// What is not to be asked for any more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GiveUp {
    /// The backend whose memory was not had.
    pub(crate) backend: String,
    /// Whether nothing but bytes is to be asked for.
    pub(crate) all: bool,
}

#[derive(Default)]
pub(crate) struct Failures {
    /// By publisher and backend; under no publisher those of all that are not known, or one too many.
    in_a_row: BTreeMap<(Option<Gid>, String), u32>,
    /// Of the backends of a registry, and one more: there are few.
    given_up: BTreeSet<GiveUp>,
}

impl Failures {
    /// What is to be given up now, because memory of this backend was not had from this publisher; said once for each backend.
    pub(crate) fn failed(
        &mut self,
        publisher: Option<Gid>,
        backend: &str,
        cause: &BackendError,
    ) -> Option<GiveUp> {
        let enough = match cause {
            BackendError::Lost(_) | BackendError::Disconnected(_) => return None,
            BackendError::Unavailable(_) | BackendError::Forked => true,
            _ => {
                let mut of = (publisher, backend.to_owned());
                if self.in_a_row.len() >= MAX_COUNTED && !self.in_a_row.contains_key(&of) {
                    of.0 = None;
                }
                let count = self.in_a_row.entry(of).or_default();
                *count = count.saturating_add(1);
                *count >= IN_A_ROW
            }
        };
        let give_up = GiveUp {
            backend: backend.to_owned(),
            all: false,
        };
        (enough && self.given_up.insert(give_up.clone())).then_some(give_up)
    }

    /// What is to be given up now, because memory of a backend came that is not known here; said once, whatever it is called.
    pub(crate) fn unknown(&mut self, backend: &str) -> Option<GiveUp> {
        if self.given_up.iter().any(|given_up| given_up.all) {
            return None;
        }
        let give_up = GiveUp {
            backend: backend.to_owned(),
            all: true,
        };
        self.given_up.insert(give_up.clone());
        Some(give_up)
    }

    /// All that is given up.
    pub(crate) fn given_up(&self) -> Vec<GiveUp> {
        self.given_up.iter().cloned().collect()
    }

    /// It could not be given up: it is said again, if it fails again.
    pub(crate) fn take_back(&mut self, given_up: &GiveUp) {
        self.given_up.remove(given_up);
    }

    /// Memory of this backend was taken from this publisher.
    pub(crate) fn worked(&mut self, publisher: Option<Gid>, backend: &str) {
        if !self.in_a_row.is_empty() {
            self.in_a_row.remove(&(publisher, backend.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use rosidl_buffer_runtime::Loss;

    use super::*;

    const ONE: Option<Gid> = Some(Gid([1; 16]));

    #[test]
    fn what_lasts_is_given_up_once_and_what_passes_is_not() {
        let mut failures = Failures::default();
        let mut failed = |backend: &str, cause: &BackendError| {
            let given_up = failures.failed(ONE, backend, cause);
            given_up.is_some_and(|given_up| given_up.backend == backend && !given_up.all)
        };
        let lost = BackendError::Lost(Loss::Expired);
        let gone = BackendError::Disconnected("gone".to_owned());
        let never = BackendError::Unavailable("no such device".to_owned());
        for _ in 0..100 {
            assert!(!failed("shm", &lost) && !failed("shm", &gone));
        }
        assert!(failed("cuda", &never) && !failed("cuda", &never));
        assert!(failed("shm", &never), "each for itself");
    }

    #[test]
    fn what_may_pass_is_given_up_when_it_does_not() {
        let mut failures = Failures::default();
        let limit = BackendError::Limit("full".to_owned());
        for _ in 0..100 {
            assert_eq!(failures.failed(ONE, "shm", &limit), None);
            assert_eq!(failures.failed(ONE, "shm", &limit), None);
            failures.worked(ONE, "shm");
        }
        assert_eq!(failures.failed(ONE, "shm", &limit), None);
        assert_eq!(failures.failed(ONE, "shm", &limit), None);
        assert_eq!(
            failures.failed(ONE, "cuda", &limit),
            None,
            "each for itself"
        );
        assert!(failures.failed(ONE, "shm", &limit).is_some());
        assert_eq!(failures.failed(ONE, "shm", &limit), None, "said once");
    }

    #[test]
    fn what_nobody_here_knows_is_the_end_of_all_and_said_once() {
        let mut failures = Failures::default();
        let all = failures.unknown("tape").unwrap();
        assert_eq!((all.backend.as_str(), all.all), ("tape", true));
        assert_eq!(
            (failures.unknown("tape"), failures.unknown("drum")),
            (None, None)
        );
    }

    #[test]
    fn what_could_not_be_given_up_is_said_again() {
        let mut failures = Failures::default();
        let never = BackendError::Unavailable("no such device".to_owned());
        let limit = BackendError::Limit("full".to_owned());
        for cause in [&never, &limit, &limit, &limit] {
            let given_up = failures.failed(ONE, "shm", cause);
            let Some(given_up) = given_up else { continue };
            assert_eq!(failures.given_up(), std::slice::from_ref(&given_up));
            failures.take_back(&given_up);
            assert_eq!(failures.given_up(), []);
        }
        assert!(
            failures.failed(ONE, "shm", &limit).is_some(),
            "it goes on failing"
        );
        let all = failures.unknown("tape").unwrap();
        failures.take_back(&all);
        assert_eq!(failures.unknown("tape"), Some(all));
    }

    #[test]
    fn a_good_publisher_does_not_hide_a_bad_one() {
        let mut failures = Failures::default();
        let limit = BackendError::Limit("full".to_owned());
        for bad in [2, 3] {
            let bad = Some(Gid([bad; 16]));
            assert_eq!(failures.failed(bad, "shm", &limit), None, "each for itself");
            assert_eq!(failures.failed(bad, "shm", &limit), None);
            failures.worked(ONE, "shm");
        }
        let bad = Some(Gid([3; 16]));
        assert!(failures.failed(bad, "shm", &limit).is_some());
    }

    #[test]
    fn there_is_an_end_to_the_publishers_that_are_counted() {
        let mut failures = Failures::default();
        let limit = BackendError::Limit("full".to_owned());
        let mut given_up = 0;
        for number in 0..10_000_u32 {
            let mut gid = [0; 16];
            gid[..4].copy_from_slice(&number.to_le_bytes());
            let said = failures.failed(Some(Gid(gid)), "shm", &limit);
            given_up += u32::from(said.is_some());
        }
        assert_eq!(given_up, 1, "those beyond the end are counted as one");
        assert_eq!(failures.in_a_row.len(), MAX_COUNTED + 1);
    }
}
