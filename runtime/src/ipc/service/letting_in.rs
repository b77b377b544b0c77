//! One half of the service: the processes that connect to us, to read what we share.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll;

use super::{ACCEPT_PAUSE, Service, Source, is_transient};
use crate::ipc::config::MAX_GREETING;
use crate::ipc::identity::EngineId;
use crate::ipc::lease::Lease;
use crate::ipc::memory::Memory;
use crate::ipc::readers::Reader;
use crate::ipc::socket::{Connection, Received};
use crate::ipc::wire::{MAX_MESSAGE, Refusal, ToReader, ToWriter, WireError};

/// Connections that are let in at a time; others go first then.
const ACCEPT_BATCH: usize = 16;
/// Messages of one reader that are read at a time.
const READ_BATCH: usize = 16;

impl<M: Memory> Service<M> {
    pub(super) fn accept(&mut self) {
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
    pub(super) fn greet(&mut self, token: u64) {
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
    pub(super) fn serve(&mut self, token: u64, ended: bool) {
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
}

/// Says why before the connection is closed, to one that listens.
fn refuse(connection: &Connection, reason: Refusal) {
    let mut message = [0; MAX_MESSAGE];
    let len = ToReader::Refused { reason }.write(&mut message);
    let _ = connection.send(&message[..len], None);
}
