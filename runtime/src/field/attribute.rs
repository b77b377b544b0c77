//! What attributes add to a field whose Rust type cannot say it: `byte`, `char`, `idl_char`, `wchar`, `wstring`, bounds.

use rosidl_type_description::{FieldType, type_id};

use super::Field;
use crate::bounded::{BoundedSequence, check};
use crate::buffer::Buffer;
use crate::cdr::{Decoder, Encoder, align_up};
use crate::error::{BoundError, DecodeError, EncodeError};
use crate::view::{SeqRef, WStrRef};
use crate::wstring::WString;

/// Bounds that stand beside a type, in `#[ros2(bound = …, string_bound = …)]`.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Largest number of elements.
    pub sequence: usize,
    /// Largest number of Unicode code points.
    pub string: usize,
}

/// Types for which `#[ros2(byte)]`, `#[ros2(char)]` and `#[ros2(idl_char)]` have a meaning: `u8` and its arrays and sequences.
#[diagnostic::on_unimplemented(
    message = "`#[ros2(byte)]`, `#[ros2(char)]` and `#[ros2(idl_char)]` are for `u8` and its arrays and sequences, not for `{Self}`"
)]
pub trait ByteField: Field {}

impl ByteField for u8 {}
impl ByteField for Vec<u8> {}
impl ByteField for Buffer<u8> {}
impl<const N: usize> ByteField for [u8; N] {}
impl<const N: usize> ByteField for Box<[u8; N]> {}
impl<const N: usize> ByteField for BoundedSequence<u8, N> {}
impl<const N: usize> ByteField for crate::bounded::BoundedBuffer<u8, N> {}

/// Types for which `#[ros2(wchar)]` has a meaning: `u16` and its arrays and sequences. On the wire a `wchar` is a `uint16`
/// (Fast CDR 2 and Cyclone DDS agree; Fast CDR 1, of Humble and before, wrote four bytes).
#[diagnostic::on_unimplemented(
    message = "`#[ros2(wchar)]` is for `u16` and its arrays and sequences, not for `{Self}`"
)]
pub trait WCharField: Field {}

impl WCharField for u16 {}
impl WCharField for Vec<u16> {}
impl WCharField for Buffer<u16> {}
impl<const N: usize> WCharField for [u16; N] {}
impl<const N: usize> WCharField for Box<[u16; N]> {}
impl<const N: usize> WCharField for BoundedSequence<u16, N> {}
impl<const N: usize> WCharField for crate::bounded::BoundedBuffer<u16, N> {}

/// Types for which `#[ros2(bound = N)]` has a meaning: sequences that have no bound of their own.
#[diagnostic::on_unimplemented(
    message = "`#[ros2(bound = …)]` is for `Vec` and `Buffer`, not for `{Self}`"
)]
pub trait SequenceField: Field {}

impl<T: Field> SequenceField for Vec<T> {}
impl<T: crate::Element + Field> SequenceField for Buffer<T> {}

/// Types for which `#[ros2(string_bound = N)]` has a meaning: strings without a bound of their own, also in sequences.
#[diagnostic::on_unimplemented(
    message = "`#[ros2(string_bound = …)]` is for strings and their arrays and sequences, not for `{Self}`"
)]
pub trait StringField: Field {}

impl StringField for String {}
impl StringField for WString {}
impl<T: StringField> StringField for Vec<T> {}
impl<T: StringField, const N: usize> StringField for [T; N] {}
impl<T: StringField, const N: usize> StringField for BoundedSequence<T, N> {}

/// Types that `#[ros2(wstring)]` writes as wide strings: `String` and its arrays and sequences.
#[diagnostic::on_unimplemented(
    message = "`#[ros2(wstring)]` is for `String` and its arrays and sequences, not for `{Self}`",
    note = "`WString` is a wide string without an attribute"
)]
pub trait WideField: Field {
    /// The type with [`WString`] in place of `String`.
    type Wide: Field;

