//! What happens beside the hand-over: pinned bytes, graphs that are captured, handles that move, a fork, a panic.

use std::ffi::c_void;
use std::time::{Duration, Instant};

use cudarc::driver::sys::{self, CUresult, CUstream, CUstreamCaptureMode};
use cudarc::driver::{CudaContext, PinnedHostSlice};
use rosidl_buffer_runtime::cuda::{AccessError, CudaBackend, CudaError};
use rosidl_buffer_runtime::shm::ShmBackend;

use crate::gpu::word;
use crate::side::{Side, eventually};

const MB: usize = 1 << 20;
const SOON: Duration = Duration::from_secs(20);
const BUSY: Duration = Duration::from_millis(100);
/// `CU_MEMHOSTREGISTER_PORTABLE`
const PORTABLE: u32 = 1;

#[test]
fn pinned_bytes_are_taken_before_the_call_is_over() {
    let Some(side) = Side::new() else { return };
    let context = CudaContext::new(0).unwrap();
    // SAFETY: written before it is read.
    let mut pinned: PinnedHostSlice<u8> = unsafe { context.alloc_pinned(MB) }.unwrap();
    for frame in 0..5 {
        let bytes = pinned.as_mut_slice().unwrap();
        bytes.fill(frame);
        side.gpu.spin(side.stream.handle(), BUSY);
        let buffer = side.cuda.to_buffer(bytes, &side.stream).unwrap();
        bytes.fill(0xEE);
        let copied = buffer.to_vec().unwrap();
        assert!(copied.iter().all(|byte| *byte == frame), "frame {frame}");
    }
}

#[test]
fn host_memory_that_others_registered_is_read_all_the_same() {
    let Some(side) = Side::new() else { return };
    let shm = ShmBackend::new().unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(4 * MB).collect();
    let buffer = shm.to_buffer(&bytes).unwrap();
    let start = buffer.as_slice().unwrap().as_ptr().cast_mut();
    // SAFETY: whole pages that are mapped until the end of this function; unregistered below.
    let status =
        unsafe { sys::cuMemHostRegister_v2(start.cast::<c_void>(), buffer.len(), PORTABLE) };
    assert_eq!(status, CUresult::CUDA_SUCCESS);
    for _ in 0..3 {
        let read = side.cuda.from_input_buffer(&buffer, &side.stream).unwrap();
        assert_eq!(read.buffer().unwrap().to_vec().unwrap(), bytes);
    }
    // SAFETY: registered above.
    let status = unsafe { sys::cuMemHostUnregister(start.cast()) };
    assert_eq!(status, CUresult::CUDA_SUCCESS);
}

fn begin_capture(stream: usize) {
    let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_GLOBAL;
    // SAFETY: the stream is alive.
    let status = unsafe { sys::cuStreamBeginCapture_v2(stream as CUstream, mode) };
    assert_eq!(status, CUresult::CUDA_SUCCESS);
}

fn end_capture(stream: usize) -> CUresult {
    let mut graph = std::ptr::null_mut();
    // SAFETY: the stream is alive; the pointer is valid for one handle.
    unsafe { sys::cuStreamEndCapture(stream as CUstream, &raw mut graph) }
}

/// In the mode that frameworks use, in which calls of other threads fail too, and spoil the graph.
#[test]
fn frames_go_on_beside_a_capture_and_do_not_spoil_it() {
    let Some(side) = Side::new() else { return };
    let captured = side.cuda.new_stream().unwrap();
    let reading = side.cuda.new_stream().unwrap();
    drop(side.write(MB, 0, Duration::ZERO).unwrap()); // a block is there
    side.stream.synchronize().unwrap();
    side.gpu.reset();
    begin_capture(captured.handle());
    for frame in 1..=20 {
        let buffer = side.write_soon(MB, frame, Duration::from_millis(1));
        let read = side.cuda.from_input_buffer(&buffer, &reading).unwrap();
        side.gpu
            .check(reading.handle(), read.address(), read.len(), frame)
            .unwrap();
        read.finish().unwrap();
        assert_eq!(buffer.to_vec().unwrap().len(), MB);
        drop(buffer);
        eventually("the read is over", SOON, || {
            side.cuda.unfinished_reads() == 0
        });
    }
    assert_eq!(end_capture(captured.handle()), CUresult::CUDA_SUCCESS);
    let right = side.gpu.answer(reading.handle(), SOON).unwrap();
    assert_eq!(right, Some(20 * MB as u64 / 4));
    assert_eq!(side.in_use(), 0);
}

