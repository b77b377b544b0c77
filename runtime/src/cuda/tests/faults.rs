//! Peers that break rules, die or lie; devices that are full; forks.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use super::super::driver::{CudaError, Driver, Stream};
use super::super::memory::{Words, Written};
use super::kernels::{Kernels, words};
use super::peer::Peer;
use super::{CELL, gpu};
use crate::ipc::lease::memfd;
use crate::ipc::memory::{Created, Memory as _};
use crate::ipc::wire::ToReader;

const SIZE: u64 = 64 << 20;

#[test]
fn a_reader_that_writes_harms_itself_only() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let kernels = Kernels::load(&context);
    let stream = Stream::new(&context).unwrap();
    let peer = Peer::start();
    let Created { block, fd, extra } = memory.create(0, CELL, SIZE).unwrap();
    kernels.fill(&stream, block.address(), block.len(), 5);
    block.end_write(&stream, 5, SIZE).unwrap();
    peer.give_words(memory.common().unwrap());
    assert_eq!(peer.give(&fd, SIZE, extra.as_slice()), "imported");
    let set = peer.ask("set");
    println!("a memset by the reader: {set}");
    assert!(set.starts_with("error: cuMemsetD8Async failed"), "{set}");
    let all = format!("right {}", words(block.len()));
    assert_eq!(
        peer.ask("check true 5"),
        all,
        "a refused call spoils nothing"
    );
    let fill = peer.ask("fill 6");
    println!("a kernel of the reader that writes: {fill}");
    assert!(fill.contains("sticky true; then Err("), "{fill}");
    for seed in 5..105 {
        let right = kernels.check(&stream, block.address(), block.len(), seed);
        assert_eq!(right, Ok(words(block.len())), "frame {seed}");
        kernels.fill(&stream, block.address(), block.len(), seed + 1);
    }
    // A new reader of the same block is fine.
    let peer = Peer::start();
    block.end_write(&stream, 105, SIZE).unwrap();
    peer.give_words(memory.common().unwrap());
    assert_eq!(peer.give(&fd, SIZE, extra.as_slice()), "imported");
    assert_eq!(peer.ask("check true 105"), all);
}

/// In a second process, for if the driver itself should fall over.
#[test]
fn what_is_no_block_is_refused() {
    let Some((_, memory)) = gpu() else { return };
    let peer = Peer::start();
    let Created {
        fd: good, extra, ..
    } = memory.create(0, CELL, SIZE).unwrap();
    let Created {
        fd: small,
        extra: small_extra,
        block: _small,
    } = memory.create(0, CELL, 2 << 20).unwrap();
    let with = |at: usize, value: u8| {
        let mut bytes = extra.as_slice().to_vec();
        bytes[at] ^= value;
        bytes
    };
    let file = |path: &str| OwnedFd::from(std::fs::File::open(path).unwrap());
    let (pipe, _pipe) = std::io::pipe().unwrap();
    let pipe = OwnedFd::from(pipe);
    let memfd = memfd("rosidl_buffer-test", SIZE).unwrap();
    let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    let whole = extra.as_slice();
    for (what, fd, size, extra) in [
        ("a memfd", &memfd, SIZE, whole.to_vec()),
        ("a pipe", &pipe, SIZE, whole.to_vec()),
        ("an eventfd", &event, SIZE, whole.to_vec()),
        ("/dev/null", &file("/dev/null"), SIZE, whole.to_vec()),
        (
            "this program",
            &file("/proc/self/exe"),
            SIZE,
            whole.to_vec(),
        ),
        (
            "a smaller block",
            &small,
            SIZE,
            small_extra.as_slice().to_vec(),
        ),
        ("an odd size", &good, SIZE - 1, whole.to_vec()),
        (
            "more than the address space",
            &good,
            1 << 62,
            whole.to_vec(),
        ),
        ("a device that does not exist", &good, SIZE, with(5, 1)),
        ("another version", &good, SIZE, with(0, 2)),
        ("no device", &good, SIZE, Vec::new()),
    ] {
        let answer = peer.give(fd, size, &extra);
        println!("{what}: {answer}");
        assert!(answer.starts_with("error: "), "{what} was imported");
    }
    // And the reader goes on.
    assert_eq!(peer.give(&good, SIZE, whole), "imported");
}

