//! From one process to another through a middleware: latency with one frame on its way, then throughput with a few. What is
//! sent and received how is the sides' business; the words that the processes share say only what has been consumed.
//! Nobody spins: a frame wakes the reader up, as in a node.

use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use crate::shared::{Shared, now};

/// Frames on their way at most, when it is about throughput.
const WINDOW: u64 = 4;
const WARM_UP: u64 = 20;
const ONE_BY_ONE: u64 = 200;
const THROUGHPUT: Duration = Duration::from_millis(1500);
const SOON: Duration = Duration::from_secs(20);

/// The writing half: one frame with its number at both ends, out it goes.
pub trait Sender {
    fn send(&mut self, number: u64);
}

/// The reading half: the next frame if one comes in time. Its number at both ends and its length.
pub trait Receiver {
    fn receive(&mut self, timeout: Duration) -> Option<(u64, u64, usize)>;
}

/// Marks a frame at both ends.
pub fn mark(bytes: &mut [u8], number: u64) {
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    let end = bytes.len() - 8;
    bytes[end..].copy_from_slice(&number.to_le_bytes());
}

/// What [`mark`] wrote, and the length.
pub fn look(bytes: &[u8]) -> (u64, u64, usize) {
    let at = |index: usize| u64::from_le_bytes(bytes[index..index + 8].try_into().unwrap());
    (at(0), at(bytes.len() - 8), bytes.len())
}

/// The writer's process, once a reader is known to be there. Prints frames a second.
pub fn write(shared: &Shared, mut side: impl Sender) {
    let slot = shared.slot(0);
    let wait = |until: u64, pause: Duration| {
        let start = Instant::now();
        while slot.consumed() < until {
            assert!(
                start.elapsed() < SOON,
                "the reader stands at {} of {until}",
                slot.consumed()
            );
            if pause.is_zero() {
                thread::yield_now()
            } else {
                thread::sleep(pause)
            }
        }
    };
    for number in 1..=WARM_UP + ONE_BY_ONE {
        slot.start.store(now(), Ordering::SeqCst);
        side.send(number);
        wait(number, Duration::from_micros(100));
        // The machine comes to rest, as between frames of a camera.
        thread::sleep(Duration::from_millis(1));
    }
    let first = WARM_UP + ONE_BY_ONE;
    let mut number = first;
    let start = Instant::now();
    while start.elapsed() < THROUGHPUT {
        number += 1;
        side.send(number);
        wait((number + 1).saturating_sub(WINDOW), Duration::ZERO);
    }
    wait(number, Duration::from_micros(100));
    println!(
        "rate {}",
        (number - first) as f64 / start.elapsed().as_secs_f64()
    );
    slot.publish(u64::MAX, [0; 8]);
}

/// The reader's process. Prints the percentiles of the latency.
pub fn read(shared: &Shared, len: usize, mut side: impl Receiver) {
    let slot = shared.slot(0);
    let mut times = Vec::new();
    let mut expected = 1;
    while slot.published.load(Ordering::Acquire) != u64::MAX {
        let Some((number, end, found)) = side.receive(Duration::from_millis(100)) else {
            continue;
        };
        let time = now();
        assert_eq!(
            (number, end, found),
            (expected, expected, len),
            "lost or torn"
        );
        if (WARM_UP + 1..=WARM_UP + ONE_BY_ONE).contains(&number) {
            times.push(time - slot.start.load(Ordering::SeqCst));
        }
        slot.consume(number);
        expected += 1;
    }
    times.sort_unstable();
    println!(
        "p50 {}\np99 {}",
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    );
}
