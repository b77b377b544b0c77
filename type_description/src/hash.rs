//! The type hash and its text form, `RIHS01_` and 64 hexadecimal digits.

use std::{error, fmt, str::FromStr};

use sha2::{Digest, Sha256};

const PREFIX: &str = "RIHS01_";
const DIGITS: usize = 64;

/// A RIHS01 type hash.
///
/// ```
/// use rosidl_type_description::TypeHash;
///
/// let text = "RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18";
/// let hash: TypeHash = text.parse()?;
/// assert_eq!(hash.as_bytes()[0], 0xdf);
/// assert_eq!(hash.to_string(), text);
/// # Ok::<(), rosidl_type_description::ParseTypeHashError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeHash([u8; 32]);

impl TypeHash {
    /// A hash of which the 32 bytes are known.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn of_text(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }
}

impl fmt::Display for TypeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for TypeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypeHash({self})")
    }
}

impl FromStr for TypeHash {
    type Err = ParseTypeHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text
            .strip_prefix(PREFIX)
            .ok_or(ParseTypeHashError::Prefix)?;
        if digits.len() != DIGITS {
            return Err(ParseTypeHashError::Length(digits.len()));
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            *byte = (nibble(pair[0])? << 4) | nibble(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

fn nibble(digit: u8) -> Result<u8, ParseTypeHashError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(ParseTypeHashError::Digit),
    }
}

/// Why a text is not a type hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseTypeHashError {
    /// It does not start with `RIHS01_`.
    Prefix,
    /// After the prefix there are this many bytes, not 64.
    Length(usize),
    /// A character after the prefix is not a hexadecimal digit.
    Digit,
}

impl fmt::Display for ParseTypeHashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix => write!(f, "a type hash starts with {PREFIX}"),
            Self::Length(found) => write!(
                f,
                "a type hash has {DIGITS} hexadecimal digits after {PREFIX}, not {found}"
            ),
            Self::Digit => write!(
                f,
                "a type hash consists of hexadecimal digits after {PREFIX}"
            ),
        }
    }
}

impl error::Error for ParseTypeHashError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let hash = TypeHash::of_text("");
        let text = "RIHS01_e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hash.to_string(), text);
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(format!("{hash:?}"), format!("TypeHash({text})"));
        let upper = format!("{PREFIX}{}", text[PREFIX.len()..].to_uppercase());
        assert_eq!(upper.parse(), Ok(hash));
    }

    #[test]
    fn what_is_not_a_hash() {
        let hash = |digits: &str| format!("{PREFIX}{digits}").parse::<TypeHash>();
        assert_eq!("".parse::<TypeHash>(), Err(ParseTypeHashError::Prefix));
        assert_eq!(
            "TypeHashNotSupported".parse::<TypeHash>(),
            Err(ParseTypeHashError::Prefix)
        );
        assert_eq!(hash("ab"), Err(ParseTypeHashError::Length(2)));
        assert_eq!(hash(&"a".repeat(65)), Err(ParseTypeHashError::Length(65)));
        assert_eq!(hash(&"g".repeat(64)), Err(ParseTypeHashError::Digit));
        assert_eq!(hash(&"é".repeat(32)), Err(ParseTypeHashError::Digit));
    }
}
