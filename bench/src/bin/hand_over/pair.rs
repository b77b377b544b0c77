//! One writer and one reader, whatever stands between them: lockstep, both spinning, first untimed, then timed, then counted.

use std::{
    hint::{black_box, spin_loop},
    ops::RangeInclusive,
    sync::atomic::Ordering,
};

use rosidl_buffer_bench::{Shared, Slot, Watch, allocations, now, sleeps_of_others};
use rustix::thread::{CpuSet, sched_setaffinity};

/// The writing half of a way of handing over.
pub trait Write {
    /// Gets room for `len` bytes and marks them with `number`; timed apart.
    fn prepare(&mut self, number: u64, len: usize);
    /// Hands them over.
    fn send(&mut self, number: u64, slot: &Slot);
}

/// The reading half.
pub trait Read {
    /// Spins until frame `number` is there, lets `look` see it, gives it back.
    fn receive(&mut self, number: u64, slot: &Slot, look: impl FnOnce(&[u8]));
}

/// Marks a frame at both ends.
pub fn mark(bytes: &mut [u8], number: u64) {
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    let end = bytes.len() - 8;
    bytes[end..].copy_from_slice(&number.to_le_bytes());
}

/// Puts the calling thread on one core; threads that it starts later go along.
pub fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).unwrap();
}

/// Prints the percentiles that a run is about.
pub fn percentiles(mut times: Vec<u64>) {
    times.sort_unstable();
    println!("p50 {}", times[times.len() / 2]);
    println!("p99 {}", times[times.len() * 99 / 100]);
    println!("max {}", times[times.len() - 1]);
}

fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Untimed frames at the start.
fn warm_up(frames: u64) -> u64 {
    (frames / 10).max(20)
}

/// The writer's process. Its middleware's threads, if any, stay off the two cores' spinning as the kernel sees fit.
pub fn write(shared: &Shared, len: usize, frames: u64, mut side: impl Write) {
    pin(0);
    let slot = shared.slot(0);
    let (mut got, mut back) = (
        Vec::with_capacity(frames as usize),
        Vec::with_capacity(frames as usize),
    );
    let mut frame = |number: u64, timed: bool| {
        let before = now();
        side.prepare(number, len);
        let start = now();
        slot.start.store(start, Ordering::Relaxed);
        side.send(number, slot);
        while slot.consumed() != number {
            spin_loop();
        }
        if timed {
            got.push(start - before);
            back.push(now() - start);
        }
    };
    let warm = warm_up(frames);
    (1..=warm).for_each(|number| frame(number, false));
    (warm + 1..=warm + frames).for_each(|number| frame(number, true));
    let counted = warm + frames + 1..=warm + 2 * frames;
    let (calls, heap) = count(counted, |number| frame(number, false));
    println!(
        "got {}\nback {}\nwriter_allocations {heap}\nwriter_calls {calls}",
        median(got),
        median(back)
    );
}

/// The reader's process.
pub fn read(shared: &Shared, len: usize, frames: u64, mut side: impl Read) {
    pin(1);
    let slot = shared.slot(0);
    let mut times = Vec::with_capacity(frames as usize);
    let mut frame = |number: u64, timed: bool| {
        side.receive(number, slot, |bytes| {
            let ends = black_box((bytes[0], bytes[bytes.len() - 1]));
            let time = now();
            assert_eq!(bytes.len(), len);
            assert_eq!(bytes[..8], number.to_le_bytes(), "another frame");
            assert_eq!(bytes[len - 8..], number.to_le_bytes(), "a torn frame");
            black_box(ends);
            if timed {
                times.push(time - slot.start.load(Ordering::Relaxed));
            }
        });
        slot.consume(number);
    };
    let warm = warm_up(frames);
    (1..=warm).for_each(|number| frame(number, false));
    (warm + 1..=warm + frames).for_each(|number| frame(number, true));
    let counted = warm + frames + 1..=warm + 2 * frames;
    let (calls, heap) = count(counted, |number| frame(number, false));
    percentiles(times);
    println!("reader_allocations {heap}\nreader_calls {calls}");
}

/// How many system calls and allocations the frames make, those of other threads included: a thread that makes a call on our
/// behalf has to be woken up for it.
fn count(numbers: RangeInclusive<u64>, mut frame: impl FnMut(u64)) -> (u64, u64) {
    let (sleeps, heap) = (sleeps_of_others(), allocations());
    let watch = Watch::start();
    let mut calls = 0;
    for number in numbers {
        if let ((), Some(call)) = watch.used(|| frame(number)) {
            calls += 1;
            if calls == 1 {
                eprintln!("frame {number} made system call {call}");
            }
        }
    }
    drop(watch);
    let heap = allocations() - heap;
    (calls + sleeps_of_others() - sleeps, heap)
}
