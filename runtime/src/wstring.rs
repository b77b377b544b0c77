//! [`WString`]: ROS 2's `wstring`, a run of UTF-16 code units.
//!
//! ROS 2 keeps `wstring` as C++ `std::u16string`, which may hold unpaired surrogates; so does this type, and the way
//! to a Rust string is fallible or lossy by name.

use core::fmt;
use core::str::FromStr;

/// UTF-16 code units, not necessarily well-formed.
///
/// ```
/// use rosidl_buffer_runtime::WString;
///
/// let name = WString::from("漢字");
/// assert_eq!(name.as_units(), [0x6f22, 0x5b57]);
/// assert_eq!(name.to_utf8()?, "漢字");
/// # Ok::<(), std::string::FromUtf16Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WString(Vec<u16>);

impl WString {
    /// An empty string; allocates nothing.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The code units.
    pub fn as_units(&self) -> &[u16] {
        &self.0
    }

    /// The code units as a vector.
    pub fn into_units(self) -> Vec<u16> {
        self.0
    }

    /// Number of code units.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no code unit.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of Unicode code points; an unpaired surrogate counts as one.
    pub fn code_points(&self) -> usize {
        char::decode_utf16(self.0.iter().copied()).count()
    }

    /// The text as a Rust string.
    ///
    /// # Errors
    /// When a surrogate has no partner.
    pub fn to_utf8(&self) -> Result<String, std::string::FromUtf16Error> {
        String::from_utf16(&self.0)
    }

    /// The text as a Rust string, with U+FFFD in place of unpaired surrogates.
    pub fn to_utf8_lossy(&self) -> String {
        String::from_utf16_lossy(&self.0)
    }
}

impl From<Vec<u16>> for WString {
    fn from(units: Vec<u16>) -> Self {
        Self(units)
    }
}

impl From<&str> for WString {
    fn from(text: &str) -> Self {
        Self(text.encode_utf16().collect())
    }
}

impl From<String> for WString {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl FromStr for WString {
    type Err = core::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.into())
    }
}

impl PartialEq<str> for WString {
    fn eq(&self, other: &str) -> bool {
        self.0.iter().copied().eq(other.encode_utf16())
    }
}

impl PartialEq<&str> for WString {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Display for WString {
    /// Unpaired surrogates print as U+FFFD.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_utf8_lossy(), f)
    }
}

impl fmt::Debug for WString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_utf8_lossy(), f)
    }
}
