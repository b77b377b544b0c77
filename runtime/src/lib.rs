//! ROS 2 messages whose bytes may live in any memory.
//!
//! * [`Buffer`] is what a message holds where its interface has `uint8[]`.
//! * [`BufferMessage`] makes a message of a struct; generated code uses the same derive. [`Service`](macro@Service) and
//!   [`Action`](macro@Action) tie messages together.
//! * [`BufferBackend`] is memory that processes hand over to each other: [`BackendRegistry`] keeps backends by name, and with
//!   it [`cdr::encode_for`] writes descriptors in place of bytes.
//! * [`cdr`] turns messages into bytes and back, or reads them where they lie ([`cdr::view`]); [`Message`] gives name,
//!   type description and RIHS01 hash.
//! * [`tensor`] sees tensors in messages: elements, images and point clouds where they lie.
//!
//! ```
//! use rosidl_buffer_runtime::{Buffer, BufferMessage, Message, cdr};
//!
//! #[derive(Debug, Clone, PartialEq, BufferMessage)]
//! #[ros2(package = "demo_msgs")]
//! struct Frame {
//!     width: u32,
//!     height: u32,
//!     #[ros2(default = "rgb8")]
//!     encoding: String,
//!     data: Buffer<u8>,
//! }
//!
//! assert_eq!(Frame::TYPE_NAME, "demo_msgs/msg/Frame");
//! let frame = Frame { width: 2, height: 1, data: vec![0; 6].into(), ..Frame::default() };
//! assert_eq!(cdr::decode::<Frame>(&cdr::encode(&frame)?)?.encoding, "rgb8");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! * `cuda`: memory of NVIDIA's GPUs (Linux). The driver is opened at run time: a program that has the feature also works without it.
//! * `serde`: `Serialize` and `Deserialize` for every message; bytes as bytes, arrays of any length, bounds enforced.
//! * `half`: elements of tensors as `f16` and `bf16` of the crate `half`; `ndarray`: tensors as views of that crate.
//! * `dlpack`: tensors handed to array libraries (numpy, torch, JAX…) and taken from them, without a copy.
//! * `image`: compressed images (JPEG, PNG, depth) decoded and encoded, and images in the types of that crate.
//! * `tch`: tensors of torch, by the crate `tch` and libtorch 2.11 ([`tensor`], Linux).
//! * `conformance`: what every [`BufferBackend`] has to pass, for tests of backends.

#![deny(unsafe_code)]
#![cfg_attr(all(test, loom), allow(dead_code))] // what uses it is left out

extern crate self as rosidl_buffer_runtime;

pub mod action;
mod backend;
mod bounded;
mod buffer;
pub mod cdr;
#[cfg(feature = "conformance")]
pub mod conformance;
mod cpu;
#[cfg(all(target_os = "linux", feature = "cuda", not(all(test, loom))))]
pub mod cuda;
mod definition;
mod description;
#[allow(unsafe_code)] // memory seen as bytes
mod element;
mod error;
mod field;
#[cfg(all(fuzzing, target_os = "linux"))]
#[doc(hidden)]
pub mod fuzz;
mod graveyard;
mod host;
#[cfg(target_os = "linux")]
mod ipc;
mod message;
mod registry;
#[cfg(feature = "serde")]
#[doc(hidden)]
#[allow(missing_docs, clippy::missing_errors_doc)]
#[allow(unreachable_pub)]
mod serde_impl;
pub mod service;
#[cfg(all(target_os = "linux", not(all(test, loom))))]
pub mod shm;
pub mod tensor;
mod view;
mod well_known;
mod wstring;

#[doc(hidden)]
#[allow(missing_docs, clippy::missing_errors_doc)]
pub mod __private;

/// Keeps what the derive emits for serde.
#[cfg(feature = "serde")]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_serde {
    ($($tokens:tt)*) => { $($tokens)* };
}

/// Drops what the derive emits for serde.
#[cfg(not(feature = "serde"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_serde {
    ($($tokens:tt)*) => {};
}

pub use rosidl_buffer_derive::{Action, BufferMessage, Service};
pub use rosidl_type_description as type_description;
pub use rosidl_type_description::{TypeDescription, TypeHash, TypeSource};

pub use action::{Action, GeneratedAction};
pub use backend::{BufferBackend, Storage};
pub use bounded::{BoundedBuffer, BoundedSequence, BoundedString, BoundedWString};
pub use buffer::{AnyBuffer, Buffer};
pub use definition::part;
pub use element::Element;
pub use error::{
    AllocateError, BackendError, BoundError, BufferError, Cause, DecodeError, DecodeErrorKind,
    EncodeError, EncodeErrorKind, Loss, RegisterError,
};
pub use field::Field;
pub use host::{HostMapping, HostPool, HostWrite};
pub use message::{GeneratedMessage, Message};
pub use registry::{BackendRegistry, Peer};
pub use service::{GeneratedService, Service};
pub use view::{SeqIter, SeqRef, View, WStrRef};
pub use well_known::{ServiceEventInfoMessage, Time, TimeMessage, UuidMessage};
pub use wstring::WString;
