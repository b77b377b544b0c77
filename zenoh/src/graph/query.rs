//! What a node may ask of the graph: what `ros2 node list`, `topic list`, `topic info -v` and their kin print.
//!
//! Names come out as ROS writes them, lists sorted. Everything is what the liveliness tokens say at that moment; nobody is
//! asked over the network.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{
    IgnoredTokens, Shared,
    endpoints::{Endpoints, Known},
};
use crate::{
    key::{Backend, EntityKind, Gid, ros_type_name},
    node::Node,
    qos::QosProfile,
    session::Context,
    wakers::wait_in,
};

/// Full names, each with the types that are there under it (`sensor_msgs/msg/Image`).
pub type NamesAndTypes = BTreeMap<String, Vec<String>>;

/// The name of a node that is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName {
    /// The namespace; `/` for the root.
    pub namespace: String,
    /// The name, without the namespace.
    pub name: String,
    /// The security enclave; `/` where there is none.
    pub enclave: String,
}

impl NodeName {
    /// Namespace and name.
    pub fn fully_qualified_name(&self) -> String {
        format!("{}/{}", self.namespace.trim_end_matches('/'), self.name)
    }
}

/// A publisher or subscription that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointInfo {
    /// The name of its node.
    pub node_name: String,
    /// The namespace of its node; `/` for the root.
    pub node_namespace: String,
    /// Its type, `sensor_msgs/msg/Image`.
    pub topic_type: String,
    /// The hash of its type, `RIHS01_…`.
    pub topic_type_hash: String,
    /// Whether it is a publisher or a subscription.
    pub kind: EntityKind,
    /// Its identifier.
    pub gid: Gid,
    /// Its quality of service.
    pub qos: QosProfile,
    /// The memories that it takes or offers buffers in; `None` when it says nothing about them.
    pub backends: Option<Vec<Backend>>,
}

/// The graph of a ROS domain: its nodes, and their publishers, subscriptions, services and clients.
///
/// Made by [`Node::graph`]. Names that are asked for are full names, with their leading slash.
///
/// ```no_run
/// use std::time::Duration;
///
/// use rosidl_buffer_zenoh::Node;
///
/// let node = Node::new("monitor")?;
/// let graph = node.graph();
/// loop {
///     let seen = graph.revision();
///     for (topic, types) in graph.topic_names_and_types() {
///         println!("{topic} [{}]: {} publishers", types.join(", "), graph.count_publishers(&topic));
///     }
///     if !graph.wait_for_change(seen, Duration::MAX) {
///         break; // the session is closed
///     }
/// }
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
#[derive(Clone)]
pub struct Graph {
    shared: Arc<Shared>,
    // What is seen is true as long as the session is open.
    context: Context,
}

impl Node {
    /// The graph of this node's domain.
    pub fn graph(&self) -> Graph {
        let context = self.context().clone();
        Graph {
            shared: context.graph().shared(),
            context,
        }
    }
}

impl Graph {
    /// All nodes, sorted by namespace and name. Nodes of the same name are there several times, as in ROS.
    pub fn node_names(&self) -> Vec<NodeName> {
        let mut nodes: Vec<_> = self.shared.lock().nodes.values().cloned().collect();
        nodes.sort();
        nodes
    }

    /// All topics that have a publisher or subscription.
    pub fn topic_names_and_types(&self) -> NamesAndTypes {
        names_and_types(&self.shared.lock().topics)
    }

    /// All services that have a server or client.
    pub fn service_names_and_types(&self) -> NamesAndTypes {
        names_and_types(&self.shared.lock().services)
    }

    /// All actions that have a server or client.
    pub fn action_names_and_types(&self) -> NamesAndTypes {
        actions(self.topic_names_and_types())
    }

    /// The publishers of `topic`, whatever their type.
    pub fn publishers_info_by_topic(&self, topic: &str) -> Vec<EndpointInfo> {
        self.infos(EntityKind::Publisher, topic)
    }

    /// The subscriptions to `topic`, whatever their type.
    pub fn subscriptions_info_by_topic(&self, topic: &str) -> Vec<EndpointInfo> {
        self.infos(EntityKind::Subscription, topic)
    }

    /// How many publishers `topic` has, whatever their type.
    pub fn count_publishers(&self, topic: &str) -> usize {
        self.count(EntityKind::Publisher, topic)
    }

    /// How many subscriptions `topic` has, whatever their type.
    pub fn count_subscriptions(&self, topic: &str) -> usize {
        self.count(EntityKind::Subscription, topic)
    }

    /// How many servers `service` has, whatever their type.
    pub fn count_services(&self, service: &str) -> usize {
        self.count(EntityKind::Service, service)
    }

    /// How many clients `service` has, whatever their type.
    pub fn count_clients(&self, service: &str) -> usize {
        self.count(EntityKind::Client, service)
    }

    /// The topics on which a node publishes. Nodes of the same name count as one.
    pub fn publisher_names_and_types_by_node(&self, name: &str, namespace: &str) -> NamesAndTypes {
        self.by_node(EntityKind::Publisher, name, namespace)
    }

    /// The topics to which a node subscribes.
    pub fn subscription_names_and_types_by_node(
        &self,
        name: &str,
        namespace: &str,
    ) -> NamesAndTypes {
        self.by_node(EntityKind::Subscription, name, namespace)
    }

