//! Frames between processes: all right or counted, in as few blocks as are in use.

use std::time::{Duration, Instant};

use rosidl_buffer_runtime::cuda::{AccessError, CudaBackend};
use rosidl_buffer_runtime::{AllocateError, Buffer, BufferBackend as _};

use crate::gpu::word;
use crate::link::{Link, from_words};
use crate::other::{Other, all_words};
use crate::queue::{DROPPED, EMPTY, LOST, MAPPED, OTHER_ERROR, RIGHT, WORDS_RIGHT, WRONG};
use crate::side::{Side, eventually};

const MB: usize = 1 << 20;
const SOON: Duration = Duration::from_secs(20);

#[test]
fn every_word_of_every_frame_arrives() {
    for (len, frames, window, role) in [
        (MB, 1000, 1, "prompt"),
        (MB, 1000, 3, "prompt"),
        (64 * MB, 200, 1, "prompt"),
        (64 * MB, 200, 3, "prompt"),
        (4 * MB - 4, 200, 2, "prompt-default"),
    ] {
        let Some(side) = Side::new() else { return };
        let mut other = Other::start(role);
        let reader = side.serve(&other.link);
        for frame in 0..frames {
            eventually("the reader goes on", SOON, || {
                frame - other.link.consumed.get() < window
            });
            // Now and then long before it is written: then only the order on the device can make it right.
            let busy = Duration::from_millis(if frame % 50 == 7 { 3 } else { 0 });
            let buffer = side.write(len, frame, busy).unwrap();
            assert!(side.send(&other.link, frame, &buffer, &reader), "connected");
        }
        other.end();
        let marks = &other.link.marks;
        assert_eq!(
            (
                marks[RIGHT].get(),
                marks[WRONG].get(),
                marks[OTHER_ERROR].get()
            ),
            (frames, 0, 0)
        );
        let stats = side.cuda.stats();
        println!(
            "{len} bytes, {frames} frames, {window} in flight: {} blocks",
            stats.blocks
        );
        // In flight, one to write, and one that the reader's device has just done with.
        assert!(stats.blocks as u64 <= window + 2, "{stats:?}");
        assert_eq!(marks[MAPPED].get(), stats.blocks as u64);
    }
}

#[test]
fn the_default_stream_orders_as_any_other() {
    let Some(side) = Side::new() else { return };
    let device = side.cuda.devices().next().unwrap().uuid();
    let default = side.cuda.default_stream(device).unwrap();
    let mut other = Other::start("prompt-default");
    let reader = side.serve(&other.link);
    for frame in 0..300 {
        eventually("the reader goes on", SOON, || {
            frame - other.link.consumed.get() < 2
        });
        let mut buffer = side.cuda.allocate_buffer(MB).unwrap();
        let write = side.cuda.from_output_buffer(&mut buffer, &default).unwrap();
        if frame % 20 == 3 {
            side.gpu.spin(default.handle(), Duration::from_millis(2));
        }
        side.gpu
            .fill(default.handle(), write.address(), write.len(), frame);
        drop(write);
        assert!(side.send(&other.link, frame, &buffer, &reader));
    }
    other.end();
    assert_eq!(
        (other.link.marks[RIGHT].get(), other.link.marks[WRONG].get()),
        (300, 0)
    );
}

#[test]
fn several_readers_get_the_same_blocks() {
    let Some(side) = Side::new() else { return };
    let mut others: Vec<_> = (0..4).map(|_| Other::start("prompt")).collect();
    let readers: Vec<_> = others.iter().map(|other| side.serve(&other.link)).collect();
    for frame in 0..500 {
        let buffer = side.write_soon(4 * MB, frame, Duration::ZERO);
        for (other, reader) in others.iter().zip(&readers) {
            eventually("the reader goes on", SOON, || {
                frame - other.link.consumed.get() < 3
            });
            assert!(side.send(&other.link, frame, &buffer, reader));
        }
    }
    for other in &mut others {
        other.end();
        assert_eq!(
            (other.link.marks[RIGHT].get(), other.link.marks[WRONG].get()),
            (500, 0)
        );
    }
    let stats = side.cuda.stats();
    assert!(stats.blocks <= 6, "{stats:?}");
    assert_eq!(stats.described, 2000);
}

