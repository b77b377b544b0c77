//! Tensors that array libraries share: what goes out, what comes in, and how long the memory is kept.
//!
//! The other side is written here from DLPack's header, so that both sides do not make the same mistake.

#![cfg(feature = "dlpack")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod capsule;
mod foreign;
#[cfg(all(target_os = "linux", feature = "cuda", not(miri)))]
mod gpu;
mod lifetime;
#[allow(dead_code, reason = "the tensor of them is used")]
#[path = "../tensor/messages.rs"]
mod messages;
mod outgoing;
#[cfg(not(miri))] // there it takes ten minutes
mod random;
