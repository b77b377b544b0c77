//! Messages as tensors to compute with: copies, which are the caller's own, and views for those who promise not to write.

use core::ffi::c_void;

use ::tch::{Kind, Tensor};

#[cfg(feature = "cuda")]
use super::cuda;
use super::error::TorchError;
use super::ffi::{self, Memory, Place};
use crate::tensor::dtype::DType;
use crate::tensor::error::TensorError;
use crate::tensor::message::TensorMessage;
use crate::tensor::shape::Layout;

/// The tensor of a message, as an independent copy: it may be changed, and the message may go.
///
/// The copy is made by torch on the device that the data is on, on torch's current stream there. Data on a device that torch
/// cannot use, because it is of another kind or [`load_cuda`](super::load_cuda) fails, is copied to the host.
///
/// # Errors
/// As [`Layout::validate`]; [`TensorError::Repeated`] where the elements would take more memory than the data, because dimensions
/// repeat; when the data cannot be read, or torch does not have the type.
pub fn from_input_tensor_msg<M: TensorMessage>(message: &M) -> Result<Tensor, TorchError> {
    let view = message.tensor()?;
    let (layout, data) = message.parts();
    if view.is_empty() {
        return empty(&layout);
    }
    let range = view.byte_range();
    check_repeats(view.len(), range.len(), layout.dtype)?;
    #[cfg(feature = "cuda")]
    match cuda::reach(data) {
        Some(Ok(device)) => {
            // SAFETY: it is only read here, and dropped.
            let source = unsafe { device.source(&view, layout) }?;
            return own(&source, layout.dtype);
        }
        None | Some(Err(TorchError::NoCuda(_))) => {} // by the host
        Some(Err(error)) => return Err(error),
    }
    let Some(bytes) = view.bytes() else {
        let bytes = data.to_vec()?;
        if can_keep(&layout, &bytes[range.clone()]) {
            return over_vector(bytes, &layout, range.start);
        }
        return copied(&bytes[range], &layout);
    };
    copied(bytes, &layout)
}

/// The tensor of a message that is not needed any more, without a copy where its data is a vector that nobody shares;
/// otherwise as [`from_input_tensor_msg`].
///
/// # Errors
/// As [`from_input_tensor_msg`].
pub fn into_tensor<M: TensorMessage>(mut message: M) -> Result<Tensor, TorchError> {
    let view = message.tensor()?;
    let (is_empty, range) = (view.is_empty(), view.byte_range());
    check_repeats(view.len(), range.len(), view.dtype())?;
    let (layout, data) = message.parts_mut();
    let own = data.as_mut_slice().filter(|_| !is_empty);
    if own.is_some_and(|bytes| can_keep(&layout, &bytes[range.clone()])) {
        let bytes = core::mem::take(data).into_vec()?;
        return over_vector(bytes, &layout, range.start);
    }
    from_input_tensor_msg(&message)
}

/// The tensor of a message over the message's own memory, wherever that is, without a copy.
///
/// The memory is kept, and a publisher elsewhere does not use it again, until torch has dropped the last tensor over it, on
/// whatever thread. On a GPU it is read on the stream that is torch's current one now; the memory goes back when what is on that
/// stream by then is done.
///
/// # Errors
/// As [`Layout::validate`]; [`TorchError::OutOfReach`] for memory that torch cannot read; [`TorchError::Unaligned`].
///
/// # Safety
/// Torch does not know that the memory is only to be read, and others read it too, in this process or another one.
/// * Nobody writes to the tensor, or to one that shares its memory, such as a slice or a reshaped one: neither with the
///   methods that end in `_`, nor with `out` arguments, nor by torch's own hands, as an optimiser's.
/// * Each byte of a tensor of `bool` is 0 or 1.
/// * On a GPU, work with it on another stream than the one of now is ordered by the caller.
pub unsafe fn view_input_tensor_msg<M: TensorMessage>(message: &M) -> Result<Tensor, TorchError> {
    let view = message.tensor()?;
    let (layout, data) = message.parts();
    if view.is_empty() {
        return empty(&layout);
    }
    let out_of_reach = |why: String| TorchError::OutOfReach {
        backend: data.backend_type().to_owned(),
        why,
    };
    #[cfg(feature = "cuda")]
    if let Some(device) = cuda::reach(data) {
        let device = device.map_err(|error| out_of_reach(error.to_string()))?;
        // SAFETY: the caller's promise.
        return unsafe { device.view(&view, layout) };
    }
    let bytes = view
        .bytes()
        .ok_or_else(|| out_of_reach("the host cannot read it there".to_owned()))?;
    check_alignment(layout.dtype, bytes.as_ptr().addr())?;
    let strides = strides(&layout);
    let memory = host_memory(bytes.as_ptr(), &layout, &strides);
    // SAFETY: the bytes were measured for this layout, begin where its type may, and the clone of the buffer keeps them where they
    // are, unchanged; that nobody writes is the caller's promise.
    unsafe { ffi::from_memory(&memory, data.clone()) }
}

