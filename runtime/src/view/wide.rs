//! [`WStrRef`]: a wide string where it lies, four bytes for each UTF-16 code unit.

use core::fmt;

use super::checked;
use crate::cdr::{Decoder, Place};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::wstring::WString;

/// A `wstring` in a view: UTF-16 code units, not necessarily well-formed.
///
/// ```
/// use rosidl_buffer_runtime::{BufferMessage, WString, cdr};
///
/// #[derive(Clone, BufferMessage)]
/// #[ros2(package = "demo_msgs")]
/// struct Name { name: WString }
///
/// let bytes = cdr::encode(&Name { name: "漢字".into() })?;
/// let view = cdr::view::<Name>(&bytes)?;
/// assert_eq!(view.name, "漢字");
/// assert_eq!(view.name.chars().next(), Some('漢'));
/// assert_eq!(view.name.to_wstring().to_utf8()?, "漢字");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct WStrRef<'a> {
    start: Place<'a>,
    len: usize,
}

impl<'a> WStrRef<'a> {
    pub(crate) fn take(decoder: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        let len = decoder.string_count(4)?;
        let start = decoder.place();
        for _ in 0..len {
            decoder.unit()?;
        }
        Ok(Self { start, len })
    }

    /// Number of code units.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no code unit.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The code units.
    pub fn units(&self) -> impl ExactSizeIterator<Item = u16> + use<'a> {
        let mut decoder = Decoder::again(self.start);
        (0..self.len).map(move |_| checked(decoder.unit()))
    }

    /// The characters, with U+FFFD in place of unpaired surrogates.
    pub fn chars(&self) -> impl Iterator<Item = char> + use<'a> {
        char::decode_utf16(self.units())
            .map(|decoded| decoded.unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// Number of Unicode code points; an unpaired surrogate counts as one.
    pub fn code_points(&self) -> usize {
        self.chars().count()
    }

    /// The text as a wide string of its own.
    pub fn to_wstring(&self) -> WString {
        self.units().collect::<Vec<_>>().into()
    }

    /// Refuses a surrogate without a partner.
    pub(crate) fn check_surrogates(&self) -> Result<(), DecodeErrorKind> {
        char::decode_utf16(self.units())
            .try_for_each(|decoded| decoded.map(drop))
            .map_err(|error| DecodeErrorKind::Surrogate(error.unpaired_surrogate()))
    }
}

impl PartialEq<str> for WStrRef<'_> {
    fn eq(&self, other: &str) -> bool {
        self.units().eq(other.encode_utf16())
    }
}

impl PartialEq<&str> for WStrRef<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl PartialEq<WString> for WStrRef<'_> {
    fn eq(&self, other: &WString) -> bool {
        self.units().eq(other.as_units().iter().copied())
    }
}

impl PartialEq for WStrRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.units().eq(other.units())
    }
}

impl Eq for WStrRef<'_> {}

impl fmt::Display for WStrRef<'_> {
    /// Unpaired surrogates print as U+FFFD.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_wstring(), f)
    }
}

impl fmt::Debug for WStrRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_wstring(), f)
    }
}
