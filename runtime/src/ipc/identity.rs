//! Who an engine is, and where it is found: the metadata of its endpoints.
//!
//! `1.<engine id>.<socket name>`, both 32 lower-case hexadecimal digits. Publishers and subscriptions of one engine say the
//! same. An id is random and never used again, so neither a process id nor a restart can make two engines look alike.

use core::fmt;
use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

use super::socket::SocketName;

const VERSION: &str = "1";
const DIGITS: usize = 32;
/// Bytes of all parts that there are today.
const TEXT: usize = VERSION.len() + 2 * (1 + DIGITS);

/// The identity of an engine.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EngineId(pub(crate) [u8; 16]);

impl fmt::Debug for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

/// Identity and address of an engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    pub(crate) engine: EngineId,
    pub(crate) socket: SocketName,
}

impl Identity {
    /// A new one, from the kernel's random numbers.
    pub(crate) fn random() -> io::Result<Self> {
        Ok(Self {
            engine: EngineId(random()?),
            socket: SocketName(random()?),
        })
    }

    /// `None` if the text has not this form, or is of another version. Done for each frame, so without a search.
    pub(crate) fn parse(metadata: &str) -> Option<Self> {
        let (head, rest) = metadata.as_bytes().split_first_chunk::<TEXT>()?;
        // More parts may follow in a later version that can still be spoken to.
        let ends = rest.first().is_none_or(|next| *next == b'.');
        let (version, ids) = head.split_at(VERSION.len());
        let (engine, socket) = ids.split_at(1 + DIGITS);
        let (b'.', b'.', true) = (engine[0], socket[0], ends && version == VERSION.as_bytes())
        else {
            return None;
        };
        Some(Self {
            engine: EngineId(parse_hex(&engine[1..])?),
            socket: SocketName(parse_hex(&socket[1..])?),
        })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}.{}.", self.engine)?;
        write_hex(&self.socket.0, f)
    }
}

fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    let got = getrandom(&mut bytes, GetRandomFlags::empty())?;
    if got == bytes.len() {
        Ok(bytes)
    } else {
        Err(io::Error::other("the kernel gave too few random bytes"))
    }
}

fn write_hex(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn parse_hex(text: &[u8]) -> Option<[u8; 16]> {
    let (mut bytes, mut seen) = ([0; 16], 0);
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = (VALUES[usize::from(pair[0])], VALUES[usize::from(pair[1])]);
        seen |= high | low;
        *byte = high << 4 | low & 0xF;
    }
    (seen < 16).then_some(bytes)
}

/// What each character is worth as a digit; 255 is none. A table, since which digits come cannot be foreseen by the processor.
const VALUES: [u8; 256] = {
    let (digits, mut values, mut value) = (b"0123456789abcdef", [u8::MAX; 256], 0u8);
    while (value as usize) < digits.len() {
        values[digits[value as usize] as usize] = value;
        value += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn metadata_there_and_back() {
        let identity = Identity::random().unwrap();
        let text = identity.to_string();
        assert_eq!(text.len(), 2 + 32 + 1 + 32);
        assert_eq!(Identity::parse(&text), Some(identity));
        assert_eq!(Identity::parse(&format!("{text}.more")), Some(identity));
        assert_ne!(Identity::random().unwrap().engine, identity.engine);
    }

    #[test]
    fn other_texts_are_nobody() {
        let id = "0".repeat(32);
        for text in [
            String::new(),
            "1".to_owned(),
            format!("1.{id}"),
            format!("2.{id}.{id}"),
            format!("1.{id}0.{id}"),
            format!("1.{}.{id}", "g".repeat(32)),
            format!("1.{}.{id}", "A".repeat(32)),
            format!("1.{}.{id}", "é".repeat(16)),
            format!("1.{id}.{id}0"),
            format!("1.{id}-{id}"),
            format!("1-{id}.{id}"),
        ] {
            assert_eq!(Identity::parse(&text), None, "{text}");
        }
    }
}
