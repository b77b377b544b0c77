//! Which calls wait while a stream waits for a word: nothing that may do so stands where it would keep a writer's end from
//! being noticed.

use core::sync::atomic::Ordering;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::driver::{Access, Allocation, Event, Mapped, Progress, Registered, Stream};
use super::super::memory::{CudaMemory, PATIENCE, Words};
use super::{CELL, gpu};
use crate::ipc::lease::{Lease, Mapping};
use crate::ipc::memory::{Created, Memory as _};

const SIZE: u64 = 2 << 20;
/// After this a word is written that nobody would write otherwise.
const RESCUE: Duration = Duration::from_millis(300);

#[test]
fn calls_beside_a_stream_that_waits() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let fd = |memory: &CudaMemory| memory.common().unwrap().try_clone_to_owned().unwrap();
    let size = usize::try_from(SIZE).unwrap();
    let Created { block, .. } = memory.create(0, CELL, SIZE).unwrap();
    let (other, waiting) = (
        Stream::new(&context).unwrap(),
        Stream::new(&context).unwrap(),
    );
    let second = CudaMemory::open(&[context.device().clone()], true).unwrap();
    let event = Event::local(&context).unwrap();
    let (mut words, mut allocation, mut mapped, mut made) = (None, None, None, None);
    let mut bytes = vec![0; size];
    // Words that nobody writes but this test, on the host: a call that hangs may keep all others from the driver.
    let by_hand = Lease::open(fd(&second)).unwrap();
    let word = Words::open(&context, fd(&second)).unwrap();
    let word = word.word(CELL).unwrap();
    let mut generation = 0;
    let mut waits = Vec::new();
    let mut run = |what: &'static str, call: &mut dyn FnMut()| {
        generation += 1;
        word.wait(&waiting, generation).unwrap();
        let (done, is_done) = std::sync::mpsc::channel::<()>();
        let by_hand = &by_hand;
        let (took, late) = std::thread::scope(|scope| {
            let rescue = scope.spawn(move || {
                let late = is_done.recv_timeout(RESCUE).is_err();
                by_hand
                    .cell(CELL)
                    .unwrap()
                    .store(generation, Ordering::Release);
                late
            });
            let start = Instant::now();
            call();
            let took = start.elapsed();
            let _ = done.send(());
            (took, rescue.join().unwrap())
        });
        waiting.synchronize().unwrap();
        let remark = if late { "WAITS" } else { "goes on" };
        println!("| {what} | {remark} | {took:?} |");
        if late {
            waits.push(what);
        }
    };
    println!("\n| beside a stream that waits for a word | | |\n|---|---|---|");
    run("ask an event", &mut || _ = event.query().unwrap());
    run("record an event", &mut || event.record(&other).unwrap());
    run("make an event and drop it", &mut || {
        _ = Event::local(&context).unwrap();
    });
    run("make a stream and drop it", &mut || {
        _ = Stream::new(&context).unwrap();
    });
    run("free memory", &mut || _ = context.memory().unwrap());
    run("make a block", &mut || {
        made = Some(second.create(0, 1, SIZE).unwrap());
    });
    run("drop a block", &mut || drop(made.take()));
    run("register words", &mut || {
        words = Some(Words::open(&context, fd(&memory)).unwrap());
    });
    run("let go of words", &mut || drop(words.take()));
    let page = Mapping::anonymous(4096).unwrap();
    let start = page.as_ptr().as_ptr();
    // SAFETY: mapped until after it is dropped.
    let registered = unsafe { Registered::new(&context, start, 4096, Access::ReadWrite) };
    let mut registered = Some(registered.unwrap());
    run("unregister memory", &mut || drop(registered.take()));
    // SAFETY: as above.
    let registered = unsafe { Registered::new(&context, start, 4096, Access::ReadWrite) };
    let mut registered = Some(registered.unwrap());
    let beside = "record an event while another thread unregisters memory";
    run(beside, &mut || {
        let registered = registered.take();
        std::thread::spawn(move || drop(registered));
        std::thread::sleep(Duration::from_millis(20));
        let start = Instant::now();
        event.record(&other).unwrap();
        println!("the event alone took {:?}", start.elapsed());
    });
    std::thread::sleep(Duration::from_millis(20)); // `page` is not in use any more
    run("allocate", &mut || {
        allocation = Some(Allocation::create(&context, size).unwrap());
    });
    let allocated = allocation.take().unwrap();
    run("export and import", &mut || {
        let fd = allocated.export().unwrap();
        drop(Allocation::import(&context, context.device(), fd.as_fd()).unwrap());
    });
    run("map", &mut || {
        mapped = Some(Mapped::new(&context, &allocated, size, Access::Read).unwrap());
    });
    run("unmap", &mut || drop(mapped.take()));
    run("copy to pageable memory on another stream", &mut || {
        // SAFETY: valid, waited for.
        unsafe { other.dtoh_async(bytes.as_mut_ptr(), block.address(), size) }.unwrap();
        other.synchronize().unwrap();
    });
    assert_eq!(other.query(), Ok(Progress::Done));
    // Why these are left to the graveyard; a driver may do better.
    waits.retain(|what| *what != "unregister memory" && *what != beside);
    assert!(
        waits.is_empty(),
        "the service may wait for a stream: {waits:?}"
    );
}

/// Their memory stays with the process.
#[test]
fn blocks_that_a_hung_stream_writes_are_waited_for_once() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let by_hand = CudaMemory::open(&[context.device().clone()], true).unwrap();
    let fd = by_hand.common().unwrap().try_clone_to_owned().unwrap();
    let (by_hand, words) = (
        Lease::open(fd.try_clone().unwrap()).unwrap(),
        Words::open(&context, fd).unwrap(),
    );
    let hung = Stream::new(&context).unwrap();
    words.word(CELL).unwrap().wait(&hung, 1).unwrap();
    let blocks = [0, 1, 2].map(|cell| memory.create(0, cell, SIZE).unwrap().block);
    for block in &blocks {
        block.end_write(&hung, 1, SIZE).unwrap();
    }
    let start = Instant::now();
    drop(blocks);
    let took = start.elapsed();
    by_hand.cell(CELL).unwrap().store(1, Ordering::Release);
    hung.synchronize().unwrap();
    assert!(took >= PATIENCE, "{took:?}");
    assert!(took < 2 * PATIENCE, "{took:?}");
}

#[test]
fn a_context_goes_when_nobody_uses_its_device() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let fd = memory.common().unwrap().try_clone_to_owned().unwrap();
    drop(Words::open(&context, fd).unwrap());
    assert!(Arc::strong_count(&context) > 1);
    drop(memory);
    let start = Instant::now();
    while Arc::strong_count(&context) > 1 {
        assert!(start.elapsed() < 2 * PATIENCE, "something of it stays");
        std::thread::sleep(Duration::from_millis(1));
    }
}
