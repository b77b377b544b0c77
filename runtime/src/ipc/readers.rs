//! The processes that read from us: a lease and a connection each, the own process among them without a connection.
//!
//! Owned by the pool and used under its lock. Nothing here waits.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Instant;

use super::block::Block;
use super::cell;
use super::config::{MAX_READERS, REST};
use super::identity::EngineId;
use super::lease::{CELLS, Lease};
use super::memory::Memory;
use super::socket::Connection;
use super::wire::{MAX_MESSAGE, ToReader};

/// One process that reads from us.
pub(crate) struct Reader {
    pub(crate) id: EngineId,
    pub(crate) lease: Lease,
    /// `None` for the own process.
    pub(crate) connection: Option<Arc<Connection>>,
    /// The block whose memory the reader was sent, by cell; 0 is none.
    sent: Box<[u64; CELLS]>,
    /// Blocks that are gone and that it was not told of yet, because it does not read its socket.
    retired: VecDeque<u64>,
    /// Set once it broke the protocol: it keeps what it holds and is described nothing more.
    pub(crate) muted: bool,
    /// It could not map a block, and is sent no further ones before.
    rests_until: Option<Instant>,
}

impl Reader {
    pub(crate) fn new(id: EngineId, lease: Lease, connection: Option<Arc<Connection>>) -> Self {
        Self {
            id,
            lease,
            connection,
            sent: Box::new([0; CELLS]),
            retired: VecDeque::new(),
            muted: false,
            rests_until: None,
        }
    }

    /// Sends the block's memory and what it takes to map it, unless that happened before. Never waits.
    pub(crate) fn send_block<M: Memory>(&mut self, block: &Block<M>) -> io::Result<()> {
        let (Some(connection), Some(sent)) =
            (&self.connection, self.sent.get_mut(block.cell as usize))
        else {
            return Ok(()); // the own process has it
        };
        if *sent == block.id {
            return Ok(());
        }
        let mut message = [0; MAX_MESSAGE];
        let len = ToReader::Block {
            block: block.id,
            size: block.size,
            extra: block.extra,
        }
        .write(&mut message);
        connection.send(&message[..len], Some(block.fd.as_fd()))?;
        *sent = block.id;
        Ok(())
    }

    /// The reader has to be told that a block is gone.
    pub(crate) fn retire(&mut self, block: u64) {
        // More than it can have mapped: those it drops by itself.
        if self.retired.len() >= CELLS {
            self.retired.pop_front();
        }
        self.retired.push_back(block);
    }

    /// Tells the reader which blocks are gone, as far as it reads its socket. Never waits.
    pub(crate) fn send_retired(&mut self) {
        let Some(connection) = &self.connection else {
            return;
        };
        while let Some(block) = self.retired.front().copied() {
            let mut message = [0; MAX_MESSAGE];
            let len = ToReader::Retire { block }.write(&mut message);
            match connection.send(&message[..len], None) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Sent, or nobody is there any more.
                _ => self.retired.pop_front(),
            };
        }
    }

    /// Whether it cannot be shown this block now: it was not sent, and the last one that was could not be mapped.
    pub(crate) fn rests(&self, cell: u32, block: u64) -> bool {
        self.sent.get(cell as usize) != Some(&block)
            && self.rests_until.is_some_and(|until| Instant::now() < until)
    }

    /// It could not map this block. Returns whether that is the first time.
    pub(crate) fn rest(&mut self, cell: u32, block: u64) -> bool {
        self.unmark_sent(cell, block);
        self.rests_until.replace(Instant::now() + REST).is_none()
    }

    /// The memory did not leave, or is not needed any more. Returns whether it had been sent.
    pub(crate) fn unmark_sent(&mut self, cell: u32, block: u64) -> bool {
        match self.sent.get_mut(cell as usize) {
            Some(sent) if *sent == block => {
                *sent = 0;
                true
            }
            _ => false,
        }
    }
}

/// The readers by slot; slot 0 is the own process.
pub(crate) struct Readers {
    slots: Vec<Option<Reader>>,
    closed: bool,
}

