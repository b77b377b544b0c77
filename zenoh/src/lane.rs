//! The lane of a publisher: a thread that does what is left of a message when those who take device memory as it is have it.
//!
//! In: pieces of work in the order of their messages, each with who had its message before. Out: whether another message may be
//! handed to some before what waits here is done; who has had all that waits may have the next one, nobody else. As many
//! pieces wait as the quality of service keeps; then the oldest goes, or the publisher waits. A message that nobody had yet is never
//! dropped: it is refused when too much waits. Nothing is encoded or sent here.

use std::{
    cell::Cell,
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use crate::{key::Gid, later::putting_off, qos::QosProfile};

/// How many messages wait when all are kept. Each holds its memory.
const KEPT: usize = 10;

/// How many messages that nobody had may wait beyond the depth; only what lanes themselves drop or wake publishes such.
const BEHIND: usize = 100;

/// How long the end of a publisher waits for all that waits: longer than a copy takes to give up a GPU that does not answer.
const PATIENCE: Duration = Duration::from_secs(8);

thread_local! {
    /// Whether this is the thread of a lane. One that waited for another lane might wait for one that waits for it.
    static ON_A_LANE: Cell<bool> = const { Cell::new(false) };
}

/// One subscription, as the lane tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// In the context, by the address of its inlet, which what waits here keeps in its place.
    Here(usize),
    /// Anywhere else, by the name of its channel.
    There(Gid),
}

/// What is left to be done for one message.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// The thread, as long as this is there.
pub(crate) struct Lane {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    topic: String,
}

struct Shared {
    /// Pieces of work that wait at most.
    depth: usize,
    /// Whether one more than that has to wait outside, instead of the oldest being dropped.
    keeps_all: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Work>,
    is_working: bool,
    /// Who had the newest message of those that are not done yet. They had the older ones too.
    had: Vec<Reader>,
    /// Publishing threads that wait until nothing is left.
    emptying: usize,
    closed: bool,
    ended: bool,
}

impl Lane {
    /// Starts the thread; `on_panic` is called on it when a piece of work panicked.
    pub(crate) fn start(
        topic: &str,
        qos: &QosProfile,
        on_panic: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            depth: qos.depth().unwrap_or(KEPT),
            keeps_all: qos.depth().is_none(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let working = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("ros_lane".to_owned());
        Ok(Self {
            shared,
            thread: Some(thread.spawn(move || working.work(on_panic))?),
            topic: topic.to_owned(),
        })
    }

    /// Whether a message may be handed to `direct` now, and the rest of it pushed; with nobody there, whether it may be sent at all.
    pub(crate) fn admits(&self, direct: &[Reader]) -> bool {
        self.shared.admits(&self.shared.lock(), direct)
    }

    /// Waits until [`admits`](Self::admits) says yes. On the thread of this or another lane it does not: `false` then, and the
    /// message has to be pushed as a whole.
    pub(crate) fn wait(&self, direct: &[Reader]) -> bool {
        let mut state = self.shared.lock();
        if self.shared.admits(&state, direct) {
            return true;
        }
        if ON_A_LANE.get() {
            return false;
        }
        // Else others could keep it busy for ever.
        let emptying = usize::from(!state.follows(direct));
        state.emptying += emptying;
        while !self.shared.admits(&state, direct) {
            state = self.shared.wait(state);
        }
        state.emptying -= emptying;
        drop(state);
        self.shared.changed.notify_all();
        true
    }

    /// Whether a message that nobody had may be pushed.
    pub(crate) fn has_room_behind(&self) -> bool {
        self.shared.lock().waiting.len() < self.shared.depth.saturating_add(BEHIND)
    }

    /// Leaves the rest of a message, which these had; gives what had to be dropped for it. Behind a message that nobody had only such
    /// are admitted until all is done, and for those nothing is dropped: so what is dropped is never all there is of a message.
    pub(crate) fn push(&self, had: Vec<Reader>, work: Work) -> Option<Work> {
        let mut state = self.shared.lock();
        let is_full = state.waiting.len() >= self.shared.depth;
        let is_full = is_full && !self.shared.keeps_all && !had.is_empty();
        let dropped = is_full.then(|| state.waiting.pop_front()).flatten();
        state.waiting.push_back(work);
        state.had = had;
        drop(state);
        self.shared.changed.notify_all();
        dropped
    }

    fn is_own_thread(&self) -> bool {
        let thread = self.thread.as_ref().map(|thread| thread.thread().id());
        thread == Some(std::thread::current().id())
    }
}

impl Shared {
    fn admits(&self, state: &State, direct: &[Reader]) -> bool {
        let has_room = !self.keeps_all || state.waiting.len() < self.depth;
        state.is_idle() || state.emptying == 0 && has_room && state.follows(direct)
    }

