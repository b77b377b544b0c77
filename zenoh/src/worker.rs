//! The thread on which a node's built-in services answer: one for each context, started with the first piece of work.
//!
//! In: short pieces of work, now or at a time, from any thread, Zenoh's included. They run one after the other, in the order
//! of their times, so none of them may wait for another. Code of the user's does not run among them: a second such thread is for
//! changes of parameters, which the user's callbacks look at. What is left when the context
//! goes is dropped without being run.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

type Job = Box<dyn FnOnce() + Send>;

/// Where work is given to the thread. Holds neither the context nor its session.
#[derive(Clone, Default)]
pub(crate) struct Jobs {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// By time, then by the order in which they came.
    waiting: BTreeMap<(Instant, u64), Job>,
    next: u64,
    thread: Option<JoinHandle<()>>,
    closed: bool,
}

impl Jobs {
    /// Runs `job` as soon as the thread is free.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        self.run_after(Duration::ZERO, job);
    }

    /// Runs `job` when `delay` is over; never, if that is further away than the clock reaches.
    pub(crate) fn run_after(&self, delay: Duration, job: impl FnOnce() + Send + 'static) {
        let Some(due) = Instant::now().checked_add(delay) else {
            return;
        };
        let mut state = self.shared.lock();
        if state.closed {
            return;
        }
        let number = state.next;
        state.next += 1;
        state.waiting.insert((due, number), Box::new(job));
        if state.thread.is_none() {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new().name("ros_worker".to_owned());
            match thread.spawn(move || shared.work()) {
                Ok(thread) => state.thread = Some(thread),
                Err(error) => tracing::error!(
                    "the thread of the built-in services does not start: {error}; tried again with the next request"
                ),
            }
        }
        drop(state);
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn work(&self) {
        let mut state = self.lock();
        while !state.closed {
            let Some((&(due, number), _)) = state.waiting.first_key_value() else {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = due.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                let waited = self.changed.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let job = state.waiting.remove(&(due, number));
            drop(state);
            if let Some(job) = job
                && catch_unwind(AssertUnwindSafe(job)).is_err()
            {
                tracing::error!("a built-in service panicked");
            }
            state = self.lock();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the thread when it is dropped.
#[derive(Default)]
pub(crate) struct Worker {
    pub(crate) jobs: Jobs,
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut state = self.jobs.shared.lock();
        state.closed = true;
        let left = std::mem::take(&mut state.waiting);
        let thread = state.thread.take();
        drop(state);
        self.jobs.shared.changed.notify_all();
        drop(left);
        if let Some(thread) = thread
            // Dropped by a piece of its own work: the thread ends by itself after it.
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the built-in services panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn work_is_done_in_the_order_of_its_times() {
        let worker = Worker::default();
        let (done, order) = channel();
        let note = |number| {
            let done = done.clone();
            move || done.send(number).unwrap()
        };
        worker.jobs.run_after(Duration::MAX, note(9));
        worker.jobs.run_after(Duration::from_millis(300), note(3));
        worker.jobs.run(|| panic!("a job that fails"));
        worker.jobs.run(note(1));
        worker.jobs.run(note(2));
        for expected in 1..=3 {
            assert_eq!(order.recv_timeout(SOON), Ok(expected));
        }
    }

    #[test]
    fn what_is_left_at_the_end_is_dropped() {
        let worker = Worker::default();
        let (done, order) = channel::<()>();
        let jobs = worker.jobs.clone();
        jobs.run_after(Duration::from_secs(3600), move || done.send(()).unwrap());
        drop(worker);
        assert!(order.recv_timeout(SOON).is_err());
        let late = Arc::new(());
        let held = Arc::clone(&late);
        jobs.run(move || drop(held));
        assert_eq!(Arc::strong_count(&late), 1);
    }

    #[test]
    fn the_last_piece_of_work_may_drop_the_worker() {
        let worker = Worker::default();
        let jobs = worker.jobs.clone();
        let (done, ended) = channel();
        jobs.run(move || {
            drop(worker);
            done.send(()).unwrap();
        });
        assert_eq!(ended.recv_timeout(SOON), Ok(()));
    }
}
