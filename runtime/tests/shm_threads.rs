//! Engines of one process used from many threads at once: what ThreadSanitizer watches.
//!
//! `RUSTFLAGS=-Zsanitizer=thread cargo +nightly test -Zbuild-std --target x86_64-unknown-linux-gnu -p rosidl_buffer_runtime --test
//! shm_threads`. Writer and reader see a block at different addresses, as two processes would, so the sanitizer sees races on the
//! bookkeeping of both, and races on payload only where both are one engine; a torn frame is seen by its content.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::{
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use rosidl_buffer_runtime::{
    BackendError, Buffer, BufferBackend as _,
    shm::{ShmBackend, ShmBufferDescriptor},
};

const SOON: Duration = Duration::from_secs(60);
const LEN: usize = 10_000;
const FRAMES: u64 = if cfg!(debug_assertions) {
    2_000
} else {
    20_000
};

fn fill(bytes: &mut [u8], number: u64) {
    for word in bytes.chunks_exact_mut(8) {
        word.copy_from_slice(&number.to_le_bytes());
    }
}

fn is_whole(bytes: &[u8], number: u64) -> bool {
    let number = number.to_le_bytes();
    bytes.chunks_exact(8).all(|word| word == number)
}

/// Frames to several readers; each gets its own descriptor.
fn write(
    shm: &ShmBackend,
    readers: &[(String, SyncSender<(u64, ShmBufferDescriptor)>)],
    number: &AtomicU64,
) {
    for _ in 0..FRAMES {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let mut block = shm.allocate(LEN, SOON).unwrap();
        fill(&mut block, number);
        let buffer = block.into_buffer();
        for (name, queue) in readers {
            let descriptor = shm
                .create_descriptor(buffer.storage().unwrap(), name)
                .unwrap();
            queue
                .send((number, descriptor.expect("connected")))
                .unwrap();
        }
    }
}

/// Takes what comes; the last few stay held, as a queue would hold them.
fn read(shm: &ShmBackend, queue: &Receiver<(u64, ShmBufferDescriptor)>, seen: &AtomicU64) {
    let mut held = Vec::new();
    for (number, descriptor) in queue {
        let handle = shm.read(&descriptor).unwrap();
        assert!(is_whole(&handle, number), "frame {number} is torn");
        held.push((number, handle));
        if held.len() > 3 {
            let (number, handle) = held.remove(0);
            assert!(
                is_whole(&handle, number),
                "frame {number} changed while it was held"
            );
            // It may come back on another thread.
            let buffer = Buffer::from(handle);
            if number % 7 == 0 {
                thread::spawn(move || drop(buffer)).join().unwrap();
            }
        }
        seen.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn many_threads_write_and_read_and_no_frame_is_lost_or_torn() {
    let writer = ShmBackend::builder()
        .pending_deadline(SOON)
        .max_blocks(64)
        .build()
        .unwrap();
    let readers = [
        ShmBackend::new().unwrap(),
        ShmBackend::new().unwrap(),
        writer.clone(),
    ];
    for reader in &readers {
        reader.connect(&writer.backend_metadata(), SOON).unwrap();
        let name = reader.backend_metadata();
        assert!(name == writer.backend_metadata() || writer.wait_for_reader(&name, SOON));
    }
    const WRITERS: u64 = 2;
    let (number, seen, done) = (AtomicU64::new(1), AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let (mut queues, mut threads) = (Vec::new(), Vec::new());
        for reader in &readers {
            let (queue, frames) = sync_channel(4);
            queues.push((reader.backend_metadata(), queue));
            threads.push(scope.spawn(|| {
                let frames = frames;
                read(reader, &frames, &seen);
            }));
        }
        for _ in 0..WRITERS {
            let queues = queues.clone();
            let (writer, number) = (&writer, &number);
            threads.push(scope.spawn(move || write(writer, &queues, number)));
        }
        drop(queues);
        // Others ask, trim, and come and go meanwhile.
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                writer.trim(Duration::ZERO);
                for shm in &readers {
                    let _ = shm.stats();
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let passing = ShmBackend::new().unwrap();
                passing.connect(&writer.backend_metadata(), SOON).unwrap();
            }
        });
        let ended: Vec<_> = threads
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        done.store(true, Ordering::Relaxed);
        for ended in ended {
            ended.unwrap();
        }
    });
    assert_eq!(seen.into_inner(), WRITERS * FRAMES * 3);
    writer.trim(Duration::ZERO);
    assert_eq!(writer.stats().blocks, 0, "{:?}", writer.stats());
}

/// Descriptors that come after their time: each is a loss or a whole frame.
#[test]
fn late_readers_lose_frames_and_tear_none() {
    let writer = ShmBackend::builder()
        .pending_deadline(Duration::from_micros(100))
        .max_blocks(3)
        .build()
        .unwrap();
    let reader = ShmBackend::new().unwrap();
    reader.connect(&writer.backend_metadata(), SOON).unwrap();
    let name = reader.backend_metadata();
    let (queue, frames) = sync_channel::<(u64, ShmBufferDescriptor)>(16);
    let losses = thread::scope(|scope| {
        scope.spawn(|| write(&writer, &[(name, queue)], &AtomicU64::new(1)));
        let mut losses = 0;
        for (number, descriptor) in frames {
            match reader.read(&descriptor) {
                Ok(handle) => assert!(is_whole(&handle, number), "frame {number} is torn"),
                Err(BackendError::Lost(_)) => losses += 1,
                Err(error) => panic!("{error}"),
            }
        }
        losses
    });
    println!("{losses} of {FRAMES} came late");
    let stats = reader.stats();
    assert_eq!(stats.taken + losses, FRAMES);
    assert_eq!(stats.lost_expired + stats.lost_reused, losses);
}
