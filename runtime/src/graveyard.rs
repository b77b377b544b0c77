//! Where things go whose end may wait for a device: memory that is registered with one, for example.
//!
//! What is buried is dropped later, many things together, on a thread of its own: such an end may keep all other threads from
//! the driver until the device is through with its work, and that may be to wait for another process. Things are kept until
//! there are [`MANY`], or [`LARGE`] bytes of them, or nobody uses a device any more. In a child of `fork` nothing is dropped: it is
//! the parent's.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many things are kept at most.
const MANY: usize = 64;
/// So many bytes of host memory are kept at most.
const LARGE: usize = 256 << 20;

static GRAVEYARD: Graveyard = Graveyard::new();

/// Drops `thing`, which holds so many bytes, some time later on another thread.
pub(crate) fn bury(thing: impl Send + 'static, bytes: usize) {
    GRAVEYARD.bury(thing, bytes);
}

/// While one of these lives things are collected; when the last goes, they go.
#[cfg(any(test, feature = "cuda"))]
#[derive(Debug)]
pub(crate) struct User(&'static Graveyard);

#[cfg(feature = "cuda")]
impl User {
    pub(crate) fn new() -> Self {
        GRAVEYARD.user()
    }
}

#[cfg(any(test, feature = "cuda"))]
impl Drop for User {
    fn drop(&mut self) {
        if self.0.is_child() {
            return;
        }
        let mut state = self.0.lock();
        state.users -= 1;
        self.0.empty_if_due(&state);
    }
}

#[derive(Debug)]
struct Graveyard {
    /// The process that first came here; 0: none did.
    owner: AtomicU32,
    state: Mutex<State>,
}

struct State {
    things: Vec<Box<dyn Send>>,
    bytes: usize,
    users: usize,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("things", &self.things.len())
            .finish_non_exhaustive()
    }
}

impl Graveyard {
    const fn new() -> Self {
        Self {
            owner: AtomicU32::new(0),
            state: Mutex::new(State {
                things: Vec::new(),
                bytes: 0,
                users: 0,
            }),
        }
    }

    /// Whether the things here are a parent's. Its lock may never be given back then.
    fn is_child(&self) -> bool {
        let own = std::process::id();
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        let first = self.owner.compare_exchange(0, own, set, get);
        first.is_err_and(|owner| owner != own)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(any(test, feature = "cuda"))]
    fn user(&'static self) -> User {
        if !self.is_child() {
            self.lock().users += 1;
        }
        User(self)
    }

    fn bury(&'static self, thing: impl Send + 'static, bytes: usize) {
        if self.is_child() {
            std::mem::forget(thing);
            return;
        }
        let mut state = self.lock();
        state.things.push(Box::new(thing));
        state.bytes = state.bytes.saturating_add(bytes);
        self.empty_if_due(&state);
    }

    fn empty_if_due(&'static self, state: &State) {
        let is_due = state.users == 0 || state.things.len() >= MANY || state.bytes >= LARGE;
        if !is_due || state.things.is_empty() {
            return;
        }
        let thread = std::thread::Builder::new().name("graveyard".to_owned());
        if let Err(error) = thread.spawn(|| self.empty()) {
            // Tried again with the next thing.
            tracing::warn!(%error, "no thread to give registered memory back in; it stays for now");
        }
    }

    fn empty(&self) {
        let mut state = self.lock();
        state.bytes = 0;
        let things = std::mem::take(&mut state.things);
        drop(state);
        drop(things);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread::ThreadId;
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    /// Tells where it ends.
    struct Told(Sender<ThreadId>);

    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(std::thread::current().id());
        }
    }

    fn ends(told: &Receiver<ThreadId>, many: usize) {
        for _ in 0..many {
            let on = told.recv_timeout(SOON).expect("it ends");
            assert_ne!(on, std::thread::current().id());
        }
        assert!(told.try_recv().is_err(), "and no other");
    }

    #[test]
    fn things_end_together_and_elsewhere() {
        let yard: &'static Graveyard = Box::leak(Box::new(Graveyard::new()));
        let (say, told) = channel();
        let bury = |bytes| yard.bury(Told(say.clone()), bytes);
        let (user, other) = (yard.user(), yard.user());
        for _ in 1..MANY {
            bury(1);
        }
        assert_eq!(yard.lock().things.len(), MANY - 1, "kept");
        bury(1);
        ends(&told, MANY);
        bury(LARGE - 1);
        assert_eq!(yard.lock().things.len(), 1, "kept");
        bury(1);
        ends(&told, 2);
        bury(1);
        drop(other);
        assert_eq!(yard.lock().things.len(), 1, "somebody still uses a device");
        drop(user);
        ends(&told, 1);
        bury(1);
        ends(&told, 1); // nobody does
    }

    #[test]
    fn a_child_leaves_all_of_it_to_its_parent() {
        let yard: &'static Graveyard = Box::leak(Box::new(Graveyard::new()));
        yard.owner.store(u32::MAX, Ordering::Relaxed); // no process has this number
        let held = yard.lock(); // by a thread that the child does not have
        let (say, told) = channel();
        drop(yard.user());
        yard.bury(Told(say), LARGE);
        assert!(told.try_recv().is_err());
        assert!(held.things.is_empty());
    }
}
