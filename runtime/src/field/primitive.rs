//! `bool` and the numbers.

use rosidl_type_description::{FieldType, type_id};

use super::Field;
use crate::cdr::{Decoder, Encoder, align_up};
use crate::element::{Element, Plain};
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};

macro_rules! numbers {
    ($($ty:ty),*) => {$(
        impl Field for $ty {
            type Ref<'a> = Self;
            const FIXED_LEN: bool = true;
            const PLAIN: Plain<Self> = <Self as Element>::PLAIN;
            const FIRST_ALIGN: usize = size_of::<Self>();
            const MIN_LEN: usize = size_of::<Self>();

            fn field_type() -> FieldType {
                FieldType { type_id: <Self as Element>::TYPE_ID, ..FieldType::default() }
            }

            #[inline]
            fn end(&self, at: usize) -> usize {
                align_up(at, size_of::<Self>()) + size_of::<Self>()
            }

            #[inline]
            fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
                encoder.number(*self);
                Ok(())
            }

            #[inline]
            fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                decoder.number()
            }

            #[inline]
            fn view<'a>(decoder: &mut Decoder<'a>) -> Result<Self::Ref<'a>, DecodeError> {
                decoder.number()
            }

            #[inline]
            fn end_slice(items: &[Self], at: usize) -> usize {
                if items.is_empty() { at } else { align_up(at, size_of::<Self>()) + size_of_val(items) }
            }
        }
    )*};
}

numbers!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

impl Field for bool {
    type Ref<'a> = Self;
    const FIXED_LEN: bool = true;
    const FIRST_ALIGN: usize = 1;
    const MIN_LEN: usize = 1;

    fn field_type() -> FieldType {
        FieldType {
            type_id: type_id::BOOLEAN,
            ..FieldType::default()
        }
    }

    #[inline]
    fn end(&self, at: usize) -> usize {
        at + 1
    }

    #[inline]
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.byte(u8::from(*self));
        Ok(())
    }

    #[inline]
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match decoder.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(decoder.error(DecodeErrorKind::Bool(other))),
        }
    }

    #[inline]
    fn view<'a>(decoder: &mut Decoder<'a>) -> Result<Self::Ref<'a>, DecodeError> {
        Self::decode(decoder)
    }
}