/// Bits of reader slots.
pub(crate) type Slots = u64;
const _: () = assert!(MAX_READERS <= Slots::BITS as usize);

impl Readers {
    pub(crate) fn new(own: Reader) -> Self {
        Self {
            slots: vec![Some(own)],
            closed: false,
        }
    }

    /// The slot of a new reader; `None` when there is no room.
    pub(crate) fn insert(&mut self, reader: Reader) -> Option<usize> {
        if self.closed {
            return None;
        }
        let free = self.slots.iter().position(Option::is_none);
        let slot = match free {
            Some(slot) => slot,
            None if self.slots.len() < MAX_READERS => {
                self.slots.push(None);
                self.slots.len() - 1
            }
            None => return None,
        };
        self.slots[slot] = Some(reader);
        Some(slot)
    }

    /// Ends all that the reader held or was sent.
    pub(crate) fn remove(&mut self, slot: usize) -> Option<Reader> {
        if slot == 0 {
            return None;
        }
        self.slots.get_mut(slot)?.take()
    }

    /// Nobody comes any more, and nobody else's process is described anything; what they hold they keep.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        for reader in self.others_mut() {
            reader.muted = true;
        }
    }

    pub(crate) fn get(&self, slot: usize) -> Option<&Reader> {
        self.slots.get(slot)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: usize) -> Option<&mut Reader> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// Slot of the reader with this id.
    pub(crate) fn find(&self, id: EngineId) -> Option<usize> {
        self.slots
            .iter()
            .position(|slot| slot.as_ref().is_some_and(|reader| reader.id == id))
    }

    /// Other processes.
    pub(crate) fn others(&self) -> impl Iterator<Item = (usize, &Reader)> {
        let all = self.slots.iter().enumerate().skip(1);
        all.filter_map(|(slot, reader)| Some((slot, reader.as_ref()?)))
    }

    pub(crate) fn others_mut(&mut self) -> impl Iterator<Item = &mut Reader> {
        self.slots.iter_mut().skip(1).flatten()
    }

    /// What the readers in `slots` have of the block at `cell`: those that still refer to it, and their counts.
    pub(crate) fn references(&self, slots: Slots, cell: u32) -> References {
        let mut found = References::default();
        let mut left = slots;
        while left != 0 {
            let slot = left.trailing_zeros() as usize;
            left &= left - 1;
            let Some(atomic) = self.get(slot).and_then(|reader| reader.lease.cell(cell)) else {
                continue;
            };
            let state = cell::state(atomic);
            if !state.is_free() {
                found.slots |= 1 << slot;
                found.pending += u64::from(state.pending);
                found.held += u64::from(state.held);
            }
        }
        found
    }

    /// Takes back what was sent to `slots` and never taken; returns how many.
    pub(crate) fn expire(&self, slots: Slots, cell: u32, generation: u64) -> u64 {
        let mut expired = 0;
        let mut left = slots;
        while left != 0 {
            let slot = left.trailing_zeros() as usize;
            left &= left - 1;
            if let Some(atomic) = self.get(slot).and_then(|reader| reader.lease.cell(cell)) {
                expired += u64::from(cell::expire(atomic, generation));
            }
        }
        expired
    }
}

/// What readers have of one block.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct References {
    pub(crate) slots: Slots,
    pub(crate) pending: u64,
    pub(crate) held: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "maps memory")]
    fn what_is_held_stays_held_when_nobody_is_watched_any_more() {
        let reader = |id| Reader::new(EngineId([id; 16]), Lease::private().unwrap(), None);
        let mut readers = Readers::new(reader(0));
        let slot = readers.insert(reader(1)).unwrap();
        let atomic = readers.get(slot).unwrap().lease.cell(3).unwrap();
        assert!(cell::publish(atomic, 1));
        cell::take(atomic, 1).unwrap();
        readers.close();
        assert_eq!(readers.references(1 << slot, 3).held, 1);
        assert!(readers.get(slot).unwrap().muted);
        assert!(
            !readers.get(0).unwrap().muted,
            "the own process needs no watching"
        );
        assert!(readers.insert(reader(2)).is_none());
    }
}