#[test]
fn a_stream_that_is_captured_is_refused() {
    let Some(side) = Side::new() else { return };
    let captured = side.cuda.new_stream().unwrap();
    let written = side.write(MB, 1, Duration::ZERO).unwrap();
    let mut fresh = side.cuda.allocate_buffer(MB).unwrap();
    side.stream.synchronize().unwrap();
    begin_capture(captured.handle());
    let write = side.cuda.from_output_buffer(&mut fresh, &captured);
    let read = side.cuda.from_input_buffer(&written, &captured);
    for refused in [write.map(drop), read.map(drop)] {
        let error = refused.unwrap_err();
        let AccessError::Cuda(CudaError::Refused(said)) = &error else {
            panic!("{error}");
        };
        assert!(said.contains("captured into a graph"), "{said}");
    }
    assert_eq!(end_capture(captured.handle()), CUresult::CUDA_SUCCESS);
    // Both are as they were.
    let write = side.cuda.from_output_buffer(&mut fresh, &captured).unwrap();
    side.gpu
        .fill(captured.handle(), write.address(), write.len(), 2);
    write.finish().unwrap();
    for (buffer, frame) in [(&written, 1), (&fresh, 2)] {
        let read = side.cuda.from_input_buffer(buffer, &captured).unwrap();
        let stream = captured.handle();
        assert!(side.gpu.is_right(stream, read.address(), read.len(), frame));
    }
}

/// The legacy default stream takes nothing while a stream that waits for it is captured.
#[test]
fn a_block_whose_end_of_writing_failed_is_not_used_again_under_the_kernel() {
    let Some(side) = Side::new() else { return };
    let device = side.cuda.devices().next().unwrap().uuid();
    let legacy = side.cuda.default_stream(device).unwrap();
    let mut waiting = std::ptr::null_mut();
    // SAFETY: the pointer is valid for one handle.
    let status = unsafe { sys::cuStreamCreate(&raw mut waiting, 0) };
    assert_eq!(status, CUresult::CUDA_SUCCESS);
    let mut buffer = side.cuda.allocate_buffer(MB).unwrap();
    let write = side.cuda.from_output_buffer(&mut buffer, &legacy).unwrap();
    side.gpu.spin(legacy.handle(), BUSY);
    side.gpu
        .fill(legacy.handle(), write.address(), write.len(), 1);
    begin_capture(waiting as usize);
    let ended = write.finish();
    let _ = end_capture(waiting as usize);
    match ended {
        Ok(()) => println!("this driver ended it all the same"),
        Err(error) => {
            println!("as it should be: {error}");
            drop(buffer);
            let is_over = side.gpu.answer(legacy.handle(), Duration::ZERO).unwrap();
            assert!(
                is_over.is_some() || side.in_use() == 1,
                "given back too early"
            );
        }
    }
    // SAFETY: made above, used no more.
    let status = unsafe { sys::cuStreamDestroy_v2(waiting) };
    assert_eq!(status, CUresult::CUDA_SUCCESS);
}

