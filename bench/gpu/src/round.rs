//! Frames in lock-step: one is on its way at a time. A kernel fills it by its number, a kernel of the other process compares
//! every word; one frame that is not right voids the row. Both sides spin.

use std::collections::HashSet;
use std::time::Duration;

use crate::gpu::{Gpu, words};
use crate::link::{Frame, Link, WORDS, now};

pub trait Publisher {
    /// A block to write, as an address on the device, with all that has to be done before work is put on the stream.
    fn begin(&mut self, len: usize) -> u64;
    /// The end of writing.
    fn record(&mut self);
    fn describe(&mut self) -> [u64; WORDS];
    /// Lets the frame go.
    fn finish(&mut self);
    fn stream(&self) -> usize;
    fn blocks(&self) -> usize;
    fn block_of(&self, words: &[u64; WORDS]) -> u64;
    /// Calls to the driver so far.
    fn calls(&self) -> u64;
}

pub trait Subscriber {
    /// The frame as an address, with its stream told to wait.
    fn take(&mut self, words: &[u64; WORDS], len: usize) -> u64;
    /// The end of reading, after the last work was put on the stream.
    fn release(&mut self);
    fn stream(&self) -> usize;
    fn calls(&self) -> u64;
}

/// Marks of the reader: when it had the address, when it had seen that all is right, how many words were, its calls.
const HAS: usize = 0;
const VERIFIED: usize = 1;
const RIGHT: usize = 2;
pub const CALLS: usize = 3;
pub const READY: usize = 15;
const PATIENCE: Duration = Duration::from_secs(20);

/// What was measured of one frame, in nanoseconds.
#[derive(Clone, Copy)]
pub struct Times {
    /// From the start of publishing, the end of writing being put on the stream included, until the reader has the frame.
    pub host: u64,
    /// The same from after the record.
    pub after_record: u64,
    /// What the writer does itself, without the launch of its kernel.
    pub own: u64,
    pub verified: u64,
    pub allocate: u64,
    /// The block was used for the first time.
    pub first: bool,
}

pub struct Result {
    pub times: Vec<Times>,
    pub wrong: u64,
    pub blocks: usize,
    /// Calls of both sides per warm frame.
    pub calls: f64,
    pub seconds: f64,
}

/// Which frames.
#[derive(Clone, Copy)]
pub struct Frames {
    pub len: usize,
    pub count: u64,
    /// Zero is as fast as it goes.
    pub period: Duration,
}

impl Frames {
    /// As fast as it goes.
    pub fn new(len: usize, count: u64) -> Self {
        Self {
            len,
            count,
            period: Duration::ZERO,
        }
    }
}

/// One writer's part.
pub fn publish(publisher: &mut impl Publisher, gpu: &Gpu, link: &Link, frames: Frames) -> Result {
    let Frames {
        len,
        count: frames,
        period,
    } = frames;
    let (mut times, mut wrong, mut seen) = (Vec::new(), 0, HashSet::new());
    let (mut calls, began) = (0, now());
    let period = u64::try_from(period.as_nanos()).unwrap();
    let sent = link.published.get();
    for number in sent..sent + frames {
        while now() < began + (number - sent) * period {
            std::hint::spin_loop();
        }
        if number == sent + frames / 10 {
            calls = publisher.calls() + link.marks[CALLS].get();
        }
        let a = now();
        let address = publisher.begin(len);
        let b = now();
        gpu.fill(publisher.stream(), address, len, number);
        let start = now();
        publisher.record();
        let recorded = now();
        let words = publisher.describe();
        link.publish(&Frame {
            number,
            start: len as u64,
            words,
        });
        publisher.finish();
        let end = now();
        while link.consumed.get() != number + 1 {
            std::hint::spin_loop();
        }
        wrong += u64::from(link.marks[RIGHT].get() != u64::from(crate::gpu::words(len)));
        times.push(Times {
            host: link.marks[HAS].get() - start,
            after_record: link.marks[HAS].get().saturating_sub(recorded),
            own: (b - a) + (end - start),
            verified: link.marks[VERIFIED].get() - start,
            allocate: b - a,
            first: seen.insert(publisher.block_of(&words)),
        });
    }
    let counted = frames - frames / 10;
    let calls = publisher.calls() + link.marks[CALLS].get() - calls;
    Result {
        times,
        wrong,
        blocks: publisher.blocks(),
        calls: calls as f64 / counted as f64,
        seconds: (now() - began) as f64 / 1e9,
    }
}

/// The reader's part, until it is told to stop.
pub fn subscribe(subscriber: &mut impl Subscriber, gpu: &Gpu, link: &Link) {
    let stream = subscriber.stream();
    link.marks[READY].set(1);
    for taken in 0.. {
        let frame = loop {
            if let Some(frame) = link.next(taken) {
                break frame;
            }
            if link.stop.get() == 1 {
                return;
            }
            std::hint::spin_loop();
        };
        let len = usize::try_from(frame.start).unwrap();
        let address = subscriber.take(&frame.words, len);
        link.marks[HAS].set(now());
        gpu.reset();
        gpu.check(stream, address, len, frame.number).unwrap();
        subscriber.release();
        let right = gpu
            .answer(stream, PATIENCE)
            .unwrap()
            .expect("the device gets ready");
        link.marks[VERIFIED].set(now());
        assert!(right <= u64::from(words(len)));
        link.marks[RIGHT].set(right);
        link.marks[CALLS].set(subscriber.calls());
        link.consumed.set(taken + 1);
    }
}
