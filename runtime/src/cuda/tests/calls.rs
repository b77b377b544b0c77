//! What each call costs, and which calls need a current context.

use core::ptr::without_provenance_mut;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use cudarc::driver::sys::{self, CUresult};

use super::super::driver::{Access, Allocation, Event, Mapped, Progress, Stream, calls};
use super::super::marks::Mark;
use super::super::memory::CudaBlock;
use super::kernels::Kernels;
use super::{CELL, gpu};
use crate::ipc::memory::{Created, Memory as _};

const SIZE: u64 = 64 << 20;
const TIMES: usize = 10_000;

/// A writer looks whether its stream is captured and writes its word; a reader waits, or, where that is written already, looks
/// likewise, and leaves its mark. Looking at a mark is no call.
#[test]
fn a_warm_frame_takes_four_calls() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let Created { block, .. } = memory.create(0, CELL, SIZE).unwrap();
    let (writer, reader) = (
        Stream::new(&context).unwrap(),
        Stream::new(&context).unwrap(),
    );
    let end = Mark::many(&context).unwrap().pop().unwrap();
    // On a thread that has no current context.
    let count = std::thread::spawn(move || {
        calls(|| {
            writer.check_not_captured().unwrap();
            block.wait_to_write(&writer).unwrap();
            block.end_write(&writer, 1, SIZE).unwrap();
            block.word().unwrap().wait(&reader, 1).unwrap();
            end.set(&reader).unwrap();
            let start = Instant::now();
            while !end.is_set() {
                assert!(start.elapsed() < Duration::from_secs(10));
            }
            assert!(!end.again().is_set());
        })
    });
    assert_eq!(count.join().unwrap(), 4);
}

#[test]
fn what_a_call_costs() {
    std::thread::spawn(|| costs(false)).join().unwrap();
    std::thread::spawn(|| costs(true)).join().unwrap();
}

fn costs(is_current: bool) {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let kernels = Kernels::load(&context);
    let Created { block, .. } = memory.create(0, CELL, SIZE).unwrap();
    let (writer, reader) = (
        Stream::new(&context).unwrap(),
        Stream::new(&context).unwrap(),
    );
    let (legacy, per_thread) = (Stream::legacy(&context), Stream::per_thread(&context));
    let end = Event::local(&context).unwrap();
    let mark = Mark::many(&context).unwrap().pop().unwrap();
    let _current = is_current.then(|| context.enter().unwrap());
    let title = if is_current {
        "context current"
    } else {
        "no context current"
    };
    println!("\n| {title}: µs of | p50 | p99 | max |\n|---|---|---|---|");
    row("nothing", || {});
    let word = block.word().unwrap();
    let mut generation = 0;
    row("write a word", || {
        generation += 1;
        block.end_write(&writer, generation, SIZE).unwrap();
    });
    row("wait for a word", || {
        word.wait(&reader, generation).unwrap();
    });
    row("look at a word", || _ = word.look(generation));
    row("record a local event", || end.record(&reader).unwrap());
    row("ask an event", || _ = end.query().unwrap());
    row("look whether a stream is captured", || {
        writer.check_not_captured().unwrap();
    });
    row("ask a stream", || _ = writer.query().unwrap());
    row("enter a context and leave it", || {
        drop(context.enter().unwrap());
    });
    row("write a word on the legacy default stream", || {
        generation += 1;
        block.end_write(&legacy, generation, SIZE).unwrap();
    });
    row("write a word on the per-thread default stream", || {
        generation += 1;
        block.end_write(&per_thread, generation, SIZE).unwrap();
    });
    legacy.synchronize().unwrap();
    let mut frame = || {
        generation += 1;
        writer.check_not_captured().unwrap();
        block.wait_to_write(&writer).unwrap();
        block.end_write(&writer, generation, SIZE).unwrap();
        word.wait(&reader, generation).unwrap();
        mark.set(&reader).unwrap();
        let _ = mark.is_set();
    };
    row("all of a frame: look, write, wait, mark", &mut frame);
    row("the same and a kernel before it", || {
        kernels.fill(&writer, block.address(), 4096, 1);
        frame();
    });
    // What is unmapped while a kernel uses it is a fault.
    writer.synchronize().unwrap();
}

fn row(what: &str, mut work: impl FnMut()) {
    let time = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    let mut times: Vec<Duration> = (0..TIMES).map(time).collect();
    times.sort_unstable();
    let at = |index: usize| times[index].as_secs_f64() * 1e6;
    let (p50, p99, max) = (at(TIMES / 2), at(TIMES * 99 / 100), at(TIMES - 1));
    println!("| {what} | {p50:.2} | {p99:.2} | {max:.0} |");
}

