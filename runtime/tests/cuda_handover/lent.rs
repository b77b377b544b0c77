//! Allocations that somebody else made and that can be exported: readers in other processes read them in place.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cudarc::driver::sys::{self, CUresult};
use rosidl_buffer_runtime::cuda::{CudaBackend, CudaStream};
use rosidl_buffer_runtime::{Buffer, BufferBackend as _};

use crate::log;
use crate::other::Other;
use crate::queue::{HOLDING, MAPPED, OTHER_ERROR, OWN, RIGHT, WRONG};
use crate::side::{Side, eventually};

const MB: usize = 1 << 20;
const SOON: Duration = Duration::from_secs(20);
const COPIED: &str = "INFO adopted memory is copied on the device for readers in other processes; what is written into a buffer of `allocate_buffer` is not (said once) reason=";

fn check(status: CUresult) {
    assert_eq!(status, CUresult::CUDA_SUCCESS);
}

/// Addresses, and allocations that are mapped there one behind the other, as a framework's pool has them.
struct Mapped {
    start: u64,
    sizes: Vec<usize>,
}

impl Mapped {
    /// Not mapped yet. The device's context is current, as in all of this.
    fn reserve(len: usize) -> u64 {
        let mut start = 0;
        // SAFETY: the pointer is valid for one address.
        check(unsafe { sys::cuMemAddressReserve(&raw mut start, len, 0, 0, 0) });
        start
    }

    fn new(sizes: &[usize]) -> Self {
        let start = Self::reserve(sizes.iter().sum());
        Self::at(start, sizes)
    }

    /// Allocations that can be exported, at reserved addresses.
    fn at(start: u64, sizes: &[usize]) -> Self {
        // SAFETY: plain numbers; 0 is a value of the enums among them, and the first device.
        let mut properties: sys::CUmemAllocationProp = unsafe { std::mem::zeroed() };
        properties.type_ = sys::CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED;
        properties.location.type_ = sys::CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
        properties.requestedHandleTypes =
            sys::CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
        let access = sys::CUmemAccessDesc {
            location: properties.location,
            flags: sys::CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
        };
        let mut at = start;
        for size in sizes {
            let mut handle = 0;
            // SAFETY: the pointers are valid.
            check(unsafe { sys::cuMemCreate(&raw mut handle, *size, &raw const properties, 0) });
            // SAFETY: reserved and not mapped.
            check(unsafe { sys::cuMemMap(at, *size, 0, handle, 0) });
            // SAFETY: mapped in the line above.
            check(unsafe { sys::cuMemSetAccess(at, *size, &raw const access, 1) });
            // SAFETY: once; it goes when it is not mapped any more.
            check(unsafe { sys::cuMemRelease(handle) });
            at += *size as u64;
        }
        Self {
            start,
            sizes: sizes.to_vec(),
        }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        let mut at = self.start;
        for size in &self.sizes {
            // SAFETY: mapped by this value; nobody uses it any more.
            check(unsafe { sys::cuMemUnmap(at, *size) });
            at += *size as u64;
        }
    }
}

/// A place for frames that are used again and again; spoiled as soon as it is given back.
struct Place {
    address: u64,
    len: usize,
    stream: CudaStream,
    taken: AtomicBool,
    /// Given back so many times.
    back: AtomicU32,
}

struct Taken(Arc<Place>);

impl Drop for Taken {
    fn drop(&mut self) {
        let (place, handle) = (&self.0, self.0.stream.handle() as sys::CUstream);
        // SAFETY: mapped, and in nobody's use: whoever still reads it sees nonsense.
        let spoiled = unsafe { sys::cuMemsetD8Async(place.address, 0xEE, place.len, handle) };
        assert_eq!(spoiled, CUresult::CUDA_SUCCESS);
        place.back.fetch_add(1, Ordering::Relaxed);
        place.taken.store(false, Ordering::Release);
    }
}

impl Place {
    fn new(side: &Side, address: u64, len: usize) -> Arc<Self> {
        Arc::new(Self {
            address,
            len,
            stream: side.cuda.new_stream().unwrap(),
            taken: AtomicBool::new(false),
            back: AtomicU32::new(0),
        })
    }

