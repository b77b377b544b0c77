//! A subscription: samples come from Zenoh into a queue; a reader takes them, decoded when taken.
//!
//! A subscription to a type with buffers reads two keys: the topic's own, and the channel that its token leads
//! publishers to. Only what comes on the channel of a subscription that accepts other memories than the host's may
//! describe such memory. Three ways to read: `recv` and its kin block, `recv_async` is a future for any executor, and a callback
//! runs on a thread of its own. No callback of the user's runs on Zenoh's threads; backends do, which take memory when its
//! descriptor arrives, and what falls out of a full queue is dropped there.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::Message;

use crate::{
    announcement::Announcement,
    connections::{self, Connection},
    error::Result,
    inbox::Inbox,
    info::Received,
    key::{Entity, EntityKind, Gid, TopicKey},
    local::Inlet,
    node::Node,
    options::{SubscriptionOptions, named_backends},
    qos::QosProfile,
    queue::Wait,
    stats::SubscriptionStats,
    wait_set::{Source, Waitable},
    wakers::wait_in,
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
///
/// # Loaned messages
///
/// A message that was received holds its memory for as long as it lives, be it a publisher's block or a part of what came over
/// the network, and gives it back when it is dropped. Any number may be held at a time, in any order, on any thread: that is all that a
/// loan is on this side.
pub struct Subscription<M> {
    // In the order in which they go.
    announcement: Arc<Announcement<M>>,
    inbox: Arc<Inbox<M>>,
    key: TopicKey,
    qos: QosProfile,
    node: Node,
}

impl<M: Message> Subscription<M> {
    pub(crate) fn new(node: &Node, topic: &str, options: &SubscriptionOptions) -> Result<Self> {
        let qos = options.qos();
        let mut accepted = Vec::new();
        let name = node.endpoint::<M>(topic, qos, Entity::Subscription, |registry, topic| {
            accepted = options.accepted(registry, topic)?;
            Ok(named_backends(registry, &accepted))
        })?;
        let (key, inbox) = (
            name.key.clone(),
            Arc::new(Inbox::new(&name.key.topic, qos.depth())),
        );
        let inlet = options
            .uses_intra_process()
            .then(|| Inlet::new(&inbox, accepted.clone()));
        let here = node.context().local().register(&key, inlet);
        let announcement = Announcement::new(node, name, &qos, accepted, &inbox, here)?;
        Ok(Self {
            announcement,
            inbox,
            key,
            qos,
            node: node.clone(),
        })
    }

    /// Waits for the next message. Samples that cannot be decoded are counted, logged and passed over.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed) when the session under it is closed.
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
        let inbox = &*self.inbox;
        wait_in(inbox, |waiter, context| inbox.poll_take(waiter, context)).await
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox<M>> {
        &self.inbox
    }

    /// What was counted since the subscription was created.
    pub fn stats(&self) -> SubscriptionStats {
        self.inbox.stats()
    }

    /// The full name of the topic.
    pub fn topic_name(&self) -> &str {
        &self.key.topic
    }

    /// The node that made this subscription.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The quality of service as asked for.
    pub fn qos(&self) -> QosProfile {
        self.qos
    }

    /// The identifier under which other nodes know this subscription. It changes when the subscription is announced anew,
    /// because a memory cannot be taken here ([`SubscriptionStats::given_up`]).
    pub fn gid(&self) -> Gid {
        self.announcement.gid()
    }

    /// The publishers that are there, and how messages come from each.
    pub fn connections(&self) -> Vec<Connection> {
        let accepted = self.announcement.accepted();
        connections::to_publishers(&self.node, &self.key, &accepted, &self.inbox)
    }

    /// How many publishers there are with this topic, type and type hash.
    pub fn publisher_count(&self) -> usize {
        self.node
            .context()
            .graph()
            .count(EntityKind::Publisher, &self.key)
    }

    /// Waits until there is a publisher. Returns whether there is one before `timeout` is over.
    pub fn wait_for_publisher(&self, timeout: Duration) -> bool {
        self.node
            .context()
            .graph()
            .wait_for(EntityKind::Publisher, &self.key, timeout)
    }
}

impl<M: Message> Waitable for Subscription<M> {
    fn source(&self) -> Source {
        Source::new(&self.inbox)
    }
}

impl<M> std::fmt::Debug for Subscription<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("key", &self.key.to_string())
            .field("gid", &self.announcement.gid())
            .field("qos", &self.qos)
            .finish_non_exhaustive()
    }
}
