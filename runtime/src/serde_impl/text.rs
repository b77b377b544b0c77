//! Bounded and wide strings.
//!
//! A wide string is text where the format is for people and the code units are well-formed, else its code units.

use core::fmt;

use ::serde::de::{Error as _, SeqAccess, Visitor};
use ::serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::SerdeField;
use crate::bounded::{BoundedString, BoundedWString};
use crate::wstring::WString;

impl Serialize for WString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.to_utf8() {
            Ok(text) if serializer.is_human_readable() => serializer.serialize_str(&text),
            _ => serializer.collect_seq(self.as_units()),
        }
    }
}

struct Wide;

impl<'de> Visitor<'de> for Wide {
    type Value = WString;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a sequence of UTF-16 code units")
    }

    fn visit_str<E: ::serde::de::Error>(self, text: &str) -> Result<WString, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<WString, A::Error> {
        let mut units = Vec::new();
        while let Some(unit) = seq.next_element::<u16>()? {
            units.push(unit);
        }
        Ok(units.into())
    }
}

impl<'de> Deserialize<'de> for WString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(Wide)
        } else {
            deserializer.deserialize_seq(Wide)
        }
    }
}

impl<const N: usize> Serialize for BoundedString<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, const N: usize> Deserialize<'de> for BoundedString<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<const N: usize> Serialize for BoundedWString<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, const N: usize> Deserialize<'de> for BoundedWString<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(WString::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

macro_rules! as_serde {
    ($([$($generics:tt)*] $ty:ty;)*) => {$(
        impl<$($generics)*> SerdeField for $ty {
            fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }
            fn get<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize(deserializer)
            }
        }
    )*};
}

as_serde! {
    [] WString;
    [const N: usize] BoundedString<N>;
    [const N: usize] BoundedWString<N>;
}
