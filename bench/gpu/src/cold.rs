//! The first block that a process reads, in fresh processes whose context and connection are there.

use crate::floor::{FloorPublisher, FloorSubscriber};
use crate::gpu::Gpu;
use crate::link::{Frame, Link, from_words, now};
use crate::other::Other;
use crate::ours::OurPublisher;
use crate::round::{Publisher as _, READY, Subscriber as _};
use crate::side::Side;
use crate::{count, quantile, sorted};

const MB: usize = 1 << 20;
/// Started at a time; measured one after the other, once all are there: a process that opens the device keeps the others waiting.
const BATCH: usize = 8;

pub fn cold() {
    let processes = count(32, 8);
    println!(
        "\n## First block of a fresh process, {processes} processes (µs, from before it is passed on to the reader's stream being told to wait)\n"
    );
    println!("| MB | ours p50 / max | floor p50 / max |");
    println!("|---|---|---|");
    for mb in [1, 64, 256] {
        let times = [ours, floor].map(|batch| {
            let times = (0..processes / BATCH).flat_map(|_| batch(mb * MB));
            let times = sorted(times);
            format!(
                "**{:.0}** / {:.0}",
                quantile(&times, 0.5),
                quantile(&times, 1.0)
            )
        });
        println!("| {mb} | {} | {} |", times[0], times[1]);
    }
}

fn ours(len: usize) -> Vec<u64> {
    let others = start("cold-ours");
    let publish = |other: &Other| OurPublisher::new(Side::new().unwrap(), &other.link);
    let publishers: Vec<_> = others.iter().map(publish).collect();
    others.iter().for_each(Other::wait_until_ready);
    let measured = others
        .into_iter()
        .zip(publishers)
        .map(|(other, mut publisher)| {
            let address = publisher.begin(len);
            let gpu = &publisher.side.gpu;
            gpu.fill(publisher.stream(), address, len, 0);
            publisher.record();
            let start = now();
            let words = publisher.describe();
            other.link.publish(&Frame {
                number: 0,
                start: len as u64,
                words,
            });
            seen(other, len) - start
        });
    measured.collect()
}

fn floor(len: usize) -> Vec<u64> {
    let mut others = start("cold-floor");
    let publish = |other: &mut Other| FloorPublisher::new(other.socket.take().unwrap(), len);
    let publishers: Vec<_> = others.iter_mut().map(publish).collect();
    others.iter().for_each(Other::wait_until_ready);
    let gpu = Gpu::new();
    let measured = others
        .into_iter()
        .zip(publishers)
        .map(|(other, mut publisher)| {
            let (message, fd) = publisher.make();
            let address = publisher.begin(len);
            gpu.fill(publisher.stream(), address, len, 0);
            publisher.record();
            let start = now();
            publisher.pass_only(&message, &fd);
            seen(other, len) - start
        });
    measured.collect()
}

fn start(role: &str) -> Vec<Other> {
    (0..BATCH).map(|_| Other::start(role)).collect()
}

/// When the other process had the frame, whose words it found right.
fn seen(other: Other, len: usize) -> u64 {
    while other.link.consumed.get() == 0 {
        std::hint::spin_loop();
    }
    let seen = other.link.marks[0].get();
    assert_eq!(other.link.marks[1].get(), u64::from(crate::gpu::words(len)));
    assert!(other.end().success());
    seen
}

pub fn take_ours(side: &Side, link: &Link) {
    side.join(link);
    link.marks[READY].set(1);
    let frame = loop {
        if let Some(frame) = link.next(0) {
            break frame;
        }
        std::hint::spin_loop();
    };
    let read = side
        .cuda
        .read(&from_words(&frame.words), &side.stream)
        .unwrap();
    link.marks[0].set(now());
    let right = side
        .gpu
        .count(side.stream.handle(), read.address(), read.len(), 0);
    link.marks[1].set(right.unwrap().unwrap());
    link.consumed.set(1);
}

pub fn take_floor(link: &Link) {
    let gpu = Gpu::new();
    let mut subscriber = FloorSubscriber::new();
    link.marks[READY].set(1);
    let (size, address) = subscriber.first();
    link.marks[0].set(now());
    let right = gpu.count(subscriber.stream(), address, size, 0);
    link.marks[1].set(right.unwrap().unwrap());
    link.consumed.set(1);
}
