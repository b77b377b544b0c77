//! Words that processes share: the channel of the hand-over measurements, so that neither a middleware nor a system call
//! stands between the sides. The memory is a memfd whose number a started process inherits.

use std::{
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::{
    fs::{MemfdFlags, fstat, ftruncate, memfd_create},
    mm::{MapFlags, ProtFlags, mmap},
    time::{ClockId, clock_gettime},
};

/// Nanoseconds of the clock that all processes of a machine share.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What goes from a writer to one reader; what the writer sets and what the reader sets lie in different cache lines.
#[repr(C, align(128))]
#[derive(Default)]
pub struct Slot {
    /// Number of the frame that `words` describe.
    pub published: AtomicU64,
    /// When its hand-over began.
    pub start: AtomicU64,
    /// The descriptor.
    pub words: [AtomicU64; 8],
    reader: Line,
}

#[repr(C, align(128))]
#[derive(Default)]
struct Line {
    consumed: AtomicU64,
}

impl Slot {
    /// The writer's step: the words first, then the number that makes them valid.
    pub fn publish(&self, number: u64, words: [u64; 8]) {
        for (place, word) in self.words.iter().zip(words) {
            place.store(word, Ordering::Relaxed);
        }
        self.published.store(number, Ordering::Release);
    }

    /// The reader's step: spins until `number` is there.
    pub fn wait(&self, number: u64) -> [u64; 8] {
        while self.published.load(Ordering::Acquire) != number {
            std::hint::spin_loop();
        }
        self.words()
    }

    /// The words as they are.
    pub fn words(&self) -> [u64; 8] {
        std::array::from_fn(|index| self.words[index].load(Ordering::Relaxed))
    }

    /// The reader is done with frame `number`.
    pub fn consume(&self, number: u64) {
        self.reader.consumed.store(number, Ordering::Release);
    }

    /// The last frame that the reader is done with.
    pub fn consumed(&self) -> u64 {
        self.reader.consumed.load(Ordering::Acquire)
    }
}

/// How many readers there may be.
pub const SLOTS: usize = 8;
const HEAD: usize = 4096;

/// The mapping: slots, then room for payload.
pub struct Shared {
    base: NonNull<u8>,
    len: usize,
    fd: OwnedFd,
}

// SAFETY: the slots are atomics; who touches the payload when is what the slots say.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// With room for `payload` bytes; processes that are started from now on inherit it.
    pub fn create(payload: usize) -> Self {
        let fd = memfd_create("bench", MemfdFlags::empty()).unwrap();
        ftruncate(&fd, (HEAD + payload) as u64).unwrap();
        Self::map(fd)
    }

    /// In a started process: what it inherited under this number.
    pub fn inherited(number: i32) -> Self {
        // SAFETY: the parent made it for this process, and nothing else here knows the number.
        Self::map(unsafe { OwnedFd::from_raw_fd(number) })
    }

    fn map(fd: OwnedFd) -> Self {
        let len = fstat(&fd).unwrap().st_size as usize;
        // SAFETY: a fresh mapping; the file is never made shorter.
        let base = unsafe {
            mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                &fd,
                0,
            )
        };
        Self {
            base: NonNull::new(base.unwrap().cast()).unwrap(),
            len,
            fd,
        }
    }

    /// What a started process has to be told.
    pub fn number(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Forgets what was said before.
    pub fn reset(&self) {
        (0..SLOTS).for_each(|index| {
            self.slot(index).published.store(0, Ordering::SeqCst);
            self.slot(index).consume(0);
        });
    }

    /// The channel to one reader.
    pub fn slot(&self, index: usize) -> &Slot {
        assert!(index < SLOTS && size_of::<Slot>() * SLOTS <= HEAD);
        // SAFETY: inside the mapping, aligned as a page is; all-zero bytes are a slot, and all its fields are atomics.
        unsafe { self.base.cast::<Slot>().add(index).as_ref() }
    }

    /// Start and length of the room behind the slots.
    pub fn payload(&self) -> (*mut u8, usize) {
        // SAFETY: inside the mapping.
        (unsafe { self.base.add(HEAD) }.as_ptr(), self.len - HEAD)
    }
}
