//! `Vec<T>` and [`BoundedSequence`]: a count and the items.

use rosidl_type_description::{FieldType, type_id};

use super::{Bounds, Field, check_item, checked_bound, visit_items, visit_items_mut};
use crate::bounded::{BoundedSequence, check};
use crate::buffer::AnyBuffer;
use crate::cdr::{Decoder, Encoder, align_up};
use crate::description::Described;
use crate::error::{BoundError, DecodeError, EncodeError};
use crate::view::SeqRef;

impl<T: Field> Field for Vec<T> {
    type Ref<'a> = SeqRef<'a, T>;
    const FIRST_ALIGN: usize = 4;
    const MIN_LEN: usize = {
        check_item::<T>();
        4
    };
    const IS_COLLECTION: bool = true;
    const HAS_BUFFERS: bool = T::HAS_BUFFERS;
    const HAS_ROS_BUFFERS: bool = T::HAS_ROS_BUFFERS;
    const ITEM_MAX_LEN: usize = T::MAX_LEN;
    const MENTION: Option<&'static Described> = T::MENTION;

    fn field_type() -> FieldType {
        let item = T::field_type();
        FieldType {
            type_id: item.type_id + type_id::UNBOUNDED_SEQUENCE_OFFSET,
            ..item
        }
    }

    #[inline]
    fn end(&self, at: usize) -> usize {
        T::end_slice(self, align_up(at, 4) + 4)
    }

    #[inline]
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.count(self.len())?;
        T::encode_slice(self, encoder)
    }

    #[inline]
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = decoder.sequence_count::<T>()?;
        T::decode_vec(decoder, count)
    }

    #[inline]
    fn view<'a>(decoder: &mut Decoder<'a>) -> Result<SeqRef<'a, T>, DecodeError> {
        let count = decoder.sequence_count::<T>()?;
        SeqRef::take(decoder, count)
    }

    fn check_bounds(&self, bounds: &Bounds) -> Result<(), BoundError> {
        check("sequence", self.len(), bounds.sequence)?;
        self.iter().try_for_each(|item| item.check_bounds(bounds))
    }

    fn check_view_bounds(view: SeqRef<'_, T>, bounds: &Bounds) -> Result<(), BoundError> {
        check("sequence", view.len(), bounds.sequence)?;
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

impl<T: Field, const N: usize> Field for BoundedSequence<T, N> {
    type Ref<'a> = SeqRef<'a, T>;
    const FIRST_ALIGN: usize = 4;
    const MIN_LEN: usize = {
        check_item::<T>();
        let _ = Self::MAX_LEN;
        4
    };
    const IS_COLLECTION: bool = true;
    const HAS_BUFFERS: bool = T::HAS_BUFFERS;
    const HAS_ROS_BUFFERS: bool = T::HAS_ROS_BUFFERS;
    const ITEM_MAX_LEN: usize = T::MAX_LEN;
    const MENTION: Option<&'static Described> = T::MENTION;
    const MAX_LEN: usize = checked_bound(N);

    fn field_type() -> FieldType {
        let item = T::field_type();
        FieldType {
            type_id: item.type_id + type_id::BOUNDED_SEQUENCE_OFFSET,
            capacity: N as u64,
            ..item
        }
    }

    #[inline]
    fn end(&self, at: usize) -> usize {
        T::end_slice(self, align_up(at, 4) + 4)
    }

    #[inline]
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.count(self.len())?;
        T::encode_slice(self, encoder)
    }

    #[inline]
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = decoder.sequence_count::<T>()?;
        check("sequence", count, N).map_err(|error| decoder.error(error))?;
        let items = T::decode_vec(decoder, count)?;
        Self::try_from(items).map_err(|error| decoder.error(error))
    }

    #[inline]
    fn view<'a>(decoder: &mut Decoder<'a>) -> Result<SeqRef<'a, T>, DecodeError> {
        let count = decoder.sequence_count::<T>()?;
        check("sequence", count, N).map_err(|error| decoder.error(error))?;
        SeqRef::take(decoder, count)
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
