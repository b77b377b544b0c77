//! What we read from other processes: a connection, a lease and mapped blocks for each publisher's engine.
//!
//! A ticket comes in, memory that is held goes out. The reference is taken first, in the cell, and the generation with it;
//! only then is the memory looked up. A block's memory normally came over the socket before its first descriptor; if not, it
//! is asked for, and waited for without any lock. What is held stays mapped, whatever happens to its publisher.

mod blocks;
mod held;

use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::blocks::Entry;
pub(crate) use self::blocks::{Idle, Import, Reading};
use self::held::Held;
pub(crate) use self::held::ReadHandle;
use super::cell::{self, TakeError};
use super::config::{FRESH, IMPORT};
use super::identity::EngineId;
use super::lease::{CELLS, ForkGuard, Lease};
use super::memory::Memory;
use super::socket::{Connection, Received};
use super::ticket::Ticket;
use super::wire::{MAX_MESSAGE, ToReader, ToWriter};
use crate::error::{BackendError, Cause, Loss};

/// Messages that are taken in at a time; there may be more.
const BATCH: usize = 64;

struct State<M: Memory> {
    blocks: HashMap<u64, Entry<M>>,
    closed: bool,
    /// Threads that wait for a block.
    waiting: usize,
    /// Blocks that the publisher said it does not have, while somebody waits.
    unknown: Vec<u64>,
    /// Blocks that came and could not be mapped, while somebody waits. Later they are asked for again.
    failed: Vec<(u64, Cause)>,
    /// Somebody waited in vain: until the publisher is heard again nobody waits, as this may be a thread that others need.
    stalled: bool,
}

impl<M: Memory> State<M> {
    /// Gives what has to make room: an earlier entry of that block or, when there are more blocks than a publisher can
    /// have, the longest unused one.
    fn insert(&mut self, block: u64, entry: Entry<M>) -> Option<Entry<M>> {
        let before = self.blocks.insert(block, entry);
        if before.is_some() || self.blocks.len() <= CELLS {
            return before;
        }
        let oldest = self
            .blocks
            .iter()
            .filter(|(other, _)| **other != block)
            .min_by_key(|(_, entry)| entry.used)
            .map(|(other, _)| *other);
        self.blocks.remove(&oldest?)
    }
}

/// The engine of another process that we read from.
pub(crate) struct Writer<M: Memory> {
    id: EngineId,
    connection: Connection,
    lease: Lease,
    common: Option<Arc<M::Common>>,
    memory: Arc<M>,
    fork: Arc<ForkGuard>,
    reading: Arc<Reading>,
    /// That it ended in the middle of a frame was said.
    said: AtomicBool,
    state: Mutex<State<M>>,
    /// A block came, or none will come any more.
    arrived: Condvar,
    /// Keeps the order of messages when two threads take them in.
    pump: Mutex<()>,
}

/// How a connection stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pumped {
    /// Nothing more is there for now.
    Open,
    /// Enough for one time.
    More,
    Closed,
}

impl<M: Memory> Writer<M> {
    pub(crate) fn new(
        id: EngineId,
        connection: Connection,
        lease: Lease,
        common: Option<Arc<M::Common>>,
        memory: Arc<M>,
        fork: Arc<ForkGuard>,
        reading: Arc<Reading>,
    ) -> Self {
        Self {
            id,
            connection,
            lease,
            common,
            memory,
            fork,
            reading,
            said: AtomicBool::new(false),
            state: Mutex::new(State {
                blocks: HashMap::new(),
                closed: false,
                waiting: 0,
                unknown: Vec::new(),
                failed: Vec::new(),
                stalled: false,
            }),
            arrived: Condvar::new(),
            pump: Mutex::new(()),
        }
    }

    pub(crate) fn id(&self) -> EngineId {
        self.id
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the publisher's engine sent; does not wait for it.
    pub(crate) fn pump(&self) -> Pumped {
        let _order = self.pump.lock().unwrap_or_else(PoisonError::into_inner);
        let mut message = [0; MAX_MESSAGE];
        for _ in 0..BATCH {
            match self.connection.receive(&mut message) {
                Ok(Received::Message { len, fd }) => self.accept(&message[..len], fd),
                Ok(Received::Closed) => return Pumped::Closed,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Pumped::Open,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    tracing::warn!(writer = %self.id, %error, "a message about shared memory was left out");
                }
                Err(error) => {
                    tracing::debug!(writer = %self.id, %error, "the connection to a publisher ended");
                    return Pumped::Closed;
                }
            }
        }
        Pumped::More
    }

