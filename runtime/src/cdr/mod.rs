//! CDR, the encoding of ROS 2 messages on the wire: XCDR1, little and big endian in, little endian out.
//!
//! A message comes in, bytes go out, and back. Bytes are hostile until checked: every length is compared with what is
//! left before anything is allocated, and what a decoded message owns is at most eight times the size of its payload
//! (a string of one letter takes 8 bytes on the wire and 24 as a Rust `String`).
//! Source of the rules: OMG DDS-XTypes 1.3, 7.4.1 (PLAIN_CDR), and what `rmw_fastrtps_cpp`, `rmw_cyclonedds_cpp` and
//! `rmw_zenoh_cpp` write. Bytes after the message are ignored, because real ROS 2 payloads may carry a tail.
//!
//! ```
//! use rosidl_buffer_runtime::{Buffer, BufferMessage, cdr};
//!
//! #[derive(Debug, Clone, PartialEq, BufferMessage)]
//! #[ros2(package = "demo_msgs")]
//! struct Chunk {
//!     seq: u32,
//!     data: Buffer<u8>,
//! }
//!
//! let chunk = Chunk { seq: 1, data: Buffer::from(vec![7, 8]) };
//! let bytes = cdr::encode(&chunk)?;
//! assert_eq!(bytes, [0, 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 7, 8]);
//! assert_eq!(cdr::decode::<Chunk>(&bytes)?, chunk);
//!
//! let error = cdr::decode::<Chunk>(&bytes[..13]).unwrap_err();
//! assert_eq!(error.field(), "demo_msgs/msg/Chunk.data");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decoder;
mod encoder;
mod handover;

use bytes::Bytes;

pub use decoder::Decoder;
pub(crate) use decoder::Place;
pub use encoder::Encoder;
pub(crate) use encoder::align_up;
pub use handover::Described;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::registry::{BackendRegistry, Peer};
use crate::view::View;

/// Length in bytes of the encapsulation header.
pub const HEADER_LEN: usize = 4;

/// Smallest sequence of bytes that a received buffer borrows from its payload instead of copying it: a smaller borrow
/// would keep megabytes alive for little.
pub const BORROW_MIN: usize = 4096;

/// Largest length in bytes of an encoded buffer descriptor, its backend's name left out.
pub const DESCRIPTOR_MAX: usize = 4096;

/// What a descriptor takes with all that stands before it, unless it is unusually long.
const DESCRIPTOR_USUAL: usize = 256;

/// First word of a buffer descriptor, where a sequence has its count (`rosidl_typesupport_fastrtps`, buffer serialisation).
pub(crate) const DESCRIPTOR_MARKER: u32 = 0xFFFF_FFFF;
/// Second word of a buffer descriptor: "ROS2" from the high byte down.
pub(crate) const DESCRIPTOR_MAGIC: u32 = 0x524F_5332;

/// Exact length in bytes of the encoded message, encapsulation header included.
pub fn encoded_len<M: Message>(message: &M) -> usize {
    HEADER_LEN + message.end(0)
}

/// The message as little-endian XCDR1 behind its encapsulation header `00 01 00 00`; padding is zero.
///
/// # Errors
/// When a sequence does not fit the format or a buffer's memory cannot be read; the error names the field.
pub fn encode<M: Message>(message: &M) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    encode_into(message, &mut out)?;
    Ok(out)
}

/// As [`encode`], into a vector whose capacity is used again; what it held is cleared.
///
/// # Errors
/// As [`encode`]; `out` then holds no whole message.
pub fn encode_into<M: Message>(message: &M, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.clear();
    out.reserve_exact(encoded_len(message));
    out.extend_from_slice(&[0, 1, 0, 0]);
    message
        .encode(&mut Encoder::new(out))
        .map_err(|error| error.in_message(M::TYPE_NAME))
}

/// As [`encode_into`], for one peer: a buffer whose memory belongs to a backend that `registry` has and `peer` names is a
/// descriptor, if the backend can reach this peer; all else is bytes. The message must go to no one else.
///
/// The time and the memory that this takes do not depend on the size of buffers that go as descriptors. Only what is a
/// buffer in ROS 2 as well, `uint8[]` without a bound in a `Buffer<u8>`, ever does
/// ([`Field::HAS_ROS_BUFFERS`](crate::Field::HAS_ROS_BUFFERS)); a `Buffer<f32>` or a bounded one is bytes.
///
/// What comes back knows the descriptors: [`Described::sent`] when the message left, else they are retracted.
///
/// ```
/// use rosidl_buffer_runtime::{BackendRegistry, Buffer, BufferMessage, Peer, cdr};
///
/// #[derive(Clone, BufferMessage)]
/// #[ros2(package = "demo_msgs")]
/// struct Chunk { data: Buffer<u8> }
///
/// // Nothing is registered, so everything is bytes.
/// let (registry, peer) = (BackendRegistry::new(), Peer::new());
/// let mut bytes = Vec::new();
/// let described = cdr::encode_for(&Chunk { data: vec![7].into() }, &registry, &peer, &mut bytes)?;
/// assert_eq!(bytes, [0, 1, 0, 0, 1, 0, 0, 0, 7]);
/// assert_eq!(described.count(), 0);
/// // … the bytes are handed to the network …
/// described.sent();
/// # Ok::<(), rosidl_buffer_runtime::EncodeError>(())
/// ```
///
/// # Errors
/// As [`encode`], and when a backend cannot describe memory that is its own. Nothing stays described then, and `out` holds
/// no whole message.
pub fn encode_for<'a, M: Message>(
    message: &M,
    registry: &'a BackendRegistry,
    peer: &'a Peer,
    out: &mut Vec<u8>,
) -> Result<Described<'a>, EncodeError> {
    describe(message, registry, peer, out, true)
}

