//! What happens to a publisher or subscription: who comes and goes, what does not suit, what got lost.
//!
//! Changes come in from the graph and from a subscription's queue; a reader takes the sum of each kind, so however slow it
//! is, nothing grows and nothing is forgotten. The kinds are those of `rmw_zenoh_cpp`. No callback of the user's runs on
//! Zenoh's threads.

mod pending;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::Message;

use self::pending::Pending;
use crate::{
    callback::CallbackSubscription,
    counts::LossWatch,
    error::{Error, Result},
    graph::{Watch, Watched},
    key::{EntityKind, dds_type_name},
    node::Node,
    publisher::Publisher,
    qos::{QosPolicy, QosProfile},
    queue::Wait,
    subscription::Subscription,
    wait_set::{Source, Waitable},
    wakers::wait_in,
};

/// Something that happened to a publisher or subscription, with all that happened of the kind since it was last taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Endpoints on the other side, with the same type, came or went.
    Matched(MatchedStatus),
    /// Endpoints came that offer less than is asked for, or ask for more than is offered. Messages pass all the same.
    IncompatibleQos(IncompatibleQosStatus),
    /// Endpoints came with another type or type hash. Nothing passes to or from them.
    IncompatibleType(CountStatus),
    /// Messages did not arrive, by the gaps in the publishers' sequence numbers. Publishers of `rmw_zenoh_cpp` leave gaps where
    /// nothing is lost: see [`SubscriptionStats::lost`](crate::SubscriptionStats::lost).
    MessageLost(CountStatus),
}

/// How many endpoints there are on the other side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MatchedStatus {
    /// Those that came, since the events were asked for; those that were there then included.
    pub total_count: u64,
    /// Those of them that came since this was last taken.
    pub total_count_change: u64,
    /// Those that are there.
    pub current_count: u64,
    /// How many more there are than when this was last taken.
    pub current_count_change: i64,
}

/// How many times something happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CountStatus {
    /// Since the events were asked for.
    pub total_count: u64,
    /// Since this was last taken.
    pub total_count_change: u64,
}

/// How many endpoints came whose quality of service does not suit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct IncompatibleQosStatus {
    /// Since the events were asked for.
    pub total_count: u64,
    /// Since this was last taken.
    pub total_count_change: u64,
    /// What did not suit with the last of them.
    pub last_policy: QosPolicy,
}

/// The events of one publisher or subscription, taken one by one. Several may be asked for; each gets all.
///
/// ```no_run
/// # use rosidl_buffer_runtime::Message;
/// use rosidl_buffer_zenoh::{Event, Publisher};
///
/// async fn report<M: Message>(publisher: &Publisher<M>) {
///     let events = publisher.events();
///     while let Ok(Event::Matched(status)) = events.recv_async().await {
///         println!("{} subscriptions", status.current_count);
///     }
/// }
/// ```
pub struct Events {
    pending: Arc<Pending>,
    _watch: Watch,
    _losses: Option<LossWatch>,
}

/// A function is called with each event as long as this is held and the session is open, on a thread of its own.
#[derive(Debug)]
pub struct EventCallback {
    pending: Arc<Pending>,
    worker: Option<JoinHandle<()>>,
}

impl Events {
    fn new<M: Message>(node: &Node, topic: &str, qos: QosProfile, kind: EntityKind) -> Self {
        let watched = Watched {
            kind,
            dds_type: dds_type_name(M::TYPE_NAME),
            type_hash: M::type_hash().to_string(),
            qos,
        };
        let pending = Arc::new(Pending::new(topic));
        let changed = Arc::clone(&pending);
        let graph = node.context().graph();
        let watch = graph.watch_changes(topic, watched, move |change| changed.change(change));
        Self {
            pending,
            _watch: watch,
            _losses: None,
        }
    }

    fn with_losses(self, watch: impl FnOnce(&LossWatch)) -> Self {
        let pending = Arc::clone(&self.pending);
        let losses: LossWatch = Arc::new(move |count| pending.lost(count));
        watch(&losses);
        Self {
            _losses: Some(losses),
            ..self
        }
    }

