//! Sequences, arrays and buffers.

use core::fmt;
use core::marker::PhantomData;

use ::serde::de::{Error as _, SeqAccess, Visitor};
use ::serde::ser::{Error as _, SerializeSeq as _, SerializeTuple as _};
use ::serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Get, Put, SerdeField};
use crate::bounded::{BoundedBuffer, BoundedSequence};
use crate::buffer::Buffer;
use crate::element::Element;

/// No input makes us reserve more than this before its elements are there.
const RESERVE_MAX: usize = 4096;

pub(super) fn put_items<T: SerdeField, S: Serializer>(
    items: &[T],
    fixed: bool,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if fixed {
        let mut tuple = serializer.serialize_tuple(items.len())?;
        items
            .iter()
            .try_for_each(|item| tuple.serialize_element(&Put(item)))?;
        tuple.end()
    } else {
        let mut seq = serializer.serialize_seq(Some(items.len()))?;
        items
            .iter()
            .try_for_each(|item| seq.serialize_element(&Put(item)))?;
        seq.end()
    }
}

struct Items<T> {
    fixed: Option<usize>,
    of: PhantomData<T>,
}

impl<T> Items<T> {
    fn expect_len<E: ::serde::de::Error>(&self, len: usize) -> Result<(), E> {
        match self.fixed {
            Some(fixed) if fixed != len => Err(E::custom(format_args!(
                "{len} elements where the array has {fixed}"
            ))),
            _ => Ok(()),
        }
    }
}

impl<'de, T: SerdeField> Visitor<'de> for Items<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fixed {
            Some(len) => write!(f, "an array of {len} elements"),
            None => f.write_str("a sequence"),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(RESERVE_MAX));
        while let Some(item) = seq.next_element_seed(Get::new())? {
            items.push(item);
        }
        self.expect_len(items.len())?;
        Ok(items)
    }
}

pub(super) fn get_items<'de, T: SerdeField, D: Deserializer<'de>>(
    fixed: Option<usize>,
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let items = Items {
        fixed,
        of: PhantomData,
    };
    match fixed {
        Some(len) => deserializer.deserialize_tuple(len, items),
        None => deserializer.deserialize_seq(items),
    }
}

struct Octets(Items<u8>);

impl<'de> Visitor<'de> for Octets {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes, or ")?;
        self.0.expecting(f)
    }

    fn visit_bytes<E: ::serde::de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        self.visit_byte_buf(bytes.to_vec())
    }

    fn visit_byte_buf<E: ::serde::de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        self.0.expect_len(bytes.len())?;
        Ok(bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Vec<u8>, A::Error> {
        self.0.visit_seq(seq)
    }
}

pub(super) fn get_bytes<'de, D: Deserializer<'de>>(
    fixed: Option<usize>,
    deserializer: D,
) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_byte_buf(Octets(Items {
        fixed,
        of: PhantomData,
    }))
}

impl<T: SerdeField> SerdeField for Vec<T> {
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::put_slice(self, false, serializer)
    }
    fn get<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::get_vec(None, deserializer)
    }
}

impl<T: SerdeField, const N: usize> SerdeField for Box<[T; N]> {
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::put_slice(&**self, true, serializer)
    }
    fn get<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(T::get_vec(Some(N), deserializer)?)
            .map_err(|_| D::Error::custom("wrong number of elements"))
    }
}

impl<T: SerdeField, const N: usize> SerdeField for [T; N] {
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::put_slice(self, true, serializer)
    }
    fn get<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(T::get_vec(Some(N), deserializer)?)
            .map_err(|_| D::Error::custom("wrong number of elements"))
    }
}

impl<T: SerdeField, const N: usize> SerdeField for BoundedSequence<T, N> {
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::put_slice(self, false, serializer)
    }
    fn get<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(T::get_vec(None, deserializer)?).map_err(D::Error::custom)
    }
}

impl<T: Element + SerdeField> SerdeField for Buffer<T> {
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::put_slice(&self.host().map_err(S::Error::custom)?, false, serializer)
    }
    fn get<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::get_vec(None, deserializer).map(Buffer::from)
    }
}

impl<T: Element + SerdeField, const N: usize> SerdeField for BoundedBuffer<T, N> {
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).put(serializer)
    }
    fn get<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Buffer::get(deserializer)?).map_err(D::Error::custom)
    }
}

macro_rules! as_field {
    ($([$($generics:tt)*] $ty:ty;)*) => {$(
        impl<$($generics)*> Serialize for $ty {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.put(serializer)
            }
        }
        impl<'de, $($generics)*> Deserialize<'de> for $ty {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::get(deserializer)
            }
        }
    )*};
}

as_field! {
    [T: Element + SerdeField] Buffer<T>;
    [T: Element + SerdeField, const N: usize] BoundedBuffer<T, N>;
    [T: SerdeField, const N: usize] BoundedSequence<T, N>;
}
