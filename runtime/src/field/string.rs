//! Strings and wide strings.
//!
//! A string is a count that includes its terminating NUL, the bytes, and the NUL. A wide string is a count of UTF-16
//! code units and each unit in four bytes, with no terminator, as ROS 2's implementations write it.

use rosidl_type_description::{FieldType, type_id};

use super::{Bounds, Field, checked_bound};
use crate::bounded::{BoundedString, BoundedWString, check, check_str};
use crate::cdr::{Decoder, Encoder, align_up};
use crate::error::{BoundError, DecodeError, DecodeErrorKind, EncodeError};
use crate::view::WStrRef;
use crate::wstring::WString;

impl Field for String {
    type Ref<'a> = &'a str;
    const FIRST_ALIGN: usize = 4;
    const MIN_LEN: usize = 4;

    fn field_type() -> FieldType {
        FieldType {
            type_id: type_id::STRING,
            ..FieldType::default()
        }
    }

    #[inline]
    fn end(&self, at: usize) -> usize {
        align_up(at, 4) + 4 + self.len() + 1
    }

    #[inline]
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.count(self.len() + 1)?;
        encoder.bytes(self.as_bytes());
        encoder.byte(0);
        Ok(())
    }

    #[inline]
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Self::view(decoder).map(str::to_owned)
    }

    #[inline]
    fn view<'a>(decoder: &mut Decoder<'a>) -> Result<&'a str, DecodeError> {
        let count = decoder.string_count(1)?;
        let bytes = decoder.take(count)?;
        // Some writers leave the NUL out, and some write an empty string as count 0.
        let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        core::str::from_utf8(bytes)
            .map_err(|error| decoder.error(DecodeErrorKind::Utf8(error.valid_up_to())))
    }

    fn check_bounds(&self, bounds: &Bounds) -> Result<(), BoundError> {
        check_str(self, bounds.string)
    }

    fn check_view_bounds(view: &str, bounds: &Bounds) -> Result<(), BoundError> {
        check_str(view, bounds.string)
    }
}

impl Field for WString {
    type Ref<'a> = WStrRef<'a>;
    const FIRST_ALIGN: usize = 4;
    const MIN_LEN: usize = 4;

    fn field_type() -> FieldType {
        FieldType {
            type_id: type_id::WSTRING,
            ..FieldType::default()
        }
    }

    #[inline]
    fn end(&self, at: usize) -> usize {
        align_up(at, 4) + 4 + 4 * self.len()
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.count(self.len())?;
        for unit in self.as_units() {
            encoder.number(u32::from(*unit));
        }
        Ok(())
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = decoder.string_count(4)?;
        let mut units = Vec::with_capacity(count);
        for _ in 0..count {
            units.push(decoder.unit()?);
        }
        Ok(units.into())
    }

    fn view<'a>(decoder: &mut Decoder<'a>) -> Result<WStrRef<'a>, DecodeError> {
        WStrRef::take(decoder)
    }

    fn check_bounds(&self, bounds: &Bounds) -> Result<(), BoundError> {
        // A code point takes at least one code unit, so short strings need no count.
        if self.len() <= bounds.string {
            Ok(())
        } else {
            check("wstring", self.code_points(), bounds.string)
        }
    }

    fn check_view_bounds(view: WStrRef<'_>, bounds: &Bounds) -> Result<(), BoundError> {
        check("wstring", view.code_points(), bounds.string)
    }
}

macro_rules! bounded {
    ($outer:ident, $inner:ty, $id:ident) => {
        impl<const N: usize> Field for $outer<N> {
            type Ref<'a> = <$inner as Field>::Ref<'a>;
            const FIRST_ALIGN: usize = 4;
            const MIN_LEN: usize = {
                let _ = Self::MAX_LEN;
                4
            };
            const MAX_LEN: usize = checked_bound(N);

            fn field_type() -> FieldType {
                FieldType {
                    type_id: type_id::$id,
                    string_capacity: N as u64,
                    ..FieldType::default()
                }
            }

            #[inline]
            fn end(&self, at: usize) -> usize {
                self.inner().end(at)
            }

            #[inline]
            fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
                self.inner().encode(encoder)
            }

            #[inline]
            fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                Self::try_from(<$inner>::decode(decoder)?).map_err(|error| decoder.error(error))
            }

            #[inline]
            fn view<'a>(decoder: &mut Decoder<'a>) -> Result<Self::Ref<'a>, DecodeError> {
                let view = <$inner>::view(decoder)?;
                let bounds = Bounds {
                    sequence: usize::MAX,
                    string: N,
                };
                match <$inner>::check_view_bounds(view, &bounds) {
                    Ok(()) => Ok(view),
                    Err(error) => Err(decoder.error(error)),
                }
            }
        }
    };
}

bounded!(BoundedString, String, BOUNDED_STRING);
bounded!(BoundedWString, WString, BOUNDED_WSTRING);
