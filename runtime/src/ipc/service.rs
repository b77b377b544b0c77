//! The thread of an engine: lets readers in, connects to publishers, and learns from the kernel who is gone.
//!
//! One epoll for everything. A connection's end, or the end of the process behind it, releases what that process held and
//! nothing else. Every wait for a peer has a deadline; a peer that breaks the protocol is left alone, and keeps what it
//! holds until it is gone. Nothing here waits for one peer while another one asks.

use core::sync::atomic::Ordering;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};

use super::config::{GRACE, GREETING, MAX_GREETING, RELEASE};
use super::engine::Shared;
use super::identity::{EngineId, Identity};
use super::imports::{Pumped, Writer};
use super::lease::{CELLS, Lease};
use super::memory::Memory;
use super::readers::Reader;
use super::socket::{Connection, Listener, Received};
use super::wire::{MAX_MESSAGE, Refusal, ToReader, ToWriter, WireError};

const WAKE: u64 = 0;
const LISTENER: u64 = 1;
const FIRST_SOURCE: u64 = 2;
/// Connections that are let in at a time; others go first then.
const ACCEPT_BATCH: usize = 16;
/// How long nobody is let in after the system refused.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Messages of one reader that are read at a time.
const READ_BATCH: usize = 16;

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
    /// A publisher that went, and whose memory is to be released when its process is gone too: an engine may end in a
    /// process that goes on, and that still writes.
    Leaving {
        writer: Weak<Writer<M>>,
        exit: Option<OwnedFd>,
        due: Option<Instant>,
    },
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
                Some(Source::Leaving { .. }) => self.left(token),
                None => {} // removed by an earlier event of the same batch
            },
        }
    }

    // Readers: those who connect to us.

    fn accept(&mut self) {
        for _ in 0..ACCEPT_BATCH {
            match self.listener.accept() {
                Ok(Some(connection)) => self.check_in(connection),
                Ok(None) => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Free blocks hold file descriptors that a reader needs.
                Err(_) if self.shared.pool.trim(Duration::ZERO) > 0 => {}
                Err(error) => {
                    if !std::mem::replace(&mut self.refused.accept, true) {
                        tracing::warn!(%error, "readers of shared memory cannot be let in, they get bytes (said once)");
                    }
                    let _ = epoll::delete(&self.epoll, &self.listener);
                    self.paused_until = Some(Instant::now() + ACCEPT_PAUSE);
                    return;
                }
            }
        }
    }

    fn check_in(&mut self, connection: Connection) {
        let uid = match connection.credentials() {
            Ok(credentials) => credentials.uid,
            Err(error) => {
                tracing::debug!(%error, "a connection without credentials was closed");
                return;
            }
        };
        if !self.shared.is_welcome(uid) {
            if !std::mem::replace(&mut self.refused.other_user, true) {
                tracing::warn!(
                    uid,
                    "a process of another user asked for shared memory and was refused; `allow_user` lets it in (said once)"
                );
            }
            refuse(&connection, Refusal::User);
            return;
        }
        let greeting = self
            .sources
            .iter()
            .filter_map(|(token, source)| match source {
                Source::Greeting { since, .. } => Some((*since, *token)),
                _ => None,
            });
        let (count, oldest) = greeting.fold((0, None), |(count, oldest), this| {
            (
                count + 1,
                Some(oldest.map_or(this, |oldest: (Instant, u64)| oldest.min(this))),
            )
        });
        if count >= MAX_GREETING
            && let Some((_, token)) = oldest
        {
            self.remove(token);
        }
        let since = Instant::now();
        self.add(Source::Greeting { connection, since });
    }

    /// The first message of a reader.
    fn greet(&mut self, token: u64) {
        let Some(Source::Greeting { connection, .. }) = self.sources.get(&token) else {
            return;
        };
        let mut message = [0; MAX_MESSAGE];
        let parsed = match connection.receive(&mut message) {
            Ok(Received::Message { len, .. }) => ToWriter::parse(&message[..len]),
            Err(error) if is_transient(&error) => return,
            Ok(Received::Closed) | Err(_) => {
                self.remove(token);
                return;
            }
        };
        let Some(Source::Greeting { connection, .. }) = self.remove(token) else {
            return;
        };
        match parsed {
            Ok(ToWriter::Hello { reader }) => self.admit(EngineId(reader), connection),
            Ok(ToWriter::Need { .. } | ToWriter::Failed { .. }) => {
                tracing::debug!("a connection that did not greet was closed");
            }
            Err(WireError::Version(_)) => refuse(&connection, Refusal::Version),
            Err(error) => {
                tracing::debug!(%error, "a connection that did not greet was closed");
            }
        }
    }

    fn admit(&mut self, id: EngineId, connection: Connection) {
        // A reader that connects again before the end of its first connection was handled.
        let same = self
            .sources
            .iter()
            .find_map(|(token, source)| match source {
                Source::Reader {
                    connection, slot, ..
                } if self.shared.reader_is(*slot, id) => Some((*token, connection.is_closed())),
                _ => None,
            });
        match same {
            Some((token, true)) => self.ended(token),
            Some((_, false)) => return refuse(&connection, Refusal::Duplicate),
            None if id == self.shared.identity.engine => {
                return refuse(&connection, Refusal::Duplicate);
            }
            None => {}
        }
        let (lease, fd) = match Lease::create() {
            Ok(created) => created,
            Err(error) => {
                tracing::warn!(%error, "no lease for a reader of shared memory; it gets bytes");
                return refuse(&connection, Refusal::Resources);
            }
        };
        // Watched before it can hold anything: from then on only its end takes that away.
        let connection = Arc::new(connection);
        let Some(token) = self.watch(connection.as_fd()) else {
            return refuse(&connection, Refusal::Resources);
        };
        let mut message = [0; MAX_MESSAGE];
        let writer = self.shared.identity.engine.0;
        let len = ToReader::Welcome { writer }.write(&mut message);
        let reader = Reader::new(id, lease, Some(Arc::clone(&connection)));
        // Under one lock, so that the greeting is the first message and descriptors may follow it at once; sending never waits.
        let mut state = self.shared.pool.lock();
        let Some(slot) = state.readers.insert(reader) else {
            drop(state);
            let _ = epoll::delete(&self.epoll, connection.as_fd());
            if !std::mem::replace(&mut self.refused.full, true) {
                tracing::warn!(
                    "no room for more readers of shared memory, they get bytes (said once)"
                );
            }
            return refuse(&connection, Refusal::Readers);
        };
        let mut sent = connection.send(&message[..len], Some(fd.as_fd()));
        if let (Ok(()), Some(common)) = (&sent, self.shared.memory.common()) {
            let len = ToReader::Common.write(&mut message);
            sent = connection.send(&message[..len], Some(common));
        }
        if let Err(error) = sent {
            let reader = state.readers.remove(slot);
            drop(state);
            drop(reader);
            let _ = epoll::delete(&self.epoll, connection.as_fd());
            tracing::debug!(%error, "a reader of shared memory could not be welcomed");
            return;
        }
        drop(state);
        let exit_fd = connection.exit_signal();
        self.sources.insert(
            token,
            Source::Reader {
                connection,
                slot,
                exit: None,
            },
        );
        if let Some(fd) = exit_fd {
            self.watch_exit(token, fd);
        }
        tracing::debug!(reader = %id, "reads our shared memory");
        self.shared.readers_changed.notify_all();
    }

    /// Requests of a reader, or its end.
    fn serve(&mut self, token: u64, ended: bool) {
        let Some(Source::Reader {
            connection, slot, ..
        }) = self.sources.get(&token)
        else {
            return;
        };
        let (connection, slot) = (Arc::clone(connection), *slot);
        if self.shared.is_muted(slot) {
            if ended {
                self.ended(token);
            }
            return;
        }
        let mut message = [0; MAX_MESSAGE];
        for _ in 0..READ_BATCH {
            let parsed = match connection.receive(&mut message) {
                Ok(Received::Message { len, .. }) => ToWriter::parse(&message[..len]),
                Err(error) if is_transient(&error) => return,
                Ok(Received::Closed) => return self.ended(token),
                // It may live, and hold blocks: only its end takes them from it.
                Err(error) => return self.mute(token, slot, &error),
            };
            match parsed {
                Ok(ToWriter::Need { block }) => self.shared.pool.send_again(slot, block),
                Ok(ToWriter::Failed { block }) => self.shared.pool.failed(slot, block),
                Ok(ToWriter::Hello { .. }) => {
                    return self.mute(token, slot, &"a second greeting");
                }
                Err(error) => return self.mute(token, slot, &error),
            }
        }
    }

    /// Reads nothing more of a reader that breaks the protocol, but waits for its end: it may hold blocks until then.
    fn mute(&mut self, token: u64, slot: usize, why: &dyn std::fmt::Display) {
        tracing::warn!(
            "a reader of shared memory broke the protocol and gets bytes from now on: {why}"
        );
        if let Some(reader) = self.shared.pool.lock().readers.get_mut(slot) {
            reader.muted = true;
        }
        if let Some(Source::Reader { connection, .. }) = self.sources.get(&token) {
            let data = epoll::EventData::new_u64(token);
            let _ = epoll::modify(
                &self.epoll,
                connection.as_ref(),
                data,
                epoll::EventFlags::RDHUP,
            );
        }
    }

    // Publishers: those whom we connect to.

    /// Does what other threads asked for.
    fn obey(&mut self) {
        while let Some(identity) = self.shared.next_request() {
            self.connect(identity);
        }
    }

    fn connect(&mut self, identity: Identity) {
        let Identity { engine, socket } = identity;
        let writers = &self.shared.writers;
        let connection = match Connection::connect(&socket) {
            Ok(connection) => connection,
            Err(error) => {
                let not_here = matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
                );
                let why = if not_here {
                    "it is on another host, in another network namespace, or gone".to_owned()
                } else {
                    format!("cannot connect: {error}")
                };
                return writers.failed(engine, &why, !not_here);
            }
        };
        match connection.credentials() {
            Ok(credentials) if self.shared.is_welcome(credentials.uid) => {}
            Ok(credentials) => {
                let why = format!(
                    "it runs as another user, {}, which `allow_user` would let in",
                    credentials.uid
                );
                return writers.failed(engine, &why, false);
            }
            Err(error) => return writers.failed(engine, &error.to_string(), true),
        }
        let mut message = [0; MAX_MESSAGE];
        let reader = self.shared.identity.engine.0;
        let len = ToWriter::Hello { reader }.write(&mut message);
        if let Err(error) = connection.send(&message[..len], None) {
            return writers.failed(engine, &format!("cannot greet it: {error}"), true);
        }
        let added = self.add(Source::Welcoming {
            connection,
            publisher: engine,
            lease: None,
            since: Instant::now(),
        });
        if added.is_none() {
            self.shared
                .writers
                .failed(engine, "its connection cannot be watched", true);
        }
    }

    /// The answer of a publisher: the lease, then what its blocks have in common, if there is such a thing.
    fn welcomed(&mut self, token: u64) {
        let Some(Source::Welcoming {
            connection,
            publisher,
            lease,
            ..
        }) = self.sources.get(&token)
        else {
            return;
        };
        let (publisher, is_let_in) = (*publisher, lease.is_some());
        let mut message = [0; MAX_MESSAGE];
        let (len, fd) = match connection.receive(&mut message) {
            Ok(Received::Message { len, fd }) => (len, fd),
            Err(error) if is_transient(&error) => return,
            Ok(Received::Closed) => return self.unwelcome(token, "it closed the connection", true),
            Err(error) => return self.unwelcome(token, &error.to_string(), true),
        };
        let fd = fd.ok_or_else(|| {
            io::Error::other("no file came along: is the limit of open files reached?")
        });
        match ToReader::parse(&message[..len]) {
            Ok(ToReader::Welcome { writer }) if EngineId(writer) == publisher && !is_let_in => {
                match fd.and_then(Lease::open) {
                    Ok(lease) if self.shared.memory.common().is_none() => {
                        self.read_from(token, lease, None);
                    }
                    Ok(opened) => {
                        if let Some(Source::Welcoming { lease, .. }) = self.sources.get_mut(&token)
                        {
                            *lease = Some(opened);
                        }
                        self.welcomed(token);
                    }
                    Err(error) => self.unwelcome(token, &format!("its lease: {error}"), true),
                }
            }
            Ok(ToReader::Common) if is_let_in => {
                let common = fd.and_then(|fd| self.shared.memory.import_common(fd));
                let lease = match self.sources.get_mut(&token) {
                    Some(Source::Welcoming { lease, .. }) => lease.take(),
                    _ => None,
                };
                match (lease, common) {
                    (Some(lease), Ok(common)) => self.read_from(token, lease, Some(common)),
                    (_, Err(error)) => {
                        self.unwelcome(
                            token,
                            &format!("what its blocks have in common: {error}"),
                            true,
                        );
                    }
                    (None, _) => {}
                }
            }
            Ok(ToReader::Welcome { .. }) => {
                self.unwelcome(token, "somebody else answered at its address", false);
            }
            Ok(ToReader::Refused { reason }) => {
                let retry = matches!(
                    reason,
                    Refusal::Readers | Refusal::Resources | Refusal::Duplicate
                );
                self.unwelcome(token, &format!("it refused: {reason}"), retry);
            }
            Ok(ToReader::Common | ToReader::Block { .. } | ToReader::Retire { .. }) => {
                self.unwelcome(token, "it did not greet", false);
            }
            Err(error) => self.unwelcome(token, &error.to_string(), false),
        }
    }

    /// The greeting is over: its blocks can be read from now on.
    fn read_from(&mut self, token: u64, lease: Lease, common: Option<M::Common>) {
        let Some(Source::Welcoming {
            connection,
            publisher,
            ..
        }) = self.take(token)
        else {
            return;
        };
        let shared = &self.shared;
        let exit_fd = connection.exit_signal();
        let writer = Arc::new(Writer::new(
            publisher,
            connection,
            lease,
            common,
            Arc::clone(&shared.memory),
            Arc::clone(&shared.fork),
            Arc::clone(&shared.writers.reading),
        ));
        self.sources.insert(
            token,
            Source::Writer {
                writer: Arc::clone(&writer),
                exit: None,
                gone: None,
            },
        );
        if let Some(fd) = exit_fd {
            self.watch_exit(token, fd);
        }
        tracing::debug!(%publisher, "reads its shared memory");
        self.shared.writers.connected(writer);
        self.import(token);
    }

    fn unwelcome(&mut self, token: u64, why: &str, retry: bool) {
        if let Some(Source::Welcoming { publisher, .. }) = self.remove(token) {
            self.shared.writers.failed(publisher, why, retry);
        }
    }

    /// Blocks of a publisher, or its end.
    fn import(&mut self, token: u64) {
        let Some(Source::Writer { writer, gone, .. }) = self.sources.get(&token) else {
            return;
        };
        if gone.is_some() {
            return;
        }
        let pumped = writer.pump();
        self.shared.writers.evict(self.shared.config.import_limit);
        if pumped == Pumped::Closed {
            self.ended(token);
        }
    }

    // Both.

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
                let exit = exit.and_then(|exit| self.remove(exit));
                if writer.has_common() {
                    self.release_later(&writer, exit);
                }
            }
            Some(_) => {
                self.remove(token);
            }
            None => {}
        }
    }

    /// Releases what waits for this publisher when its process is gone, which `exit` tells.
    fn release_later(&mut self, writer: &Arc<Writer<M>>, exit: Option<Source<M>>) {
        let exit = match exit {
            Some(Source::Exit { fd, .. }) => Some(fd),
            _ => None,
        };
        let leaving = |exit, due| Source::Leaving {
            writer: Arc::downgrade(writer),
            exit,
            due,
        };
        if exit.is_some() && self.add(leaving(exit, None)).is_some() {
            return;
        }
        // Its process cannot be watched.
        let token = self.next;
        self.next += 1;
        let due = Instant::now() + RELEASE;
        self.sources.insert(token, leaving(None, Some(due)));
    }

    /// The process of a publisher that went is gone too.
    fn left(&mut self, token: u64) {
        if let Some(Source::Leaving { exit, due, .. }) = self.sources.get_mut(&token)
            && let Some(fd) = exit.take()
        {
            let _ = epoll::delete(&self.epoll, &fd);
            *due = Some(Instant::now() + RELEASE);
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
            Source::Leaving {
                writer,
                due: Some(_),
                ..
            } => {
                if let Some(writer) = writer.upgrade() {
                    writer.release();
                }
            }
            Source::Greeting { .. }
            | Source::Welcoming { .. }
            | Source::Exit { .. }
            | Source::Leaving { .. } => {}
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
            Self::Leaving { exit, .. } => exit.as_ref().map(AsFd::as_fd),
        }
    }

    /// When it is removed, if nothing happens.
    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Greeting { since, .. } | Self::Welcoming { since, .. } => Some(*since + GREETING),
            Self::Writer { gone, .. } => gone.map(|gone| gone + GRACE),
            Self::Leaving { due, .. } => *due,
            Self::Reader { .. } | Self::Exit { .. } => None,
        }
    }

    /// Whether it is to be removed: its time has come, or nobody is left for whom it is there.
    fn is_over(&self, now: Instant) -> bool {
        match self {
            Self::Leaving { writer, .. } if writer.strong_count() == 0 => true,
            _ => self.deadline().is_some_and(|deadline| deadline <= now),
        }
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

/// Says why before the connection is closed, to one that listens.
fn refuse(connection: &Connection, reason: Refusal) {
    let mut message = [0; MAX_MESSAGE];
    let len = ToReader::Refused { reason }.write(&mut message);
    let _ = connection.send(&message[..len], None);
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
