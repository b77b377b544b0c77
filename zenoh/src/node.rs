//! A node: a name in the graph, under which publishers and subscriptions are made.

use std::sync::Arc;

use rosidl_buffer_runtime::{BackendRegistry, Message, Service};

use crate::{
    arguments::{NameKind, Remapping},
    builtin::Builtin,
    callback::CallbackSubscription,
    clock::Clock,
    error::{Error, Result},
    graph::OwnToken,
    info::MessageInfo,
    key::{Backend, Channel, ChannelKey, Endpoint, Entity, Gid, Token, TopicKey},
    node_builder::NodeBuilder,
    options::{PublisherOptions, SubscriptionOptions},
    parameters::Parameters,
    publisher::Publisher,
    qos::QosProfile,
    rosout::{LogLevels, Logger},
    session::Context,
    subscription::Subscription,
    type_descriptions::{TypeUse, UsedType, UsedTypes},
};

/// A ROS 2 node.
///
/// Cloning gives another handle. The node leaves the graph with its last handle, publisher or
/// subscription.
///
/// ```no_run
/// use rosidl_buffer_zenoh::Node;
///
/// let node = Node::builder("camera").namespace("/robot").domain_id(3).build()?;
/// assert_eq!(node.fully_qualified_name(), "/robot/camera");
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
#[derive(Clone)]
pub struct Node {
    // In the order in which they go. `None` in the handles that the built-in endpoints themselves hold.
    builtin: Option<Arc<Builtin>>,
    core: Arc<NodeCore>,
}

pub(crate) struct NodeCore {
    settings: Settings,
    id: u64,
    types: Arc<UsedTypes>,
    // Before the context: a token goes before its session.
    _token: OwnToken,
    pub(crate) context: Context,
}

/// What is said of a node before it is announced, all of it checked.
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) remapping: Remapping,
    pub(crate) parameters: Arc<Parameters>,
    pub(crate) clock: Clock,
    pub(crate) log_levels: LogLevels,
}

impl Node {
    /// A node in the root namespace, in a context of its own.
    ///
    /// # Errors
    /// When the name breaks ROS's rules, or the session does not open.
    pub fn new(name: &str) -> Result<Self> {
        Self::builder(name).build()
    }

    /// A node with settings of its own.
    pub fn builder(name: &str) -> NodeBuilder {
        NodeBuilder::new(name)
    }

    /// The name, without the namespace.
    pub fn name(&self) -> &str {
        &self.core.settings.name
    }

    /// The namespace; `/` for the root.
    pub fn namespace(&self) -> &str {
        &self.core.settings.namespace
    }

    /// Namespace and name.
    pub fn fully_qualified_name(&self) -> String {
        format!("{}/{}", self.namespace().trim_end_matches('/'), self.name())
    }

    /// The ROS domain.
    pub fn domain_id(&self) -> u32 {
        self.context().domain_id()
    }

    /// The context, which makes more nodes on the same session.
    pub fn context(&self) -> &Context {
        &self.core.context
    }

    /// The clock of ROS time, which a simulation sets when the parameter `use_sim_time` is true.
    pub fn clock(&self) -> &Clock {
        &self.core.settings.clock
    }

    /// Says things in this node's name, to `tracing` and on `/rosout`.
    pub fn logger(&self) -> Logger {
        let name = self.fully_qualified_name().replace('/', ".");
        let rosout = self.builtin.as_deref().map(Builtin::rosout);
        Logger::new(
            name.trim_start_matches('.'),
            &self.core.settings.log_levels,
            rosout.unwrap_or_default(),
        )
    }

    pub(crate) fn parameters(&self) -> &Arc<Parameters> {
        &self.core.settings.parameters
    }

    /// The full name of a topic: `~` is the node, a relative name is in the node's namespace, and remap rules are applied.
    ///
    /// # Errors
    /// When the name breaks ROS's rules.
    pub fn resolve_topic_name(&self, name: &str) -> Result<String> {
        self.resolve(name, NameKind::Topic)
    }

