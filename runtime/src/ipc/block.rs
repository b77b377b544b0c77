//! A block: memory of its owner's pool, used again and again.
//!
//! One `Arc<Block>` stays in the pool; each further one is a use in this process. Which readers elsewhere use it stands in
//! the cells of their leases. The pool alone changes generation and length, while nobody else has the block.

use core::sync::atomic::{AtomicU64, Ordering};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::identity::EngineId;
use super::lease::ForkGuard;
use super::memory::Memory;
use super::ticket::Ticket;
use super::wire::Extra;

/// Memory that readers can be given.
pub(crate) struct Block<M: Memory> {
    /// The owner's mapping.
    pub(crate) memory: M::Block,
    /// What readers map.
    pub(crate) fd: OwnedFd,
    pub(crate) extra: Extra,
    /// Bytes, all of them.
    pub(crate) size: u64,
    pub(crate) engine: EngineId,
    pub(crate) id: u64,
    pub(crate) cell: u32,
    /// Where its memory lies.
    pub(crate) domain: u32,
    /// Where the data of each use begins, in memory that somebody else made; `None` for the pool's own.
    adopted: Option<u64>,
    generation: AtomicU64,
    len: AtomicU64,
    fork: Arc<ForkGuard>,
}

impl<M: Memory> Block<M> {
    pub(crate) fn new(
        memory: M::Block,
        fd: OwnedFd,
        extra: Extra,
        size: u64,
        place: Place,
        fork: Arc<ForkGuard>,
    ) -> Self {
        Self {
            memory,
            fd,
            extra,
            size,
            engine: place.engine,
            id: place.id,
            cell: place.cell,
            domain: place.domain,
            adopted: place.adopted,
            generation: AtomicU64::new(0),
            len: AtomicU64::new(0),
            fork,
        }
    }

    /// Whether this process is a forked child of the block's owner. Then the references here count for nothing: the owner may
    /// write to the memory at any time.
    pub(crate) fn is_inherited(&self) -> bool {
        self.fork.is_child()
    }

    /// Whether somebody else made the memory, so that the pool does not use it again by itself.
    pub(crate) fn is_adopted(&self) -> bool {
        self.adopted.is_some()
    }

    /// Where the data begins, in bytes.
    pub(crate) fn offset(&self) -> u64 {
        self.adopted.unwrap_or(0)
    }

    /// Bytes that the pool's limit counts.
    pub(super) fn own_bytes(&self) -> u64 {
        if self.is_adopted() { 0 } else { self.size }
    }

    /// Starts a use of `len` bytes. Only the pool calls this, while it has the only reference.
    pub(super) fn begin(&self, generation: u64, len: u64) {
        self.generation.store(generation, Ordering::Relaxed);
        self.len.store(len, Ordering::Relaxed);
    }

    /// Which use this is.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Bytes of this use.
    pub(crate) fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    /// What readers are told.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket {
            engine: self.engine,
            cell: self.cell,
            block: self.id,
            generation: self.generation(),
            block_size: self.size,
            offset: self.offset(),
            size: self.len(),
        }
    }
}

/// Where a block stands among those of its engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) engine: EngineId,
    pub(crate) id: u64,
    pub(crate) cell: u32,
    pub(crate) domain: u32,
    /// See [`Block::is_adopted`] and [`Block::offset`].
    pub(super) adopted: Option<u64>,
}
