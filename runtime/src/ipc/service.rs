//! The thread of an engine: lets readers in, connects to publishers, and learns from the kernel who is gone.
//!
//! One epoll for everything. A connection's end, or the end of the process behind it, releases what that process held and
//! nothing else; what of a device waits for that end is let go by [`watch`](super::watch). Every wait for a peer has a deadline; a peer that breaks the protocol is left alone, and keeps what it
//! holds until it is gone. Nothing here waits for one peer while another one asks.

mod letting_in;
mod reaching_out;

use core::sync::atomic::Ordering;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};

use super::config::{GRACE, GREETING};
use super::engine::Shared;
use super::identity::EngineId;
use super::imports::{Pumped, Writer};
use super::lease::{CELLS, Lease};
use super::memory::Memory;
use super::socket::{Connection, Listener};

const WAKE: u64 = 0;
const LISTENER: u64 = 1;
const FIRST_SOURCE: u64 = 2;
/// How long nobody is let in after the system refused.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a file descriptor in the epoll is there for.
enum Source<M: Memory> {
    /// Somebody connected and has not said who it is.
    Greeting {
        connection: Connection,
        since: Instant,
    },
    /// A process that reads from us.
    Reader {
        connection: Arc<Connection>,
        slot: usize,
        exit: Option<u64>,
    },
    /// A publisher that has not let us in yet.
    Welcoming {
        connection: Connection,
        publisher: EngineId,
        /// It has let us in, and what its blocks have in common is still to come.
        lease: Option<Lease>,
        since: Instant,
    },
    /// A publisher that we read from.
    Writer {
        writer: Arc<Writer<M>>,
        exit: Option<u64>,
        /// When it went; its last frames may still be on their way.
        gone: Option<Instant>,
    },
    /// Readable once the process behind another source ended.
    Exit { of: u64, fd: OwnedFd },
}

pub(super) struct Service<M: Memory> {
    shared: Arc<Shared<M>>,
    listener: Listener,
    epoll: OwnedFd,
    sources: HashMap<u64, Source<M>>,
    next: u64,
    /// Nobody is let in before.
    paused_until: Option<Instant>,
    refused: Refused,
}

/// What was said already.
#[derive(Default)]
struct Refused {
    other_user: bool,
    full: bool,
    accept: bool,
}

