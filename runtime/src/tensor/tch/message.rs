//! Tensors of torch as messages: memory for torch to write to, copies into any memory, and tensors that are given away.

use core::ptr::slice_from_raw_parts_mut;
use core::slice;
use std::alloc;

use ::tch::{Kind, Tensor};

#[cfg(feature = "cuda")]
use super::cuda;
use super::error::TorchError;
use super::ffi::{self, Description, Place};
use super::input::{check_alignment, empty, host_memory, row_major, strides};
use super::output::{Output, Writing};
use crate::buffer::Buffer;
use crate::cpu::CPU;
use crate::registry::BackendRegistry;
use crate::tensor::choice::{choose_backend, choose_host_backend};
use crate::tensor::dtype::DType;
use crate::tensor::error::TensorError;
use crate::tensor::message::TensorMessage;
use crate::tensor::shape::Layout;

/// A message of a row-major tensor in memory of a backend, to be written by [`from_output_tensor_msg`].
///
/// The backend is `backend`, else what `ROSIDL_TENSOR_BACKEND` names, else the best there is: see
/// [`choose_backend`].
///
/// # Errors
/// When there is no such backend, it has no memory, or there is no tensor of that shape and kind.
pub fn allocate_tensor_msg<M: TensorMessage>(
    backends: &BackendRegistry,
    shape: impl Into<Vec<i64>>,
    kind: Kind,
    backend: Option<&str>,
) -> Result<M, TorchError> {
    let dtype = DType::try_from(kind)?;
    let backend = choose_backend(backends, backend)?;
    let shape = shape.into();
    let len = byte_len(dtype, &shape)?;
    let data = if backend == CPU {
        zeros(len)?.into()
    } else {
        allocate(backends, backend, len, Place::Host)?
    };
    Ok(M::from_parts(dtype, shape, Vec::new(), 0, data))
}

/// A vector of zeros that nobody writes twice: where it is large, its pages are zero when torch first writes to them.
fn zeros(len: usize) -> Result<Vec<u8>, TensorError> {
    let layout = alloc::Layout::array::<u8>(len).map_err(|_| TensorError::TooLarge)?;
    if len == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the size is not zero.
    let start = unsafe { alloc::alloc_zeroed(layout) };
    if start.is_null() {
        return Err(TensorError::TooLarge);
    }
    // SAFETY: from the global allocator, as a slice of so many bytes has it; all of them are zero, and nobody else has them.
    let bytes = unsafe { Box::from_raw(slice_from_raw_parts_mut(start, len)) };
    Ok(bytes.into_vec())
}

/// Memory of a backend other than `cpu`, to be written from that place: on the same device, or where that one copies to at full speed.
fn allocate(
    backends: &BackendRegistry,
    backend: &str,
    len: usize,
    near: Place,
) -> Result<Buffer<u8>, TorchError> {
    if len == 0 {
        return Ok(Buffer::new());
    }
    #[cfg(feature = "cuda")]
    if let Some(cuda) = backends.backend(backend) {
        return cuda::allocate(cuda, len, near);
    }
    let handle = backends.allocate_host(backend, len);
    let handle = handle.ok_or_else(|| TorchError::NoMemory(backend.to_owned()))??;
    #[cfg(feature = "cuda")]
    if let Place::Cuda(index) = near {
        cuda::register(backends, index, &handle.mapping())?;
    }
    let _ = near; // only a GPU has memory near to it, or copies from it
    Ok(Output::of_pool(backend, len, handle))
}

/// Bytes of the elements side by side.
fn byte_len(dtype: DType, shape: &[i64]) -> Result<usize, TensorError> {
    let layout = Layout {
        dtype,
        shape,
        strides: &[],
        byte_offset: 0,
    };
    Ok(layout.validate(usize::MAX)?.byte_range().end)
}