    /// The services that a node offers.
    pub fn service_names_and_types_by_node(&self, name: &str, namespace: &str) -> NamesAndTypes {
        self.by_node(EntityKind::Service, name, namespace)
    }

    /// The services that a node calls.
    pub fn client_names_and_types_by_node(&self, name: &str, namespace: &str) -> NamesAndTypes {
        self.by_node(EntityKind::Client, name, namespace)
    }

    /// The actions that a node offers: as in ROS, known by the feedback that it publishes.
    pub fn action_server_names_and_types_by_node(
        &self,
        name: &str,
        namespace: &str,
    ) -> NamesAndTypes {
        actions(self.by_node(EntityKind::Publisher, name, namespace))
    }

    /// The actions that a node calls: as in ROS, known by its subscription to their feedback.
    pub fn action_client_names_and_types_by_node(
        &self,
        name: &str,
        namespace: &str,
    ) -> NamesAndTypes {
        actions(self.by_node(EntityKind::Subscription, name, namespace))
    }

    /// A number that grows with each change of the graph.
    pub fn revision(&self) -> u64 {
        self.shared.revision()
    }

    /// Waits until the graph has changed since its revision was `seen`; false when `timeout` is over first, or the session is
    /// closed. Blocks the calling thread.
    pub fn wait_for_change(&self, seen: u64, timeout: Duration) -> bool {
        self.shared
            .wait_until(timeout, |_, revision| revision != seen)
    }

    /// As [`Graph::wait_for_change`], as a future for any executor, without a limit of time: false when the session is closed.
    pub async fn changed(&self, seen: u64) -> bool {
        let shared = &*self.shared;
        wait_in(shared, |waiter, context| {
            shared.poll_until(waiter, context, |_, revision| revision != seen)
        })
        .await
    }

    /// The tokens that are not in this graph although they are in the domain.
    pub fn ignored(&self) -> IgnoredTokens {
        self.shared.lock().ignored
    }

    fn infos(&self, kind: EntityKind, topic: &str) -> Vec<EndpointInfo> {
        let state = self.shared.lock();
        let there = state.names(kind).get(topic);
        let infos = there.into_iter().flat_map(|there| there.like(kind));
        let mut infos: Vec<_> = infos.map(|known| info(known)).collect();
        drop(state);
        let key = |info: &EndpointInfo| (info.node_namespace.clone(), info.node_name.clone());
        infos.sort_by_cached_key(|info| (key(info), info.gid));
        infos
    }

    fn count(&self, kind: EntityKind, name: &str) -> usize {
        let state = self.shared.lock();
        let groups = state.names(kind).get(name).map(Endpoints::groups);
        let groups = groups.into_iter().flatten();
        groups.map(|group| group.count(kind)).sum()
    }

    fn by_node(&self, kind: EntityKind, name: &str, namespace: &str) -> NamesAndTypes {
        let state = self.shared.lock();
        let all = state.names(kind).values();
        let of_node = all
            .flat_map(|endpoints| endpoints.like(kind))
            .filter(|known| known.node_name == name && known.namespace == namespace);
        let mut found = BTreeMap::<_, BTreeSet<_>>::new();
        for known in of_node {
            let types = found.entry(known.endpoint.topic.clone()).or_default();
            types.insert(type_name(&known.endpoint.dds_type));
        }
        let lists = found.into_iter();
        lists
            .map(|(topic, types)| (topic, types.into_iter().collect()))
            .collect()
    }
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graph")
            .field("domain_id", &self.context.domain_id())
            .field("revision", &self.revision())
            .finish_non_exhaustive()
    }
}

fn info(known: &Known) -> EndpointInfo {
    EndpointInfo {
        node_name: known.node_name.clone(),
        node_namespace: known.namespace.clone(),
        topic_type: type_name(&known.endpoint.dds_type),
        topic_type_hash: known.endpoint.type_hash.clone(),
        kind: known.kind,
        gid: known.gid,
        qos: known.endpoint.qos,
        backends: known.endpoint.backends.clone(),
    }
}

/// What is not of ROS's making stays as it is.
fn type_name(dds_type: &str) -> String {
    ros_type_name(dds_type).unwrap_or_else(|| dds_type.to_owned())
}

fn names_and_types(all: &HashMap<String, Endpoints>) -> NamesAndTypes {
    let types = |endpoints: &Endpoints| {
        let groups = endpoints.groups().iter();
        let types: BTreeSet<_> = groups.map(|group| type_name(group.dds_type())).collect();
        types.into_iter().collect()
    };
    all.iter()
        .map(|(name, endpoints)| (name.clone(), types(endpoints)))
        .collect()
}

/// The actions among topics: `<name>/_action/feedback` of the type `<type>_FeedbackMessage`.
fn actions(topics: NamesAndTypes) -> NamesAndTypes {
    let action = |(topic, types): (String, Vec<String>)| {
        let name = topic.strip_suffix("/_action/feedback")?.to_owned();
        let types: Vec<String> = types
            .iter()
            .filter_map(|feedback| feedback.strip_suffix("_FeedbackMessage"))
            .map(str::to_owned)
            .collect();
        (!types.is_empty()).then_some((name, types))
    };
    topics.into_iter().filter_map(action).collect()
}
