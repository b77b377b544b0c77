//! Who is there: the publishers and subscriptions of a ROS domain, from their liveliness tokens.
//!
//! Tokens come in as Zenoh reports them, counts and the endpoints of a topic go out; who watches a topic is told
//! of each publisher that comes. A token that cannot be read is counted and left aside. Two endpoints on one topic
//! that do not agree on the type are reported, because nothing would ever arrive and nobody would say why.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use zenoh::{Session, Wait as _, pubsub::Subscriber, sample::SampleKind};

use crate::{
    error::{Error, Result},
    key::{
        Backend, Endpoint, Entity, EntityKind, Gid, Token, TopicKey, discovery_key, ros_type_name,
    },
};

/// Topics that are remembered at most: anybody in the network may declare any number of tokens.
const MAX_TOPICS: usize = 65_536;
/// Endpoints of one topic that are remembered at most.
const MAX_PER_TOPIC: usize = 4096;
/// Different warnings about types that do not agree; more are not given.
const MAX_WARNINGS: usize = 256;

/// The live endpoints of one domain.
pub(crate) struct Graph {
    shared: Arc<Shared>,
    _subscriber: Subscriber<()>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Grows with each change of `state`, so that who has looked need not look again.
    version: AtomicU64,
}

/// A subscription that somebody has, here or elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) gid: Gid,
    /// The memories that it takes; `None` when it does not know about buffers.
    pub(crate) backends: Option<Vec<Backend>>,
}

/// Called with the backends of a publisher; must not block.
type OnPublisher = dyn Fn(&[Backend]) + Send + Sync;

