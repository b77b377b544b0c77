//! The door for code that the derives emit. No part of the public interface: it changes without notice.

pub use core;
pub use core::option::Option::{self, None, Some};
pub use core::result::Result::{self, Err, Ok};
pub use std::string::String;
pub use std::sync::OnceLock;
pub use std::vec::Vec;

pub use rosidl_type_description::{FieldType, TypeHash, type_id};

pub use crate::action::{Action, GeneratedAction, GoalId, Hashes, Names};
pub use crate::buffer::{AnyBuffer, Buffer};
pub use crate::cdr::{Decoder, Encoder};
pub use crate::description::{Described, DescribedField, Mentioned, Source};
pub use crate::element::Plain;
pub use crate::error::{DecodeError, EncodeError};
pub use crate::field::{
    Bounds, ByteField, Field, FieldDefault, FieldInit, SequenceField, StringField, WCharField,
    WideField, WideRef,
};
pub use crate::message::{GeneratedMessage, Message};
pub use crate::service::{Event, EventInfo, GeneratedService, Service};
pub use crate::tensor::{
    CloudParts, CompressedImageMessage, CompressedParts, DType, ImageMessage, ImageParts,
    Layout as TensorLayout, PointCloudMessage, PointFieldMessage, PointFieldParts, TensorMessage,
};
pub use crate::well_known::{ServiceEventInfoMessage, Time, TimeMessage, UuidMessage};
#[cfg(feature = "serde")]
pub mod serde {
    pub use crate::serde_impl::*;
}

use crate::definition::{equal, push};
use crate::field::attribute;

#[inline]
pub fn encode_field<F: Field>(
    field: &F,
    encoder: &mut Encoder<'_>,
    name: &'static str,
) -> Result<(), EncodeError> {
    field.encode(encoder).map_err(|error| error.in_field(name))
}

#[inline]
pub fn decode_field<F: Field>(
    decoder: &mut Decoder<'_>,
    name: &'static str,
) -> Result<F, DecodeError> {
    F::decode(decoder).map_err(|error| error.in_field(name))
}

/// A field that is no buffer in ROS 2, whatever its Rust type is.
#[inline]
pub fn encode_ordinary<F: Field>(
    field: &F,
    encoder: &mut Encoder<'_>,
    name: &'static str,
) -> Result<(), EncodeError> {
    field
        .encode_ordinary(encoder)
        .map_err(|error| error.in_field(name))
}

#[inline]
pub fn decode_ordinary<F: Field>(
    decoder: &mut Decoder<'_>,
    name: &'static str,
) -> Result<F, DecodeError> {
    F::decode_ordinary(decoder).map_err(|error| error.in_field(name))
}

pub fn encode_wide<F: WideField>(
    field: &F,
    encoder: &mut Encoder<'_>,
    name: &'static str,
) -> Result<(), EncodeError> {
    field
        .encode_wide(encoder)
        .map_err(|error| error.in_field(name))
}

pub fn decode_wide<F: WideField>(
    decoder: &mut Decoder<'_>,
    name: &'static str,
) -> Result<F, DecodeError> {
    F::decode_wide(decoder).map_err(|error| error.in_field(name))
}

/// Before a field with bounds in its attribute is encoded.
pub fn check_encode<F: Field>(
    field: &F,
    bounds: &Bounds,
    name: &'static str,
) -> Result<(), EncodeError> {
    field
        .check_bounds(bounds)
        .map_err(|error| EncodeError::from(error).in_field(name))
}

/// After a field with bounds in its attribute was decoded.
pub fn check_decode<F: Field>(
    field: F,
    decoder: &Decoder<'_>,
    bounds: &Bounds,
    name: &'static str,
) -> Result<F, DecodeError> {
    match field.check_bounds(bounds) {
        Ok(()) => Ok(field),
        Err(error) => Err(decoder.error(error).in_field(name)),
    }
}

/// A field where it lies, with the bounds in its attribute.
#[inline]
pub fn view_field<'a, F: Field>(
    decoder: &mut Decoder<'a>,
    bounds: Option<&Bounds>,
    name: &'static str,
) -> Result<F::Ref<'a>, DecodeError> {
    let view = F::view(decoder).map_err(|error| error.in_field(name))?;
    match bounds.map_or(Ok(()), |bounds| F::check_view_bounds(view, bounds)) {
        Ok(()) => Ok(view),
        Err(error) => Err(decoder.error(error).in_field(name)),
    }
}

/// As `view_field`, for a wide field.
pub fn view_wide<'a, F: WideField>(
    decoder: &mut Decoder<'a>,
    bounds: Option<&Bounds>,
    name: &'static str,
) -> Result<WideRef<'a, F>, DecodeError> {
    let view = F::view_wide(decoder).map_err(|error| error.in_field(name))?;
    match bounds.map_or(Ok(()), |bounds| F::check_wide_bounds(view, bounds)) {
        Ok(()) => Ok(view),
        Err(error) => Err(decoder.error(error).in_field(name)),
    }
}