    /// A frame that is written there, on its way.
    fn frame(self: &Arc<Self>, side: &Side, number: u64, busy: Duration) -> Buffer<u8> {
        eventually("its last frame is given back", SOON, || {
            !self.taken.load(Ordering::Acquire)
        });
        self.taken.store(true, Ordering::Relaxed);
        let (stream, keep) = (self.stream.handle(), Taken(Arc::clone(self)));
        if !busy.is_zero() {
            side.gpu.spin(stream, busy);
        }
        side.gpu.fill(stream, self.address, self.len, number);
        // SAFETY: mapped as long as the test runs, and written on this stream only.
        unsafe { side.cuda.adopt(self.address, self.len, &self.stream, keep) }.unwrap()
    }

    fn back(&self) -> u32 {
        self.back.load(Ordering::Relaxed)
    }
}

/// Sends frames by way of these places in turn; each reader finds every word of every frame right.
fn send_around(side: &Side, places: &[Arc<Place>], frames: u64) -> Vec<(u64, u64)> {
    let mut others = [Other::start("prompt"), Other::start("prompt")];
    let readers: Vec<_> = others.iter().map(|other| side.serve(&other.link)).collect();
    let mut told = Vec::new();
    for number in 0..frames {
        let busy = Duration::from_millis(if number % 50 == 7 { 3 } else { 0 });
        let place = &places[usize::try_from(number).unwrap() % places.len()];
        let buffer = place.frame(side, number, busy);
        for (other, reader) in others.iter().zip(&readers) {
            eventually("the reader goes on", SOON, || {
                number - other.link.consumed.get() < 3
            });
            let start = Instant::now();
            assert!(side.send(&other.link, number, &buffer, reader), "connected");
            told.push(start.elapsed());
        }
    }
    for (which, what) in [(0, "shared and told"), (1, "told")] {
        let mut times: Vec<_> = told.iter().skip(which).step_by(2).collect();
        times.sort_unstable();
        let (middle, last) = (times[times.len() / 2], times[times.len() - 1]);
        println!("{what}: {middle:?} of the host, p50 of {frames}; {last:?} at most");
    }
    let seen = others.iter_mut().map(|other| {
        other.end();
        let marks = [RIGHT, WRONG, OTHER_ERROR].map(|mark| other.link.marks[mark].get());
        assert_eq!(marks, [frames, 0, 0]);
        (other.link.marks[MAPPED].get(), other.link.marks[OWN].get())
    });
    let seen = seen.collect();
    let back = || {
        places
            .iter()
            .map(|place| u64::from(place.back()))
            .sum::<u64>()
    };
    eventually("all of it is given back", SOON, || back() == frames);
    seen
}

#[test]
fn whole_allocations_are_read_in_place() {
    let Some(side) = Side::new() else { return };
    let memory = Mapped::new(&[4 * MB; 3]);
    let places = [0, 4, 8].map(|at| Place::new(&side, memory.start + (at * MB) as u64, 4 * MB));
    let said = log::collect(|| {
        let seen = send_around(&side, &places, 200);
        assert_eq!(seen, [(3, 0); 2], "mapped, and copied");
    });
    assert!(said.is_empty(), "{said:?}");
    let stats = side.cuda.stats();
    assert_eq!((stats.made, stats.allocated), (3, 0), "{stats:?}");
    // Nothing comes any more: the allocations are let go of.
    eventually("its blocks go", SOON, || side.cuda.stats().blocks == 0);
}

