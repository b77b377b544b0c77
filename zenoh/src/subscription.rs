//! A subscription: samples come from Zenoh into a queue; a reader takes them, decoded when taken.
//!
//! A subscription to a type with buffers reads two keys: the topic's own, and the channel that its token leads
//! publishers to. Only what comes on the channel of a subscription that accepts other memories than the host's may
//! describe such memory. Three ways to read: `recv` and its kin block, `recv_async` is a future for any executor, and a callback
//! runs on a thread of its own. No callback of the user's runs on Zenoh's threads; backends do, which take memory when its
//! descriptor arrives, and what falls out of a full queue is dropped there.

use std::{
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::Message;
use zenoh::{Wait as _, handlers::CallbackDrop, liveliness::LivelinessToken, sample::Sample};
use zenoh_ext::{
    AdvancedSubscriber, AdvancedSubscriberBuilderExt as _, HistoryConfig, RecoveryConfig,
};

use crate::{
    error::{Error, Result},
    graph::Watch,
    inbox::Inbox,
    info::{MessageInfo, Received, SubscriptionStats},
    key::{Channel, Entity, EntityKind, Gid},
    node::{EndpointName, Node},
    options::{SubscriptionOptions, named_backends},
    qos::{QosProfile, Reliability},
    queue::Wait,
    session::on_plain_thread,
};

/// A subscription to messages of one type on one topic.
///
/// ```no_run
/// # use rosidl_buffer_runtime::BufferMessage;
/// use rosidl_buffer_zenoh::{Node, QosProfile};
///
/// #[derive(Debug, Clone, PartialEq, BufferMessage)]
/// #[ros2(package = "std_msgs", name = "String")]
/// struct Text {
///     data: String,
/// }
///
/// let node = Node::new("listener")?;
/// let subscription = node.create_subscription::<Text>("chatter", QosProfile::default())?;
/// loop {
///     let received = subscription.recv()?;
///     println!("{} ({:?})", received.message.data, received.info.publisher_gid);
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
pub struct Subscription<M> {
    // In the order in which they go.
    _token: LivelinessToken,
    _watch: Option<Watch>,
    _channel: Option<zenoh::pubsub::Subscriber<()>>,
    _receiver: Receiver,
    inbox: Arc<Inbox<M>>,
    name: EndpointName,
    qos: QosProfile,
    node: Node,
    message: PhantomData<fn() -> M>,
}

impl<M: Message> Subscription<M> {
    pub(crate) fn new(node: &Node, topic: &str, options: &SubscriptionOptions) -> Result<Self> {
        let qos = options.qos();
        let mut accepted = Vec::new();
        let name = node.endpoint::<M>(topic, qos, Entity::Subscription, |registry, topic| {
            accepted = options.accepted(registry, topic)?;
            Ok(named_backends(registry, &accepted))
        })?;
        let inbox = Arc::new(Inbox::new(&name.key.topic, qos.depth()));
        // The channel first: when the base key is known elsewhere, so is the channel.
        let channel = if name.knows_buffers {
            Some(declare_channel(node, &name, &accepted, &inbox)?)
        } else {
            None
        };
        let receiver = Receiver::declare(node, &name, &qos, &inbox)?;
        let token = name.declare_token(node.context())?;
        // Publishers' memory is prepared as soon as they are known, not when their first message is there.
        let watch = (name.knows_buffers && !accepted.is_empty()).then(|| {
            let backends = node.context().backends().clone();
            let graph = node.context().graph();
            graph.watch_publishers(&name.key, move |theirs| {
                for backend in theirs
                    .iter()
                    .filter(|theirs| accepted.contains(&theirs.name))
                {
                    backends.on_discovering_endpoint(&backend.name, &backend.metadata);
                }
            })
        });
        Ok(Self {
            _token: token,
            _watch: watch,
            _channel: channel,
            _receiver: receiver,
            inbox,
            name,
            qos,
            node: node.clone(),
            message: PhantomData,
        })
    }

    /// Waits for the next message. Samples that cannot be decoded are counted, logged and passed over.
    ///
    /// # Errors
    /// [`Error::Closed`] when the session under it is closed.
    pub fn recv(&self) -> Result<Received<M>> {
        loop {
            if let Some(received) = self.inbox.take(Wait::Forever)? {
                return Ok(received);
            }
        }
    }

    /// Waits for the next message, but not longer than `timeout`; `None` when nothing came.
    ///
    /// # Errors
    /// As for [`Subscription::recv`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<Received<M>>> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.inbox.take(Wait::Until(deadline)),
            None => self.recv().map(Some),
        }
    }

    /// The next message, if there is one already.
    ///
    /// # Errors
    /// As for [`Subscription::recv`].
    pub fn try_recv(&self) -> Result<Option<Received<M>>> {
        self.inbox.take(Wait::No)
    }

    /// The next message, as a future for any executor. Dropping it loses nothing.
    ///
    /// ```no_run
    /// # use rosidl_buffer_runtime::Message;
    /// # async fn example<M: Message>(subscription: rosidl_buffer_zenoh::Subscription<M>) -> rosidl_buffer_zenoh::Result<()> {
    /// let first = subscription.recv_async().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`Subscription::recv`].
    pub async fn recv_async(&self) -> Result<Received<M>> {
        std::future::poll_fn(|context| self.inbox.poll_take(context)).await
    }

    pub(crate) fn inbox(&self) -> &Inbox<M> {
        &self.inbox
    }

    /// What was counted since the subscription was created.
    pub fn stats(&self) -> SubscriptionStats {
        self.inbox.stats()
    }

    /// The full name of the topic.
    pub fn topic_name(&self) -> &str {
        &self.name.key.topic
    }

    /// The node that made this subscription.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The quality of service as asked for.
    pub fn qos(&self) -> QosProfile {
        self.qos
    }

    /// The identifier under which other nodes know this subscription.
    pub fn gid(&self) -> Gid {
        self.name.gid
    }

    /// How many publishers there are with this topic, type and type hash.
    pub fn publisher_count(&self) -> usize {
        self.node
            .context()
            .graph()
            .count(EntityKind::Publisher, &self.name.key)
    }

    /// Waits until there is a publisher. Returns whether there is one before `timeout` is over.
    pub fn wait_for_publisher(&self, timeout: Duration) -> bool {
        self.node
            .context()
            .graph()
            .wait_for(EntityKind::Publisher, &self.name.key, timeout)
    }
}

