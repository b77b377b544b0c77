//! All interleavings of a writer's host and streams, a reader's host and streams, and the end of the writer's process.
//!
//! A stream is a thread; its write of a word is a store behind what it wrote before, and its wait for one a look that is
//! repeated, as the driver documents them. loom fails a model in which the payload is read and written at once or without the order that
//! words and cells have to give, or in which somebody waits for good. The models take for granted that a process writes no more when
//! its readers learn of its end, but for the last, which plays what comes of it if it does.
//!
//! Some seconds: `RUSTFLAGS="--cfg loom" cargo test -p rosidl_buffer_runtime --release --lib loom_models`

use std::sync::atomic::{AtomicUsize, Ordering as Std};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::ipc::cell::{publish, release, state, take};

struct Block {
    word: AtomicU64,
    end: AtomicU64,
    /// How many bytes there are, written by the host.
    beside: AtomicU64,
    cell: AtomicU64,
    payload: AtomicU64,
    /// Entered by whoever reads or writes the payload: loom's check that they are in order.
    access: UnsafeCell<()>,
}

// SAFETY: nothing is read or written through `access`; loom itself only counts who enters.
unsafe impl Sync for Block {}

impl Block {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            word: AtomicU64::new(0),
            end: AtomicU64::new(0),
            beside: AtomicU64::new(0),
            cell: AtomicU64::new(0),
            payload: AtomicU64::new(0),
            access: UnsafeCell::new(()),
        })
    }

    /// Writer's stream: the kernels of a use, and the word behind them.
    fn write(&self, generation: u64) {
        self.access
            .with_mut(|_| self.payload.store(generation, Ordering::Relaxed));
        self.word.store(generation, Ordering::Release);
    }

    /// Writer's host: says how long it is and sends the descriptor, whether or not the stream has come so far.
    fn send(&self, generation: u64) {
        self.beside.store(len(generation), Ordering::Release);
        assert!(publish(&self.cell, generation));
    }

    fn look(&self, generation: u64) -> Written {
        look(&self.word, &self.end, generation)
    }

    /// A stream: goes on when the word is large enough.
    fn wait(&self, generation: u64) {
        while !passes(&self.word, generation) {
            thread::yield_now();
        }
    }

    /// Reader's stream.
    fn read(&self, generation: u64) {
        let found = self.access.with(|_| self.payload.load(Ordering::Relaxed));
        assert_eq!(found, generation, "the payload of another use of the block");
    }

    /// Reader: takes the descriptor, has its stream wait unless the host sees that it need not, reads, and gives it back.
    fn take_and_read(&self, generation: u64) -> Option<Written> {
        take(&self.cell, generation).ok()?;
        let beside = self.beside.load(Ordering::Acquire);
        assert_eq!(beside, len(generation), "the length of another use");
        let seen = self.look(generation);
        if seen == Written::NotYet {
            self.wait(generation);
        }
        self.read(generation);
        release(&self.cell, generation);
        Some(seen)
    }
}

fn len(generation: u64) -> u64 {
    1000 + generation
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

fn spawn<T: 'static>(
    block: &Arc<Block>,
    work: impl FnOnce(&Block) -> T + 'static,
) -> thread::JoinHandle<T> {
    let block = Arc::clone(block);
    thread::spawn(move || work(&block))
}

/// A descriptor that leaves before the frame is written.
#[test]
fn a_frame_is_read_behind_its_word() {
    static EARLY: Seen = Seen::new();
    static LATE: Seen = Seen::new();
    loom::model(|| {
        let block = Block::new();
        let stream = spawn(&block, |block| block.write(1));
        let reader = spawn(&block, |block| block.take_and_read(1));
        block.send(1);
        stream.join().unwrap();
        let seen = reader.join().unwrap();
        EARLY.note(seen == Some(Written::NotYet));
        LATE.note(seen == Some(Written::Done));
        assert_ne!(seen, Some(Written::Never));
    });
    EARLY.assert("taken before it was written");
    LATE.assert("taken when it was written");
}

