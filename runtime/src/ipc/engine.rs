//! An engine: what one process needs to hand blocks of one memory to others and to read theirs.
//!
//! Pool and leases on the one side, connections and imports on the other, one thread for both. An engine is a value; all
//! that it opened is closed when it and the handles that it gave are gone.

use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, getrlimit};

use super::block::Block;
use super::config::{Config, GREETING, OVERFLOW_UID};
use super::identity::{EngineId, Identity};
use super::imports::{ReadHandle, missed};
use super::lease::{CELLS, ForkGuard, Lease};
use super::memory::Memory;
use super::pool::{Pool, State};
use super::readers::Reader;
use super::service::Service;
use super::socket::Listener;
use super::stats::Stats;
use super::ticket::Ticket;
use super::watch::Watch;
use super::writers::Writers;
use crate::error::{AllocateError, BackendError};

/// Requests to connect that wait for the service; the graph is asked again for what is beyond.
const MAX_REQUESTS: usize = 1024;

/// Open files that an engine and the rest of its program may have: one for each block, and as many again.
const FILES: u64 = 2 * CELLS as u64;

/// What the engine's thread and its users share.
pub(crate) struct Shared<M: Memory> {
    pub(crate) identity: Identity,
    pub(crate) config: Config,
    pub(crate) memory: Arc<M>,
    pub(crate) fork: Arc<ForkGuard>,
    pub(crate) pool: Pool<M>,
    pub(crate) writers: Writers<M>,
    /// Of a memory whose blocks have something in common.
    pub(crate) watch: Option<Watch<M>>,
    /// A reader came or went; goes with the pool's lock.
    pub(crate) readers_changed: Condvar,
    pub(crate) wake: OwnedFd,
    pub(crate) stop: AtomicBool,
    requests: Mutex<VecDeque<Identity>>,
    own_uid: u32,
}

impl<M: Memory> Shared<M> {
    /// Whether processes of this user may read from us, and we from them.
    pub(crate) fn is_welcome(&self, uid: u32) -> bool {
        (uid == self.own_uid && uid != OVERFLOW_UID) || self.config.users.contains(&uid)
    }

    pub(crate) fn reader_is(&self, slot: usize, id: EngineId) -> bool {
        let state = self.pool.lock();
        state
            .readers
            .get(slot)
            .is_some_and(|reader| reader.id == id)
    }

    pub(crate) fn is_muted(&self, slot: usize) -> bool {
        let state = self.pool.lock();
        state.readers.get(slot).is_none_or(|reader| reader.muted)
    }

    pub(crate) fn next_request(&self) -> Option<Identity> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.pop_front()
    }

    fn request(&self, identity: Identity) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() < MAX_REQUESTS {
            requests.push_back(identity);
        }
        drop(requests);
        self.wake_up();
    }

    fn wake_up(&self) {
        // Full means that it is awake already.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }
}

/// Makes the table of open files as large as it may get, by way of one high number. Otherwise it doubles whenever it is full,
/// and Linux lets a process with threads wait for that, ten milliseconds and more, in the middle of a frame.
fn grow_file_table(any: BorrowedFd<'_>) {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(FILES);
    let last = FILES.min(limit).saturating_sub(1);
    if let Ok(last) = i32::try_from(last) {
        // Closed at once. No such number to be had: then it grows when it has to.
        let _ = fcntl_dupfd_cloexec(any, last);
    }
}

/// What a descriptor gave.
pub(crate) enum Taken<M: Memory> {
    /// A block of this process: the block itself.
    Own(Arc<Block<M>>),
    /// A block of another process.
    Imported(ReadHandle<M>),
}

/// The engine; the last handle on it ends its thread.
pub(crate) struct Engine<M: Memory> {
    shared: Arc<Shared<M>>,
    thread: Option<JoinHandle<()>>,
    watcher: Option<JoinHandle<()>>,
}

