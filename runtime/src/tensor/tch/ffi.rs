//! The C++ of `shim.cpp`, with owners and errors as Rust has them.
//!
//! Tensors of tch and plain numbers come in, the same go out. What is owned changes hands only when a call succeeds.

use core::ffi::{CStr, c_char, c_void};
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use core::slice;

use ::tch::Tensor;

use super::error::TorchError;
use crate::tensor::dtype::DType;

/// A text of the shim's; null for success.
type Answer = *mut c_char;
/// `at::Tensor` of C++.
type RawTensor = c_void;

#[repr(C)]
struct RawMemory {
    data: *mut c_void,
    rank: usize,
    shape: *const i64,
    strides: *const i64,
    code: u8,
    bits: u8,
    lanes: u16,
    device: i32,
}

#[repr(C)]
struct RawDescription {
    rank: usize,
    shape: *const i64,
    strides: *const i64,
    type_name: *const c_char,
    has_type: u8,
    code: u8,
    bits: u8,
    lanes: u16,
    device: i32,
    is_plain: u8,
    is_lazy: u8,
    is_alone: u8,
    needs_grad: u8,
}

unsafe extern "C" {
    fn rosidl_torch_free_text(words: *mut c_char);
    fn rosidl_torch_from_memory(
        memory: *const RawMemory,
        value: *mut c_void,
        drop: extern "C" fn(*mut c_void),
        tensor: *mut *mut RawTensor,
    ) -> Answer;
    fn rosidl_torch_describe(tensor: *const RawTensor, out: *mut RawDescription) -> Answer;
    fn rosidl_torch_forget_base(tensor: *mut RawTensor) -> Answer;
    fn rosidl_torch_copy(tensor: *const RawTensor, copy: *mut *mut RawTensor) -> Answer;
    #[cfg(feature = "dlpack")]
    fn rosidl_torch_to_dlpack(tensor: *const RawTensor, managed: *mut *mut c_void) -> Answer;
    #[cfg(feature = "dlpack")]
    fn rosidl_torch_from_dlpack(managed: *mut c_void, tensor: *mut *mut RawTensor) -> Answer;
    #[cfg(feature = "cuda")]
    fn rosidl_torch_current_stream(device: i32, handle: *mut *mut c_void) -> Answer;
    #[cfg(feature = "cuda")]
    fn rosidl_torch_exchange_stream(device: i32, id: i64, before: *mut i64) -> Answer;
}

/// What the shim said, if it is no success.
fn check(answer: Answer) -> Result<(), TorchError> {
    let Some(words) = NonNull::new(answer) else {
        return Ok(());
    };
    // SAFETY: the shim gives a text that ends with a zero, and keeps it until it is freed.
    let text = unsafe { CStr::from_ptr(words.as_ptr()) };
    let text = text.to_string_lossy().trim().to_owned();
    // SAFETY: from the shim, not freed before, and not used again.
    unsafe { rosidl_torch_free_text(words.as_ptr()) };
    Err(TorchError::Torch(text))
}

/// Takes a tensor that the shim made.
fn tensor(made: *mut RawTensor) -> Tensor {
    // SAFETY: the shim made it with `new`, as tch's own C++ does, and gave it away.
    unsafe { Tensor::from_ptr(made.cast()) }
}

/// Where torch computes with a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Host,
    Cuda(i32),
}

/// Memory of ours, as a tensor.
pub(super) struct Memory<'a> {
    pub(super) data: *mut c_void,
    pub(super) dtype: DType,
    pub(super) shape: &'a [i64],
    /// In elements, one for each dimension.
    pub(super) strides: &'a [i64],
    pub(super) place: Place,
}

/// Drops what kept a tensor's memory.
extern "C" fn drop_owner<O: Send>(value: *mut c_void) {
    // SAFETY: from `Box::into_raw` in `lend_memory`, which gives this function with the same type; called once.
    drop(unsafe { Box::from_raw(value.cast::<O>()) });
}

