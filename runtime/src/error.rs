//! One error type per kind of operation: buffers, backends, bounds, encoding, decoding.
//!
//! Encoding and decoding errors name the field by its path from the message (`header.stamp.sec`, `fields[2].name`),
//! what was wrong there, and for decoding the byte offset. They are built only when something failed.

use core::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Why the content of a buffer could not be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BufferError {
    /// The storage's length is no whole number of elements.
    #[error(
        "storage of {bytes} bytes in backend `{backend}` does not hold a whole number of elements of {element} bytes"
    )]
    NotWhole {
        /// The backend's name.
        backend: String,
        /// Length of the storage in bytes.
        bytes: usize,
        /// Size of one element in bytes.
        element: usize,
    },
    /// Copying to or from the backend's memory failed.
    #[error("backend `{backend}` could not {operation}")]
    Backend {
        /// The backend's name.
        backend: String,
        /// What was tried, such as `copy 1024 bytes to the host`.
        operation: String,
        /// The backend's own error.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Why a backend could not hand memory over, or take what was handed over.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BackendError {
    /// A descriptor whose fields contradict each other or the memory that they name; the text says which.
    #[error(
        "the descriptor is not valid: {0}; publisher and subscriber must use the same version of the backend"
    )]
    Malformed(String),
    /// The memory was there, but this process came too late for it.
    #[error(transparent)]
    Lost(#[from] Loss),
    /// The process that owns the memory is not connected, or no longer; the text says which, and why.
    #[error("no connection to the process that owns the memory: {0}")]
    Disconnected(String),
    /// The backend does not work on this host or in this process; the text says what is missing and what to do.
    #[error("the backend cannot be used here: {0}")]
    Unavailable(String),
    /// A limit of the backend is reached; the text says which, and how to raise it.
    #[error("a limit of the backend is reached: {0}")]
    Limit(String),
    /// The process was forked after the backend was started.
    #[error(
        "this process was forked after the backend was started, and has no share in its memory; start a backend of its own in the child"
    )]
    Forked,
    /// The operating system refused something.
    #[error("could not {operation}: {cause}")]
    Io {
        /// What was tried, such as `map block 3 of 4096 bytes`.
        operation: String,
        /// The system's error.
        cause: Cause,
    },
    /// Any other error of a backend.
    #[error("{0}")]
    Other(Cause),
}

impl BackendError {
    /// As [`Io`](Self::Io); `operation` stands behind "could not".
    #[cold]
    pub fn io(operation: impl Into<String>, cause: std::io::Error) -> Self {
        Self::Io {
            operation: operation.into(),
            cause: Cause::new(cause),
        }
    }

    /// As [`Other`](Self::Other): an error of the backend's own, or a text.
    #[cold]
    pub fn other(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(Cause::new(cause))
    }
}

/// Why the content that a descriptor stood for is gone. One sample is lost; the next is not affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Loss {
    /// The descriptor was on its way for longer than the writer waits.
    #[error(
        "the sample is lost: its descriptor arrived after the writer's deadline; raise the writer's deadline if readers take samples late"
    )]
    Expired,
    /// The memory holds other content by now.
    #[error(
        "the sample is lost: its memory was used again before the descriptor arrived; each descriptor can be taken once, before the writer's deadline"
    )]
    Reused,
    /// The writer's process ended before the content was written.
    #[error(
        "the sample is lost: the process that wrote it ended before it was done; the next writer's samples are not affected"
    )]
    Unfinished,
}

/// The error beneath another: shared, so that both can be cloned, and equal to its own clones only.
#[derive(Debug, Clone, Error)]
#[error(transparent)]
pub struct Cause(Arc<dyn std::error::Error + Send + Sync>);

impl Cause {
    /// Keeps `cause`.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(Arc::from(cause.into()))
    }

    /// The error itself, to be downcast.
    pub fn get(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Cause {}

/// Why a backend was not registered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The name cannot stand on the wire.
    #[error(
        "`{0}` cannot be the name of a backend: a name is made of the letters a to z, digits and `_`, and there is at least one"
    )]
    Name(String),
    /// `cpu` is what every process has.
    #[error("`cpu` stands for bytes in the message itself; a backend needs another name")]
    Reserved,
    /// There is a backend of that name already.
    #[error("a backend `{0}` is registered already")]
    Duplicate(String),
}