/// Ten times as fast as the baseline's grid, and with so few blocks that all are used again all the time.
#[test]
fn a_slow_reader_gets_right_frames_or_counted_losses() {
    if Side::new().is_none() {
        return;
    }
    let run = |depth: u64, period: Duration, blocks: usize| {
        let side = Side::with(CudaBackend::builder().max_blocks(blocks)).unwrap();
        let mut other = Other::start(&format!("queue {depth} 20"));
        let reader = side.serve(&other.link);
        let (mut sent, mut no_block) = (0, 0);
        let start = Instant::now();
        for frame in 0..400u32 {
            std::thread::sleep((start + period * frame).saturating_duration_since(Instant::now()));
            match side.write(16 * MB, frame.into(), Duration::ZERO) {
                Ok(buffer) => {
                    std::thread::sleep(Duration::from_millis(1));
                    assert!(side.send(&other.link, frame.into(), &buffer, &reader));
                    sent += 1;
                }
                Err(AccessError::Allocate(AllocateError::Exhausted { .. })) => no_block += 1,
                Err(error) => panic!("{error}"),
            }
        }
        other.end();
        let [right, wrong, lost, dropped, empty, errors] =
            [RIGHT, WRONG, LOST, DROPPED, EMPTY, OTHER_ERROR]
                .map(|mark| other.link.marks[mark].get());
        println!(
            "depth {depth}, every {period:?}, {blocks} blocks: {sent} sent, {no_block} times no block; {right} right, {dropped} fell from the queue, {lost} lost"
        );
        assert_eq!((wrong, empty, errors), (0, 0, 0));
        assert_eq!(right + dropped + lost, sent);
        assert!(right > 0);
    };
    std::thread::scope(|scope| {
        for depth in 1..=8 {
            let blocks = usize::try_from(depth).unwrap() + 1; // too few: one is read, one is written
            scope.spawn(move || run(depth, Duration::from_millis(3), blocks));
        }
    });
    std::thread::scope(|scope| {
        for depth in [1, 2, 4, 8] {
            scope.spawn(move || run(depth, Duration::from_millis(2), 16));
        }
    });
}

#[test]
fn a_reader_that_writes_faults_alone() {
    let Some(side) = Side::new() else { return };
    let (mut vandal, mut good) = (Other::start("vandal"), Other::start("prompt"));
    let readers = [&vandal, &good].map(|other| side.serve(&other.link));
    let shared = side.write(4 * MB, 0, Duration::ZERO).unwrap();
    assert!(side.send(&vandal.link, 0, &shared, &readers[0]));
    eventually("it faults", SOON, || vandal.link.consumed.get() == 1);
    assert!(side.send(&good.link, 0, &shared, &readers[1]));
    vandal.end();
    assert_eq!(vandal.link.marks[RIGHT].get(), 1);
    for frame in 1..200 {
        eventually("the reader goes on", SOON, || {
            frame - good.link.consumed.get() < 2
        });
        let buffer = side.write(4 * MB, frame, Duration::ZERO).unwrap();
        assert!(side.send(&good.link, frame, &buffer, &readers[1]));
    }
    good.end();
    assert_eq!(
        (good.link.marks[RIGHT].get(), good.link.marks[WRONG].get()),
        (200, 0)
    );
    let bytes = shared.to_vec().unwrap();
    let mine = bytes.chunks_exact(4).zip(0..).filter(|(bytes, index)| {
        u32::from_ne_bytes((*bytes).try_into().unwrap()) == word(*index, 0)
    });
    assert_eq!(mine.count(), MB, "no word of the writer changed");
    drop(shared);
    eventually("all blocks come back", SOON, || side.in_use() == 0);
}

/// Its memory goes with the last who holds it, and what it had begun is finished first.
#[test]
fn frames_of_a_writer_that_left_are_read_later() {
    let Some(side) = Side::new() else { return };
    for round in 0..3 {
        let mut other = Other::start("leaver");
        side.join(&other.link);
        let take = |link: &Link| {
            [0, 1, 2].map(|taken| {
                let frame = link.next(taken).unwrap();
                let storage = side.cuda.from_descriptor(from_words(&frame.words)).unwrap();
                (frame.number, Buffer::<u8>::from_storage(storage).unwrap())
            })
        };
        eventually("three frames", SOON, || other.link.published.get() == 3);
        let early = (round != 1).then(|| take(&other.link));
        other.wait();
        let late = (round == 1).then(|| take(&other.link));
        if round == 2 {
            std::thread::sleep(Duration::from_secs(1)); // the publisher is forgotten by then
        }
        for (number, buffer) in early.iter().chain(&late).flatten() {
            let read = side.cuda.from_input_buffer(buffer, &side.stream).unwrap();
            let handle = side.stream.handle();
            assert!(
                side.gpu
                    .is_right(handle, read.address(), read.len(), *number),
                "round {round}"
            );
        }
    }
    eventually("what was mapped goes", SOON, || {
        side.cuda.stats().imports == 0
    });
}