/// A tensor over memory that is not copied. `owner` is dropped with the last tensor that uses the memory, on any thread, or
/// at once when there is no tensor.
///
/// # Safety
/// As [`lend_memory`].
pub(super) unsafe fn from_memory<O: Send + 'static>(
    memory: &Memory<'_>,
    owner: O,
) -> Result<Tensor, TorchError> {
    // SAFETY: the caller's promise.
    unsafe { lend_memory(memory, owner) }.map_err(|(error, _)| error)
}

/// As [`from_memory`], and gives the owner back when there is no tensor.
///
/// # Safety
/// * What shape and strides reach from `data` on can be read, and written by whoever writes to the tensor, on that place, until
///   `owner` is dropped; the address suits the type.
/// * Nobody else writes there meanwhile, nor reads if somebody writes to the tensor.
pub(super) unsafe fn lend_memory<O: Send + 'static>(
    memory: &Memory<'_>,
    owner: O,
) -> Result<Tensor, (TorchError, O)> {
    debug_assert_eq!(memory.shape.len(), memory.strides.len());
    let raw = RawMemory {
        data: memory.data,
        rank: memory.shape.len(),
        shape: memory.shape.as_ptr(),
        strides: memory.strides.as_ptr(),
        code: memory.dtype.code,
        bits: memory.dtype.bits,
        lanes: memory.dtype.lanes,
        device: match memory.place {
            Place::Host => -1,
            Place::Cuda(index) => index,
        },
    };
    let owner = Box::into_raw(Box::new(owner));
    let mut made = ptr::null_mut();
    // SAFETY: shape and strides are `rank` numbers; the memory is the caller's promise; `drop_owner` drops a value of this
    // type, which may be dropped on any thread.
    let answer = unsafe {
        rosidl_torch_from_memory(&raw const raw, owner.cast(), drop_owner::<O>, &raw mut made)
    };
    match check(answer) {
        Ok(()) => Ok(tensor(made)),
        // SAFETY: from `Box::into_raw` above, and not taken by the shim, which had no success.
        Err(error) => Err((error, *unsafe { Box::from_raw(owner) })),
    }
}

/// A tensor as it is.
#[derive(Debug)]
pub(super) struct Description<'a> {
    pub(super) dtype: DType,
    pub(super) shape: &'a [i64],
    /// In elements.
    pub(super) strides: &'a [i64],
    pub(super) place: Place,
    /// The elements are not those in memory: conjugated, negated or zero without memory.
    pub(super) is_lazy: bool,
    /// No other tensor uses the memory.
    pub(super) is_alone: bool,
    pub(super) needs_grad: bool,
}

/// Looks at a tensor.
///
/// # Errors
/// When it has no strided memory on the host or a CUDA device, or DLPack has no number for its type.
pub(super) fn describe(tensor: &Tensor) -> Result<Description<'_>, TorchError> {
    let mut raw = MaybeUninit::uninit();
    // SAFETY: tch's tensor is an `at::Tensor`, borrowed; `raw` has the space of a description.
    check(unsafe { rosidl_torch_describe(tensor.as_ptr().cast(), raw.as_mut_ptr()) })?;
    // SAFETY: written by the shim, as it had success; all of its fields may be any number.
    let raw: RawDescription = unsafe { raw.assume_init() };
    if raw.is_plain == 0 {
        return Err(TorchError::NotStrided);
    }
    if raw.has_type == 0 {
        // SAFETY: one of torch's constant texts.
        let name = unsafe { CStr::from_ptr(raw.type_name) };
        return Err(TorchError::Type(name.to_string_lossy().into_owned()));
    }
    Ok(Description {
        dtype: DType {
            code: raw.code,
            bits: raw.bits,
            lanes: raw.lanes,
        },
        // SAFETY: as below.
        shape: unsafe { numbers(raw.shape, raw.rank) },
        // SAFETY: the tensor's own numbers, which stay while it is borrowed: what changes them takes it mutably.
        strides: unsafe { numbers(raw.strides, raw.rank) },
        place: match raw.device {
            ..0 => Place::Host,
            index => Place::Cuda(index),
        },
        is_lazy: raw.is_lazy != 0,
        is_alone: raw.is_alone != 0,
        needs_grad: raw.needs_grad != 0,
    })
}

