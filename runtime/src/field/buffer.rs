//! [`Buffer`] and [`BoundedBuffer`]: on the wire and in the type hash a sequence like any other.
//!
//! Only a field that is a buffer in ROS 2 as well, `uint8[]` without a bound, may become a descriptor: a C++ node would
//! drop a message that has one elsewhere. All other buffers, `Buffer<f32>` and bounded ones, are always bytes.

use rosidl_type_description::FieldType;

use super::{Bounds, Field, checked_bound};
use crate::bounded::{BoundedBuffer, BoundedSequence, check};
use crate::buffer::{AnyBuffer, Buffer};
use crate::cdr::{Decoder, Encoder, align_up};
use crate::element::Element;
use crate::error::{BoundError, DecodeError, EncodeError, EncodeErrorKind};
use crate::view::SeqRef;

impl<T: Element + Field> Field for Buffer<T> {
    type Ref<'a> = SeqRef<'a, T>;
    const FIRST_ALIGN: usize = 4;
    const MIN_LEN: usize = 4;
    const IS_COLLECTION: bool = true;
    const HAS_BUFFERS: bool = true;
    const IS_BUFFER: bool = true;
    const HAS_ROS_BUFFERS: bool = T::TYPE_ID == u8::TYPE_ID;

    fn field_type() -> FieldType {
        Vec::<T>::field_type()
    }

    #[inline]
    fn end(&self, at: usize) -> usize {
        let at = align_up(at, 4) + 4;
        if self.is_empty() {
            at
        } else {
            align_up(at, size_of::<T>()) + self.len() * size_of::<T>()
        }
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        if Self::HAS_ROS_BUFFERS
            && let Some(storage) = self.storage()
            && encoder.describe(storage)?
        {
            return Ok(());
        }
        self.encode_ordinary(encoder)
    }

    fn encode_ordinary(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        // Memory that the host does not read in place is brought over once for all who take bytes, if there is a place for it.
        let elsewhere = self
            .storage()
            .filter(|storage| storage.host_bytes().is_none());
        if let Some(storage) = elsewhere {
            encoder.check_copy(storage.as_ref())?;
        }
        if let Some(host) = elsewhere.and_then(|storage| storage.host_storage())
            && let Some(items) = host
                .host_bytes()
                .and_then(|bytes| <T as Element>::PLAIN.cast(bytes))
        {
            encoder.count(items.len())?;
            return T::encode_slice(items, encoder);
        }
        let content = self.host().map_err(EncodeErrorKind::Buffer)?;
        encoder.count(content.len())?;
        T::encode_slice(&content, encoder)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if Self::HAS_ROS_BUFFERS
            && let Some(storage) = decoder.storage()?
        {
            // Any length is a whole number of bytes.
            return Ok(Self::of_storage(storage));
        }
        decoder.buffer()
    }

    fn decode_ordinary(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.buffer()
    }

    #[inline]
    fn view<'a>(decoder: &mut Decoder<'a>) -> Result<SeqRef<'a, T>, DecodeError> {
        let count = decoder.buffer_count::<T>()?;
        SeqRef::take(decoder, count)
    }

    fn check_bounds(&self, bounds: &Bounds) -> Result<(), BoundError> {
        check("sequence", self.len(), bounds.sequence)
    }

    fn check_view_bounds(view: SeqRef<'_, T>, bounds: &Bounds) -> Result<(), BoundError> {
        check("sequence", view.len(), bounds.sequence)
    }

    fn visit_buffers(
        &self,
        name: &'static str,
        visit: &mut dyn FnMut(&'static str, &dyn AnyBuffer),
    ) {
        visit(name, self);
    }

    fn visit_buffers_mut(
        &mut self,
        name: &'static str,
        visit: &mut dyn FnMut(&'static str, &mut dyn AnyBuffer),
    ) {
        visit(name, self);
    }
}

impl<T: Element + Field, const N: usize> Field for BoundedBuffer<T, N> {
    type Ref<'a> = SeqRef<'a, T>;
    const FIRST_ALIGN: usize = 4;
    const MIN_LEN: usize = {
        let _ = Self::MAX_LEN;
        4
    };
    const IS_COLLECTION: bool = true;
    const HAS_BUFFERS: bool = true;
    const IS_BUFFER: bool = true;
    const MAX_LEN: usize = checked_bound(N);

    fn field_type() -> FieldType {
        BoundedSequence::<T, N>::field_type()
    }

    #[inline]
    fn end(&self, at: usize) -> usize {
        (**self).end(at)
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        check("sequence", self.len(), N)?;
        (**self).encode_ordinary(encoder)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Self::try_from(decoder.buffer()?).map_err(|error| decoder.error(error))
    }

    #[inline]
    fn view<'a>(decoder: &mut Decoder<'a>) -> Result<SeqRef<'a, T>, DecodeError> {
        let view = Buffer::<T>::view(decoder)?;
        match check("sequence", view.len(), N) {
            Ok(()) => Ok(view),
            Err(error) => Err(decoder.error(error)),
        }
    }

    fn visit_buffers(
        &self,
        name: &'static str,
        visit: &mut dyn FnMut(&'static str, &dyn AnyBuffer),
    ) {
        (**self).visit_buffers(name, visit);
    }

    /// The visitor sees the bounded buffer's inside; one that makes it longer than the bound is caught when encoding.
    fn visit_buffers_mut(
        &mut self,
        name: &'static str,
        visit: &mut dyn FnMut(&'static str, &mut dyn AnyBuffer),
    ) {
        visit(name, self.inner_mut());
    }
}