/// Before the fields of a plain struct are looked at, all of it has to be there, as for `decode_plain`.
#[inline]
pub fn view_plain<M: Field>(decoder: &Decoder<'_>) -> Result<(), DecodeError> {
    Decoder::again(decoder.place()).plain::<M>(1).map(drop)
}

pub fn debug_view(
    f: &mut core::fmt::Formatter<'_>,
    name: &str,
    fields: &[&str],
    values: &[&dyn core::fmt::Debug],
) -> core::fmt::Result {
    let mut view = f.debug_struct(name);
    for (field, value) in fields.iter().zip(values) {
        view.field(field, value);
    }
    view.finish()
}

/// The one byte that stands for a message without fields.
pub fn encode_empty(encoder: &mut Encoder<'_>) {
    encoder.byte(0);
}

pub fn decode_empty(decoder: &mut Decoder<'_>) -> Result<(), DecodeError> {
    decoder.byte().map(drop)
}

/// A plain struct in one copy, where its position allows it.
#[inline]
pub fn encode_plain<M: Field>(message: &M, encoder: &mut Encoder<'_>) -> bool {
    encoder.plain(core::slice::from_ref(message))
}

#[inline]
pub fn decode_plain<M: Field>(decoder: &mut Decoder<'_>) -> Result<Option<M>, DecodeError> {
    Ok(decoder
        .plain::<M>(1)?
        .and_then(|bytes| M::PLAIN.value(bytes)))
}

/// A function, because the compiler evaluates constants that only name another one.
pub const fn mention<M: Message>() -> Option<&'static Described> {
    Some(M::DESCRIBED)
}

/// Refuses a message that is not the part of that name, when the program compiles.
///
/// # Panics
/// When it is another message.
#[track_caller]
pub const fn require_part<M: Message>(part: &str, name: &str) {
    if equal(M::TYPE_NAME, name) {
        return;
    }
    // A constant cannot format. No two names are longer than this.
    let mut text = [0; 1024];
    let mut len = push(&mut text, 0, "the ");
    len = push(&mut text, len, part);
    len = push(&mut text, len, " must be `");
    len = push(&mut text, len, name);
    len = push(&mut text, len, "`, but this struct is `");
    len = push(&mut text, len, M::TYPE_NAME);
    len = push(&mut text, len, "`: see its `package`, `kind` and `name`");
    let (text, _) = text.split_at(len);
    match core::str::from_utf8(text) {
        Ok(text) => panic!("{}", text),
        Err(_) => panic!("names are text"),
    }
}

pub fn byte_field_type<F: ByteField>() -> FieldType {
    attribute::with_primitive(F::field_type(), type_id::BYTE)
}

pub fn idl_char_field_type<F: ByteField>() -> FieldType {
    attribute::with_primitive(F::field_type(), type_id::CHAR)
}

pub fn wchar_field_type<F: WCharField>() -> FieldType {
    attribute::with_primitive(F::field_type(), type_id::WCHAR)
}

pub fn char_field_type<F: ByteField>() -> FieldType {
    F::field_type()
}

pub fn wide_field_type<F: WideField>() -> FieldType {
    attribute::as_wide(F::field_type())
}

pub fn require_sequence<F: SequenceField>() {}

pub fn require_string<F: StringField>() {}

pub fn with_bounds(field_type: FieldType, bounds: &Bounds) -> FieldType {
    attribute::with_bounds(field_type, bounds)
}

/// Follows the fields of a `#[repr(C)]` struct at compile time: is its memory its encoding?
#[derive(Clone, Copy)]
pub struct Layout {
    plain: bool,
    end: usize,
    max_align: usize,
}

impl Layout {
    pub const START: Self = Self {
        plain: true,
        end: 0,
        max_align: 1,
    };

    /// The next field, at `offset` in the struct; the derive shows that its type is `F`.
    #[must_use]
    pub const fn field<F: Field>(self, offset: usize) -> Self {
        let align = F::PLAIN.max_align();
        // No padding before the field, neither in CDR nor in memory, wherever the struct starts: the end of what came
        // before is a multiple of the largest alignment in the field.
        let plain =
            self.plain && F::PLAIN.get() && self.end.is_multiple_of(align) && self.end == offset;
        let max_align = if align > self.max_align {
            align
        } else {
            self.max_align
        };
        Self {
            plain,
            end: self.end + size_of::<F>(),
            max_align,
        }
    }

    /// Whether all fields were plain and the struct of `size` bytes has no padding, also between array elements.
    pub const fn is_plain(self, size: usize) -> bool {
        self.plain && self.end == size && size.is_multiple_of(self.max_align)
    }

    pub const fn max_align(self) -> usize {
        self.max_align
    }
}
