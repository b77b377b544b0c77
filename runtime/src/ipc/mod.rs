//! What every memory that processes share has in common: how a block is announced, counted, handed over and got back.
//!
//! Floors, from below: [`atomic`] (the one door to shared counters) → [`cell`] (who refers to a block) → [`lease`] (memory
//! that holds the cells) · [`wire`] (messages between two processes) · [`socket`] (how they travel, with descriptors) ·
//! [`memory`] (what a kind of memory has to offer). Nothing here knows what the memory is.
//!
//! A build for loom has `atomic` and `cell` only: what loom checks cannot lie in mapped memory.

pub(crate) mod atomic;
pub(crate) mod cell;
#[cfg(not(all(test, loom)))]
#[allow(unsafe_code)] // mappings, and atomics in them
pub(crate) mod lease;
#[cfg(not(all(test, loom)))]
pub(crate) mod memory;
#[cfg(not(all(test, loom)))]
#[allow(unsafe_code)] // two socket options that rustix does not offer
pub(crate) mod socket;
#[cfg(not(all(test, loom)))]
pub(crate) mod wire;
