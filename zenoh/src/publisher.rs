//! A publisher: hands a message to the subscriptions of its context as it is, and to Zenoh with sequence number, time and GID
//! beside it, serialised once for all who take bytes, and once for each who takes descriptors of memory instead.

use std::{
    collections::HashSet,
    mem::{Discriminant, discriminant},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::{
    BackendError, BackendRegistry, EncodeError, EncodeErrorKind, HostWrite, Message,
};

use crate::{
    connections::{self, Connection},
    error::{Error, Result},
    graph::OwnToken,
    inbox::Inbox,
    info::now,
    key::{Attachment, Entity, EntityKind, Gid},
    later::putting_off,
    local::{Delivery, deliveries},
    node::{EndpointName, Node},
    options::{PublisherOptions, all_backends},
    parcel::Parcel,
    qos::QosProfile,
    routes::{Router, Routes},
    sender::{BaseSender, Bytes},
    session::on_plain_thread,
    stats::{Fallback, PublicationStats},
};

type ErrorKind = (
    Discriminant<EncodeErrorKind>,
    Option<Discriminant<BackendError>>,
);

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
    _token: OwnToken,
    router: Router<M>,
    name: EndpointName,
    qos: QosProfile,
    sequence_number: Mutex<i64>,
    stats: Mutex<PublicationStats>,
    /// Messages that went as bytes and nothing else, which are not among `stats`.
    published_bytes: AtomicU64,
    said: Mutex<HashSet<ErrorKind>>,
    node: Node,
}

impl<M: Message> Publisher<M> {
    pub(crate) fn new(node: &Node, topic: &str, options: &PublisherOptions) -> Result<Self> {
        let qos = options.qos();
        let mut backends = BackendRegistry::new();
        let name = node.endpoint::<M>(topic, qos, Entity::Publisher, |registry, topic| {
            backends = options.chosen(registry, topic)?;
            Ok(all_backends(&backends))
        })?;
        let base = BaseSender::declare(node, &name, &qos)?;
        Ok(Self {
            _token: name.declare_token(node.context())?,
            router: Router::new(base, backends, options),
            name,
            qos,
            sequence_number: Mutex::new(0),
            stats: Mutex::default(),
            published_bytes: AtomicU64::new(0),
            said: Mutex::default(),
            node: node.clone(),
        })
    }

    /// Publishes a message to whoever is there; with `transient_local`, also to those who come later.
    ///
    /// A subscription of the same [`Context`](crate::Context) gets a clone of the message, and with it a share in its buffers, unless
    /// [told otherwise](PublisherOptions::use_intra_process); if there are no others, nothing is encoded. A subscription elsewhere
    /// gets a buffer in memory of a backend as a descriptor if it can take it, and as bytes if not: no message is lost because memory
    /// cannot be shared. [`Publisher::stats`] tells which way was taken, [`Publisher::connections`] which one will be.
    ///
    /// A program that fills and publishes one message again and again uses [`Buffer::make_mut`](rosidl_buffer_runtime::Buffer::make_mut),
    /// which copies only while somebody still reads what was published.
    ///
    /// # Errors
    /// When the message cannot be encoded, or the session is gone. Some subscriptions may have got it all the same: one that
    /// takes a descriptor needs no bytes, and what Zenoh refuses for one channel keeps nothing from the others.
    /// [`PublicationStats::refused`] counts those.
    pub fn publish(&self, message: &M) -> Result<()> {
        let routes = self.routes();
        if let Some(base) = routes.only_base(&self.router, M::HAS_ROS_BUFFERS) {
            return self.publish_bytes(base, message);
        }
        let (deliveries, uncopied) = deliveries(routes.inlets(), message);
        let uncopied = uncopied.map(|error| EncodeErrorKind::Buffer(error).into());
        let is_here = !deliveries.is_empty();
        let (error, mut refused) = putting_off(|| {
            let mut sending = Sending::new(self);
            sending.deliver(deliveries);
            let first = |parcels| sending.put(parcels);
            let out = routes.encode(&self.router, message, first);
            self.say(&out.backend_errors);
            sending.put(out.parcels);
            (out.error, sending.finish(&out.fallbacks))
        });
        if is_here && self.node.context().zenoh_session().is_closed() {
            refused.get_or_insert_with(|| "the Zenoh session is closed".into());
        }
        match (error.or(uncopied), refused) {
            (Some(source), _) => Err(self.encode_error(source)),
            (None, Some(cause)) => Err(self.publish_error(cause)),
            (None, None) => Ok(()),
        }
    }

