//! Devices that do not work any more, for one process: a kernel of its own faulted, or a library reset the context under it.
//! All calls say so, nobody hangs, and other processes go on.

use std::time::{Duration, Instant};

use cudarc::driver::sys::{self, CUresult};
use rosidl_buffer_runtime::cuda::AccessError;
use rosidl_buffer_runtime::{BackendError, Buffer, BufferBackend as _, Loss};

use crate::link::{Link, from_words};
use crate::other::Other;
use crate::queue::{HOLDING, RIGHT};
use crate::side::{Side, eventually};

const LEN: usize = 4 << 20;
const SOON: Duration = Duration::from_secs(20);
/// No call waits longer for a device that is gone.
const PROMPT: Duration = Duration::from_secs(10);

#[test]
fn a_writer_whose_kernel_faults_says_so_and_ends() {
    a_writer_breaks("fault");
}

#[test]
fn a_writer_whose_context_is_reset_says_so_and_ends() {
    a_writer_breaks("reset");
}

fn a_writer_breaks(how: &str) {
    let Some(side) = Side::new() else { return };
    // In a process that sees two devices the driver itself crashes over a stream whose context was reset (580.159).
    let device = side.cuda.devices().next().unwrap().uuid();
    let one = ("CUDA_VISIBLE_DEVICES", format!("GPU-{device}"));
    let mut other = Other::start_with(&format!("broken-writer {how}"), &[one]);
    side.join(&other.link);
    let frame = |number: u64| {
        eventually("a frame", SOON, || other.link.published.get() > number);
        from_words(&other.link.next(number).unwrap().words)
    };
    let storage = side.cuda.from_descriptor(frame(0)).unwrap();
    let good = Buffer::<u8>::from_storage(storage).unwrap();
    let is_right = || {
        let read = side.cuda.from_input_buffer(&good, &side.stream).unwrap();
        side.gpu
            .is_right(side.stream.handle(), read.address(), read.len(), 0)
    };
    assert!(is_right());
    // One that is sent, and never written.
    let waiting = side.cuda.new_stream().unwrap();
    let late = (how == "fault").then(|| side.cuda.read(&frame(1), &waiting).unwrap());
    other.link.consumed.set(1);
    other.end();
    assert_eq!(other.link.marks[RIGHT].get(), 1, "its calls gave errors");
    if let Some(late) = late {
        let finish = late.finish();
        let lost = AccessError::Backend(BackendError::Lost(Loss::Unfinished));
        assert_eq!(finish.unwrap_err().to_string(), lost.to_string());
        waiting.synchronize().unwrap();
    }
    assert!(is_right(), "what was whole stays so");
    drop(good);
    eventually("what was mapped goes", SOON, || {
        side.cuda.stats().imports == 0
    });
}

/// That of a reader that faults is in `frames`.
#[test]
fn a_reader_whose_context_is_reset_gives_all_back() {
    let Some(side) = Side::new() else { return };
    let mut other = Other::start("broken-reader");
    let reader = side.serve(&other.link);
    for number in 0..2 {
        let buffer = side.write(LEN, number, Duration::ZERO).unwrap();
        assert!(side.send(&other.link, number, &buffer, &reader));
    }
    eventually("it holds them", SOON, || {
        other.link.marks[HOLDING].get() == 2
    });
    other.end();
    assert_eq!(other.link.marks[RIGHT].get(), 1, "its calls gave errors");
    eventually("all blocks come back", SOON, || side.in_use() == 0);
    let buffer = side.write(LEN, 9, Duration::ZERO).unwrap();
    assert_eq!(buffer.to_vec().unwrap().len(), LEN);
}

/// In the second process: a frame that is good, one that is on its way, and then nothing works any more.
pub fn write(side: &Side, link: &Link, how: &str) {
    let reader = side.serve(link);
    let good = side.write(LEN, 0, Duration::ZERO).unwrap();
    assert!(side.send(link, 0, &good, &reader));
    let mut late = side.cuda.allocate_buffer(LEN).unwrap();
    let write = side
        .cuda
        .from_output_buffer(&mut late, &side.stream)
        .unwrap();
    if how == "fault" {
        side.gpu
            .spin(side.stream.handle(), Duration::from_millis(500));
        side.gpu.fill(side.stream.handle(), 4096, 4096, 1); // nothing is there
        write.finish().expect("the kernel still runs");
        assert!(side.send(link, 1, &late, &reader));
        wait(|| link.consumed.get() == 1);
        let fault = side.stream.synchronize().expect_err("the kernel faulted");
        assert!(fault.is_sticky(), "{fault}");
    } else {
        wait(|| link.consumed.get() == 1);
        reset();
        write.finish().expect_err("the context is gone");
        let storage = late.storage().unwrap();
        let sent = side.cuda.create_descriptor(storage, &reader);
        sent.expect_err("not written");
    }
    nothing_works(side, &good, &late);
    link.marks[RIGHT].count();
}

/// In the second process: two frames that are held, and then nothing works any more.
pub fn read(side: &Side, link: &Link) {
    side.join(link);
    let frame = |number: u64| {
        wait(|| link.published.get() > number);
        from_words(&link.next(number).unwrap().words)
    };
    let storage = side.cuda.from_descriptor(frame(0)).unwrap();
    let buffer = Buffer::<u8>::from_storage(storage).unwrap();
    let read = side.cuda.read(&frame(1), &side.stream).unwrap();
    side.stream.synchronize().unwrap();
    reset();
    nothing_works(side, &buffer, &buffer);
    let start = Instant::now();
    drop((read, buffer));
    assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
    link.marks[RIGHT].count();
    link.marks[HOLDING].set(2);
    wait(|| link.stop.get() == 1);
}

/// What a library of the same process may do.
fn reset() {
    // SAFETY: what is used of this context afterwards is asked for errors only.
    let status = unsafe { sys::cuDevicePrimaryCtxReset_v2(0) };
    assert_eq!(status, CUresult::CUDA_SUCCESS);
}

fn nothing_works(side: &Side, good: &Buffer<u8>, late: &Buffer<u8>) {
    let start = Instant::now();
    let fails = |what: &str, result: Result<(), String>| {
        let error = result.expect_err(what);
        eprintln!("as it should be: {what}: {error} ({:?})", start.elapsed());
    };
    let said = |error: AccessError| error.to_string();
    let cuda = &side.cuda;
    let device = cuda.devices().next().unwrap().uuid();
    let stream = &side.stream;
    // Memory can still be had, since it belongs to no context; nothing can be done with it.
    let new_block = || {
        let mut buffer = cuda.allocate_buffer(64 << 20)?;
        cuda.from_output_buffer(&mut buffer, stream)?.finish()
    };
    fails("a new stream", cuda.new_stream().map(drop).map_err(said));
    fails("writing a new block", new_block().map_err(said));
    let copied = cuda.to_buffer(&[1, 2, 3], stream);
    fails("bytes for the device", copied.map(drop).map_err(said));
    let bytes = |buffer: &Buffer<u8>| buffer.to_vec().map(drop).map_err(|e| e.to_string());
    fails("bytes of a frame that is there", bytes(good));
    fails("bytes of a frame that is not", bytes(late));
    fails(
        "the stream",
        stream.synchronize().map_err(|e| e.to_string()),
    );
    // Addresses cost no call; work on them would fail as the stream does.
    let default = cuda.default_stream(device).unwrap();
    if let Ok(read) = cuda.from_input_buffer(good, &default) {
        assert_eq!(read.len(), good.len());
    }
    assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
}

fn wait(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < SOON, "the other process does not go on");
        std::thread::yield_now();
    }
}
