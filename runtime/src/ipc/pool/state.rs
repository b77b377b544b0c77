//! Which blocks a pool has, what they are used for, and who reads them.
//!
//! All of it stands behind the pool's lock. Blocks go in when they are made and out when nobody refers to them; those that go
//! are left for the pool to unmap, without the lock. Nothing is mapped and nobody is waited for here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ipc::block::{Block, Place};
use crate::ipc::cell::MAX_GENERATION;
use crate::ipc::config::Config;
use crate::ipc::identity::EngineId;
use crate::ipc::lease::CELLS;
use crate::ipc::memory::Memory;
use crate::ipc::readers::{Reader, Readers, Slots};
use crate::ipc::stats::Counts;
use crate::ipc::ticket::block_number;

/// What the pool's lock guards.
pub(crate) struct State<M: Memory> {
    pub(crate) readers: Readers,
    /// By cell.
    pub(super) slots: Vec<Slot<M>>,
    /// Cells of the blocks of each domain and size, the oldest use first.
    classes: BTreeMap<(u32, u64), VecDeque<u32>>,
    /// Bytes of all blocks, and of those that are being made.
    pub(super) bytes: u64,
    pub(super) blocks: usize,
    /// Blocks made so far, given up ones included.
    made: u64,
    pub(crate) counts: Counts,
    /// Blocks that are gone and still to be unmapped, after the lock.
    pub(super) dropped: Vec<Arc<Block<M>>>,
}

/// One cell of the pool.
pub(super) struct Slot<M: Memory> {
    pub(super) block: Option<Arc<Block<M>>>,
    /// Being made outside the lock.
    reserved: bool,
    /// Of the last use, also across blocks: a cell never sees a generation twice.
    generation: u64,
    /// Readers that were sent a descriptor of this use.
    pub(super) described: Slots,
    /// When the last of these descriptors was made.
    pub(super) described_at: Instant,
    /// When the block was last handed out.
    pub(super) used_at: Instant,
}

impl<M: Memory> State<M> {
    pub(super) fn new(own: Reader) -> Self {
        Self {
            readers: Readers::new(own),
            slots: Vec::new(),
            classes: BTreeMap::new(),
            bytes: 0,
            blocks: 0,
            made: 0,
            counts: Counts::default(),
            dropped: Vec::new(),
        }
    }

    pub(super) fn reuse(
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
    pub(super) fn is_free(&mut self, cell: usize, now: Instant, deadline: Duration) -> bool {
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
    pub(super) fn begin(&mut self, cell: u32, len: u64, now: Instant) -> Option<Arc<Block<M>>> {
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
    pub(super) fn reserve(&mut self, engine: EngineId, domain: u32, size: u64) -> Option<Place> {
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

    pub(super) fn unreserve(&mut self, place: Place, size: u64) {
        self.slots[place.cell as usize].reserved = false;
        self.bytes -= size;
        self.blocks -= 1;
    }

    pub(super) fn put(&mut self, block: Arc<Block<M>>, len: u64, now: Instant) -> Arc<Block<M>> {
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
    pub(super) fn make_room(
        &mut self,
        class: (u32, u64),
        room: u64,
        now: Instant,
        config: &Config,
    ) {
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
    pub(super) fn drop_block(&mut self, cell: usize) -> u64 {
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