#[test]
fn what_a_reader_holds_is_not_given_back() {
    let Some(side) = Side::new() else { return };
    let memory = Mapped::new(&[2 * MB; 2]);
    let places = [0, 2].map(|at| Place::new(&side, memory.start + (at * MB) as u64, 2 * MB));
    let mut other = Other::start("hold");
    let reader = side.serve(&other.link);
    let buffers: Vec<_> = places
        .iter()
        .zip(0..)
        .map(|(place, number)| place.frame(&side, number, Duration::ZERO))
        .collect();
    for (buffer, number) in buffers.iter().zip(0..) {
        assert!(side.send(&other.link, number, buffer, &reader));
    }
    // In this process it is where it was.
    let own = side.cuda.backend_metadata();
    let storage = buffers[0].storage().unwrap();
    let descriptor = side.cuda.create_descriptor(storage, &own).unwrap().unwrap();
    let read = side.cuda.read(&descriptor, &side.stream).unwrap();
    assert_eq!((read.address(), read.len()), (places[0].address, 2 * MB));
    assert!(
        side.gpu
            .is_right(side.stream.handle(), read.address(), read.len(), 0)
    );
    eventually("it holds them", SOON, || {
        other.link.marks[HOLDING].get() == 2
    });
    drop(buffers);
    std::thread::sleep(Duration::from_millis(200));
    let back = || [places[0].back(), places[1].back()];
    assert_eq!(back(), [0, 0], "they are read");
    other.kill();
    eventually("one comes back", SOON, || back() == [0, 1]);
    drop(read);
    eventually("the other comes back", SOON, || back() == [1, 1]);
}

/// Allocations that come and go at one address: none is taken for another, and none is kept for long.
#[test]
fn an_allocation_is_not_taken_for_an_earlier_one() {
    let Some(side) = Side::new() else { return };
    let mut other = Other::start("prompt");
    let reader = side.serve(&other.link);
    let free = side.gpu.free_memory();
    let start = Mapped::reserve(64 * MB);
    for number in 0..20 {
        let memory = Mapped::at(start, &[64 * MB]);
        let place = Place::new(&side, start, 64 * MB);
        let buffer = place.frame(&side, number, Duration::ZERO);
        assert!(side.send(&other.link, number, &buffer, &reader));
        drop(buffer);
        eventually("it is given back", SOON, || place.back() == 1);
        place.stream.synchronize().unwrap();
        drop(memory);
        let stats = side.cuda.stats();
        assert!(stats.blocks <= 1, "frame {number}: {stats:?}");
    }
    assert_eq!(side.cuda.stats().made, 20);
    eventually("the last block goes", SOON, || {
        side.cuda.stats().blocks == 0
    });
    other.end();
    let marks = [RIGHT, WRONG].map(|mark| other.link.marks[mark].get());
    assert_eq!(marks, [20, 0]);
    let now = Cell::new(0);
    eventually("its memory is the device's again", SOON, || {
        now.set(side.gpu.free_memory());
        now.get() + (32 << 20) >= free
    });
}

#[test]
fn parts_of_an_allocation_are_shared_in_place_if_that_is_allowed() {
    let Some(side) = Side::new() else { return };
    let memory = Mapped::new(&[4 * MB]);
    let halves =
        |side: &Side| [0, 2].map(|at| Place::new(side, memory.start + (at * MB) as u64, 2 * MB));
    let said = log::collect(|| {
        let seen = send_around(&side, &halves(&side), 20);
        assert!(seen.iter().all(|(mapped, _)| *mapped > 0), "{seen:?}");
    });
    let why = format!(
        "{COPIED}it is a part of an allocation of 4194304 bytes, and readers could map all of it; see `CudaBuilder::expose_allocations`"
    );
    assert_eq!(said, [why]);
    assert_eq!(side.cuda.stats().allocated, 20, "copied");
    let Some(side) = Side::with(CudaBackend::builder().expose_allocations(true)) else {
        return;
    };
    let said = log::collect(|| {
        let seen = send_around(&side, &halves(&side), 100);
        assert_eq!(seen, [(2, 0); 2], "a block for each half");
    });
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(side.cuda.stats().allocated, 0);
}

#[test]
fn memory_of_several_allocations_is_copied() {
    let Some(side) = Side::with(CudaBackend::builder().expose_allocations(true)) else {
        return;
    };
    let memory = Mapped::new(&[2 * MB; 2]);
    let said = log::collect(|| {
        send_around(&side, &[Place::new(&side, memory.start, 4 * MB)], 20);
    });
    assert_eq!(said, [format!("{COPIED}it lies in several allocations")]);
    assert_eq!(side.cuda.stats().allocated, 20);
}
