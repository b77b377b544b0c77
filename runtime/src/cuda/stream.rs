//! [`CudaStream`]: the stream of work that a handle is ordered by.

use std::fmt;
use std::sync::Arc;

use super::driver::{Device, Stream};

/// A queue of work on one device: what is done to a buffer is ordered by it. Cloning gives another handle on the same.
///
/// From [`CudaBackend`](super::CudaBackend): a new one, a default stream, or one that a framework made.
#[derive(Clone)]
pub struct CudaStream(pub(super) Arc<Stream>);

impl CudaStream {
    /// The device that it queues work for.
    pub fn device(&self) -> &Device {
        self.0.context().device()
    }

    /// The `CUstream` (`cudaStream_t`), to launch work on. It is valid as long as this value.
    pub fn handle(&self) -> usize {
        self.0.handle().addr()
    }

    /// Waits on the host until all work on the stream is done.
    ///
    /// # Errors
    /// When something on the stream failed.
    pub fn synchronize(&self) -> Result<(), super::CudaError> {
        self.0.synchronize()
    }
}

impl fmt::Debug for CudaStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CudaStream({:#x} on {})",
            self.handle(),
            self.device().uuid()
        )
    }
}
