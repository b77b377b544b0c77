//! Every message of the golden data as a generated type, and a way through each by its name.
//!
//! The tests of this crate compare with what real ROS 2 nodes and tools said: `data/rihs01.tsv` holds type hashes by
//! ROS 2's own generator, `data/cdr_vectors.jsonl` encodings by real nodes. `examples/cdr_peer.rs` lets other programs
//! talk to the same types.

pub mod big_endian;
mod views;

use std::fmt::{Debug, Write as _};

use rosidl_buffer_runtime::{Action, Message, Service, TypeDescription, TypeHash, cdr};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The generated packages.
#[allow(missing_docs)]
pub mod ros {
    include!(concat!(env!("OUT_DIR"), "/interfaces.rs"));
}

include!(concat!(env!("OUT_DIR"), "/codecs.rs"));

/// Errors as text: the tests only print them.
pub type Result<T> = std::result::Result<T, String>;

/// What can be done with a message whose type is known by name only.
#[derive(Clone, Copy)]
pub struct Codec {
    /// Full name, such as `std_msgs/msg/String`.
    pub name: &'static str,
    /// The hash by ROS 2's own generator.
    pub golden_hash: &'static str,
    /// The hash that the generator wrote into the code; of types that ROS 2 adds, the computed one.
    pub hash: fn() -> TypeHash,
    /// The description that the derive put together.
    pub describe: fn() -> TypeDescription,
    /// The encoding of a value given as JSON.
    pub encode: fn(Value) -> Result<Vec<u8>>,
    /// The value of an encoding, as JSON.
    pub decode: fn(&[u8]) -> Result<Value>,
    /// Whether the bytes decode to the value, compared as Rust values.
    pub decodes_to: fn(&[u8], Value) -> Result<bool>,
    /// Decodes and drops, from a payload that buffers may borrow.
    pub try_decode: fn(bytes::Bytes) -> Result<()>,
    /// Makes a view of the bytes and drops it.
    pub try_view: fn(&[u8]) -> Result<()>,
    /// Compares a view of the bytes with what they decode to, values and errors.
    pub check_view: fn(&[u8]) -> Result<()>,
    /// Decodes and, if that can be done, encodes and decodes again; the error is what was lost on the way.
    pub round_trip: fn(&[u8]) -> Result<()>,
    /// The encoding of the default value.
    pub encode_default: fn() -> Result<Vec<u8>>,
}

const fn codec<M>(golden_hash: &'static str) -> Codec
where
    M: Message + Serialize + DeserializeOwned + Default + PartialEq + Debug,
{
    Codec {
        name: M::TYPE_NAME,
        golden_hash,
        hash: M::type_hash,
        describe: <M as Message>::type_description,
        encode: |value| encode(&M::deserialize(value).map_err(text)?),
        decode: |bytes| serde_json::to_value(cdr::decode::<M>(bytes).map_err(text)?).map_err(text),
        decodes_to: |bytes, value| {
            Ok(cdr::decode::<M>(bytes).map_err(text)? == M::deserialize(value).map_err(text)?)
        },
        try_decode: |payload| cdr::decode_payload::<M>(payload).map(drop).map_err(text),
        try_view: |bytes| cdr::view::<M>(bytes).map(drop).map_err(text),
        check_view: views::check::<M>,
        round_trip: round_trip::<M>,
        encode_default: || encode(&M::default()),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn round_trip<M: Message>(bytes: &[u8]) -> Result<()> {
    let Ok(decoded) = cdr::decode::<M>(bytes) else {
        return Ok(());
    };
    let encoded = encode(&decoded)?;
    // Compared as bytes: a number that is none equals nothing, itself included.
    let again = encode(&cdr::decode::<M>(&encoded).map_err(text)?)?;
    if encoded == again {
        return Ok(());
    }
    Err(format!("{} became {}", to_hex(&encoded), to_hex(&again)))
}

fn encode<M: Message>(message: &M) -> Result<Vec<u8>> {
    cdr::encode(message).map_err(text)
}

/// A service or an action.
#[derive(Clone, Copy)]
pub struct Marker {
    /// Full name, such as `std_srvs/srv/SetBool`.
    pub name: &'static str,
    /// The hash by ROS 2's own generator.
    pub golden_hash: &'static str,
    /// The hash that the generator wrote into the code; of services in actions, the computed one.
    pub hash: fn() -> TypeHash,
    /// The description that the derive put together.
    pub describe: fn() -> TypeDescription,
}

const fn service<S: Service>(golden_hash: &'static str) -> Marker {
    Marker {
        name: S::TYPE_NAME,
        golden_hash,
        hash: S::type_hash,
        describe: S::type_description,
    }
}

const fn action<A: Action>(golden_hash: &'static str) -> Marker {
    Marker {
        name: A::TYPE_NAME,
        golden_hash,
        hash: A::type_hash,
        describe: A::type_description,
    }
}

/// All services and actions of the golden data.
pub fn markers() -> &'static [Marker] {
    MARKERS
}

/// All messages of the golden data, those of services and actions included.
pub fn codecs() -> &'static [Codec] {
    CODECS
}

/// The message of that name.
pub fn find(name: &str) -> Option<&'static Codec> {
    CODECS.iter().find(|codec| codec.name == name)
}

/// Bytes from hexadecimal digits.
///
/// # Errors
/// When the text is something else.
pub fn from_hex(text: &str) -> Result<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| {
            let pair = text.get(at..at + 2).ok_or("odd number of digits")?;
            u8::from_str_radix(pair, 16).map_err(|error| format!("`{pair}`: {error}"))
        })
        .collect()
}

/// Hexadecimal digits of bytes.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The README's code, compiled and run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