/// A reader that does not take what was sent in time loses it, and knows.
#[test]
fn what_comes_too_late_is_lost_and_not_wrong() {
    let deadline = Duration::from_millis(30);
    let builder = CudaBackend::builder()
        .max_blocks(1)
        .pending_deadline(deadline);
    let Some(side) = Side::with(builder) else {
        return;
    };
    let mut other = Other::start("queue 4 1");
    side.cuda.on_discovering_endpoint("nonsense");
    let reader = side.serve(&other.link);
    let mut late = Vec::new();
    for frame in 0..5 {
        // Described to the reader, and kept back.
        let buffer = side.write_soon(MB, frame, Duration::ZERO);
        let descriptor = side
            .cuda
            .create_descriptor(buffer.storage().unwrap(), &reader)
            .unwrap();
        late.push((frame, descriptor.expect("connected")));
    }
    for (number, descriptor) in late {
        let words = crate::link::to_words(&descriptor);
        other.link.publish(&crate::link::Frame {
            number,
            start: 0,
            words,
        });
    }
    other.end();
    let marks = [RIGHT, LOST, WRONG, OTHER_ERROR].map(|mark| other.link.marks[mark].get());
    assert_eq!((marks[0] + marks[1], marks[2], marks[3]), (5, 0, 0));
    assert!(marks[1] >= 4, "{marks:?}");
    assert!(side.cuda.stats().expired >= 4);
}

/// A million small frames, without a wait for the device: nothing grows.
#[test]
fn a_million_frames_leave_everything_as_it_was() {
    let Some(side) = Side::with(CudaBackend::builder().max_blocks(256)) else {
        return;
    };
    let frames: u64 = std::env::var("FRAMES").map_or(1_000_000, |text| text.parse().unwrap());
    let len = 16 << 10;
    let mut other = Other::start("busy 0");
    let reader = side.serve(&other.link);
    // How many blocks there are depends on how far the device is behind at the worst. Each is a file and 2 MiB.
    let besides_blocks = || {
        let blocks = side.cuda.stats().blocks;
        let free = usize::try_from(side.gpu.free_memory() >> 20).unwrap();
        (open_files() - blocks, free + 2 * blocks)
    };
    let (mut warm, mut last, mut slowest) = (None, Instant::now(), Duration::ZERO);
    let mut first = None;
    for frame in 0..frames {
        while frame - other.link.consumed.get() >= 32 {
            std::hint::spin_loop();
        }
        let buffer = side.write_soon(len, frame, Duration::ZERO);
        assert!(side.send(&other.link, frame, &buffer, &reader));
        if (frame + 1) % (frames / 10) == 0 {
            drop(buffer);
            let now = besides_blocks();
            let took = last.elapsed();
            println!(
                "{}: {took:?}; open files, free MiB, but for blocks: {now:?}",
                frame + 1
            );
            eventually("all blocks come back", SOON, || side.in_use() == 0);
            warm.get_or_insert(now);
            first.get_or_insert(took);
            slowest = slowest.max(took);
            last = Instant::now();
        }
    }
    let now = besides_blocks();
    let warm = warm.unwrap();
    other.end();
    assert_eq!(other.link.marks[RIGHT].get(), frames);
    assert_eq!(other.link.marks[WORDS_RIGHT].get(), all_words(frames, len));
    assert!(now.0 <= warm.0 + 8, "{warm:?} became {now:?}");
    assert!(now.1 + 64 >= warm.1, "{warm:?} became {now:?}");
    assert!(slowest < 2 * first.unwrap(), "{first:?} became {slowest:?}");
    eventually("all blocks come back", SOON, || side.in_use() == 0);
}

pub fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
