//! Memory that processes share, whatever the memory is: how a block is announced, counted, handed over and got back.
//!
//! Floors, from below: [`atomic`] (the one door to shared counters) → [`cell`] (who refers to a block) → [`lease`] (memory
//! that holds the cells) · [`wire`] (messages between two processes) · [`socket`] (how they travel, with file descriptors) ·
//! [`memory`] (what a kind of memory has to offer) → [`block`], `readers`, `pool` (what we share) · [`imports`], `writers`
//! (what others share with us) → `service` (the thread that connects them) → [`engine`]. Nothing here knows what the
//! memory is. `docs/shared-memory.md` tells the life of a block.
//!
//! A build for loom has `atomic` and `cell` only: what loom checks cannot lie in mapped memory.

pub(crate) mod atomic;
pub(crate) mod cell;

// What loom does not check.
macro_rules! modules {
    ($($(#[$meta:meta])* $vis:vis mod $name:ident;)*) => {$(
        #[cfg(not(all(test, loom)))]
        $(#[$meta])*
        $vis mod $name;
    )*};
}

modules! {
    pub(crate) mod block;
    pub(crate) mod config;
    pub(crate) mod engine;
    pub(crate) mod identity;
    pub(crate) mod imports;
    #[allow(unsafe_code)] // mappings, and atomics in them
    pub(crate) mod lease;
    pub(crate) mod memory;
    mod pool;
    mod readers;
    mod service;
    #[allow(unsafe_code)] // two socket options that rustix does not offer
    pub(crate) mod socket;
    pub(crate) mod stats;
    pub(crate) mod ticket;
    pub(crate) mod wire;
    mod writers;
}
