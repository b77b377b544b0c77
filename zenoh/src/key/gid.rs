//! GIDs: sixteen bytes that name one endpoint in the whole system.
//!
//! A GID is the XXH3-128 of the endpoint's liveliness token, so every process that sees the token knows
//! the GID without asking.

use std::{fmt, str::FromStr};

use twox_hash::XxHash3_128;

/// The global identifier of a publisher or subscription.
///
/// ```
/// use rosidl_buffer_zenoh::key::Gid;
///
/// // The hash of the empty text, low eight bytes first.
/// assert_eq!(Gid::of_token("").to_string(), "7f498d4624c30160d8984701d306aa99");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gid(pub [u8; 16]);

impl Gid {
    /// The GID of the endpoint that declares `token`: its XXH3-128, low eight bytes first.
    pub fn of_token(token: &str) -> Self {
        Self(XxHash3_128::oneshot(token.as_bytes()).to_le_bytes())
    }
}

/// A text is no GID: 32 lower-case hexadecimal digits are expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("32 lower-case hexadecimal digits are expected")]
pub struct GidError;

impl FromStr for Gid {
    type Err = GidError;

    /// Reads what `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(digits) {
            return Err(GidError);
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| GidError)?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for Gid {
    /// 32 lower-case hexadecimal digits, first byte first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Gid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gid({self})")
    }
}
