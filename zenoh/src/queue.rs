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
    /// Where nothing is dropped, readers take all that is there out of the writers' way in one go, and give it out from here:
    /// else both sides want one lock for each item. Locked before `state`.
    front: Mutex<VecDeque<T>>,
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
            front: Mutex::default(),
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
        loop {
            let mut state = match self.next() {
                Ok(taken) => return taken,
                Err(state) => state,
            };
            match wait {
                Wait::No => return Taken::Nothing,
                Wait::Forever => {
                    state.asleep = true;
                    drop(self.ready.wait(state));
                }
                Wait::Until(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Taken::Nothing;
                    }
                    state.asleep = true;
                    drop(self.ready.wait_timeout(state, left));
                }
            }
        }
    }

    /// Never gives `Taken::Nothing`. When it is ready, no waker of this waiter is left here.
    pub(crate) fn poll_take(&self, waiter: Waiter, context: &mut Context<'_>) -> Poll<Taken<T>> {
        match self.next() {
            Ok(taken) => Poll::Ready(taken),
            Err(state) => Self::leave(state, waiter, context),
        }
    }

    /// Whether [`Queue::take`] would not have to wait.
    pub(crate) fn poll_ready(&self, waiter: Waiter, context: &mut Context<'_>) -> Poll<()> {
        let front = self.lock_front();
        let state = self.lock();
        if state.closed || !front.is_empty() || !state.items.is_empty() {
            return Poll::Ready(());
        }
        drop(front);
        Self::leave(state, waiter, context)
    }

    /// Leaves a waker, where nothing was found under the same lock.
    fn leave<R>(
        mut state: MutexGuard<'_, State<T>>,
        waiter: Waiter,
        context: &mut Context<'_>,
    ) -> Poll<R> {
        let replaced = state.wakers.add(waiter, context.waker());
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// The next item, or that there will be none; else the state as it was when there was nothing, to wait for more.
    fn next(&self) -> Result<Taken<T>, MutexGuard<'_, State<T>>> {
        if self.depth.is_some() {
            let mut state = self.lock();
            let item = state.items.pop_front();
            return state.found(item).ok_or(state);
        }
        let mut front = self.lock_front();
        if let Some(item) = front.pop_front() {
            return Ok(Taken::Item(item));
        }
        let mut state = self.lock();
        std::mem::swap(&mut *front, &mut state.items);
        let item = front.pop_front();
        state.found(item).ok_or(state)
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

    fn lock_front(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// What a reader is told who found this.
    fn found(&self, item: Option<T>) -> Option<Taken<T>> {
        match item {
            Some(item) => Some(Taken::Item(item)),
            None => self.closed.then_some(Taken::Closed),
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
    fn what_was_moved_to_the_front_stays_in_order_and_is_seen() {
        let mut context = Context::from_waker(Waker::noop());
        let (queue, waiter) = (Queue::new(None), Waiter::new());
        (0..3).for_each(|item| queue.push(item));
        assert_eq!(queue.take(Wait::No), Taken::Item(0));
        assert_eq!(queue.poll_ready(waiter, &mut context), Poll::Ready(()));
        queue.push(3);
        for item in 1..=3 {
            assert_eq!(queue.take(Wait::No), Taken::Item(item));
        }
        assert_eq!(queue.poll_ready(waiter, &mut context), Poll::Pending);
        (4..6).for_each(|item| queue.push(item));
        assert_eq!(queue.take(Wait::Forever), Taken::Item(4));
        queue.close();
        assert_eq!(
            queue.poll_take(waiter, &mut context),
            Poll::Ready(Taken::Item(5)),
            "it came before the end"
        );
        assert_eq!(queue.take(Wait::Forever), Taken::Closed);
    }

    #[test]
    fn several_readers_get_each_item_once_and_in_order() {
        const ITEMS: u32 = 20_000;
        for depth in [None, Some(usize::MAX)] {
            let queue = Queue::new(depth);
            let read = || {
                let mut all = Vec::new();
                while let Taken::Item(item) = queue.take(Wait::Forever) {
                    all.push(item);
                }
                all
            };
            let taken = std::thread::scope(|scope| {
                let readers: Vec<_> = (0..3).map(|_| scope.spawn(read)).collect();
                (0..ITEMS).for_each(|item| queue.push(item));
                queue.close();
                readers
                    .into_iter()
                    .map(|reader| reader.join().unwrap())
                    .collect::<Vec<_>>()
            });
            assert!(taken.iter().all(|taken| taken.is_sorted()));
            let mut all = taken.concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..ITEMS));
        }
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