impl<M> std::fmt::Debug for Subscription<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("key", &self.name.key.to_string())
            .field("gid", &self.name.gid)
            .field("qos", &self.qos)
            .finish_non_exhaustive()
    }
}

/// A subscription that calls a function with each message; made by
/// [`Node::create_subscription_with_callback`]. The calls end when it is dropped.
///
/// ```no_run
/// # use rosidl_buffer_runtime::BufferMessage;
/// use rosidl_buffer_zenoh::{Node, QosProfile};
///
/// #[derive(Debug, Clone, PartialEq, BufferMessage)]
/// #[ros2(package = "std_msgs", name = "String")]
/// struct Text {
///     data: String,
/// }
///
/// let node = Node::new("listener")?;
/// let _subscription = node.create_subscription_with_callback(
///     "chatter",
///     QosProfile::sensor_data(),
///     |message: Text, _info| println!("{}", message.data),
/// )?;
/// std::thread::park();
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
#[derive(Debug)]
pub struct CallbackSubscription<M: Message> {
    subscription: Subscription<M>,
    worker: Option<JoinHandle<()>>,
}

impl<M: Message> CallbackSubscription<M> {
    pub(crate) fn new(
        subscription: Subscription<M>,
        mut callback: impl FnMut(M, MessageInfo) + Send + 'static,
    ) -> Result<Self> {
        let inbox = Arc::clone(&subscription.inbox);
        let topic = subscription.topic_name().to_owned();
        let work = move || {
            loop {
                let received: Received<M> = match inbox.take(Wait::Forever) {
                    Ok(Some(received)) => received,
                    Ok(None) => continue,
                    Err(_) => return,
                };
                let call = AssertUnwindSafe(|| callback(received.message, received.info));
                if catch_unwind(call).is_err() {
                    tracing::error!(
                        "the callback on {} panicked; the next message is taken",
                        inbox.topic()
                    );
                }
            }
        };
        let name = "ros_callback".to_owned();
        let worker = std::thread::Builder::new().name(name).spawn(work);
        let worker = worker.map_err(|source| Error::Thread { topic, source })?;
        Ok(Self {
            subscription,
            worker: Some(worker),
        })
    }

