//! The pool: blocks by size class, used again when nobody refers to them.
//!
//! A length comes in, a block that nobody else has goes out. Whether a block is free is looked up when one is wanted: its
//! references in this process are counted by `Arc`, those of readers by the cells of their leases, so that giving a block
//! back takes no call. The oldest use is looked at first. The lock is never held while memory is made or unmapped;
//! what is sent to readers under it does not wait for them.

#[cfg(any(test, feature = "cuda"))]
pub(crate) mod adopted;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use self::state::State;
use super::block::Block;
use super::cell::{self, TakeError};
use super::config::{Config, REST};
use super::identity::EngineId;
use super::lease::ForkGuard;
use super::memory::{Created, Memory};
use super::readers::Reader;
use super::stats::Stats;
use super::ticket::{Ticket, block_cell};
use crate::error::AllocateError;

/// Pauses of a waiting `allocate`: they double from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_micros(20);
const LAST_PAUSE: Duration = Duration::from_millis(1);

/// The blocks of an engine and who reads them.
pub(crate) struct Pool<M: Memory> {
    engine: EngineId,
    memory: Arc<M>,
    fork: Arc<ForkGuard>,
    config: Config,
    state: Mutex<State<M>>,
}

impl<M: Memory> Pool<M> {
    pub(crate) fn new(
        engine: EngineId,
        memory: Arc<M>,
        fork: Arc<ForkGuard>,
        config: Config,
        own: Reader,
    ) -> Self {
        Self {
            engine,
            memory,
            fork,
            config,
            state: Mutex::new(State::new(own)),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block of at least `len` bytes that nobody else has.
    pub(crate) fn try_allocate(
        &self,
        domain: u32,
        len: usize,
    ) -> Result<Arc<Block<M>>, AllocateError> {
        match self.attempt(domain, len) {
            // Free blocks of other sizes may hold the memory or the file descriptor that was wanted.
            Err(AllocateError::Memory { .. }) if self.trim(Duration::ZERO) > 0 => {
                self.attempt(domain, len)
            }
            other => other,
        }
    }

    fn attempt(&self, domain: u32, len: usize) -> Result<Arc<Block<M>>, AllocateError> {
        let asked = len as u64;
        let granule = self.memory.granule(domain);
        // The last class ends at the limit.
        let most = self.config.max_bytes / granule * granule;
        let size = class_size(asked, granule).map(|size| size.min(most));
        let Some(size) = size.filter(|size| *size >= asked.max(1)) else {
            return Err(AllocateError::TooLarge {
                asked,
                limit: self.config.max_bytes,
            });
        };
        let mut state = self.lock();
        state.counts.allocated += 1;
        let now = Instant::now();
        if let Some(block) = state.reuse((domain, size), asked, now, self.config.pending_deadline) {
            return Ok(block);
        }
        let room = self.config.max_bytes - size;
        if state.bytes > room || state.blocks >= self.config.max_blocks {
            state.make_room((domain, size), room, now, &self.config);
        }
        let place = if state.bytes > room || state.blocks >= self.config.max_blocks {
            None
        } else {
            state.reserve(self.engine, domain, size)
        };
        let Some(place) = place else {
            state.counts.exhausted += 1;
            let error = AllocateError::Exhausted {
                asked,
                blocks: state.blocks,
                bytes: state.bytes,
                limit: self.config.max_bytes,
            };
            Self::finish(state);
            return Err(error);
        };
        Self::finish(state);
        let made = self.memory.create(domain, place.cell, size);
        let mut state = self.lock();
        match made {
            Ok(Created { block, fd, extra }) => {
                let fork = Arc::clone(&self.fork);
                let block = Block::new(block, fd, extra, size, place, fork);
                Ok(state.put(Arc::new(block), asked, now))
            }
            Err(source) => {
                state.unreserve(place, size);
                Err(AllocateError::Memory {
                    asked,
                    source: Arc::new(source),
                })
            }
        }
    }

    /// As [`try_allocate`](Self::try_allocate), and waits for a reader to give a block back, but not longer than `timeout`.
    pub(crate) fn allocate(
        &self,
        domain: u32,
        len: usize,
        timeout: Duration,
    ) -> Result<Arc<Block<M>>, AllocateError> {
        let mut pause = FIRST_PAUSE;
        let mut deadline = None;
        loop {
            let error = match self.try_allocate(domain, len) {
                Err(error @ AllocateError::Exhausted { .. }) => error,
                other => return other,
            };
            // Giving back takes no system call on the other side, so nobody wakes us.
            let now = Instant::now();
            let end = *deadline.get_or_insert_with(|| {
                self.lock().counts.waited += 1;
                now.checked_add(timeout)
            });
            let left = end.map_or(LAST_PAUSE, |end| end.saturating_duration_since(now));
            if left.is_zero() {
                return Err(error);
            }
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Frees the blocks that were not used for `idle`; returns their bytes.
    pub(crate) fn trim(&self, idle: Duration) -> u64 {
        let mut state = self.lock();
        let now = Instant::now();
        let mut freed = 0;
        for cell in 0..state.slots.len() {
            if now.saturating_duration_since(state.slots[cell].used_at) >= idle
                && state.is_free(cell, now, self.config.pending_deadline)
            {
                freed += state.drop_block(cell);
            }
        }
        Self::finish(state);
        freed
    }

    /// Unmaps what was dropped, after the lock: that may take long on a device.
    fn finish(mut state: MutexGuard<'_, State<M>>) {
        let dropped = std::mem::take(&mut state.dropped);
        drop(state);
        drop(dropped);
    }

    /// Marks the block as on its way to a reader and says what to write into the message; `None` if the reader is not
    /// connected, does not read its socket, or has not taken thousands of descriptors.
    ///
    /// The caller has the block, so it cannot be used again meanwhile.
    pub(crate) fn describe(&self, block: &Block<M>, reader: EngineId) -> Option<Ticket> {
        if block.engine != self.engine {
            return None;
        }
        let mut guard = self.lock();
        let state = &mut *guard;
        let slot = state.readers.find(reader)?;
        let entry = state.readers.get_mut(slot).filter(|entry| !entry.muted)?;
        entry.send_retired();
        if entry.rests(block.cell, block.id) {
            state.counts.unsent += 1;
            return None;
        }
        // Sending never waits, and under the lock no other thread can describe a block whose memory did not leave.
        if let Err(error) = entry.send_block(block) {
            state.counts.unsent += 1;
            drop(guard);
            tracing::debug!(%reader, block = block.id, %error, "the memory of a block could not be passed on");
            return None;
        }
        let ticket = block.ticket();
        let atomic = entry.lease.cell(block.cell)?;
        let place = state.slots.get_mut(block.cell as usize)?;
        let now = Instant::now();
        let published = cell::publish(atomic, ticket.generation) || {
            // Thousands that were never taken: those of a buffer that is kept here and sent again and again.
            let late =
                now.saturating_duration_since(place.described_at) >= self.config.pending_deadline;
            if late {
                state.counts.expired += u64::from(cell::expire(atomic, ticket.generation));
            }
            late && cell::publish(atomic, ticket.generation)
        };
        if !published {
            state.counts.unsent += 1;
            return None;
        }
        place.described |= 1 << slot;
        place.described_at = now;
        state.counts.described += 1;
        Some(ticket)
    }

    /// The descriptor did not leave after all.
    pub(crate) fn retract(&self, ticket: &Ticket, reader: EngineId) {
        let state = self.lock();
        let place = state.slots.get(ticket.cell as usize);
        let block = place.and_then(|place| place.block.as_ref());
        if ticket.engine != self.engine || block.is_none_or(|block| block.id != ticket.block) {
            return;
        }
        let entry = state
            .readers
            .find(reader)
            .and_then(|slot| state.readers.get(slot));
        if let Some(atomic) = entry.and_then(|entry| entry.lease.cell(ticket.cell)) {
            cell::retract(atomic, ticket.generation);
        }
    }

    /// A descriptor of our own, taken in this process: the block itself.
    pub(crate) fn take_own(&self, ticket: &Ticket) -> Result<Arc<Block<M>>, TakeError> {
        let mut state = self.lock();
        let block = state
            .slots
            .get(ticket.cell as usize)
            .and_then(|slot| slot.block.as_ref());
        let Some(block) = block.filter(|block| block.id == ticket.block).cloned() else {
            state.counts.lost_reused += 1;
            return Err(TakeError::Reused);
        };
        let own = state
            .readers
            .get(0)
            .and_then(|own| own.lease.cell(ticket.cell));
        let taken = match own {
            Some(atomic) => cell::take(atomic, ticket.generation)
                // From here on the `Arc` says that the block is in use.
                .map(|()| cell::release(atomic, ticket.generation)),
            None => Err(TakeError::Reused),
        };
        state.counts.count(taken.as_ref().err());
        taken.map(|()| block)
    }

    /// Sends the memory of a block to a reader that asks for it again. Only what it refers to: it takes its reference first.
    pub(crate) fn send_again(&self, slot: usize, block: u64) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let place = state.slots.get(block_cell(block) as usize);
        let found = place
            .and_then(|place| place.block.as_ref())
            .filter(|found| found.id == block);
        let Some(entry) = state.readers.get_mut(slot) else {
            return;
        };
        let refers = |found: &Block<M>| {
            let state = entry.lease.cell(found.cell).map(cell::state);
            state.is_some_and(|state| state.generation == found.generation() && !state.is_free())
        };
        let Some(found) = found.filter(|found| refers(found)).cloned() else {
            entry.retire(block);
            entry.send_retired();
            return;
        };
        entry.unmark_sent(found.cell, found.id);
        if let Err(error) = entry.send_block(&found) {
            drop(guard);
            tracing::debug!(block, %error, "the memory of a block could not be passed on again");
        }
    }

    /// A reader could not map a block: it gets bytes for a while, except for blocks that it has.
    pub(crate) fn failed(&self, slot: usize, block: u64) {
        let mut state = self.lock();
        state.counts.unmapped += 1;
        let reader = state.readers.get_mut(slot);
        if reader.is_some_and(|reader| reader.rest(block_cell(block), block)) {
            drop(state);
            tracing::warn!(
                block,
                "a reader could not map the memory of a block, and gets bytes for {REST:?} each time; has it reached its limit of open files? (said once)"
            );
        }
    }

    /// Sizes and counts as they are now.
    pub(crate) fn add_to(&self, sums: &mut Stats) {
        let state = self.lock();
        sums.blocks = state.blocks;
        sums.bytes = state.bytes;
        sums.readers = state.readers.others().count();
        for slot in &state.slots {
            let Some(block) = &slot.block else { continue };
            let references = state.readers.references(slot.described, block.cell);
            let used_here = Arc::strong_count(block) > 1;
            sums.pending += references.pending;
            sums.held += references.held;
            sums.blocks_used_here += usize::from(used_here);
            sums.blocks_free += usize::from(!used_here && references.slots == 0);
        }
        state.counts.add_to(sums);
    }
}

/// Sizes differ by a quarter of a power of two, so that little is wasted and frames of one kind share blocks.
fn class_size(len: u64, granule: u64) -> Option<u64> {
    let len = len.max(1);
    let step = match len.checked_next_power_of_two()? {
        power if power == len => len,
        power => power / 8,
    };
    len.checked_next_multiple_of(step.max(granule))
}
