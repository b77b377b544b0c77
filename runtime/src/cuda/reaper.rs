//! Keeps what the GPU still reads until it is done, without making anybody wait.
//!
//! A handle that goes leaves an event behind it on its stream, and what it read, here. When the event has passed, what was
//! read is let go: seen by the next handle that goes, or by a thread that looks at what has waited for a while. Each is
//! looked at for itself, so a slow stream holds up no other. Events are used again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::access::Keep;
use super::driver::{CudaError, DeviceUuid, Event, Progress, Stream};

/// How often the thread looks while something waits, and how long it leaves that to the next handle.
const PERIOD: Duration = Duration::from_micros(500);
/// How long it goes on to look when nothing waits any more; only then has the next handle to wake it.
const LINGER: Duration = Duration::from_secs(1);
/// Pause while it lingers.
const LINGER_PERIOD: Duration = Duration::from_millis(5);

pub(super) struct Reaper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    spare: HashMap<DeviceUuid, Vec<Event>>,
    asleep: bool,
    stop: bool,
}

struct Waiting {
    event: Event,
    keep: Keep,
    since: Instant,
}

impl Reaper {
    pub(super) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            wake: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("cuda reaper".to_owned())
            .spawn(move || own.run())?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Lets `keep` go when all work that is on the stream now is done.
    pub(super) fn after(&self, stream: &Stream, keep: Keep) {
        let mut state = self.shared.lock();
        let spare = state.spare.get_mut(&stream.context().device().uuid());
        let event = match spare.and_then(Vec::pop) {
            Some(event) => Ok(event),
            None => {
                drop(state);
                let made = Event::local(stream.context());
                state = self.shared.lock();
                made
            }
        };
        let recorded = event.and_then(|event| event.record(stream).map(|()| event));
        match recorded {
            Ok(event) => {
                // One look at the one that waits longest: as many go as come.
                let done = match state.waiting.front() {
                    Some(oldest) if is_done(&oldest.event) => state.waiting.pop_front(),
                    _ => None,
                };
                let done = done.map(|done| state.put_back(done));
                let since = Instant::now();
                state.waiting.push_back(Waiting { event, keep, since });
                if state.asleep {
                    state.asleep = false;
                    self.shared.wake.notify_one();
                }
                drop(state);
                drop(done); // may unmap; not under the lock
            }
            Err(error) => {
                drop(state);
                settle(stream, &error);
                drop(keep);
            }
        }
    }

    /// How many things are kept.
    pub(super) fn waiting(&self) -> usize {
        self.shared.lock().waiting.len()
    }
}

/// Without an event the host has to wait; where that fails too the device runs nothing of this process any more.
fn settle(stream: &Stream, error: &CudaError) {
    tracing::warn!(%error, "the end of a read could not be recorded, the host waits for it");
    if let Err(error) = stream.synchronize() {
        tracing::error!(%error, "waiting for a stream failed");
    }
}

/// An event that cannot be asked any more belongs to a device that runs nothing of this process any more.
fn is_done(event: &Event) -> bool {
    !matches!(event.query(), Ok(Progress::Running))
}

impl State {
    fn put_back(&mut self, done: Waiting) -> Keep {
        let device = done.event.context().device().uuid();
        self.spare.entry(device).or_default().push(done.event);
        done.keep
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut last = Instant::now();
        let mut state = self.lock();
        loop {
            if state.stop {
                return;
            }
            let mut done = Vec::new();
            let now = Instant::now();
            for _ in 0..state.waiting.len() {
                let Some(waiting) = state.waiting.pop_front() else {
                    break;
                };
                let is_due = now.saturating_duration_since(waiting.since) >= PERIOD;
                if is_due && is_done(&waiting.event) {
                    let keep = state.put_back(waiting);
                    done.push(keep);
                } else {
                    state.waiting.push_back(waiting);
                }
            }
            if !state.waiting.is_empty() || !done.is_empty() {
                last = Instant::now();
            }
            let pause = match (state.waiting.is_empty(), last.elapsed() < LINGER) {
                (false, _) => Some(PERIOD),
                (true, true) => Some(LINGER_PERIOD),
                (true, false) => None,
            };
            state.asleep = pause.is_none();
            if !done.is_empty() {
                drop(state);
                drop(done);
                state = self.lock();
                continue;
            }
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
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.wake.notify_all();
        let Some(thread) = self.thread.take() else {
            return;
        };
        // It may be the one that lets the last buffer go.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the thread that waits for the GPU had panicked");
        }
        // What still waits: the memory must not be unmapped under a kernel.
        let waiting = std::mem::take(&mut self.shared.lock().waiting);
        for Waiting { event, keep, .. } in waiting {
            if let Err(error) = event.synchronize() {
                tracing::debug!(%error, "waiting for the last reads failed");
            }
            drop(keep);
        }
    }
}

impl std::fmt::Debug for Reaper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reaper")
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}
