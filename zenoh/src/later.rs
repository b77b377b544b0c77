//! What is put off while a publisher holds its lock.
//!
//! Zenoh delivers within a session on the publishing thread, inside `put`. What is then done there may run code of the
//! user's: a message that falls out of a full queue is dropped, a future is woken. If that code publishes on the same
//! publisher, it must not wait for itself. Backends that decode a descriptor are not put off: they must not publish.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
};

type Work = Box<dyn FnOnce()>;

thread_local! {
    /// `None` where nothing is put off.
    static LATER: RefCell<Option<Vec<Work>>> = const { RefCell::new(None) };
}

/// Runs `work`; what it gives to [`later`] on this thread runs after it.
pub(crate) fn putting_off<T>(work: impl FnOnce() -> T) -> T {
    /// Also when `work` panics.
    struct End(Option<Vec<Work>>);
    impl Drop for End {
        fn drop(&mut self) {
            let before = self.0.take();
            let put_off = LATER.with(|later| later.replace(before));
            put_off.into_iter().flatten().for_each(run);
        }
    }
    let before = LATER.with(|later| later.replace(Some(Vec::new())));
    let end = End(before);
    let result = work();
    drop(end);
    result
}

/// Runs `work` now, or when the publisher of this thread has let go of its lock. A panic is logged: the thread may be Zenoh's.
pub(crate) fn later(work: impl FnOnce() + 'static) {
    let now = LATER.with(|later| match later.borrow_mut().as_mut() {
        Some(put_off) => {
            put_off.push(Box::new(work));
            None
        }
        None => Some(work),
    });
    if let Some(work) = now {
        run(work);
    }
}

/// Runs what is not ours; a panic of it is logged.
pub(crate) fn run(work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        tracing::error!("a message panicked when it was dropped, or a future when it was woken");
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use super::*;

    #[test]
    fn work_waits_for_the_end_and_no_longer() {
        let done = Rc::new(Cell::new(0));
        let add = |number| {
            let done = Rc::clone(&done);
            move || done.set(done.get() + number)
        };
        later(add(1));
        assert_eq!(done.get(), 1);
        putting_off(|| {
            later(add(10));
            putting_off(|| later(add(100)));
            assert_eq!(done.get(), 101, "an inner publisher's own");
        });
        assert_eq!(done.get(), 111);
        putting_off(|| {
            later(|| panic!("dropped badly"));
            later(add(1000));
        });
        later(add(10_000));
        assert_eq!(done.get(), 11_111);
    }
}