    /// The full name of a service, made as that of a topic, with the rules for services.
    ///
    /// # Errors
    /// When the name breaks ROS's rules.
    pub fn resolve_service_name(&self, name: &str) -> Result<String> {
        self.resolve(name, NameKind::Service)
    }

    fn resolve(&self, name: &str, kind: NameKind) -> Result<String> {
        let remapping = &self.core.settings.remapping;
        Ok(remapping.resolve(name, kind, self.namespace(), self.name())?)
    }

    /// Announces a node, which has nothing built-in yet.
    pub(crate) fn announce(context: Context, settings: Settings) -> Result<Self> {
        let id = context.next_entity_id();
        let Settings {
            name, namespace, ..
        } = &settings;
        let token = token(&context, name, namespace, id, id, Entity::Node);
        let core = NodeCore {
            _token: declare_token(&context, &token, name)?,
            settings,
            id,
            types: Arc::default(),
            context,
        };
        Ok(Self {
            builtin: None,
            core: Arc::new(core),
        })
    }

    pub(crate) fn with_builtin(self, builtin: Builtin) -> Self {
        Self {
            builtin: Some(Arc::new(builtin)),
            ..self
        }
    }

    /// This node without its built-in endpoints: what those hold.
    pub(crate) fn bare(&self) -> Self {
        Self {
            builtin: None,
            core: Arc::clone(&self.core),
        }
    }

    /// A publisher of `M` on `topic`, which may be relative to the namespace or, with `~`, to the node. A
    /// [`QosProfile`] is enough for `options`.
    ///
    /// # Errors
    /// When the topic's name breaks ROS's rules, or the session is gone; also when `options` name a backend that the context does
    /// not have.
    pub fn create_publisher<M: Message>(
        &self,
        topic: &str,
        options: impl Into<PublisherOptions>,
    ) -> Result<Publisher<M>> {
        Publisher::new(self, topic, &options.into())
    }

    /// A subscription to `M` on `topic`, read with `recv` and its kin. A [`QosProfile`] is enough for `options`.
    ///
    /// # Errors
    /// As for [`Node::create_publisher`]; also when `options` name a backend that the context does not have.
    pub fn create_subscription<M: Message>(
        &self,
        topic: &str,
        options: impl Into<SubscriptionOptions>,
    ) -> Result<Subscription<M>> {
        Subscription::new(self, topic, &options.into())
    }

    /// A subscription that calls `callback` with each message, on a thread of its own and never twice at a time. The
    /// queue stands between it and the network: a slow callback loses the oldest messages, counted.
    ///
    /// # Errors
    /// As for [`Node::create_subscription`]; also when the thread cannot be started.
    pub fn create_subscription_with_callback<M: Message>(
        &self,
        topic: &str,
        options: impl Into<SubscriptionOptions>,
        callback: impl FnMut(M, MessageInfo) + Send + 'static,
    ) -> Result<CallbackSubscription<M>> {
        CallbackSubscription::new(self.create_subscription(topic, options)?, callback)
    }

    /// What an endpoint of this node needs before it is declared. `named` are the backends that its token tells others of,
    /// where buffers may travel at all: in types that have some, and not to late joiners, who would get descriptors of
    /// memory that is used again by then.
    pub(crate) fn endpoint<M: Message>(
        &self,
        topic: &str,
        qos: QosProfile,
        entity: fn(Endpoint) -> Entity,
        named: impl FnOnce(&BackendRegistry, &str) -> Result<Vec<Backend>>,
    ) -> Result<EndpointName> {
        let topic = self.resolve_topic_name(topic)?;
        let knows_buffers = M::HAS_ROS_BUFFERS && !qos.is_transient_local();
        let named = if knows_buffers {
            Some(check_metadata(named(self.context().backends(), &topic)?)?)
        } else {
            None
        };
        let described = UsedType::of_message::<M>();
        Ok(self.name_endpoint(topic, described, qos, entity, named))
    }