/// A tensor over the memory of a message that nobody wrote yet, or of one with a vector of its own: what torch writes there is
/// in the message, without a copy.
///
/// The message can be read and sent once torch has dropped the last tensor over the memory; before that, encoding or reading
/// it is an error that says so. A vector can be written again then, once the message has no clone. Of `bool`, bytes that are neither 0
/// nor 1 become 1; on a GPU all are 0 before. On a GPU it is written on the stream that is torch's current one now, and can be sent at once.
///
/// # Errors
/// As [`Layout::validate`]; [`TorchError::NotWritable`] for all other data; [`TorchError::Unaligned`]. On the host the message is as
/// it was then.
pub fn from_output_tensor_msg<M: TensorMessage>(message: &mut M) -> Result<Tensor, TorchError> {
    let (layout, data) = message.parts_mut();
    let extent = layout.validate(data.len())?;
    if extent.is_empty() {
        return empty(&layout);
    }
    #[cfg(feature = "cuda")]
    if let Some(device) = cuda::reach(data) {
        return device?.output(data, extent.byte_range(), &layout);
    }
    let mut writing = Writing::start(data).ok_or(TorchError::NotWritable)?;
    let bytes = &mut writing.bytes()[extent.byte_range()]; // of the data that was measured
    let start = bytes.as_mut_ptr();
    if let Err(error) = check_alignment(layout.dtype, start.addr()) {
        writing.cancel(data);
        return Err(error);
    }
    if layout.dtype == DType::BOOL {
        // Other values are none of C++'s `bool`.
        for byte in bytes {
            *byte = (*byte).min(1);
        }
    }
    let strides = strides(&layout);
    let memory = host_memory(start, &layout, &strides);
    // SAFETY: the extent was measured for these bytes, which begin where the type may, stay in their place, are written by
    // `writing` alone, and are read by nobody until it is dropped.
    unsafe { ffi::lend_memory(&memory, writing) }.map_err(|(error, writing)| {
        writing.cancel(data);
        error
    })
}

/// A new message with the tensor's elements, side by side in row-major order, in memory of a backend: one copy, from whatever
/// device the tensor is on and however it is strided.
///
/// The backend is `backend`, else what `ROSIDL_TENSOR_BACKEND` names, else the best of the tensor's own side: memory of a GPU
/// for a tensor that is there, memory of the host for one on the host. What the tensor knows of gradients stays behind.
///
/// Memory of `cpu` is the message's own, fresh from the system: where that counts, [`copy_to_tensor_msg`] writes a message again. The
/// other backends use their blocks again, so that a new message costs no more there. A block of shared memory is registered with
/// CUDA when a GPU first copies to it, which takes longer than that copy, and copies to it have the speed of the link from then on.
/// A large tensor on the host that is not pinned goes to a GPU by way of such blocks, if the program has shared memory, and the host does
/// not wait for the GPU.
///
/// # Errors
/// As [`allocate_tensor_msg`]; [`TorchError::NotStrided`] for a sparse tensor, [`TorchError::Type`] for a quantised one.
pub fn to_tensor_msg<M: TensorMessage>(
    backends: &BackendRegistry,
    tensor: &Tensor,
    backend: Option<&str>,
) -> Result<M, TorchError> {
    let described = ffi::describe(tensor)?;
    let backend = match described.place {
        Place::Host => choose_host_backend(backends, backend)?,
        Place::Cuda(_) => choose_backend(backends, backend)?,
    };
    let (dtype, shape) = (described.dtype, described.shape.to_vec());
    let len = byte_len(dtype, &shape)?;
    if backend == CPU {
        let data = to_vector(tensor, &described, len)?;
        return Ok(M::from_parts(dtype, shape, Vec::new(), 0, data.into()));
    }
    #[cfg(feature = "cuda")]
    if let Some(cuda) = backends.backend(backend)
        && let Some(pool) = cuda::way(backends, cuda, tensor, &described, len)
    {
        match to_tensor_msg::<M>(backends, tensor, Some(pool)) {
            Ok(mut message) => {
                let data = message.parts_mut().1;
                *data = cuda::upload(cuda, data)?;
                return Ok(message);
            }
            Err(TorchError::Allocate(_)) => {} // all of that memory is in use
            Err(error) => return Err(error),
        }
    }
    let data = allocate(backends, backend, len, described.place)?;
    let mut message = M::from_parts(dtype, shape, Vec::new(), 0, data);
    write(&mut message, tensor)?;
    Ok(message)
}

