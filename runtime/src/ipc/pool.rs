//! The pool: blocks by size class, used again when nobody refers to them.
//!
//! A length comes in, a block that nobody else has goes out. Whether a block is free is looked up when one is wanted: its
//! references in this process are counted by `Arc`, those of readers by the cells of their leases, so that giving a block
//! back takes no call. The oldest use is looked at first. The lock is never held while memory is made or a peer is written to.

#[cfg(any(test, feature = "cuda"))]
pub(crate) mod adopted;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::block::{Block, Place};
use super::cell::{self, MAX_GENERATION, TakeError};
use super::config::{Config, REST};
use super::identity::EngineId;
use super::lease::{CELLS, ForkGuard};
use super::memory::{Created, Memory};
use super::readers::{Reader, Readers, Slots};
use super::stats::{Counts, Stats};
use super::ticket::{Ticket, block_cell, block_number};
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

/// What the pool's lock guards.
pub(crate) struct State<M: Memory> {
    pub(crate) readers: Readers,
    /// By cell.
    slots: Vec<Slot<M>>,
    /// Cells of the blocks of each domain and size, the oldest use first.
    classes: BTreeMap<(u32, u64), VecDeque<u32>>,
    /// Bytes of all blocks, and of those that are being made.
    bytes: u64,
    blocks: usize,
    /// Blocks made so far, given up ones included.
    made: u64,
    pub(crate) counts: Counts,
    /// Blocks that are gone and still to be unmapped, after the lock.
    dropped: Vec<Arc<Block<M>>>,
}

struct Slot<M: Memory> {
    block: Option<Arc<Block<M>>>,
    /// Being made outside the lock.
    reserved: bool,
    /// Of the last use, also across blocks: a cell never sees a generation twice.
    generation: u64,
    /// Readers that were sent a descriptor of this use.
    described: Slots,
    /// When the last of these descriptors was made.
    described_at: Instant,
    /// When the block was last handed out.
    used_at: Instant,
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
            state: Mutex::new(State {
                readers: Readers::new(own),
                slots: Vec::new(),
                classes: BTreeMap::new(),
                bytes: 0,
                blocks: 0,
                made: 0,
                counts: Counts::default(),
                dropped: Vec::new(),
            }),
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

impl<M: Memory> State<M> {
    fn reuse(
        &mut self,
        class: (u32, u64),
        len: u64,
        now: Instant,
        deadline: Duration,
    ) -> Option<Arc<Block<M>>> {
        let candidates = self.classes.get(&class).map_or(0, VecDeque::len);
        for _ in 0..candidates {
            // Taken from the front and put behind: looked at last the next time, free or not.
            let cells = self.classes.get_mut(&class)?;
            let cell = cells.pop_front()?;
            cells.push_back(cell);
            if self.is_free(cell as usize, now, deadline) {
                return self.begin(cell, len, now);
            }
        }
        None
    }

    /// Whether nobody refers to the block. Takes back descriptors that were never taken once their time is over.
    fn is_free(&mut self, cell: usize, now: Instant, deadline: Duration) -> bool {
        let Some(slot) = self.slots.get_mut(cell) else {
            return false;
        };
        let Some(block) = &mut slot.block else {
            return false;
        };
        // Also an acquire of what other threads did before they dropped theirs.
        if Arc::get_mut(block).is_none() {
            return false;
        }
        if slot.described == 0 {
            return true;
        }
        let index = block.cell;
        let mut found = self.readers.references(slot.described, index);
        if found.pending > 0 && now.saturating_duration_since(slot.described_at) >= deadline {
            self.counts.expired += self.readers.expire(found.slots, index, slot.generation);
            found = self.readers.references(found.slots, index);
        }
        slot.described = found.slots;
        found.slots == 0
    }

