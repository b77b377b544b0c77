//! [`Field`]: what may stand in a message. How it is described, placed in CDR and searched for buffers.
//!
//! Implemented here for primitives, strings, arrays, sequences and buffers, and by the derive for messages. Positions
//! are counted from the start of a message's body; alignment is XCDR1's, at most 8.

mod array;
pub(crate) mod attribute;
mod buffer;
mod default;
mod primitive;
mod sequence;
mod string;

use core::fmt::Debug;

use rosidl_type_description::FieldType;

pub use attribute::{
    Bounds, ByteField, SequenceField, StringField, WCharField, WideField, WideRef,
};
pub use default::{FieldDefault, FieldInit};

use crate::buffer::AnyBuffer;
use crate::cdr::{Decoder, Encoder};
use crate::description::{Described, nested_field_type};
use crate::element::Plain;
use crate::error::{BoundError, DecodeError, EncodeError};

/// A type that a message's field may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a ROS 2 message",
    label = "no ROS 2 interface type corresponds to this",
    note = "fields may be bool, integers, floats, String, WString, BoundedString<N>, other messages, arrays, Vec, BoundedSequence<T, N> and Buffer<T>",
    note = "a struct becomes a message by `#[derive(BufferMessage)]`"
)]
pub trait Field: Sized + 'static {
    /// What a field looks like in a view of encoded bytes.
    type Ref<'a>: Copy + Debug;

    /// Whether the type's memory is its encoding.
    const PLAIN: Plain<Self> = Plain::NO;
    /// Alignment of the first number in the encoding.
    const FIRST_ALIGN: usize;
    /// Whether this is an array, a sequence or a buffer: ROS 2 has none of these in one another.
    const IS_COLLECTION: bool = false;
    /// No encoding is shorter than this, padding left out; at least 1.
    const MIN_LEN: usize;
    /// Whether all values have encodings of one length, padding left out: no string or sequence is inside.
    const FIXED_LEN: bool = false;
    /// Whether there is a [`Buffer`](crate::Buffer) inside.
    const HAS_BUFFERS: bool = false;
    /// Whether this is a [`Buffer`](crate::Buffer) itself.
    const IS_BUFFER: bool = false;
    /// Whether there is a field inside that is a buffer in ROS 2 as well, `uint8[]` without a bound, as a `Buffer<u8>`: a
    /// message without one never holds a descriptor.
    const HAS_ROS_BUFFERS: bool = false;
    /// Largest number of elements or code points that the type itself allows.
    const MAX_LEN: usize = usize::MAX;
    /// [`MAX_LEN`](Self::MAX_LEN) of the elements.
    const ITEM_MAX_LEN: usize = usize::MAX;
    /// The message that the type is, or is an array or sequence of.
    #[doc(hidden)]
    const MENTION: Option<&'static Described> = None;

    /// The type as `type_description_interfaces/msg/FieldType`; that of a message, unless implemented otherwise.
    fn field_type() -> FieldType {
        nested_field_type(Self::MENTION.map_or("", |message| message.type_name))
    }

    /// Where the encoding ends when it starts at `at`.
    fn end(&self, at: usize) -> usize;

    /// Appends the encoding.
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError>;

    /// Takes a value.
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError>;

    /// As [`encode`](Self::encode), where an attribute says that the field is no buffer in ROS 2: it is no descriptor.
    fn encode_ordinary(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.encode(encoder)
    }

    /// As [`decode`](Self::decode), where an attribute says that the field is no buffer in ROS 2: a descriptor is refused.
    fn decode_ordinary(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }

    /// Checks a value where it lies, as [`decode`](Self::decode) does, and allocates nothing.
    fn view<'a>(decoder: &mut Decoder<'a>) -> Result<Self::Ref<'a>, DecodeError>;

    /// [`end`](Self::end) of a run of items.
    #[inline]
    fn end_slice(items: &[Self], at: usize) -> usize {
        items.iter().fold(at, |at, item| item.end(at))
    }

    /// [`encode`](Self::encode) of a run of items.
    #[inline]
    fn encode_slice(items: &[Self], encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        if encoder.plain(items) {
            return Ok(());
        }
        items.iter().enumerate().try_for_each(|(index, item)| {
            item.encode(encoder).map_err(|error| error.in_index(index))
        })
    }

    /// [`decode`](Self::decode) of `count` items, a number that was checked against what is left.
    #[inline]
    fn decode_vec(decoder: &mut Decoder<'_>, count: usize) -> Result<Vec<Self>, DecodeError> {
        if let Some(bytes) = decoder.plain::<Self>(count)?
            && let Some(items) = Self::PLAIN.vec(bytes)
        {
            return Ok(items);
        }
        decoder.claim::<Self>(count)?;
        decode_items(decoder, count)
    }

    /// Compares lengths with bounds that stand beside the type, in an attribute.
    fn check_bounds(&self, _bounds: &Bounds) -> Result<(), BoundError> {
        Ok(())
    }

    /// As [`check_bounds`](Self::check_bounds), in a view.
    fn check_view_bounds(_view: Self::Ref<'_>, _bounds: &Bounds) -> Result<(), BoundError> {
        Ok(())
    }

    /// Calls `visit` for each buffer inside; `name` is that of the field.
    fn visit_buffers(
        &self,
        _name: &'static str,
        _visit: &mut dyn FnMut(&'static str, &dyn AnyBuffer),
    ) {
    }

    /// As [`visit_buffers`](Self::visit_buffers), with buffers that may be replaced.
    fn visit_buffers_mut(
        &mut self,
        _name: &'static str,
        _visit: &mut dyn FnMut(&'static str, &mut dyn AnyBuffer),
    ) {
    }
}

/// One by one, into memory whose size was justified before.
fn decode_items<T: Field>(decoder: &mut Decoder<'_>, count: usize) -> Result<Vec<T>, DecodeError> {
    let mut items = Vec::with_capacity(count);
    for index in 0..count {
        items.push(T::decode(decoder).map_err(|error| error.in_index(index))?);
    }
    Ok(items)
}

fn visit_items<T: Field>(
    items: &[T],
    name: &'static str,
    visit: &mut dyn FnMut(&'static str, &dyn AnyBuffer),
) {
    if T::HAS_BUFFERS {
        for item in items {
            item.visit_buffers(name, visit);
        }
    }
}

fn visit_items_mut<T: Field>(
    items: &mut [T],
    name: &'static str,
    visit: &mut dyn FnMut(&'static str, &mut dyn AnyBuffer),
) {
    if T::HAS_BUFFERS {
        for item in items {
            item.visit_buffers_mut(name, visit);
        }
    }
}

/// [`Field::MAX_LEN`] of a bounded type, compared when the program compiles: ROS 2 has bounds from 1 on, and a count takes
/// 32 bits.
const fn checked_bound(bound: usize) -> usize {
    assert!(
        bound > 0 && bound as u64 <= u32::MAX as u64,
        "a bound must be between 1 and 4294967295"
    );
    bound
}

/// Refuses arrays and sequences in one another, and items with a bound that is none, when the program compiles.
const fn check_item<T: Field>() {
    let _ = T::MAX_LEN;
    assert!(
        !T::IS_COLLECTION,
        "ROS 2 has no arrays or sequences in one another; put a message between them"
    );
}
