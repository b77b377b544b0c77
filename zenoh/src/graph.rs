//! Who is there: the publishers, subscriptions, services and clients of a ROS domain, from their liveliness tokens.
//!
//! Tokens come in as Zenoh reports them, counts and the endpoints of a topic go out; who watches a topic is told
//! of each publisher that comes. A token that cannot be read is counted and left aside. Two endpoints on one topic
//! that do not agree on the type are reported, because nothing would ever arrive and nobody would say why. Where a
//! subscription was not remembered, that much is remembered: its topic's publishers must not take others for all.

use std::{
    collections::{HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
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
        subscribed_topic,
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
    /// Grows with each change of the subscriptions, so that who has looked need not look again.
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

    /// A higher number after each change of what [`Graph::readers`] gives for any topic.
    pub(crate) fn version(&self) -> u64 {
        self.shared.version.load(Ordering::Acquire)
    }

    /// The subscriptions with this topic, type and hash; `None` when there may be others, of which only that is known.
    pub(crate) fn readers(&self, key: &TopicKey) -> Option<Vec<Reader>> {
        self.shared.lock().readers(key)
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
            tell(&on_publisher, backends);
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
        let news = state.insert(token);
        if news.subscriptions_changed {
            self.version.fetch_add(1, Ordering::Release);
        }
        drop(state);
        // The lock is not held: what is called is not ours.
        for line in &news.warnings {
            tracing::warn!("{}", line.escape_debug());
        }
        if let Some(line) = news.ignored {
            tracing::debug!("{line}");
        }
        if let Some((watchers, backends)) = news.told {
            for watcher in &watchers {
                tell(watcher, &backends);
            }
        }
    }

    fn remove(&self, token: &str) {
        let mut state = self.lock();
        if state.remove(token) {
            self.version.fetch_add(1, Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct State {
    own_session: String,
    /// Topic or service → token text → token; no nodes.
    topics: HashMap<String, HashMap<String, Token>>,
    malformed: u64,
    /// Tokens that were not remembered, because there were too many.
    beyond_limits: u64,
    /// Where a subscription was not remembered. Such a topic never loses that mark: nobody says when the subscription is gone.
    incomplete: Incomplete,
    /// What was said already.
    warnings: HashSet<String>,
    /// Who wants to know the publishers of a topic.
    watchers: HashMap<TopicKey, Vec<Weak<OnPublisher>>>,
}

/// The topics with subscriptions that were not remembered.
#[derive(Default)]
struct Incomplete {
    topics: HashSet<String>,
    /// There are more than we remember.
    all: bool,
}

impl Incomplete {
    /// Whether that was not known before.
    fn mark(&mut self, topic: String) -> bool {
        if self.contains(&topic) {
            return false;
        }
        if self.topics.len() < MAX_TOPICS {
            self.topics.insert(topic);
        } else {
            self.all = true;
        }
        true
    }

    fn contains(&self, topic: &str) -> bool {
        self.all || self.topics.contains(topic)
    }
}

/// Who is to be told of a publisher, and its backends.
type Told = (Vec<Arc<OnPublisher>>, Vec<Backend>);

/// What a token brought about, to be said and done without the lock.
#[derive(Default)]
struct News {
    subscriptions_changed: bool,
    told: Option<Told>,
    warnings: Vec<String>,
    ignored: Option<String>,
}

impl State {
    fn insert(&mut self, text: &str) -> News {
        let mut news = News::default();
        let token: Token = match text.parse() {
            Ok(token) => token,
            Err(error) => {
                self.malformed += 1;
                news.ignored = Some(format!("ignored (number {}): {error}", self.malformed));
                if let Some(topic) = subscribed_topic(text) {
                    news.subscriptions_changed = self.incomplete.mark(topic);
                    if news.subscriptions_changed {
                        news.warnings.push(format!(
                            "a subscription gets bytes, and so do all on its topic: {error}"
                        ));
                    }
                }
                return news;
            }
        };
        let is_subscription = token.entity.kind() == EntityKind::Subscription;
        let topic = match &token.entity {
            Entity::Publisher(endpoint)
            | Entity::Subscription(endpoint)
            | Entity::Service(endpoint)
            | Entity::Client(endpoint) => endpoint.topic.clone(),
            Entity::Node => return news,
        };
        let full = self.topics.len() >= MAX_TOPICS && !self.topics.contains_key(&topic);
        let others = self.topics.entry(topic.clone()).or_default();
        if others.contains_key(text) {
            return news;
        }
        if full || others.len() >= MAX_PER_TOPIC {
            if others.is_empty() {
                self.topics.remove(&topic);
            }
            self.beyond_limits += 1;
            if self.beyond_limits == 1 {
                news.warnings.push(format!(
                    "more than {MAX_TOPICS} topics, or {MAX_PER_TOPIC} endpoints of {topic:?}: those beyond are not counted"
                ));
            }
            news.subscriptions_changed = is_subscription && self.incomplete.mark(topic);
            return news;
        }
        for other in others.values() {
            if let Some(warning) = mismatch(&token, other, &self.own_session)
                && self.warnings.len() < MAX_WARNINGS
                && self.warnings.insert(warning.clone())
            {
                news.warnings.push(warning);
            }
        }
        news.subscriptions_changed = is_subscription;
        news.told = match &token.entity {
            Entity::Publisher(endpoint) => told(&self.watchers, token.domain, endpoint),
            _ => None,
        };
        others.insert(text.to_owned(), token);
        news
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

    /// Whether it was a subscription that we knew.
    fn remove(&mut self, text: &str) -> bool {
        // The topic is read from the text again: no second index to keep right.
        let Ok(token) = text.parse::<Token>() else {
            return false;
        };
        let Some(endpoint) = token.entity.endpoint() else {
            return false;
        };
        let Some(others) = self.topics.get_mut(&endpoint.topic) else {
            return false;
        };
        let known = others.remove(text).is_some();
        if others.is_empty() {
            self.topics.remove(&endpoint.topic);
        }
        known && token.entity.kind() == EntityKind::Subscription
    }

    fn readers(&self, key: &TopicKey) -> Option<Vec<Reader>> {
        if self.incomplete.contains(&key.topic) {
            return None;
        }
        let readers = self.endpoints(EntityKind::Subscription, key);
        let reader = |(token, endpoint): (&str, &Endpoint)| Reader {
            gid: Gid::of_token(token),
            backends: endpoint.backends.clone(),
        };
        Some(readers.map(reader).collect())
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

/// Calls a watcher, which may be of the user's making below: its panic must not end one of Zenoh's threads.
fn tell(watcher: &Arc<OnPublisher>, backends: &[Backend]) {
    if catch_unwind(AssertUnwindSafe(|| watcher(backends))).is_err() {
        tracing::error!("a backend panicked when it was told of a publisher");
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
        assert!(state.readers(&key).is_some());
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
    fn a_subscription_that_is_not_remembered_is_not_forgotten() {
        let key = |topic: &str| TopicKey::new(0, topic, "std_msgs/msg/String", "h");
        let mut state = State::default();
        for number in 0..MAX_PER_TOPIC {
            let text = token("b", "MP", "full", &format!("h{number}"));
            assert!(!state.insert(&text).subscriptions_changed);
        }
        let one_more = token("b", "MS", "full", "h");
        assert!(
            !state
                .insert(&token("b", "MP", "full", "h"))
                .subscriptions_changed
        );
        assert!(
            state.readers(&key("/full")).is_some(),
            "no subscription yet"
        );
        assert!(state.insert(&one_more).subscriptions_changed);
        assert!(!state.insert(&one_more).subscriptions_changed);
        assert_eq!(state.readers(&key("/full")), None);
        assert!(!state.remove(&one_more));
        assert_eq!(state.readers(&key("/full")), None);

        let bad_qos = token("b", "MS", "chatter", "h").replace("::,", "9::,");
        assert!(state.insert(&bad_qos).subscriptions_changed);
        assert_eq!(state.readers(&key("/chatter")), None);
        let bad_publisher = token("b", "MP", "elsewhere", "h").replace("::,", "9::,");
        assert!(!state.insert(&bad_publisher).subscriptions_changed);
        assert_eq!(state.readers(&key("/elsewhere")), Some(vec![]));

        let known = token("b", "MS", "elsewhere", "h");
        assert!(state.insert(&known).subscriptions_changed);
        assert_eq!(state.readers(&key("/elsewhere")).unwrap().len(), 1);
        assert!(state.remove(&known) && !state.remove(&known));
    }

    #[test]
    fn with_too_many_topics_none_is_complete() {
        let mut state = State::default();
        let mut incomplete = Incomplete::default();
        for number in 0..=MAX_TOPICS {
            state.insert(&token("b", "MS", &format!("t{number}"), "h"));
            assert!(incomplete.mark(format!("t{number}")));
        }
        assert_eq!(state.topics.len(), MAX_TOPICS);
        let last = TopicKey::new(0, &format!("/t{MAX_TOPICS}"), "std_msgs/msg/String", "h");
        assert_eq!(state.readers(&last), None);
        assert!(incomplete.contains("any"));
        assert_eq!(incomplete.topics.len(), MAX_TOPICS);
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
