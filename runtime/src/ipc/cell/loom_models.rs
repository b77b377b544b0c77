//! All interleavings of a writer and a reader process around one cell, as loom plays them.
//!
//! A block is a cell and a payload. loom fails a model in which the payload is read and written at once or without the
//! order that the cell has to give; the payload's value is the generation, so whoever reads another one saw another use of
//! the block. Each model also counts that no descriptor was lost or taken twice, and that its rare outcomes do happen.
//!
//! Some seconds: `RUSTFLAGS="--cfg loom" cargo test -p rosidl_buffer_runtime --release --lib loom_models`

use std::sync::atomic::{AtomicUsize, Ordering as Std};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::*;

struct Block {
    cell: AtomicU64,
    payload: AtomicU64,
    /// Entered by whoever reads or writes the payload: loom's check that they are in order.
    access: UnsafeCell<()>,
}

// SAFETY: nothing is read or written through `access`; loom itself only counts who enters.
unsafe impl Sync for Block {}

impl Block {
    fn new() -> Arc<Self> {
        let (cell, payload, access) = (AtomicU64::new(0), AtomicU64::new(0), UnsafeCell::new(()));
        Arc::new(Self {
            cell,
            payload,
            access,
        })
    }

    /// Writer: writes a payload, then announces it as often as said.
    fn fill(&self, generation: u64, descriptors: usize) {
        let relaxed = Ordering::Relaxed;
        self.access
            .with_mut(|_| self.payload.store(generation, relaxed));
        for _ in 0..descriptors {
            assert!(publish(&self.cell, generation));
        }
    }

    /// Writer: fills the block anew if nobody refers to it; whether it did.
    fn reuse(&self, generation: u64) -> bool {
        self.come();
        let free = state(&self.cell).is_free();
        if free {
            self.fill(generation, 1);
        }
        free
    }

    /// Reader: looks at the payload if the descriptor of this generation may be taken.
    fn look(&self, generation: u64) -> Result<(), TakeError> {
        self.come();
        take(&self.cell, generation)?;
        let found = self.access.with(|_| self.payload.load(Ordering::Relaxed));
        assert_eq!(found, generation, "the payload of another use of the block");
        assert!(!state(&self.cell).is_free(), "held, so not free");
        release(&self.cell, generation);
        Ok(())
    }

    /// Changes nothing and orders nothing. loom 0.7 remembers only the last access to an atomic when it looks for what else
    /// could have come first, so a lone load is forgotten as soon as another thread loads too; a swap is not.
    fn come(&self) {
        self.cell.fetch_add(0, Ordering::Relaxed);
    }

    fn counts(&self) -> (u64, u16, u16) {
        let now = state(&self.cell);
        (now.generation, now.pending, now.held)
    }
}

