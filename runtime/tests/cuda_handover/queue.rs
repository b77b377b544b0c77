//! A subscription with a queue and a slow callback, as a middleware has it, and what it counts.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rosidl_buffer_runtime::{BackendError, Buffer, BufferBackend as _};

use crate::link::{Line, Link, from_words};
use crate::side::Side;

/// What the marks of a link mean.
pub const RIGHT: usize = 0;
pub const WRONG: usize = 1;
pub const LOST: usize = 2;
pub const DROPPED: usize = 3;
pub const EMPTY: usize = 4;
pub const OTHER_ERROR: usize = 5;
pub const WORDS_RIGHT: usize = 6;
pub const MAPPED: usize = 7;
pub const HOLDING: usize = 8;
/// Blocks of the reader's own.
pub const OWN: usize = 9;

impl Line {
    pub fn count(&self) {
        self.add(1);
    }
}

/// As a subscription: frames are taken when they come and wait in a queue of `depth`, from which the oldest falls; the
/// callback takes its time.
pub fn queue(side: &Side, link: &Link, depth: u64, callback: Duration) {
    side.join(link);
    let mut waiting: VecDeque<(u64, Buffer<u8>)> = VecDeque::new();
    let (mut taken, mut idle_from) = (0, Instant::now());
    loop {
        let ending = link.stop.get() == 1;
        while let Some(frame) = link.next(taken) {
            taken += 1;
            match side.cuda.from_descriptor(from_words(&frame.words)) {
                Ok(storage) => {
                    waiting.push_back((frame.number, Buffer::from_storage(storage).unwrap()));
                }
                Err(BackendError::Lost(_)) => link.marks[LOST].count(),
                Err(error) => {
                    eprintln!("frame {}: {error}", frame.number);
                    link.marks[OTHER_ERROR].count();
                }
            }
            link.consumed.set(taken);
            if waiting.len() as u64 > depth {
                waiting.pop_front();
                link.marks[DROPPED].count();
            }
        }
        if Instant::now() >= idle_from
            && let Some((number, buffer)) = waiting.pop_front()
        {
            let read = side.cuda.from_input_buffer(&buffer, &side.stream).unwrap();
            let right = side
                .gpu
                .is_right(side.stream.handle(), read.address(), read.len(), number);
            let what = match (read.is_empty(), right) {
                (true, _) => EMPTY,
                (false, true) => RIGHT,
                (false, false) => WRONG,
            };
            link.marks[what].count();
            let jitter = callback * u32::try_from(number % 7).unwrap() / 42; // up to a seventh, as in the baseline
            idle_from = Instant::now() + callback + jitter;
        } else if ending && waiting.is_empty() && link.next(taken).is_none() {
            return;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}
