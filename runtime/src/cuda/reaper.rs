//! Keeps what the GPU still reads until it is done, without making anybody wait.
//!
//! A handle that goes leaves a [`Mark`] behind it on its stream, and what it read, here. When the mark is set, what was
//! read is let go: seen by the next handle that goes, or by a thread that looks while something waits. Each is
//! looked at for itself, so a slow stream holds up no other. What a device does not say is done stays, unless the device works no
//! more. In a child of `fork` nothing is locked and nothing let go: all of it is the parent's.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::access::Keep;
use super::driver::{Context, CudaError, Stream};
use super::marks::Mark;
use super::memory::PATIENCE;
use crate::graveyard::User;

/// How often the thread looks while something waits.
const PERIOD: Duration = Duration::from_micros(500);
/// How long it goes on to look when nothing waits any more; only then has the next handle to wake it.
const LINGER: Duration = Duration::from_secs(1);
/// Pause while it lingers.
const LINGER_PERIOD: Duration = Duration::from_millis(5);
/// What has waited for so long makes the thread ask, as often, whether the device still works.
const PROBE: Duration = Duration::from_millis(100);

pub(super) struct Reaper {
    shared: Arc<Shared>,
    context: Arc<Context>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    spare: Vec<Mark>,
    asleep: bool,
    stop: bool,
}

struct Waiting {
    mark: Mark,
    keep: Keep,
    /// Whose stream sets the mark.
    device: Arc<Context>,
    since: Instant,
}

impl Reaper {
    /// With marks that all devices can set.
    pub(super) fn start(context: &Arc<Context>) -> std::io::Result<Self> {
        let state = State {
            spare: Mark::many(context)?,
            ..State::default()
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            wake: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("cuda reaper".to_owned())
            .spawn(move || own.run())?;
        Ok(Self {
            shared,
            context: Arc::clone(context),
            thread: Some(thread),
        })
    }

    /// Lets `keep` go when all work that is on the stream now is done.
    pub(super) fn after(&self, stream: &Stream, keep: Keep) {
        if self.context.is_forked() {
            std::mem::forget(keep);
            return;
        }
        let mark = match self.mark(stream) {
            Ok(mark) => mark,
            Err(error) => return settle(stream, keep, &error),
        };
        let waiting = Waiting {
            mark,
            keep,
            device: Arc::clone(stream.context()),
            since: Instant::now(),
        };
        let mut state = self.shared.lock();
        // One look at the one that waits longest: as many go as come.
        let done = match state.waiting.front() {
            Some(oldest) if oldest.mark.is_set() => state.waiting.pop_front(),
            _ => None,
        };
        let done = done.map(|done| state.put_back(done));
        state.waiting.push_back(waiting);
        if state.asleep {
            state.asleep = false;
            self.shared.wake.notify_one();
        }
        drop(state);
        if let Some(done) = done {
            let_go(done); // may unmap; not under the lock
        }
    }

    /// A mark that the stream is to set.
    fn mark(&self, stream: &Stream) -> Result<Mark, CudaError> {
        let spare = self.shared.lock().spare.pop();
        let mark = match spare {
            Some(mark) => mark,
            None => self.more_marks()?,
        };
        mark.set(stream)?;
        Ok(mark)
    }

    #[cold]
    fn more_marks(&self) -> Result<Mark, CudaError> {
        let more = Mark::many(&self.context);
        let mut more = more.map_err(|error| CudaError::Refused(error.to_string()))?;
        let first = more.pop();
        self.shared.lock().spare.append(&mut more);
        first.ok_or_else(|| CudaError::Refused("no marks were made".to_owned())) // never: there are many
    }

    /// How many things are kept.
    pub(super) fn waiting(&self) -> usize {
        self.shared.lock().waiting.len()
    }
}

/// Without a mark the host has to wait; where that fails too, what may still be read stays for good.
fn settle(stream: &Stream, keep: Keep, error: &CudaError) {
    tracing::warn!(%error, "the end of a read could not be put on its stream, the host waits for it");
    match stream.synchronize() {
        Ok(()) => let_go(keep),
        Err(error) if error.is_final() => let_go(keep),
        Err(error) => {
            tracing::error!(%error, "waiting for a stream failed; the memory that it reads stays with the process");
            std::mem::forget(keep);
        }
    }
}

/// Memory that others made goes by their code; if that panics, it is not whoever happens to be here that is to fail.
pub(super) fn let_go<T>(keep: T) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if catch_unwind(AssertUnwindSafe(|| drop(keep))).is_err() && !SAID.swap(true, Ordering::Relaxed)
    {
        tracing::error!("giving back adopted memory panicked; it may be lost (said once)");
    }
}

