//! A reader is killed while it holds blocks and its work is in flight: when the writer has them back, and how fast it ends then.

use std::time::Duration;

use crate::count;
use crate::link::{Link, from_words, now};
use crate::other::Other;
use crate::side::Side;

const MB: usize = 1 << 20;
const HELD: u64 = 3;
/// Marks of the writer: how long its blocks were gone, when it began to end.
const BACK: usize = 0;
const ENDING: usize = 1;
const HOLDING: usize = 8;

pub fn deaths() {
    let runs = count(10, 3);
    let (mut back, mut exit) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let mut publisher = Other::start("publisher");
        assert!(publisher.wait().success());
        let end = now();
        back.push(publisher.link.marks[BACK].get());
        exit.push(end - publisher.link.marks[ENDING].get());
    }
    println!(
        "\n## Reader killed with -9 while it holds {HELD} blocks of 64 MB, its kernels running; {runs} runs (ms)\n"
    );
    println!("| | smallest | median | largest |");
    println!("|---|---|---|---|");
    for (name, mut values) in [
        ("from the kill to all blocks free", back),
        ("the writer's own normal exit after that", exit),
    ] {
        values.sort_unstable();
        let ms = |at: usize| values[at] as f64 / 1e6;
        println!(
            "| {name} | {:.1} | {:.1} | **{:.1}** |",
            ms(0),
            ms(runs / 2),
            ms(runs - 1)
        );
    }
}

/// The writer; it starts its reader, kills it, and ends.
pub fn publish(link: &Link) {
    let mut reader = Other::start("holder");
    let side = Side::new().unwrap();
    let to = side.serve(&reader.link);
    for frame in 0..HELD {
        let buffer = side.write(64 * MB, frame, Duration::ZERO).unwrap();
        assert!(side.send(&reader.link, frame, &buffer, &to));
    }
    while reader.link.marks[HOLDING].get() < HELD {
        std::hint::spin_loop();
    }
    let start = now();
    reader.kill();
    while side.in_use() > 0 {
        std::thread::sleep(Duration::from_micros(50));
    }
    link.marks[BACK].set(now() - start);
    // All of them can be written and read again.
    let buffers: Vec<_> = (0..HELD)
        .map(|frame| side.write(64 * MB, frame, Duration::ZERO).unwrap())
        .collect();
    assert_eq!(side.cuda.stats().blocks as u64, HELD);
    drop(buffers);
    drop(reader);
    link.marks[ENDING].set(now());
}

pub fn hold(side: &Side, link: &Link) {
    side.join(link);
    let mut held = Vec::new();
    loop {
        if let Some(frame) = link.next(held.len() as u64) {
            held.push(
                side.cuda
                    .read(&from_words(&frame.words), &side.stream)
                    .unwrap(),
            );
            link.marks[HOLDING].set(held.len() as u64);
        }
        side.gpu
            .spin(side.stream.handle(), Duration::from_millis(5));
    }
}