    /// As [`publish`](Self::publish) where everybody gets the same bytes under the topic's own key: most small messages are such,
    /// and there each allocation and lock is felt.
    fn publish_bytes(&self, base: &BaseSender, message: &M) -> Result<()> {
        let bytes = Bytes::encode(message).map_err(|source| self.encode_error(source))?;
        let sent = putting_off(|| {
            let mut number = lock(&self.sequence_number);
            let attachment = self.next_attachment(&mut number);
            base.put(bytes, &attachment)
        });
        if let Err(cause) = sent {
            lock(&self.stats).refused += 1;
            return Err(self.publish_error(cause));
        }
        self.published_bytes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// What comes beside the next message, on all ways.
    fn next_attachment(&self, number: &mut i64) -> Attachment {
        *number += 1;
        Attachment {
            sequence_number: *number,
            source_timestamp: now(),
            gid: self.name.gid,
        }
    }

    fn encode_error(&self, source: EncodeError) -> Error {
        Error::Encode {
            topic: self.name.key.topic.clone(),
            source,
        }
    }

    fn publish_error(&self, cause: zenoh::Error) -> Error {
        Error::Publish {
            topic: self.name.key.topic.clone(),
            cause,
        }
    }

    /// Says what backends answered, each kind of error once.
    fn say(&self, errors: &[EncodeError]) {
        for error in errors {
            let text = error.to_string();
            let new = {
                let mut said = lock(&self.said);
                said.insert(kind(error))
            };
            if new {
                let topic = &self.name.key.topic;
                tracing::warn!("{topic}: sent as bytes: {text} (this kind of error is said once)");
            }
            lock(&self.stats).last_backend_error = Some(text);
        }
    }

    fn routes(&self) -> Arc<Routes<M>> {
        self.router.routes(&self.node, &self.name, &self.qos)
    }

    /// Host memory of the first backend that a subscription takes from here, or that was asked for.
    pub(crate) fn allocate_host(&self, len: usize) -> Option<Box<dyn HostWrite>> {
        if !M::HAS_ROS_BUFFERS {
            return None;
        }
        let (routes, backends) = (self.routes(), self.router.backends());
        let mut names = backends.names();
        names.find_map(|name| {
            let is_wanted = self.router.is_restricted() || routes.is_taken(name, &self.router);
            let allocated = is_wanted
                .then(|| backends.allocate_host(name, len))
                .flatten()?;
            let logged = allocated.inspect_err(|error| {
                tracing::debug!("{}: no loan: {error}", self.name.key.topic);
            });
            logged.ok()
        })
    }

    /// Whether somebody who is there takes memory of `backend` from here as it is, or it was asked for.
    pub(crate) fn is_taken(&self, backend: &str) -> bool {
        if !M::HAS_ROS_BUFFERS || !self.router.backends().contains(backend) {
            return false;
        }
        let routes = self.routes();
        self.router.is_restricted()
            || routes.is_taken(backend, &self.router)
            || routes.inlets().iter().any(|inlet| inlet.takes(backend))
    }

    /// What was counted since the publisher was created.
    pub fn stats(&self) -> PublicationStats {
        let mut stats = lock(&self.stats).clone();
        stats.published += self.published_bytes.load(Ordering::Relaxed);
        stats
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

    /// The subscriptions that are there, and how the next message would go to each.
    pub fn connections(&self) -> Vec<Connection> {
        connections::to_subscriptions(&self.node, &self.name, &self.router, &self.routes())
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
        self.wait_until(deadline, |routes| routes.is_matched(&self.router))
    }

    /// Waits until there is a subscription that would get a buffer in memory of `backend` as a descriptor, were a message
    /// published next.
    ///
    /// Returns whether there is one before `timeout` is over. Blocks the calling thread. Nobody needs to wait: until then
    /// the bytes are sent.
    pub fn wait_for_backend(&self, backend: &str, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let backends = self.router.backends();
        self.wait_until(deadline, |routes| routes.is_ready(backend, backends))
    }

    fn wait_until(
        &self,
        deadline: Option<Instant>,
        holds: impl Fn(&Routes<M>) -> bool + Sync,
    ) -> bool {
        on_plain_thread(|| {
            loop {
                if holds(&self.routes()) {
                    return true;
                }
                if self.node.context().zenoh_session().is_closed() {
                    return false;
                }
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return false;
                }
                std::thread::sleep(MATCHING_PERIOD);
            }
        })
    }
}

/// One message on its way, in one go or several.
struct Sending<'a, M> {
    publisher: &'a Publisher<M>,
    /// From the first go on, and held to the end: two threads must not overtake each other between number and network.
    number: Option<(MutexGuard<'a, i64>, Attachment)>,
    /// They may be the last ones to hold a queue, whose messages must not be dropped under that lock.
    inboxes: Vec<Arc<Inbox<M>>>,
    sent: PublicationStats,
    any: bool,
    any_bytes: bool,
    refusal: Option<zenoh::Error>,
}

impl<'a, M: Message> Sending<'a, M> {
    fn new(publisher: &'a Publisher<M>) -> Self {
        Self {
            publisher,
            number: None,
            inboxes: Vec::new(),
            sent: PublicationStats::default(),
            any: false,
            any_bytes: false,
            refusal: None,
        }
    }

