//! The queue between the network and a reader: keeps the newest, drops the oldest, counts what it dropped.
//!
//! One side pushes from any thread; the other takes by trying, by waiting, or as a future that any
//! executor can poll.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Instant,
};

use crate::{
    later::later,
    wakers::{WaitPlace, Waiter, Wakers},
};

/// What a reader finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<T> {
    Item(T),
    /// Nothing in time.
    Nothing,
    /// Nothing, and nothing will come any more.
    Closed,
}

/// How long a reader waits.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wait {
    No,
    Until(Instant),
    Forever,
}

impl Wait {
    /// Whether the time to wait until has passed.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Until(deadline) if deadline <= Instant::now())
    }
}

/// A queue that keeps at most `depth` items, or all of them.
pub(crate) struct Queue<T> {
    depth: Option<usize>,
    state: Mutex<State<T>>,
    ready: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    dropped: u64,
    closed: bool,
    wakers: Wakers,
    /// Somebody may sleep in `take` since readers were woken last.
    asleep: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new(depth: Option<usize>) -> Self {
        let state = State {
            items: VecDeque::new(),
            dropped: 0,
            closed: false,
            wakers: Wakers::default(),
            asleep: false,
        };
        Self {
            depth,
            state: Mutex::new(state),
            ready: Condvar::new(),
        }
    }

    pub(crate) fn push(&self, item: T)
    where
        T: 'static,
    {
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return later(move || drop(item));
        }
        let mut oldest = None;
        if self.depth.is_some_and(|depth| state.items.len() >= depth) {
            oldest = state.items.pop_front();
            state.dropped += 1;
        }
        state.items.push_back(item);
        self.wake(state);
        if oldest.is_some() {
            later(move || drop(oldest));
        }
    }

    /// No more items; readers get those that are there.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.wake(state);
    }

    /// How many items were dropped for newer ones.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    pub(crate) fn take(&self, wait: Wait) -> Taken<T> {
        let mut state = self.lock();
        loop {
            match state.take() {
                Taken::Nothing => {}
                taken => return taken,
            }
            state = match wait {
                Wait::No => return Taken::Nothing,
                Wait::Forever => {
                    state.asleep = true;
                    self.ready
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner)
                }
                Wait::Until(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Taken::Nothing;
                    }
                    state.asleep = true;
                    self.ready
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }

    /// Never gives `Taken::Nothing`. When it is ready, no waker of this waiter is left here.
    pub(crate) fn poll_take(&self, waiter: Waiter, context: &mut Context<'_>) -> Poll<Taken<T>> {
        let mut state = self.lock();
        match state.take() {
            Taken::Nothing => {}
            taken => return Poll::Ready(taken),
        }
        let replaced = state.wakers.add(waiter, context.waker());
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// Whether [`Queue::take`] would not have to wait.
    pub(crate) fn poll_ready(&self, waiter: Waiter, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.closed || !state.items.is_empty() {
            return Poll::Ready(());
        }
        let replaced = state.wakers.add(waiter, context.waker());
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// Wakes everybody: a future that was given up would swallow a single call.
    fn wake(&self, mut state: MutexGuard<'_, State<T>>) {
        let wakers = std::mem::take(&mut state.wakers);
        // Asking the kernel to wake nobody costs more than all the rest here.
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            self.ready.notify_all();
        }
        if !wakers.is_empty() {
            later(move || wakers.wake());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> WaitPlace for Queue<T> {
    fn forget(&self, waiter: Waiter) {
        let gone = self.lock().wakers.remove(waiter);
        drop(gone);
    }
}

impl<T> State<T> {
    fn take(&mut self) -> Taken<T> {
        match self.items.pop_front() {
            Some(item) => Taken::Item(item),
            None if self.closed => Taken::Closed,
            None => Taken::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Wake, Waker},
        time::Duration,
    };

    use super::*;

    #[test]
    fn the_oldest_go_and_are_counted() {
        let queue = Queue::new(Some(2));
        (0..5).for_each(|item| queue.push(item));
        assert_eq!(queue.dropped(), 3);
        assert_eq!(queue.take(Wait::No), Taken::Item(3));
        assert_eq!(queue.take(Wait::Forever), Taken::Item(4));
        assert_eq!(queue.take(Wait::No), Taken::Nothing);
        let all = Queue::new(None);
        (0..1000).for_each(|item| all.push(item));
        assert_eq!((all.dropped(), all.take(Wait::No)), (0, Taken::Item(0)));
    }

    #[test]
    fn waiting_ends_in_time_by_an_item_or_by_closing() {
        let queue = Queue::new(Some(1));
        let soon = Wait::Until(Instant::now() + Duration::from_millis(10));
        assert_eq!(queue.take(soon), Taken::Nothing);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| queue.take(Wait::Forever));
            queue.push(1);
            assert_eq!(reader.join().unwrap(), Taken::Item(1));
            let reader = scope.spawn(|| queue.take(Wait::Forever));
            queue.close();
            assert_eq!(reader.join().unwrap(), Taken::Closed);
        });
        queue.push(2);
        assert_eq!(queue.take(Wait::No), Taken::Closed);
    }

    #[test]
    fn futures_are_woken_and_given_up_ones_do_not_pile_up() {
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let (queue, waiter) = (Queue::new(None), Waiter::new());
        let mut poll = || queue.poll_take(waiter, &mut context);
        for _ in 0..3 {
            assert_eq!(poll(), Poll::Pending);
        }
        queue.push(1);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(poll(), Poll::Ready(Taken::Item(1)));
        assert_eq!(poll(), Poll::Pending);
        queue.close();
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
        assert_eq!(poll(), Poll::Ready(Taken::Closed));
    }
}