#[test]
fn what_a_new_block_costs() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    println!("\n| ms of, one block | 1 MiB | 64 MiB | 1 GiB |\n|---|---|---|---|");
    let sizes = [2 << 20, SIZE, 1 << 30].map(|size| usize::try_from(size).unwrap());
    let stream = Stream::new(&context).unwrap();
    let rows: Vec<[Duration; 7]> = sizes
        .iter()
        .map(|&size| {
            let target = Allocation::create(&context, size).unwrap();
            let target = Mapped::new(&context, &target, size, Access::ReadWrite).unwrap();
            let mut start = Instant::now();
            let mut lap = || {
                let now = Instant::now();
                now - std::mem::replace(&mut start, now)
            };
            let allocation = Allocation::create(&context, size).unwrap();
            let created = lap();
            let mapped = Mapped::new(&context, &allocation, size, Access::ReadWrite).unwrap();
            let mapped_in = lap();
            let fd = allocation.export().unwrap();
            let exported = lap();
            let again = Allocation::import(&context, context.device(), fd.as_fd()).unwrap();
            let imported = lap();
            let read_only = Mapped::new(&context, &again, size, Access::Read).unwrap();
            let mapped_again = lap();
            // SAFETY: both are mapped and so long; waited for.
            unsafe { stream.dtod_async(target.address(), mapped.address(), size) }.unwrap();
            stream.synchronize().unwrap();
            let copied = lap();
            drop((read_only, again, mapped, allocation));
            let given_back = lap();
            [
                created,
                mapped_in,
                exported,
                imported,
                mapped_again,
                copied,
                given_back,
            ]
        })
        .collect();
    let names = [
        "allocate",
        "map for writing",
        "export the memory",
        "import",
        "map read-only",
        "copy on the device, waited for",
        "give all back",
    ];
    for (i, name) in names.iter().enumerate() {
        let cells: Vec<String> = rows
            .iter()
            .map(|row| format!("{:.3}", row[i].as_secs_f64() * 1e3))
            .collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
    let start = Instant::now();
    let created = memory.create(0, CELL, SIZE).unwrap();
    println!(
        "a block of 64 MiB through the memory: {:?}",
        start.elapsed()
    );
    drop(created);
}

/// The warm path relies on the first ones; the others are asked for the record.
#[test]
fn which_calls_need_a_current_context() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let Created { block, .. } = memory.create(0, CELL, SIZE).unwrap();
    let stream = Stream::new(&context).unwrap();
    let event = Event::local(&context).unwrap();
    std::thread::spawn(move || on_a_bare_thread(&block, &stream, &event))
        .join()
        .unwrap();
}

fn on_a_bare_thread(block: &CudaBlock, stream: &Stream, event: &Event) {
    block.end_write(stream, 1, SIZE).unwrap();
    block.word().unwrap().wait(stream, 1).unwrap();
    event.record(stream).unwrap();
    stream.wait(event).unwrap();
    stream.check_not_captured().unwrap();
    stream.synchronize().unwrap();
    assert_eq!(event.query(), Ok(Progress::Done));
    println!("\nwithout a current context:");
    println!(
        "words, event record, stream wait, event query, stream capture state and synchronize: fine"
    );
    let report = |call: &str, status: CUresult| println!("{call}: {status:?}");
    let (legacy, per_thread) = (without_provenance_mut(1), without_provenance_mut(2));
    let event = event.handle();
    // SAFETY: the event is alive; the streams are the driver's own numbers.
    report("record on the legacy stream", unsafe {
        sys::cuEventRecord(event, legacy)
    });
    // SAFETY: as above.
    report("record on the per-thread stream", unsafe {
        sys::cuEventRecord(event, per_thread)
    });
    let (address, len) = (block.address(), block.len());
    // SAFETY: the block is ours.
    report("memset on a stream", unsafe {
        sys::cuMemsetD8Async(address, 0, len, stream.handle())
    });
    let half = len / 2;
    // SAFETY: as above; the halves do not overlap.
    report("copy on a stream", unsafe {
        sys::cuMemcpyDtoDAsync_v2(address, address + half as u64, half, stream.handle())
    });
    let mut made = core::ptr::null_mut();
    // SAFETY: the pointer is valid for one handle.
    report("create an event", unsafe {
        sys::cuEventCreate(&raw mut made, 2)
    });
    let mut made = core::ptr::null_mut();
    // SAFETY: as above.
    report("create a stream", unsafe {
        sys::cuStreamCreate(&raw mut made, 1)
    });
    let (mut free, mut total) = (0, 0);
    // SAFETY: as above.
    report("free memory", unsafe {
        sys::cuMemGetInfo_v2(&raw mut free, &raw mut total)
    });
}
