//! Tensors of others come in: checked as far as their numbers tell, and kept with their deleter as what keeps the memory there.

use core::any::Any;
use core::ffi::c_void;
use core::ptr::NonNull;
use core::slice;
use std::sync::Arc;

use dlpark::dlpack::FromRawError;
use dlpark::ffi::DLPackVersion;
use dlpark::versioned::Dlpack;
use dlpark::{DlpackFlags, legacy};

use super::describe::{Described, Numbers};
use super::{DlDevice, DlTensor, DlpackError, MAX_RANK};
use crate::backend::Storage;
use crate::buffer::Buffer;
use crate::cpu::CPU;
use crate::error::BufferError;
use crate::tensor::{Extent, Layout, TensorError, TensorMessage};

/// What a tensor says, seen to be possible.
pub(super) struct Checked {
    pub(super) extent: Extent,
    pub(super) described: Described,
}

/// Looks at everything that a tensor says.
///
/// # Safety
/// Its shape and strides, where they are not null, are as many numbers as it has dimensions.
pub(super) unsafe fn check(
    tensor: &dlpark::ffi::DLTensor,
    flags: DlpackFlags,
) -> Result<Checked, DlpackError> {
    let rank = usize::try_from(tensor.ndim).ok();
    let rank = rank
        .filter(|&rank| rank <= MAX_RANK)
        .ok_or(DlpackError::Rank(tensor.ndim.into()))?;
    if rank > 0 && tensor.shape.is_null() {
        return Err(DlpackError::NoShape(rank));
    }
    // SAFETY: the caller's promise.
    let shape = unsafe { numbers(tensor.shape, rank) };
    // SAFETY: the caller's promise.
    let given = unsafe { numbers(tensor.strides, rank) };
    let is_empty = shape.contains(&0);
    let strides = given.iter().zip(shape).map(|(&stride, &size)| {
        // No step is taken: some libraries say what is left of a reversed tensor.
        let is_unused = is_empty || size == 1;
        if is_unused { stride.max(0) } else { stride }
    });
    let strides = Numbers::new(strides)?;
    let dtype = super::dtype(tensor);
    let layout = Layout {
        dtype,
        shape,
        strides: strides.as_slice(),
        byte_offset: tensor.byte_offset,
    };
    let extent = layout.validate(isize::MAX.unsigned_abs());
    let extent = extent.map_err(|error| match error {
        TensorError::TooShort { .. } => TensorError::TooLarge, // for any memory
        error => error,
    })?;
    // A padded scalar starts at a whole byte, and so does a vector that fills bytes.
    let starts_at_bytes = if flags.contains(DlpackFlags::IS_SUBBYTE_TYPE_PADDED) {
        dtype.lanes == 1
    } else {
        (usize::from(dtype.bits) * usize::from(dtype.lanes)).is_multiple_of(8)
    };
    if !dtype.bits.is_multiple_of(8) && !starts_at_bytes {
        return Err(DlpackError::Packed(dtype));
    }
    if tensor.data.is_null() && !extent.is_empty() {
        return Err(DlpackError::NoData(extent.len()));
    }
    let bytes = extent.byte_range();
    if tensor.data.addr().checked_add(bytes.end).is_none() {
        return Err(TensorError::TooLarge.into());
    }
    Ok(Checked {
        described: Described {
            dtype,
            shape: Numbers::new(shape.iter().copied())?,
            strides: match strides.as_slice() {
                [] => Numbers::row_major(shape)?,
                _ => strides,
            },
            is_empty: extent.is_empty(),
            data: tensor.data.cast::<u8>().wrapping_add(bytes.start),
            device: super::device(tensor),
            is_read_only: flags.contains(DlpackFlags::READ_ONLY),
        },
        extent,
    })
}

/// # Safety
/// `rank` numbers are at `at`, if that is not null, and stay as they are.
pub(super) unsafe fn numbers<'a>(at: *const i64, rank: usize) -> &'a [i64] {
    if at.is_null() || rank == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(at, rank) }
}

