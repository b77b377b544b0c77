//! What is known of a domain: tokens in, what has to be said and done out.
//!
//! Nothing here knows a Zenoh session or calls what is not ours. A token that cannot be read, or is one too many, is
//! counted and left aside; where that was a subscription, that much is remembered: its topic's publishers must not take
//! others for all.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    Reader,
    endpoints::{Endpoints, Known, MAX_PER_TOPIC, MAX_TYPES},
    limits::{IgnoredTokens, Incomplete, MAX_BYTES, MAX_NAMES, MAX_TOKEN_LEN, Said},
    mismatch::mismatch,
    query::NodeName,
    watch::{Change, OnChange, OnPublisher, Watched, Watchers},
};
use crate::key::{Backend, Endpoint, Entity, EntityKind, Gid, Token, TopicKey, subscribed_topic};

/// Somebody who wants to know what happens to an endpoint.
pub(super) type ChangeWatcher = (Watched, Arc<OnChange>);

#[derive(Default)]
pub(super) struct State {
    domain: u32,
    own_session: String,
    pub(super) topics: HashMap<String, Endpoints>,
    pub(super) services: HashMap<String, Endpoints>,
    /// In the order of their tokens, so that lists do not change without a reason.
    pub(super) nodes: BTreeMap<Box<str>, NodeName>,
    /// Of all tokens.
    bytes: usize,
    pub(super) ignored: IgnoredTokens,
    incomplete: Incomplete,
    said: Said,
    /// Who wants to know the publishers of a topic.
    pub(super) publisher_watchers: Watchers<TopicKey, Arc<OnPublisher>>,
    /// Who wants to know what happens to an endpoint, by topic.
    pub(super) change_watchers: Watchers<String, ChangeWatcher>,
    /// The session is: nothing changes any more.
    pub(super) is_closed: bool,
}

/// What a token brought about, to be said and done without the lock.
#[derive(Default)]
pub(super) struct News {
    /// Whether the graph is another now.
    pub(super) changed: bool,
    /// Whether [`State::readers`] gives something else for some topic.
    pub(super) subscriptions_changed: bool,
    /// Who is to be told of a publisher's backends.
    pub(super) told: Vec<Arc<OnPublisher>>,
    pub(super) backends: Vec<Backend>,
    pub(super) changes: Vec<(Arc<OnChange>, Change)>,
    pub(super) warnings: Vec<String>,
    pub(super) ignored: Option<String>,
}

impl State {
    pub(super) fn new(domain: u32, own_session: String) -> Self {
        Self {
            domain,
            own_session,
            ..Self::default()
        }
    }

    /// A token that the network reports.
    pub(super) fn insert(&mut self, text: &str) -> News {
        match read(text) {
            Ok(token) if token.session_id == self.own_session => self.check_own(text, token),
            Ok(token) => self.add(text, token, false),
            Err(why) => self.ignore(text, &why),
        }
    }

    /// A token that we are about to declare.
    pub(super) fn insert_own(&mut self, text: &str) -> News {
        match read(text) {
            Ok(token) => self.add(text, token, true),
            Err(why) => self.ignore(text, &why),
        }
    }

    /// What is ours we know without the network.
    fn check_own(&mut self, text: &str, token: Token) -> News {
        let is_known = match known(text, token, true) {
            None => self.nodes.contains_key(text),
            Some(known) => {
                let there = self.names(known.kind).get(&known.endpoint.topic);
                there.is_some_and(|there| there.contains(text, &known))
            }
        };
        if !is_known {
            self.ignored.not_ours += 1;
        }
        News::default()
    }

    fn add(&mut self, text: &str, token: Token, is_own: bool) -> News {
        if token.entity.kind() == EntityKind::Node {
            return self.insert_node(text, token, is_own);
        }
        let Some(known) = known(text, token, is_own) else {
            return News::default();
        };
        let Endpoint {
            topic,
            dds_type,
            type_hash,
            ..
        } = &known.endpoint;
        let names = names_mut(&mut self.topics, &mut self.services, known.kind);
        let share = share(is_own);
        let (has_room, is_there) = match names.get(topic) {
            Some(there) => (
                there.has_room(dds_type, type_hash, share),
                there.contains(text, &known),
            ),
            None => (names.len() < MAX_NAMES * share, false),
        };
        if is_there {
            return News::default();
        }
        if !has_room || self.bytes + text.len() > MAX_BYTES * share {
            return self.refuse(&known);
        }
        let there = names.entry(topic.clone()).or_default();
        let known = Arc::new(known);
        there.insert(text, Arc::clone(&known));
        self.bytes += text.len();
        self.tell(&known, true)
    }

