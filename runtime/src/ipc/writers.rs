//! The publishers' engines that this process knows: on the way, connected, or not to be had.
//!
//! Whoever discovers one asks for it here and goes on; the service connects. Tokens of strangers lead here, so what is
//! remembered is limited.

use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::config::{MAX_DOUBLINGS, MAX_WRITERS, RETRY};
use super::identity::{EngineId, Identity};
use super::imports::{Reading, Writer};
use super::memory::Memory;
use super::stats::Stats;

enum Known<M: Memory> {
    Connecting,
    Connected(Arc<Writer<M>>),
    Failed { why: Arc<str>, retry: bool },
}

struct Entry<M: Memory> {
    known: Known<M>,
    identity: Identity,
    attempts: u32,
    /// When it came to be as it is.
    since: Instant,
}

/// What is known of other processes' engines.
pub(crate) struct Writers<M: Memory> {
    entries: Mutex<HashMap<EngineId, Entry<M>>>,
    changed: Condvar,
    pub(crate) reading: Arc<Reading>,
    said_full: AtomicBool,
}

impl<M: Memory> Writers<M> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Mutex::new(HashMap::new()),
            changed: Condvar::new(),
            reading: Arc::default(),
            said_full: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EngineId, Entry<M>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody now has to connect to this engine: it is new, or it is worth another attempt; `now` says that the
    /// attempt need not wait until it is due.
    pub(crate) fn wants(&self, identity: Identity, now: bool) -> bool {
        let mut entries = self.lock();
        if let Some(entry) = entries.get_mut(&identity.engine) {
            // Whoever claims an engine first with a wrong address must not keep its readers away.
            if matches!(entry.known, Known::Failed { .. }) && entry.identity != identity {
                *entry = Entry::new(identity);
                return true;
            }
            if now && matches!(entry.known, Known::Failed { .. }) {
                entry.attempts = 0;
                entry.since = Instant::now();
                entry.known = Known::Connecting;
                return true;
            }
            return entry.try_again(Instant::now());
        }
        if entries.len() >= MAX_WRITERS {
            entries.retain(|_, entry| !matches!(entry.known, Known::Failed { .. }));
            if entries.len() >= MAX_WRITERS {
                drop(entries);
                if !self.said_full.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "more than {MAX_WRITERS} publishers offer shared memory; the messages of others come as bytes (said once)"
                    );
                }
                return false;
            }
        }
        entries.insert(identity.engine, Entry::new(identity));
        true
    }

    /// Those whose next attempt is due.
    pub(crate) fn due(&self) -> Vec<Identity> {
        let now = Instant::now();
        let mut entries = self.lock();
        let due = entries
            .values_mut()
            .filter_map(|entry| entry.try_again(now).then_some(entry.identity));
        due.collect()
    }

    /// When the next attempt is due.
    pub(crate) fn next_retry(&self) -> Option<Instant> {
        self.lock().values().filter_map(Entry::due_at).min()
    }

    pub(crate) fn connected(&self, writer: Arc<Writer<M>>) {
        self.set(writer.id(), Known::Connected(writer));
    }

    pub(crate) fn failed(&self, engine: EngineId, why: &str, retry: bool) {
        tracing::info!(
            publisher = %engine,
            "its shared memory cannot be had, its messages come as bytes: {why}"
        );
        let why = why.into();
        self.set(engine, Known::Failed { why, retry });
    }

    fn set(&self, engine: EngineId, known: Known<M>) {
        if let Some(entry) = self.lock().get_mut(&engine) {
            entry.known = known;
            entry.since = Instant::now();
        }
        self.changed.notify_all();
    }

    /// The engine is gone; handles that hold something of it keep it.
    pub(crate) fn remove(&self, engine: EngineId) {
        let entry = self.lock().remove(&engine);
        self.changed.notify_all();
        drop(entry);
    }

    /// The engine, if it is connected. Waits for the end of a greeting, for `timeout` at most: the other side is through
    /// with it a moment before us, and may describe memory to us already.
    pub(crate) fn get(&self, engine: EngineId, timeout: Duration) -> Option<Arc<Writer<M>>> {
        let connecting = |entries: &mut HashMap<_, Entry<M>>| {
            let entry = entries.get(&engine);
            entry.is_some_and(|entry| matches!(entry.known, Known::Connecting))
        };
        let mut entries = self.lock();
        if connecting(&mut entries) {
            let waited = self
                .changed
                .wait_timeout_while(entries, timeout, connecting);
            entries = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        match &entries.get(&engine)?.known {
            Known::Connected(writer) => Some(Arc::clone(writer)),
            Known::Connecting | Known::Failed { .. } => None,
        }
    }

    /// Waits until it is known whether the engine can be read from; the error says why it cannot.
    pub(crate) fn wait(&self, engine: EngineId, timeout: Duration) -> Result<(), Arc<str>> {
        let deadline = Instant::now().checked_add(timeout);
        let mut entries = self.lock();
        loop {
            let last = match entries.get(&engine) {
                None => Arc::from("it is gone"),
                Some(entry) => match &entry.known {
                    Known::Connected(writer) if writer.is_closed() => {
                        return Err(Arc::from("it is gone"));
                    }
                    Known::Connected(_) => return Ok(()),
                    Known::Failed { why, retry: true } => Arc::clone(why),
                    Known::Failed { why, .. } => return Err(Arc::clone(why)),
                    Known::Connecting => Arc::from("it does not answer"),
                },
            };
            let left = deadline.map_or(Duration::MAX, |end| {
                end.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return Err(last);
            }
            let waited = self.changed.wait_timeout(entries, left);
            entries = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Once a block came: forgets those that nobody reads, the longest unused first, until they are `limit` bytes at most.
    pub(crate) fn evict(&self, limit: u64) {
        if !self.reading.has_outgrown(limit) {
            return;
        }
        let entries = self.lock();
        let connected = entries.values().filter_map(|entry| match &entry.known {
            Known::Connected(writer) => Some(Arc::clone(writer)),
            _ => None,
        });
        let writers: Vec<_> = connected.collect();
        drop(entries);
        let of = |writer: &Arc<Writer<M>>| {
            writer
                .idle()
                .into_iter()
                .map(|idle| (idle, Arc::clone(writer)))
                .collect::<Vec<_>>()
        };
        let mut idle: Vec<_> = writers.iter().flat_map(of).collect();
        idle.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let mut bytes: u64 = idle.iter().map(|(idle, _)| idle.size).sum();
        for (idle, writer) in idle {
            if bytes <= limit {
                return;
            }
            writer.evict(&idle);
            bytes -= idle.size;
        }
    }

    pub(crate) fn add_to(&self, stats: &mut Stats) {
        let entries = self.lock();
        stats.writers = entries
            .values()
            .filter(|entry| matches!(entry.known, Known::Connected(_)))
            .count();
        drop(entries);
        self.reading.add_to(stats);
    }
}

impl<M: Memory> Entry<M> {
    fn new(identity: Identity) -> Self {
        Self {
            known: Known::Connecting,
            identity,
            attempts: 0,
            since: Instant::now(),
        }
    }

    /// When the next attempt is due, if it failed and there is a point in trying again: later and later.
    fn due_at(&self) -> Option<Instant> {
        let retry = matches!(self.known, Known::Failed { retry: true, .. });
        retry.then(|| self.since + RETRY * 2_u32.pow(self.attempts.min(MAX_DOUBLINGS)))
    }

    fn try_again(&mut self, now: Instant) -> bool {
        if self.due_at().is_none_or(|due| now < due) {
            return false;
        }
        self.attempts = self.attempts.saturating_add(1);
        self.known = Known::Connecting;
        self.since = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shm::HostMemory;

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn a_greeting_is_waited_for_and_nothing_else() {
        let writers = Writers::<HostMemory>::new();
        let identity = Identity::random().unwrap();
        let long = Duration::from_secs(60);
        let start = Instant::now();
        assert!(writers.get(identity.engine, long).is_none(), "unknown");
        assert!(writers.wants(identity, false));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| writers.get(identity.engine, long).is_none());
            std::thread::sleep(Duration::from_millis(50));
            assert!(!waiting.is_finished(), "it may be connected any moment");
            writers.failed(identity.engine, "it does not like us", false);
            assert!(waiting.join().unwrap());
        });
        assert!(writers.get(identity.engine, long).is_none(), "failed");
        assert!(start.elapsed() < long);
    }
}
