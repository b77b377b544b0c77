//! Who is at the other end, how messages go there, and why not better.
//!
//! In: the tokens of the graph, and the routes of a publisher or what a subscription saw of each publisher. Out: one value for each peer.
//! Made when asked for; nothing is kept.

use std::collections::BTreeMap;

use rosidl_buffer_runtime::Message;

use crate::{
    graph::Peer,
    inbox::Inbox,
    key::{EntityKind, Gid, TopicKey},
    node::{EndpointName, Node},
    parcel::reason_for_bytes,
    routes::{Router, Routes},
    routing::Plan,
    stats::Fallback,
};

/// One peer of a publisher or of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connection {
    /// The peer.
    pub gid: Gid,
    /// The node that it belongs to, with its namespace.
    pub node_name: String,
    /// Whether it belongs to this [`Context`](crate::Context), and so to this process.
    pub is_local: bool,
    /// How messages go to it, or come from it.
    pub handover: Handover,
    /// The backends of this context that are not used with it, and why.
    pub fallbacks: BTreeMap<String, Fallback>,
}

/// How messages go from a publisher to one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Handover {
    /// A subscription has had nothing from this publisher yet.
    Unknown,
    /// The message itself, within one context.
    IntraProcess,
    /// Descriptors of buffers that lie in memory of these backends, bytes of all others.
    Descriptors(Vec<String>),
    /// Bytes.
    Bytes,
}

/// The peers of a subscription, as what came last tells.
pub(crate) fn to_publishers<M: Message>(
    node: &Node,
    key: &TopicKey,
    accepted: &[String],
    inbox: &Inbox<M>,
) -> Vec<Connection> {
    let graph = node.context().graph();
    let no_channels = match graph.readers(key, Plan::new) {
        Plan::Base { because } => because,
        Plan::Channels { .. } => None,
    };
    let publishers = graph.peers(EntityKind::Publisher, key);
    let connection = |publisher: Peer| {
        let offered = publisher.backends.iter().flatten();
        let offers = |name: &str| offered.clone().any(|offered| offered.name == name);
        let handover = inbox.handover(&publisher.gid);
        let because = |name: &str| match &handover {
            _ if !M::HAS_ROS_BUFFERS || handover == Handover::IntraProcess => None,
            Handover::Descriptors(used) if used.iter().any(|used| used == name) => None,
            _ if !accepted.iter().any(|accepted| accepted == name) => Some(Fallback::NotAccepted),
            _ if !offers(name) => Some(Fallback::NotOffered),
            _ => no_channels,
        };
        let backends = node.context().backends();
        let fallbacks = reasons(backends.names(), because);
        new(publisher, handover, fallbacks)
    };
    publishers.into_iter().map(connection).collect()
}

/// The peers of a publisher, as its routes say.
pub(crate) fn to_subscriptions<M: Message>(
    node: &Node,
    name: &EndpointName,
    router: &Router<M>,
    now: &Routes<M>,
) -> Vec<Connection> {
    let subscriptions = node
        .context()
        .graph()
        .peers(EntityKind::Subscription, &name.key);
    let connection = |subscription: Peer| {
        let gid = subscription.gid;
        if now.serves(gid) {
            return new(subscription, Handover::IntraProcess, BTreeMap::new());
        }
        let peers = now.channels().map(|channels| &channels.peers);
        let peer = peers.and_then(|peers| peers.iter().find(|peer| peer.gid() == gid));
        let because = |backend: &str| match (peer, now.base_because()) {
            _ if !M::HAS_ROS_BUFFERS => None,
            _ if !router.backends().contains(backend) => Some(router.not_there()),
            (Some(peer), _) => reason_for_bytes(backend, peer.peer(), router),
            (None, Some(because)) => Some(because),
            (None, None) => Some(Fallback::NotAccepted),
        };
        let backends = node.context().backends();
        let fallbacks = reasons(backends.names(), because);
        let used = backends
            .names()
            .filter(|name| !fallbacks.contains_key(*name));
        let used: Vec<String> = used.map(str::to_owned).collect();
        let handover = if used.is_empty() || peer.is_none() {
            Handover::Bytes
        } else {
            Handover::Descriptors(used)
        };
        new(subscription, handover, fallbacks)
    };
    subscriptions.into_iter().map(connection).collect()
}

fn reasons<'a>(
    names: impl Iterator<Item = &'a str>,
    because: impl Fn(&str) -> Option<Fallback>,
) -> BTreeMap<String, Fallback> {
    let reason = |name: &str| Some((name.to_owned(), because(name)?));
    names.filter_map(reason).collect()
}

fn new(peer: Peer, handover: Handover, fallbacks: BTreeMap<String, Fallback>) -> Connection {
    Connection {
        gid: peer.gid,
        node_name: peer.node_name,
        is_local: peer.is_own,
        handover,
        fallbacks,
    }
}