    /// A token that is gone, as the network reports. Ours go with [`State::remove_own`] only.
    pub(super) fn remove(&mut self, text: &str) -> News {
        match read(text) {
            Ok(token) if token.session_id != self.own_session => self.take_out(text, token, false),
            _ => News::default(),
        }
    }

    /// A token that we are about to take back.
    pub(super) fn remove_own(&mut self, text: &str) -> News {
        match read(text) {
            Ok(token) => self.take_out(text, token, true),
            Err(_) => News::default(),
        }
    }

    fn take_out(&mut self, text: &str, token: Token, is_own: bool) -> News {
        // The place is read from the text again: no second index to keep right.
        if token.entity.kind() == EntityKind::Node {
            let changed = self.nodes.remove(text).is_some();
            if changed {
                self.bytes -= text.len();
            }
            return News {
                changed,
                ..News::default()
            };
        }
        let Some(known) = known(text, token, is_own) else {
            return News::default();
        };
        let names = names_mut(&mut self.topics, &mut self.services, known.kind);
        let Some(there) = names.get_mut(&known.endpoint.topic) else {
            return News::default();
        };
        let removed = there.remove(text, &known);
        if there.is_empty() {
            names.remove(&known.endpoint.topic);
        }
        let Some(removed) = removed else {
            return News::default();
        };
        self.bytes -= text.len();
        self.tell(&removed, false)
    }

    fn insert_node(&mut self, text: &str, token: Token, is_own: bool) -> News {
        if self.nodes.contains_key(text) {
            return News::default();
        }
        let share = share(is_own);
        if self.nodes.len() >= MAX_NAMES * share || self.bytes + text.len() > MAX_BYTES * share {
            self.ignored.beyond_limits += 1;
            return News::default();
        }
        self.bytes += text.len();
        let node = NodeName {
            name: token.node_name,
            namespace: token.namespace,
            enclave: token.enclave,
        };
        self.nodes.insert(text.into(), node);
        News {
            changed: true,
            ..News::default()
        }
    }

    /// A token that cannot be read.
    fn ignore(&mut self, text: &str, why: &str) -> News {
        let mut news = News::default();
        if text.len() > MAX_TOKEN_LEN {
            self.ignored.too_long += 1;
        } else {
            self.ignored.malformed += 1;
        }
        let number = self.ignored.total();
        news.ignored = Some(format!("ignored (number {number}): {why}"));
        if let Some(topic) = subscribed_topic(text) {
            news.subscriptions_changed = self.incomplete.mark(topic);
            if news.subscriptions_changed {
                let line = format!("a subscription gets bytes, and so do all on its topic: {why}");
                news.warnings.extend(self.said.once(line));
            }
        }
        news
    }

    /// An endpoint for which there is no room.
    fn refuse(&mut self, known: &Known) -> News {
        let mut news = News::default();
        self.ignored.beyond_limits += 1;
        let topic = &known.endpoint.topic;
        if self.ignored.beyond_limits == 1 {
            news.warnings.push(format!(
                "more than {MAX_NAMES} topics or services, {} MiB of tokens, or {MAX_TYPES} types or {MAX_PER_TOPIC} \
                 endpoints of {topic:?}: those beyond are not counted",
                MAX_BYTES >> 20,
            ));
        }
        news.subscriptions_changed =
            known.kind == EntityKind::Subscription && self.incomplete.mark(topic.clone());
        news
    }

