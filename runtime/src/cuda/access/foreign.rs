//! What others made, taken at their word: streams, and memory with whatever keeps it there.

use std::sync::Arc;

use cudarc::driver::{CudaSlice, DevicePtr as _};

use super::device_source::{not_ordered, wait_for_all_threads};
use super::{AccessError, Keep};
use crate::buffer::Buffer;
use crate::cuda::adopted::Adopted;
use crate::cuda::backend::CudaBackend;
use crate::cuda::driver::{CudaError, DeviceUuid, Event, Stream};
use crate::cuda::storage::{CudaStorage, Held, StorageRef};
use crate::cuda::stream::CudaStream;
use crate::element::Element;

impl CudaBackend {
    /// A stream that somebody else made, by its `CUstream` (`cudaStream_t`). 0 and 1 are the legacy default stream, 2 is that of
    /// the calling thread.
    ///
    /// # Errors
    /// [`AccessError::NotOpened`].
    ///
    /// # Safety
    /// The stream is one of the device's primary context, which is what the CUDA runtime, PyTorch and cudarc use, and exists
    /// as long as this value, its clones and the handles made with them. On 2 the work of a handle is launched by the thread that
    /// made it; the handle may end on another one, where the host then waits for the device.
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

    /// A stream of cudarc's (0.19), which is kept as long as this value, its clones and the handles made with them.
    ///
    /// # Errors
    /// [`CudaError::Refused`] when it is not of the primary context of a device that this backend opened.
    ///
    /// ```no_run
    /// use rosidl_buffer_runtime::cuda::CudaBackend;
    ///
    /// let cuda = CudaBackend::shared()?;
    /// let theirs = cudarc::driver::CudaContext::new(0)?.new_stream()?;
    /// let stream = cuda.cudarc_stream(theirs.clone())?;
    /// let mut buffer = cuda.allocate_buffer(1 << 20)?;
    /// let write = cuda.from_output_buffer(&mut buffer, &stream)?;
    /// // … launch kernels on `theirs` …
    /// # drop(write);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cudarc_stream(
        &self,
        stream: Arc<cudarc::driver::CudaStream>,
    ) -> Result<CudaStream, AccessError> {
        let theirs = stream.context().cu_ctx();
        let mut ours = self.memory().contexts().iter();
        let context = ours
            .find(|context| context.handle() == theirs)
            .ok_or_else(|| {
                CudaError::Refused(
                "what cudarc made is not in the primary context of a device that this backend opened"
                    .to_owned(),
            )
            })?;
        // SAFETY: a stream of this context, which is kept with the value.
        let own = unsafe { Stream::foreign(context, stream.cu_stream()) };
        Ok(CudaStream(Arc::new(own.kept_by(stream))))
    }

    /// A buffer of device memory that somebody else made, such as a tensor of PyTorch, without a copy: `len` bytes at
    /// `address`, on the stream's device, which work that is on the stream by now may still write.
    ///
    /// It is a buffer as any other: it can be read on streams of this process, in place, copied to the host, cloned, compared,
    /// and put into a message. Readers in other processes read it in place too if it is the whole of an allocation that can be
    /// exported (`cuMemCreate`, with a file descriptor as its handle type; for parts of one see
    /// [`expose_allocations`](crate::cuda::CudaBuilder::expose_allocations)). Anything else, as all that `cudaMalloc` and
    /// `cudaMallocAsync` give, the device copies into a block of this backend once, when the first of them is told of it; what is to go
    /// there without a copy is written into a buffer of [`allocate_buffer`](Self::allocate_buffer).
    ///
    /// `keep` keeps the memory there. It is dropped when the last buffer is gone, no other process reads it in place any more, and the
    /// GPU is through with all reads here, on any thread, with the device's primary context current; it must not wait for work that
    /// comes later. On an error it is dropped when the stream has come to its end. An allocation that others read in place is
    /// exported once, for as long as a frame comes in it every two seconds, and not given back to the device sooner.
    ///
    /// # Errors
    /// [`AccessError::NotOpened`]; [`CudaError::Refused`] when there is no memory of the stream's device at the address, or the
    /// stream is being captured.
    ///
    /// # Safety
    /// * `len` bytes at `address` can be read by the stream's device, in its primary context, until `keep` is dropped.
    /// * Whatever writes them is over or on the stream, and nothing else writes them until `keep` is dropped.
    pub unsafe fn adopt<K: Send + 'static>(
        &self,
        address: u64,
        len: usize,
        stream: &CudaStream,
        keep: K,
    ) -> Result<Buffer<u8>, AccessError> {
        let context = self.context(stream.device().uuid());
        let written = context.and_then(|context| {
            if len > 0 {
                context.check_address(address)?;
            }
            stream.0.check_not_captured()?;
            let written = Event::local(context)?;
            written.record(&stream.0)?;
            Ok(written)
        });
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                // Whoever frees the memory must not do so under the work that is on the stream.
                if let Err(error) = stream.synchronize() {
                    tracing::debug!(%error, "memory was not adopted, and its stream could not be waited for");
                }
                drop(keep);
                return Err(error);
            }
        };
        let adopted = Adopted::new((address, len), written, Box::new(keep));
        let storage = CudaStorage::written(Held::Adopted(adopted), &self.inner);
        let storage = StorageRef::new(Arc::new(storage)).ok_or(AccessError::NotWritten)?; // always there: made in the line above
        // The work on the stream writes there, also if nobody reads.
        let until_written = Keep::Storage(storage.clone());
        self.inner.reaper.after(&stream.0, until_written);
        Ok(Buffer::from_bytes_storage(storage.into_inner()))
    }

    /// A buffer of a slice of cudarc's (0.19), as [`adopt`](Self::adopt) makes it: after all work on it that cudarc knows of.
    ///
    /// # Errors
    /// As [`adopt`](Self::adopt); [`CudaError::Refused`] when the slice is not in the device's primary context.
    ///
    /// ```no_run
    /// use rosidl_buffer_runtime::{Buffer, cuda::CudaBackend};
    ///
    /// let cuda = CudaBackend::shared()?;
    /// let stream = cudarc::driver::CudaContext::new(0)?.default_stream();
    /// let slice = stream.clone_htod(&[1.0f32, 2.0])?; // or the output of a kernel
    /// let buffer: Buffer<f32> = cuda.adopt_slice(slice)?;
    /// assert_eq!(buffer.to_vec()?, [1.0, 2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn adopt_slice<T: Element>(&self, slice: CudaSlice<T>) -> Result<Buffer<T>, AccessError> {
        let theirs = Arc::clone(slice.stream());
        let stream = self.cudarc_stream(Arc::clone(&theirs))?;
        wait_for_all_threads(&stream)?;
        let (address, used) = slice.device_ptr(&theirs);
        drop(used); // reads are over before the slice is dropped
        slice.context().check_err().map_err(not_ordered)?;
        // SAFETY: the slice has as many bytes, can be read until it is dropped, and nobody else has it; its stream waits for what
        // writes it on others.
        let buffer = unsafe { self.adopt(address, slice.num_bytes(), &stream, slice) }?;
        let storage = buffer
            .storage()
            .map(|storage| Buffer::of_storage(Arc::clone(storage)));
        Ok(storage.unwrap_or_default()) // never the default: the buffer has a storage
    }
}
