//! Clocks: the system's, one that never jumps, and ROS time, which somebody else may set.
//!
//! A ROS clock shows the system's time until it is overridden: by a simulation through `/clock`, or by a [`ClockSource`] in a
//! test. Who sleeps on it sleeps in that time and wakes when it jumps. Nothing here knows the network.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use crate::time::Time;

/// The longest time for which a sleeper does not look whether the system's clock was set.
const LOOK: Duration = Duration::from_secs(1);

/// What a clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClockType {
    /// ROS time: the system's time unless somebody else says what time it is.
    RosTime,
    /// The system's time, which may be set.
    SystemTime,
    /// Time since the clock was made, which never jumps.
    SteadyTime,
}

/// A clock. Cloning gives another handle to the same one.
///
/// ```
/// use std::time::Duration;
/// use rosidl_buffer_zenoh::{Clock, Time};
///
/// let (clock, source) = Clock::with_source();
/// source.set_ros_time_override(Time::from_nanoseconds(5));
/// assert_eq!(clock.now().nanoseconds(), 5);
/// ```
#[derive(Clone)]
pub struct Clock {
    inner: Arc<ClockInner>,
}

struct ClockInner {
    kind: ClockType,
    start: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What a ROS clock shows instead of the system's time.
    overridden: Option<Time>,
    /// How often it began or ended to be overridden.
    switches: u64,
}

/// Sets the time of a ROS clock: what a simulation or a test has.
#[derive(Clone, Debug)]
pub struct ClockSource {
    clock: Clock,
}

