//! Tensors of the host go out: shared for reading, or given away for writing.

use core::mem;

use super::describe::Described;
use super::{DlDevice, DlTensor, DlpackError};
use crate::buffer::Buffer;
use crate::tensor::{Layout, TensorError, TensorMessage, TensorView};

impl DlTensor {
    /// A tensor in host memory of any backend, to be read. The buffer is shared until the deleter is called: a block of shared memory
    /// stays the reader's for so long.
    ///
    /// # Errors
    /// When the host does not read the memory in place, the elements are in the other byte order or not aligned, or DLPack has no
    /// numbers for them.
    pub fn from_view(view: &TensorView<'_>) -> Result<Self, DlpackError> {
        let owner = view.buffer().clone();
        let bytes = owner.as_slice().and_then(|all| all.get(view.byte_range()));
        let bytes = bytes.ok_or_else(|| TensorError::NotOnHost(owner.backend_type().to_owned()))?;
        let described = Described::of_view(view, bytes.as_ptr().cast_mut(), DlDevice::CPU)?;
        described.check_aligned()?;
        // SAFETY: the view is checked, and the elements are its bytes; a clone of the buffer keeps them where they are, unchanged, and
        // the tensor is read-only.
        let managed = unsafe { described.managed(owner) }?;
        Ok(Self::new(managed))
    }

    /// As [`from_view`](Self::from_view), of a message.
    ///
    /// # Errors
    /// As [`from_view`](Self::from_view), and when the message is no tensor.
    pub fn from_message<M: TensorMessage>(message: &M) -> Result<Self, DlpackError> {
        Self::from_view(&message.tensor()?)
    }

    /// A tensor that its receiver may write: the memory is moved in, and is nobody else's.
    ///
    /// # Errors
    /// [`TensorError::NotWritable`] when others share the data or it is not a vector of bytes; as [`from_view`](Self::from_view).
    pub fn from_owned(layout: Layout<'_>, mut data: Buffer<u8>) -> Result<Self, DlpackError> {
        // SAFETY: nobody else has the buffer, and the only reference is moved in.
        unsafe { Self::writable(layout, &mut data, mem::take) }
    }

    /// A tensor that its receiver may write in place of the message's elements. The message shares its data with the tensor until
    /// the deleter is called, and then has it for itself again.
    ///
    /// # Errors
    /// As [`from_owned`](Self::from_owned).
    ///
    /// # Safety
    /// The message's data, and what shares it, is neither read nor sent until the deleter has been called or the tensor was written
    /// for the last time.
    pub unsafe fn from_message_mut<M: TensorMessage>(message: &mut M) -> Result<Self, DlpackError> {
        let (layout, data) = message.parts_mut();
        // SAFETY: the caller's promise.
        unsafe { Self::writable(layout, data, |data| data.clone()) }
    }

    /// # Safety
    /// Nobody reads the data while the tensor is written.
    unsafe fn writable(
        layout: Layout<'_>,
        data: &mut Buffer<u8>,
        owner: impl FnOnce(&mut Buffer<u8>) -> Buffer<u8>,
    ) -> Result<Self, DlpackError> {
        let extent = layout.validate(data.len())?;
        let bytes = data
            .as_mut_slice()
            .and_then(|all| all.get_mut(extent.byte_range()));
        let start = bytes.ok_or(TensorError::NotWritable)?.as_mut_ptr();
        let described = Described::of_layout(&layout, extent.is_empty(), start, DlDevice::CPU)?;
        described.check_aligned()?;
        // SAFETY: the layout is checked, and the elements are bytes of the buffer, which was not shared; the owner is a reference to
        // it, that keeps them where they are. That nobody else reads them is the caller's promise.
        let managed = unsafe { described.managed(owner(data)) }?;
        Ok(Self::new(managed))
    }
}
