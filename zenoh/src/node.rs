//! A node: a name in the graph, under which publishers and subscriptions are made.

use std::sync::Arc;

use rosidl_buffer_runtime::{BackendRegistry, Message, Service};
use zenoh::{Wait as _, liveliness::LivelinessToken};

use crate::{
    error::{Error, Result},
    info::MessageInfo,
    key::{
        Backend, Channel, ChannelKey, Endpoint, Entity, Gid, Token, TopicKey, check_namespace,
        check_node_name, expand_topic_name,
    },
    options::SubscriptionOptions,
    publisher::Publisher,
    qos::QosProfile,
    service::BuiltinService,
    session::Context,
    subscription::{CallbackSubscription, Subscription},
    type_descriptions::{self, GetTypeDescription, TypeUse, UsedType, UsedTypes},
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
    #[allow(dead_code, reason = "held to be dropped")]
    builtin: Option<Arc<Builtin>>,
    core: Arc<NodeCore>,
}

/// The endpoints that every node has by itself: they go when the last handle of the user's goes. They hold the node without
/// them, or nobody would ever be the last.
#[derive(Default)]
pub(crate) struct Builtin {
    _type_descriptions: Option<BuiltinService<GetTypeDescription>>,
}

pub(crate) struct NodeCore {
    name: String,
    namespace: String,
    id: u64,
    types: Arc<UsedTypes>,
    // Before the context: a token goes before its session.
    _token: LivelinessToken,
    pub(crate) context: Context,
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
        NodeBuilder {
            name: name.to_owned(),
            ..NodeBuilder::default()
        }
    }

    /// The name, without the namespace.
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// The namespace; `/` for the root.
    pub fn namespace(&self) -> &str {
        &self.core.namespace
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

    /// The full name of a topic: `~` is the node, a relative name is in the node's namespace.
    ///
    /// # Errors
    /// When the name breaks ROS's rules.
    pub fn resolve_topic_name(&self, name: &str) -> Result<String> {
        Ok(expand_topic_name(name, self.namespace(), self.name())?)
    }

    /// The full name of a service, made as that of a topic.
    ///
    /// # Errors
    /// When the name breaks ROS's rules.
    pub fn resolve_service_name(&self, name: &str) -> Result<String> {
        Ok(expand_topic_name(name, self.namespace(), self.name())?)
    }

    /// This node without its built-in endpoints: what those hold.
    pub(crate) fn bare(&self) -> Self {
        Self {
            builtin: None,
            core: Arc::clone(&self.core),
        }
    }

    /// A publisher of `M` on `topic`, which may be relative to the namespace or, with `~`, to the node.
    ///
    /// # Errors
    /// When the topic's name breaks ROS's rules, or the session is gone.
    pub fn create_publisher<M: Message>(
        &self,
        topic: &str,
        qos: QosProfile,
    ) -> Result<Publisher<M>> {
        Publisher::new(self, topic, qos)
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
    /// The text of one of the topic's keys.
    pub(crate) fn on(&self, channel: Channel) -> String {
        let topic = self.key.clone();
        ChannelKey { topic, channel }.to_string()
    }

    pub(crate) fn declare_token(&self, context: &Context) -> Result<LivelinessToken> {
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
        enclave: "/".to_owned(),
        namespace: namespace.to_owned(),
        node_name: node_name.to_owned(),
        entity,
    };
    token.to_string()
}

fn declare_token(context: &Context, token: &str, name: &str) -> Result<LivelinessToken> {
    let declared = context
        .zenoh_session()
        .liveliness()
        .declare_token(token.to_owned())
        .wait();
    declared.map_err(|cause| Error::Declare {
        what: "the liveliness token",
        name: name.to_owned(),
        cause,
    })
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.fully_qualified_name())
            .field("context", self.context())
            .finish()
    }
}

/// Settings of a [`Node`] before it is made.
#[derive(Debug, Clone, Default)]
pub struct NodeBuilder {
    name: String,
    namespace: String,
    domain: Option<u32>,
    context: Option<Context>,
    without_type_descriptions: bool,
}

impl NodeBuilder {
    /// The namespace, with or without its leading slash.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.namespace);
        self
    }

    /// The ROS domain, instead of `ROS_DOMAIN_ID`.
    #[must_use]
    pub fn domain_id(mut self, domain: u32) -> Self {
        self.domain = Some(domain);
        self
    }

    /// The context to live in, instead of one of its own.
    #[must_use]
    pub fn context(mut self, context: &Context) -> Self {
        self.context = Some(context.clone());
        self
    }

    /// Whether the node has the service `~/get_type_description`, by which others learn the types that it uses. By default
    /// it has, as every ROS 2 node.
    #[must_use]
    pub fn start_type_description_service(mut self, on: bool) -> Self {
        self.without_type_descriptions = !on;
        self
    }

    /// Makes the node and announces it.
    ///
    /// # Errors
    /// When a name breaks ROS's rules, the domain contradicts the context's, or the session does not open.
    pub fn build(self) -> Result<Node> {
        check_node_name(&self.name)?;
        let namespace = check_namespace(&self.namespace)?;
        let context = match (self.context, self.domain) {
            (Some(context), Some(asked)) if asked != context.domain_id() => {
                let context = context.domain_id();
                return Err(Error::DomainConflict {
                    node: self.name,
                    asked,
                    context,
                });
            }
            (Some(context), _) => context,
            (None, Some(domain)) => Context::builder().domain_id(domain).build()?,
            (None, None) => Context::new()?,
        };
        let id = context.next_entity_id();
        let token = token(&context, &self.name, &namespace, id, id, Entity::Node);
        let token = declare_token(&context, &token, &self.name)?;
        let core = NodeCore {
            name: self.name,
            namespace,
            id,
            types: Arc::default(),
            _token: token,
            context,
        };
        let node = Node {
            builtin: None,
            core: Arc::new(core),
        };
        let builtin = Builtin {
            _type_descriptions: if self.without_type_descriptions {
                None
            } else {
                Some(type_descriptions::serve(&node)?)
            },
        };
        Ok(Node {
            builtin: Some(Arc::new(builtin)),
            ..node
        })
    }
}