impl Clock {
    fn new(kind: ClockType) -> Self {
        let inner = ClockInner {
            kind,
            start: Instant::now(),
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// A clock that shows the system's time.
    pub fn system() -> Self {
        Self::new(ClockType::SystemTime)
    }

    /// A clock that shows the time since it was made, and never jumps.
    pub fn steady() -> Self {
        Self::new(ClockType::SteadyTime)
    }

    /// A clock with ROS time, and what sets it.
    pub fn with_source() -> (Self, ClockSource) {
        let clock = Self::new(ClockType::RosTime);
        let source = clock.source();
        (clock, source)
    }

    pub(crate) fn source(&self) -> ClockSource {
        ClockSource {
            clock: self.clone(),
        }
    }

    /// What it shows.
    pub fn clock_type(&self) -> ClockType {
        self.inner.kind
    }

    /// The time now.
    pub fn now(&self) -> Time {
        self.read(&self.lock())
    }

    /// Whether somebody else says what time it is: a simulation on `/clock`, or a [`ClockSource`].
    pub fn is_ros_time_active(&self) -> bool {
        self.lock().overridden.is_some()
    }

    /// Sleeps until the clock shows `time` or later. Returns whether it does: not when the clock changed between the system's
    /// time and another's meanwhile, which makes `time` mean something else.
    ///
    /// Blocks the calling thread; for ever when a simulation stands still for ever.
    pub fn sleep_until(&self, time: Time) -> bool {
        self.wait_until(time, |_| false)
    }

    /// As [`Clock::sleep_until`], from now on.
    pub fn sleep_for(&self, duration: Duration) -> bool {
        self.sleep_until(self.now().saturating_add(duration))
    }

    /// As [`Clock::sleep_until`], and ends with `false` when it is `over`: asked with the time now, whenever that jumps and when
    /// [`Clock::wake`] is called.
    pub(crate) fn wait_until(&self, time: Time, over: impl Fn(Time) -> bool) -> bool {
        let mut state = self.lock();
        let switches = state.switches;
        loop {
            let now = self.read(&state);
            if state.switches != switches || over(now) {
                return false;
            }
            if now >= time {
                return true;
            }
            let changed = &self.inner.changed;
            state = if state.overridden.is_some() {
                changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                let left = time.saturating_since(now).min(LOOK);
                let woken = changed.wait_timeout(state, left);
                woken.unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// Wakes who sleeps, to look again.
    pub(crate) fn wake(&self) {
        // With the lock: nobody is between looking and sleeping.
        let state = self.lock();
        self.inner.changed.notify_all();
        drop(state);
    }

    /// Does nothing to a clock that shows no ROS time.
    fn set(&self, time: Option<Time>) {
        if self.inner.kind != ClockType::RosTime {
            return;
        }
        let mut state = self.lock();
        if state.overridden.is_some() != time.is_some() {
            state.switches += 1;
        }
        state.overridden = time;
        self.inner.changed.notify_all();
    }

    fn read(&self, state: &State) -> Time {
        match (self.inner.kind, state.overridden) {
            (ClockType::RosTime, Some(time)) => time,
            (ClockType::SteadyTime, _) => {
                Time::default().saturating_add(self.inner.start.elapsed())
            }
            // The system's clock is beyond 2262 or before 1677: the end that is nearer.
            _ => Time::try_from(SystemTime::now()).unwrap_or(Time::from_nanoseconds(i64::MAX)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.inner.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClockSource {
    /// From now on the clock shows `time`, until it is told another one.
    pub fn set_ros_time_override(&self, time: Time) {
        self.clock.set(Some(time));
    }

    /// From now on the clock shows the system's time again.
    pub fn clear_ros_time_override(&self) {
        self.clock.set(None);
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock")
            .field("type", &self.inner.kind)
            .field("now", &self.now())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanoseconds: i64) -> Time {
        Time::from_nanoseconds(nanoseconds)
    }

    #[test]
    fn ros_time_is_the_systems_until_it_is_set() {
        let (clock, source) = Clock::with_source();
        let before = Time::try_from(SystemTime::now()).unwrap();
        assert!(clock.now() >= before && !clock.is_ros_time_active());
        source.set_ros_time_override(at(7));
        assert_eq!(clock.now(), at(7));
        assert!(clock.is_ros_time_active());
        source.set_ros_time_override(at(3));
        assert_eq!(clock.clone().now(), at(3), "a simulation may go back");
        source.clear_ros_time_override();
        assert!(clock.now() >= before);
    }

    #[test]
    fn who_sleeps_wakes_when_time_jumps() {
        let (clock, source) = Clock::with_source();
        source.set_ros_time_override(at(0));
        let sleeper = std::thread::spawn(move || clock.sleep_until(at(1_000_000_000_000)));
        source.set_ros_time_override(at(999_999_999_999));
        assert!(!sleeper.is_finished());
        source.set_ros_time_override(at(2_000_000_000_000));
        assert!(sleeper.join().unwrap());
    }

    #[test]
    fn a_sleep_ends_early_when_the_source_changes() {
        let (clock, source) = Clock::with_source();
        source.set_ros_time_override(at(0));
        let (started, start) = std::sync::mpsc::channel();
        let sleeper = std::thread::spawn(move || {
            started.send(()).unwrap();
            clock.sleep_until(at(i64::MAX))
        });
        start.recv().unwrap();
        // Whether it sleeps already or not: the time that it waits for never comes.
        while !sleeper.is_finished() {
            source.clear_ros_time_override();
            source.set_ros_time_override(at(0));
            std::thread::yield_now();
        }
        assert!(!sleeper.join().unwrap());
    }

    #[test]
    fn steady_time_begins_at_nothing_and_runs() {
        let clock = Clock::steady();
        let first = clock.now();
        assert!(first >= at(0) && first < at(1_000_000_000_000));
        assert!(clock.sleep_for(Duration::from_millis(2)));
        assert!(clock.now() >= first.saturating_add(Duration::from_millis(2)));
        assert_eq!(Clock::system().clock_type(), ClockType::SystemTime);
        clock.source().set_ros_time_override(at(0));
        assert!(!clock.is_ros_time_active() && clock.sleep_for(Duration::from_millis(2)));
    }
}
