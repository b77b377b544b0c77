//! Memory that processes share, whatever the memory is: how a block is announced, counted, handed over and got back.
//!
//! Floors, from below: [`atomic`] (the one door to shared counters) → [`cell`] (who refers to a block) → [`lease`] (memory
//! that holds the cells) · [`wire`] (messages between two processes) · [`socket`] (how they travel, with file descriptors) ·
//! [`memory`] (what a kind of memory has to offer) → [`block`], `readers`, `pool` (what we share) · [`imports`], `writers`
//! (what others share with us) → `service` (the thread that connects them) · `watch` (the thread that learns of ends) →
//! [`engine`]. Nothing here knows what the memory is. `docs/shared-memory.md` tells the life of a block.
//!
//! Beside a cell may stand a [`word`], where what a block holds is written only after it was announced. A build for loom has `atomic`,
//! `cell` and `word` only: what loom checks cannot lie in mapped memory.

pub(crate) mod atomic;
pub(crate) mod cell;
#[cfg(any(test, feature = "cuda"))]
pub(crate) mod word;

// What loom does not check. One attribute each: rustfmt does not find modules in a macro.
#[cfg(not(all(test, loom)))]
pub(crate) mod block;
#[cfg(not(all(test, loom)))]
pub(crate) mod config;
#[cfg(not(all(test, loom)))]
pub(crate) mod engine;
#[cfg(not(all(test, loom)))]
pub(crate) mod identity;
#[cfg(not(all(test, loom)))]
pub(crate) mod imports;
#[cfg(not(all(test, loom)))]
#[allow(unsafe_code)] // mappings, and atomics in them
pub(crate) mod lease;
#[cfg(not(all(test, loom)))]
pub(crate) mod memory;
#[cfg(not(all(test, loom)))]
pub(crate) mod pool;
#[cfg(not(all(test, loom)))]
mod readers;
#[cfg(not(all(test, loom)))]
mod service;
#[cfg(not(all(test, loom)))]
#[allow(unsafe_code)] // two socket options that rustix does not offer
pub(crate) mod socket;
#[cfg(not(all(test, loom)))]
pub(crate) mod stats;
#[cfg(not(all(test, loom)))]
pub(crate) mod ticket;
#[cfg(not(all(test, loom)))]
mod watch;
#[cfg(not(all(test, loom)))]
pub(crate) mod wire;
#[cfg(not(all(test, loom)))]
mod writers;