impl State {
    fn put_back(&mut self, done: Waiting) -> Keep {
        self.spare.push(done.mark.again());
        done.keep
    }

    /// Takes out what the GPU is done with.
    fn take_done(&mut self) -> Vec<Keep> {
        let mut done = Vec::new();
        for _ in 0..self.waiting.len() {
            match self.waiting.pop_front() {
                Some(waiting) if waiting.mark.is_set() => done.push(self.put_back(waiting)),
                Some(waiting) => self.waiting.push_back(waiting),
                None => {}
            }
        }
        done
    }

    /// The devices that something has waited for too long.
    fn suspects(&self) -> Vec<Arc<Context>> {
        let mut found: Vec<Arc<Context>> = Vec::new();
        for waiting in &self.waiting {
            let known = found
                .iter()
                .any(|known| Arc::ptr_eq(known, &waiting.device));
            if !known && waiting.since.elapsed() >= PROBE {
                found.push(Arc::clone(&waiting.device));
            }
        }
        found
    }

    /// Takes out what waits for a device that runs nothing of this process any more. The marks are not used again.
    fn take_dead(&mut self, dead: &[Arc<Context>]) -> Vec<Keep> {
        let of_dead =
            |waiting: &Waiting| dead.iter().any(|dead| Arc::ptr_eq(dead, &waiting.device));
        let all = std::mem::take(&mut self.waiting);
        let (dead, alive): (VecDeque<_>, _) = all.into_iter().partition(of_dead);
        self.waiting = alive;
        dead.into_iter().map(|waiting| waiting.keep).collect()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the devices that something has waited for, without the lock.
    fn probe(&self) -> Vec<Keep> {
        let mut suspects = self.lock().suspects();
        suspects.retain(|device| device.memory().is_err_and(|error| error.is_final()));
        if suspects.is_empty() {
            return Vec::new();
        }
        self.lock().take_dead(&suspects)
    }

    fn run(&self) {
        let mut last = Instant::now();
        let mut probed = last;
        let mut state = self.lock();
        loop {
            if state.stop {
                return;
            }
            let mut done = state.take_done();
            if !state.waiting.is_empty() && probed.elapsed() >= PROBE {
                drop(state);
                done.append(&mut self.probe());
                probed = Instant::now();
                state = self.lock();
            }
            if !done.is_empty() {
                last = Instant::now();
                drop(state);
                done.into_iter().for_each(let_go);
                state = self.lock();
                continue;
            }
            let pause = match (state.waiting.is_empty(), last.elapsed() < LINGER) {
                (false, _) => Some(PERIOD),
                (true, true) => Some(LINGER_PERIOD),
                (true, false) => None,
            };
            if !state.waiting.is_empty() {
                last = Instant::now();
            }
            state.asleep = pause.is_none();
            state = match pause {
                Some(pause) => {
                    self.wake
                        .wait_timeout(state, pause)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Waits for what the GPU still reads: it must not be unmapped under a kernel. What is not done in time stays for good.
    fn settle_all(&self) {
        let start = Instant::now();
        let mut probed = start;
        loop {
            let mut state = self.lock();
            let mut done = state.take_done();
            let left = state.waiting.len();
            drop(state);
            if left > 0 && probed.elapsed() >= PROBE {
                done.append(&mut self.probe());
                probed = Instant::now();
            }
            done.into_iter().for_each(let_go);
            if left == 0 {
                return;
            }
            if start.elapsed() >= PATIENCE {
                break;
            }
            std::thread::sleep(PERIOD);
        }
        let left = std::mem::take(&mut self.lock().waiting);
        tracing::error!(
            reads = left.len(),
            "the GPU is not done with what it reads after {PATIENCE:?}; that memory stays with the process"
        );
        std::mem::forget(left);
        // Nothing else is given back for good then: to unregister memory would wait for that very work, with the driver locked.
        std::mem::forget(User::new());
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        if self.context.is_forked() {
            std::mem::forget(self.thread.take()); // there is no such thread here
            return;
        }
        self.shared.lock().stop = true;
        self.shared.wake.notify_all();
        let Some(thread) = self.thread.take() else {
            return;
        };
        // It may be the one that lets the last buffer go.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the thread that waits for the GPU had panicked");
        }
        self.shared.settle_all();
    }
}

impl std::fmt::Debug for Reaper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reaper")
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}
