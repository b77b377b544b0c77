//! Shared words between a writer and a reader: who they are, the frames that go from one to the other, and what they count.
//! So neither a middleware nor a system call stands between the two. The memory is a memfd that a started process inherits.

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rosidl_buffer_runtime::cuda::CudaRsBufferDescriptor;
use rosidl_buffer_runtime::shm::ShmBufferDescriptor;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::time::{ClockId, clock_gettime};

const VARIABLE: &str = "ROSIDL_BUFFER_GPU_LINK";
/// Frames that may be on their way.
pub const SLOTS: u64 = 256;
const PLACES: usize = 256;
const TEXT: usize = 64;

/// Nanoseconds of the clock that all processes of a machine share.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap()
}

/// A number in a cache line of its own.
#[repr(C, align(128))]
#[derive(Default)]
pub struct Line(AtomicU64);

impl Line {
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Release);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub fn add(&self, value: u64) -> u64 {
        self.0.fetch_add(value, Ordering::AcqRel) + value
    }
}

/// One frame on its way.
#[repr(C, align(128))]
struct Slot {
    frame: AtomicU64,
    start: AtomicU64,
    words: [AtomicU64; WORDS],
}

/// What a frame's message says.
#[derive(Clone, Copy)]
pub struct Frame {
    /// Its number, which its pattern depends on.
    pub number: u64,
    /// When its hand-over began.
    pub start: u64,
    pub words: [u64; WORDS],
}

/// Of a descriptor.
pub const WORDS: usize = 12;

#[repr(C)]
pub struct Words {
    /// Frames that were sent.
    pub published: Line,
    /// Frames that the reader took, or saw that it could not.
    pub consumed: Line,
    /// Set to end the other process.
    pub stop: Line,
    /// What the processes count; each test has its own meaning for them.
    pub marks: [Line; 16],
    texts: [[AtomicU64; TEXT]; 2],
    slots: [Slot; PLACES],
}

/// Which end.
#[derive(Clone, Copy)]
pub enum End {
    Writer = 0,
    Reader = 1,
}

/// The mapping; it is never unmapped.
pub struct Link {
    words: &'static Words,
    fd: OwnedFd,
}

impl std::ops::Deref for Link {
    type Target = Words;
    fn deref(&self) -> &Words {
        self.words
    }
}

impl Link {
    pub fn new() -> Self {
        let fd = memfd_create("link", MemfdFlags::empty()).unwrap();
        ftruncate(&fd, size_of::<Words>() as u64).unwrap();
        Self::map(fd)
    }

    /// In a started process: the one that [`pass`](Self::pass) passed on. The process ends with the one that started it.
    pub fn inherited() -> Option<Self> {
        let number = std::env::var(VARIABLE).ok()?.parse().unwrap();
        set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
        // SAFETY: the parent made it for this process, and nothing else here knows the number.
        Some(Self::map(unsafe { OwnedFd::from_raw_fd(number) }))
    }

