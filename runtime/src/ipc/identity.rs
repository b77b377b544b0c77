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

    /// `None` if the text has not this form, or is of another version.
    pub(crate) fn parse(metadata: &str) -> Option<Self> {
        let mut parts = metadata.split('.');
        let version = parts.next()?;
        let engine = parse_hex(parts.next()?)?;
        let socket = parse_hex(parts.next()?)?;
        // More parts may follow in a later version that can still be spoken to.
        (version == VERSION).then_some(Self {
            engine: EngineId(engine),
            socket: SocketName(socket),
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

fn parse_hex(text: &str) -> Option<[u8; 16]> {
    if text.len() != DIGITS {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

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
        ] {
            assert_eq!(Identity::parse(&text), None, "{text}");
        }
    }
}
