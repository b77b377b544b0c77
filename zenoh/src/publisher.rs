//! A publisher: hands a message to the subscriptions of its context as it is, and to Zenoh with sequence number, time and GID
//! beside it, serialised once for all who take bytes, and once for each who takes descriptors of memory instead.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::{BackendRegistry, EncodeError, EncodeErrorKind, HostWrite, Message};

use crate::{
    connections::{self, Connection},
    error::{Error, Result},
    graph::OwnToken,
    info::now,
    key::{Attachment, Entity, EntityKind, Gid},
    lane::{Lane, Reader},
    later::{later, putting_off},
    ledger::{Late, Ledger},
    local::deliveries,
    node::{EndpointName, Node},
    options::{PublisherOptions, all_backends},
    parcel::Parcel,
    qos::QosProfile,
    routes::{Router, Routes},
    sender::{BaseSender, Bytes},
    sending::{Rest, Sending},
    stats::PublicationStats,
};

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
    // In the order in which they go: what waits is sent, nobody sees the publisher, then it stops, then its node may go.
    /// For what is left of messages in device memory; there from the first one on of which something is left.
    lane: OnceLock<Lane>,
    _token: OwnToken,
    router: Arc<Router<M>>,
    name: EndpointName,
    qos: QosProfile,
    sequence_number: Mutex<i64>,
    ledger: Arc<Ledger>,
    /// Messages that went as bytes and nothing else, which are not in the ledger.
    published_bytes: AtomicU64,
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
            lane: OnceLock::new(),
            _token: name.declare_token(node.context())?,
            router: Arc::new(Router::new(base, backends, options)),
            ledger: Arc::new(Ledger::new(&name.key.topic)),
            name,
            qos,
            sequence_number: Mutex::new(0),
            published_bytes: AtomicU64::new(0),
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
    /// # Memory of a device
    /// Bytes that the host cannot read, such as those of a GPU, are copied for the subscriptions that want them there. If others take
    /// them as they are, those have the message when this returns, and the copy is made and sent by a thread of the publisher,
    /// which holds the message until then: one slow reader on the host holds nobody else up. As many messages wait for it
    /// as the history keeps. One more than that drops the oldest, for those readers alone, who see a loss, and counts it
    /// ([`PublicationStats::dropped`]), also if the publisher is reliable; with `keep_all`, after ten, `publish` waits for room.
    ///
    /// Each subscription gets its messages in order. So `publish` waits for that thread to be done with what waits before
    /// it sends a message that is not such a one, or that a subscription would have as it is whose earlier ones wait: a camera
    /// that comes upon a new reader, or a message in host memory, may wait a moment. Without a subscription that takes the memory as it is,
    /// the copy is made here, as everybody waits for it.
    ///
    /// What is dropped or woken on the way, such as the owner of the memory that a message held last, or the waker of a future, runs on
    /// the publishing thread or on that one. So no lock that these take is to be held while publishing. What they publish in turn on the
    /// publisher's thread never waits: it comes behind what waits there, and is an error when more than a hundred messages do.
    ///
    /// When the publisher is dropped, what waits is sent first, for eight seconds at most; what is left then is given up, and logged.
    ///
    /// # Errors
    /// When the message cannot be encoded, or the session is gone. Some subscriptions may have got it all the same: one that
    /// takes a descriptor needs no bytes, and what Zenoh refuses for one channel keeps nothing from the others.
    /// [`PublicationStats::refused`] counts those. [`Error::Earlier`] tells that of an earlier message the copy failed
    /// ([`PublicationStats::failed`]), after it had gone to those who need none.
    pub fn publish(&self, message: &M) -> Result<()> {
        if let Some(base) = self.router.only_base(&self.node) {
            return self.publish_bytes(base, message);
        }
        // Not what becomes of this message meanwhile.
        let earlier = self.ledger.take_earlier();
        let sent = putting_off(|| self.send(message));
        let mut refusal = sent.refusal;
        if sent.is_here && self.node.context().zenoh_session().is_closed() {
            refusal.get_or_insert_with(|| "the Zenoh session is closed".into());
        }
        let error = match (sent.error, refusal) {
            (Some(source), _) => self.encode_error(source),
            (None, Some(cause)) => self.publish_error(cause),
            (None, None) => return earlier.map_or(Ok(()), Err),
        };
        if let Some(earlier) = earlier {
            self.ledger.keep(earlier);
        }
        Err(error)
    }

    /// Those who take device memory as it is have it when this returns, all others as well unless it goes to the lane.
    fn send(&self, message: &M) -> Sent {
        loop {
            let routes = self.routes();
            let (direct, parcels) = routes.direct(&self.router, message);
            if let Some(lane) = self.lane.get()
                && !lane.admits(&direct)
            {
                // No descriptor grows old meanwhile, and other readers may be there afterwards.
                drop(parcels);
                if lane.wait(&direct) {
                    continue;
                }
                return self.send_behind(lane, &routes, message);
            }
            let sent = if direct.is_empty() {
                self.send_whole(&routes, message)
            } else {
                self.send_split(&routes, message, (direct, parcels))
            };
            // Else another thread was faster.
            if let Some(sent) = sent {
                return sent;
            }
        }
    }

    /// The right to send a message, of which `direct` get something at once; `None` when the lane does not admit it any more.
    /// Held to the end: two threads must not overtake each other between number and network.
    fn turn(&self, direct: &[Reader]) -> Option<MutexGuard<'_, i64>> {
        let number = lock(&self.sequence_number);
        let is_admitted = self.lane.get().is_none_or(|lane| lane.admits(direct));
        is_admitted.then_some(number)
    }

    /// To everybody, now.
    fn send_whole(&self, routes: &Routes<M>, message: &M) -> Option<Sent> {
        let mut sending = Sending::new(&self.ledger, false);
        let (deliveries, uncopied) = deliveries(routes.inlets_but(&[]), message);
        let is_here = !deliveries.is_empty();
        let encode = || routes.encode(&self.router, message, &[]);
        // Those who are here do not wait for it.
        let early = (!is_here).then(encode);
        let mut number = self.turn(&[])?;
        // A message that goes nowhere has none.
        let mut attachment = None;
        if is_here {
            let attachment = attachment.get_or_insert_with(|| self.next_attachment(&mut number));
            sending.deliver(deliveries, attachment);
        }
        let out = early.unwrap_or_else(encode);
        self.ledger.say(&out.backend_errors);
        if !out.parcels.is_empty() {
            let attachment = attachment.get_or_insert_with(|| self.next_attachment(&mut number));
            sending.put(out.parcels, &out.fallbacks, attachment);
        }
        drop(number);
        Some(Sent {
            error: out
                .error
                .or(uncopied.map(|error| EncodeErrorKind::Buffer(error).into())),
            is_here,
            refusal: sending.finish(),
        })
    }

    /// To those who take its memory as it is; the rest is left to the lane.
    fn send_split(
        &self,
        routes: &Arc<Routes<M>>,
        message: &M,
        (direct, parcels): (Vec<Reader>, Vec<Parcel<'_>>),
    ) -> Option<Sent> {
        let mut sending = Sending::new(&self.ledger, false);
        let here = routes.inlets_but(&[]);
        let here = here.filter(|inlet| direct.contains(&inlet.reader()));
        // Nothing is copied for these.
        let (deliveries, _) = deliveries(here, message);
        let is_here = !deliveries.is_empty();
        let mut number = self.turn(&direct)?;
        let attachment = self.next_attachment(&mut number);
        sending.deliver(deliveries, &attachment);
        sending.put(parcels, &[], &attachment);
        if routes.has_others(&self.router, &direct) {
            let had = (direct, sending.is_counted());
            self.leave(self.rest(routes, message, attachment, had));
        }
        drop(number);
        Some(Sent {
            error: None,
            is_here,
            refusal: sending.finish(),
        })
    }

    /// To everybody, by the lane: for a message that the thread of a lane publishes, which must not wait for what comes before it.
    fn send_behind(&self, lane: &Lane, routes: &Arc<Routes<M>>, message: &M) -> Sent {
        let mut number = lock(&self.sequence_number);
        if !lane.has_room_behind() {
            drop(number);
            self.ledger.stats().refused += 1;
            return Sent {
                refusal: Some(
                    "it was published by the thread that copies for a publisher, in the drop of a message or in a waker, \
                     and too many such messages wait already; publish from a thread of your own"
                        .into(),
                ),
                ..Sent::default()
            };
        }
        let attachment = self.next_attachment(&mut number);
        self.leave(self.rest(routes, message, attachment, (Vec::new(), false)));
        Sent::default()
    }

    fn rest(
        &self,
        routes: &Arc<Routes<M>>,
        message: &M,
        attachment: Attachment,
        (had, is_counted): (Vec<Reader>, bool),
    ) -> Rest<M> {
        Rest {
            message: message.clone(),
            attachment,
            routes: Arc::clone(routes),
            router: Arc::clone(&self.router),
            ledger: Arc::clone(&self.ledger),
            had,
            is_counted,
        }
    }

    /// Leaves the rest of a message to the lane; called in the order of their numbers, under their lock. Without a thread for the
    /// lane it is sent here: under that lock, as the next message must not overtake it.
    fn leave(&self, rest: Rest<M>) {
        let lane = match self.lane.get().map_or_else(|| self.start_lane(), Ok) {
            Ok(lane) => lane,
            Err(error) => {
                self.ledger.say_no_lane(&error);
                return rest.send();
            }
        };
        let had = rest.had.clone();
        if let Some(dropped) = lane.push(had, Box::new(move || rest.send())) {
            self.ledger.stats().dropped += 1;
            later(move || drop(dropped));
        }
    }

    fn start_lane(&self) -> std::io::Result<&Lane> {
        let ledger = Arc::clone(&self.ledger);
        let on_panic = move || ledger.late(Late::Panicked);
        let lane = Lane::start(self.topic_name(), &self.qos, on_panic)?;
        Ok(self.lane.get_or_init(|| lane))
    }

    /// As [`publish`](Self::publish) where everybody gets the same bytes under the topic's own key: most small messages are such,
    /// and there each allocation and lock is felt.
    fn publish_bytes(&self, base: &BaseSender, message: &M) -> Result<()> {
        let bytes = Bytes::encode(message).map_err(|source| self.encode_error(source))?;
        let sent = putting_off(|| {
            let mut number = lock(&self.sequence_number);
            let attachment = self.next_attachment(&mut number);
            // Before anybody can have it. Nobody else counts while the number is locked, so this need not be one step, which costs more.
            let published = self.published_bytes.load(Ordering::Relaxed);
            self.published_bytes.store(published + 1, Ordering::Relaxed);
            let put = base.put(bytes, &attachment);
            if put.is_err() {
                self.published_bytes.store(published, Ordering::Relaxed);
            }
            put
        });
        if let Err(cause) = sent {
            self.ledger.stats().refused += 1;
            return Err(self.publish_error(cause));
        }
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
            || routes
                .inlets_but(&[])
                .any(|inlet| inlet.takes_memory_of(backend))
    }

    /// What was counted since the publisher was created.
    pub fn stats(&self) -> PublicationStats {
        let mut stats = self.ledger.stats().clone();
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
        let context = self.node.context();
        context.wait_until(deadline, || holds(&self.routes()))
    }
}

/// What became of one message.
#[derive(Default)]
struct Sent {
    error: Option<EncodeError>,
    refusal: Option<zenoh::Error>,
    /// Whether subscriptions of the context have it.
    is_here: bool,
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
