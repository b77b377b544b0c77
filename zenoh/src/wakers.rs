//! Who waits in one place, as futures and wait sets do.
//!
//! In: wakers, each under the number of the one who waits. Out: all of them, to be woken. Who gives up takes its waker along:
//! where nothing happens, those of dropped futures would pile up. They are known by number and not by waker, because two futures
//! of one task have the same one, and the end of the first must not silence the second. Nothing is woken here.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
};

use crate::later::run;

/// One who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiter(u64);

impl Waiter {
    /// One that nobody else is.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Default for Waiter {
    fn default() -> Self {
        Self::new()
    }
}

/// Where one can wait.
pub(crate) trait WaitPlace {
    /// This one does not wait any more.
    fn forget(&self, waiter: Waiter);
}

/// The wakers of all who wait in one place.
#[derive(Debug, Default)]
pub(crate) struct Wakers(Vec<(Waiter, Waker)>);

impl Wakers {
    /// Adds one, or gives it another waker. The one that it had before is to be dropped when no lock is held.
    #[must_use]
    pub(crate) fn add(&mut self, waiter: Waiter, waker: &Waker) -> Option<Waker> {
        let known = self.0.iter_mut().find(|(known, _)| *known == waiter);
        match known {
            Some((_, old)) if old.will_wake(waker) => None,
            Some((_, old)) => Some(std::mem::replace(old, waker.clone())),
            None => {
                self.0.push((waiter, waker.clone()));
                None
            }
        }
    }

    /// Takes one out; its waker is to be dropped when no lock is held.
    #[must_use]
    pub(crate) fn remove(&mut self, waiter: Waiter) -> Option<Waker> {
        let at = self.0.iter().position(|(known, _)| *known == waiter)?;
        Some(self.0.swap_remove(at).1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Wakes all; one that panics keeps it from no other.
    pub(crate) fn wake(self) {
        for (_, waker) in self.0 {
            run(|| waker.wake());
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Polls until there is a result, and leaves no waker behind in `place`, also when it is dropped before.
///
/// `poll` leaves none when it is ready.
pub(crate) async fn wait_in<T>(
    place: &impl WaitPlace,
    mut poll: impl FnMut(Waiter, &mut Context<'_>) -> Poll<T>,
) -> T {
    struct Stay<'a, P: WaitPlace> {
        place: &'a P,
        waiter: Waiter,
        waits: bool,
    }
    impl<P: WaitPlace> Drop for Stay<'_, P> {
        fn drop(&mut self) {
            if self.waits {
                self.place.forget(self.waiter);
            }
        }
    }
    let mut stay = Stay {
        place,
        waiter: Waiter::new(),
        waits: false,
    };
    poll_fn(|context| {
        let polled = poll(stay.waiter, context);
        stay.waits = polled.is_pending();
        polled
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Default)]
    struct Place(Mutex<Wakers>);

    impl WaitPlace for Place {
        fn forget(&self, waiter: Waiter) {
            drop(self.0.lock().unwrap().remove(waiter));
        }
    }

    impl std::task::Wake for Place {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn each_waiter_is_there_once_until_it_goes() {
        let place = Place::default();
        let wait = || {
            wait_in(&place, |waiter, context: &mut Context<'_>| {
                drop(place.0.lock().unwrap().add(waiter, context.waker()));
                Poll::<()>::Pending
            })
        };
        let len = || place.0.lock().unwrap().len();
        let (here, there) = (
            Waker::from(Arc::new(Place::default())),
            Waker::from(Arc::new(Place::default())),
        );
        let mut one = Box::pin(wait());
        let mut other = Box::pin(wait());
        for waker in [&here, &here, &there, &here] {
            let mut context = Context::from_waker(waker);
            assert!(one.as_mut().poll(&mut context).is_pending());
            assert!(other.as_mut().poll(&mut context).is_pending());
            assert_eq!(len(), 2);
        }
        drop(one);
        assert_eq!(len(), 1, "the other one of this task still waits");
        drop(wait());
        drop(other);
        assert_eq!(len(), 0);
    }
}
