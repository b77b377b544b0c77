//! The messages between a reader's process and a writer's, as bytes.
//!
//! A reader greets with `Hello`; the writer answers `Welcome` (with the lease) or `Refused`. `Common` comes right behind the
//! `Welcome` if all blocks of this kind of memory have something in common. Then the writer sends `Block`
//! (with the block's file) before it describes a block for the first time, and `Retire` when the block is gone; a reader that
//! dropped a block asks with `Need`, one that could not map it says `Failed`. Each message is one packet: a byte for its kind, then its fields, little endian,
//! nothing after them. The greetings carry magic and version; they and `Refused` keep their form in all versions.
//! No I/O here. Whatever bytes come in, `parse` gives a message whose fields are in range, or an error.

use std::fmt;
use std::io;

/// No message is longer, in bytes.
pub(crate) const MAX_MESSAGE: usize = 256;
/// Version of this protocol; both sides must speak the same.
pub(crate) const VERSION: u16 = 1;

const MAGIC: [u8; 4] = *b"RBuf";

const HELLO: u8 = 0x01;
const NEED: u8 = 0x02;
const FAILED: u8 = 0x03;
const WELCOME: u8 = 0x81;
const BLOCK: u8 = 0x82;
const RETIRE: u8 = 0x83;
const REFUSED: u8 = 0x84;
const COMMON: u8 = 0x85;

/// From a reader's process to a writer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToWriter {
    /// The first message: the engine id of the reader's process.
    Hello { reader: [u8; 16] },
    /// The reader does not have this block's file any more.
    Need { block: u64 },
    /// The block came and could not be mapped: no file descriptor left, as a rule.
    Failed { block: u64 },
}

/// From a writer's process to a reader's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToReader {
    /// Answer to `Hello`: the engine id of the writer's process. The lease comes with it.
    Welcome { writer: [u8; 16] },
    /// What all blocks have in common, before any block. Its file comes with it.
    Common,
    /// A block of `size` bytes. Its file comes with it.
    Block { block: u64, size: u64, extra: Extra },
    /// The block will not be described again.
    Retire { block: u64 },
    /// Answer to `Hello`: there will be no lease.
    Refused { reason: Refusal },
}

/// Why a writer does not let a reader in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The reader runs as a user that is not allowed.
    User,
    /// The reader speaks another version.
    Version,
    /// The writer has as many readers as it can serve.
    Readers,
    /// The writer has no memory or file descriptor left for a lease.
    Resources,
    /// A reader with this engine id is connected already.
    Duplicate,
}

impl Refusal {
    const ALL: [(u8, Self); 5] = [
        (1, Self::User),
        (2, Self::Version),
        (3, Self::Readers),
        (4, Self::Resources),
        (5, Self::Duplicate),
    ];
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => {
                "the writer does not allow this user; allow it there or run both as one user"
            }
            Self::Version => "the writer speaks another version; build both with the same version",
            Self::Readers => "the writer has as many readers as it can serve",
            Self::Resources => "the writer has no memory or file descriptor left; raise its limits",
            Self::Duplicate => "the writer has a reader with this engine id already",
        })
    }
}

