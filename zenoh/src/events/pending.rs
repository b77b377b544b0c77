//! What happened to an endpoint and was not taken yet.
//!
//! In: changes and losses, from any thread. Out: events, each the sum of all that happened of its kind since the last one. Each
//! kind waits once at most, so nothing grows. Once closed, it gives what waits, and then the error that says so.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use super::{CountStatus, Event, IncompatibleQosStatus, MatchedStatus};
use crate::{
    error::{Error, Result},
    graph::Change,
    qos::QosPolicy,
    queue::{Queue, Taken, Wait},
    wait_set::Ready,
    wakers::{WaitPlace, Waiter},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Matched,
    Qos,
    Type,
    Lost,
}

/// What was not taken yet.
pub(super) struct Pending {
    /// The full name of the topic.
    topic: String,
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
    pub(super) fn new(topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            kinds: Queue::new(None),
            sums: Mutex::default(),
        }
    }

    pub(super) fn change(&self, change: Change) {
        let kind = match change {
            Change::Closed => return self.close(),
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
            Change::Closed => {}
        });
    }

    pub(super) fn lost(&self, count: u64) {
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

    /// No more events; those that wait are still taken.
    pub(super) fn close(&self) {
        self.kinds.close();
    }

    /// `None` when there was nothing in time.
    pub(super) fn take(&self, wait: Wait) -> Result<Option<Event>> {
        loop {
            let taken = self.kinds.take(wait);
            if matches!(taken, Taken::Nothing) {
                return Ok(None);
            }
            if let Some(event) = self.read(&taken)? {
                return Ok(Some(event));
            }
        }
    }

    /// As [`Pending::take`] for a future.
    pub(super) fn poll_take(
        &self,
        waiter: Waiter,
        context: &mut Context<'_>,
    ) -> Poll<Result<Event>> {
        loop {
            let Poll::Ready(taken) = self.kinds.poll_take(waiter, context) else {
                return Poll::Pending;
            };
            if let Some(result) = self.read(&taken).transpose() {
                return Poll::Ready(result);
            }
        }
    }

    fn read(&self, taken: &Taken<Kind>) -> Result<Option<Event>> {
        match taken {
            Taken::Item(kind) => Ok(self.event(*kind)),
            Taken::Nothing => Ok(None),
            Taken::Closed => Err(Error::Closed {
                topic: self.topic.clone(),
            }),
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

impl WaitPlace for Pending {
    fn forget(&self, waiter: Waiter) {
        self.kinds.forget(waiter);
    }
}

impl Ready for Pending {
    fn poll_ready(&self, waiter: Waiter, context: &mut Context<'_>) -> Poll<()> {
        self.kinds.poll_ready(waiter, context)
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pending")
            .field(&self.sums().waiting)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_gets_sums() {
        let pending = Pending::new("/chatter");
        assert_eq!(pending.take(Wait::No).unwrap(), None);
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
        assert_eq!(pending.take(Wait::No).unwrap(), Some(matched(3, 3, 2, 2)));
        let Some(Event::IncompatibleQos(status)) = pending.take(Wait::No).unwrap() else {
            panic!("another event is expected");
        };
        assert_eq!((status.total_count, status.total_count_change), (2, 2));
        assert_eq!(status.last_policy, QosPolicy::Durability);
        let count = |total_count, total_count_change| CountStatus {
            total_count,
            total_count_change,
        };
        assert_eq!(
            pending.take(Wait::No).unwrap(),
            Some(Event::IncompatibleType(count(1, 1)))
        );
        let all = u64::MAX;
        assert_eq!(
            pending.take(Wait::No).unwrap(),
            Some(Event::MessageLost(count(all, all)))
        );
        assert_eq!(pending.take(Wait::No).unwrap(), None);
        pending.change(Change::Matched { came: false });
        assert_eq!(pending.take(Wait::No).unwrap(), Some(matched(3, 0, 1, -1)));
    }

    #[test]
    fn what_waits_at_the_end_is_taken_before_the_error() {
        let pending = Pending::new("/chatter");
        pending.lost(1);
        pending.change(Change::Closed);
        pending.lost(2);
        assert!(matches!(
            pending.take(Wait::Forever),
            Ok(Some(Event::MessageLost(_)))
        ));
        for _ in 0..2 {
            let error = pending.take(Wait::Forever).unwrap_err();
            assert!(error.to_string().contains("/chatter"), "{error}");
        }
    }

    #[test]
    fn who_is_gone_before_it_is_told_to_be_there_is_not_there() {
        for taken_between in [false, true] {
            let pending = Pending::new("/chatter");
            pending.change(Change::Matched { came: false });
            if taken_between {
                let Some(Event::Matched(status)) = pending.take(Wait::No).unwrap() else {
                    panic!("something changed");
                };
                assert_eq!(status, MatchedStatus::default());
            }
            pending.change(Change::Matched { came: true });
            let Some(Event::Matched(status)) = pending.take(Wait::No).unwrap() else {
                panic!("something changed");
            };
            assert_eq!((status.total_count, status.total_count_change), (1, 1));
            assert_eq!((status.current_count, status.current_count_change), (0, 0));
        }
    }
}
