//! Who is there: the nodes and endpoints of a ROS domain, from their liveliness tokens.
//!
//! Tokens come in as Zenoh reports them, counts and the endpoints of a topic go out; who watches something is told
//! of it. Two endpoints on one topic that do not agree on the type are reported, because nothing would ever arrive and
//! nobody would say why. What the user asks is in `query`.

mod endpoints;
mod limits;
mod mismatch;
mod own;
#[cfg(any(test, fuzzing))]
mod play;
mod query;
mod state;
#[cfg(test)]
mod tests;
mod watch;

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use zenoh::{
    Session, Wait as _,
    handlers::CallbackDrop,
    pubsub::Subscriber,
    sample::{Sample, SampleKind},
};

pub(crate) use self::own::OwnToken;
#[cfg(any(test, fuzzing))]
pub(crate) use self::play::Tokens;
pub(crate) use self::watch::{Change, Watch, Watched};
pub use self::{
    limits::IgnoredTokens,
    query::{EndpointInfo, Graph, NamesAndTypes, NodeName},
};
use self::{
    state::{News, State},
    watch::{OnChange, OnPublisher, tell},
};
use crate::{
    error::{Error, Result},
    key::{Backend, EntityKind, Gid, TopicKey, discovery_key},
    later::later,
    wakers::{WaitPlace, Waiter, Wakers},
};

/// The live nodes and endpoints of one domain.
pub(crate) struct GraphCache {
    shared: Arc<Shared>,
    _subscriber: Subscriber<()>,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Grows with each change; written with the lock held.
    revision: AtomicU64,
    /// Grows with each change of the subscriptions, so that who has looked need not look again.
    version: AtomicU64,
    /// Futures that wait for a change.
    wakers: Mutex<Wakers>,
}

/// A subscription that somebody has, here or elsewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) gid: Gid,
    /// The memories that it takes; `None` when it does not know about buffers.
    pub(crate) backends: Option<&'a [Backend]>,
}

/// An endpoint that somebody has, here or elsewhere.
pub(crate) struct Peer {
    pub(crate) gid: Gid,
    /// Namespace and name of its node.
    pub(crate) node_name: String,
    /// Whether it is of this session.
    pub(crate) is_own: bool,
    /// The memories that it takes or offers; `None` when it does not know about buffers.
    pub(crate) backends: Option<Vec<Backend>>,
}

impl GraphCache {
    /// Watches the tokens of `domain`, those that are there already included.
    pub(crate) fn watch(session: &Session, domain: u32) -> Result<Self> {
        let shared = Arc::new(Shared::new(domain, session.zid().to_string()));
        let (seen, ended) = (Arc::clone(&shared), Arc::clone(&shared));
        let subscriber = session
            .liveliness()
            .declare_subscriber(discovery_key(domain))
            .history(true)
            .with(CallbackDrop {
                callback: move |sample: Sample| {
                    let key = sample.key_expr().as_str();
                    match sample.kind() {
                        SampleKind::Put => seen.insert(key),
                        SampleKind::Delete => seen.remove(key),
                    }
                },
                drop: move || ended.close(),
            })
            .wait()
            .map_err(|cause| Error::Declare {
                what: "the graph",
                name: format!("domain {domain}"),
                cause,
            })?;
        Ok(Self {
            shared,
            _subscriber: subscriber,
        })
    }

    /// A higher number after each change of what [`GraphCache::readers`] gives for any topic.
    pub(crate) fn version(&self) -> u64 {
        self.shared.version.load(Ordering::Acquire)
    }

