//! DLPack's structs, as a library in C has them, and a tensor that such a library made.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rosidl_buffer_runtime::tensor::DType;

#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Tensor {
    pub(crate) data: *mut c_void,
    pub(crate) device: (i32, i32),
    pub(crate) ndim: i32,
    pub(crate) code: u8,
    pub(crate) bits: u8,
    pub(crate) lanes: u16,
    pub(crate) shape: *mut i64,
    pub(crate) strides: *mut i64,
    pub(crate) byte_offset: u64,
}

#[repr(C)]
pub(crate) struct Versioned {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) context: *mut c_void,
    pub(crate) deleter: Option<unsafe extern "C" fn(*mut Versioned)>,
    pub(crate) flags: u64,
    pub(crate) tensor: Tensor,
}

#[repr(C)]
pub(crate) struct Legacy {
    pub(crate) tensor: Tensor,
    pub(crate) context: *mut c_void,
    pub(crate) deleter: Option<unsafe extern "C" fn(*mut Legacy)>,
}

pub(crate) const READ_ONLY: u64 = 1;
pub(crate) const PADDED: u64 = 4;

/// What a library owns beside the struct.
#[allow(dead_code, reason = "kept, not looked at")]
struct Context {
    data: Vec<u64>,
    numbers: Vec<i64>,
    deleted: Arc<AtomicUsize>,
}

unsafe fn delete(context: *mut c_void) {
    // SAFETY: made by `lend`, dropped once: the test counts.
    let context = unsafe { Box::from_raw(context.cast::<Context>()) };
    context.deleted.fetch_add(1, Ordering::SeqCst);
}

unsafe extern "C" fn delete_versioned(tensor: *mut Versioned) {
    // SAFETY: made by `lend`, freed once.
    let tensor = unsafe { Box::from_raw(tensor) };
    // SAFETY: as above.
    unsafe { delete(tensor.context) };
}

unsafe extern "C" fn delete_legacy(tensor: *mut Legacy) {
    // SAFETY: made by `lend_legacy`, freed once.
    let tensor = unsafe { Box::from_raw(tensor) };
    // SAFETY: as above.
    unsafe { delete(tensor.context) };
}

/// What a library says.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<i64>,
    pub(crate) strides: Option<Vec<i64>>,
    pub(crate) byte_offset: u64,
    pub(crate) flags: u64,
    pub(crate) data: Vec<u64>,
}

impl Said {
    pub(crate) fn new(dtype: DType, shape: &[i64], data: Vec<u64>) -> Self {
        Self {
            dtype,
            shape: shape.to_vec(),
            strides: None,
            byte_offset: 0,
            flags: 0,
            data,
        }
    }

    fn tensor(&self, deleted: &Arc<AtomicUsize>) -> (Tensor, *mut c_void) {
        let rank = self.shape.len();
        let mut numbers = self.shape.clone();
        numbers.extend(self.strides.iter().flatten());
        let (mut data, mut numbers) = (self.data.clone(), numbers);
        let shape = numbers.as_mut_ptr();
        let tensor = Tensor {
            data: data.as_mut_ptr().cast(),
            device: (1, 0),
            ndim: i32::try_from(rank).unwrap(),
            code: self.dtype.code,
            bits: self.dtype.bits,
            lanes: self.dtype.lanes,
            shape,
            strides: match self.strides {
                Some(_) => shape.wrapping_add(rank),
                None => ptr::null_mut(),
            },
            byte_offset: self.byte_offset,
        };
        let deleted = Arc::clone(deleted);
        let context = Context {
            data,
            numbers,
            deleted,
        };
        (tensor, Box::into_raw(Box::new(context)).cast())
    }

    /// A tensor of DLPack 1, changed before it is handed out.
    pub(crate) fn lend(
        &self,
        deleted: &Arc<AtomicUsize>,
        change: impl FnOnce(&mut Versioned),
    ) -> NonNull<c_void> {
        let (tensor, context) = self.tensor(deleted);
        let mut made = Versioned {
            major: 1,
            minor: 1,
            context,
            deleter: Some(delete_versioned),
            flags: self.flags,
            tensor,
        };
        change(&mut made);
        NonNull::from(Box::leak(Box::new(made))).cast()
    }

    /// A tensor of before DLPack 1.0.
    pub(crate) fn lend_legacy(
        &self,
        deleted: &Arc<AtomicUsize>,
        change: impl FnOnce(&mut Legacy),
    ) -> NonNull<c_void> {
        let (tensor, context) = self.tensor(deleted);
        let mut made = Legacy {
            tensor,
            context,
            deleter: Some(delete_legacy),
        };
        change(&mut made);
        NonNull::from(Box::leak(Box::new(made))).cast()
    }
}