    fn accept(&self, message: &[u8], fd: Option<OwnedFd>) {
        self.lock().stalled = false;
        match ToReader::parse(message) {
            Ok(ToReader::Block { block, size, extra }) => {
                let mapped = fd
                    .ok_or_else(|| io::Error::other("its file descriptor did not come along: is the limit of open files reached?"))
                    .and_then(|fd| self.memory.import(fd, size, &extra));
                let memory = match mapped {
                    Ok(memory) => memory,
                    Err(error) => return self.not_mapped(block, error),
                };
                let entry = Entry {
                    import: Arc::new(Import::new(memory, size, &self.reading)),
                    used: self.tick(),
                    fresh_until: Some(Instant::now() + FRESH),
                };
                let mut state = self.lock();
                state.failed.retain(|(other, _)| *other != block);
                let before = state.insert(block, entry);
                drop(state);
                self.reading.grown.store(true, Ordering::Relaxed);
                self.arrived.notify_all();
                drop(before); // may unmap; not under the lock
            }
            Ok(ToReader::Retire { block }) => {
                let mut state = self.lock();
                let before = state.blocks.remove(&block);
                // What is taken cannot be retired; this answers a question about a block that never was.
                if before.is_none() && state.waiting > 0 && state.unknown.len() < CELLS {
                    state.unknown.push(block);
                    self.arrived.notify_all();
                }
                drop(state);
                drop(before); // may unmap; not under the lock
            }
            Ok(ToReader::Welcome { .. } | ToReader::Common | ToReader::Refused { .. }) => {
                tracing::debug!(writer = %self.id, "a second greeting was left out");
            }
            Err(error) => {
                tracing::warn!(writer = %self.id, %error, "a message about shared memory was left out");
            }
        }
    }

