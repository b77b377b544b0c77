//! Lets go whoever waits for a publisher whose process is gone.
//!
//! In: what the blocks of a publisher have in common, with a descriptor that becomes readable when its process ends. Out:
//! [`Memory::release`], a moment after that end. This has a thread of its own, beside the service's: the service maps and
//! unmaps blocks, which may wait for a device, and that may wait for the very process whose end is to be noticed. Nothing
//! here calls a device, or takes a lock that is held during such a call.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};

use super::config::RELEASE;
use super::memory::Memory;

const WAKE: u64 = 0;
/// Pause when the system fails.
const PAUSE: Duration = Duration::from_millis(10);

/// The processes that are watched.
pub(crate) struct Watch<M: Memory> {
    epoll: OwnedFd,
    wake: OwnedFd,
    state: Mutex<State<M>>,
}

struct State<M: Memory> {
    watched: HashMap<u64, Watched<M>>,
    last: u64,
    stop: bool,
}

struct Watched<M: Memory> {
    common: Weak<M::Common>,
    exit: OwnedFd,
    /// When it is released: its process is gone.
    due: Option<Instant>,
}

impl<M: Memory> Watch<M> {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let data = epoll::EventData::new_u64(WAKE);
        epoll::add(&epoll, &wake, data, epoll::EventFlags::IN)?;
        Ok(Self {
            epoll,
            wake,
            state: Mutex::new(State {
                watched: HashMap::new(),
                last: WAKE,
                stop: false,
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on `common` is released when `exit` is readable, as long as somebody has it.
    pub(crate) fn add(&self, common: &Arc<M::Common>, exit: OwnedFd) -> io::Result<()> {
        let mut state = self.lock();
        state.last += 1;
        let token = state.last;
        let data = epoll::EventData::new_u64(token);
        epoll::add(&self.epoll, &exit, data, epoll::EventFlags::IN)?;
        let watched = Watched {
            common: Arc::downgrade(common),
            exit,
            due: None,
        };
        state.watched.insert(token, watched);
        self.forget_unused(&mut state);
        Ok(())
    }

    /// Engines may come and go in a process that stays.
    fn forget_unused(&self, state: &mut State<M>) {
        state.watched.retain(|_, watched| {
            let is_used = watched.common.strong_count() > 0;
            if !is_used && watched.due.is_none() {
                let _ = epoll::delete(&self.epoll, &watched.exit);
            }
            is_used
        });
    }

    pub(crate) fn stop(&self) {
        self.lock().stop = true;
        // Full means that it is awake already.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Watches until it is stopped.
    pub(crate) fn run(&self) {
        let mut events = Vec::with_capacity(64);
        loop {
            let (stop, timeout) = self.release_due();
            if stop {
                return;
            }
            events.clear();
            let spare = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.epoll, spare, timeout.as_ref()) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => {
                    tracing::error!(%error, "the ends of processes cannot be waited for; it is tried again");
                    std::thread::sleep(PAUSE);
                }
            }
            let due = Instant::now() + RELEASE;
            let mut state = self.lock();
            for event in &events {
                // Copied out: the kernel's struct may be packed.
                let token = event.data.u64();
                if let Some(watched) = state.watched.get_mut(&token) {
                    // It would be reported without end.
                    let _ = epoll::delete(&self.epoll, watched.exit.as_fd());
                    watched.due.get_or_insert(due);
                }
            }
        }
    }

    /// Releases what is due; gives whether to stop, and how long nothing is to be done.
    fn release_due(&self) -> (bool, Option<Timespec>) {
        let now = Instant::now();
        let mut state = self.lock();
        let mut over = Vec::new();
        state.watched.retain(|_, watched| {
            let is_over = watched.due.is_some_and(|due| due <= now);
            if is_over {
                over.extend(watched.common.upgrade());
            }
            !is_over
        });
        self.forget_unused(&mut state);
        let next = state.watched.values().filter_map(|watched| watched.due);
        let timeout = next.min().map(|due| {
            // Rounded up, so that the time has come when the wait is over.
            let left = due.saturating_duration_since(now) + Duration::from_millis(1);
            Timespec::try_from(left).unwrap_or(Timespec {
                tv_sec: 1,
                tv_nsec: 0,
            })
        });
        let stop = state.stop;
        drop(state);
        for common in over {
            M::release(&common);
        }
        (stop, timeout)
    }
}