/// The stream of a thread, and handles that end on another one.
#[test]
fn handles_on_the_stream_of_a_thread_may_move() {
    let Some(side) = Side::with(CudaBackend::builder().max_blocks(1)) else {
        return;
    };
    let device = side.cuda.devices().next().unwrap().uuid();
    // SAFETY: a default stream.
    let stream = unsafe { side.cuda.foreign_stream(device, 2) }.unwrap();
    for frame in 0..5 {
        let mut buffer = side.cuda.allocate_buffer(MB).unwrap();
        let write = side.cuda.from_output_buffer(&mut buffer, &stream).unwrap();
        side.gpu.spin(stream.handle(), BUSY);
        side.gpu
            .fill(stream.handle(), write.address(), write.len(), frame);
        let elsewhere = std::thread::spawn(move || write.finish());
        elsewhere.join().unwrap().unwrap();
        let read = side.cuda.from_input_buffer(&buffer, &side.stream).unwrap();
        let reader = side.stream.handle();
        assert!(side.gpu.is_right(reader, read.address(), read.len(), frame));
        drop(read);
        // Read by this thread's stream, and let go elsewhere, while the next writer waits for the block.
        let read = side.cuda.from_input_buffer(&buffer, &stream).unwrap();
        drop(buffer);
        side.gpu.reset();
        side.gpu.spin(stream.handle(), BUSY);
        side.gpu
            .check(stream.handle(), read.address(), read.len(), frame)
            .unwrap();
        std::thread::spawn(move || drop(read)).join().unwrap();
        let _next = side.write_soon(MB, frame + 100, Duration::ZERO);
        let right = side.gpu.answer(stream.handle(), SOON).unwrap();
        assert_eq!(right, Some(MB as u64 / 4), "frame {frame}");
        side.stream.synchronize().unwrap();
    }
}

struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("as it should be: memory of others that panics when it goes");
    }
}

#[test]
fn a_panic_of_adopted_memory_stops_nothing() {
    let Some(side) = Side::new() else { return };
    let reading = side.cuda.new_stream().unwrap();
    let source = side.write(MB, 1, Duration::ZERO).unwrap();
    let read = side.cuda.from_input_buffer(&source, &side.stream).unwrap();
    side.gpu.spin(reading.handle(), BUSY);
    for _ in 0..2 {
        // SAFETY: the memory is that of `read`, which outlives this, and nobody writes it.
        let adopted = unsafe { side.cuda.adopt(read.address(), MB, &reading, Panics) };
        drop(adopted.unwrap());
    }
    assert_eq!(side.cuda.unfinished_reads(), 2, "still to come");
    eventually("both go", SOON, || side.cuda.unfinished_reads() == 0);
    for frame in 0..10 {
        drop(side.write_soon(MB, frame, Duration::ZERO));
        let buffer = side.write_soon(MB, frame, Duration::ZERO);
        drop(side.cuda.from_input_buffer(&buffer, &reading).unwrap());
    }
    drop((read, source));
    eventually("all blocks come back", SOON, || side.in_use() == 0);
}

/// The child of a fork has the handles too, and neither the threads nor, maybe, the locks.
#[test]
fn a_forked_child_drops_everything_and_hangs_nowhere() {
    for busy in [Duration::ZERO, BUSY] {
        let Some(side) = Side::new() else { return };
        let buffer = side.write(MB, 1, busy).unwrap();
        let mut fresh = side.cuda.allocate_buffer(MB).unwrap();
        let write = side.cuda.from_output_buffer(&mut fresh, &side.stream);
        let read = side.cuda.from_input_buffer(&buffer, &side.stream).unwrap();
        let ended = side.cuda.from_input_buffer(&buffer, &side.stream).unwrap();
        drop(ended); // waits in the reaper
        // SAFETY: the child drops what it has, which locks nothing that a thread of the parent may have locked, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let Side { cuda, stream, .. } = side;
            drop((read, write, buffer, fresh, stream));
            drop(cuda);
            // SAFETY: ends the child without the parent's exit handlers.
            unsafe { libc::_exit(0) };
        }
        let (start, mut status) = (Instant::now(), 0);
        // SAFETY: the pointer is valid for one number.
        while unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } == 0 {
            if start.elapsed() > SOON {
                // SAFETY: a child of this process that was not waited for yet.
                unsafe { libc::kill(child, libc::SIGKILL) };
                panic!("the child hangs");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(status, 0);
        // The parent's things are as they were.
        drop(write.unwrap());
        drop((read, fresh));
        let bytes = buffer.to_vec().unwrap();
        let first = u32::from_ne_bytes(bytes[..4].try_into().unwrap());
        assert_eq!(first, word(0, 1));
        drop(buffer);
        eventually("all blocks come back", SOON, || side.in_use() == 0);
    }
}