    /// The next use of a free block; a cell whose generations are used up gives its block away for good.
    fn begin(&mut self, cell: u32, len: u64, now: Instant) -> Option<Arc<Block<M>>> {
        let slot = self.slots.get_mut(cell as usize)?;
        if slot.generation >= MAX_GENERATION {
            self.drop_block(cell as usize);
            return None;
        }
        slot.generation += 1;
        slot.described = 0;
        slot.used_at = now;
        let block = slot.block.as_ref()?;
        block.begin(slot.generation, len);
        Some(Arc::clone(block))
    }

    /// A cell and a number for a block that is about to be made.
    fn reserve(&mut self, engine: EngineId, domain: u32, size: u64) -> Option<Place> {
        let usable = |slot: &Slot<M>| {
            slot.block.is_none() && !slot.reserved && slot.generation < MAX_GENERATION
        };
        let cell = match self.slots.iter().position(usable) {
            Some(cell) => cell,
            None if self.slots.len() < CELLS => {
                let now = Instant::now();
                self.slots.push(Slot {
                    block: None,
                    reserved: false,
                    generation: 0,
                    described: 0,
                    described_at: now,
                    used_at: now,
                });
                self.slots.len() - 1
            }
            None => return None,
        };
        self.slots[cell].reserved = true;
        self.bytes += size;
        self.blocks += 1;
        let cell = u32::try_from(cell).ok()?;
        self.made += 1;
        Some(Place {
            engine,
            id: block_number(self.made, cell),
            cell,
            domain,
            adopted: None,
        })
    }

    fn unreserve(&mut self, place: Place, size: u64) {
        self.slots[place.cell as usize].reserved = false;
        self.bytes -= size;
        self.blocks -= 1;
    }

    fn put(&mut self, block: Arc<Block<M>>, len: u64, now: Instant) -> Arc<Block<M>> {
        let slot = &mut self.slots[block.cell as usize];
        slot.reserved = false;
        slot.generation += 1;
        slot.described = 0;
        slot.used_at = now;
        block.begin(slot.generation, len);
        slot.block = Some(Arc::clone(&block));
        if !block.is_adopted() {
            self.classes
                .entry((block.domain, block.size))
                .or_default()
                .push_back(block.cell);
        }
        self.counts.made += 1;
        block
    }

    /// Drops free blocks of other classes, the longest unused first, until there is room for one more of this class.
    fn make_room(&mut self, class: (u32, u64), room: u64, now: Instant, config: &Config) {
        let mut oldest: Vec<(Instant, usize)> = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| {
                slot.block
                    .as_ref()
                    .is_some_and(|block| (block.domain, block.size) != class)
            })
            .map(|(cell, slot)| (slot.used_at, cell))
            .collect();
        oldest.sort_unstable();
        oldest.retain(|(_, cell)| self.is_free(*cell, now, config.pending_deadline));
        let sizes = oldest
            .iter()
            .filter_map(|(_, cell)| self.slots[*cell].block.as_ref());
        let free: u64 = sizes.map(|block| block.own_bytes()).sum();
        // Where it would not suffice nothing is given up.
        if self.bytes.saturating_sub(free) > room || self.blocks - oldest.len() >= config.max_blocks
        {
            return;
        }
        for (_, cell) in oldest {
            if self.bytes <= room && self.blocks < config.max_blocks {
                return;
            }
            self.drop_block(cell);
        }
    }

    /// Takes a free block out; returns its bytes, none for memory that somebody else made.
    fn drop_block(&mut self, cell: usize) -> u64 {
        let Some(block) = self.slots.get_mut(cell).and_then(|slot| slot.block.take()) else {
            return 0;
        };
        if let Some(class) = self.classes.get_mut(&(block.domain, block.size)) {
            class.retain(|other| *other != block.cell);
            if class.is_empty() {
                self.classes.remove(&(block.domain, block.size));
            }
        }
        self.bytes -= block.own_bytes();
        self.blocks -= 1;
        for reader in self.readers.others_mut() {
            if reader.unmark_sent(block.cell, block.id) {
                reader.retire(block.id);
                reader.send_retired();
            }
        }
        let bytes = block.own_bytes();
        self.dropped.push(block);
        bytes
    }
}
