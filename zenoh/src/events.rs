//! What happens to a publisher or subscription: who comes and goes, what does not suit, what got lost.
//!
//! Changes come in from the graph and from a subscription's queue; a reader takes the sum of each kind, so however slow it
//! is, nothing grows and nothing is forgotten. The kinds are those of `rmw_zenoh_cpp`. No callback of the user's runs on
//! Zenoh's threads.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::Message;

use crate::{
    callback::CallbackSubscription,
    counts::LossWatch,
    error::{Error, Result},
    graph::{Change, Watch, Watched},
    key::{EntityKind, dds_type_name},
    node::Node,
    publisher::Publisher,
    qos::{QosPolicy, QosProfile},
    queue::{Queue, Taken, Wait},
    subscription::Subscription,
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
///     while let Event::Matched(status) = events.recv_async().await {
///         println!("{} subscriptions", status.current_count);
///     }
/// }
/// ```
pub struct Events {
    pending: Arc<Pending>,
    _watch: Watch,
    _losses: Option<LossWatch>,
}

/// A function is called with each event as long as this is held, on a thread of its own.
#[derive(Debug)]
pub struct EventCallback {
    pending: Arc<Pending>,
    worker: Option<JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Matched,
    Qos,
    Type,
    Lost,
}

/// What was not taken yet.
struct Pending {
    /// Each kind at most once.
    kinds: Queue<Kind>,
    sums: Mutex<Sums>,
}

#[derive(Default)]
struct Sums {
    waiting: Vec<Kind>,
    matched: CountStatus,
    /// Less than none when one is told to be gone before it is told to be there.
    current: i64,
    /// What was told of it last.
    told: i64,
    qos: CountStatus,
    last_policy: Option<QosPolicy>,
    kind: CountStatus,
    lost: CountStatus,
}

impl CountStatus {
    fn add(&mut self, count: u64) {
        self.total_count = self.total_count.saturating_add(count);
        self.total_count_change = self.total_count_change.saturating_add(count);
    }

    fn take(&mut self) -> Self {
        let taken = *self;
        self.total_count_change = 0;
        taken
    }
}

impl Pending {
    fn new() -> Self {
        Self {
            kinds: Queue::new(None),
            sums: Mutex::default(),
        }
    }

    fn change(&self, change: Change) {
        let kind = match change {
            Change::Matched { .. } => Kind::Matched,
            Change::IncompatibleQos(_) => Kind::Qos,
            Change::IncompatibleType => Kind::Type,
        };
        self.add(kind, |sums| match change {
            Change::Matched { came: true } => {
                sums.matched.add(1);
                sums.current += 1;
            }
            Change::Matched { came: false } => sums.current -= 1,
            Change::IncompatibleQos(policy) => {
                sums.qos.add(1);
                sums.last_policy = Some(policy);
            }
            Change::IncompatibleType => sums.kind.add(1),
        });
    }

    fn lost(&self, count: u64) {
        self.add(Kind::Lost, |sums| sums.lost.add(count));
    }

    fn add(&self, kind: Kind, add: impl FnOnce(&mut Sums)) {
        let mut sums = self.sums();
        add(&mut sums);
        let new = !sums.waiting.contains(&kind);
        if new {
            sums.waiting.push(kind);
        }
        drop(sums);
        if new {
            self.kinds.push(kind);
        }
    }

    /// `None` when there was nothing in time, or nothing will come any more.
    fn take(&self, wait: Wait) -> Option<Event> {
        loop {
            match self.kinds.take(wait) {
                Taken::Item(kind) => {
                    if let Some(event) = self.event(kind) {
                        return Some(event);
                    }
                }
                Taken::Nothing | Taken::Closed => return None,
            }
        }
    }

    /// The sum of a kind. `None` only if nothing of the kind ever happened.
    fn event(&self, kind: Kind) -> Option<Event> {
        let mut sums = self.sums();
        sums.waiting.retain(|waiting| *waiting != kind);
        Some(match kind {
            Kind::Matched => {
                let count = sums.matched.take();
                let current = sums.current.max(0);
                let before = std::mem::replace(&mut sums.told, current);
                Event::Matched(MatchedStatus {
                    total_count: count.total_count,
                    total_count_change: count.total_count_change,
                    current_count: current.unsigned_abs(),
                    current_count_change: current - before,
                })
            }
            Kind::Qos => {
                let count = sums.qos.take();
                Event::IncompatibleQos(IncompatibleQosStatus {
                    total_count: count.total_count,
                    total_count_change: count.total_count_change,
                    last_policy: sums.last_policy?,
                })
            }
            Kind::Type => Event::IncompatibleType(sums.kind.take()),
            Kind::Lost => Event::MessageLost(sums.lost.take()),
        })
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pending")
            .field(&self.sums().waiting)
            .finish()
    }
}

impl Events {
    fn new<M: Message>(node: &Node, topic: &str, qos: QosProfile, kind: EntityKind) -> Self {
        let watched = Watched {
            kind,
            dds_type: dds_type_name(M::TYPE_NAME),
            type_hash: M::type_hash().to_string(),
            qos,
        };
        let pending = Arc::new(Pending::new());
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

    /// Waits for the next event, but not longer than `timeout`.
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Event> {
        let deadline = Instant::now().checked_add(timeout);
        self.pending
            .take(deadline.map_or(Wait::Forever, Wait::Until))
    }

    /// The next event, if there is one already.
    pub fn try_recv(&self) -> Option<Event> {
        self.pending.take(Wait::No)
    }

    /// The next event, as a future for any executor. Dropping it loses nothing.
    ///
    /// There is no event for the end of the session: after it, this waits until it is dropped.
    pub async fn recv_async(&self) -> Event {
        poll_fn(|context| {
            loop {
                match self.pending.kinds.poll_take(context) {
                    Poll::Ready(Taken::Item(kind)) => {
                        if let Some(event) = self.pending.event(kind) {
                            return Poll::Ready(event);
                        }
                    }
                    Poll::Ready(Taken::Nothing | Taken::Closed) | Poll::Pending => {
                        return Poll::Pending;
                    }
                }
            }
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
            while let Some(event) = events.pending.take(Wait::Forever) {
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

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Events").field(&self.pending).finish()
    }
}

impl Drop for EventCallback {
    fn drop(&mut self) {
        self.pending.kinds.close();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_gets_sums() {
        let pending = Pending::new();
        assert_eq!(pending.take(Wait::No), None);
        for came in [true, true, false, true] {
            pending.change(Change::Matched { came });
        }
        pending.change(Change::IncompatibleQos(QosPolicy::Deadline));
        pending.change(Change::IncompatibleQos(QosPolicy::Durability));
        pending.change(Change::IncompatibleType);
        pending.lost(3);
        pending.lost(u64::MAX);
        let matched = |total_count, total_count_change, current_count, current_count_change| {
            Event::Matched(MatchedStatus {
                total_count,
                total_count_change,
                current_count,
                current_count_change,
            })
        };
        assert_eq!(pending.take(Wait::No), Some(matched(3, 3, 2, 2)));
        let Some(Event::IncompatibleQos(status)) = pending.take(Wait::No) else {
            panic!("another event is expected");
        };
        assert_eq!((status.total_count, status.total_count_change), (2, 2));
        assert_eq!(status.last_policy, QosPolicy::Durability);
        let count = |total_count, total_count_change| CountStatus {
            total_count,
            total_count_change,
        };
        assert_eq!(
            pending.take(Wait::No),
            Some(Event::IncompatibleType(count(1, 1)))
        );
        let all = u64::MAX;
        assert_eq!(
            pending.take(Wait::No),
            Some(Event::MessageLost(count(all, all)))
        );
        assert_eq!(pending.take(Wait::No), None);
        pending.change(Change::Matched { came: false });
        assert_eq!(pending.take(Wait::No), Some(matched(3, 0, 1, -1)));
    }

    #[test]
    fn who_is_gone_before_it_is_told_to_be_there_is_not_there() {
        for taken_between in [false, true] {
            let pending = Pending::new();
            pending.change(Change::Matched { came: false });
            if taken_between {
                let Some(Event::Matched(status)) = pending.take(Wait::No) else {
                    panic!("something changed");
                };
                assert_eq!(status, MatchedStatus::default());
            }
            pending.change(Change::Matched { came: true });
            let Some(Event::Matched(status)) = pending.take(Wait::No) else {
                panic!("something changed");
            };
            assert_eq!((status.total_count, status.total_count_change), (1, 1));
            assert_eq!((status.current_count, status.current_count_change), (0, 0));
        }
    }
}