    /// The process that is about to be started inherits this link.
    pub fn pass<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env(VARIABLE, self.fd.as_raw_fd().to_string())
    }

    fn map(fd: OwnedFd) -> Self {
        let (len, access) = (size_of::<Words>(), ProtFlags::READ | ProtFlags::WRITE);
        // SAFETY: a fresh mapping; the file is as long and is never made shorter.
        let base = unsafe { mmap(std::ptr::null_mut(), len, access, MapFlags::SHARED, &fd, 0) };
        // SAFETY: mapped for good, aligned as a page is; all-zero bytes are valid, and all fields are atomics.
        let words = unsafe { &*base.unwrap().cast::<Words>() };
        Self { words, fd }
    }

    /// Says something short to the other end, once.
    pub fn say(&self, end: End, text: &str) {
        let place = &self.texts[end as usize];
        assert!(text.len() <= (TEXT - 1) * 8, "{text}");
        for (word, bytes) in place[1..].iter().zip(text.as_bytes().chunks(8)) {
            let mut padded = [0; 8];
            padded[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_le_bytes(padded), Ordering::Relaxed);
        }
        place[0].store(text.len() as u64 + 1, Ordering::Release);
    }

    /// Waits for what the other end says.
    pub fn hear(&self, end: End) -> String {
        let place = &self.texts[end as usize];
        let start = Instant::now();
        loop {
            if let Some(len) = place[0].load(Ordering::Acquire).checked_sub(1) {
                let bytes = place[1..]
                    .iter()
                    .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes());
                let bytes: Vec<u8> = bytes.take(usize::try_from(len).unwrap()).collect();
                return String::from_utf8(bytes).unwrap();
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the other process says nothing"
            );
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Sends a frame; the caller sees to it that no more than [`SLOTS`] are on their way.
    pub fn publish(&self, frame: &Frame) {
        let sent = self.published.get();
        let slot = &self.slots[usize::try_from(sent % SLOTS).unwrap()];
        slot.frame.store(frame.number, Ordering::Relaxed);
        slot.start.store(frame.start, Ordering::Relaxed);
        for (place, word) in slot.words.iter().zip(frame.words) {
            place.store(word, Ordering::Relaxed);
        }
        self.published.set(sent + 1);
    }

    /// The next frame, if it is there; [`consumed`](Words::consumed) says later that its place may be used again.
    pub fn next(&self, taken: u64) -> Option<Frame> {
        if self.published.get() <= taken {
            return None;
        }
        let slot = &self.slots[usize::try_from(taken % SLOTS).unwrap()];
        Some(Frame {
            number: slot.frame.load(Ordering::Relaxed),
            start: slot.start.load(Ordering::Relaxed),
            words: std::array::from_fn(|index| slot.words[index].load(Ordering::Relaxed)),
        })
    }
}

/// A descriptor as words.
pub fn to_words(descriptor: &CudaRsBufferDescriptor) -> [u64; WORDS] {
    let halves = |bytes: [u8; 16]| {
        let number = u128::from_le_bytes(bytes);
        [number & u128::from(u64::MAX), number >> 64].map(|half| u64::try_from(half).unwrap())
    };
    let (engine, device) = (halves(descriptor.engine_id), halves(descriptor.device_uuid));
    [
        descriptor.version.into(),
        engine[0],
        engine[1],
        device[0],
        device[1],
        descriptor.cell.into(),
        descriptor.block_id,
        descriptor.generation,
        descriptor.block_size,
        descriptor.offset,
        descriptor.size,
        0,
    ]
}

/// And back.
pub fn from_words(words: &[u64; WORDS]) -> CudaRsBufferDescriptor {
    let whole = |low: u64, high: u64| (u128::from(low) | u128::from(high) << 64).to_le_bytes();
    CudaRsBufferDescriptor {
        version: u8::try_from(words[0]).unwrap(),
        engine_id: whole(words[1], words[2]),
        device_uuid: whole(words[3], words[4]),
        cell: u32::try_from(words[5]).unwrap(),
        block_id: words[6],
        generation: words[7],
        block_size: words[8],
        offset: words[9],
        size: words[10],
    }
}

/// A descriptor of shared host memory as words.
pub fn shm_to_words(descriptor: &ShmBufferDescriptor) -> [u64; WORDS] {
    let engine = u128::from_le_bytes(descriptor.engine_id);
    let half = |number: u128| u64::try_from(number & u128::from(u64::MAX)).unwrap();
    let mut words = [0; WORDS];
    words[..9].copy_from_slice(&[
        descriptor.version.into(),
        half(engine),
        half(engine >> 64),
        descriptor.cell.into(),
        descriptor.block_id,
        descriptor.generation,
        descriptor.block_size,
        descriptor.offset,
        descriptor.size,
    ]);
    words
}

/// And back.
pub fn shm_from_words(words: &[u64; WORDS]) -> ShmBufferDescriptor {
    ShmBufferDescriptor {
        version: u8::try_from(words[0]).unwrap(),
        engine_id: (u128::from(words[1]) | u128::from(words[2]) << 64).to_le_bytes(),
        cell: u32::try_from(words[3]).unwrap(),
        block_id: words[4],
        generation: words[5],
        block_size: words[6],
        offset: words[7],
        size: words[8],
    }
}
