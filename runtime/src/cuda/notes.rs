//! What is said once, and not for each frame: that frames take a longer way than their reader or writer may think.

use std::sync::atomic::{AtomicBool, Ordering};

use super::access::AccessError;
use super::driver::CudaError;
use super::memory::NotInPlace;

/// What a backend has said.
#[derive(Debug, Default)]
pub(super) struct Notes {
    no_host: AtomicBool,
    copied: AtomicBool,
    not_copied: AtomicBool,
    not_registered: AtomicBool,
}

fn is_first(said: &AtomicBool) -> bool {
    !said.load(Ordering::Relaxed) && !said.swap(true, Ordering::Relaxed)
}

impl Notes {
    /// A frame could not be brought into shared host memory.
    pub(super) fn no_host_copy(&self, error: &AccessError) {
        if is_first(&self.no_host) {
            tracing::warn!(%error, "readers without a GPU get bytes, no shared host memory (said once)");
        }
    }

    /// Host memory could not be registered.
    pub(super) fn not_registered(&self, error: &CudaError) {
        if is_first(&self.not_registered) {
            tracing::warn!(%error, "host memory could not be registered with CUDA; it is copied more slowly, and the host waits (said once)");
        }
    }

    /// Adopted memory was copied.
    pub(super) fn adopted_copy(&self, reason: &NotInPlace) {
        if is_first(&self.copied) {
            tracing::info!(
                %reason,
                "adopted memory is copied on the device for readers in other processes; what is written into a buffer of `allocate_buffer` is not (said once)"
            );
        }
    }

    /// Adopted memory should have been copied.
    pub(super) fn no_adopted_copy(&self, error: &AccessError) {
        if is_first(&self.not_copied) {
            tracing::warn!(%error, "adopted memory could not be copied on the device; readers in other processes get bytes (said once)");
        }
    }
}

#[cfg(test)]
#[path = "../../tests/common/log.rs"]
mod log;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_said_once() {
        let notes = Notes::default();
        let said = log::collect(|| {
            for _ in 0..3 {
                notes.no_host_copy(&AccessError::NotWritten);
                notes.adopted_copy(&NotInPlace::NotShareable);
                notes.no_adopted_copy(&AccessError::Shared);
                notes.not_registered(&CudaError::Forked);
            }
        });
        let cause = |error: AccessError| format!("error={error}");
        assert_eq!(
            said,
            [
                format!(
                    "WARN readers without a GPU get bytes, no shared host memory (said once) {}",
                    cause(AccessError::NotWritten)
                ),
                "INFO adopted memory is copied on the device for readers in other processes; what is written into a buffer of `allocate_buffer` is not (said once) reason=it is no memory that can be exported, as `cuMemCreate` makes it where it is told to".to_owned(),
                format!(
                    "WARN adopted memory could not be copied on the device; readers in other processes get bytes (said once) {}",
                    cause(AccessError::Shared)
                ),
                format!(
                    "WARN host memory could not be registered with CUDA; it is copied more slowly, and the host waits (said once) {}",
                    cause(CudaError::Forked.into())
                ),
            ]
        );
    }
}