    /// As [`Field::end`].
    fn wide_end(&self, at: usize) -> usize;
    /// As [`Field::encode`].
    fn encode_wide(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError>;
    /// As [`Field::decode`].
    fn decode_wide(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError>;
    /// As [`Field::view`].
    fn view_wide<'a>(decoder: &mut Decoder<'a>) -> Result<WideRef<'a, Self>, DecodeError>;
    /// As [`Field::check_view_bounds`].
    fn check_wide_bounds(view: WideRef<'_, Self>, bounds: &Bounds) -> Result<(), BoundError>;
}

/// What a wide field looks like in a view.
pub type WideRef<'a, F> = <<F as WideField>::Wide as Field>::Ref<'a>;

/// One by one, into memory whose size was justified before.
fn decode_items<T: WideField>(
    decoder: &mut Decoder<'_>,
    count: usize,
) -> Result<Vec<T>, DecodeError> {
    let mut items = Vec::with_capacity(count);
    for index in 0..count {
        items.push(T::decode_wide(decoder).map_err(|error| error.in_index(index))?);
    }
    Ok(items)
}

/// Views of `count` wide strings, arrays or sequences of them, each checked.
fn view_items<'a, T: WideField>(
    decoder: &mut Decoder<'a>,
    count: usize,
) -> Result<SeqRef<'a, T::Wide>, DecodeError> {
    SeqRef::take_with(decoder, count, |decoder| T::view_wide(decoder).map(drop))
}

fn check_items<T: WideField>(view: SeqRef<'_, T::Wide>, bounds: &Bounds) -> Result<(), BoundError> {
    view.iter()
        .try_for_each(|item| T::check_wide_bounds(item, bounds))
}

impl WideField for String {
    type Wide = WString;

    fn wide_end(&self, at: usize) -> usize {
        align_up(at, 4) + 4 + 4 * self.encode_utf16().count()
    }

    fn encode_wide(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        WString::from(self.as_str()).encode(encoder)
    }

    fn decode_wide(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let wide = WString::decode(decoder)?;
        wide.to_utf8().map_err(|_| {
            let unpaired =
                char::decode_utf16(wide.as_units().iter().copied()).find_map(Result::err);
            let unit = unpaired.map_or(0, |error| error.unpaired_surrogate());
            decoder.error(crate::error::DecodeErrorKind::Surrogate(unit))
        })
    }

    fn view_wide<'a>(decoder: &mut Decoder<'a>) -> Result<WStrRef<'a>, DecodeError> {
        let view = WString::view(decoder)?;
        match view.check_surrogates() {
            Ok(()) => Ok(view),
            Err(error) => Err(decoder.error(error)),
        }
    }

    fn check_wide_bounds(view: WStrRef<'_>, bounds: &Bounds) -> Result<(), BoundError> {
        check("string", view.code_points(), bounds.string)
    }
}

impl<T: WideField> WideField for Vec<T> {
    type Wide = Vec<T::Wide>;

    fn wide_end(&self, at: usize) -> usize {
        self.iter()
            .fold(align_up(at, 4) + 4, |at, item| item.wide_end(at))
    }

    fn encode_wide(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.count(self.len())?;
        self.iter().try_for_each(|item| item.encode_wide(encoder))
    }

    fn decode_wide(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = decoder.sequence_count::<T>()?;
        decoder.claim::<T>(count)?;
        decode_items(decoder, count)
    }

    fn view_wide<'a>(decoder: &mut Decoder<'a>) -> Result<WideRef<'a, Self>, DecodeError> {
        let count = decoder.sequence_count::<T>()?;
        decoder.claim::<T>(count)?;
        view_items::<T>(decoder, count)
    }

    fn check_wide_bounds(view: WideRef<'_, Self>, bounds: &Bounds) -> Result<(), BoundError> {
        check("sequence", view.len(), bounds.sequence)?;
        check_items::<T>(view, bounds)
    }
}

impl<T: WideField, const N: usize> WideField for BoundedSequence<T, N> {
    type Wide = BoundedSequence<T::Wide, N>;

    fn wide_end(&self, at: usize) -> usize {
        self.iter()
            .fold(align_up(at, 4) + 4, |at, item| item.wide_end(at))
    }

    fn encode_wide(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.count(self.len())?;
        self.iter().try_for_each(|item| item.encode_wide(encoder))
    }

    fn decode_wide(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Self::try_from(Vec::decode_wide(decoder)?).map_err(|error| decoder.error(error))
    }