/// Whether a copy of the elements takes no more memory than they have: the numbers may be a stranger's, and a few bytes must not
/// take all memory.
pub(super) fn check_repeats(
    elements: usize,
    bytes: usize,
    dtype: DType,
) -> Result<(), TensorError> {
    if elements <= bytes / dtype.item_size()? {
        return Ok(());
    }
    Err(TensorError::Repeated { elements, bytes })
}

/// A tensor without elements.
pub(super) fn empty(layout: &Layout<'_>) -> Result<Tensor, TorchError> {
    let strides = row_major(layout.shape);
    let memory = host_memory(core::ptr::null(), layout, &strides);
    // SAFETY: no element, so no memory.
    unsafe { ffi::from_memory(&memory, ()) }
}

/// A tensor that owns the vector, whose first element is at `start`. It is aligned, and the layout was measured for it.
fn over_vector(
    mut bytes: Vec<u8>,
    layout: &Layout<'_>,
    start: usize,
) -> Result<Tensor, TorchError> {
    let strides = strides(layout);
    let memory = host_memory(bytes[start..].as_mut_ptr(), layout, &strides);
    // SAFETY: the layout was measured for these bytes, which are the tensor's alone and stay where they are when the vector moves.
    unsafe { ffi::from_memory(&memory, bytes) }
}

/// Whether a tensor may use the bytes where they are. Only a copy makes sure that `bool` has no values but 0 and 1.
fn can_keep(layout: &Layout<'_>, bytes: &[u8]) -> bool {
    layout.dtype != DType::BOOL && layout.dtype.is_aligned(bytes.as_ptr().addr())
}

/// A copy of torch's own of the bytes from the first element on.
fn copied(bytes: &[u8], layout: &Layout<'_>) -> Result<Tensor, TorchError> {
    let mut aligned = Vec::new();
    let mut start = bytes.as_ptr();
    if !layout.dtype.is_aligned(start.addr()) {
        const MOST: usize = 16; // that a type of torch's needs
        aligned.resize(bytes.len() + MOST, 0_u8);
        let skipped = aligned.as_ptr().addr().wrapping_neg() % MOST;
        let target = &mut aligned[skipped..][..bytes.len()];
        target.copy_from_slice(bytes);
        start = target.as_ptr();
    }
    let strides = strides(layout);
    let memory = host_memory(start, layout, &strides);
    // SAFETY: the layout was measured for the bytes, which begin where its type may, stay until the end of this function and are only read; the tensor
    // does not leave it.
    let source = unsafe { ffi::from_memory(&memory, ()) }?;
    own(&source, layout.dtype)
}

/// A copy of torch's own, on the same device.
pub(super) fn own(source: &Tensor, dtype: DType) -> Result<Tensor, TorchError> {
    if dtype == DType::BOOL {
        // Other values than 0 and 1 are none of C++'s `bool`, and these are a stranger's.
        return Ok(source.f_view_dtype(Kind::Uint8)?.f_ne(0)?.f_contiguous()?);
    }
    ffi::copy(source)
}

/// Memory of the host from the first element on.
pub(super) fn host_memory<'a>(
    start: *const u8,
    layout: &Layout<'a>,
    strides: &'a [i64],
) -> Memory<'a> {
    Memory {
        data: start.cast_mut().cast::<c_void>(),
        dtype: layout.dtype,
        shape: layout.shape,
        strides,
        place: Place::Host,
    }
}

pub(super) fn check_alignment(dtype: DType, address: usize) -> Result<(), TorchError> {
    if dtype.is_aligned(address) {
        Ok(())
    } else {
        Err(TorchError::Unaligned(dtype))
    }
}

/// The strides of a layout that was checked, one for each dimension.
pub(super) fn strides(layout: &Layout<'_>) -> Vec<i64> {
    if layout.strides.is_empty() {
        row_major(layout.shape)
    } else {
        layout.strides.to_vec()
    }
}

/// Elements from one index to the next, where all of them lie side by side. The shape was checked, so what overflows belongs
/// to a tensor without elements.
pub(super) fn row_major(shape: &[i64]) -> Vec<i64> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = shape[axis].max(1).saturating_mul(strides[axis]);
    }
    strides
}