/// As [`encode_for`], for a peer that gets memory which the host cannot read in place as it is, or not in this way: where
/// there is no descriptor of that very memory, this stops at once. Nothing is ever copied to the host here, so this does not wait for a device.
///
/// # Errors
/// As [`encode_for`], and when such a buffer would have to be bytes, or the descriptor of a copy.
pub fn encode_uncopied_for<'a, M: Message>(
    message: &M,
    registry: &'a BackendRegistry,
    peer: &'a Peer,
    out: &mut Vec<u8>,
) -> Result<Described<'a>, EncodeError> {
    describe(message, registry, peer, out, false)
}

fn describe<'a, M: Message>(
    message: &M,
    registry: &'a BackendRegistry,
    peer: &'a Peer,
    out: &mut Vec<u8>,
    copies: bool,
) -> Result<Described<'a>, EncodeError> {
    let mut len = encoded_len(message);
    message.for_each_buffer(&mut |_, buffer| {
        let name = buffer.backend_type();
        if peer.metadata(name).is_some() && registry.contains(name) {
            len = len.saturating_sub(buffer.byte_len()) + DESCRIPTOR_USUAL;
        }
    });
    out.clear();
    out.reserve_exact(len);
    out.extend_from_slice(&[0, 1, 0, 0]);
    let mut described = Described::none(registry, peer);
    message
        .encode(&mut Encoder::for_peer(out, described.handover(copies)))
        .map_err(|error| error.in_message(M::TYPE_NAME))?;
    Ok(described)
}

/// A message from bytes that stay with the caller; everything is copied.
///
/// # Errors
/// When the bytes are not such a message; the error names the field and the offset.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, DecodeError> {
    Decoder::new(bytes, None)
        .and_then(|mut decoder| M::decode(&mut decoder))
        .map_err(|error| error.in_message(M::TYPE_NAME))
}

/// Checks the bytes of a message once and gives its fields where they lie: numbers by value, strings as `&str`, sequences
/// and arrays as [`SeqRef`](crate::SeqRef). Allocates nothing and copies no sequence; what [`decode`] refuses is refused.
///
/// The time this takes does not depend on the size of runs of numbers in native byte order.
///
/// ```
/// use rosidl_buffer_runtime::{Buffer, BufferMessage, View, cdr};
///
/// #[derive(Debug, Clone, BufferMessage)]
/// #[ros2(package = "demo_msgs", view)] // `view`: the view's type gets a name, `FrameRef`
/// struct Frame {
///     encoding: String,
///     data: Buffer<u8>,
/// }
///
/// let bytes = cdr::encode(&Frame { encoding: "mono8".into(), data: vec![7; 4].into() })?;
/// let frame: FrameRef = cdr::view::<Frame>(&bytes)?;
/// assert_eq!(frame.encoding, "mono8");
/// assert_eq!(frame.data.as_slice(), Some(&[7; 4][..])); // the bytes of `bytes`
///
/// fn brightest(frame: View<'_, Frame>) -> Option<u8> { // the same type by another name
///     frame.data.iter().max()
/// }
/// assert_eq!(brightest(frame), Some(7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A view cannot outlive its bytes:
/// ```compile_fail,E0505
/// # use rosidl_buffer_runtime::{BufferMessage, cdr};
/// # #[derive(Clone, BufferMessage)]
/// # #[ros2(package = "demo_msgs")]
/// # struct Name { name: String }
/// let bytes = vec![0, 1, 0, 0, 2, 0, 0, 0, b'x', 0];
/// let view = cdr::view::<Name>(&bytes).unwrap();
/// drop(bytes);
/// assert_eq!(view.name, "x");
/// ```
///
/// # Errors
/// When the bytes are not such a message: exactly [`decode`]'s error.
pub fn view<M: Message>(bytes: &[u8]) -> Result<View<'_, M>, DecodeError> {
    Decoder::new(bytes, None)
        .and_then(|mut decoder| M::view(&mut decoder))
        .map_err(|error| error.in_message(M::TYPE_NAME))
}

/// A message from a payload that it may keep: a buffer of at least [`BORROW_MIN`] bytes borrows them in place, if they
/// are aligned and in native byte order. The time this takes does not depend on the size of such buffers.
///
/// # Errors
/// When the bytes are not such a message; the error names the field and the offset.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the message may keep the payload"
)]
pub fn decode_payload<M: Message>(payload: Bytes) -> Result<M, DecodeError> {
    Decoder::new(&payload, Some(&payload))
        .and_then(|mut decoder| M::decode(&mut decoder))
        .map_err(|error| error.in_message(M::TYPE_NAME))
}

/// As [`decode_payload`], with backends: a buffer that came as a descriptor has the memory that it stands for.
///
/// That memory is held from now on, and given back when the buffer and its clones are dropped. When a message is refused,
/// what its descriptors before the wrong place stood for is given back at once; those behind it are not looked at, and
/// stay pending at their writer until its deadline.
///
/// # Errors
/// As [`decode_payload`], and when a backend is unknown or cannot give the memory of a descriptor.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the message may keep the payload"
)]
pub fn decode_payload_with<M: Message>(
    payload: Bytes,
    registry: &BackendRegistry,
) -> Result<M, DecodeError> {
    Decoder::new(&payload, Some(&payload))
        .and_then(|decoder| M::decode(&mut decoder.with_backends(registry)))
        .map_err(|error| error.in_message(M::TYPE_NAME))
}