    /// As [`Node::endpoint`] for a service or its client, which never know buffers. The hash is the service's own.
    pub(crate) fn service_endpoint<S: Service>(
        &self,
        name: &str,
        qos: QosProfile,
        entity: fn(Endpoint) -> Entity,
    ) -> Result<EndpointName> {
        let name = self.resolve_service_name(name)?;
        Ok(self.name_endpoint(name, UsedType::of_service::<S>(), qos, entity, None))
    }

    fn name_endpoint(
        &self,
        topic: String,
        used: UsedType,
        qos: QosProfile,
        entity: fn(Endpoint) -> Entity,
        backends: Option<Vec<Backend>>,
    ) -> EndpointName {
        let type_hash = used.hash.to_string();
        let key = TopicKey::new(self.domain_id(), &topic, used.name, &type_hash);
        let knows_buffers = backends.is_some();
        let endpoint = Endpoint {
            topic,
            dds_type: key.dds_type.clone(),
            type_hash,
            qos,
            backends,
        };
        let context = self.context();
        let token = token(
            context,
            self.name(),
            self.namespace(),
            self.core.id,
            context.next_entity_id(),
            entity(endpoint),
        );
        EndpointName {
            key,
            gid: Gid::of_token(&token),
            token,
            knows_buffers,
            _type: self.core.types.register(used),
        }
    }

    /// The types that this node uses.
    pub(crate) fn types(&self) -> &Arc<UsedTypes> {
        &self.core.types
    }
}

/// What a backend says about itself becomes part of a key, in which these characters mean something else.
fn check_metadata(backends: Vec<Backend>) -> Result<Vec<Backend>> {
    let breaks_a_key = |backend: &&Backend| backend.metadata.contains(['*', '$', '#', '?']);
    match backends.iter().find(breaks_a_key) {
        None => Ok(backends),
        Some(backend) => Err(Error::BackendMetadata {
            name: backend.name.clone(),
            metadata: backend.metadata.clone(),
        }),
    }
}

/// How one endpoint is known: the key of its samples, its token, and the GID that follows from the token.
pub(crate) struct EndpointName {
    pub(crate) key: TopicKey,
    pub(crate) token: String,
    pub(crate) gid: Gid,
    /// Whether it reads or writes the channels beside the base key.
    pub(crate) knows_buffers: bool,
    /// As long as the endpoint is there, its node can describe the type.
    _type: TypeUse,
}

impl EndpointName {
    /// Another token for the same endpoint, and the GID that follows from it; gives the token that it had.
    pub(crate) fn rename(&mut self, token: String) -> String {
        self.gid = Gid::of_token(&token);
        std::mem::replace(&mut self.token, token)
    }

    /// The text of one of the topic's keys.
    pub(crate) fn on(&self, channel: Channel) -> String {
        let topic = self.key.clone();
        ChannelKey { topic, channel }.to_string()
    }

    pub(crate) fn declare_token(&self, context: &Context) -> Result<OwnToken> {
        declare_token(context, &self.token, &self.key.topic)
    }

    pub(crate) fn declare_error(&self, what: &'static str, cause: zenoh::Error) -> Error {
        Error::Declare {
            what,
            name: self.key.topic.clone(),
            cause,
        }
    }
}

fn token(
    context: &Context,
    node_name: &str,
    namespace: &str,
    node_id: u64,
    entity_id: u64,
    entity: Entity,
) -> String {
    let token = Token {
        domain: context.domain_id(),
        session_id: context.zenoh_session().zid().to_string(),
        node_id,
        entity_id,
        enclave: context.enclave().to_owned(),
        namespace: namespace.to_owned(),
        node_name: node_name.to_owned(),
        entity,
    };
    token.to_string()
}

fn declare_token(context: &Context, token: &str, name: &str) -> Result<OwnToken> {
    context
        .graph()
        .declare(context.zenoh_session(), token, name)
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.fully_qualified_name())
            .field("context", self.context())
            .finish()
    }
}
