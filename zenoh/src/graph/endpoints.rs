//! The endpoints of one topic or service: sorted by type and hash, by direction, and by whose they are.
//!
//! A token that comes or goes costs the same however many there are. What is ours is kept apart, because only what
//! concerns us is compared and reported.

use std::{collections::HashMap, sync::Arc};

use crate::key::{Endpoint, EntityKind, Gid};

/// Endpoints of one topic that are remembered at most.
pub(super) const MAX_PER_TOPIC: usize = 16_384;
/// Different types on one topic that are remembered at most.
pub(super) const MAX_TYPES: usize = 64;

/// One endpoint that is there.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) kind: EntityKind,
    pub(super) gid: Gid,
    pub(super) is_own: bool,
    pub(super) namespace: String,
    pub(super) node_name: String,
    pub(super) endpoint: Endpoint,
}

impl Known {
    /// Namespace and name of its node.
    pub(super) fn node(&self) -> String {
        format!(
            "{}/{}",
            self.namespace.trim_end_matches('/'),
            self.node_name
        )
    }
}

/// All endpoints of one name.
#[derive(Default)]
pub(super) struct Endpoints {
    groups: Vec<Group>,
    len: usize,
}

/// Those that agree on the type: they reach each other.
pub(super) struct Group {
    dds_type: String,
    type_hash: String,
    /// Publishers, or clients.
    senders: Side,
    /// Subscriptions, or services.
    takers: Side,
}

#[derive(Default)]
struct Side {
    own: HashMap<Box<str>, Arc<Known>>,
    others: HashMap<Box<str>, Arc<Known>>,
}

impl Side {
    fn len(&self) -> usize {
        self.own.len() + self.others.len()
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Known>> {
        self.own.values().chain(self.others.values())
    }
}

fn is_sender(kind: EntityKind) -> bool {
    matches!(kind, EntityKind::Publisher | EntityKind::Client)
}

impl Group {
    pub(super) fn is_of(&self, dds_type: &str, type_hash: &str) -> bool {
        self.dds_type == dds_type && self.type_hash == type_hash
    }

    pub(super) fn dds_type(&self) -> &str {
        &self.dds_type
    }

    fn side(&self, kind: EntityKind) -> &Side {
        if is_sender(kind) {
            &self.senders
        } else {
            &self.takers
        }
    }

    fn side_mut(&mut self, kind: EntityKind) -> &mut Side {
        if is_sender(kind) {
            &mut self.senders
        } else {
            &mut self.takers
        }
    }

    /// Those on the same side as `kind`.
    pub(super) fn like(&self, kind: EntityKind) -> impl Iterator<Item = &Arc<Known>> {
        self.side(kind).all()
    }

    pub(super) fn count(&self, kind: EntityKind) -> usize {
        self.side(kind).len()
    }

    /// Those on the other side than `one`, as far as one of the two is ours.
    pub(super) fn of_concern(&self, one: &Known) -> impl Iterator<Item = &Arc<Known>> {
        let side = if is_sender(one.kind) {
            &self.takers
        } else {
            &self.senders
        };
        let others = one.is_own.then(|| side.others.values());
        side.own.values().chain(others.into_iter().flatten())
    }
}

impl Endpoints {
    /// Whether there is room for one more, with so many times the limits.
    pub(super) fn has_room(&self, dds_type: &str, type_hash: &str, share: usize) -> bool {
        let known_type = self.group(dds_type, type_hash).is_some();
        self.len < MAX_PER_TOPIC * share && (known_type || self.groups.len() < MAX_TYPES * share)
    }

    pub(super) fn contains(&self, token: &str, known: &Known) -> bool {
        let Endpoint {
            dds_type,
            type_hash,
            ..
        } = &known.endpoint;
        self.group(dds_type, type_hash).is_some_and(|group| {
            let side = group.side(known.kind);
            side.own.contains_key(token) || side.others.contains_key(token)
        })
    }

    pub(super) fn insert(&mut self, token: &str, known: Arc<Known>) {
        let Endpoint {
            dds_type,
            type_hash,
            ..
        } = &known.endpoint;
        let at = self
            .groups
            .iter()
            .position(|group| group.is_of(dds_type, type_hash));
        let at = at.unwrap_or_else(|| {
            self.groups.push(Group {
                dds_type: dds_type.clone(),
                type_hash: type_hash.clone(),
                senders: Side::default(),
                takers: Side::default(),
            });
            self.groups.len() - 1
        });
        let side = self.groups[at].side_mut(known.kind);
        let map = if known.is_own {
            &mut side.own
        } else {
            &mut side.others
        };
        if map.insert(token.into(), known).is_none() {
            self.len += 1;
        }
    }

    /// Takes out what `token` stands for, which has been read into `known` again.
    pub(super) fn remove(&mut self, token: &str, known: &Known) -> Option<Arc<Known>> {
        let endpoint = &known.endpoint;
        let at = self
            .groups
            .iter()
            .position(|group| group.is_of(&endpoint.dds_type, &endpoint.type_hash))?;
        let group = &mut self.groups[at];
        let side = group.side_mut(known.kind);
        let removed = side
            .own
            .remove(token)
            .or_else(|| side.others.remove(token))?;
        self.len -= 1;
        if group.senders.len() + group.takers.len() == 0 {
            self.groups.swap_remove(at);
        }
        Some(removed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub(super) fn group(&self, dds_type: &str, type_hash: &str) -> Option<&Group> {
        let mut groups = self.groups.iter();
        groups.find(|group| group.is_of(dds_type, type_hash))
    }

    /// All on the same side as `kind`.
    pub(super) fn like(&self, kind: EntityKind) -> impl Iterator<Item = &Arc<Known>> {
        self.groups.iter().flat_map(move |group| group.like(kind))
    }
}
