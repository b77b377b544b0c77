//! Initial values of fields: zero, empty, or what the interface declares.
//!
//! The standard `Default` stops at arrays of 32 elements; [`FieldInit`] does not.

use super::Field;
use crate::bounded::{BoundedBuffer, BoundedSequence, BoundedString, BoundedWString};
use crate::buffer::Buffer;
use crate::element::Element;
use crate::wstring::WString;

/// The value of a field for which the interface declares none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no initial value",
    note = "a struct has one by `#[derive(BufferMessage)]`, with or without `Default`"
)]
pub trait FieldInit: Sized {
    /// Zero, `false`, empty, or the defaults of a nested message.
    fn init() -> Self;
}

/// The value of a field for which the interface declares one, given as a literal.
#[diagnostic::on_unimplemented(
    message = "the default value does not fit a field of type `{Self}`",
    label = "this is `{D}`"
)]
pub trait FieldDefault<D>: Sized {
    /// The value that the literal stands for.
    ///
    /// # Panics
    /// When it exceeds a bound. For literals in attributes the derive checks that when it compiles.
    fn from_default(value: D) -> Self;
}

macro_rules! init {
    ($($ty:ty),*) => {$(
        impl FieldInit for $ty {
            #[inline]
            fn init() -> Self {
                <$ty>::default()
            }
        }
    )*};
}

init!(
    bool, u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, String, WString
);

macro_rules! same {
    ($($ty:ty),*) => {$(
        impl FieldDefault<$ty> for $ty {
            #[inline]
            fn from_default(value: $ty) -> Self {
                value
            }
        }
    )*};
}

same!(bool, u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

impl<const N: usize> FieldInit for BoundedString<N> {
    fn init() -> Self {
        Self::default()
    }
}

impl<const N: usize> FieldInit for BoundedWString<N> {
    fn init() -> Self {
        Self::default()
    }
}

impl<T> FieldInit for Vec<T> {
    fn init() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> FieldInit for BoundedSequence<T, N> {
    fn init() -> Self {
        Self::new()
    }
}

impl<T: Element> FieldInit for Buffer<T> {
    fn init() -> Self {
        Self::new()
    }
}

impl<T: Element, const N: usize> FieldInit for BoundedBuffer<T, N> {
    fn init() -> Self {
        Self::new()
    }
}

impl<T: FieldInit, const N: usize> FieldInit for [T; N] {
    fn init() -> Self {
        core::array::from_fn(|_| T::init())
    }
}

impl<T: FieldInit, const N: usize> FieldInit for Box<[T; N]> {
    fn init() -> Self {
        let items: Vec<T> = core::iter::repeat_with(T::init).take(N).collect();
        // Exactly `N` items were collected.
        Self::try_from(items).unwrap_or_else(|_| unreachable!("{N} items were made"))
    }
}

impl FieldDefault<&'static str> for String {
    fn from_default(value: &'static str) -> Self {
        value.to_owned()
    }
}

impl FieldDefault<&'static str> for WString {
    fn from_default(value: &'static str) -> Self {
        value.into()
    }
}

/// The bound was checked where the literal stands.
fn within<T, E: core::fmt::Display>(value: Result<T, E>) -> T {
    value.unwrap_or_else(|error| panic!("default value: {error}"))
}

impl<const N: usize> FieldDefault<&'static str> for BoundedString<N> {
    fn from_default(value: &'static str) -> Self {
        within(Self::try_from(value))
    }
}

impl<const N: usize> FieldDefault<&'static str> for BoundedWString<N> {
    fn from_default(value: &'static str) -> Self {
        within(Self::try_from(value))
    }
}

impl<D, T: FieldDefault<D>, const N: usize> FieldDefault<[D; N]> for [T; N] {
    fn from_default(value: [D; N]) -> Self {
        value.map(T::from_default)
    }
}

impl<D, T: FieldDefault<D>, const N: usize> FieldDefault<[D; N]> for Box<[T; N]> {
    fn from_default(value: [D; N]) -> Self {
        Box::new(value.map(T::from_default))
    }
}

impl<D, T: FieldDefault<D>, const N: usize> FieldDefault<[D; N]> for Vec<T> {
    fn from_default(value: [D; N]) -> Self {
        value.map(T::from_default).into()
    }
}

impl<D, T: FieldDefault<D>, const N: usize, const M: usize> FieldDefault<[D; M]>
    for BoundedSequence<T, N>
{
    fn from_default(value: [D; M]) -> Self {
        within(Self::try_from(Vec::from_default(value)))
    }
}

impl<T: Element + Field + FieldDefault<T>, const N: usize> FieldDefault<[T; N]> for Buffer<T> {
    fn from_default(value: [T; N]) -> Self {
        value.into()
    }
}

impl<T: Element + Field, const N: usize, const M: usize> FieldDefault<[T; M]>
    for BoundedBuffer<T, N>
{
    fn from_default(value: [T; M]) -> Self {
        within(Self::try_from(value.to_vec()))
    }
}
