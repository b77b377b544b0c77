//! What others made, taken at their word: streams of frameworks.

use std::sync::Arc;

use super::AccessError;
use crate::cuda::backend::CudaBackend;
use crate::cuda::driver::{DeviceUuid, Stream};
use crate::cuda::stream::CudaStream;

impl CudaBackend {
    /// A stream that somebody else made, by its `CUstream` (`cudaStream_t`). 0 and 1 are the legacy default stream, 2 is that of
    /// the calling thread.
    ///
    /// # Errors
    /// [`AccessError::NotOpened`].
    ///
    /// # Safety
    /// The stream is one of the device's primary context, which is what the CUDA runtime, PyTorch and cudarc use, and exists
    /// as long as this value, its clones and the handles made with them.
    pub unsafe fn foreign_stream(
        &self,
        device: DeviceUuid,
        handle: usize,
    ) -> Result<CudaStream, AccessError> {
        let context = self.context(device)?;
        let handle = core::ptr::with_exposed_provenance_mut(handle);
        // SAFETY: the caller's promise.
        Ok(CudaStream(Arc::new(unsafe {
            Stream::foreign(context, handle)
        })))
    }
}