    /// Waits for the next event, but not longer than `timeout`; `None` when nothing happened.
    ///
    /// # Errors
    /// [`Error::Closed`] when the session under it is closed, and what happened before was taken.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<Event>> {
        let deadline = Instant::now().checked_add(timeout);
        self.pending
            .take(deadline.map_or(Wait::Forever, Wait::Until))
    }

    /// The next event, if there is one already.
    ///
    /// # Errors
    /// As for [`Events::recv_timeout`].
    pub fn try_recv(&self) -> Result<Option<Event>> {
        self.pending.take(Wait::No)
    }

    /// The next event, as a future for any executor. Dropping it loses nothing.
    ///
    /// # Errors
    /// As for [`Events::recv_timeout`].
    pub async fn recv_async(&self) -> Result<Event> {
        let pending = &*self.pending;
        wait_in(pending, |waiter, context| {
            pending.poll_take(waiter, context)
        })
        .await
    }

    /// Calls `callback` with each event from now on.
    ///
    /// # Errors
    /// When the thread cannot be started.
    fn call(
        self,
        topic: &str,
        mut callback: impl FnMut(Event) + Send + 'static,
    ) -> Result<EventCallback> {
        let pending = Arc::clone(&self.pending);
        let topic_of_thread = topic.to_owned();
        let work = move || {
            // All of it moves here, with what is held for its sake.
            let events = &self;
            while let Ok(Some(event)) = events.pending.take(Wait::Forever) {
                if catch_unwind(AssertUnwindSafe(|| callback(event))).is_err() {
                    tracing::error!(
                        "the callback for events of {topic_of_thread} panicked; the next event is taken"
                    );
                }
            }
        };
        let worker = std::thread::Builder::new()
            .name("ros_events".to_owned())
            .spawn(work);
        let worker = worker.map_err(|source| Error::Thread {
            topic: topic.to_owned(),
            source,
        })?;
        Ok(EventCallback {
            pending,
            worker: Some(worker),
        })
    }
}

/// Ready when something happened, and when the session is closed.
impl Waitable for Events {
    fn source(&self) -> Source {
        Source::new(&self.pending)
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Events").field(&self.pending).finish()
    }
}

impl Drop for EventCallback {
    fn drop(&mut self) {
        self.pending.close();
        if let Some(worker) = self.worker.take()
            // Dropped by its own callback: the thread ends by itself after this call.
            && worker.thread().id() != std::thread::current().id()
            && worker.join().is_err()
        {
            tracing::error!("a callback thread for events panicked");
        }
    }
}

impl<M: Message> Publisher<M> {
    /// What happens to this publisher from now on; the subscriptions that are there already come first.
    pub fn events(&self) -> Events {
        let kind = EntityKind::Publisher;
        Events::new::<M>(self.node(), self.topic_name(), self.qos(), kind)
    }

    /// Calls `callback` with each event, on a thread of its own, as long as the result is held.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn on_event(&self, callback: impl FnMut(Event) + Send + 'static) -> Result<EventCallback> {
        self.events().call(self.topic_name(), callback)
    }
}

impl<M: Message> Subscription<M> {
    /// What happens to this subscription from now on; the publishers that are there already come first.
    pub fn events(&self) -> Events {
        let kind = EntityKind::Subscription;
        Events::new::<M>(self.node(), self.topic_name(), self.qos(), kind)
            .with_losses(|watch| self.inbox().watch_losses(watch))
    }

    /// Calls `callback` with each event, on a thread of its own, as long as the result is held.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn on_event(&self, callback: impl FnMut(Event) + Send + 'static) -> Result<EventCallback> {
        self.events().call(self.topic_name(), callback)
    }
}

impl<M: Message> CallbackSubscription<M> {
    /// As [`Subscription::events`].
    pub fn events(&self) -> Events {
        self.subscription().events()
    }

    /// As [`Subscription::on_event`].
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn on_event(&self, callback: impl FnMut(Event) + Send + 'static) -> Result<EventCallback> {
        self.subscription().on_event(callback)
    }
}