/// # Safety
/// There are so many numbers, for as long as they are used; none may have a null pointer.
unsafe fn numbers<'a>(start: *const i64, count: usize) -> &'a [i64] {
    if count == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(start, count) }
}

/// The same tensor, as the only one over its memory, whose elements are those in memory.
///
/// # Errors
/// As [`describe`]; [`TorchError::Lazy`] and [`TorchError::Shared`] when it is not so.
pub(super) fn exclusive(mut tensor: Tensor) -> Result<Tensor, TorchError> {
    let described = describe(&tensor)?;
    if described.is_lazy {
        return Err(TorchError::Lazy);
    }
    if described.needs_grad {
        return Err(TorchError::Shared);
    }
    // SAFETY: tch's tensor is an `at::Tensor`, borrowed mutably.
    check(unsafe { rosidl_torch_forget_base(tensor.as_mut_ptr().cast()) })?;
    if describe(&tensor)?.is_alone {
        Ok(tensor)
    } else {
        Err(TorchError::Shared)
    }
}

/// The same elements in memory of torch's own, side by side, on the same device.
pub(super) fn copy(of: &Tensor) -> Result<Tensor, TorchError> {
    let mut made = ptr::null_mut();
    // SAFETY: tch's tensor is an `at::Tensor`, borrowed and only read.
    check(unsafe { rosidl_torch_copy(of.as_ptr().cast(), &raw mut made) })?;
    Ok(tensor(made))
}

/// A `DLManagedTensorVersioned` of the tensor's memory.
#[cfg(feature = "dlpack")]
pub(super) fn to_dlpack(of: &Tensor) -> Result<NonNull<c_void>, TorchError> {
    let mut made = ptr::null_mut();
    // SAFETY: tch's tensor is an `at::Tensor`, borrowed and only read; the pointer is valid for one pointer.
    check(unsafe { rosidl_torch_to_dlpack(of.as_ptr().cast(), &raw mut made) })?;
    NonNull::new(made).ok_or_else(|| TorchError::Torch("it gave no tensor".to_owned())) // it always does
}

/// A tensor over what DLPack describes, which is torch's from then on; not so on an error.
///
/// # Safety
/// It is a valid `DLManagedTensorVersioned` that nobody else has, whose elements are aligned for torch.
#[cfg(feature = "dlpack")]
pub(super) unsafe fn from_dlpack(managed: NonNull<c_void>) -> Result<Tensor, TorchError> {
    let mut made = ptr::null_mut();
    // SAFETY: the caller's promise; the pointer is valid for one pointer.
    check(unsafe { rosidl_torch_from_dlpack(managed.as_ptr(), &raw mut made) })?;
    Ok(tensor(made))
}

/// The `cudaStream_t` that torch puts this thread's work for a device on.
#[cfg(feature = "cuda")]
pub(super) fn current_stream(device: i32) -> Result<usize, TorchError> {
    let mut handle = ptr::null_mut();
    // SAFETY: the pointer is valid for one handle.
    check(unsafe { rosidl_torch_current_stream(device, &raw mut handle) })?;
    Ok(handle.addr())
}

/// Has torch put this thread's work for a device on another stream; gives the number of the one before.
///
/// # Safety
/// The number is one that this gave for this device, or the address of a stream of the device's primary context that exists as long as
/// torch may use it: that is for good, because torch keeps memory for each stream.
#[cfg(feature = "cuda")]
pub(super) unsafe fn exchange_stream(device: i32, id: i64) -> Result<i64, TorchError> {
    let mut before = 0;
    // SAFETY: the stream is the caller's promise; the pointer is valid for one number.
    check(unsafe { rosidl_torch_exchange_stream(device, id, &raw mut before) })?;
    Ok(before)
}
