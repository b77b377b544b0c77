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
/// Started at a time; measured one after the other.
const BATCH: usize = 8;

pub fn cold() {
    let processes = count(32, 8);
    println!(
        "\n## First block of a fresh process, {processes} processes (µs, from before it is passed on to the reader's stream being told to wait)\n"
    );
    println!("| MB | ours p50 / max | floor p50 / max |");
    println!("|---|---|---|");
    for mb in [1, 64, 256] {
        let times = ["cold-ours", "cold-floor"].map(|role| {
            let times = (0..processes / BATCH).flat_map(|_| batch(role, mb * MB));
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

fn batch(role: &str, len: usize) -> Vec<u64> {
    let others: Vec<Other> = (0..BATCH).map(|_| Other::start(role)).collect();
    let measured = others.into_iter().map(|mut other| {
        let time = if role == "cold-ours" {
            let side = Side::new().unwrap();
            let gpu = Gpu::new();
            let mut publisher = OurPublisher::new(side, &other.link);
            other.wait_until_ready();
            let address = publisher.begin(len);
            gpu.fill(publisher.stream(), address, len, 0);
            publisher.record();
            let start = now();
            let words = publisher.describe();
            other.link.publish(&Frame {
                number: 0,
                start: len as u64,
                words,
            });
            wait(&other.link) - start
        } else {
            let mut publisher = FloorPublisher::new(other.socket.take().unwrap(), len);
            other.wait_until_ready();
            let (message, fd) = publisher.make();
            let address = publisher.begin(len);
            Gpu::new().fill(publisher.stream(), address, len, 0);
            publisher.record();
            let start = now();
            publisher.pass_only(&message, &fd);
            wait(&other.link) - start
        };
        assert_eq!(other.link.marks[1].get(), u64::from(crate::gpu::words(len)));
        assert!(other.end().success());
        time
    });
    measured.collect()
}

fn wait(link: &Link) -> u64 {
    while link.consumed.get() == 0 {
        std::hint::spin_loop();
    }
    link.marks[0].get()
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
