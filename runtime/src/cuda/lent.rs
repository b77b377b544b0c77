//! Adopted memory that readers in other processes read in place: kept until the last of them is through with it.
//!
//! They give it back without a call, so a thread looks now and then, while there is something to look at. What keeps the memory
//! goes then; the block stays for a while, as the next frame may come in the same memory.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::backend::Inner;
use super::reaper::let_go;
use super::storage::StorageRef;

/// How often the thread looks.
const PERIOD: Duration = Duration::from_millis(2);
/// How long a block stays that nobody uses: it keeps memory that its owner may have given up.
const IDLE: Duration = Duration::from_secs(2);

/// What readers elsewhere may still read.
#[derive(Default)]
pub(super) struct Lent {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    uses: Vec<Use>,
    /// There is a thread.
    watched: bool,
}

struct Use {
    storage: StorageRef,
    block: u64,
}

impl Lent {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps adopted memory, which this block is, until nobody here has it and nobody elsewhere reads it.
    pub(super) fn keep(inner: &Arc<Inner>, storage: StorageRef, block: u64) -> io::Result<()> {
        let mut state = inner.lent.lock();
        if !state.watched {
            let inner = Arc::downgrade(inner);
            std::thread::Builder::new()
                .name("cuda lent".to_owned())
                .spawn(move || watch(&inner))?;
            state.watched = true;
        }
        state.uses.push(Use { storage, block });
        Ok(())
    }
}

/// Until there is nothing left to look at; then the next that is lent starts another thread.
fn watch(backend: &Weak<Inner>) {
    loop {
        std::thread::sleep(PERIOD);
        let Some(inner) = backend.upgrade() else {
            return;
        };
        let Some(pool) = inner.engine.adopting() else {
            return; // never: a forked child has no such thread
        };
        // Not under the lock: what keeps the memory may take its time to go, or make buffers.
        let uses = std::mem::take(&mut inner.lent.lock().uses);
        let (over, left): (Vec<_>, Vec<_>) = uses.into_iter().partition(|lent| {
            Arc::strong_count(lent.storage.as_arc()) == 1 && {
                // Nobody can be told of it any more. What is left are readers that were.
                if let Some(storage) = lent.storage.get() {
                    storage.forget_shared();
                }
                pool.is_over(lent.block)
            }
        });
        inner.lent.lock().uses.extend(left);
        over.into_iter().for_each(let_go);
        let kept = pool.drop_adopted(IDLE, |_| true);
        let mut state = inner.lent.lock();
        if state.uses.is_empty() && !kept {
            state.watched = false;
            return;
        }
    }
}