impl<M: Memory> Service<M> {
    pub(super) fn new(shared: Arc<Shared<M>>, listener: Listener) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let add = |fd: BorrowedFd<'_>, token| {
            epoll::add(
                &epoll,
                fd,
                epoll::EventData::new_u64(token),
                epoll::EventFlags::IN,
            )
        };
        add(shared.wake.as_fd(), WAKE)?;
        add(listener.as_fd(), LISTENER)?;
        Ok(Self {
            shared,
            listener,
            epoll,
            sources: HashMap::new(),
            next: FIRST_SOURCE,
            paused_until: None,
            refused: Refused::default(),
        })
    }

    /// Serves until the engine is dropped.
    pub(super) fn run(mut self) {
        let _end = End(Arc::clone(&self.shared));
        let mut events = Vec::with_capacity(64);
        while !self.shared.stop.load(Ordering::Acquire) {
            events.clear();
            let timeout = self.next_deadline().map(|deadline| {
                let left = deadline.saturating_duration_since(Instant::now());
                // Rounded up, so that the deadline is over when the wait is.
                Timespec::try_from(left + Duration::from_millis(1)).unwrap_or(Timespec {
                    tv_sec: 1,
                    tv_nsec: 0,
                })
            });
            let spare = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.epoll, spare, timeout.as_ref()) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => {
                    tracing::error!(%error, "shared memory is not served any more: epoll failed");
                    return;
                }
            }
            for event in &events {
                // Copied out: the kernel's struct may be packed.
                let (token, flags) = (event.data.u64(), event.flags);
                self.handle(token, flags);
            }
            self.obey();
            self.tick();
        }
    }

    fn handle(&mut self, token: u64, flags: epoll::EventFlags) {
        let ended = flags
            .intersects(epoll::EventFlags::HUP | epoll::EventFlags::RDHUP | epoll::EventFlags::ERR);
        match token {
            WAKE => {
                let _ = rustix::io::read(&self.shared.wake, &mut [0; 8]);
            }
            LISTENER => self.accept(),
            _ => match self.sources.get(&token) {
                Some(Source::Greeting { .. }) => self.greet(token),
                Some(Source::Reader { .. }) => self.serve(token, ended),
                Some(Source::Welcoming { .. }) => self.welcomed(token),
                Some(Source::Writer { .. }) => self.import(token),
                Some(Source::Exit { of, .. }) => {
                    let of = *of;
                    self.ended(of);
                }
                None => {} // removed by an earlier event of the same batch
            },
        }
    }

    /// The process behind a source is gone.
    fn ended(&mut self, token: u64) {
        match self.sources.get_mut(&token) {
            Some(Source::Writer { writer, exit, gone }) if gone.is_none() => {
                // What it sent before; no more than it can have in blocks.
                for _ in 0..CELLS {
                    if writer.pump() != Pumped::More {
                        break;
                    }
                }
                writer.close();
                *gone = Some(Instant::now());
                let (exit, writer) = (exit.take(), Arc::clone(writer));
                // Its end would be reported without end.
                let _ = epoll::delete(&self.epoll, writer.connection());
                if let Some(exit) = exit {
                    self.remove(exit);
                }
            }
            Some(_) => {
                self.remove(token);
            }
            None => {}
        }
    }

    fn watch_exit(&mut self, of: u64, fd: OwnedFd) {
        let Some(exit_token) = self.add(Source::Exit { of, fd }) else {
            return; // the connection's end is still seen
        };
        match self.sources.get_mut(&of) {
            Some(Source::Reader { exit, .. } | Source::Writer { exit, .. }) => {
                *exit = Some(exit_token);
            }
            _ => {
                self.remove(exit_token);
            }
        }
    }

    fn add(&mut self, source: Source<M>) -> Option<u64> {
        let token = self.watch(source.fd()?)?;
        self.sources.insert(token, source);
        Some(token)
    }

    /// Reports what happens on a file descriptor under a new token.
    fn watch(&mut self, fd: BorrowedFd<'_>) -> Option<u64> {
        let token = self.next;
        let data = epoll::EventData::new_u64(token);
        let flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP;
        if let Err(error) = epoll::add(&self.epoll, fd, data, flags) {
            tracing::warn!(%error, "a connection for shared memory cannot be watched and was closed");
            return None;
        }
        self.next += 1;
        Some(token)
    }

    /// Takes a source out and leaves its connection in the epoll.
    fn take(&mut self, token: u64) -> Option<Source<M>> {
        self.sources.remove(&token)
    }

    /// Takes a source out with all that belongs to it.
    fn remove(&mut self, token: u64) -> Option<Source<M>> {
        let source = self.sources.remove(&token)?;
        if let Some(fd) = source.fd() {
            let _ = epoll::delete(&self.epoll, fd);
        }
        match &source {
            Source::Reader { slot, exit, .. } => {
                let (slot, exit) = (*slot, *exit);
                let reader = self.shared.pool.lock().readers.remove(slot);
                drop(reader); // unmaps; not under the lock
                self.shared.readers_changed.notify_all();
                if let Some(exit) = exit {
                    self.remove(exit);
                }
            }
            Source::Writer { writer, exit, .. } => {
                let (id, exit) = (writer.id(), *exit);
                self.shared.writers.remove(id);
                if let Some(exit) = exit {
                    self.remove(exit);
                }
            }
            Source::Greeting { .. } | Source::Welcoming { .. } | Source::Exit { .. } => {}
        }
        Some(source)
    }

    /// Ends what took too long.
    fn tick(&mut self) {
        let now = Instant::now();
        let over: Vec<u64> = self
            .sources
            .iter()
            .filter(|(_, source)| source.is_over(now))
            .map(|(token, _)| *token)
            .collect();
        for token in over {
            match self.sources.get(&token) {
                Some(Source::Welcoming { .. }) => self.unwelcome(token, "it does not answer", true),
                _ => {
                    self.remove(token);
                }
            }
        }
        if self.paused_until.is_some_and(|until| until <= now) {
            let data = epoll::EventData::new_u64(LISTENER);
            let added = epoll::add(&self.epoll, &self.listener, data, epoll::EventFlags::IN);
            self.paused_until = added.is_err().then(|| now + ACCEPT_PAUSE);
        }
        for identity in self.shared.writers.due() {
            self.connect(identity);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let retry = self.shared.writers.next_retry();
        let sources = self.sources.values().filter_map(Source::deadline);
        sources.chain(self.paused_until).chain(retry).min()
    }
}

impl<M: Memory> Source<M> {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Greeting { connection, .. } | Self::Welcoming { connection, .. } => {
                Some(connection.as_fd())
            }
            Self::Reader { connection, .. } => Some(connection.as_fd()),
            Self::Writer {
                writer, gone: None, ..
            } => Some(writer.connection().as_fd()),
            Self::Writer { .. } => None,
            Self::Exit { fd, .. } => Some(fd.as_fd()),
        }
    }

    /// When it is removed, if nothing happens.
    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Greeting { since, .. } | Self::Welcoming { since, .. } => Some(*since + GREETING),
            Self::Writer { gone, .. } => gone.map(|gone| gone + GRACE),
            Self::Reader { .. } | Self::Exit { .. } => None,
        }
    }

    /// Whether it is to be removed: its time has come.
    fn is_over(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }
}

/// The end of the thread, whatever ended it: nobody learns of a reader's death any more, so nobody is described anything. What
/// readers hold stays held for good: they may live, and read it.
struct End<M: Memory>(Arc<Shared<M>>);

impl<M: Memory> Drop for End<M> {
    fn drop(&mut self) {
        if !self.0.stop.load(Ordering::Acquire) {
            tracing::error!(
                "the thread that served shared memory ended; readers get bytes from now on"
            );
        }
        self.0.pool.lock().readers.close();
        self.0.readers_changed.notify_all();
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