    /// What comes beside the message, on all ways.
    fn attachment(&mut self) -> Attachment {
        let publisher = self.publisher;
        let taken = self.number.get_or_insert_with(|| {
            let mut number = lock(&publisher.sequence_number);
            let attachment = publisher.next_attachment(&mut number);
            (number, attachment)
        });
        taken.1
    }

    /// Hands it to subscriptions of the context: before Zenoh, by which some may get it again.
    fn deliver(&mut self, deliveries: Vec<Delivery<M>>) {
        for delivery in deliveries {
            let attachment = self.attachment();
            delivery.inbox.deliver(delivery.message, &attachment);
            self.any = true;
            self.sent.intra_process += 1;
            if delivery.is_copied {
                let reason = Fallback::NotAccepted;
                *self.sent.fallbacks.entry(reason).or_default() += 1;
            }
            self.inboxes.push(delivery.inbox);
        }
    }

    fn put(&mut self, parcels: Vec<Parcel<'_>>) {
        if parcels.is_empty() {
            return;
        }
        let attachment = self.attachment();
        let sent = &mut self.sent;
        for parcel in parcels {
            let is_bytes = parcel.is_bytes();
            match parcel.put(&attachment, |backend| sent.count_described(backend)) {
                Ok(()) => {
                    self.any = true;
                    self.any_bytes |= is_bytes;
                }
                Err(cause) => {
                    sent.refused += 1;
                    self.refusal.get_or_insert(cause);
                }
            }
        }
    }

    /// Counts what was sent; the first refusal, if there is one.
    fn finish(mut self, fallbacks: &[Fallback]) -> Option<zenoh::Error> {
        drop(self.number.take());
        self.sent.published = u64::from(self.any);
        let mut stats = lock(&self.publisher.stats);
        stats.add(self.sent);
        if self.any_bytes {
            for reason in fallbacks {
                *stats.fallbacks.entry(*reason).or_default() += 1;
            }
        }
        self.refusal
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

/// What kind of error it is, whatever numbers and names stand in its text.
fn kind(error: &EncodeError) -> ErrorKind {
    let cause = match error.kind() {
        EncodeErrorKind::Backend { cause, .. } => Some(discriminant(cause)),
        _ => None,
    };
    (discriminant(error.kind()), cause)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
