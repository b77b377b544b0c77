//! Waiting for several subscriptions, services and events at a time.
//!
//! In: what may become ready. Out: which of it is. Nothing is taken here: who is told takes it with `try_recv`. A task that
//! waits without a thread uses `recv_async` instead.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use crate::wakers::{WaitPlace, Waiter, Wakers};

/// What a [`WaitSet`] waits for: subscriptions, services that are polled, events, and guard conditions.
pub trait Waitable {
    #[doc(hidden)]
    fn source(&self) -> Source;
}

/// What becomes ready, for as long as it is there.
#[doc(hidden)]
pub struct Source(Weak<dyn Ready>);

impl Source {
    pub(crate) fn new(ready: &Arc<impl Ready + 'static>) -> Self {
        let ready = Arc::downgrade(ready);
        Self(ready)
    }
}

/// Something that becomes ready.
pub(crate) trait Ready: WaitPlace + Send + Sync {
    /// Whether it is; if not, the waker is woken when it may be.
    fn poll_ready(&self, waiter: Waiter, context: &mut Context<'_>) -> Poll<()>;
}

/// Several subscriptions, services, events and guard conditions, any of which ends a wait.
///
/// ```no_run
/// # use rosidl_buffer_runtime::BufferMessage;
/// use std::time::Duration;
/// use rosidl_buffer_zenoh::{Node, QosProfile, WaitSet};
///
/// #[derive(Debug, Clone, PartialEq, BufferMessage)]
/// #[ros2(package = "std_msgs", name = "String")]
/// struct Text {
///     data: String,
/// }
///
/// let node = Node::new("listener")?;
/// let left = node.create_subscription::<Text>("left", QosProfile::default())?;
/// let right = node.create_subscription::<Text>("right", QosProfile::default())?;
/// let mut set = WaitSet::new();
/// let (key, _) = (set.add(&left), set.add(&right));
/// loop {
///     for ready in set.wait(Duration::from_secs(1)) {
///         let subscription = if ready == key { &left } else { &right };
///         while let Some(received) = subscription.try_recv()? {
///             println!("{}: {}", subscription.topic_name(), received.message.data);
///         }
///     }
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
#[derive(Default)]
pub struct WaitSet {
    sources: Vec<(WaitKey, Source)>,
    next: u64,
    waiter: Waiter,
    signal: Arc<Signal>,
}

/// One member of a [`WaitSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaitKey(u64);

impl WaitSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds something to wait for. The set does not keep it: once dropped, it is never ready.
    pub fn add(&mut self, waitable: &impl Waitable) -> WaitKey {
        let key = WaitKey(self.next);
        self.next += 1;
        self.sources.push((key, waitable.source()));
        key
    }

    /// Takes something out; false if it was not there.
    pub fn remove(&mut self, key: WaitKey) -> bool {
        let Some(at) = self.sources.iter().position(|(known, _)| *known == key) else {
            return false;
        };
        let (_, source) = self.sources.remove(at);
        if let Some(source) = source.0.upgrade() {
            source.forget(self.waiter);
        }
        true
    }

    /// Waits until something is ready, but not longer than `timeout`. Returns what is, in the order in which it was added; nothing
    /// when the time is over. Blocks the calling thread.
    ///
    /// A subscription is ready when a message waits, a service when a request does, events when something happened, and all of them
    /// when their session is closed. What waits may still turn out to be undecodable, so that `try_recv` gives nothing.
    pub fn wait(&mut self, timeout: Duration) -> Vec<WaitKey> {
        let deadline = Instant::now().checked_add(timeout);
        let waker = Waker::from(Arc::clone(&self.signal));
        let mut context = Context::from_waker(&waker);
        loop {
            // Before the look: what comes after it is noticed.
            self.signal.reset();
            let is_ready = |source: &Source| {
                let source = source.0.upgrade();
                source.is_some_and(|source| source.poll_ready(self.waiter, &mut context).is_ready())
            };
            let ready = ready_ones(&self.sources, is_ready);
            if !ready.is_empty() || !self.signal.wait(deadline) {
                return ready;
            }
        }
    }
}

impl Drop for WaitSet {
    /// Sources on which nothing happens would keep a waker of each set there ever was.
    fn drop(&mut self) {
        for source in self
            .sources
            .iter()
            .filter_map(|(_, source)| source.0.upgrade())
        {
            source.forget(self.waiter);
        }
    }
}

