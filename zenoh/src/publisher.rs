//! A publisher: encodes a message once and hands the bytes to Zenoh, with sequence number, time and GID beside them.

use std::{
    marker::PhantomData,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::{Message, cdr};
use zenoh::{Wait as _, bytes::ZBytes, liveliness::LivelinessToken};
use zenoh_ext::{
    AdvancedPublisher, AdvancedPublisherBuilderExt as _, CacheConfig, MissDetectionConfig,
};

use crate::{
    error::{Error, Result},
    info::now,
    key::{Attachment, Entity, EntityKind, Gid},
    node::{EndpointName, Node},
    qos::{QosProfile, Reliability},
    session::on_plain_thread,
};

/// How often a reliable, transient-local publisher tells its last sequence number, when it changed.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How often Zenoh is asked whether it knows a subscriber whose token is there already.
const MATCHING_PERIOD: Duration = Duration::from_millis(2);

/// A publisher of messages of one type on one topic.
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
/// let node = Node::new("talker")?;
/// let publisher = node.create_publisher::<Text>("chatter", QosProfile::default())?;
/// publisher.wait_for_subscription(std::time::Duration::from_secs(1));
/// publisher.publish(&Text { data: "hello".to_owned() })?;
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
pub struct Publisher<M> {
    // In the order in which they go: nobody sees the publisher, then it stops, then its node may go.
    _token: LivelinessToken,
    sender: Sender,
    name: EndpointName,
    qos: QosProfile,
    sequence_number: Mutex<i64>,
    node: Node,
    message: PhantomData<fn(&M)>,
}

impl<M: Message> Publisher<M> {
    pub(crate) fn new(node: &Node, topic: &str, qos: QosProfile) -> Result<Self> {
        let name = node.endpoint::<M>(topic, qos, Entity::Publisher)?;
        let sender = Sender::declare(node, &name, &qos)?;
        Ok(Self {
            _token: name.declare_token(node.context())?,
            sender,
            name,
            qos,
            sequence_number: Mutex::new(0),
            node: node.clone(),
            message: PhantomData,
        })
    }

    /// Publishes a message to whoever is there; with `transient_local`, also to those who come later.
    ///
    /// # Errors
    /// When the message cannot be encoded, or the session is gone.
    pub fn publish(&self, message: &M) -> Result<()> {
        let payload = cdr::encode(message).map_err(|source| Error::Encode {
            topic: self.name.key.topic.clone(),
            source,
        })?;
        // Held while sending: two threads must not overtake each other between number and network.
        let mut number = self
            .sequence_number
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *number += 1;
        let attachment = Attachment {
            sequence_number: *number,
            source_timestamp: now(),
            gid: self.name.gid,
        };
        self.sender
            .put(payload, &attachment)
            .map_err(|cause| Error::Publish {
                topic: self.name.key.topic.clone(),
                cause,
            })
    }

    /// The full name of the topic.
    pub fn topic_name(&self) -> &str {
        &self.name.key.topic
    }

    /// The node that made this publisher.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The quality of service as asked for.
    pub fn qos(&self) -> QosProfile {
        self.qos
    }

    /// The identifier that comes with each sample.
    pub fn gid(&self) -> Gid {
        self.name.gid
    }

    /// How many subscriptions there are with this topic, type and type hash.
    pub fn subscription_count(&self) -> usize {
        self.node
            .context()
            .graph()
            .count(EntityKind::Subscription, &self.name.key)
    }

    /// Waits until there is a subscription that a message published next will reach.
    ///
    /// Returns whether there is one before `timeout` is over. Blocks the calling thread.
    pub fn wait_for_subscription(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let graph = self.node.context().graph();
        if !graph.wait_for(EntityKind::Subscription, &self.name.key, timeout) {
            return false;
        }
        // Its token is here; the route to it may be a moment behind.
        on_plain_thread(|| {
            while !self.sender.is_matched() {
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return false;
                }
                std::thread::sleep(MATCHING_PERIOD);
            }
            true
        })
    }
}

impl<M> std::fmt::Debug for Publisher<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher")
            .field("key", &self.name.key.to_string())
            .field("gid", &self.name.gid)
            .field("qos", &self.qos)
            .finish_non_exhaustive()
    }
}

/// Volatile publishers need nothing of an advanced one, and look the same to everybody else.
enum Sender {
    Plain(zenoh::pubsub::Publisher<'static>),
    /// `None` only while it is dropped.
    Advanced(Option<Box<AdvancedPublisher<'static>>>),
}

impl Sender {
    fn declare(node: &Node, name: &EndpointName, qos: &QosProfile) -> Result<Self> {
        let builder = node
            .context()
            .zenoh_session()
            .declare_publisher(name.key.to_string())
            .reliability(qos.zenoh_reliability())
            .congestion_control(qos.zenoh_congestion_control());
        let failed = |cause| name.declare_error("the publisher", cause);
        if !qos.is_transient_local() {
            return Ok(Self::Plain(builder.wait().map_err(failed)?));
        }
        let cache = CacheConfig::default().max_samples(qos.depth().unwrap_or(usize::MAX));
        let mut builder = builder.advanced().cache(cache).publisher_detection();
        if qos.reliability == Reliability::Reliable {
            let detection = MissDetectionConfig::default().sporadic_heartbeat(HEARTBEAT);
            builder = builder.sample_miss_detection(detection);
        }
        Ok(Self::Advanced(Some(Box::new(
            builder.wait().map_err(failed)?,
        ))))
    }

    fn put(&self, payload: Vec<u8>, attachment: &Attachment) -> zenoh::Result<()> {
        let payload = ZBytes::from(payload);
        let attachment = attachment.to_bytes();
        match self {
            Self::Plain(publisher) => publisher.put(payload).attachment(attachment).wait(),
            Self::Advanced(Some(publisher)) => publisher.put(payload).attachment(attachment).wait(),
            Self::Advanced(None) => Ok(()),
        }
    }

    fn is_matched(&self) -> bool {
        let status = match self {
            Self::Plain(publisher) => publisher.matching_status().wait(),
            Self::Advanced(Some(publisher)) => publisher.matching_status().wait(),
            Self::Advanced(None) => return false,
        };
        status.is_ok_and(|status| status.matching())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if let Self::Advanced(publisher) = self {
            let publisher = publisher.take();
            on_plain_thread(move || drop(publisher));
        }
    }
}
