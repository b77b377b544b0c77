//! Tensors of torch as DLPack has them, and the other way round, without a copy where nobody else can be surprised by a write.

use core::ffi::c_void;
use core::ptr::NonNull;

use ::tch::Tensor;

use super::error::TorchError;
use super::ffi;
use super::input::{check_alignment, check_repeats, own};
use super::library::load_cuda;
use crate::tensor::dlpack::{DlDevice, DlTensor};
use crate::tensor::dtype::DType;

/// A tensor as DLPack has it, over the same memory; torch drops its own when the deleter is called. On a GPU, what writes it is
/// on torch's current stream.
///
/// # Errors
/// [`TorchError::Shared`] when another tensor uses the memory too, or its gradient is wanted: `tensor.copy()` has memory of its own;
/// [`TorchError::Lazy`], [`TorchError::NotStrided`] or [`TorchError::Type`] for a tensor that DLPack cannot describe.
pub fn into_dlpack(tensor: Tensor) -> Result<DlTensor, TorchError> {
    let tensor = ffi::exclusive(tensor)?;
    let managed = ffi::to_dlpack(&tensor)?;
    drop(tensor);
    // SAFETY: torch made it just now, for nobody else, and its tensor was the only one over the memory.
    Ok(unsafe { DlTensor::from_raw(managed) }?)
}

/// What DLPack describes as a tensor: over the same memory, if it may be written, which torch takes for granted; else a copy.
///
/// On a GPU the memory is used on torch's current stream, now and until the last tensor over it is dropped: what makes a
/// [`DlTensor`] there takes a stream, which has to be that one, `current_stream`.
///
/// # Errors
/// [`TorchError::OtherStream`] for a tensor that was made here for another stream; [`TorchError::Unaligned`];
/// [`TensorError::Repeated`](crate::tensor::TensorError::Repeated) where a copy would take more memory than the data, because dimensions repeat;
/// [`TorchError::NoCuda`] for memory of a GPU that torch cannot use; [`TorchError::Torch`] for a type or device that it does not have.
pub fn from_dlpack(tensor: DlTensor) -> Result<Tensor, TorchError> {
    let (dtype, is_shared) = (tensor.dtype(), tensor.is_read_only());
    // Only a copy makes sure that `bool` has no values but 0 and 1.
    let is_copied = is_shared || dtype == DType::BOOL;
    if is_copied {
        let extent = tensor.extent()?;
        check_repeats(extent.len(), extent.byte_range().len(), dtype)?;
    }
    // SAFETY: nobody else may write, or it is only read here.
    let view = unsafe { view_dlpack(tensor) }?;
    if is_copied {
        return own(&view, dtype);
    }
    Ok(view)
}

/// As [`from_dlpack`], over the same memory in any case.
///
/// # Errors
/// As [`from_dlpack`].
///
/// # Safety
/// As for [`view_input_tensor_msg`](super::view_input_tensor_msg) where the tensor says that it is only to be read.
pub unsafe fn view_dlpack(tensor: DlTensor) -> Result<Tensor, TorchError> {
    if !tensor.extent()?.is_empty() {
        check_alignment(tensor.dtype(), tensor.data_address())?;
    }
    if tensor.device() != DlDevice::CPU {
        load_cuda()?;
    }
    #[cfg(feature = "cuda")]
    if let Some(stream) = tensor.stream() {
        // Both are numbers of CUDA's default stream.
        let number = |handle| if handle == 1 { 0 } else { handle };
        let current = ffi::current_stream(stream.device().ordinal())?;
        if number(stream.handle()) != number(current) {
            return Err(TorchError::OtherStream);
        }
    }
    let managed: NonNull<c_void> = tensor.into_raw();
    // SAFETY: given away by the line above, and seen to be aligned for torch.
    unsafe { ffi::from_dlpack(managed) }.inspect_err(|_| {
        // SAFETY: torch did not take it.
        drop(unsafe { DlTensor::from_raw(managed) });
    })
}