    fn view_wide<'a>(decoder: &mut Decoder<'a>) -> Result<WideRef<'a, Self>, DecodeError> {
        let view = Vec::<T>::view_wide(decoder)?;
        match check("sequence", view.len(), N) {
            Ok(()) => Ok(view),
            Err(error) => Err(decoder.error(error)),
        }
    }

    fn check_wide_bounds(view: WideRef<'_, Self>, bounds: &Bounds) -> Result<(), BoundError> {
        check_items::<T>(view, bounds)
    }
}

impl<T: WideField, const N: usize> WideField for [T; N] {
    type Wide = [T::Wide; N];

    fn wide_end(&self, at: usize) -> usize {
        self.iter().fold(at, |at, item| item.wide_end(at))
    }

    fn encode_wide(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.iter().try_for_each(|item| item.encode_wide(encoder))
    }

    fn decode_wide(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.at_least(Self::MIN_LEN)?;
        let items = decode_items(decoder, N)?;
        // `decode_items` gives exactly as many items as asked for.
        Ok(Self::try_from(items).unwrap_or_else(|_| unreachable!("{N} items were decoded")))
    }

    fn view_wide<'a>(decoder: &mut Decoder<'a>) -> Result<WideRef<'a, Self>, DecodeError> {
        decoder.at_least(Self::MIN_LEN)?;
        view_items::<T>(decoder, N)
    }

    fn check_wide_bounds(view: WideRef<'_, Self>, bounds: &Bounds) -> Result<(), BoundError> {
        check_items::<T>(view, bounds)
    }
}

/// `field` with that primitive in place of the one that its Rust type stands for.
pub(crate) fn with_primitive(field: FieldType, primitive: u8) -> FieldType {
    let (_, offset) = type_id::split(field.type_id);
    FieldType {
        type_id: primitive + offset,
        ..field
    }
}

/// `field` with `wstring` in place of `string`.
pub(crate) fn as_wide(field: FieldType) -> FieldType {
    let (id, offset) = type_id::split(field.type_id);
    let id = if id == type_id::BOUNDED_STRING {
        type_id::BOUNDED_WSTRING
    } else {
        type_id::WSTRING
    };
    FieldType {
        type_id: id + offset,
        ..field
    }
}

/// `field` with the bounds of its attributes.
pub(crate) fn with_bounds(mut field: FieldType, bounds: &Bounds) -> FieldType {
    let (mut id, mut offset) = type_id::split(field.type_id);
    if bounds.sequence != usize::MAX && offset == type_id::UNBOUNDED_SEQUENCE_OFFSET {
        offset = type_id::BOUNDED_SEQUENCE_OFFSET;
        field.capacity = bounds.sequence as u64;
    }
    if bounds.string != usize::MAX {
        field.string_capacity = bounds.string as u64;
        id = match id {
            type_id::STRING => type_id::BOUNDED_STRING,
            type_id::WSTRING => type_id::BOUNDED_WSTRING,
            other => other,
        };
    }
    FieldType {
        type_id: id + offset,
        ..field
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_change_the_described_type_only_where_they_apply() {
        let ids = |field: FieldType| (field.type_id, field.capacity, field.string_capacity);
        let as_byte = |field| with_primitive(field, type_id::BYTE);
        let bounds = Bounds {
            sequence: 3,
            string: 5,
        };
        assert_eq!(ids(as_byte(u8::field_type())), (16, 0, 0));
        assert_eq!(ids(as_byte(Vec::<u8>::field_type())), (160, 0, 0));
        assert_eq!(ids(as_byte(<[u8; 4]>::field_type())), (64, 4, 0));
        assert_eq!(ids(as_wide(String::field_type())), (18, 0, 0));
        assert_eq!(
            ids(with_bounds(Vec::<String>::field_type(), &bounds)),
            (117, 3, 5)
        );
        assert_eq!(
            ids(with_bounds(as_wide(Vec::<String>::field_type()), &bounds)),
            (118, 3, 5)
        );
        assert_eq!(
            ids(with_bounds(<[String; 2]>::field_type(), &bounds)),
            (69, 2, 5)
        );
        assert_eq!(
            ids(BoundedSequence::<crate::BoundedString<5>, 3>::field_type()),
            (117, 3, 5)
        );
    }
}