    /// Whether the connection ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Tells the publisher, so that it sends bytes, and all who wait for the block.
    fn not_mapped(&self, block: u64, error: io::Error) {
        if !self.reading.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                writer = %self.id, block, %error,
                "the memory of a block could not be mapped; its publisher sends bytes for a while (said once)"
            );
        }
        let mut message = [0; MAX_MESSAGE];
        let len = ToWriter::Failed { block }.write(&mut message);
        // A publisher that does not listen is told with the next block that it sends.
        let _ = self.connection.send(&message[..len], None);
        let mut state = self.lock();
        if state.waiting > 0 && state.failed.len() < CELLS {
            state.failed.push((block, Cause::new(error)));
            self.arrived.notify_all();
        }
    }

    /// The connection ended: what waits for a block waits no longer. What was mapped may still be taken.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    fn is_unfinished(&self, cell: u32, generation: u64) -> bool {
        let common = self.common.as_ref();
        common.is_some_and(|common| M::is_unfinished(common, cell, generation))
    }

    fn tick(&self) -> u64 {
        self.reading.clock.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes what a ticket of this engine says, and holds it until the handle goes.
    pub(crate) fn take(self: &Arc<Self>, ticket: &Ticket) -> Result<ReadHandle<M>, BackendError> {
        let Some(atomic) = self.lease.cell(ticket.cell) else {
            return Err(malformed(format!("no cell {}", ticket.cell)));
        };
        if let Err(error) = cell::take(atomic, ticket.generation) {
            if error == TakeError::Full {
                cell::refuse(atomic, ticket.generation);
            }
            return Err(self.reading.missed(error));
        }
        let held = Held {
            writer: Arc::clone(self),
            cell: ticket.cell,
            generation: ticket.generation,
        };
        if self.is_unfinished(ticket.cell, ticket.generation) {
            return Err(Loss::Unfinished.into()); // counted as it is given back
        }
        if let Some(len) = self
            .common
            .as_ref()
            .and_then(|common| M::len(common, ticket.cell))
            && ticket.offset + ticket.size > len
        {
            return Err(malformed(format!(
                "{} bytes at {} where {len} were written",
                ticket.size, ticket.offset
            )));
        }
        let import = self.import(ticket).inspect_err(|_| {
            self.reading
                .lost_unreachable
                .fetch_add(1, Ordering::Relaxed);
        })?;
        if import.size != ticket.block_size {
            return Err(malformed(format!(
                "a block of {} bytes that has {}",
                ticket.block_size, import.size
            )));
        }
        // Both fit: `Ticket::check` compared their sum with the size of the block, and that with `isize`.
        let fits =
            |bytes: u64| usize::try_from(bytes).map_err(|_| malformed(format!("{bytes} bytes")));
        self.reading.taken.fetch_add(1, Ordering::Relaxed);
        Ok(ReadHandle {
            offset: fits(ticket.offset)?,
            len: fits(ticket.size)?,
            import,
            held,
        })
    }

    fn import(&self, ticket: &Ticket) -> Result<Arc<Import<M>>, BackendError> {
        if let Some(found) = self.find(ticket.block) {
            return found;
        }
        // It is in the socket already, as a rule.
        let mut open = self.pump() != Pumped::Closed;
        if let Some(found) = self.find(ticket.block) {
            return found;
        }
        self.lock().waiting += 1;
        if open {
            let mut message = [0; MAX_MESSAGE];
            let need = ToWriter::Need {
                block: ticket.block,
            };
            let len = need.write(&mut message);
            open = self.connection.send(&message[..len], None).is_ok();
        }
        let found = self.wait_for(ticket.block, open);
        let mut state = self.lock();
        state.waiting -= 1;
        if state.waiting == 0 {
            state.unknown.clear();
            state.failed.clear();
        }
        found
    }

    /// Waits until the block came, or will not come any more.
    fn wait_for(&self, block: u64, open: bool) -> Result<Arc<Import<M>>, BackendError> {
        let mut state = self.lock();
        let patience = if state.stalled {
            Duration::ZERO
        } else {
            IMPORT
        };
        let deadline = Instant::now() + patience;
        loop {
            if let Some(found) = self.look(&mut state, block) {
                return found;
            }
            if state.unknown.contains(&block) {
                return Err(malformed(format!("its publisher has no block {block}")));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.closed || !open {
                return Err(gone(
                    "its publisher is gone and never passed on the memory".to_owned(),
                ));
            }
            if left.is_zero() {
                state.stalled = true;
                return Err(gone(format!(
                    "its publisher does not answer, and its memory did not come within {IMPORT:?}"
                )));
            }
            let waited = self.arrived.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn find(&self, block: u64) -> Option<Result<Arc<Import<M>>, BackendError>> {
        self.look(&mut self.lock(), block)
    }

    /// The block if it is here; an error if it came for those who wait and could not be mapped.
    fn look(
        &self,
        state: &mut State<M>,
        block: u64,
    ) -> Option<Result<Arc<Import<M>>, BackendError>> {
        if let Some(entry) = state.blocks.get_mut(&block) {
            entry.used = self.tick();
            entry.fresh_until = None;
            return Some(Ok(Arc::clone(&entry.import)));
        }
        let (_, cause) = state.failed.iter().find(|(failed, _)| *failed == block)?;
        Some(Err(BackendError::Io {
            operation: format!("map block {block} of a publisher"),
            cause: cause.clone(),
        }))
    }

    /// Blocks that nobody reads. None while somebody waits for one: it may have come and not have been looked at.
    pub(crate) fn idle(&self) -> Vec<Idle> {
        let state = self.lock();
        if state.waiting > 0 {
            return Vec::new();
        }
        let now = Instant::now();
        let idle = state
            .blocks
            .iter()
            .filter_map(|(block, entry)| entry.idle(*block, now));
        idle.collect()
    }

    /// Forgets a block if it was not used meanwhile; it is asked for again when it is described again.
    pub(crate) fn evict(&self, idle: &Idle) {
        let mut state = self.lock();
        let now = Instant::now();
        let found = state
            .blocks
            .get(&idle.block)
            .and_then(|entry| entry.idle(idle.block, now));
        if found.as_ref() == Some(idle) {
            let before = state.blocks.remove(&idle.block);
            drop(state);
            drop(before); // unmaps; not under the lock
        }
    }
}

/// The error of a descriptor that could not be taken.
pub(super) fn missed(error: TakeError) -> BackendError {
    match error {
        TakeError::Reused => Loss::Reused.into(),
        TakeError::Expired => Loss::Expired.into(),
        TakeError::Full => BackendError::Limit(format!(
            "{} references to one block are held here; drop some of the messages",
            cell::MAX_COUNT
        )),
    }
}

fn malformed(what: String) -> BackendError {
    BackendError::Malformed(what)
}

fn gone(why: String) -> BackendError {
    BackendError::Disconnected(why)
}