    /// What follows from an endpoint that came or went.
    fn tell(&mut self, known: &Known, came: bool) -> News {
        let mut news = News {
            changed: true,
            subscriptions_changed: known.kind == EntityKind::Subscription,
            ..News::default()
        };
        let endpoint = &known.endpoint;
        let watchers = self.change_watchers.of(&endpoint.topic);
        news.changes.extend(watchers.flat_map(|(watched, call)| {
            let changes = watched.changes(known, came);
            changes.map(move |change| (Arc::clone(call), change))
        }));
        if came && matches!(known.kind, EntityKind::Publisher | EntityKind::Subscription) {
            self.warn(known, &mut news.warnings);
        }
        if let (true, EntityKind::Publisher, Some(backends)) =
            (came, known.kind, &endpoint.backends)
        {
            let key = TopicKey {
                domain: self.domain,
                topic: endpoint.topic.clone(),
                dds_type: endpoint.dds_type.clone(),
                type_hash: endpoint.type_hash.clone(),
            };
            news.told = self.publisher_watchers.of(&key).cloned().collect();
            news.backends.clone_from(backends);
        }
        news
    }

    fn warn(&mut self, known: &Known, warnings: &mut Vec<String>) {
        let others = self.topics.get(&known.endpoint.topic);
        for group in others.into_iter().flat_map(Endpoints::groups) {
            for other in group.of_concern(known) {
                if self.said.is_full() {
                    return;
                }
                let line = mismatch(known, other);
                warnings.extend(line.and_then(|line| self.said.once(line)));
            }
        }
    }

    /// Whether nothing is remembered.
    #[cfg(any(test, fuzzing))]
    pub(super) fn is_empty(&self) -> bool {
        self.topics.is_empty()
            && self.services.is_empty()
            && self.nodes.is_empty()
            && self.bytes == 0
    }

    pub(super) fn names(&self, kind: EntityKind) -> &HashMap<String, Endpoints> {
        match kind {
            EntityKind::Service | EntityKind::Client => &self.services,
            EntityKind::Node | EntityKind::Publisher | EntityKind::Subscription => &self.topics,
        }
    }

    /// Given out one by one: a stranger may have declared any number, and only a few decide.
    pub(super) fn readers(&self, key: &TopicKey) -> Option<impl Iterator<Item = Reader<'_>>> {
        if self.incomplete.contains(&key.topic) {
            return None;
        }
        let readers = self.endpoints(EntityKind::Subscription, key);
        Some(readers.map(|known| Reader {
            gid: known.gid,
            backends: known.endpoint.backends.as_deref(),
        }))
    }

    pub(super) fn count(&self, kind: EntityKind, key: &TopicKey) -> usize {
        let there = self.names(kind).get(&key.topic);
        let group = there.and_then(|there| there.group(&key.dds_type, &key.type_hash));
        group.map_or(0, |group| group.count(kind))
    }

    /// Those of `kind` with this topic, type and hash.
    pub(super) fn endpoints(
        &self,
        kind: EntityKind,
        key: &TopicKey,
    ) -> impl Iterator<Item = &Arc<Known>> {
        let there = self.names(kind).get(&key.topic);
        let group = there.and_then(|there| there.group(&key.dds_type, &key.type_hash));
        group.into_iter().flat_map(move |group| group.like(kind))
    }
}

/// How many times the limits: whoever fills them leaves room for what is ours.
fn share(is_own: bool) -> usize {
    if is_own { 2 } else { 1 }
}

fn names_mut<'a>(
    topics: &'a mut HashMap<String, Endpoints>,
    services: &'a mut HashMap<String, Endpoints>,
    kind: EntityKind,
) -> &'a mut HashMap<String, Endpoints> {
    match kind {
        EntityKind::Service | EntityKind::Client => services,
        EntityKind::Node | EntityKind::Publisher | EntityKind::Subscription => topics,
    }
}

/// The token, or what is wrong with it in a few words.
fn read(text: &str) -> Result<Token, String> {
    if text.len() > MAX_TOKEN_LEN {
        let start: String = text.chars().take(200).collect();
        return Err(format!(
            "liveliness token {start:?}… has {} bytes, more than {MAX_TOKEN_LEN}",
            text.len()
        ));
    }
    text.parse()
        .map_err(|error: crate::key::TokenError| error.to_string())
}

fn known(text: &str, token: Token, is_own: bool) -> Option<Known> {
    let kind = token.entity.kind();
    let endpoint = match token.entity {
        Entity::Node => return None,
        Entity::Publisher(endpoint)
        | Entity::Subscription(endpoint)
        | Entity::Service(endpoint)
        | Entity::Client(endpoint) => endpoint,
    };
    Some(Known {
        kind,
        gid: Gid::of_token(text),
        is_own,
        namespace: token.namespace,
        node_name: token.node_name,
        endpoint,
    })
}
