//! `[T; N]` of any length, and `Box<[T; N]>` for arrays that are too large for a stack: the items alone, no count.

use rosidl_type_description::{FieldType, type_id};

use super::{Bounds, Field, check_item, decode_items, visit_items, visit_items_mut};
use crate::buffer::AnyBuffer;
use crate::cdr::{Decoder, Encoder};
use crate::description::Described;
use crate::element::Plain;
use crate::error::{BoundError, DecodeError, EncodeError};
use crate::view::SeqRef;

impl<T: Field, const N: usize> Field for [T; N] {
    type Ref<'a> = SeqRef<'a, T>;
    const PLAIN: Plain<Self> = T::PLAIN.array();
    const FIRST_ALIGN: usize = T::FIRST_ALIGN;
    const MIN_LEN: usize = {
        assert!(N > 0, "ROS 2 has no arrays of length 0");
        check_item::<T>();
        T::MIN_LEN * N
    };
    const IS_COLLECTION: bool = true;
    const FIXED_LEN: bool = T::FIXED_LEN;
    const HAS_BUFFERS: bool = T::HAS_BUFFERS;
    const HAS_ROS_BUFFERS: bool = T::HAS_ROS_BUFFERS;
    const MAX_LEN: usize = N;
    const ITEM_MAX_LEN: usize = T::MAX_LEN;
    const MENTION: Option<&'static Described> = T::MENTION;

    fn field_type() -> FieldType {
        let item = T::field_type();
        FieldType {
            type_id: item.type_id + type_id::ARRAY_OFFSET,
            capacity: N as u64,
            ..item
        }
    }

    #[inline]
    fn end(&self, at: usize) -> usize {
        T::end_slice(self, at)
    }

    #[inline]
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        T::encode_slice(self, encoder)
    }

    #[inline]
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if let Some(bytes) = decoder.plain::<T>(N)?
            && let Some(array) = Self::PLAIN.value(bytes)
        {
            return Ok(array);
        }
        decoder.at_least(Self::MIN_LEN)?;
        let items = decode_items(decoder, N)?;
        // `decode_items` gives exactly as many items as asked for.
        Ok(Self::try_from(items).unwrap_or_else(|_| unreachable!("{N} items were decoded")))
    }

    #[inline]
    fn view<'a>(decoder: &mut Decoder<'a>) -> Result<SeqRef<'a, T>, DecodeError> {
        SeqRef::take_array(decoder, N)
    }

    fn check_bounds(&self, bounds: &Bounds) -> Result<(), BoundError> {
        self.iter().try_for_each(|item| item.check_bounds(bounds))
    }

    fn check_view_bounds(view: SeqRef<'_, T>, bounds: &Bounds) -> Result<(), BoundError> {
        view.check_items(bounds)
    }

    fn visit_buffers(
        &self,
        name: &'static str,
        visit: &mut dyn FnMut(&'static str, &dyn AnyBuffer),
    ) {
        visit_items(self, name, visit);
    }

    fn visit_buffers_mut(
        &mut self,
        name: &'static str,
        visit: &mut dyn FnMut(&'static str, &mut dyn AnyBuffer),
    ) {
        visit_items_mut(self, name, visit);
    }
}

impl<T: Field, const N: usize> Field for Box<[T; N]> {
    type Ref<'a> = SeqRef<'a, T>;
    const FIRST_ALIGN: usize = <[T; N]>::FIRST_ALIGN;
    const MIN_LEN: usize = <[T; N]>::MIN_LEN;
    const IS_COLLECTION: bool = true;
    const FIXED_LEN: bool = T::FIXED_LEN;
    const HAS_BUFFERS: bool = T::HAS_BUFFERS;
    const HAS_ROS_BUFFERS: bool = T::HAS_ROS_BUFFERS;
    const MAX_LEN: usize = N;
    const ITEM_MAX_LEN: usize = T::MAX_LEN;
    const MENTION: Option<&'static Described> = T::MENTION;

    fn field_type() -> FieldType {
        <[T; N]>::field_type()
    }

    #[inline]
    fn end(&self, at: usize) -> usize {
        T::end_slice(&**self, at)
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        T::encode_slice(&**self, encoder)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.at_least(Self::MIN_LEN)?;
        let items = T::decode_vec(decoder, N)?;
        // `decode_vec` gives exactly as many items as asked for.
        Ok(Self::try_from(items).unwrap_or_else(|_| unreachable!("{N} items were decoded")))
    }

    #[inline]
    fn view<'a>(decoder: &mut Decoder<'a>) -> Result<SeqRef<'a, T>, DecodeError> {
        decoder.at_least(Self::MIN_LEN)?;
        SeqRef::take(decoder, N)
    }

    fn check_bounds(&self, bounds: &Bounds) -> Result<(), BoundError> {
        (**self).check_bounds(bounds)
    }

    fn check_view_bounds(view: SeqRef<'_, T>, bounds: &Bounds) -> Result<(), BoundError> {
        view.check_items(bounds)
    }

    fn visit_buffers(
        &self,
        name: &'static str,
        visit: &mut dyn FnMut(&'static str, &dyn AnyBuffer),
    ) {
        (**self).visit_buffers(name, visit);
    }

    fn visit_buffers_mut(
        &mut self,
        name: &'static str,
        visit: &mut dyn FnMut(&'static str, &mut dyn AnyBuffer),
    ) {
        (**self).visit_buffers_mut(name, visit);
    }
}
