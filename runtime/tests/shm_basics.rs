//! Shared memory between engines of one process, which behave as those of two.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::time::{Duration, Instant};

use rosidl_buffer_runtime::shm::{ShmBackend, ShmBufferDescriptor};
use rosidl_buffer_runtime::{AllocateError, BackendError, Buffer, BufferBackend};

const SOON: Duration = Duration::from_secs(5);

/// Two ends, the second connected to read from the first.
fn pair() -> (ShmBackend, ShmBackend) {
    let ends = (ShmBackend::new().unwrap(), ShmBackend::new().unwrap());
    ends.1.connect(&ends.0.backend_metadata(), SOON).unwrap();
    ends
}

fn describe(from: &ShmBackend, buffer: &Buffer<u8>, to: &ShmBackend) -> ShmBufferDescriptor {
    from.describe(buffer.storage().unwrap().as_ref(), &to.backend_metadata())
        .unwrap()
        .expect("connected")
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn frames_pass_and_blocks_come_back() {
    let (writer, reader) = pair();
    for number in 0..1000u32 {
        let mut frame = writer.try_allocate(100_000).unwrap();
        frame.fill(number.to_le_bytes()[0]);
        let buffer = frame.into_buffer();
        let descriptor = describe(&writer, &buffer, &reader);
        drop(buffer);
        let read = reader.read(&descriptor).unwrap();
        assert_eq!(read.len(), 100_000);
        assert!(read.iter().all(|byte| *byte == number.to_le_bytes()[0]));
    }
    let stats = writer.stats();
    assert_eq!(
        (stats.made, stats.blocks, stats.blocks_free),
        (1, 1, 1),
        "{stats:?}"
    );
    let stats = reader.stats();
    assert_eq!(
        (stats.taken, stats.imports, stats.writers),
        (1000, 1, 1),
        "{stats:?}"
    );
}

#[test]
fn a_ring_needs_one_block_more_than_are_held() {
    let (writer, reader) = pair();
    for held in [0usize, 1, 3] {
        let writer = ShmBackend::builder().max_blocks(held + 1).build().unwrap();
        reader.connect(&writer.backend_metadata(), SOON).unwrap();
        let mut queue = std::collections::VecDeque::new();
        for number in 0..1000usize {
            let mut frame = writer.try_allocate(4096).unwrap();
            frame.fill(number.to_le_bytes()[0]);
            let descriptor = describe(&writer, &frame.into_buffer(), &reader);
            queue.push_back((number, reader.read(&descriptor).unwrap()));
            if queue.len() > held {
                let (number, read) = queue.pop_front().unwrap();
                assert!(read.iter().all(|byte| *byte == number.to_le_bytes()[0]));
            }
        }
    }
    drop(writer);
}

#[test]
fn what_is_held_is_never_written_and_what_is_late_is_lost() {
    let writer = ShmBackend::builder()
        .max_blocks(1)
        .pending_deadline(Duration::from_millis(20))
        .build()
        .unwrap();
    let reader = ShmBackend::new().unwrap();
    reader.connect(&writer.backend_metadata(), SOON).unwrap();
    let first = describe(&writer, &writer.to_buffer(&[1; 10]).unwrap(), &reader);
    assert!(matches!(
        writer.try_allocate(10),
        Err(AllocateError::Exhausted { blocks: 1, .. })
    ));
    let read = reader.read(&first).unwrap();
    std::thread::sleep(Duration::from_millis(30));
    assert!(writer.try_allocate(10).is_err(), "held");
    assert_eq!(&read[..], [1; 10]);
    assert!(
        matches!(reader.read(&first), Err(BackendError::Lost(_))),
        "taken once"
    );
    drop(read);

    let second = describe(&writer, &writer.to_buffer(&[2; 10]).unwrap(), &reader);
    let mut third = writer.allocate(10, SOON).unwrap(); // after the deadline
    third.fill(3);
    assert!(matches!(reader.read(&second), Err(BackendError::Lost(_))));
    let third = describe(&writer, &third.into_buffer(), &reader);
    assert!(
        matches!(reader.read(&second), Err(BackendError::Lost(_))),
        "used again"
    );
    assert_eq!(&reader.read(&third).unwrap()[..], [3; 10]);
    let stats = reader.stats();
    assert_eq!((stats.lost_expired, stats.lost_reused), (2, 1), "{stats:?}");
    assert_eq!(writer.stats().expired, 1);
}

#[test]
fn the_own_process_gets_the_block_itself() {
    let shm = ShmBackend::new().unwrap();
    let buffer = shm.to_buffer(&[5; 100]).unwrap();
    let descriptor = describe(&shm, &buffer, &shm);
    let read: Buffer<u8> = shm.read(&descriptor).unwrap().into();
    assert_eq!(
        read.as_slice().map(<[u8]>::as_ptr),
        buffer.as_slice().map(<[u8]>::as_ptr)
    );
    assert!(shm.read(&descriptor).is_err(), "once");
    drop(buffer);
    assert_eq!(shm.stats().blocks_free, 0);
    drop(read);
    assert_eq!(shm.stats().blocks_free, 1);
}

#[test]
fn a_reader_that_goes_gives_all_back_and_a_publisher_that_goes_takes_nothing() {
    let (writer, reader) = pair();
    let buffers: Vec<_> = (0..4)
        .map(|_| writer.to_buffer(&[9; 5000]).unwrap())
        .collect();
    let descriptors: Vec<_> = buffers
        .iter()
        .map(|b| describe(&writer, b, &reader))
        .collect();
    drop(buffers);
    let held = reader.read(&descriptors[0]).unwrap();
    assert_eq!(writer.stats().blocks_free, 0);
    drop(reader);
    // What it holds keeps the connection, so that the memory stays.
    assert_eq!(writer.stats().held, 1);
    assert_eq!(&held[..], [9; 5000]);
    drop(held);
    eventually("all blocks are free", || writer.stats().blocks_free == 4);
    assert_eq!(writer.stats().readers, 0);

    let (writer, reader) = pair();
    let descriptors: Vec<_> = (1..3)
        .map(|number| {
            describe(
                &writer,
                &writer.to_buffer(&[number; 5000]).unwrap(),
                &reader,
            )
        })
        .collect();
    let held = reader.read(&descriptors[0]).unwrap();
    drop(writer);
    let late = reader.read(&descriptors[1]).unwrap();
    assert_eq!((&held[..], &late[..]), (&[1; 5000][..], &[2; 5000][..]));
    eventually("the publisher is forgotten", || reader.stats().writers == 0);
    assert_eq!(&held[..], [1; 5000]);
    assert_eq!(reader.stats().imports, 2);
    drop((held, late));
    assert_eq!(reader.stats().imports, 0);
}

#[test]
fn strangers_get_bytes() {
    let (writer, reader) = pair();
    let other = ShmBackend::new().unwrap();
    let buffer = writer.to_buffer(&[1]).unwrap();
    let storage = buffer.storage().unwrap();
    for metadata in ["", "1", "nonsense", &other.backend_metadata()] {
        assert_eq!(
            writer.describe(storage.as_ref(), metadata).unwrap(),
            None,
            "{metadata}"
        );
    }
    // Memory of somebody else is not ours to describe.
    let read = reader.read(&describe(&writer, &buffer, &reader)).unwrap();
    let read: Buffer<u8> = read.into();
    let storage = read.storage().unwrap();
    assert_eq!(
        reader
            .describe(storage.as_ref(), &writer.backend_metadata())
            .unwrap(),
        None
    );
    let error = other.connect("1.2", SOON).unwrap_err();
    assert!(matches!(error, BackendError::Malformed(_)), "{error}");
    drop(writer);
    let gone = format!("1.{}.{}", "1".repeat(32), "2".repeat(32));
    let error = other.connect(&gone, SOON).unwrap_err().to_string();
    assert!(error.contains("another host"), "{error}");
}

#[test]
fn the_limit_itself_can_be_had_and_nothing_is_given_up_in_vain() {
    let shm = ShmBackend::builder().max_bytes(40_960).build().unwrap();
    assert_eq!(shm.try_allocate(40_000).unwrap().len(), 40_000);
    assert_eq!(shm.trim(Duration::ZERO), 40_960);
    assert!(matches!(
        shm.try_allocate(40_961),
        Err(AllocateError::TooLarge { limit: 40_960, .. })
    ));
    let kept = shm.to_buffer(&vec![1; 30_000]).unwrap();
    drop(shm.to_buffer(&[2; 4000]).unwrap());
    let before = shm.stats();
    assert_eq!((before.blocks, before.blocks_free), (2, 1));
    for _ in 0..10 {
        let error = shm.try_allocate(20_000).unwrap_err();
        assert!(matches!(error, AllocateError::Exhausted { .. }), "{error}");
    }
    assert_eq!(
        shm.stats().blocks,
        2,
        "the small block would not have sufficed"
    );
    drop(kept);
    assert!(shm.try_allocate(20_000).is_ok());
}

#[test]
fn a_buffer_that_is_kept_may_be_sent_for_ever() {
    let deadline = Duration::from_millis(20);
    let writer = ShmBackend::builder()
        .pending_deadline(deadline)
        .build()
        .unwrap();
    let reader = ShmBackend::new().unwrap();
    reader.connect(&writer.backend_metadata(), SOON).unwrap();
    let kept = writer.to_buffer(&[1; 100]).unwrap();
    let storage = kept.storage().unwrap();
    let metadata = reader.backend_metadata();
    let mut described = 0;
    // Nobody takes any of them.
    while writer
        .describe(storage.as_ref(), &metadata)
        .unwrap()
        .is_some()
    {
        described += 1;
        assert!(described <= 4095);
    }
    std::thread::sleep(2 * deadline);
    let descriptor = describe(&writer, &kept, &reader);
    assert_eq!(&reader.read(&descriptor).unwrap()[..], [1; 100]);
    assert_eq!(writer.stats().expired, 4095);
}

#[test]
fn descriptors_of_others_retract_nothing() {
    let (writer, reader) = pair();
    let (first, second) = (
        writer.to_buffer(&[1]).unwrap(),
        writer.to_buffer(&[2]).unwrap(),
    );
    let good = describe(&writer, &first, &reader);
    let other = describe(&writer, &second, &reader);
    let metadata = reader.backend_metadata();
    for wrong in [
        ShmBufferDescriptor {
            engine_id: [7; 16],
            ..good.clone()
        },
        ShmBufferDescriptor {
            block_id: good.block_id + 1024,
            ..good.clone()
        },
        ShmBufferDescriptor {
            generation: 2,
            ..good.clone()
        },
    ] {
        writer.retract_descriptor(wrong, &metadata);
    }
    assert_eq!(&reader.read(&good).unwrap()[..], [1]);
    writer.retract_descriptor(other.clone(), &metadata);
    assert!(matches!(reader.read(&other), Err(BackendError::Lost(_))));
}

/// Blocks that are used for the first time, one after the other: the reader may keep less than it holds.
#[test]
fn what_is_held_does_not_push_out_what_comes() {
    const LIMIT: u64 = 1 << 20;
    const LEN: usize = 500_000;
    let writer = ShmBackend::new().unwrap();
    let reader = ShmBackend::builder().import_limit(LIMIT).build().unwrap();
    reader.connect(&writer.backend_metadata(), SOON).unwrap();
    let block = writer.try_allocate(LEN).unwrap().capacity() as u64;
    let mut ours = Vec::new(); // so that each frame takes another block
    let mut cold = |came: bool| {
        let buffer = writer
            .to_buffer(&vec![ours.len().to_le_bytes()[0]; LEN])
            .unwrap();
        let descriptor = describe(&writer, &buffer, &reader);
        if came {
            // Long enough for its memory to come, and to be taken for idle.
            std::thread::sleep(Duration::from_millis(20));
        }
        let start = Instant::now();
        let read = reader.read(&descriptor).unwrap();
        assert!(
            start.elapsed() < Duration::from_millis(400),
            "waited for what had come"
        );
        assert_eq!(&read[..], buffer.as_slice().unwrap());
        ours.push(buffer);
        read
    };
    let held = [cold(true), cold(true), cold(false)];
    for number in 0..20 {
        drop(cold(number % 2 == 0));
        let idle = reader.stats().imported_bytes - held.len() as u64 * block;
        assert!(idle <= LIMIT + block, "{idle} bytes stay for nobody");
    }
    drop(held);
    drop(cold(false));
    let stats = reader.stats();
    assert!(stats.imported_bytes <= LIMIT + block, "{stats:?}");
    let lost = (
        stats.lost_unreachable,
        stats.lost_expired,
        stats.lost_reused,
    );
    assert_eq!((stats.taken, lost), (24, (0, 0, 0)), "{stats:?}");

    // One that was pushed out is asked for again.
    let first = describe(&writer, &ours[0], &reader);
    assert_eq!(reader.read(&first).unwrap()[0], 0);
}
