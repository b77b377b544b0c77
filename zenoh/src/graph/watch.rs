//! Who wants to be told of what comes and goes.

use std::{
    collections::HashMap,
    hash::Hash,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::endpoints::{Endpoints, Known};
use crate::{
    key::{Backend, EntityKind},
    qos::{QosPolicy, QosProfile, check_compatible},
};

/// Called with the backends of a publisher; must not block.
pub(super) type OnPublisher = dyn Fn(&[Backend]) + Send + Sync;
/// Called with what happened to an endpoint; must not block.
pub(super) type OnChange = dyn Fn(Change) + Send + Sync;

/// Somebody wants to know something, as long as this is held.
pub(crate) struct Watch(pub(super) Option<Box<dyn FnOnce() + Send + Sync>>);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

/// What happened to an endpoint of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// One on the other side, with the same type, came or went.
    Matched { came: bool },
    /// One came with which the quality of service does not agree.
    IncompatibleQos(QosPolicy),
    /// One came with another type or type hash.
    IncompatibleType,
    /// The session is closed: this is the last.
    Closed,
}

/// An endpoint of ours, as far as its watchers are concerned.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) kind: EntityKind,
    pub(crate) dds_type: String,
    pub(crate) type_hash: String,
    pub(crate) qos: QosProfile,
}

impl Watched {
    /// What it means for this one that `other` comes or goes: two changes at most.
    pub(super) fn changes(&self, other: &Known, came: bool) -> impl Iterator<Item = Change> {
        let opposite = matches!(
            (self.kind, other.kind),
            (EntityKind::Publisher, EntityKind::Subscription)
                | (EntityKind::Subscription, EntityKind::Publisher)
        );
        let endpoint = &other.endpoint;
        let same = endpoint.dds_type == self.dds_type && endpoint.type_hash == self.type_hash;
        let compatible = match self.kind {
            EntityKind::Publisher => check_compatible(&self.qos, &endpoint.qos),
            _ => check_compatible(&endpoint.qos, &self.qos),
        };
        let first = match (opposite, same) {
            (true, true) => Some(Change::Matched { came }),
            (true, false) => came.then_some(Change::IncompatibleType),
            (false, _) => None,
        };
        let second = compatible
            .err()
            .filter(|_| opposite && same && came)
            .map(Change::IncompatibleQos);
        first.into_iter().chain(second)
    }

    /// What it means for this one that all of those are there.
    pub(super) fn all_changes(&self, there: Option<&Endpoints>) -> Vec<Change> {
        let opposite = match self.kind {
            EntityKind::Publisher => EntityKind::Subscription,
            _ => EntityKind::Publisher,
        };
        there
            .into_iter()
            .flat_map(|endpoints| endpoints.like(opposite))
            .flat_map(|known| self.changes(known, true))
            .collect()
    }
}

/// Watchers by what they watch.
pub(super) struct Watchers<K, W> {
    next: u64,
    by_key: HashMap<K, Vec<(u64, W)>>,
}

impl<K, W> Default for Watchers<K, W> {
    fn default() -> Self {
        Self {
            next: 0,
            by_key: HashMap::new(),
        }
    }
}

impl<K: Hash + Eq, W> Watchers<K, W> {
    pub(super) fn insert(&mut self, key: K, watcher: W) -> u64 {
        let number = self.next;
        self.next += 1;
        self.by_key.entry(key).or_default().push((number, watcher));
        number
    }

    pub(super) fn remove(&mut self, key: &K, number: u64) -> Option<W> {
        let watchers = self.by_key.get_mut(key)?;
        let at = watchers.iter().position(|(other, _)| *other == number)?;
        let (_, watcher) = watchers.swap_remove(at);
        if watchers.is_empty() {
            self.by_key.remove(key);
        }
        Some(watcher)
    }

    pub(super) fn of<Q>(&self, key: &Q) -> impl Iterator<Item = &W>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let watchers = self.by_key.get(key).into_iter().flatten();
        watchers.map(|(_, watcher)| watcher)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &W> {
        self.by_key.values().flatten().map(|(_, watcher)| watcher)
    }
}

/// Calls a watcher, which may be of the user's making below: its panic must not end one of Zenoh's threads.
pub(super) fn tell(watcher: &Arc<OnPublisher>, backends: &[Backend]) {
    if catch_unwind(AssertUnwindSafe(|| watcher(backends))).is_err() {
        tracing::error!("a backend panicked when it was told of a publisher");
    }
}
