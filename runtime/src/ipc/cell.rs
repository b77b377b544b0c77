//! One shared word per (block, reader process): which use of the block it speaks of, and how many refer to it.
//!
//! `generation (40 bits) | pending (12) | held (12)`: *pending* descriptors are on their way to the reader, *held* ones
//! are in its hands. The writer publishes, retracts and expires; the reader takes, refuses and releases. Each step is one
//! compare-and-swap, so generation and counts are checked and changed together, and whatever the other side does in
//! between makes the step start over with what is there now.
//!
//! Two rules make reuse safe. Only the writer raises *pending*, and *held* grows only out of *pending*: a cell that the
//! writer once saw free stays free until the writer publishes again. And all steps are read-modify-writes, so whoever
//! sees a count sees the memory of all who brought it there: a taker sees the payload, a writer that sees the cell free
//! has all reads behind it. Nothing here waits, and no value of the word, however wrong, makes a step panic or overflow.

use super::atomic::{AtomicU64, Ordering};

/// Most descriptors that may be on their way to one reader for one block, and most that it may hold.
pub(crate) const MAX_COUNT: u64 = (1 << COUNT_BITS) - 1;
/// The last generation; a block that has reached it is retired, never published under a smaller one.
pub(crate) const MAX_GENERATION: u64 = (1 << 40) - 1;

const COUNT_BITS: u32 = 12;
const ONE_HELD: u64 = 1;
const ONE_PENDING: u64 = 1 << COUNT_BITS;
const GENERATION_SHIFT: u32 = 2 * COUNT_BITS;

/// What a cell says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) generation: u64,
    pub(crate) pending: u16,
    pub(crate) held: u16,
}

impl State {
    /// Whether nothing of this reader refers to the block, under any generation.
    pub(crate) fn is_free(self) -> bool {
        self.pending == 0 && self.held == 0
    }
}

/// Why a reader may not look at the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakeError {
    /// The cell speaks of another use of the block: the descriptor is older, or was never meant for this reader.
    Reused,
    /// The use is the right one, but nothing is pending any more: too late, or taken before.
    Expired,
    /// The reader holds [`MAX_COUNT`] already; the descriptor is still pending, so [`refuse`] it.
    Full,
}

const fn generation(word: u64) -> u64 {
    word >> GENERATION_SHIFT
}

const fn pending(word: u64) -> u64 {
    (word >> COUNT_BITS) & MAX_COUNT
}

const fn held(word: u64) -> u64 {
    word & MAX_COUNT
}

/// One step: from the word that is there to the one that `next` makes of it, or to `next`'s error with nothing changed.
/// Gives the word that was replaced.
fn step<E>(
    cell: &AtomicU64,
    success: Ordering,
    next: impl Fn(u64) -> Result<u64, E>,
) -> Result<u64, E> {
    let mut word = cell.load(Ordering::Relaxed);
    loop {
        match cell.compare_exchange_weak(word, next(word)?, success, Ordering::Relaxed) {
            Ok(word) => return Ok(word),
            Err(now) => word = now,
        }
    }
}

/// What the cell says now. If it says free, all reads by this reader are over.
pub(crate) fn state(cell: &AtomicU64) -> State {
    let word = cell.load(Ordering::Acquire);
    let count = |count: u64| u16::try_from(count).unwrap_or(u16::MAX); // 12 bits: always fits
    State {
        generation: generation(word),
        pending: count(pending(word)),
        held: count(held(word)),
    }
}

/// Writer: one more descriptor is about to leave. Whoever takes it sees what was written to the block before.
///
/// A cell of another generation starts anew, so the writer must have seen it free since its last publish.
/// `false` if [`MAX_COUNT`] are pending: nothing is changed, and the descriptor must not leave.
#[must_use]
pub(crate) fn publish(cell: &AtomicU64, of: u64) -> bool {
    debug_assert!(of <= MAX_GENERATION, "generation {of} does not fit a cell");
    step(cell, Ordering::Release, |word| {
        if generation(word) != of {
            Ok((of << GENERATION_SHIFT) | ONE_PENDING)
        } else if pending(word) == MAX_COUNT {
            Err(())
        } else {
            Ok(word + ONE_PENDING)
        }
    })
    .is_ok()
}

/// Writer: one descriptor did not leave after all. Does nothing if none is pending.
pub(crate) fn retract(cell: &AtomicU64, of: u64) {
    drop_pending(cell, of);
}

/// Writer: whatever is pending has been so for too long; gives how many there were. What is held stays held.
pub(crate) fn expire(cell: &AtomicU64, of: u64) -> u16 {
    step(cell, Ordering::Relaxed, |word| {
        if generation(word) == of && pending(word) > 0 {
            Ok(word & !(MAX_COUNT << COUNT_BITS))
        } else {
            Err(())
        }
    })
    .map_or(0, |word| u16::try_from(pending(word)).unwrap_or(u16::MAX))
}

/// Reader: turns one pending descriptor into a held one. From here to [`release`] the block is the reader's to read.
pub(crate) fn take(cell: &AtomicU64, of: u64) -> Result<(), TakeError> {
    step(cell, Ordering::Acquire, |word| {
        if generation(word) != of {
            Err(TakeError::Reused)
        } else if pending(word) == 0 {
            Err(TakeError::Expired)
        } else if held(word) == MAX_COUNT {
            Err(TakeError::Full)
        } else {
            Ok(word - ONE_PENDING + ONE_HELD)
        }
    })
    .map(drop)
}

/// Reader: gives back one pending descriptor unread. Does nothing if none is pending.
pub(crate) fn refuse(cell: &AtomicU64, of: u64) {
    drop_pending(cell, of);
}

/// Reader: one held reference ends, with all reads through it. Does nothing if none is held under this generation.
pub(crate) fn release(cell: &AtomicU64, of: u64) {
    let _nothing_held = step(cell, Ordering::Release, |word| {
        if generation(word) == of && held(word) > 0 {
            Ok(word - ONE_HELD)
        } else {
            Err(())
        }
    });
}

fn drop_pending(cell: &AtomicU64, of: u64) {
    let _nothing_pending = step(cell, Ordering::Relaxed, |word| {
        if generation(word) == of && pending(word) > 0 {
            Ok(word - ONE_PENDING)
        } else {
            Err(())
        }
    });
}

#[cfg(all(test, loom))]
#[allow(unsafe_code)] // loom's own cells are for one thread until someone vouches for them
mod loom_models;
#[cfg(all(test, not(loom)))]
mod tests;