/// The block of a frame that nobody took is used again, on another stream, while the first one still writes: the second one
/// waits for the first word, so words only grow and both writings are in order.
#[test]
fn a_block_is_written_again_behind_its_last_word() {
    static WAITED: Seen = Seen::new();
    static SEEN: Seen = Seen::new();
    loom::model(|| {
        let block = Block::new();
        let first = spawn(&block, |block| block.write(1));
        let second = spawn(&block, |block| {
            let done = block.look(1) == Written::Done;
            if !done {
                block.wait(1);
            }
            block.write(2);
            done
        });
        let early = block.look(2) == Written::Done;
        assert!(!early || block.look(1) == Written::Done, "words only grow");
        first.join().unwrap();
        let done = second.join().unwrap();
        WAITED.note(!done);
        SEEN.note(done);
        assert_eq!(block.look(2), Written::Done);
    });
    WAITED.assert("the second stream waited for the first");
    SEEN.assert("the host saw that it need not");
}

/// A reader holds the first use; the writer takes the block again when the cell says that it is free.
#[test]
fn a_block_is_written_again_behind_its_reader() {
    static REUSED: Seen = Seen::new();
    static KEPT: Seen = Seen::new();
    loom::model(|| {
        let block = Block::new();
        block.send(1);
        let stream = spawn(&block, |block| block.write(1));
        let reader = spawn(&block, |block| block.take_and_read(1));
        // A swap: loom does not play what a lone load could have seen.
        block.cell.fetch_add(0, Ordering::Relaxed);
        let free = state(&block.cell).is_free();
        if free {
            block.wait(1);
            block.send(2);
            block.write(2);
        }
        stream.join().unwrap();
        assert!(reader.join().unwrap().is_some());
        REUSED.note(free);
        KEPT.note(!free);
    });
    REUSED.assert("used again after it was read");
    KEPT.assert("kept while it was read");
}

/// The writer's process ended when so many of two frames were done. One reader marks the words while another one's stream
/// waits and its host looks, and then marks too.
#[test]
fn the_end_of_the_writer_lets_everybody_go_and_shows_nothing_unfinished() {
    for done in 0..=2 {
        static WAITED: Seen = Seen::new();
        static TOLD: Seen = Seen::new();
        loom::model(move || {
            let block = Block::new();
            // The second frame, if any, lies in another block; here stands what the last done one left.
            for generation in 1..=done {
                block.write(generation);
            }
            let is_done = move |generation| generation <= done;
            let marker = spawn(&block, move |block| {
                mark_gone(&block.word, &block.end);
                for generation in 1..=2 {
                    let expected = if is_done(generation) {
                        Written::Done
                    } else {
                        Written::Never
                    };
                    assert_eq!(block.look(generation), expected);
                }
            });
            let waiter = spawn(&block, move |block| {
                let before = block.look(2);
                block.wait(2); // ends by the mark at the latest
                let after = block.look(2);
                assert_eq!(after == Written::Done, is_done(2));
                assert_ne!(after, Written::NotYet, "let go, so it is known");
                if after == Written::Done {
                    block.read(2);
                }
                mark_gone(&block.word, &block.end);
                before
            });
            marker.join().unwrap();
            let before = waiter.join().unwrap();
            assert_eq!(before == Written::Done, is_done(2));
            WAITED.note(before == Written::NotYet);
            TOLD.note(before == Written::Never);
        });
        if done == 2 {
            WAITED.assert("the stream waited when the mark came");
            TOLD.assert("the mark was there before");
        }
    }
}

/// A kernel of the gone process still runs and stores its word, over the mark or before it, while readers mark and a
/// stream is let go: what that read may be torn, and then it does not pass for a frame.
#[test]
fn a_word_that_comes_late_makes_no_torn_frame_right() {
    static TORN: Seen = Seen::new();
    static WHOLE: Seen = Seen::new();
    loom::model(|| {
        let block = Block::new();
        let late = spawn(&block, |block| {
            block.payload.store(1, Ordering::Relaxed); // in no order with who was let go
            block.word.store(1, Ordering::Release);
        });
        let reader = spawn(&block, |block| {
            if !passes(&block.word, 1) {
                return None; // it waits on
            }
            let found = block.payload.load(Ordering::Relaxed);
            let seen = block.look(1);
            let is_right = seen != Written::Done || found == 1;
            assert!(is_right, "torn, and taken for right");
            assert_ne!(seen, Written::NotYet, "let go, so it is known");
            Some((found, seen))
        });
        for _ in 0..2 {
            mark_gone(&block.word, &block.end); // each reader does it
        }
        late.join().unwrap();
        let read = reader.join().unwrap();
        TORN.note(read == Some((0, Written::Never)));
        WHOLE.note(read == Some((1, Written::Done)));
    });
    TORN.assert("read too early");
    WHOLE.assert("stored before any mark");
}