/// Copies the tensor into a message that is there, as [`to_tensor_msg`] does: the message gets its type and shape, row-major, and
/// keeps its data, which may be larger, where it is. A message whose data is a vector takes tensors again and again while no clone
/// shares it. Memory of other backends is written once, as others may read it from then on: that of [`allocate_tensor_msg`].
///
/// # Errors
/// [`TorchError::TooSmall`] when the data is smaller than the elements, and as [`from_output_tensor_msg`]; the message is as it was
/// then, but that on a GPU its data may count as written.
pub fn copy_to_tensor_msg<M: TensorMessage>(
    tensor: &Tensor,
    message: &mut M,
) -> Result<(), TorchError> {
    let described = ffi::describe(tensor)?;
    let needed = byte_len(described.dtype, described.shape)?;
    let (before, data) = message.parts_mut();
    if data.len() < needed {
        return Err(TorchError::TooSmall {
            needed,
            available: data.len(),
        });
    }
    let (dtype, offset) = (before.dtype, before.byte_offset);
    let (shape, strides) = (before.shape.to_vec(), before.strides.to_vec());
    let data = core::mem::take(data);
    let shape_now = described.shape.to_vec();
    *message = M::from_parts(described.dtype, shape_now, Vec::new(), 0, data);
    write(message, tensor).inspect_err(|_| {
        let data = core::mem::take(message.parts_mut().1);
        *message = M::from_parts(dtype, shape, strides, offset, data);
    })
}

/// Copies the elements into a message of the same type and shape, side by side.
fn write<M: TensorMessage>(message: &mut M, tensor: &Tensor) -> Result<(), TorchError> {
    let (layout, data) = message.parts_mut();
    let extent = layout.validate(data.len())?;
    if extent.is_empty() {
        return Ok(());
    }
    #[cfg(feature = "cuda")]
    if let Some(device) = cuda::reach(data) {
        let mut output = device?.output(data, extent.byte_range(), &layout)?;
        return Ok(output.f_copy_(&tensor.f_detach()?)?);
    }
    let mut writing = Writing::start(data).ok_or(TorchError::NotWritable)?;
    let start = writing.bytes()[extent.byte_range()].as_mut_ptr();
    // SAFETY: so many bytes, which are written by `writing` alone and stay until it is dropped.
    match unsafe { copy_to(start, layout.dtype, layout.shape, tensor) } {
        Ok(()) => writing.finish(data),
        Err(error) => {
            writing.cancel(data);
            return Err(error);
        }
    }
    Ok(())
}

/// Copies the elements to memory of the host, side by side.
///
/// # Safety
/// The elements of such a tensor fit there, and nobody else uses the memory meanwhile.
unsafe fn copy_to(
    start: *mut u8,
    dtype: DType,
    shape: &[i64],
    tensor: &Tensor,
) -> Result<(), TorchError> {
    check_alignment(dtype, start.addr())?;
    let layout = Layout {
        dtype,
        shape,
        strides: &[],
        byte_offset: 0,
    };
    let strides = row_major(shape);
    let memory = host_memory(start, &layout, &strides);
    // SAFETY: the caller's promise, and the address suits the type; the tensor does not leave this function.
    let mut target = unsafe { ffi::from_memory(&memory, ()) }?;
    Ok(target.f_copy_(&tensor.f_detach()?)?)
}

