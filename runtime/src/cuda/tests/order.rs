//! Order between processes: a reader's stream waits on the device for what the writer's stream has not done yet.

use core::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::driver::{Event, Progress, Stream};
use super::super::memory::{CudaMemory, Words, Written};
use super::kernels::{Kernels, words};
use super::peer::Peer;
use super::{CELL, gpu};
use crate::ipc::lease::Lease;
use crate::ipc::memory::{Created, Memory as _};
use crate::ipc::wire::ToReader;

const SIZE: u64 = 64 << 20;
const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_reader_waits_on_the_device_and_not_on_the_host() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let kernels = Kernels::load(&context);
    let stream = Stream::new(&context).unwrap();
    let peer = Peer::start();
    let (fd, ToReader::Block { size, extra, .. }) = peer.make(SIZE) else {
        panic!("no block");
    };
    let import = memory.import(fd, size, &extra).unwrap();
    let of_peer = Words::open(&context, peer.words()).unwrap();
    let word = of_peer.word(CELL).unwrap();
    let all = Ok(words(import.len()));
    let mut right_without = 0;
    for seed in 1..=20 {
        assert_eq!(peer.ask(&format!("frame 100 {seed}")), "written");
        let start = Instant::now();
        assert_eq!(word.look(seed.into()), Written::NotYet, "frame {seed}");
        if seed % 2 == 0 {
            word.wait(&stream, seed.into()).unwrap();
            let waited = start.elapsed();
            assert!(
                waited < Duration::from_millis(50),
                "the host waited for {waited:?}"
            );
            let right = kernels.check(&stream, import.address(), import.len(), seed);
            assert_eq!(right, all, "frame {seed}");
        } else {
            // The same without waiting: so it is the word that makes the other half right.
            let right = kernels.check(&stream, import.address(), import.len(), seed);
            right_without += u32::from(right == all);
            let late = word.wait_on_host(seed.into(), SOON, &context);
            assert_eq!(late, Ok(Written::Done), "frame {seed}");
        }
    }
    println!("right: 10 of 10 frames with the wait, {right_without} of 10 without");
    assert!(right_without < 10, "the wait makes no difference");
}

/// Two engines in one process happen in tests, and where two libraries each have one.
#[test]
fn a_block_is_imported_in_its_own_process() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let kernels = Kernels::load(&context);
    let (writer, reader) = (
        Stream::new(&context).unwrap(),
        Stream::new(&context).unwrap(),
    );
    let other = CudaMemory::open(&[context.device().clone()], true).unwrap();
    let Created { block, fd, extra } = memory.create(0, CELL, SIZE).unwrap();
    let import = other.import(fd, SIZE, &extra).unwrap();
    let words_fd = memory.common().unwrap().try_clone_to_owned().unwrap();
    let of_first = other.import_common(words_fd).unwrap();
    kernels.spin(&writer, Duration::from_millis(50));
    kernels.fill(&writer, block.address(), block.len(), 3);
    block.end_write(&writer, 1, SIZE).unwrap();
    of_first.word(CELL).unwrap().wait(&reader, 1).unwrap();
    let right = kernels.check(&reader, import.address(), import.len(), 3);
    assert_eq!(right, Ok(words(import.len())));
}

#[test]
fn a_reader_learns_without_waiting_when_its_own_work_is_done() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let stream = Stream::new(&context).unwrap();
    let end = Event::local(&context).unwrap();
    assert_eq!(end.query(), Ok(Progress::Done), "not recorded yet");
    // Its work lasts until a word is written, which nobody does but this test, on the host.
    let fd = || memory.common().unwrap().try_clone_to_owned().unwrap();
    let (by_hand, words) = (
        Lease::open(fd()).unwrap(),
        memory.import_common(fd()).unwrap(),
    );
    words.word(CELL).unwrap().wait(&stream, 1).unwrap();
    end.record(&stream).unwrap();
    assert_eq!(end.query(), Ok(Progress::Running));
    by_hand.cell(CELL).unwrap().store(1, Ordering::Release);
    let start = Instant::now();
    while end.query() == Ok(Progress::Running) {
        assert!(start.elapsed() < SOON);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(end.query(), Ok(Progress::Done));
}
