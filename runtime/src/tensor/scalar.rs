//! Rust types that elements of a tensor are read as.

use core::any::Any;

use bytes::Bytes;

use super::dtype::DType;
use crate::buffer::Buffer;
use crate::element::{Element, Plain};

mod sealed {
    pub trait Sealed {}
}

/// A number that elements of a tensor can be read as: `u8`…`u64`, `i8`…`i64`, `f32`, `f64`; with the feature `half` also
/// `half::f16` and `half::bf16`.
///
/// The trait is closed, because the bytes come from others: each bit pattern is a value. What has no type here, as `bool`
/// and floats of 8 bits, is read as the integer of its size with [`TensorView::reinterpret`](super::TensorView::reinterpret).
pub trait TensorElement: Copy + Default + Send + Sync + sealed::Sealed + 'static {
    /// What a tensor of such elements says.
    const DTYPE: DType;
    #[doc(hidden)]
    const PLAIN: Plain<Self>;
    #[doc(hidden)]
    #[must_use]
    fn swap_bytes(self) -> Self;
}

macro_rules! elements {
    ($($ty:ty: $dtype:ident,)*) => {$(
        impl sealed::Sealed for $ty {}
        impl TensorElement for $ty {
            const DTYPE: DType = DType::$dtype;
            const PLAIN: Plain<Self> = <$ty as Element>::PLAIN;
            fn swap_bytes(self) -> Self {
                Element::swap_bytes(self)
            }
        }
    )*};
}

elements! {
    u8: U8, u16: U16, u32: U32, u64: U64,
    i8: I8, i16: I16, i32: I32, i64: I64,
    f32: F32, f64: F64,
}

#[cfg(feature = "half")]
macro_rules! half_elements {
    ($($ty:ty: $dtype:ident, $plain:ident;)*) => {$(
        impl sealed::Sealed for $ty {}
        impl TensorElement for $ty {
            const DTYPE: DType = DType::$dtype;
            const PLAIN: Plain<Self> = crate::element::$plain;
            fn swap_bytes(self) -> Self {
                Self::from_bits(self.to_bits().swap_bytes())
            }
        }
    )*};
}

#[cfg(feature = "half")]
half_elements! {
    half::f16: F16, F16;
    half::bf16: BF16, BF16;
}

/// Numbers, whose memory is bytes to everyone else.
struct Numbers<T>(Vec<T>);

impl<T: TensorElement> AsRef<[u8]> for Numbers<T> {
    fn as_ref(&self) -> &[u8] {
        T::PLAIN.bytes(&self.0).unwrap_or_default() // all numbers are plain
    }
}

/// A buffer that the memory of `numbers` is moved into.
pub(super) fn into_buffer<T: TensorElement>(mut numbers: Vec<T>) -> Buffer<u8> {
    if let Some(bytes) = (&mut numbers as &mut dyn Any).downcast_mut::<Vec<u8>>() {
        return core::mem::take(bytes).into();
    }
    Buffer::from_bytes(Bytes::from_owner(Numbers(numbers)))
}
