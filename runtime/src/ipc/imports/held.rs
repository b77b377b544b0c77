//! What is held of another process's block: a reference in its cell, and the bytes that it keeps as they are.
//!
//! Dropping it gives the reference back, without a call. In a forked child it is the parent's, and stays.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use super::{Import, Writer};
use crate::ipc::cell;
use crate::ipc::memory::Memory;

/// A reference in a cell, given back when this goes.
pub(super) struct Held<M: Memory> {
    pub(super) writer: Arc<Writer<M>>,
    pub(super) cell: u32,
    pub(super) generation: u64,
}

impl<M: Memory> Drop for Held<M> {
    fn drop(&mut self) {
        let writer = &self.writer;
        // In a forked child the reference is still the parent's.
        if writer.fork.is_child() {
            return;
        }
        if writer.is_unfinished(self.cell, self.generation) {
            writer
                .reading
                .lost_unfinished
                .fetch_add(1, Ordering::Relaxed);
            if !writer.said.swap(true, Ordering::Relaxed) {
                tracing::warn!(writer = %writer.id, "a publisher ended before it had written what it sent: that is lost (said once)");
            }
        }
        if let Some(atomic) = writer.lease.cell(self.cell) {
            cell::release(atomic, self.generation);
        }
    }
}

/// Bytes of another process's block, held: they do not change as long as this lives.
pub(crate) struct ReadHandle<M: Memory> {
    pub(crate) offset: usize,
    pub(crate) len: usize,
    pub(crate) import: Arc<Import<M>>,
    // Goes last: until then the memory may be looked at.
    pub(super) held: Held<M>,
}

impl<M: Memory> ReadHandle<M> {
    /// Whether this process is a forked child of the one that took the handle. What the parent gives back is written again,
    /// and this handle holds nothing.
    pub(crate) fn is_inherited(&self) -> bool {
        self.held.writer.fork.is_child()
    }

    /// What all blocks of its process have in common; `None` for a memory that has nothing of the kind.
    #[cfg(any(test, feature = "cuda"))]
    pub(crate) fn common(&self) -> Option<&M::Common> {
        self.held.writer.common.as_deref()
    }

    /// Where the block stands, and at which use.
    #[cfg(any(test, feature = "cuda"))]
    pub(crate) fn place(&self) -> (u32, u64) {
        (self.held.cell, self.held.generation)
    }
}
