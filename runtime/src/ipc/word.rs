//! One shared word per block, beside its cell: how far writing is, where the end of it lies in the future.
//!
//! `mark (bit 62) | generation (40 bits)`: the largest generation whose writing is done. Whoever writes stores the
//! generation behind the last byte, on a device as a rule; whoever reads looks, or has a device wait until the word, as a signed
//! number, is large enough. When the writer's process is gone and what it had begun is undone, each of its readers adds the mark:
//! it makes every comparison true, so nobody waits any more, and takes nothing from what was done before. Nothing here waits.
//!
//! Beside the word stands its *end*: what the word said before the first mark, and from then on the last that counts. Work of a gone
//! process that still runs, as it may under MPS, stores a word that takes the mark away; what streams read
//! by then, which the mark had let go, is not to pass for a frame.

use super::atomic::{AtomicU64, Ordering, fence};
use super::cell::MAX_GENERATION;

/// In a word: its process is gone, and what is not done will not be. As large as a word can be for a device, which compares
/// signed numbers.
const GONE: u64 = 1 << 62;

/// How far the writing of a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Done,
    NotYet,
    /// The writer's process ended before.
    Never,
}

/// How far the writing of this use is. Whoever sees it done sees what was written.
pub(crate) fn look(word: &AtomicU64, end: &AtomicU64, generation: u64) -> Written {
    let found = word.load(Ordering::Acquire);
    // Whoever sees a word that was stored over a mark sees the end that was there before the mark.
    fence(Ordering::SeqCst);
    let end = end.load(Ordering::Acquire);
    let found = if end & GONE == 0 { found } else { end };
    if found & MAX_GENERATION >= generation {
        Written::Done
    } else if found & GONE == 0 {
        Written::NotYet
    } else {
        Written::Never
    }
}

/// Reader: the writer's process is gone. Every reader of it does this, in any order.
pub(crate) fn mark_gone(word: &AtomicU64, end: &AtomicU64) {
    let found = word.load(Ordering::Acquire) & MAX_GENERATION;
    // The first one counts: later the word may have been stored over a mark.
    let _ = end.compare_exchange(0, GONE | found, Ordering::AcqRel, Ordering::Acquire);
    fence(Ordering::SeqCst);
    word.fetch_or(GONE, Ordering::AcqRel);
}

/// How a device compares that waits for a word: `CU_STREAM_WAIT_VALUE_GEQ`.
#[cfg(test)]
fn passes(word: &AtomicU64, generation: u64) -> bool {
    let found = word.load(Ordering::Acquire);
    found.wrapping_sub(generation).cast_signed() >= 0
}

#[cfg(all(test, loom))]
#[allow(unsafe_code)] // loom's own cells are for one thread until someone vouches for them
mod loom_models;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_word_tells_what_was_done_also_after_the_end() {
        for (generation, before, after) in [
            (1, Written::Done, Written::Done),
            (7, Written::Done, Written::Done),
            (8, Written::NotYet, Written::Never),
            (MAX_GENERATION, Written::NotYet, Written::Never),
        ] {
            let (word, end) = (AtomicU64::new(7), AtomicU64::new(0));
            assert_eq!(look(&word, &end, generation), before);
            for _ in 0..2 {
                mark_gone(&word, &end); // each reader does it
                assert_eq!(look(&word, &end, generation), after);
            }
            word.store(MAX_GENERATION, Ordering::Relaxed); // later than anybody thought
            assert_eq!(look(&word, &end, generation), after);
            mark_gone(&word, &end);
            assert_eq!(look(&word, &end, generation), after);
        }
    }

    #[test]
    fn the_mark_lets_every_stream_go() {
        let (word, end) = (AtomicU64::new(7), AtomicU64::new(0));
        let passes = |generation| passes(&word, generation);
        assert!(passes(7) && !passes(8) && !passes(MAX_GENERATION));
        mark_gone(&word, &end);
        assert!(passes(7) && passes(8) && passes(MAX_GENERATION));
        word.store(MAX_GENERATION, Ordering::Relaxed);
        mark_gone(&word, &end);
        assert!(passes(1) && passes(MAX_GENERATION));
    }

    /// Nobody sees a frame that is not there, whatever a peer writes into the words.
    #[test]
    fn other_bits_mean_nothing() {
        let word = AtomicU64::new(!MAX_GENERATION & !GONE | 5);
        for end in [0, !GONE] {
            let end = AtomicU64::new(end);
            assert_eq!(look(&word, &end, 5), Written::Done);
            assert_eq!(look(&word, &end, 6), Written::NotYet);
        }
    }
}