#[test]
fn a_full_device_says_so_and_recovers() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let (free, total) = context.memory().unwrap();
    let granule = memory.granule(0);
    let error = memory
        .create(0, CELL, total.next_multiple_of(granule))
        .err()
        .expect("more than there is");
    println!("more than the device has: {error}");
    assert_eq!(error.kind(), std::io::ErrorKind::OutOfMemory);
    let size = (free / 8).next_multiple_of(granule);
    let mut blocks = Vec::new();
    let start = Instant::now();
    let error = loop {
        match memory.create(0, CELL, size) {
            Ok(created) => blocks.push(created),
            Err(error) => break error,
        }
        assert!(blocks.len() <= 8, "more than fits");
    };
    println!(
        "after {} blocks of {size} bytes, {:?}: {error}",
        blocks.len(),
        start.elapsed()
    );
    assert_eq!(error.kind(), std::io::ErrorKind::OutOfMemory);
    let cause: &CudaError = error.get_ref().unwrap().downcast_ref().unwrap();
    assert!(cause.is_out_of_memory() && !cause.is_sticky());
    drop(blocks);
    let (after, _) = context.memory().unwrap();
    assert!(
        after + granule >= free,
        "{free} bytes were free, {after} are"
    );
    drop(memory.create(0, CELL, size).unwrap());
}

/// What was on the writer's streams is lost with it, and nobody writes its word: a reader's stream waits until the reader
/// learns of the end.
#[test]
fn a_writer_is_killed_in_the_middle_of_its_work() {
    let Some(_) = gpu() else { return };
    for busy in [0, 500] {
        let (writer, reader) = (Peer::start(), Peer::start());
        let (fd, ToReader::Block { size, extra, .. }) = writer.make(SIZE) else {
            panic!("no block");
        };
        reader.give_words(writer.words().as_fd());
        assert_eq!(reader.give(&fd, size, extra.as_slice()), "imported");
        assert_eq!(writer.ask("frame 0 1"), "written");
        assert_eq!(reader.ask("check true 1"), format!("right {}", SIZE / 4));
        assert_eq!(writer.ask(&format!("frame {busy} 2")), "written");
        std::thread::sleep(Duration::from_millis(50));
        writer.kill();
        let waited = reader.ask("wait 2");
        println!("killed with {busy} ms of work to do: a wait for it is {waited} after 1 s");
        let released = reader.ask("release 2");
        if busy == 0 {
            assert_eq!((&*waited, &*released), ("over", "over, Done"));
            assert_eq!(reader.ask("check true 2"), format!("right {}", SIZE / 4));
        } else {
            assert_eq!((&*waited, &*released), ("not over", "over, Never"));
            assert_eq!(reader.ask("release 1"), "over, Done", "that one was whole");
        }
        let end = reader.end();
        println!("  the reader's normal end took {end:?}");
        assert!(end.is_some());
    }
}

#[test]
fn a_framework_destroys_the_context() {
    let Some(_) = gpu() else { return };
    let peer = Peer::start();
    let _block = peer.make(SIZE);
    assert_eq!(peer.ask("frame 0 1"), "written");
    let said = peer.ask("reset");
    println!("{said}");
    assert!(said.starts_with("reset CUDA_SUCCESS; write Err("), "{said}");
    assert!(said.contains("code: 709"), "{said}");
    assert!(peer.end().is_some());
}

#[test]
fn a_writer_frees_a_block_that_a_reader_still_has() {
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
    assert_eq!(peer.ask("frame 0 4"), "written");
    assert_eq!(peer.ask("forget"), "forgotten"); // waits for the kernel
    assert_eq!(of_peer.word(CELL).unwrap().look(4), Written::Done);
    let right = kernels.check(&stream, import.address(), import.len(), 4);
    assert_eq!(right, Ok(words(import.len())));
}

#[test]
fn a_forked_child_is_told_and_gives_nothing_back() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let Created { block, fd, .. } = memory.create(0, CELL, SIZE).unwrap();
    let stream = Stream::new(&context).unwrap();
    // SAFETY: the child calls nothing that another thread of the parent may have locked: it looks at a page and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let told = Driver::get().err() == Some(CudaError::Forked)
            && block.end_write(&stream, 1, SIZE) == Err(CudaError::Forked)
            && stream.query() == Err(CudaError::Forked)
            && context.enter().err() == Some(CudaError::Forked);
        drop((block, fd, stream, memory, context));
        // SAFETY: ends the child without the parent's exit handlers.
        unsafe { libc::_exit(i32::from(!told)) };
    }
    let mut status = 0;
    // SAFETY: the pointer is valid for one number.
    let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((ended, status), (child, 0), "the child was not told");
    // The parent's things are as they were.
    block.end_write(&stream, 2, SIZE).unwrap();
    stream.synchronize().unwrap();
    assert!(fd.as_fd().try_clone_to_owned().is_ok());
}