/// Somebody wants to know the publishers of a topic, as long as this is held.
pub(crate) struct Watch(#[expect(dead_code, reason = "held to be dropped")] Arc<OnPublisher>);

impl Graph {
    /// Watches the tokens of `domain`, those that are there already included.
    pub(crate) fn watch(session: &Session, domain: u32) -> Result<Self> {
        let state = State {
            own_session: session.zid().to_string(),
            ..State::default()
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            version: AtomicU64::new(0),
        });
        let seen = Arc::clone(&shared);
        let subscriber = session
            .liveliness()
            .declare_subscriber(discovery_key(domain))
            .history(true)
            .callback(move |sample| {
                let key = sample.key_expr().as_str();
                match sample.kind() {
                    SampleKind::Put => seen.insert(key),
                    SampleKind::Delete => seen.remove(key),
                }
                seen.changed.notify_all();
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

    /// Another number after each change.
    pub(crate) fn version(&self) -> u64 {
        self.shared.version.load(Ordering::Acquire)
    }

    /// The subscriptions with this topic, type and hash.
    pub(crate) fn readers(&self, key: &TopicKey) -> Vec<Reader> {
        let state = self.shared.lock();
        let readers = state.endpoints(EntityKind::Subscription, key);
        readers
            .map(|(token, endpoint)| Reader {
                gid: Gid::of_token(token),
                backends: endpoint.backends.clone(),
            })
            .collect()
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
            .filter_map(|(_, endpoint)| endpoint.backends.clone())
            .collect();
        state.watch(key, &on_publisher);
        drop(state);
        for backends in &there {
            on_publisher(backends);
        }
        Watch(on_publisher)
    }

    /// How many endpoints of `kind` have this topic, type and hash.
    pub(crate) fn count(&self, kind: EntityKind, key: &TopicKey) -> usize {
        self.shared.lock().count(kind, key)
    }

    /// Waits until there is at least one such endpoint; false when the time is over first.
    pub(crate) fn wait_for(&self, kind: EntityKind, key: &TopicKey, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.shared.lock();
        while state.count(kind, key) == 0 {
            let left = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => Duration::MAX,
            };
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Shared {
    fn insert(&self, token: &str) {
        let mut state = self.lock();
        let told = state.insert(token);
        self.version.fetch_add(1, Ordering::Release);
        drop(state);
        // The lock is not held: what is called is not ours.
        if let Some((watchers, backends)) = told {
            for watcher in &watchers {
                watcher(&backends);
            }
        }
    }

    fn remove(&self, token: &str) {
        let mut state = self.lock();
        state.remove(token);
        self.version.fetch_add(1, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct State {
    own_session: String,
    /// Topic → token text → token; publishers and subscriptions only.
    topics: HashMap<String, HashMap<String, Token>>,
    malformed: u64,
    /// Tokens that were not remembered, because there were too many.
    beyond_limits: u64,
    /// What was said already.
    warnings: HashSet<String>,
    /// Who wants to know the publishers of a topic.
    watchers: HashMap<TopicKey, Vec<Weak<OnPublisher>>>,
}

/// Who is to be told of a publisher, and its backends.
type Told = (Vec<Arc<OnPublisher>>, Vec<Backend>);

impl State {
    fn insert(&mut self, text: &str) -> Option<Told> {
        let token: Token = match text.parse() {
            Ok(token) => token,
            Err(error) => {
                self.malformed += 1;
                tracing::debug!("ignored (number {}): {error}", self.malformed);
                return None;
            }
        };
        let topic = match &token.entity {
            Entity::Publisher(endpoint) | Entity::Subscription(endpoint) => endpoint.topic.clone(),
            Entity::Node | Entity::Service(_) | Entity::Client(_) => return None,
        };
        let full = self.topics.len() >= MAX_TOPICS && !self.topics.contains_key(&topic);
        let others = self.topics.entry(topic.clone()).or_default();
        if others.contains_key(text) {
            return None;
        }
        if full || others.len() >= MAX_PER_TOPIC {
            if others.is_empty() {
                self.topics.remove(&topic);
            }
            self.beyond_limits += 1;
            if self.beyond_limits == 1 {
                tracing::warn!(
                    "more than {MAX_TOPICS} topics, or {MAX_PER_TOPIC} endpoints of {topic:?}: those beyond are not counted"
                );
            }
            return None;
        }
        for other in others.values() {
            if let Some(warning) = mismatch(&token, other, &self.own_session)
                && self.warnings.len() < MAX_WARNINGS
                && self.warnings.insert(warning.clone())
            {
                tracing::warn!("{}", warning.escape_debug());
            }
        }
        let told = match &token.entity {
            Entity::Publisher(endpoint) => told(&self.watchers, token.domain, endpoint),
            _ => None,
        };
        others.insert(text.to_owned(), token);
        told
    }

    fn watch(&mut self, key: &TopicKey, watcher: &Arc<OnPublisher>) {
        // Those that are gone are cleared away where the next one comes.
        self.watchers.retain(|_, watchers| {
            watchers.retain(|watcher| watcher.strong_count() > 0);
            !watchers.is_empty()
        });
        let watchers = self.watchers.entry(key.clone()).or_default();
        watchers.push(Arc::downgrade(watcher));
    }

    fn remove(&mut self, text: &str) {
        // The topic is read from the text again: no second index to keep right.
        let Ok(token) = text.parse::<Token>() else {
            return;
        };
        let Some(endpoint) = token.entity.endpoint() else {
            return;
        };
        if let Some(others) = self.topics.get_mut(&endpoint.topic) {
            others.remove(text);
            if others.is_empty() {
                self.topics.remove(&endpoint.topic);
            }
        }
    }

    fn count(&self, kind: EntityKind, key: &TopicKey) -> usize {
        self.endpoints(kind, key).count()
    }

    /// Token and endpoint of those of `kind` with this topic, type and hash.
    fn endpoints(
        &self,
        kind: EntityKind,
        key: &TopicKey,
    ) -> impl Iterator<Item = (&str, &Endpoint)> {
        let tokens = self.topics.get(&key.topic).into_iter().flatten();
        tokens.filter_map(move |(text, token)| {
            let endpoint = token.entity.endpoint()?;
            let same = token.entity.kind() == kind
                && endpoint.dds_type == key.dds_type
                && endpoint.type_hash == key.type_hash;
            same.then_some((text.as_str(), endpoint))
        })
    }
}

fn told(
    watchers: &HashMap<TopicKey, Vec<Weak<OnPublisher>>>,
    domain: u32,
    endpoint: &Endpoint,
) -> Option<Told> {
    let backends = endpoint.backends.as_ref()?;
    let key = TopicKey {
        domain,
        topic: endpoint.topic.clone(),
        dds_type: endpoint.dds_type.clone(),
        type_hash: endpoint.type_hash.clone(),
    };
    let watchers = watchers.get(&key)?;
    let watchers: Vec<_> = watchers.iter().filter_map(Weak::upgrade).collect();
    Some((watchers, backends.clone()))
}

/// What to say when a publisher and a subscription of one topic will never meet and one of them is ours.
fn mismatch(one: &Token, other: &Token, own_session: &str) -> Option<String> {
    if one.session_id != own_session && other.session_id != own_session {
        return None;
    }
    let (Entity::Publisher(publisher), Entity::Subscription(subscription), from, to) =
        (match one.entity {
            Entity::Publisher(_) => (&one.entity, &other.entity, one, other),
            _ => (&other.entity, &one.entity, other, one),
        })
    else {
        return None;
    };
    let node = |token: &Token| {
        format!(
            "{}/{}",
            token.namespace.trim_end_matches('/'),
            token.node_name
        )
    };
    let kind = |endpoint: &Endpoint| {
        ros_type_name(&endpoint.dds_type).unwrap_or_else(|| endpoint.dds_type.clone())
    };
    let (topic, from, to) = (&publisher.topic, node(from), node(to));
    if publisher.dds_type != subscription.dds_type {
        return Some(format!(
            "topic {topic}: {from} publishes {} but {to} subscribes to {}; nothing will arrive",
            kind(publisher),
            kind(subscription),
        ));
    }
    if publisher.type_hash != subscription.type_hash {
        return Some(format!(
            "topic {topic}: {from} publishes {} with the type hash {} but {to} expects {}; nothing will arrive. Build \
             both from the same definition of the message and of the messages in it",
            kind(publisher),
            publisher.type_hash,
            subscription.type_hash,
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(session: &str, kind: &str, topic: &str, hash: &str) -> String {
        format!(
            "@ros2_lv/0/{session}/0/1/{kind}/%/%/n/%{topic}/std_msgs::msg::dds_::String_/{hash}/::,:,:,:,,"
        )
    }

    #[test]
    fn endpoints_come_and_go() {
        let mut state = State {
            own_session: "a".to_owned(),
            ..State::default()
        };
        let key = TopicKey::new(0, "/chatter", "std_msgs/msg/String", "h");
        let texts = [
            token("a", "MP", "chatter", "h"),
            token("b", "MP", "chatter", "h"),
            token("b", "MP", "chatter", "other"),
            token("b", "MP", "elsewhere", "h"),
            token("b", "MS", "chatter", "h"),
            token("b", "SS", "chatter", "h"),
        ];
        for text in texts.iter().chain(&texts) {
            state.insert(text);
        }
        assert_eq!(state.count(EntityKind::Publisher, &key), 2);
        assert_eq!(state.count(EntityKind::Subscription, &key), 1);
        state.insert("@ros2_lv/0/x/nonsense");
        state.remove("@ros2_lv/0/x/nonsense");
        assert_eq!(state.malformed, 1);
        for text in &texts {
            state.remove(text);
        }
        assert_eq!(state.count(EntityKind::Publisher, &key), 0);
        assert!(state.topics.is_empty());
    }

    #[test]
    fn no_peer_makes_the_graph_grow_without_end() {
        let mut state = State {
            own_session: "a".to_owned(),
            ..State::default()
        };
        for number in 0..=MAX_PER_TOPIC {
            state.insert(&token("b", "MP", "chatter", &format!("h{number}")));
        }
        assert_eq!(state.topics["/chatter"].len(), MAX_PER_TOPIC);
        assert_eq!(state.beyond_limits, 1);
        state.insert(&token("b", "MP", "elsewhere", "h"));
        assert_eq!(state.topics.len(), 2, "other topics have their own limit");
    }

    #[test]
    fn disagreeing_endpoints_are_reported_once_and_only_ours() {
        let parse = |text: &str| text.parse::<Token>().unwrap();
        let ours = parse(&token("a", "MP", "chatter", "RIHS01_1"));
        let theirs = parse(&token("b", "MS", "chatter", "RIHS01_2"));
        let warning = mismatch(&ours, &theirs, "a").unwrap();
        assert_eq!(mismatch(&theirs, &ours, "a").unwrap(), warning);
        for part in [
            "/chatter",
            "std_msgs/msg/String",
            "RIHS01_1 but",
            "expects RIHS01_2",
        ] {
            assert!(warning.contains(part), "{warning}");
        }
        assert_eq!(mismatch(&ours, &theirs, "c"), None);
        let same = parse(&token("b", "MS", "chatter", "RIHS01_1"));
        assert_eq!(mismatch(&ours, &same, "a"), None);
        let publisher = parse(&token("b", "MP", "chatter", "RIHS01_2"));
        assert_eq!(mismatch(&ours, &publisher, "a"), None);
        let other_type = token("b", "MS", "chatter", "h").replace("String_", "Int8_");
        let warning = mismatch(&parse(&other_type), &ours, "a").unwrap();
        assert!(
            warning.contains("subscribes to std_msgs/msg/Int8"),
            "{warning}"
        );
    }
}
