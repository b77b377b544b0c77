//! Memory that somebody else made: read in place here, copied on the device for others, kept until the GPU is through with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cudarc::driver::sys::{self, CUresult};
use cudarc::driver::{CudaContext, PinnedHostSlice};
use rosidl_buffer_runtime::cuda::{AccessError, CudaBackend, CudaStream};
use rosidl_buffer_runtime::shm::ShmBackend;
use rosidl_buffer_runtime::{Buffer, BufferBackend as _};

use crate::gpu::word;
use crate::log;
use crate::other::Other;
use crate::queue::{RIGHT, WRONG};
use crate::side::{Side, eventually};

const MB: usize = 1 << 20;
const SOON: Duration = Duration::from_secs(20);

/// What became of memory that was given away.
#[derive(Default)]
struct Fate {
    freed: AtomicU32,
    /// Freed while a stream still had work that uses it.
    early: AtomicU32,
}

/// Memory as a framework has it: allocated, written and given back on a stream of its own.
struct Foreign {
    address: u64,
    len: usize,
    stream: CudaStream,
    /// Another stream that uses it, and nothing else.
    reading: Option<CudaStream>,
    fate: Arc<Fate>,
}

impl Foreign {
    fn new(side: &Side, len: usize, fate: &Arc<Fate>) -> Self {
        let (mut address, stream) = (0, side.cuda.new_stream().unwrap());
        let handle = stream.handle() as sys::CUstream;
        // SAFETY: the pointer is valid for one address; the stream is alive.
        let status = unsafe { sys::cuMemAllocAsync(&raw mut address, len, handle) };
        assert_eq!(status, CUresult::CUDA_SUCCESS);
        Self {
            address,
            len,
            stream,
            reading: None,
            fate: Arc::clone(fate),
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        for stream in [Some(&self.stream), self.reading.as_ref()] {
            let Some(stream) = stream else { continue };
            let handle = stream.handle() as sys::CUstream;
            // SAFETY: the stream is alive.
            let status = unsafe { sys::cuStreamQuery(handle) };
            let early = status == CUresult::CUDA_ERROR_NOT_READY;
            self.fate.early.fetch_add(early.into(), Ordering::Relaxed);
        }
        let (handle, all) = (self.stream.handle() as sys::CUstream, self.len);
        // Whoever still reads it sees nonsense.
        // SAFETY: allocated by this value, which nobody uses any more.
        let spoiled = unsafe { sys::cuMemsetD8Async(self.address, 0xEE, all, handle) };
        // SAFETY: as above; freed once.
        let freed = unsafe { sys::cuMemFreeAsync(self.address, handle) };
        let both = [spoiled, freed] == [CUresult::CUDA_SUCCESS; 2];
        self.fate.freed.fetch_add(both.into(), Ordering::Relaxed);
    }
}

/// A frame in foreign memory, on its way.
fn frame(
    side: &Side,
    len: usize,
    number: u64,
    busy: Duration,
    (reading, fate): (Option<&CudaStream>, &Arc<Fate>),
) -> Buffer<u8> {
    let mut foreign = Foreign::new(side, len, fate);
    foreign.reading = reading.cloned();
    let (address, stream) = (foreign.address, foreign.stream.clone());
    if !busy.is_zero() {
        side.gpu.spin(stream.handle(), busy);
    }
    side.gpu.fill(stream.handle(), address, len, number);
    // SAFETY: so long, freed by `foreign`, and written on this stream only.
    unsafe { side.cuda.adopt(address, len, &stream, foreign) }.unwrap()
}

fn host_words(bytes: &[u8], number: u64) -> bool {
    let words = bytes.chunks_exact(4).zip(0..);
    let right = words.filter(|(bytes, index)| {
        u32::from_ne_bytes((*bytes).try_into().unwrap()) == word(*index, number)
    });
    right.count() == bytes.len() / 4
}

#[test]
fn adopted_memory_is_read_in_place_and_kept_until_then() {
    let Some(side) = Side::new() else { return };
    let fate = Arc::default();
    let busy = Duration::from_millis(20);
    for number in 0..20 {
        let reading = side.cuda.new_stream().unwrap();
        let buffer = frame(&side, 4 * MB, number, busy, (Some(&reading), &fate));
        assert_eq!(buffer.backend_type(), "cuda_rs");
        let read = side.cuda.from_input_buffer(&buffer, &reading).unwrap();
        let again = side.cuda.from_input_buffer(&buffer, &reading).unwrap();
        assert_eq!(read.address(), again.address(), "one place");
        assert_eq!(read.len(), 4 * MB);
        let (address, len) = (read.address(), read.len());
        side.gpu.reset();
        side.gpu
            .check(reading.handle(), address, len, number)
            .unwrap();
        side.gpu.spin(reading.handle(), busy); // in use for longer than any handle lives
        drop((buffer, again, read));
        let right = side.gpu.answer(reading.handle(), SOON).unwrap();
        assert_eq!(right, Some(MB as u64), "frame {number}");
    }
    eventually("all of it is given back", SOON, || {
        fate.freed.load(Ordering::Relaxed) == 20
    });
    assert_eq!(fate.early.load(Ordering::Relaxed), 0);
    assert_eq!(side.cuda.stats().blocks, 0, "nothing was copied");
}

/// Nobody reads: the work that writes it uses it all the same.
#[test]
fn adopted_memory_is_kept_while_it_is_written() {
    let Some(side) = Side::new() else { return };
    let fate = Arc::default();
    let busy = Duration::from_millis(50);
    drop(frame(&side, MB, 1, busy, (None, &fate)));
    eventually("it is given back", SOON, || {
        fate.freed.load(Ordering::Relaxed) == 1
    });
    assert_eq!(fate.early.load(Ordering::Relaxed), 0);
}

#[test]
fn an_adopted_buffer_is_one_as_any_other() {
    let Some(side) = Side::with(CudaBackend::builder().host_pool(Arc::new(shm()))) else {
        return;
    };
    let fate = Arc::default();
    let busy = Duration::from_millis(20);
    let mut buffer = frame(&side, 3 * MB + 4, 7, busy, (None, &fate));
    assert!(buffer.as_slice().is_none());
    assert!(host_words(&buffer.to_vec().unwrap(), 7));
    let clone = buffer.clone();
    assert_eq!(clone, buffer);
    let same = side.write(3 * MB + 4, 7, Duration::ZERO).unwrap();
    assert_eq!(same, buffer);
    let other = side.write(3 * MB + 4, 8, Duration::ZERO).unwrap();
    assert_ne!(other, buffer);
    // For readers without the device.
    let host = buffer.storage().unwrap().host_storage().expect("a copy");
    assert_eq!(host.backend_type(), "shm");
    assert!(host_words(host.host_bytes().unwrap(), 7));
    // It belongs to somebody else: writing gives fresh memory.
    let old = side.cuda.from_input_buffer(&clone, &side.stream).unwrap();
    let write = side
        .cuda
        .from_output_buffer(&mut buffer, &side.stream)
        .unwrap();
    assert_ne!(write.address(), old.address());
    drop((write, old, buffer, clone));
    eventually("it is given back", SOON, || {
        fate.freed.load(Ordering::Relaxed) == 1
    });
    assert_eq!(fate.early.load(Ordering::Relaxed), 0);
}

fn shm() -> ShmBackend {
    ShmBackend::new().unwrap()
}

#[test]
fn adopted_memory_reaches_other_processes() {
    let Some(side) = Side::new() else { return };
    let (mut first, mut second) = (Other::start("prompt"), Other::start("prompt"));
    let readers = [&first, &second].map(|other| side.serve(&other.link));
    let fate = Arc::default();
    let frames = 200;
    let mut told = Vec::new();
    let said = log::collect(|| {
        for number in 0..frames {
            let busy = Duration::from_millis(if number % 50 == 7 { 3 } else { 0 });
            let buffer = frame(&side, 4 * MB, number, busy, (None, &fate));
            for (other, reader) in [&first, &second].into_iter().zip(&readers) {
                eventually("the reader goes on", SOON, || {
                    number - other.link.consumed.get() < 2
                });
                let start = Instant::now();
                assert!(side.send(&other.link, number, &buffer, reader), "connected");
                told.push(start.elapsed());
            }
        }
    });
    for (which, what) in [(0, "copied and told"), (1, "told")] {
        let mut times: Vec<_> = told.iter().skip(which).step_by(2).collect();
        times.sort_unstable();
        println!(
            "{what}: {:?} of the host, p50 of {frames}",
            times[times.len() / 2]
        );
    }
    for other in [&mut first, &mut second] {
        other.end();
        let marks = [RIGHT, WRONG].map(|mark| other.link.marks[mark].get());
        assert_eq!(marks, [frames, 0]);
    }
    let line = "INFO adopted memory is copied on the device for readers in other processes; what is written into a buffer of `allocate_buffer` is not (said once) reason=it is no memory that can be exported, as `cuMemCreate` makes it where it is told to";
    assert_eq!(said, [line]);
    let stats = side.cuda.stats();
    assert!(stats.blocks <= 4, "one copy for both: {stats:?}");
    assert_eq!(stats.allocated, frames);
    eventually("all of it is given back", SOON, || {
        u64::from(fate.freed.load(Ordering::Relaxed)) == frames
    });
    assert_eq!(fate.early.load(Ordering::Relaxed), 0);
    eventually("all blocks come back", SOON, || side.in_use() == 0);
}

/// Without a block the reader gets bytes, and that is said.
#[test]
fn adopted_memory_that_cannot_be_copied_is_for_bytes() {
    let Some(side) = Side::with(CudaBackend::builder().max_blocks(1)) else {
        return;
    };
    let mut other = Other::start("prompt");
    let reader = side.serve(&other.link);
    let _only = side.cuda.allocate_buffer(MB).unwrap();
    let fate = Arc::default();
    let said = log::collect(|| {
        for number in 0..3 {
            let buffer = frame(&side, MB, number, Duration::ZERO, (None, &fate));
            let described = side
                .cuda
                .create_descriptor(buffer.storage().unwrap(), &reader);
            assert!(described.unwrap().is_none());
            assert!(host_words(&buffer.to_vec().unwrap(), number), "the bytes");
        }
    });
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("WARN adopted memory could not be copied on the device; readers in other processes get bytes (said once) error="),
        "{said:?}"
    );
    other.end();
}

