//! Messages with tensors, for a program that loads this library: made in some memory, lent to array libraries by DLPack, and
//! made of what these lend. `snapshot_tests/interop/arrays.py` is that program; a handle is a pointer to a message.
//!
//! A function that fails returns null or false, and [`tensor_error`] says why. Pointers are the caller's promise.

use std::any::Any;
use std::cell::RefCell;
use std::error::Error;
use std::ffi::{CString, c_char, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

use rosidl_buffer_runtime::tensor::{DType, DlTensor, TensorMessage as _};
use rosidl_buffer_runtime::{Buffer, BufferError, BufferMessage, Storage};

mod places;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// `tensor_msgs/msg/ExperimentalTensor`.
#[derive(Clone, BufferMessage)]
#[ros2(package = "tensor_msgs", name = "ExperimentalTensor")]
pub struct Tensor {
    dtype_code: u8,
    dtype_bits: u8,
    dtype_lanes: u16,
    shape: Vec<i64>,
    strides: Vec<i64>,
    byte_offset: u64,
    data: Buffer<u8>,
}

const MOST: usize = 8;

/// What a tensor is to be, or is.
#[repr(C)]
pub struct Described {
    code: u8,
    bits: u8,
    lanes: u16,
    rank: u32,
    /// Number of strides: the rank, or none for row-major.
    strided: u32,
    shape: [i64; MOST],
    strides: [i64; MOST],
    byte_offset: u64,
    len: usize,
    /// Of the data, where the host reads it; else 0.
    address: usize,
}

static ALIVE: AtomicIsize = AtomicIsize::new(0);

/// Host memory whose end is counted.
struct Counted(Buffer<u8>);

impl Counted {
    fn buffer(inner: Buffer<u8>) -> Result<Buffer<u8>> {
        ALIVE.fetch_add(1, Ordering::SeqCst);
        Ok(Buffer::from_storage(Arc::new(Self(inner)))?)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Storage for Counted {
    fn backend_type(&self) -> &str {
        self.0.backend_type()
    }

    fn byte_len(&self) -> usize {
        self.0.len()
    }

    fn host_bytes(&self) -> Option<&[u8]> {
        self.0.as_slice()
    }

    fn copy_to_host(&self, out: &mut [u8]) -> std::result::Result<(), BufferError> {
        out.copy_from_slice(&self.0.host()?);
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

thread_local! {
    static FAILURE: RefCell<CString> = RefCell::default();
}

/// The value, or the default and a text that the program asks for.
fn said<T>(result: Result<T>, failed: T) -> T {
    result.unwrap_or_else(|error| {
        let text = CString::new(error.to_string()).unwrap_or_default();
        FAILURE.with(|failure| failure.replace(text));
        failed
    })
}

/// Why the last function of this thread failed; valid until the next one does.
#[unsafe(no_mangle)]
pub extern "C" fn tensor_error() -> *const c_char {
    FAILURE.with_borrow(|failure| failure.as_ptr())
}

/// Buffers of host memory that somebody still has.
#[unsafe(no_mangle)]
pub extern "C" fn tensors_alive() -> isize {
    ALIVE.load(Ordering::SeqCst)
}

/// A message with a copy of `described.len` bytes, in the memory that `place` names.
///
/// # Safety
/// `place` is a string, and `described.address` that of so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tensor_new(place: *const c_char, described: &Described) -> *mut Tensor {
    // SAFETY: the caller's promise.
    let place = unsafe { std::ffi::CStr::from_ptr(place) };
    let bytes = if described.len == 0 {
        &[]
    } else {
        let start = ptr::with_exposed_provenance(described.address);
        // SAFETY: the caller's promise.
        unsafe { slice::from_raw_parts(start, described.len) }
    };
    let data = places::make(&place.to_string_lossy(), bytes);
    let message = data.map(|data| {
        let dtype = DType {
            code: described.code,
            bits: described.bits,
            lanes: described.lanes,
        };
        let numbers = |all: &[i64; MOST], count: u32| all[..(count as usize).min(MOST)].to_vec();
        let shape = numbers(&described.shape, described.rank);
        let strides = numbers(&described.strides, described.strided);
        let message = Tensor::from_parts(dtype, shape, strides, described.byte_offset, data);
        Box::into_raw(Box::new(message))
    });
    said(message, ptr::null_mut())
}

/// What the message says.
#[unsafe(no_mangle)]
pub extern "C" fn tensor_describe(message: &Tensor, described: &mut Described) {
    let copy = |from: &[i64], to: &mut [i64; MOST]| {
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
        u32::try_from(from.len()).unwrap_or(u32::MAX)
    };
    let address = message
        .data
        .as_slice()
        .map_or(0, |bytes| bytes.as_ptr().addr());
    described.rank = copy(&message.shape, &mut described.shape);
    described.strided = copy(&message.strides, &mut described.strides);
    described.code = message.dtype_code;
    described.bits = message.dtype_bits;
    described.lanes = message.dtype_lanes;
    described.byte_offset = message.byte_offset;
    described.len = message.data.len();
    described.address = address;
}

/// Copies the message's data, from wherever it is.
///
/// # Safety
/// `out` takes as many bytes as the data has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tensor_read(message: &Tensor, out: *mut u8) -> bool {
    let copied = message.data.to_vec().map(|bytes| {
        // SAFETY: the caller's promise.
        unsafe { out.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        true
    });
    said(copied.map_err(Into::into), false)
}

/// # Safety
/// A message of [`tensor_new`] or [`tensor_take`], used for the last time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tensor_free(message: *mut Tensor, elsewhere: bool) {
    // SAFETY: the caller's promise.
    let message = unsafe { Box::from_raw(message) };
    if elsewhere {
        // A thread that ends without a value has dropped the message.
        let _ = std::thread::spawn(move || drop(message)).join();
    }
}

fn raw(tensor: DlTensor, legacy: bool) -> Result<*mut c_void> {
    let pointer = if legacy {
        tensor.into_raw_legacy()?
    } else {
        tensor.into_raw()
    };
    Ok(pointer.as_ptr())
}

/// What a capsule holds, to read the message; on a device in the order of `stream`.
#[unsafe(no_mangle)]
pub extern "C" fn tensor_lend(message: &Tensor, legacy: bool, stream: usize) -> *mut c_void {
    let lent = places::lend(message, stream);
    said(lent.and_then(|tensor| raw(tensor, legacy)), ptr::null_mut())
}

/// What a capsule holds, to write the message.
///
/// # Safety
/// Nobody reads the message until the capsule's deleter is called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tensor_write(
    message: &mut Tensor,
    legacy: bool,
    stream: usize,
) -> *mut c_void {
    // SAFETY: the caller's promise.
    let written = unsafe { places::write(message, stream) };
    said(
        written.and_then(|tensor| raw(tensor, legacy)),
        ptr::null_mut(),
    )
}

/// # Safety
/// What a capsule held, unused.
unsafe fn taken(tensor: *mut c_void, legacy: bool) -> Result<DlTensor> {
    let tensor = NonNull::new(tensor).ok_or("there is no tensor")?;
    Ok(if legacy {
        // SAFETY: the caller's promise.
        unsafe { DlTensor::from_raw_legacy(tensor) }?
    } else {
        // SAFETY: the caller's promise.
        unsafe { DlTensor::from_raw(tensor) }?
    })
}

/// A message of what a capsule held, in place.
///
/// # Safety
/// It was unused, and nobody writes the memory; on a device, what writes it is on `stream`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tensor_take(
    tensor: *mut c_void,
    legacy: bool,
    stream: usize,
) -> *mut Tensor {
    // SAFETY: the caller's promise.
    let tensor = unsafe { taken(tensor, legacy) };
    // SAFETY: the caller's promise.
    let message = tensor.and_then(|tensor| unsafe { places::take(tensor, stream) });
    said(
        message.map(|message| Box::into_raw(Box::new(message))),
        ptr::null_mut(),
    )
}

/// Calls the deleter of what nobody took.
///
/// # Safety
/// Of [`tensor_lend`] or [`tensor_write`], unused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tensor_delete(tensor: *mut c_void, legacy: bool) {
    // SAFETY: the caller's promise.
    let tensor = unsafe { taken(tensor, legacy) };
    said(tensor.map(drop), ());
}

/// Blocks of device memory that somebody still has.
#[cfg(feature = "cuda")]
#[unsafe(no_mangle)]
pub extern "C" fn cuda_blocks_used() -> usize {
    let cuda = rosidl_buffer_runtime::cuda::CudaBackend::shared();
    cuda.map_or(0, |cuda| cuda.stats().blocks_used_here)
}
