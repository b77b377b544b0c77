//! What may live in a buffer, and the one place where typed memory is seen as bytes.
//!
//! [`Element`] is closed: the numeric primitives of ROS interfaces, whose every bit pattern is a value.
//! [`Plain`] is the proof, carried by a constant, that a type's memory is its CDR encoding in the host's byte order; with it
//! slices are copied whole instead of element by element. Nothing here allocates from untrusted lengths: callers
//! check them first.

use core::fmt::Debug;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, align_of, size_of};
use core::slice;

use rosidl_type_description::type_id;

mod sealed {
    pub trait Sealed {}
}

/// A numeric primitive that a [`Buffer`](crate::Buffer) may hold: `u8`…`u64`, `i8`…`i64`, `f32`, `f64`.
///
/// The trait is closed, because storages hand out memory that other processes and devices wrote: each bit pattern must
/// be a valid value. `bool` is therefore not an element.
pub trait Element:
    Copy + Default + PartialEq + Debug + Send + Sync + sealed::Sealed + 'static
{
    /// The element's id in a type description (`type_description_interfaces/msg/FieldType`).
    const TYPE_ID: u8;
    #[doc(hidden)]
    const PLAIN: Plain<Self>;
    #[doc(hidden)]
    #[must_use]
    fn swap_bytes(self) -> Self;
}

macro_rules! elements {
    ($($ty:ty, $id:ident, $swap:expr;)*) => {$(
        impl sealed::Sealed for $ty {}
        impl Element for $ty {
            const TYPE_ID: u8 = type_id::$id;
            // SAFETY: a primitive number has no padding, no invalid bit pattern, and is its own encoding.
            const PLAIN: Plain<Self> = unsafe { Plain::assume(true, size_of::<$ty>()) };
            fn swap_bytes(self) -> Self {
                ($swap)(self)
            }
        }
    )*};
}

elements! {
    u8, UINT8, u8::swap_bytes;
    i8, INT8, i8::swap_bytes;
    u16, UINT16, u16::swap_bytes;
    i16, INT16, i16::swap_bytes;
    u32, UINT32, u32::swap_bytes;
    i32, INT32, i32::swap_bytes;
    u64, UINT64, u64::swap_bytes;
    i64, INT64, i64::swap_bytes;
    f32, FLOAT, |v: f32| f32::from_bits(v.to_bits().swap_bytes());
    f64, DOUBLE, |v: f64| f64::from_bits(v.to_bits().swap_bytes());
}

/// Whether values of `T` may be copied between memory and CDR as raw bytes.
pub struct Plain<T> {
    yes: bool,
    max_align: usize,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Plain<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Plain<T> {}

impl<T> Plain<T> {
    /// `T` is encoded field by field.
    pub const NO: Self = Self {
        yes: false,
        max_align: 1,
        of: PhantomData,
    };

    /// States that `T` is plain, if `yes`; `max_align` is the largest CDR alignment of a number inside.
    ///
    /// # Safety
    /// When `yes`: `T` has no padding and no drop glue, every bit pattern is a valid `T`, and its bytes are its XCDR1 encoding
    /// in the host's byte order at a position that is a multiple of `max_align`.
    pub const unsafe fn assume(yes: bool, max_align: usize) -> Self {
        Self {
            yes,
            max_align,
            of: PhantomData,
        }
    }

    /// The same statement for an array of `T`.
    pub(crate) const fn array<const N: usize>(self) -> Plain<[T; N]> {
        Plain {
            yes: self.yes && N > 0,
            max_align: self.max_align,
            of: PhantomData,
        }
    }

    /// Whether raw copies are allowed at all, on any host.
    pub const fn get(self) -> bool {
        self.yes
    }

    /// Largest CDR alignment of a number inside, in bytes.
    pub const fn max_align(self) -> usize {
        self.max_align
    }

    /// Whether raw copies give little-endian CDR on this host.
    pub(crate) const fn is_native_le(self) -> bool {
        self.yes && cfg!(target_endian = "little")
    }

    /// The memory of `items`; `None` if `T` is not plain.
    pub(crate) fn bytes(self, items: &[T]) -> Option<&[u8]> {
        // SAFETY: a plain type has no padding, so all bytes of the slice are initialised; the lifetime is that of `items`.
        self.yes.then(|| unsafe {
            slice::from_raw_parts(items.as_ptr().cast::<u8>(), size_of_val(items))
        })
    }