#[test]
fn what_is_no_memory_of_the_device_is_refused() {
    let Some(side) = Side::new() else { return };
    let fate: Arc<Fate> = Arc::default();
    let refused = |what: &str, address: u64| {
        let keep = Foreign::new(&side, MB, &fate);
        let stream = keep.stream.clone();
        side.gpu.spin(stream.handle(), Duration::from_millis(20));
        // SAFETY: it is refused.
        let adopted = unsafe { side.cuda.adopt(address, MB, &stream, keep) };
        let error = adopted.expect_err(what);
        println!("{what}: {error}");
        error
    };
    let bytes = vec![0u8; MB];
    let nothing = refused("nothing", 0);
    assert!(matches!(nothing, AccessError::Cuda(_)), "{nothing}");
    let host = refused("host memory", bytes.as_ptr() as u64);
    assert!(matches!(host, AccessError::Cuda(_)), "{host}");
    let context = CudaContext::new(0).unwrap();
    // SAFETY: it is not read.
    let pinned: PinnedHostSlice<u8> = unsafe { context.alloc_pinned(MB) }.unwrap();
    let pinned = refused("pinned memory", pinned.as_ptr().unwrap() as u64).to_string();
    assert!(pinned.contains("no memory of a device"), "{pinned}");
    assert_eq!(fate.freed.load(Ordering::Relaxed), 3, "given back");
    assert_eq!(fate.early.load(Ordering::Relaxed), 0);
    // No bytes lie nowhere, as in an empty tensor.
    // SAFETY: there is nothing to read.
    let empty = unsafe { side.cuda.adopt(0, 0, &side.stream, ()) }.unwrap();
    assert!(empty.to_vec().unwrap().is_empty());
}

#[test]
fn a_slice_of_cudarcs_is_adopted() {
    let Some(side) = Side::new() else { return };
    let context = CudaContext::new(0).unwrap();
    let numbers: Vec<f32> = (0..60_000_u16).map(f32::from).collect();
    for stream in [context.default_stream(), context.new_stream().unwrap()] {
        let free = side.gpu.free_memory();
        for _ in 0..50 {
            let slice = stream.clone_htod(&numbers).unwrap();
            let buffer = side.cuda.adopt_slice(slice).unwrap();
            let read = side.cuda.from_input_buffer(&buffer, &side.stream).unwrap();
            assert_eq!(read.len(), 4 * numbers.len());
            drop(read);
            assert_eq!(buffer.to_vec().unwrap(), numbers);
        }
        eventually("all of it is given back", SOON, || {
            side.cuda.unfinished_reads() == 0
        });
        stream.synchronize().unwrap();
        context.check_err().expect("cudarc freed all of it");
        let now = side.gpu.free_memory();
        assert!(
            now + (64 << 20) >= free,
            "{free} bytes were free, {now} are"
        );
    }
}