/// Why a pool gave no block.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum AllocateError {
    /// All blocks are in use and the pool may not grow.
    #[error(
        "no block of {asked} bytes: all of the {blocks} blocks ({bytes} bytes; at most {limit}) are in use here or by readers; wait, drop older frames or raise the pool's limit"
    )]
    Exhausted {
        /// Bytes asked for.
        asked: u64,
        /// Blocks of the pool.
        blocks: usize,
        /// Bytes of these blocks.
        bytes: u64,
        /// Bytes that the pool may have.
        limit: u64,
    },
    /// The pool may never have that much.
    #[error(
        "a block of {asked} bytes is more than the pool's limit of {limit} bytes; raise the limit"
    )]
    TooLarge {
        /// Bytes asked for.
        asked: u64,
        /// Bytes that the pool may have.
        limit: u64,
    },
    /// The system gave no memory.
    #[error("no memory for a block of {asked} bytes")]
    Memory {
        /// Bytes asked for.
        asked: u64,
        /// The system's error; out of file descriptors is one of them.
        #[source]
        source: std::sync::Arc<std::io::Error>,
    },
    /// The process was forked after the pool was made.
    #[error(
        "this process was forked after the backend was started, and has no share in its memory; start a backend of its own in the child"
    )]
    Forked,
}