/// What a kind of memory sends beside a block's file: at most [`Self::MAX`] bytes.
#[derive(Clone, Copy)]
pub(crate) struct Extra {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Extra {
    pub(crate) const MAX: usize = 128;
    pub(crate) const EMPTY: Self = Self {
        bytes: [0; Self::MAX],
        len: 0,
    };

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl TryFrom<&[u8]> for Extra {
    type Error = WireError;

    fn try_from(from: &[u8]) -> Result<Self, WireError> {
        let len = u8::try_from(from.len())
            .ok()
            .filter(|_| from.len() <= Self::MAX);
        let len = len.ok_or(WireError::Field {
            field: "extra",
            value: from.len() as u64,
        })?;
        let mut extra = Self { len, ..Self::EMPTY };
        extra.bytes[..from.len()].copy_from_slice(from);
        Ok(extra)
    }
}

impl<const N: usize> From<[u8; N]> for Extra {
    /// That the length fits is checked when this is compiled.
    #[allow(clippy::cast_possible_truncation)] // at most 128
    fn from(from: [u8; N]) -> Self {
        const { assert!(N <= Self::MAX) };
        let mut extra = Self::EMPTY;
        extra.bytes[..N].copy_from_slice(&from);
        extra.len = N as u8;
        extra
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Extra {}

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    #[error("no message of this direction is of kind {0:#04x}")]
    Kind(u8),
    #[error("the message ends before its field `{0}`")]
    Short(&'static str),
    #[error("the message goes on for {0} bytes after its last field")]
    Long(usize),
    #[error(
        "the greeting does not begin with the magic of this protocol; something else is using the socket"
    )]
    Magic,
    #[error(
        "the peer speaks version {0}, this process version {VERSION}; build both with the same version"
    )]
    Version(u16),
    #[error("the field `{field}` has the value {value}, which is out of its range")]
    Field { field: &'static str, value: u64 },
}

impl From<WireError> for io::Error {
    fn from(error: WireError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

impl ToWriter {
    /// Writes the message; gives its length.
    pub(crate) fn write(&self, out: &mut [u8; MAX_MESSAGE]) -> usize {
        match self {
            Self::Hello { reader } => Writer::new(out, HELLO).greeting().bytes(reader).len,
            Self::Need { block } => Writer::new(out, NEED).u64(*block).len,
            Self::Failed { block } => Writer::new(out, FAILED).u64(*block).len,
        }
    }

    /// Reads one whole message.
    pub(crate) fn parse(message: &[u8]) -> Result<Self, WireError> {
        let mut from = Reader(message);
        let message = match from.u8("kind")? {
            HELLO => {
                from.greeting()?;
                Self::Hello {
                    reader: from.array("reader")?,
                }
            }
            NEED => Self::Need {
                block: from.u64("block")?,
            },
            FAILED => Self::Failed {
                block: from.u64("block")?,
            },
            kind => return Err(WireError::Kind(kind)),
        };
        from.end()?;
        Ok(message)
    }
}

impl ToReader {
    /// Writes the message; gives its length.
    pub(crate) fn write(&self, out: &mut [u8; MAX_MESSAGE]) -> usize {
        match self {
            Self::Welcome { writer } => Writer::new(out, WELCOME).greeting().bytes(writer).len,
            Self::Common => Writer::new(out, COMMON).len,
            Self::Block { block, size, extra } => {
                let out = Writer::new(out, BLOCK).u64(*block).u64(*size);
                out.bytes(&[extra.len]).bytes(extra.as_slice()).len
            }
            Self::Retire { block } => Writer::new(out, RETIRE).u64(*block).len,
            Self::Refused { reason } => {
                let byte = Refusal::ALL.iter().find(|(_, of)| of == reason);
                Writer::new(out, REFUSED)
                    .bytes(&[byte.map_or(0, |(byte, _)| *byte)])
                    .len
            }
        }
    }

    /// Reads one whole message.
    pub(crate) fn parse(message: &[u8]) -> Result<Self, WireError> {
        let mut from = Reader(message);
        let message = match from.u8("kind")? {
            WELCOME => {
                from.greeting()?;
                Self::Welcome {
                    writer: from.array("writer")?,
                }
            }
            COMMON => Self::Common,
            BLOCK => {
                let block = from.u64("block")?;
                let size = from.u64("size")?;
                if size == 0 || isize::try_from(size).is_err() {
                    return Err(WireError::Field {
                        field: "size",
                        value: size,
                    });
                }
                let len = from.u8("extra")?;
                let extra = Extra::try_from(from.bytes("extra", usize::from(len))?)?;
                Self::Block { block, size, extra }
            }
            RETIRE => Self::Retire {
                block: from.u64("block")?,
            },
            REFUSED => {
                let byte = from.u8("reason")?;
                let reason = Refusal::ALL.iter().find(|(of, _)| *of == byte);
                let &(_, reason) = reason.ok_or(WireError::Field {
                    field: "reason",
                    value: byte.into(),
                })?;
                Self::Refused { reason }
            }
            kind => return Err(WireError::Kind(kind)),
        };
        from.end()?;
        Ok(message)
    }
}

/// Appends fields; the longest message, a block with all extra bytes, has 146.
struct Writer<'a> {
    out: &'a mut [u8; MAX_MESSAGE],
    len: usize,
}

impl<'a> Writer<'a> {
    fn new(out: &'a mut [u8; MAX_MESSAGE], kind: u8) -> Self {
        Self { out, len: 0 }.bytes(&[kind])
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        let end = self.len + bytes.len();
        self.out[self.len..end].copy_from_slice(bytes);
        self.len = end;
        self
    }

    fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    fn greeting(self) -> Self {
        self.bytes(&MAGIC).bytes(&VERSION.to_le_bytes())
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], WireError> {
        let (bytes, rest) = self
            .0
            .split_at_checked(len)
            .ok_or(WireError::Short(field))?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(WireError::Short(field))?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn u8(&mut self, field: &'static str) -> Result<u8, WireError> {
        self.array(field).map(u8::from_le_bytes)
    }

    fn u64(&mut self, field: &'static str) -> Result<u64, WireError> {
        self.array(field).map(u64::from_le_bytes)
    }

    fn greeting(&mut self) -> Result<(), WireError> {
        if self.array("magic")? != MAGIC {
            return Err(WireError::Magic);
        }
        match u16::from_le_bytes(self.array("version")?) {
            VERSION => Ok(()),
            other => Err(WireError::Version(other)),
        }
    }

    fn end(&self) -> Result<(), WireError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(WireError::Long(self.0.len()))
        }
    }
}

#[cfg(test)]
mod tests;
