//! Messages: structs whose fields are read by name or in order.

use core::fmt;
use core::marker::PhantomData;

use ::serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use ::serde::ser::SerializeStruct;
use ::serde::{Deserializer, Serializer};

use super::{Get, Put, SerdeField};
use crate::field::{Bounds, Field, FieldInit};

/// What the derive says of a message.
pub trait Record: FieldInit {
    /// The interface's name.
    const NAME: &'static str;
    /// The ROS names of the fields.
    const FIELDS: &'static [&'static str];

    /// Reads the field of that index; `false` if the source has ended.
    fn read<'de, A: Source<'de>>(&mut self, index: usize, source: &mut A)
    -> Result<bool, A::Error>;
}

/// Where a message's fields come from: a map or a sequence.
pub trait Source<'de> {
    /// The format's error.
    type Error: ::serde::de::Error;

    /// The next value, `None` at the end.
    fn next<T: SerdeField>(&mut self) -> Result<Option<T>, Self::Error>;

    /// Reads the next value into a field.
    fn field<T: SerdeField>(&mut self, place: &mut T) -> Result<bool, Self::Error> {
        let Some(value) = self.next()? else {
            return Ok(false);
        };
        *place = value;
        Ok(true)
    }

    /// As [`field`](Self::field), for a field with bounds in its attribute.
    fn bounded<T: SerdeField + Field>(
        &mut self,
        place: &mut T,
        bounds: &Bounds,
    ) -> Result<bool, Self::Error> {
        let read = self.field(place)?;
        place.check_bounds(bounds).map_err(Self::Error::custom)?;
        Ok(read)
    }
}

struct FromMap<'a, A>(&'a mut A);

impl<'de, A: MapAccess<'de>> Source<'de> for FromMap<'_, A> {
    type Error = A::Error;
    fn next<T: SerdeField>(&mut self) -> Result<Option<T>, A::Error> {
        self.0.next_value_seed(Get::new()).map(Some)
    }
}

struct FromSeq<'a, A>(&'a mut A);

impl<'de, A: SeqAccess<'de>> Source<'de> for FromSeq<'_, A> {
    type Error = A::Error;
    fn next<T: SerdeField>(&mut self) -> Result<Option<T>, A::Error> {
        self.0.next_element_seed(Get::new())
    }
}

/// The index of a field, from its name or number; `None` if there is no such field.
struct Key(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<usize>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_u64<E: ::serde::de::Error>(self, index: u64) -> Result<Option<usize>, E> {
        Ok(usize::try_from(index)
            .ok()
            .filter(|index| *index < self.0.len()))
    }

    fn visit_str<E: ::serde::de::Error>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|field| *field == name))
    }

    fn visit_bytes<E: ::serde::de::Error>(self, name: &[u8]) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|field| field.as_bytes() == name))
    }
}

struct RecordVisitor<T>(PhantomData<T>);

impl<'de, T: Record> Visitor<'de> for RecordVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {}", T::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut record = T::init();
        let mut seen = vec![false; T::FIELDS.len()];
        while let Some(key) = map.next_key_seed(Key(T::FIELDS))? {
            let Some(index) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if std::mem::replace(&mut seen[index], true) {
                return Err(A::Error::duplicate_field(T::FIELDS[index]));
            }
            record.read(index, &mut FromMap(&mut map))?;
        }
        match seen.iter().position(|seen| !seen) {
            Some(missing) => Err(A::Error::missing_field(T::FIELDS[missing])),
            None => Ok(record),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<T, A::Error> {
        let mut record = T::init();
        for index in 0..T::FIELDS.len() {
            if !record.read(index, &mut FromSeq(&mut seq))? {
                return Err(A::Error::invalid_length(index, &self));
            }
        }
        Ok(record)
    }
}

/// A message from any format.
pub fn record<'de, T: Record, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_struct(T::NAME, T::FIELDS, RecordVisitor(PhantomData))
}

/// One field of a message into any format.
pub fn field<S: SerializeStruct, T: SerdeField>(
    to: &mut S,
    name: &'static str,
    value: &T,
) -> Result<(), S::Error> {
    to.serialize_field(name, &Put(value))
}

/// The serialiser's answer, so that generated code need not name its traits.
pub fn start<S: Serializer>(
    serializer: S,
    name: &'static str,
    fields: usize,
) -> Result<S::SerializeStruct, S::Error> {
    serializer.serialize_struct(name, fields)
}