/// The elements side by side in a vector, which is not filled with zeros before.
fn to_vector(tensor: &Tensor, is: &Description<'_>, len: usize) -> Result<Vec<u8>, TorchError> {
    let mut bytes = Vec::new();
    if len == 0 {
        return Ok(bytes);
    }
    bytes
        .try_reserve_exact(len)
        .map_err(|_| TensorError::TooLarge)?;
    let start = bytes.spare_capacity_mut().as_mut_ptr().cast::<u8>();
    // SAFETY: `len` bytes are reserved for the elements, and nobody else uses them; they are written before they are read.
    unsafe { copy_to(start, is.dtype, is.shape, tensor) }?;
    // SAFETY: so many bytes are reserved, and all of them were written: the elements lie side by side.
    unsafe { bytes.set_len(len) };
    Ok(bytes)
}

/// A message of the tensor's own memory, without a copy: the tensor is given away with it, and dropped when the last buffer over
/// the memory is gone.
///
/// On a GPU it needs the backend `cuda_rs`, and what writes the tensor is over or on torch's current stream. Memory of torch's own
/// cannot be mapped by other processes: the GPU copies it when the first of them is told of the message, see
/// `CudaBackend::adopt`; likewise, memory of the host goes to other processes as bytes. So for them
/// [`to_tensor_msg`] costs no more. What lies between the elements of a tensor, a column of a matrix for instance, would be sent as
/// well: such a tensor is copied. Elements that nobody wrote, as those of `Tensor::empty`, are sent with whatever is in the memory.
///
/// # Errors
/// [`TorchError::Shared`] when another tensor uses the memory too, or it is part of a computation whose gradient is wanted;
/// [`TorchError::Lazy`], [`TorchError::NotStrided`] or [`TorchError::Type`] for a tensor that no message can describe.
pub fn into_tensor_msg<M: TensorMessage>(
    backends: &BackendRegistry,
    tensor: Tensor,
) -> Result<M, TorchError> {
    let mut tensor = ffi::exclusive(tensor)?;
    if has_gaps(&ffi::describe(&tensor)?)? {
        tensor = ffi::copy(&tensor)?;
    }
    let described = ffi::describe(&tensor)?;
    let (dtype, shape) = (described.dtype, described.shape.to_vec());
    let strides = described.strides.to_vec();
    let layout = Layout {
        dtype,
        shape: &shape,
        strides: &strides,
        byte_offset: 0,
    };
    let extent = layout.validate(usize::MAX)?;
    let len = extent.byte_range().end;
    let data = match described.place {
        _ if extent.is_empty() => Buffer::new(),
        Place::Host => Buffer::from_owner(Owned { tensor, len }, drop),
        #[cfg(feature = "cuda")]
        Place::Cuda(index) => {
            let address = tensor.data_ptr().addr();
            cuda::adopt(backends, tensor, (address, len), index)?
        }
        #[cfg(not(feature = "cuda"))]
        Place::Cuda(_) => {
            let why = "this program was built without the feature `cuda`".to_owned();
            return Err(TorchError::NoCuda(why));
        }
    };
    let _ = backends; // only a GPU's memory belongs to one
    Ok(M::from_parts(dtype, shape, strides, 0, data))
}

/// Whether other bytes than those of the elements lie between them.
fn has_gaps(is: &Description<'_>) -> Result<bool, TensorError> {
    let layout = Layout {
        dtype: is.dtype,
        shape: is.shape,
        strides: is.strides,
        byte_offset: 0,
    };
    let extent = layout.validate(usize::MAX)?;
    Ok(extent.byte_range().len() / extent.item_size() > extent.len())
}

/// A tensor on the host that is a message's data.
struct Owned {
    /// Nobody else uses its memory.
    tensor: Tensor,
    /// Bytes from the first element to the end of the last.
    len: usize,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the tensor's memory is strided, on the host, of so many bytes, and stays while the tensor does, which nobody
        // else can write to: it is the only one over its memory, and is not given out.
        unsafe { slice::from_raw_parts(self.tensor.data_ptr().cast(), self.len) }
    }
}
