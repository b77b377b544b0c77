//! A subscription: samples come from Zenoh into a queue; a reader takes them, decoded when taken.
//!
//! Three ways to read: `recv` and its kin block, `recv_async` is a future for any executor, and a callback
//! runs on a thread of its own. Nothing of the user's runs on Zenoh's threads.

use std::{
    collections::HashSet,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rosidl_buffer_runtime::{Message, cdr};
use zenoh::{
    Wait as _,
    bytes::ZBytes,
    handlers::CallbackDrop,
    liveliness::LivelinessToken,
    sample::{Sample, SampleKind},
};
use zenoh_ext::{
    AdvancedSubscriber, AdvancedSubscriberBuilderExt as _, HistoryConfig, RecoveryConfig,
};

use crate::{
    error::{Error, Result},
    info::{MessageInfo, Received, SubscriptionStats},
    key::{Attachment, Entity, EntityKind, Gid},
    node::{EndpointName, Node},
    qos::{QosProfile, Reliability},
    queue::{Queue, Taken, Wait},
    session::on_plain_thread,
};

/// Different decode errors that are logged; after so many only the counter goes on.
const MAX_LOGGED_CAUSES: usize = 16;

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
    _receiver: Receiver,
    inbox: Arc<Inbox>,
    name: EndpointName,
    qos: QosProfile,
    node: Node,
    message: PhantomData<fn() -> M>,
}

impl<M: Message> Subscription<M> {
    pub(crate) fn new(node: &Node, topic: &str, qos: QosProfile) -> Result<Self> {
        let name = node.endpoint::<M>(topic, qos, Entity::Subscription)?;
        let inbox = Arc::new(Inbox::new(&name.key.topic, qos.depth()));
        let receiver = Receiver::declare(node, &name, &qos, &inbox)?;
        Ok(Self {
            _token: name.declare_token(node.context())?,
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
        std::future::poll_fn(|context| {
            loop {
                match self.inbox.queue.poll_take(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(taken) => match self.inbox.decode(taken) {
                        Ok(Some(received)) => return Poll::Ready(Ok(received)),
                        Ok(None) => {}
                        Err(error) => return Poll::Ready(Err(error)),
                    },
                }
            }
        })
        .await
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
                        inbox.topic
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

/// Between Zenoh's threads and the readers.
struct Inbox {
    topic: String,
    queue: Queue<RawSample>,
    counts: Mutex<Counts>,
}

struct RawSample {
    payload: ZBytes,
    info: MessageInfo,
}

#[derive(Default)]
struct Counts {
    stats: SubscriptionStats,
    logged: HashSet<String>,
    logged_attachment: bool,
}

impl Inbox {
    fn new(topic: &str, depth: Option<usize>) -> Self {
        Self {
            topic: topic.to_owned(),
            queue: Queue::new(depth),
            counts: Mutex::default(),
        }
    }

    /// From Zenoh's thread.
    fn push(&self, sample: &Sample) {
        if sample.kind() != SampleKind::Put {
            return;
        }
        let attachment = sample
            .attachment()
            .map(ZBytes::to_bytes)
            .unwrap_or_default();
        let attachment = Attachment::from_bytes(&attachment);
        let info = MessageInfo::new(attachment.as_ref().ok());
        let mut counts = self.counts();
        counts.stats.count(&info);
        if let Err(error) = attachment
            && !std::mem::replace(&mut counts.logged_attachment, true)
        {
            tracing::warn!(
                "{}: delivered without its source: {error} (said once)",
                self.topic
            );
        }
        drop(counts);
        self.queue.push(RawSample {
            payload: sample.payload().clone(),
            info,
        });
    }

    /// The next message; `None` when nothing came in time.
    fn take<M: Message>(&self, wait: Wait) -> Result<Option<Received<M>>> {
        loop {
            let taken = self.queue.take(wait);
            let nothing = matches!(taken, Taken::Nothing);
            match self.decode(taken)? {
                None if !nothing => {}
                received => return Ok(received),
            }
        }
    }

    /// `None` when there was nothing or it could not be decoded.
    fn decode<M: Message>(&self, taken: Taken<RawSample>) -> Result<Option<Received<M>>> {
        let RawSample { payload, info } = match taken {
            Taken::Item(sample) => sample,
            Taken::Nothing => return Ok(None),
            Taken::Closed => {
                return Err(Error::Closed {
                    topic: self.topic.clone(),
                });
            }
        };
        match cdr::decode_payload(contiguous(payload)) {
            Ok(message) => Ok(Some(Received { message, info })),
            Err(error) => {
                self.count_undecodable(&error.to_string(), &info);
                Ok(None)
            }
        }
    }

    fn count_undecodable(&self, error: &str, info: &MessageInfo) {
        let mut counts = self.counts();
        counts.stats.undecodable += 1;
        counts.stats.last_decode_error = Some(error.to_owned());
        if counts.logged.len() < MAX_LOGGED_CAUSES && counts.logged.insert(error.to_owned()) {
            let from = info
                .publisher_gid
                .map_or("unknown".to_owned(), |gid| gid.to_string());
            tracing::warn!(
                "{}: a sample of publisher {from} was left out: {error} (said once)",
                self.topic
            );
        }
    }

    fn stats(&self) -> SubscriptionStats {
        SubscriptionStats {
            dropped: self.queue.dropped(),
            ..self.counts().stats.clone()
        }
    }

    /// No more samples; what waits in the queue goes unread.
    fn stop(&self) {
        self.queue.close();
        while let Taken::Item(_) = self.queue.take(Wait::No) {}
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The payload as one piece: Zenoh's own memory when it is one already, else copied once.
fn contiguous(payload: ZBytes) -> Bytes {
    struct Owner(ZBytes);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            self.0.slices().next().unwrap_or_default()
        }
    }
    if payload.slices().count() > 1 {
        return Bytes::from(payload.to_bytes().into_owned());
    }
    Bytes::from_owner(Owner(payload))
}

/// Volatile subscriptions need nothing of an advanced one, and look the same to everybody else.
enum Receiver {
    Plain(#[expect(dead_code, reason = "held to be dropped")] zenoh::pubsub::Subscriber<()>),
    /// `None` only while it is dropped.
    Advanced(Option<Box<AdvancedSubscriber<()>>>),
}

impl Receiver {
    fn declare(
        node: &Node,
        name: &EndpointName,
        qos: &QosProfile,
        inbox: &Arc<Inbox>,
    ) -> Result<Self> {
        let (arrived, ended) = (Arc::clone(inbox), Arc::clone(inbox));
        let callback = CallbackDrop {
            callback: move |sample: Sample| arrived.push(&sample),
            drop: move || ended.queue.close(),
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