impl<M: Memory> Engine<M> {
    /// Opens the socket and starts the thread.
    pub(crate) fn start(memory: M, config: Config) -> io::Result<Self> {
        let identity = Identity::random()?;
        let listener = Listener::bind(&identity.socket)?;
        let memory = Arc::new(memory);
        let own = Reader::new(identity.engine, Lease::private()?, None);
        let fork = Arc::new(ForkGuard::new()?);
        let pool = Pool::new(
            identity.engine,
            Arc::clone(&memory),
            Arc::clone(&fork),
            config.clone(),
            own,
        );
        let watch = memory.common().map(|_| Watch::new()).transpose()?;
        let shared = Arc::new(Shared {
            identity,
            watch,
            memory,
            fork,
            pool,
            config,
            writers: Writers::new(),
            readers_changed: Condvar::new(),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            stop: AtomicBool::new(false),
            requests: Mutex::default(),
            own_uid: rustix::process::geteuid().as_raw(),
        });
        grow_file_table(shared.wake.as_fd());
        let service = Service::new(Arc::clone(&shared), listener)?;
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            let thread = std::thread::Builder::new().name(format!("{} {name}", M::BACKEND));
            thread.spawn(run)
        };
        // From here on its drop ends what was started.
        let mut engine = Self {
            shared: Arc::clone(&shared),
            thread: None,
            watcher: None,
        };
        engine.thread = Some(spawn("service", Box::new(move || service.run()))?);
        if shared.watch.is_some() {
            let watch = move || shared.watch.iter().for_each(Watch::run);
            engine.watcher = Some(spawn("watch", Box::new(watch))?);
        }
        Ok(engine)
    }

    #[cfg(any(test, feature = "cuda"))]
    pub(crate) fn memory(&self) -> &M {
        &self.shared.memory
    }

    /// The pool, for memory that somebody else made; `None` in a forked child.
    #[cfg(any(test, feature = "cuda"))]
    pub(crate) fn adopting(&self) -> Option<&Pool<M>> {
        (!self.is_child()).then_some(&self.shared.pool)
    }

    pub(crate) fn identity(&self) -> Identity {
        self.shared.identity
    }

    /// Whether this is a forked child of the process that started the engine.
    pub(crate) fn is_child(&self) -> bool {
        self.shared.fork.is_child()
    }

    /// A block that nobody else has, of at least `len` bytes.
    pub(crate) fn try_allocate(
        &self,
        domain: u32,
        len: usize,
    ) -> Result<Arc<Block<M>>, AllocateError> {
        if self.is_child() {
            return Err(AllocateError::Forked);
        }
        self.shared.pool.try_allocate(domain, len)
    }

    /// As [`try_allocate`](Self::try_allocate), but waits for a block.
    pub(crate) fn allocate(
        &self,
        domain: u32,
        len: usize,
        timeout: Duration,
    ) -> Result<Arc<Block<M>>, AllocateError> {
        if self.is_child() {
            return Err(AllocateError::Forked);
        }
        self.shared.pool.allocate(domain, len, timeout)
    }

    pub(crate) fn trim(&self, idle: Duration) -> u64 {
        if self.is_child() {
            return 0;
        }
        self.shared.pool.trim(idle)
    }

    /// See [`Pool::describe`].
    pub(crate) fn describe(
        &self,
        block: &Block<M>,
        reader: EngineId,
    ) -> Result<Option<Ticket>, BackendError> {
        if self.is_child() {
            return Err(BackendError::Forked);
        }
        Ok(self.shared.pool.describe(block, reader))
    }

    pub(crate) fn retract(&self, ticket: &Ticket, reader: EngineId) {
        if !self.is_child() {
            self.shared.pool.retract(ticket, reader);
        }
    }

    /// Takes what a ticket says. Waits only for a publisher that is about to be connected, and for a block whose memory did
    /// not come before its descriptor.
    pub(crate) fn take(&self, ticket: &Ticket) -> Result<Taken<M>, BackendError> {
        if self.is_child() {
            return Err(BackendError::Forked);
        }
        self.counted(self.take_checked(ticket))
    }

    /// Counts a descriptor that cannot be right.
    pub(crate) fn counted<T>(&self, taken: Result<T, BackendError>) -> Result<T, BackendError> {
        if matches!(taken, Err(BackendError::Malformed(_))) {
            let lost = &self.shared.writers.reading.lost_malformed;
            lost.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    fn take_checked(&self, ticket: &Ticket) -> Result<Taken<M>, BackendError> {
        ticket.check().map_err(BackendError::Malformed)?;
        if ticket.engine == self.shared.identity.engine {
            let block = self.shared.pool.take_own(ticket).map_err(missed)?;
            return if (ticket.offset, ticket.size, ticket.block_size)
                == (block.offset(), block.len(), block.size)
            {
                Ok(Taken::Own(block))
            } else {
                Err(BackendError::Malformed("sizes of another block".to_owned()))
            };
        }
        let Some(writer) = self.shared.writers.get(ticket.engine, GREETING) else {
            let lost = &self.shared.writers.reading.lost_unreachable;
            lost.fetch_add(1, Ordering::Relaxed);
            return Err(BackendError::Disconnected(format!(
                "publisher {}",
                ticket.engine
            )));
        };
        let taken = writer.take(ticket);
        // This thread may have taken in the block itself, and the service then knows nothing of it.
        self.shared.writers.evict(self.shared.config.import_limit);
        taken.map(Taken::Imported)
    }

    /// Sees to it that this engine is connected to, if it is not yet; does not wait.
    pub(crate) fn discover(&self, other: Identity) {
        self.look_for(other, false);
    }

    fn look_for(&self, other: Identity, now: bool) {
        let own = other.engine == self.shared.identity.engine;
        if !own && !self.is_child() && self.shared.writers.wants(other, now) {
            self.shared.request(other);
        }
    }

    /// Waits until this engine can be read from.
    pub(crate) fn connect(&self, other: Identity, timeout: Duration) -> Result<(), BackendError> {
        if self.is_child() {
            return Err(BackendError::Forked);
        }
        if other.engine == self.shared.identity.engine {
            return Ok(());
        }
        self.look_for(other, true);
        let waited = self.shared.writers.wait(other.engine, timeout);
        waited
            .map_err(|why| BackendError::Disconnected(format!("publisher {}: {why}", other.engine)))
    }

    /// Whether this reader would be given descriptors.
    pub(crate) fn has_reader(&self, id: EngineId) -> bool {
        if self.is_child() {
            return false;
        }
        self.wait_for_reader(id, Duration::ZERO)
    }

    /// Waits until [`has_reader`](Self::has_reader).
    pub(crate) fn wait_for_reader(&self, id: EngineId, timeout: Duration) -> bool {
        if self.is_child() {
            return false;
        }
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.shared.pool.lock();
        let describable = |state: &State<M>| {
            let slot = state.readers.find(id);
            slot.and_then(|slot| state.readers.get(slot))
                .is_some_and(|reader| !reader.muted)
        };
        while !describable(&state) {
            let left = deadline.map_or(Duration::MAX, |end| {
                end.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.readers_changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        if self.is_child() {
            return stats; // another process's locks are not to be waited for
        }
        self.shared.pool.add_to(&mut stats);
        self.shared.writers.add_to(&mut stats);
        stats
    }
}

impl<M: Memory> Drop for Engine<M> {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        // A forked child has the handle, but not the thread.
        if self.is_child() {
            return;
        }
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake_up();
        if thread.join().is_err() {
            tracing::error!("the thread that served shared memory had panicked");
        }
        // Later than the service, which may have had to wait for what this one lets go.
        self.shared.watch.iter().for_each(Watch::stop);
        if let Some(watcher) = self.watcher.take()
            && watcher.join().is_err()
        {
            tracing::error!("the thread that learns of the ends of processes had panicked");
        }
    }
}

#[cfg(test)]
mod tests;