impl DlTensor {
    /// Takes a `DLManagedTensorVersioned *`, as a capsule `dltensor_versioned` holds it. On an error its deleter has been called.
    ///
    /// # Errors
    /// [`DlpackError::Version`] for another major version than 1; an error for whatever else it says that cannot be.
    ///
    /// # Safety
    /// * It is a managed tensor whose owner the caller is: shape and strides, where there are such, have as many numbers as there are
    ///   dimensions, and the deleter may be called on any thread.
    /// * Until that is called, all bytes from the first element to the end of the last can be read on its device, and nobody
    ///   writes them. On a GPU whatever writes them is over, or on the stream that the tensor is going to be used on.
    pub unsafe fn from_raw(tensor: NonNull<c_void>) -> Result<Self, DlpackError> {
        // SAFETY: the caller's promise.
        let managed = unsafe { Dlpack::from_raw(tensor.as_ptr().cast()) };
        let managed = managed.map_err(|error| DlpackError::Version {
            major: match error {
                FromRawError::Version { source } => source.actual,
                _ => DLPackVersion::CURRENT.major, // never: the pointer is not null
            },
        })?;
        // SAFETY: readable while `managed` has it.
        let descriptor = unsafe { managed.tensor() };
        // SAFETY: the caller's promise.
        unsafe { check(descriptor, managed.flags()) }?;
        Ok(Self::new(managed))
    }

    /// Takes a `DLManagedTensor *` of before DLPack 1.0, as a capsule `dltensor` holds it. On an error its deleter has been called.
    ///
    /// # Errors
    /// As [`from_raw`](Self::from_raw).
    ///
    /// # Safety
    /// As for [`from_raw`](Self::from_raw).
    pub unsafe fn from_raw_legacy(tensor: NonNull<c_void>) -> Result<Self, DlpackError> {
        // SAFETY: the caller's promise.
        let managed = unsafe { legacy::Dlpack::from_raw(tensor.as_ptr().cast()) };
        let managed = managed.map_err(|_| DlpackError::NoData(0))?; // never: the pointer is not null
        // SAFETY: readable while `managed` has it.
        let descriptor = unsafe { managed.tensor() };
        // SAFETY: the caller's promise.
        let checked = unsafe { check(descriptor, DlpackFlags::empty()) }?;
        // SAFETY: checked; the owner keeps the elements where they are, and whether others use them is the caller's promise.
        let managed = unsafe { checked.described.managed(managed) }?;
        Ok(Self::new(managed))
    }

    pub(super) fn checked(&self) -> Result<Checked, DlpackError> {
        // SAFETY: so many numbers, as was promised when it was made or taken.
        unsafe { check(self.descriptor(), self.managed.flags()) }
    }

    /// How many elements, and which bytes they take.
    #[cfg(all(target_os = "linux", feature = "tch", not(all(test, loom))))]
    pub(in crate::tensor) fn extent(&self) -> Result<Extent, DlpackError> {
        Ok(self.checked()?.extent)
    }

    /// The tensor as a message, in place: its memory is that of the message's data, and is given back with the last clone of it, on
    /// whatever thread that is.
    ///
    /// # Errors
    /// [`DlpackError::Device`] when it is not in host memory.
    pub fn into_message<M: TensorMessage>(self) -> Result<M, DlpackError> {
        let device = self.device();
        if !device.is_host() {
            let asked = DlDevice::CPU;
            return Err(DlpackError::Device { is: device, asked });
        }
        let len = self.checked()?.extent.byte_range().len();
        self.message(|tensor| Ok(Buffer::of_storage(Arc::new(Capsule { tensor, len }))))
    }

    /// With the numbers of the tensor, and what becomes of its memory.
    pub(super) fn message<M: TensorMessage>(
        self,
        data: impl FnOnce(Self) -> Result<Buffer<u8>, DlpackError>,
    ) -> Result<M, DlpackError> {
        let described = self.checked()?.described;
        let strides = match self.strides() {
            [] => Vec::new(),
            _ => described.strides.as_slice().to_vec(),
        };
        let shape = described.shape.as_slice().to_vec();
        let data = data(self)?;
        Ok(M::from_parts(described.dtype, shape, strides, 0, data))
    }
}

/// Host memory that a library lends.
struct Capsule {
    tensor: DlTensor,
    /// Bytes from the first element to the end of the last.
    len: usize,
}

impl Capsule {
    fn bytes(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: so many bytes can be read from the first element on, and nobody writes them, until the deleter is called, which is
        // when `tensor` is dropped: promised when it was taken.
        unsafe { slice::from_raw_parts(self.tensor.first(), self.len) }
    }
}

impl Storage for Capsule {
    fn backend_type(&self) -> &str {
        CPU
    }

    fn byte_len(&self) -> usize {
        self.len
    }

    fn host_bytes(&self) -> Option<&[u8]> {
        Some(self.bytes())
    }

    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError> {
        out.copy_from_slice(self.bytes());
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
