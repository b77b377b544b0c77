//! Buffers of bytes that are on a device already and that somebody else keeps: copied there, on a stream.

use std::sync::Arc;

use cudarc::driver::{CudaSlice, DevicePtr as _};

use super::AccessError;
use crate::buffer::Buffer;
use crate::cuda::backend::CudaBackend;
use crate::cuda::driver::CudaError;
use crate::cuda::stream::CudaStream;
use crate::element::Element;

impl CudaBackend {
    /// Copies `len` bytes of device memory that somebody else made into a buffer, on the stream. As
    /// [`to_buffer`](Self::to_buffer), and without waiting: the buffer may be sent at once.
    ///
    /// # Errors
    /// [`AccessError::NotOpened`]; [`CudaError::Refused`] when there is no memory of the stream's device at the address, or the stream
    /// is being captured; when there is no block.
    ///
    /// # Safety
    /// `len` bytes at `address` can be read by the stream's device, in its primary context, and nobody writes them, until what
    /// is on the stream when this returns is done; what wrote them before is over, or on the stream.
    pub unsafe fn to_buffer_from_device(
        &self,
        address: u64,
        len: usize,
        stream: &CudaStream,
    ) -> Result<Buffer<u8>, AccessError> {
        let context = self.context(stream.device().uuid())?;
        if len > 0 {
            context.check_address(address)?;
        }
        let (storage, write) = self.start_write(len, stream)?;
        if len > 0 {
            // SAFETY: the source is the caller's promise; the target is a new block of so many bytes, which this handle alone
            // writes and whose word keeps it until then.
            unsafe { stream.0.dtod_async(write.address(), address, len) }?;
        }
        write.finish()?;
        Ok(Buffer::from_bytes_storage(storage.into_inner()))
    }

    /// Copies a slice of cudarc's (0.19) into a buffer, on the slice's stream: behind all work on it that cudarc knows of, and
    /// before all that comes later. [`adopt_slice`](Self::adopt_slice) takes the slice itself.
    ///
    /// # Errors
    /// [`CudaError::Refused`] when the slice is not in the primary context of an opened device; when there is no block.
    pub fn to_buffer_from_slice<T: Element>(
        &self,
        slice: &CudaSlice<T>,
    ) -> Result<Buffer<T>, AccessError> {
        let theirs = slice.stream();
        let stream = self.cudarc_stream(Arc::clone(theirs))?;
        wait_for_all_threads(&stream)?;
        let (address, used) = slice.device_ptr(theirs);
        // SAFETY: the slice has as many bytes, and is borrowed; whoever writes or frees it later does so on its stream or, by the
        // event that `used` leaves behind, after what is on that stream.
        let copied = unsafe { self.to_buffer_from_device(address, slice.num_bytes(), &stream) };
        drop(used);
        let ordered = slice.context().check_err();
        if ordered.is_err() || stream.0.is_per_thread() {
            stream.synchronize()?;
        }
        ordered.map_err(not_ordered)?;
        let buffer = copied?;
        let typed = buffer
            .storage()
            .map(|storage| Buffer::of_storage(Arc::clone(storage)));
        Ok(typed.unwrap_or_default()) // never the default: the buffer has a storage
    }
}

pub(super) fn not_ordered(error: cudarc::driver::DriverError) -> CudaError {
    CudaError::Refused(format!("cudarc could not order work on its slice: {error}"))
}

/// A slice on the stream that is another one in each thread may have been written on any of them.
pub(super) fn wait_for_all_threads(stream: &CudaStream) -> Result<(), CudaError> {
    if stream.0.is_per_thread() {
        stream.0.context().synchronize()?;
    }
    Ok(())
}
