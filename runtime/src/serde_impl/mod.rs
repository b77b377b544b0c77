//! serde for messages and for the types that their fields may have (feature `serde`).
//!
//! `u8` sequences and arrays travel as bytes, in every form; arrays have any length; bounds are checked. A message is
//! a struct whose fields go by their ROS names: unknown fields are skipped, missing and repeated ones are errors.
//! The derive implements [`Record`]; all that does not depend on the fields stands here once.

mod containers;
mod record;
mod text;

pub use ::serde::ser::SerializeStruct;
pub use ::serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use record::{Record, Source, field, record, start};

use core::marker::PhantomData;

/// A field type's way through serde.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a message with serde",
    note = "a message with `#[ros2(no_serde)]` can stand only in messages that have it too"
)]
pub trait SerdeField: Sized {
    /// As `Serialize::serialize`.
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// As `Deserialize::deserialize`.
    fn get<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// A run of items; of fixed length where the type says how many.
    fn put_slice<S: Serializer>(
        items: &[Self],
        fixed: bool,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        containers::put_items(items, fixed, serializer)
    }

    /// A run of items, exactly `fixed` if that is given.
    fn get_vec<'de, D: Deserializer<'de>>(
        fixed: Option<usize>,
        deserializer: D,
    ) -> Result<Vec<Self>, D::Error> {
        containers::get_items(fixed, deserializer)
    }
}

/// A field on its way out.
pub(crate) struct Put<'a, T>(pub(crate) &'a T);

impl<T: SerdeField> Serialize for Put<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.put(serializer)
    }
}

/// A field on its way in.
pub(crate) struct Get<T>(PhantomData<T>);

impl<T> Get<T> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: SerdeField> ::serde::de::DeserializeSeed<'de> for Get<T> {
    type Value = T;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::get(deserializer)
    }
}

macro_rules! as_serde {
    ($($ty:ty),*) => {$(
        impl SerdeField for $ty {
            fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }
            fn get<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize(deserializer)
            }
        }
    )*};
}

as_serde!(bool, i8, u16, i16, u32, i32, u64, i64, f32, f64, String);

impl SerdeField for u8 {
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self)
    }
    fn get<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
    fn put_slice<S: Serializer>(
        items: &[Self],
        _fixed: bool,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(items)
    }
    fn get_vec<'de, D: Deserializer<'de>>(
        fixed: Option<usize>,
        deserializer: D,
    ) -> Result<Vec<Self>, D::Error> {
        containers::get_bytes(fixed, deserializer)
    }
}