fn ready_ones(
    sources: &[(WaitKey, Source)],
    mut is_ready: impl FnMut(&Source) -> bool,
) -> Vec<WaitKey> {
    let ready = sources.iter().filter(|(_, source)| is_ready(source));
    ready.map(|(key, _)| *key).collect()
}

impl std::fmt::Debug for WaitSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = self.sources.iter().map(|(key, _)| key);
        f.debug_set().entries(keys).finish()
    }
}

/// Ends a wait from another thread.
///
/// Triggered any number of times before a wait, it is reported by one wait, once. Clones are the same condition.
#[derive(Debug, Clone, Default)]
pub struct GuardCondition(Arc<Guard>);

impl GuardCondition {
    /// One that is not triggered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the wait of a [`WaitSet`] that has it, or the next one.
    pub fn trigger(&self) {
        let mut guard = self.0.lock();
        guard.is_triggered = true;
        let wakers = std::mem::take(&mut guard.wakers);
        drop(guard);
        wakers.wake();
    }
}

impl Waitable for GuardCondition {
    fn source(&self) -> Source {
        Source::new(&self.0)
    }
}

#[derive(Debug, Default)]
struct Guard(Mutex<Condition>);

#[derive(Debug, Default)]
struct Condition {
    is_triggered: bool,
    wakers: Wakers,
}

impl Guard {
    fn lock(&self) -> MutexGuard<'_, Condition> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitPlace for Guard {
    fn forget(&self, waiter: Waiter) {
        let gone = self.lock().wakers.remove(waiter);
        drop(gone);
    }
}

impl Ready for Guard {
    fn poll_ready(&self, waiter: Waiter, context: &mut Context<'_>) -> Poll<()> {
        let mut guard = self.lock();
        if std::mem::take(&mut guard.is_triggered) {
            return Poll::Ready(());
        }
        let replaced = guard.wakers.add(waiter, context.waker());
        drop(guard);
        drop(replaced);
        Poll::Pending
    }
}

/// Wakes the thread of a wait.
#[derive(Default)]
struct Signal {
    is_woken: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    fn reset(&self) {
        *self.lock() = false;
    }

    /// Until somebody wakes; false when the time is over first.
    fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut is_woken = self.lock();
        while !*is_woken {
            let left = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => Duration::MAX,
            };
            if left.is_zero() {
                return false;
            }
            let waited = self.changed.wait_timeout(is_woken, left);
            is_woken = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_woken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.lock() = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_condition_is_reported_once_and_ends_a_wait() {
        let (one, two) = (GuardCondition::new(), GuardCondition::new());
        let mut set = WaitSet::new();
        let keys = [set.add(&one), set.add(&two)];
        assert_eq!(set.wait(Duration::ZERO), []);
        two.trigger();
        two.clone().trigger();
        assert_eq!(set.wait(Duration::MAX), [keys[1]]);
        assert_eq!(set.wait(Duration::from_millis(1)), []);
        let mut soon = || set.wait(Duration::from_secs(30));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(&mut soon);
            one.trigger();
            assert_eq!(waiting.join().unwrap(), [keys[0]]);
        });
        one.trigger();
        two.trigger();
        assert_eq!(set.wait(Duration::ZERO), keys);
        assert!(set.remove(keys[0]) && !set.remove(keys[0]));
        one.trigger();
        assert_eq!(set.wait(Duration::ZERO), []);
        drop(two);
        assert_eq!(set.wait(Duration::ZERO), []);
    }

    #[test]
    fn sets_that_are_gone_leave_nothing_behind() {
        let (one, two) = (GuardCondition::new(), GuardCondition::new());
        let wakers = || (one.0.lock().wakers.len(), two.0.lock().wakers.len());
        let mut stays = WaitSet::new();
        stays.add(&one);
        assert_eq!(stays.wait(Duration::ZERO), []);
        for _ in 0..3 {
            let mut set = WaitSet::new();
            let key = set.add(&one);
            set.add(&two);
            assert_eq!(set.wait(Duration::ZERO), []);
            assert_eq!(wakers(), (2, 1));
            set.remove(key);
            assert_eq!(wakers(), (1, 1));
            drop(set);
            assert_eq!(wakers(), (1, 0));
        }
        one.trigger();
        assert_eq!(stays.wait(Duration::ZERO).len(), 1);
    }
}
