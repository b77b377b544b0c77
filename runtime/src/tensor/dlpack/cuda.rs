//! Tensors in device memory: in the order of a stream, and kept until the GPU is done with them.

use core::ptr;

use super::describe::Described;
use super::{DlDevice, DlTensor, DlpackError};
use crate::cuda::{CudaBackend, CudaStream, WriteHandle};
use crate::tensor::{Layout, TensorMessage, TensorView};

fn device(stream: &CudaStream) -> DlDevice {
    DlDevice::cuda(stream.device().ordinal())
}

/// An address of the device, which the host never reads.
fn pointer(address: u64) -> *mut u8 {
    // Addresses of devices have as many bits as those of the host.
    ptr::without_provenance_mut(usize::try_from(address).unwrap_or(0))
}

impl DlTensor {
    /// The stream that it was made for, which its receiver has to use it on; `None` for a tensor of others.
    pub fn stream(&self) -> Option<&CudaStream> {
        self.stream.as_ref()
    }

    /// A tensor on the stream's device, to be read by work on the stream: the one that the library works on, which in Python is the
    /// argument of `__dlpack__`. What is elsewhere is copied there, as [`CudaBackend::from_input_buffer`] does it. The memory is kept until
    /// the work that is on the stream when the deleter is called is done.
    ///
    /// # Errors
    /// When the buffer cannot be read on the device, the elements are in the other byte order or not aligned, or DLPack has no
    /// numbers for them.
    pub fn from_cuda(
        view: &TensorView<'_>,
        backend: &CudaBackend,
        stream: &CudaStream,
    ) -> Result<Self, DlpackError> {
        let read = backend.from_input_buffer(view.buffer(), stream)?;
        let start = view.byte_range().start as u64;
        let first = pointer(read.address() + start);
        let described = Described::of_view(view, first, device(stream))?;
        described.check_aligned()?;
        // SAFETY: the view is checked, and the handle is of its buffer: its device reads the elements there, on the stream, and nobody
        // writes them until it is dropped; the tensor is read-only.
        let managed = unsafe { described.managed(read) }?;
        let stream = Some(stream.clone());
        Ok(Self { managed, stream })
    }

    /// A tensor in memory that its receiver writes, on the handle's stream. Writing ends when the deleter is called.
    ///
    /// # Errors
    /// When the layout does not fit the memory, or the elements are not aligned.
    pub fn from_cuda_write(layout: Layout<'_>, write: WriteHandle) -> Result<Self, DlpackError> {
        let extent = layout.validate(write.len())?;
        let first = pointer(write.address() + extent.byte_range().start as u64);
        let is_empty = extent.is_empty();
        let described = Described::of_layout(&layout, is_empty, first, device(write.stream()))?;
        described.check_aligned()?;
        let stream = Some(write.stream().clone());
        // SAFETY: the layout is checked for the handle's memory, which is nobody else's until it is dropped.
        let managed = unsafe { described.managed(write) }?;
        Ok(Self { managed, stream })
    }

    /// The tensor as a message in device memory, in place, as [`CudaBackend::adopt`] makes it: its deleter is called when the last clone
    /// of the data is gone and the GPU is through with it.
    ///
    /// # Errors
    /// [`DlpackError::Device`] when it is not on the stream's device; as [`CudaBackend::adopt`].
    ///
    /// # Safety
    /// Whatever writes the elements is over or on the stream: in Python, the one that `__dlpack__` was given.
    pub unsafe fn into_cuda_message<M: TensorMessage>(
        self,
        backend: &CudaBackend,
        stream: &CudaStream,
    ) -> Result<M, DlpackError> {
        let (is, asked) = (self.device(), device(stream));
        if is != asked {
            return Err(DlpackError::Device { is, asked });
        }
        let len = self.checked()?.extent.byte_range().len();
        self.message(|tensor| {
            let address = tensor.data_address() as u64;
            // SAFETY: so many bytes can be read there, in the device's primary context, and nobody writes them, until the deleter is
            // called: promised when the tensor was taken. What writes them now is the caller's promise.
            Ok(unsafe { backend.adopt(address, len, stream, tensor) }?)
        })
    }
}
