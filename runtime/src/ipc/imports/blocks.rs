//! Blocks of other processes that are mapped here, and what is counted of all of them.
//!
//! A mapping comes in and is counted for as long as anybody has it. Which ones nobody needs is said here; the connection that
//! they came by decides what becomes of them.

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;

use super::missed;
use crate::error::BackendError;
use crate::ipc::cell::TakeError;
use crate::ipc::memory::Memory;
use crate::ipc::stats::Stats;

/// What all publishers' blocks in this process have in common.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) taken: AtomicU64,
    pub(crate) lost_expired: AtomicU64,
    pub(crate) lost_reused: AtomicU64,
    pub(crate) lost_unreachable: AtomicU64,
    pub(crate) lost_malformed: AtomicU64,
    pub(super) lost_unfinished: AtomicU64,
    imports: AtomicUsize,
    imported_bytes: AtomicU64,
    /// Counts uses, so that the longest unused block is known.
    pub(super) clock: AtomicU64,
    /// That a block could not be mapped was said.
    pub(super) told: AtomicBool,
    /// A block came since idle ones were last looked for.
    pub(super) grown: AtomicBool,
}

impl Reading {
    pub(crate) fn add_to(&self, stats: &mut Stats) {
        stats.imports += self.imports.load(Ordering::Relaxed);
        stats.imported_bytes += self.imported_bytes.load(Ordering::Relaxed);
        stats.taken += self.taken.load(Ordering::Relaxed);
        stats.lost_expired += self.lost_expired.load(Ordering::Relaxed);
        stats.lost_reused += self.lost_reused.load(Ordering::Relaxed);
        stats.lost_unreachable += self.lost_unreachable.load(Ordering::Relaxed);
        stats.lost_unfinished += self.lost_unfinished.load(Ordering::Relaxed);
        stats.lost_malformed += self.lost_malformed.load(Ordering::Relaxed);
    }

    /// Counts a descriptor that could not be taken, and says why.
    pub(super) fn missed(&self, error: TakeError) -> BackendError {
        let count = match error {
            TakeError::Reused => &self.lost_reused,
            TakeError::Expired | TakeError::Full => &self.lost_expired,
        };
        count.fetch_add(1, Ordering::Relaxed);
        missed(error)
    }

    /// Whether a block came since this was last asked, so that more than `limit` bytes are mapped.
    pub(crate) fn has_outgrown(&self, limit: u64) -> bool {
        // Nearly always false, and then nothing is written that other threads would have to load again.
        self.grown.load(Ordering::Relaxed)
            && self.grown.swap(false, Ordering::Relaxed)
            && self.imported_bytes.load(Ordering::Relaxed) > limit
    }
}

/// A block of another process, mapped.
pub(crate) struct Import<M: Memory> {
    pub(crate) memory: M::Import,
    pub(crate) size: u64,
    reading: Arc<Reading>,
}

impl<M: Memory> Import<M> {
    pub(super) fn new(memory: M::Import, size: u64, reading: &Arc<Reading>) -> Self {
        reading.imports.fetch_add(1, Ordering::Relaxed);
        reading.imported_bytes.fetch_add(size, Ordering::Relaxed);
        Self {
            memory,
            size,
            reading: Arc::clone(reading),
        }
    }
}

impl<M: Memory> Drop for Import<M> {
    fn drop(&mut self) {
        self.reading.imports.fetch_sub(1, Ordering::Relaxed);
        self.reading
            .imported_bytes
            .fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// A mapped block, as long as its publisher has it.
pub(super) struct Entry<M: Memory> {
    pub(super) import: Arc<Import<M>>,
    pub(super) used: u64,
    /// Never taken so far; its first descriptor is expected until then.
    pub(super) fresh_until: Option<Instant>,
}

/// A block that nobody reads and nobody is about to read; they are in the order of their last use.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Idle {
    used: u64,
    pub(crate) block: u64,
    pub(crate) size: u64,
}

impl<M: Memory> Entry<M> {
    pub(super) fn idle(&self, block: u64, now: Instant) -> Option<Idle> {
        let is_idle = Arc::strong_count(&self.import) == 1
            && self.fresh_until.is_none_or(|until| until <= now);
        is_idle.then_some(Idle {
            used: self.used,
            block,
            size: self.import.size,
        })
    }
}
