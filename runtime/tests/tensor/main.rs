//! Tensors, images and point clouds in messages: right ones are read where they lie, wrong ones are refused.

#![forbid(unsafe_code)] // what the derive emits has to pass
#![allow(clippy::unwrap_used)]
#![allow(clippy::float_cmp)] // numbers are read, not computed
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small numbers, seen to be

mod builders;
mod clouds;
#[cfg(feature = "image")]
mod compressed;
#[cfg(feature = "image")]
mod depth;
mod images;
#[cfg(any(feature = "half", feature = "ndarray"))]
mod interop;
mod messages;
#[cfg(feature = "image")]
mod pixels;
mod random;
mod reference;
mod tensors;