    pub(crate) fn subscription(&self) -> &Subscription<M> {
        &self.subscription
    }

    /// What was counted since the subscription was created.
    pub fn stats(&self) -> SubscriptionStats {
        self.subscription.stats()
    }

    /// The full name of the topic.
    pub fn topic_name(&self) -> &str {
        self.subscription.topic_name()
    }

    /// The node that made this subscription.
    pub fn node(&self) -> &Node {
        self.subscription.node()
    }

    /// The quality of service as asked for.
    pub fn qos(&self) -> QosProfile {
        self.subscription.qos()
    }

    /// The identifier under which other nodes know this subscription.
    pub fn gid(&self) -> Gid {
        self.subscription.gid()
    }

    /// How many publishers there are with this topic, type and type hash.
    pub fn publisher_count(&self) -> usize {
        self.subscription.publisher_count()
    }

    /// As [`Subscription::wait_for_publisher`].
    pub fn wait_for_publisher(&self, timeout: Duration) -> bool {
        self.subscription.wait_for_publisher(timeout)
    }
}

impl<M: Message> Drop for CallbackSubscription<M> {
    fn drop(&mut self) {
        self.subscription.inbox.stop();
        if let Some(worker) = self.worker.take()
            // Dropped by its own callback: the thread ends by itself after this call.
            && worker.thread().id() != std::thread::current().id()
            && worker.join().is_err()
        {
            tracing::error!("the callback thread on {} panicked", self.topic_name());
        }
    }
}

/// The key on which publishers that know about buffers reach this subscription.
fn declare_channel<M: Message>(
    node: &Node,
    name: &EndpointName,
    accepted: &[String],
    inbox: &Arc<Inbox<M>>,
) -> Result<zenoh::pubsub::Subscriber<()>> {
    let arrived = Arc::clone(inbox);
    let session = node.context().zenoh_session();
    let declared = if accepted.is_empty() {
        session
            .declare_subscriber(name.on(Channel::Cpu))
            .callback(move |sample| arrived.push(&sample))
            .wait()
    } else {
        let backends = node.context().backends().clone();
        session
            .declare_subscriber(name.on(Channel::Buffer(name.gid)))
            .callback(move |sample| arrived.push_described(&sample, &backends))
            .wait()
    };
    declared.map_err(|cause| name.declare_error("the buffer channel", cause))
}

/// Volatile subscriptions need nothing of an advanced one, and look the same to everybody else.
enum Receiver {
    Plain(#[expect(dead_code, reason = "held to be dropped")] zenoh::pubsub::Subscriber<()>),
    /// `None` only while it is dropped.
    Advanced(Option<Box<AdvancedSubscriber<()>>>),
}

impl Receiver {
    fn declare<M: Message>(
        node: &Node,
        name: &EndpointName,
        qos: &QosProfile,
        inbox: &Arc<Inbox<M>>,
    ) -> Result<Self> {
        let (arrived, ended) = (Arc::clone(inbox), Arc::clone(inbox));
        let callback = CallbackDrop {
            callback: move |sample: Sample| arrived.push(&sample),
            drop: move || ended.close(),
        };
        let builder = node
            .context()
            .zenoh_session()
            .declare_subscriber(name.key.to_string())
            .with(callback);
        let failed = |cause| name.declare_error("the subscription", cause);
        if !qos.is_transient_local() {
            return Ok(Self::Plain(builder.wait().map_err(failed)?));
        }
        let mut history = HistoryConfig::default().detect_late_publishers();
        if let Some(depth) = qos.depth() {
            history = history.max_samples(depth);
        }
        let mut builder = builder.history(history);
        if qos.reliability == Reliability::Reliable {
            builder = builder.recovery(RecoveryConfig::default().heartbeat());
        }
        Ok(Self::Advanced(Some(Box::new(
            builder.wait().map_err(failed)?,
        ))))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Self::Advanced(subscriber) = self {
            let subscriber = subscriber.take();
            on_plain_thread(move || drop(subscriber));
        }
    }
}
