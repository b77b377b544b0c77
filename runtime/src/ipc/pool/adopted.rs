//! Memory that somebody else made, as a block: described, counted and taken as any other.
//!
//! The pool never uses it again by itself and does not count its bytes. Each time that its owner has something in it for
//! readers it is found again, by what only the owner's floor knows, and begins its next use; so it travels to each reader
//! once. Giving back takes no call of a reader, so the owner asks when a use is over, and when the block may go.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Pool;
use crate::error::AllocateError;
use crate::ipc::block::Block;
use crate::ipc::memory::{Created, Memory};
use crate::ipc::ticket::block_cell;

/// What there is of adopted memory.
pub(crate) enum Found<M: Memory> {
    /// Its block, at its next use.
    Free(Arc<Block<M>>),
    /// An earlier use is not over.
    InUse,
    Unknown,
}

/// Where the data is, in bytes, in a block of so many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) size: u64,
}

impl<M: Memory> Pool<M> {
    /// The next use, of `len` bytes, of the block of adopted memory of which `is_it` is true.
    pub(crate) fn adopted(&self, len: u64, is_it: impl Fn(&Block<M>) -> bool) -> Found<M> {
        let mut state = self.lock();
        let mut blocks = state.slots.iter().filter_map(|slot| slot.block.as_ref());
        let found = blocks.find(|block| block.is_adopted() && is_it(block));
        let Some(cell) = found.map(|block| block.cell) else {
            return Found::Unknown;
        };
        let now = Instant::now();
        if !state.is_free(cell as usize, now, self.config.pending_deadline) {
            return Found::InUse;
        }
        let begun = state.begin(cell, len, now);
        Self::finish(state);
        // Its generations may be used up.
        begun.map_or(Found::Unknown, Found::Free)
    }

    /// The first use of a block that `make` makes of adopted memory, for a domain and a cell.
    pub(crate) fn adopt(
        &self,
        domain: u32,
        part: Part,
        make: impl FnOnce(u32) -> io::Result<Created<M::Block>>,
    ) -> Result<Arc<Block<M>>, AllocateError> {
        let mut state = self.lock();
        let now = Instant::now();
        if state.blocks >= self.config.max_blocks {
            let room = self.config.max_bytes;
            state.make_room((domain, 0), room, now, &self.config);
        }
        let place = if state.blocks >= self.config.max_blocks {
            None
        } else {
            state.reserve(self.engine, domain, 0)
        };
        let Some(mut place) = place else {
            let error = AllocateError::Exhausted {
                asked: part.len,
                blocks: state.blocks,
                bytes: state.bytes,
                limit: self.config.max_bytes,
            };
            Self::finish(state);
            return Err(error);
        };
        Self::finish(state);
        place.adopted = Some(part.offset);
        let created = make(place.cell);
        let mut state = self.lock();
        match created {
            Ok(Created { block, fd, extra }) => {
                let fork = Arc::clone(&self.fork);
                let block = Block::new(block, fd, extra, part.size, place, fork);
                Ok(state.put(Arc::new(block), part.len, now))
            }
            Err(source) => {
                state.unreserve(place, 0);
                Err(AllocateError::Memory {
                    asked: part.len,
                    source: Arc::new(source),
                })
            }
        }
    }

    /// Whether nobody refers to this block of adopted memory any more, here or elsewhere. It counts as idle from then on.
    pub(crate) fn is_over(&self, block: u64) -> bool {
        let mut state = self.lock();
        let cell = block_cell(block) as usize;
        let place = state.slots.get(cell);
        let present = place.and_then(|slot| slot.block.as_ref());
        if present.is_none_or(|present| present.id != block) {
            return true; // nothing refers to what was dropped
        }
        let now = Instant::now();
        let is_over = state.is_free(cell, now, self.config.pending_deadline);
        if is_over {
            state.slots[cell].used_at = now;
        }
        is_over
    }

    /// Of each block of adopted memory, what `look` finds.
    pub(crate) fn all_adopted<T>(&self, look: impl Fn(&Block<M>) -> T) -> Vec<T> {
        let state = self.lock();
        let blocks = state.slots.iter().filter_map(|slot| slot.block.as_deref());
        let adopted = blocks.filter(|block| block.is_adopted());
        adopted.map(look).collect()
    }

    /// Drops the blocks of adopted memory that nobody refers to, that were idle for so long and of which `is_it` is true.
    /// Says whether any blocks of adopted memory are left.
    pub(crate) fn drop_adopted(&self, idle: Duration, is_it: impl Fn(&Block<M>) -> bool) -> bool {
        let mut state = self.lock();
        let now = Instant::now();
        let mut left = false;
        for cell in 0..state.slots.len() {
            let slot = &state.slots[cell];
            let Some(block) = slot.block.as_ref().filter(|block| block.is_adopted()) else {
                continue;
            };
            let is_due = is_it(block) && now.saturating_duration_since(slot.used_at) >= idle;
            if is_due && state.is_free(cell, now, self.config.pending_deadline) {
                state.drop_block(cell);
            } else {
                left = true;
            }
        }
        Self::finish(state);
        left
    }
}

#[cfg(test)]
mod tests;
