//! Makes the managed tensor: one allocation that holds the struct, shape, strides and whatever keeps the memory there.

use core::ffi::c_void;

use dlpark::allocation::dynamic::Allocation;
use dlpark::ffi::{DLDataType, DLDataTypeCode, DLDevice, DLDeviceType};
use dlpark::{DlpackFlags, Managed, ManagedTensorBase, OpaqueContext};

use super::MAX_RANK;
use super::device::DlDevice;
use super::error::DlpackError;
use crate::tensor::shape::Layout;
use crate::tensor::{DType, TensorError, TensorView, TypeCode};

/// A number for each dimension.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    values: [i64; MAX_RANK],
    rank: usize,
}

impl Numbers {
    pub(super) fn new(numbers: impl ExactSizeIterator<Item = i64>) -> Result<Self, DlpackError> {
        let rank = numbers.len();
        let mut values = [0; MAX_RANK];
        let places = values.get_mut(..rank);
        let places = places.ok_or(DlpackError::Rank(i64::try_from(rank).unwrap_or(i64::MAX)))?;
        for (place, number) in places.iter_mut().zip(numbers) {
            *place = number;
        }
        Ok(Self { values, rank })
    }

    /// Strides of a row-major tensor of this shape. Where there is no element they may be anything.
    pub(super) fn row_major(shape: &[i64]) -> Result<Self, DlpackError> {
        let mut strides = Self::new(shape.iter().copied())?;
        let mut inner = 1_i64;
        for (stride, &size) in strides.values[..shape.len()].iter_mut().zip(shape).rev() {
            *stride = inner;
            inner = inner.saturating_mul(size);
        }
        Ok(strides)
    }

    pub(super) fn as_slice(&self) -> &[i64] {
        &self.values[..self.rank]
    }
}

/// All that a tensor says of itself.
pub(super) struct Described {
    pub(super) dtype: DType,
    pub(super) shape: Numbers,
    pub(super) strides: Numbers,
    pub(super) is_empty: bool,
    /// The first element.
    pub(super) data: *mut u8,
    pub(super) device: DlDevice,
    pub(super) is_read_only: bool,
}

impl Described {
    /// What a view says, of elements at `data`, for reading.
    pub(super) fn of_view(
        view: &TensorView<'_>,
        data: *mut u8,
        device: DlDevice,
    ) -> Result<Self, DlpackError> {
        if !view.is_native_order() {
            return Err(TensorError::ByteOrder.into());
        }
        let shape = Numbers::new(view.shape().iter().copied())?;
        let mut strides = shape;
        for (axis, stride) in strides.values[..shape.rank].iter_mut().enumerate() {
            let elements = view.stride(axis).and_then(|s| i64::try_from(s).ok());
            // A stride that no step is taken by may be any number.
            let is_used = *stride > 1 && !view.is_empty();
            *stride = match elements {
                Some(elements) => elements,
                None if is_used => {
                    let dtype = view.dtype();
                    return Err(DlpackError::Stride { axis, dtype });
                }
                None => 0,
            };
        }
        Ok(Self {
            dtype: view.dtype(),
            shape,
            strides,
            is_empty: view.is_empty(),
            data,
            device,
            is_read_only: true,
        })
    }

    /// What a checked layout says, of elements at `data`, for writing.
    pub(super) fn of_layout(
        layout: &Layout<'_>,
        is_empty: bool,
        data: *mut u8,
        device: DlDevice,
    ) -> Result<Self, DlpackError> {
        Ok(Self {
            dtype: layout.dtype,
            shape: Numbers::new(layout.shape.iter().copied())?,
            strides: match layout.strides {
                [] => Numbers::row_major(layout.shape)?,
                strides => Numbers::new(strides.iter().copied())?,
            },
            is_empty,
            data,
            device,
            is_read_only: false,
        })
    }

    /// Libraries read elements as what they are.
    pub(super) fn check_aligned(&self) -> Result<(), DlpackError> {
        let (dtype, address) = (self.dtype, self.data.addr());
        if self.is_empty || address.is_multiple_of(alignment(dtype)) {
            return Ok(());
        }
        Err(DlpackError::Unaligned { dtype, address })
    }