/// A string or sequence is longer than its interface allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what} of length {len} exceeds the bound {bound}")]
pub struct BoundError {
    /// `"string"`, `"wstring"` or `"sequence"`.
    pub what: &'static str,
    /// Actual length: elements of a sequence, Unicode code points of a string.
    pub len: usize,
    /// Largest length allowed.
    pub bound: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Field(&'static str),
    Index(usize),
}

/// Where in a message: `header.stamp.sec`, `fields[2].name`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Path {
    message: &'static str,
    steps: Vec<Step>, // innermost first
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.message.is_empty() {
            "message"
        } else {
            self.message
        })?;
        for step in self.steps.iter().rev() {
            match step {
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Why a message could not be encoded.
#[derive(Debug, Error)]
#[error("cannot encode {path}: {kind}")]
pub struct EncodeError {
    path: Box<Path>,
    kind: Box<EncodeErrorKind>,
}

/// What went wrong while encoding.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EncodeErrorKind {
    /// The wire counts elements in 32 bits.
    #[error("{0} elements do not fit the 32-bit count of CDR")]
    TooLong(usize),
    /// A bound of the interface is exceeded.
    #[error(transparent)]
    Bound(#[from] BoundError),
    /// The bytes of a buffer could not be brought to the host.
    #[error(transparent)]
    Buffer(#[from] BufferError),
    /// A backend could not describe the memory of a buffer.
    #[error("backend `{backend}`: {cause}")]
    Backend {
        /// The backend's name.
        backend: String,
        /// The backend's own error.
        cause: BackendError,
    },
}

impl EncodeError {
    /// What went wrong.
    pub fn kind(&self) -> &EncodeErrorKind {
        &self.kind
    }

    /// The field, from the message down: `sensor_msgs/msg/Image.data`.
    pub fn field(&self) -> String {
        self.path.to_string()
    }

    #[doc(hidden)]
    #[cold]
    #[must_use]
    pub fn in_field(mut self, name: &'static str) -> Self {
        self.path.steps.push(Step::Field(name));
        self
    }

    #[cold]
    pub(crate) fn in_index(mut self, index: usize) -> Self {
        self.path.steps.push(Step::Index(index));
        self
    }

    #[cold]
    pub(crate) fn in_message(mut self, name: &'static str) -> Self {
        self.path.message = name;
        self
    }
}

impl<K: Into<EncodeErrorKind>> From<K> for EncodeError {
    #[cold]
    fn from(kind: K) -> Self {
        Self {
            path: Box::default(),
            kind: Box::new(kind.into()),
        }
    }
}

/// Why bytes are not the message that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot decode {}: {} (at byte {} of the body)", .0.path, .0.kind, .0.offset)]
pub struct DecodeError(Box<DecodeFault>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct DecodeFault {
    path: Path,
    offset: usize,
    kind: DecodeErrorKind,
}

/// What went wrong while decoding.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The 4-byte encapsulation header is missing or names an encoding other than plain CDR.
    #[error("{0}")]
    Encapsulation(String),
    /// The message goes on, the bytes do not.
    #[error("{needed} bytes needed, {left} left")]
    Truncated {
        /// Bytes that the value needs.
        needed: u64,
        /// Bytes that are there.
        left: usize,
    },
    /// A count that the rest of the payload cannot hold.
    #[error("a sequence of {count} elements needs at least {needed} bytes, {left} left")]
    Count {
        /// Number of elements announced.
        count: u32,
        /// The least number of bytes that so many elements take.
        needed: u64,
        /// Bytes that are there.
        left: usize,
    },
    /// Sequences in sequences that together announce more than the payload can hold.
    #[error("{count} elements inside other sequences are more than the payload can hold")]
    Nested {
        /// Number of elements announced.
        count: usize,
    },
    /// A boolean that is neither 0 nor 1.
    #[error("{0} is not a boolean, 0 or 1 expected")]
    Bool(u8),
    /// A string whose bytes are not UTF-8.
    #[error("the string is not UTF-8 from its byte {0} on")]
    Utf8(usize),
    /// A wide character that does not fit a UTF-16 code unit.
    #[error("{0:#x} is not a UTF-16 code unit")]
    WideChar(u32),
    /// A wide string that is read as a Rust string holds half a surrogate pair.
    #[error("the wide string is not UTF-16: surrogate {0:#06x} has no partner")]
    Surrogate(u16),
    /// A bound of the interface is exceeded.
    #[error(transparent)]
    Bound(#[from] BoundError),
    /// The payload names memory of a backend that this process cannot import.
    #[error(
        "the bytes lie in memory of backend `{0}`, which is not available here; ask the publisher for CPU bytes"
    )]
    UnknownBackend(String),
    /// A backend could not give the memory that a descriptor stands for.
    #[error("backend `{backend}`: {cause}")]
    Backend {
        /// The backend's name.
        backend: String,
        /// The backend's own error.
        cause: BackendError,
    },
    /// A descriptor where there can be none: only `uint8[]` without a bound is a buffer in ROS 2, and a descriptor is not
    /// described itself.
    #[error(
        "the bytes lie in memory of backend `{0}`, but this field is no buffer in ROS 2: only `uint8[]` without a bound, a `Buffer<u8>` here, may be elsewhere; the publisher has to send bytes"
    )]
    NoBuffer(String),
}

impl DecodeError {
    #[cold]
    pub(crate) fn new(offset: usize, kind: impl Into<DecodeErrorKind>) -> Self {
        Self(Box::new(DecodeFault {
            path: Path::default(),
            offset,
            kind: kind.into(),
        }))
    }

    /// What went wrong.
    pub fn kind(&self) -> &DecodeErrorKind {
        &self.0.kind
    }

    /// Whether there were too few bytes.
    pub(crate) fn is_short(&self) -> bool {
        use DecodeErrorKind::{Count, Nested, Truncated};
        matches!(self.kind(), Truncated { .. } | Count { .. } | Nested { .. })
    }

    /// The field, from the message down: `sensor_msgs/msg/Image.header.frame_id`.
    pub fn field(&self) -> String {
        self.0.path.to_string()
    }

    /// Byte offset from the start of the body, which follows the 4-byte encapsulation header.
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    #[doc(hidden)]
    #[cold]
    #[must_use]
    pub fn in_field(mut self, name: &'static str) -> Self {
        self.0.path.steps.push(Step::Field(name));
        self
    }

    #[cold]
    pub(crate) fn in_index(mut self, index: usize) -> Self {
        self.0.path.steps.push(Step::Index(index));
        self
    }

    #[cold]
    pub(crate) fn in_message(mut self, name: &'static str) -> Self {
        self.0.path.message = name;
        self
    }
}