    /// Shows `look` the subscriptions with this topic, type and hash; `None` when there may be others, of which only that is known.
    /// The graph is locked meanwhile.
    pub(crate) fn readers<R>(
        &self,
        key: &TopicKey,
        look: impl FnOnce(Option<&mut dyn Iterator<Item = Reader<'_>>>) -> R,
    ) -> R {
        let state = self.shared.lock();
        let mut readers = state.readers(key);
        match &mut readers {
            Some(readers) => look(Some(readers)),
            None => look(None),
        }
    }

    /// The endpoints of `kind` with this topic, type and hash.
    pub(crate) fn peers(&self, kind: EntityKind, key: &TopicKey) -> Vec<Peer> {
        let state = self.shared.lock();
        let peers = state.endpoints(kind, key).map(|known| Peer {
            gid: known.gid,
            node_name: known.node(),
            is_own: known.is_own,
            backends: known.endpoint.backends.clone(),
        });
        peers.collect()
    }

    /// Calls `on_publisher` with the backends of each publisher with this topic, type and hash that names some: those that
    /// are there now and those that come.
    pub(crate) fn watch_publishers(
        &self,
        key: &TopicKey,
        on_publisher: impl Fn(&[Backend]) + Send + Sync + 'static,
    ) -> Watch {
        let on_publisher: Arc<OnPublisher> = Arc::new(on_publisher);
        let mut state = self.shared.lock();
        let there: Vec<Vec<Backend>> = state
            .endpoints(EntityKind::Publisher, key)
            .filter_map(|known| known.endpoint.backends.clone())
            .collect();
        let watcher = Arc::clone(&on_publisher);
        let number = state.publisher_watchers.insert(key.clone(), watcher);
        drop(state);
        for backends in &there {
            tell(&on_publisher, backends);
        }
        let (shared, key) = (Arc::clone(&self.shared), key.clone());
        Watch(Some(Box::new(move || {
            // Dropped without the lock: what it holds is not ours.
            let gone = shared.lock().publisher_watchers.remove(&key, number);
            drop(gone);
        })))
    }

    /// Calls `on_change` with what happens to an endpoint of ours on `topic`, beginning with those that are there now.
    pub(crate) fn watch_changes(
        &self,
        topic: &str,
        watched: Watched,
        on_change: impl Fn(Change) + Send + Sync + 'static,
    ) -> Watch {
        let on_change: Arc<OnChange> = Arc::new(on_change);
        let mut state = self.shared.lock();
        let there = watched.all_changes(state.topics.get(topic));
        let entry = (watched, Arc::clone(&on_change));
        let number = state.change_watchers.insert(topic.to_owned(), entry);
        let is_closed = state.is_closed;
        drop(state);
        let end = is_closed.then_some(Change::Closed);
        there.into_iter().chain(end).for_each(&*on_change);
        let (shared, topic) = (Arc::clone(&self.shared), topic.to_owned());
        Watch(Some(Box::new(move || {
            let gone = shared.lock().change_watchers.remove(&topic, number);
            drop(gone);
        })))
    }

    /// How many endpoints of `kind` have this topic, type and hash.
    pub(crate) fn count(&self, kind: EntityKind, key: &TopicKey) -> usize {
        self.shared.lock().count(kind, key)
    }

    /// Waits until there is at least one such endpoint; false when the time is over first.
    pub(crate) fn wait_for(&self, kind: EntityKind, key: &TopicKey, timeout: Duration) -> bool {
        self.shared
            .wait_until(timeout, |state, _| state.count(kind, key) > 0)
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }
}

impl Shared {
    fn new(domain: u32, own_session: String) -> Self {
        Self {
            state: Mutex::new(State::new(domain, own_session)),
            changed: Condvar::new(),
            revision: AtomicU64::new(0),
            version: AtomicU64::new(0),
            wakers: Mutex::default(),
        }
    }

    /// No token will come or go any more: nobody waits longer.
    fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let watchers = state.change_watchers.all();
        let told: Vec<_> = watchers.map(|(_, call)| Arc::clone(call)).collect();
        drop(state);
        for watcher in told {
            watcher(Change::Closed);
        }
        self.wake_all();
    }

    fn insert(&self, token: &str) {
        self.change(|state| state.insert(token));
    }

    fn remove(&self, token: &str) {
        self.change(|state| state.remove(token));
    }

    fn change(&self, change: impl FnOnce(&mut State) -> News) {
        let mut state = self.lock();
        let news = change(&mut state);
        if news.subscriptions_changed {
            self.version.fetch_add(1, Ordering::Release);
        }
        if news.changed {
            self.revision.fetch_add(1, Ordering::Release);
        }
        drop(state);
        // The lock is not held: what is called is not ours.
        for line in &news.warnings {
            tracing::warn!("{}", line.escape_debug());
        }
        if let Some(line) = &news.ignored {
            tracing::debug!("{}", line.escape_debug());
        }
        for watcher in &news.told {
            tell(watcher, &news.backends);
        }
        for (watcher, change) in &news.changes {
            watcher(*change);
        }
        if news.changed {
            self.wake_all();
        }
    }

    fn wake_all(&self) {
        self.changed.notify_all();
        let wakers = std::mem::take(&mut *self.lock_wakers());
        if !wakers.is_empty() {
            later(move || wakers.wake());
        }
    }

    fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Waits until `holds`, given the state and its revision; false when the time is over first, or the session is closed.
    fn wait_until(&self, timeout: Duration, holds: impl Fn(&State, u64) -> bool) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.lock();
        while !holds(&state, self.revision()) {
            let left = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => Duration::MAX,
            };
            if left.is_zero() || state.is_closed {
                return false;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// As [`Shared::wait_until`], for a future.
    fn poll_until(
        &self,
        waiter: Waiter,
        context: &mut std::task::Context<'_>,
        holds: impl Fn(&State, u64) -> bool,
    ) -> Poll<bool> {
        let state = self.lock();
        let holds = holds(&state, self.revision());
        if holds || state.is_closed {
            return Poll::Ready(holds);
        }
        // With the lock held: no change comes between looking and asking to be woken.
        let replaced = self.lock_wakers().add(waiter, context.waker());
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_wakers(&self) -> MutexGuard<'_, Wakers> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitPlace for Shared {
    fn forget(&self, waiter: Waiter) {
        let gone = self.lock_wakers().remove(waiter);
        drop(gone);
    }
}