    fn flags(&self) -> Result<DlpackFlags, DlpackError> {
        let bits = usize::from(self.dtype.bits) * usize::from(self.dtype.lanes);
        let mut flags = DlpackFlags::empty();
        flags.set(DlpackFlags::READ_ONLY, self.is_read_only);
        if !bits.is_multiple_of(8) {
            // Elements start at whole bytes here, which has no name for vectors of several in a byte.
            if self.dtype.lanes != 1 {
                return Err(DlpackError::Packed(self.dtype));
            }
            flags |= DlpackFlags::IS_SUBBYTE_TYPE_PADDED;
        }
        Ok(flags)
    }

    /// The managed tensor, whose deleter drops `owner` on whatever thread it is called.
    ///
    /// # Safety
    /// The numbers are those of a checked tensor; while `owner` lives, the device reads its elements at `data`, nobody writes them, and
    /// where it is not read-only nobody else reads them.
    pub(super) unsafe fn managed<M: ManagedTensorBase, O: Send + 'static>(
        &self,
        owner: O,
    ) -> Result<Managed<M>, DlpackError> {
        const { assert!(align_of::<O>() <= align_of::<i64>()) };
        let flags = self.flags()?;
        let data = if self.is_empty {
            core::ptr::null_mut() // as DLPack wants it
        } else {
            self.data
        };
        let rank = self.shape.rank;
        let words = 2 * rank + size_of::<O>().div_ceil(size_of::<i64>());
        let mut allocation = Allocation::<M>::allocate(words).map_err(|_| TensorError::TooLarge)?;
        let (shape, rest) = allocation.extra_mut().split_at_mut(rank);
        let (strides, place) = rest.split_at_mut(rank);
        shape.copy_from_slice(self.shape.as_slice());
        strides.copy_from_slice(self.strides.as_slice());
        let (shape, strides) = (shape.as_mut_ptr(), strides.as_mut_ptr());
        let context = InPlace {
            owner,
            place: place.as_mut_ptr().cast(),
        };
        let made = allocation.initialize(context, rank);
        let mut made = made.map_err(|_| TensorError::TooLarge)?;
        *made.tensor_mut() = dlpark::ffi::DLTensor {
            data: data.cast(),
            device: DLDevice {
                device_type: DLDeviceType(self.device.kind),
                device_id: self.device.index,
            },
            ndim: made.tensor_mut().ndim,
            dtype: DLDataType {
                code: DLDataTypeCode(self.dtype.code),
                bits: self.dtype.bits,
                lanes: self.dtype.lanes,
            },
            shape,
            strides,
            byte_offset: 0,
        };
        let _ = made.set_flags(flags); // refused is only one that is not among them
        // SAFETY: the caller's promise for data and owner; shape and strides are a part of the allocation, with a number for each
        // dimension.
        Ok(unsafe { made.finish() })
    }
}

/// What a scalar's address is a multiple of in all libraries.
fn alignment(dtype: DType) -> usize {
    let bytes = usize::from(dtype.bits) / 8;
    let bytes = match dtype.type_code() {
        Some(TypeCode::Complex) => bytes / 2, // of a part
        _ => bytes,
    };
    if bytes.is_power_of_two() { bytes } else { 1 }
}

/// An owner that goes to a place in the managed tensor's own allocation.
struct InPlace<O> {
    owner: O,
    place: *mut O,
}

// SAFETY: an owner is `Send`, so it may be dropped on any thread; what unwinds out of the deleter ends the process.
unsafe impl<O: Send> OpaqueContext for InPlace<O> {
    fn into_raw(self) -> *mut c_void {
        let Self { owner, place } = self;
        // SAFETY: made by `managed` only, where so many bytes are set apart for it, and aligned.
        unsafe { place.write(owner) };
        place.cast()
    }

    unsafe fn drop_raw(raw: *mut c_void) {
        // SAFETY: what `into_raw` wrote there, which the deleter drops once, before it frees the allocation.
        unsafe { raw.cast::<O>().drop_in_place() };
    }
}
