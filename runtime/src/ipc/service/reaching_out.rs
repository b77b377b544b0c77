//! The other half of the service: the publishers that we connect to, to read what they share.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use super::{Service, Source, is_transient};
use crate::ipc::identity::{EngineId, Identity};
use crate::ipc::imports::{Pumped, Writer};
use crate::ipc::lease::Lease;
use crate::ipc::memory::Memory;
use crate::ipc::socket::{Connection, Received};
use crate::ipc::watch::Watch;
use crate::ipc::wire::{MAX_MESSAGE, Refusal, ToReader, ToWriter};

impl<M: Memory> Service<M> {
    /// Does what other threads asked for.
    pub(super) fn obey(&mut self) {
        while let Some(identity) = self.shared.next_request() {
            self.connect(identity);
        }
    }

    pub(super) fn connect(&mut self, identity: Identity) {
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
    pub(super) fn welcomed(&mut self, token: u64) {
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
        let Some(Source::Welcoming { connection, .. }) = self.sources.get(&token) else {
            return;
        };
        let exit_fd = connection.exit_signal();
        let common = common.map(Arc::new);
        if let (Some(common), Some(watch)) = (&common, &self.shared.watch)
            && let Err(error) = watch_for(watch, common, exit_fd.as_ref())
        {
            return self.unwelcome(
                token,
                &format!("its end would not be noticed: {error}"),
                true,
            );
        }
        let Some(Source::Welcoming {
            connection,
            publisher,
            ..
        }) = self.take(token)
        else {
            return;
        };
        let shared = &self.shared;
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

    pub(super) fn unwelcome(&mut self, token: u64, why: &str, retry: bool) {
        if let Some(Source::Welcoming { publisher, .. }) = self.remove(token) {
            self.shared.writers.failed(publisher, why, retry);
        }
    }

    /// Blocks of a publisher, or its end.
    pub(super) fn import(&mut self, token: u64) {
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
}

/// Who could wait for good when the process is gone is better off with bytes.
fn watch_for<M: Memory>(
    watch: &Watch<M>,
    common: &Arc<M::Common>,
    exit: Option<&OwnedFd>,
) -> io::Result<()> {
    let exit = exit.ok_or_else(|| {
        io::Error::other(
            "there is no pidfd of its process, which takes Linux 6.5 or one pid namespace, and a file descriptor",
        )
    })?;
    watch.add(common, exit.try_clone()?)
}
