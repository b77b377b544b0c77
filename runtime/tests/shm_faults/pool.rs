//! The pool: exhausted, capped, trimmed, and no larger than what is in flight.

use std::{
    collections::VecDeque,
    thread,
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::{AllocateError, BufferBackend as _, shm::ShmBackend};

use crate::{
    counts::{SOON, all_free, alone, held, within},
    frames,
    other::{Other, Settings, send, take},
};

const LEN: usize = 100_000;

#[test]
fn an_exhausted_pool_says_so_and_waits_no_longer_than_told() {
    let _turn = alone();
    let shm = Settings {
        max_blocks: 3,
        ..Settings::default()
    }
    .build()
    .unwrap();
    let mut held: Vec<_> = (0..3).map(|_| shm.try_allocate(LEN).unwrap()).collect();
    let full = |error| matches!(error, Some(AllocateError::Exhausted { blocks: 3, .. }));
    assert!(full(shm.try_allocate(LEN).err()));
    let start = Instant::now();
    assert!(full(shm.allocate(LEN, Duration::from_millis(100)).err()));
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(100), "{waited:?}");
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    // Somebody gives one back meanwhile.
    let last = held.pop();
    let giver = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        drop(last);
    });
    let start = Instant::now();
    let block = shm.allocate(LEN, SOON).unwrap();
    assert!(start.elapsed() < SOON / 2);
    giver.join().unwrap();
    assert_eq!(shm.stats().waited, 2);
    drop((block, held));
    all_free(&shm, SOON);
}

#[test]
fn the_cap_in_bytes_holds_and_other_sizes_make_room() {
    let _turn = alone();
    const CAP: u64 = 1 << 20;
    let shm = ShmBackend::builder().max_bytes(CAP).build().unwrap();
    let large = shm.try_allocate(2 << 20).err();
    assert!(matches!(
        large,
        Some(AllocateError::TooLarge { limit: CAP, .. })
    ));
    assert!(shm.try_allocate(usize::MAX).is_err());
    let mut blocks = Vec::new();
    while let Ok(block) = shm.try_allocate(LEN) {
        blocks.push(block);
        assert!(shm.stats().bytes <= CAP);
    }
    assert!((8..=10).contains(&blocks.len()), "{}", blocks.len());
    blocks.clear();
    // All bytes are in free blocks of another size now.
    for len in [1, 5000, 300_000, 1 << 20, 70_000, 0] {
        let block = shm.try_allocate(len).unwrap();
        assert_eq!(block.len(), len);
        assert!(shm.stats().bytes <= CAP, "{:?}", shm.stats());
    }
    all_free(&shm, SOON);
}

#[test]
fn trimming_leaves_nothing_on_either_side() {
    let _turn = alone();
    let shm = Settings::default().build().unwrap();
    let mut other = Other::start();
    let connect = format!("connect {}", shm.backend_metadata());
    assert_eq!(other.ask(&connect), "ok");
    assert!(shm.wait_for_reader(&other.metadata, SOON));
    let (before, there) = (held("self"), held(&other.id()));
    let process = other.id();
    let mut hand_over = |number| {
        let (buffer, descriptor) = send(&shm, &other.metadata, number, LEN).unwrap();
        let hex = frames::to_hex(&descriptor.unwrap());
        assert_eq!(other.ask(&format!("take {hex}")), format!("frame {number}"));
        buffer
    };
    let buffers: Vec<_> = (1..=5).map(&mut hand_over).collect();
    assert_eq!(held("self").mappings, before.mappings + 5);
    assert_eq!(shm.trim(Duration::ZERO), 0, "all in use");
    drop(buffers);
    assert_eq!(shm.trim(SOON), 0, "used a moment ago");
    assert!(shm.trim(Duration::ZERO) >= 5 * LEN as u64);
    assert_eq!(shm.stats().bytes, 0);
    assert_eq!(held("self"), before);
    within(SOON, "the reader unmaps what is gone", || {
        held(&process) == there
    });
    drop(hand_over(6));
}

/// A reader that holds `kept` frames at any time needs one block more, at any rate: none waits for a clock.
#[test]
fn a_ring_needs_what_is_in_flight_and_one() {
    let _turn = alone();
    for kept in [0, 1, 3, 10] {
        let writer = Settings {
            max_blocks: kept + 1,
            ..Settings::default()
        }
        .build()
        .unwrap();
        let reader = Settings::default().build().unwrap();
        reader.connect(&writer.backend_metadata(), SOON).unwrap();
        let name = reader.backend_metadata();
        let mut queue = VecDeque::new();
        for number in 1..=10_000 {
            let (_, descriptor) = send(&writer, &name, number, 20_000).unwrap();
            queue.push_back(take(&reader, &descriptor.unwrap()).unwrap());
            if queue.len() > kept {
                let (number, handle) = queue.pop_front().unwrap();
                assert_eq!(frames::check(&handle), Ok(number));
            }
        }
        let stats = writer.stats();
        assert_eq!((stats.exhausted, stats.waited), (0, 0), "{stats:?}");
        assert_eq!(stats.blocks, kept + 1);
    }
}

/// The same with a reader in another process, which answers each frame.
#[test]
fn a_ring_across_processes_needs_no_more() {
    let _turn = alone();
    const KEPT: usize = 2;
    let shm = Settings {
        max_blocks: KEPT + 1,
        ..Settings::default()
    }
    .build()
    .unwrap();
    let mut other = Other::start();
    let connect = format!("connect {}", shm.backend_metadata());
    assert_eq!(other.ask(&connect), "ok");
    assert!(shm.wait_for_reader(&other.metadata, SOON));
    assert_eq!(other.ask(&format!("keep {KEPT}")), "ok");
    for number in 1..=2_000 {
        let (_, descriptor) = send(&shm, &other.metadata, number, LEN).unwrap();
        let hex = frames::to_hex(&descriptor.unwrap());
        assert_eq!(other.ask(&format!("take {hex}")), format!("frame {number}"));
    }
    assert_eq!(shm.stats().exhausted, 0);
    assert_eq!(other.ask("look"), format!("{KEPT} whole"));
    assert_eq!(shm.stats().held, KEPT as u64);
}