    /// The memory of `items`, writable; `None` if `T` is not plain.
    pub(crate) fn bytes_mut(self, items: &mut [T]) -> Option<&mut [u8]> {
        let len = size_of_val(items);
        // SAFETY: as in `bytes`; whatever is written is a valid `T`, because every bit pattern is.
        self.yes
            .then(|| unsafe { slice::from_raw_parts_mut(items.as_mut_ptr().cast::<u8>(), len) })
    }

    /// `bytes` seen as a slice of `T`; `None` if `T` is not plain, the address is not aligned or the length is not whole.
    pub(crate) fn cast(self, bytes: &[u8]) -> Option<&[T]> {
        let size = size_of::<T>();
        if !self.yes
            || size == 0
            || !bytes.len().is_multiple_of(size)
            || bytes.as_ptr().align_offset(align_of::<T>()) != 0
        {
            return None;
        }
        // SAFETY: aligned, whole number of elements, all initialised, every bit pattern valid, lifetime kept.
        Some(unsafe { slice::from_raw_parts(bytes.as_ptr().cast::<T>(), bytes.len() / size) })
    }

    /// As `cast`, writable.
    pub(crate) fn cast_mut(self, bytes: &mut [u8]) -> Option<&mut [T]> {
        let len = self.cast(bytes)?.len();
        // SAFETY: `cast` found the same bytes aligned and a whole number of elements; they are borrowed exclusively, and
        // whatever is written as a plain `T`, which has no padding, leaves them initialised.
        Some(unsafe { slice::from_raw_parts_mut(bytes.as_mut_ptr().cast::<T>(), len) })
    }

    /// A vector whose memory is a copy of `bytes`; `None` if `T` is not plain or the length is not whole.
    pub(crate) fn vec(self, bytes: &[u8]) -> Option<Vec<T>> {
        let size = size_of::<T>();
        if !self.yes || size == 0 || !bytes.len().is_multiple_of(size) {
            return None;
        }
        let count = bytes.len() / size;
        let mut items = Vec::<T>::with_capacity(count);
        // SAFETY: the capacity is at least `count` elements and the two memories are distinct.
        unsafe {
            core::ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                items.as_mut_ptr().cast::<u8>(),
                bytes.len(),
            );
        };
        // SAFETY: the line above initialised `count` elements, and every bit pattern is a valid `T`.
        unsafe { items.set_len(count) };
        Some(items)
    }

    /// One value copied from `bytes`; `None` if `T` is not plain or the length differs.
    pub(crate) fn value(self, bytes: &[u8]) -> Option<T> {
        if !self.yes || bytes.len() != size_of::<T>() {
            return None;
        }
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: source and destination are `size_of::<T>()` bytes long and distinct.
        unsafe {
            core::ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                value.as_mut_ptr().cast::<u8>(),
                bytes.len(),
            );
        };
        // SAFETY: all bytes were initialised, and every bit pattern is a valid `T`.
        Some(unsafe { value.assume_init() })
    }
}

/// For tensors only: ROS interfaces have no such numbers.
#[cfg(feature = "half")]
// SAFETY: a `u16` in a transparent struct: no padding, no invalid bit pattern, its own encoding.
pub(crate) const F16: Plain<half::f16> = unsafe { Plain::assume(true, 2) };

/// As `F16`.
#[cfg(feature = "half")]
// SAFETY: as for `F16`.
pub(crate) const BF16: Plain<half::bf16> = unsafe { Plain::assume(true, 2) };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_check_alignment_and_length() {
        let words = [1u32, 2, 3, 4];
        let bytes = u32::PLAIN.bytes(&words).unwrap();
        assert_eq!(u32::PLAIN.cast(bytes).unwrap(), &words);
        assert!(u32::PLAIN.cast(&bytes[1..5]).is_none(), "unaligned");
        assert!(u32::PLAIN.cast(&bytes[..6]).is_none(), "not whole");
        assert_eq!(u32::PLAIN.vec(&bytes[..8]).unwrap(), [1, 2]);
        assert_eq!(f64::PLAIN.value(&1.5f64.to_ne_bytes()), Some(1.5));
        assert!(f64::PLAIN.value(&[0; 7]).is_none());
        assert!(Plain::<u8>::NO.bytes(&[1]).is_none());
    }

    #[test]
    fn floats_swap_by_bits() {
        assert_eq!(
            f32::from_bits(0x0102_0304).swap_bytes().to_bits(),
            0x0403_0201
        );
        assert_eq!(Element::swap_bytes(f64::from_bits(1)).to_bits(), 1 << 56);
    }
}