/// Three threads that may all change the cell have more interleavings than can be played in minutes: those in which a thread
/// is interrupted more than three times are left out.
fn model_of_three(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// How often something happened in all interleavings.
struct Seen(AtomicUsize);

impl Seen {
    const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    fn note(&self, happened: bool) {
        self.0.fetch_add(happened.into(), Std::Relaxed);
    }

    fn assert(&self, what: &str) {
        assert!(self.0.load(Std::Relaxed) > 0, "never seen: {what}");
    }
}

/// The life of a block: published, perhaps taken, expired, used again, perhaps taken again.
#[test]
fn one_reader_and_reuse() {
    static REUSED: Seen = Seen::new();
    static KEPT: Seen = Seen::new();
    static SECOND: Seen = Seen::new();
    loom::model(|| {
        let block = Block::new();
        block.fill(1, 1);
        let reader = thread::spawn({
            let block = Arc::clone(&block);
            move || (block.look(1), block.look(2))
        });
        let expired = expire(&block.cell, 1);
        let reused = block.reuse(2);
        let (first, second) = reader.join().unwrap();
        assert_eq!(u16::from(first.is_ok()) + expired, 1, "taken or expired");
        let left = u16::from(reused && second.is_err());
        assert_eq!(block.counts(), (if reused { 2 } else { 1 }, left, 0));
        REUSED.note(reused && first.is_ok());
        KEPT.note(!reused);
        SECOND.note(second.is_ok());
    });
    REUSED.assert("a block that was read is used again");
    KEPT.assert("a block that is being read is not used again");
    SECOND.assert("the second use is read");
}

/// As long as no deadline passed, a published descriptor can be taken: the block waits for it.
#[test]
fn what_is_pending_is_not_reused() {
    static REUSED: Seen = Seen::new();
    loom::model(|| {
        let block = Block::new();
        block.fill(1, 1);
        let reader = thread::spawn({
            let block = Arc::clone(&block);
            move || block.look(1)
        });
        let reused = block.reuse(2);
        assert_eq!(reader.join().unwrap(), Ok(()));
        assert_eq!(block.counts(), if reused { (2, 1, 0) } else { (1, 0, 0) });
        REUSED.note(reused);
    });
    REUSED.assert("read and used again");
}

/// Two threads of the reader's process, two descriptors; the writer expires in between and uses the block again.
#[test]
fn two_takers_and_reuse() {
    static BOTH: Seen = Seen::new();
    static ONE: Seen = Seen::new();
    static REUSED: Seen = Seen::new();
    model_of_three(|| {
        let block = Block::new();
        block.fill(1, 2);
        let takers = [(); 2].map(|()| {
            let block = Arc::clone(&block);
            thread::spawn(move || block.look(1).is_ok())
        });
        let expired = expire(&block.cell, 1);
        let reused = block.reuse(2);
        let taken: u16 = takers
            .map(|taker| taker.join().unwrap().into())
            .iter()
            .sum();
        assert_eq!(taken + expired, 2);
        assert_eq!(block.counts(), if reused { (2, 1, 0) } else { (1, 0, 0) });
        BOTH.note(taken == 2);
        ONE.note(taken == 1);
        REUSED.note(reused && taken == 2);
    });
    BOTH.assert("both descriptors taken");
    ONE.assert("one taken, one expired");
    REUSED.assert("used again after both were read");
}

/// One descriptor that two threads try to take, as after a replay: one of them gets it.
#[test]
fn one_descriptor_is_taken_once() {
    loom::model(|| {
        let block = Block::new();
        block.fill(1, 1);
        let other = thread::spawn({
            let block = Arc::clone(&block);
            move || block.look(1)
        });
        let mine = block.look(1);
        let theirs = other.join().unwrap();
        assert!(mine.is_ok() != theirs.is_ok());
        assert_eq!(mine.and(theirs), Err(TakeError::Expired));
        assert_eq!(block.counts(), (1, 0, 0));
    });
}

/// A reader comes with a descriptor that expired, while the block is used again: it gets nothing and takes nothing away
/// from the one that the new descriptor is for.
#[test]
fn a_late_reader_gets_nothing() {
    static EXPIRED: Seen = Seen::new();
    static REUSED: Seen = Seen::new();
    loom::model(|| {
        let block = Block::new();
        block.fill(1, 1);
        assert_eq!(expire(&block.cell, 1), 1);
        let late = thread::spawn({
            let block = Arc::clone(&block);
            move || block.look(1)
        });
        assert!(block.reuse(2), "expired, so free");
        let in_time = thread::spawn({
            let block = Arc::clone(&block);
            move || block.look(2)
        });
        let late = late.join().unwrap();
        EXPIRED.note(late == Err(TakeError::Expired));
        REUSED.note(late == Err(TakeError::Reused));
        assert!(late.is_err());
        assert_eq!(in_time.join().unwrap(), Ok(()));
        assert_eq!(block.counts(), (2, 0, 0));
    });
    EXPIRED.assert("late, before the reuse");
    REUSED.assert("late, after the reuse");
}

/// The same frozen block is sent again while its first descriptor is read.
#[test]
fn published_again_while_it_is_read() {
    loom::model(|| {
        let block = Block::new();
        block.fill(1, 1);
        let reader = thread::spawn({
            let block = Arc::clone(&block);
            move || (block.look(1).is_ok(), block.look(1).is_ok())
        });
        assert!(publish(&block.cell, 1));
        let (first, second) = reader.join().unwrap();
        assert!(first);
        assert_eq!(block.counts(), (1, u16::from(!second), 0));
    });
}

/// A message that did not leave after all is taken back, while a replayed descriptor of the same block is looked at.
#[test]
fn retracted_or_taken() {
    static TAKEN: Seen = Seen::new();
    static RETRACTED: Seen = Seen::new();
    loom::model(|| {
        let block = Block::new();
        block.fill(1, 1);
        let reader = thread::spawn({
            let block = Arc::clone(&block);
            move || block.look(1)
        });
        retract(&block.cell, 1);
        let reused = block.reuse(2);
        let taken = reader.join().unwrap();
        assert_eq!(block.counts(), if reused { (2, 1, 0) } else { (1, 0, 0) });
        assert!(reused || taken.is_ok(), "not taken, so free");
        TAKEN.note(taken.is_ok());
        RETRACTED.note(taken.is_err());
    });
    TAKEN.assert("taken before it was retracted");
    RETRACTED.assert("retracted before it was taken");
}

/// One thread of the reader refuses a descriptor and another takes one, while the writer expires what is pending.
#[test]
fn refused_taken_or_expired() {
    static ALL: Seen = Seen::new();
    static NONE: Seen = Seen::new();
    model_of_three(|| {
        let block = Block::new();
        block.fill(1, 2);
        let refuser = thread::spawn({
            let block = Arc::clone(&block);
            move || refuse(&block.cell, 1)
        });
        let other = thread::spawn({
            let block = Arc::clone(&block);
            move || block.look(1)
        });
        let expired = expire(&block.cell, 1);
        let reused = block.reuse(2);
        refuser.join().unwrap();
        let taken = other.join().unwrap();
        assert!(
            taken.is_ok() || expired > 0,
            "nothing takes a descriptor but the three of them"
        );
        assert!(u16::from(taken.is_ok()) + expired <= 2);
        assert_eq!(block.counts(), if reused { (2, 1, 0) } else { (1, 0, 0) });
        ALL.note(expired == 2);
        NONE.note(expired == 0);
    });
    ALL.assert("expired before anybody came");
    NONE.assert("refused and taken before the deadline");
}
