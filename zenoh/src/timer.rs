//! Timers: a function called again and again, on a thread of its own.
//!
//! As in rcl: a call that comes late does not shift the later ones, calls that were missed are not made up for, and when the clock jumps back the
//! next call is one period from there.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    clock::Clock,
    error::{Error, Result},
    node::Node,
    time::Time,
};

/// Calls a function every so often; made by [`Node::create_timer`]. The calls end when it is dropped.
///
/// ```no_run
/// use std::time::Duration;
/// use rosidl_buffer_zenoh::Node;
///
/// let node = Node::new("clock")?;
/// let _timer = node.create_timer(Duration::from_secs(1), || println!("tick"))?;
/// std::thread::park();
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
#[derive(Debug)]
pub struct Timer {
    clock: Clock,
    stopped: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
    /// Its clock follows a simulation only as long as it is there.
    node: Node,
}

impl Node {
    /// Calls `callback` every `period` of the node's clock, so of simulated time when there is such; the first time after one
    /// period.
    ///
    /// # Errors
    /// When the period is 0, or the thread cannot be started.
    pub fn create_timer(
        &self,
        period: Duration,
        callback: impl FnMut() + Send + 'static,
    ) -> Result<Timer> {
        self.timer(self.clock().clone(), period, callback)
    }

    /// As [`Node::create_timer`], by a clock that never jumps and that no simulation sets.
    ///
    /// # Errors
    /// As for [`Node::create_timer`].
    pub fn create_wall_timer(
        &self,
        period: Duration,
        callback: impl FnMut() + Send + 'static,
    ) -> Result<Timer> {
        self.timer(Clock::steady(), period, callback)
    }

    fn timer(
        &self,
        clock: Clock,
        period: Duration,
        mut callback: impl FnMut() + Send + 'static,
    ) -> Result<Timer> {
        if period.is_zero() {
            return Err(Error::TimerPeriod);
        }
        let stopped = Arc::new(AtomicBool::new(false));
        let (ticks, ends) = (clock.clone(), Arc::clone(&stopped));
        let node = self.fully_qualified_name();
        let start = clock.now();
        let work = move || {
            let mut next = start.saturating_add(period);
            loop {
                let is_off =
                    |now: Time| ends.load(Ordering::Acquire) || next > now.saturating_add(period);
                let is_time = ticks.wait_until(next, is_off);
                if ends.load(Ordering::Acquire) {
                    return;
                }
                // Before the call: one that takes longer than a period is followed by the next at once.
                next = following(next, ticks.now(), period);
                if is_time && catch_unwind(AssertUnwindSafe(&mut callback)).is_err() {
                    tracing::error!("a timer's callback of {node} panicked; the next call is made");
                }
            }
        };
        let name = "ros_timer".to_owned();
        let worker = std::thread::Builder::new().name(name).spawn(work);
        let worker = worker.map_err(|source| Error::Thread {
            topic: self.fully_qualified_name(),
            source,
        })?;
        Ok(Timer {
            clock,
            stopped,
            worker: Some(worker),
            node: self.clone(),
        })
    }
}

/// The next time after `now` that is a whole number of periods after `last`; one period from now when the clock went back.
fn following(last: Time, now: Time, period: Duration) -> Time {
    let late = now.saturating_since(last);
    if now < last {
        return now.saturating_add(period);
    }
    let into_period = late.as_nanos() % period.as_nanos();
    // Less than a period, which is longer than 64 bits of nanoseconds only where `late` is not.
    let into_period = Duration::from_nanos(u64::try_from(into_period).unwrap_or(u64::MAX));
    now.saturating_add(period.saturating_sub(into_period))
}

impl Timer {
    /// The node that made this timer.
    pub fn node(&self) -> &Node {
        &self.node
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        self.clock.wake();
        if let Some(worker) = self.worker.take()
            // Dropped by its own callback: the thread ends by itself after this call.
            && worker.thread().id() != std::thread::current().id()
            && worker.join().is_err()
        {
            tracing::error!("a timer's thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_keep_their_rhythm() {
        let at = Time::from_nanoseconds;
        let period = Duration::from_nanos(10);
        for (last, now, next) in [
            (100, 100, 110),
            (100, 103, 110),
            (100, 110, 120),
            (100, 139, 140),
            (100, 95, 105),
            (100, 3, 13),
        ] {
            assert_eq!(following(at(last), at(now), period), at(next), "{now}");
        }
        let never = following(at(0), at(1), Duration::MAX);
        assert_eq!(never, at(i64::MAX));
    }
}