    fn work(&self, on_panic: impl Fn()) {
        ON_A_LANE.set(true);
        let mut state = self.lock();
        loop {
            if let Some(work) = state.waiting.pop_front() {
                state.is_working = true;
                drop(state);
                // There is room again.
                self.changed.notify_all();
                // What is put off may publish here again: not before this message is done.
                putting_off(|| {
                    if catch_unwind(AssertUnwindSafe(work)).is_err() {
                        on_panic();
                    }
                    let mut state = self.lock();
                    state.is_working = false;
                    drop(state);
                    self.changed.notify_all();
                });
                state = self.lock();
            } else if state.closed {
                break;
            } else {
                state = self.wait(state);
            }
        }
        state.ended = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Until the thread has ended; `false` when that takes too long.
    fn wait_for_end(&self, patience: Duration) -> bool {
        let goes_on = |state: &mut State| !state.ended;
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), patience, goes_on);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.ended
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait(state);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.is_working
    }

    /// Whether all of these have had what is not done yet.
    fn follows(&self, direct: &[Reader]) -> bool {
        !direct.is_empty() && direct.iter().all(|reader| self.had.contains(reader))
    }
}

impl Drop for Lane {
    /// What waits is done first, as far as there is time.
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        // Dropped by its own work: the thread ends by itself after the rest.
        if self.is_own_thread() {
            return;
        }
        if self.shared.wait_for_end(PATIENCE) {
            if let Some(thread) = self.thread.take()
                && thread.join().is_err()
            {
                tracing::error!("{}: the sending thread panicked", self.topic);
            }
            return;
        }
        let given_up = std::mem::take(&mut self.shared.lock().waiting);
        tracing::error!(
            "{}: copies from device memory take too long; the one under way is left alone, and {} messages after it do not reach those who \
             read on the host",
            self.topic,
            given_up.len()
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const A: Reader = Reader::Here(1);
    const B: Reader = Reader::There(Gid([1; 16]));
    const C: Reader = Reader::There(Gid([2; 16]));

    fn lane(qos: QosProfile) -> Lane {
        Lane::start("topic", &qos, || panic!("no work panics here")).unwrap()
    }

    /// Work that ends when told, and says which it was.
    fn work(number: u32, said: &Sender<u32>) -> (Sender<()>, Work) {
        let (end, ends): (_, Receiver<()>) = channel();
        let said = said.clone();
        let work = move || {
            ends.recv().unwrap();
            said.send(number).unwrap();
        };
        (end, Box::new(work))
    }

    #[test]
    fn who_had_all_that_waits_goes_on_and_nobody_else() {
        let (said, order) = channel();
        let lane = lane(QosProfile::default());
        assert!(lane.admits(&[]) && lane.admits(&[A, C]) && lane.wait(&[]));
        let [(first, one), (second, two)] = [work(1, &said), work(2, &said)];
        assert!(lane.push(vec![A, B], one).is_none());
        assert!(lane.admits(&[A, B]) && lane.admits(&[B]) && lane.wait(&[A]));
        assert!(!lane.admits(&[A, C]) && !lane.admits(&[C]) && !lane.admits(&[]));
        assert!(lane.push(vec![A], two).is_none());
        assert!(lane.admits(&[A]) && !lane.admits(&[B]) && !lane.admits(&[A, B]));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| lane.wait(&[C]));
            first.send(()).unwrap();
            second.send(()).unwrap();
            assert!(waiting.join().unwrap());
        });
        assert!(lane.admits(&[]) && lane.admits(&[B, C]));
        assert_eq!(order.try_iter().collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn what_nobody_had_is_not_dropped_and_bounded() {
        let (said, order) = channel();
        let last_one = lane(QosProfile::default().keep_last(1));
        let mut ends = Vec::new();
        let mut number = 0;
        while last_one.has_room_behind() {
            let (end, next) = work(number, &said);
            assert!(last_one.push(Vec::new(), next).is_none());
            ends.push(end);
            number += 1;
        }
        assert!(!last_one.admits(&[]) && !last_one.admits(&[A]));
        for end in ends {
            end.send(()).unwrap();
        }
        drop(last_one);
        let done: Vec<_> = order.try_iter().collect();
        assert_eq!(done, (0..number).collect::<Vec<_>>());
    }

    #[test]
    fn no_lane_waits_for_another() {
        let (said, _order) = channel();
        let (one, other) = (lane(QosProfile::default()), lane(QosProfile::default()));
        let (end, busy) = work(0, &said);
        assert!(other.push(vec![A], busy).is_none());
        let (tell, waited) = channel();
        std::thread::scope(|scope| {
            let other = Arc::new(other);
            let there = Arc::clone(&other);
            let asks = Box::new(move || tell.send(there.wait(&[])).unwrap());
            assert!(one.push(vec![A], asks).is_none());
            assert_eq!(waited.recv(), Ok(false));
            end.send(()).unwrap();
            assert!(scope.spawn(move || other.wait(&[])).join().unwrap());
        });
    }

    #[test]
    fn the_end_has_one_limit_for_all_that_waits() {
        let slow = lane(QosProfile::default().keep_last(100));
        for _ in 0..100 {
            let nap = Box::new(|| std::thread::sleep(Duration::from_millis(20)));
            assert!(slow.push(vec![A], nap).is_none());
        }
        slow.shared.lock().closed = true;
        assert!(!slow.shared.wait_for_end(Duration::from_millis(100)));
    }

    #[test]
    fn one_too_many_drops_the_oldest_or_has_to_wait() {
        let (said, order) = channel();
        let (end, first) = work(0, &said);
        let last_two = lane(QosProfile::default().keep_last(2));
        assert!(last_two.push(vec![A], first).is_none());
        while last_two.shared.lock().waiting.len() == 1 {
            std::thread::yield_now(); // until it is begun
        }
        let mut ends = Vec::new();
        for number in 1..=4 {
            let (end, next) = work(number, &said);
            assert!(last_two.admits(&[A]));
            assert_eq!(last_two.push(vec![A], next).is_some(), number > 2);
            ends.push(end);
        }
        end.send(()).unwrap();
        for end in ends.drain(2..) {
            end.send(()).unwrap();
        }
        drop(last_two);
        assert_eq!(order.try_iter().collect::<Vec<_>>(), [0, 3, 4]);

        let all = lane(QosProfile::default().keep_all());
        let mut ends = Vec::new();
        let mut number = 0;
        while all.admits(&[A]) || all.shared.lock().waiting.len() < KEPT {
            let (end, next) = work(number, &said);
            assert!(all.push(vec![A], next).is_none());
            ends.push(end);
            number += 1;
        }
        assert!(!all.admits(&[]));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| all.wait(&[A]));
            for end in ends {
                end.send(()).unwrap();
            }
            assert!(waiting.join().unwrap());
        });
        drop(all);
        assert_eq!(
            order.try_iter().collect::<Vec<_>>(),
            (0..number).collect::<Vec<_>>()
        );
    }
}
