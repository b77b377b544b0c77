//! Which thread a handle was made on, for the stream that is another one in each thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ThreadId;

use crate::cuda::driver::CudaError;
use crate::cuda::stream::CudaStream;

/// The thread on whose default stream a handle's work is; nothing for all other streams.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin(Option<ThreadId>);

impl Origin {
    /// Of a handle that this thread makes on the stream.
    pub(super) fn here(stream: &CudaStream) -> Self {
        let is_per_thread = stream.0.is_per_thread();
        Self(is_per_thread.then(|| std::thread::current().id()))
    }

    /// To be called before a handle ends. On another thread than the one that made it, this thread's stream is not the one that the
    /// work is on, and no call reaches that one: the host waits for all of the device's.
    pub(super) fn join(self, stream: &CudaStream) -> Result<(), CudaError> {
        static SAID: AtomicBool = AtomicBool::new(false);
        if self
            .0
            .is_none_or(|made| made == std::thread::current().id())
        {
            return Ok(());
        }
        if !SAID.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a handle on the per-thread default stream ends on another thread than it was made on, so the host waits for the device; use another stream (said once)"
            );
        }
        stream.0.context().synchronize()
    }
}
