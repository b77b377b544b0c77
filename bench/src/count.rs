//! What a piece of code asks of others: the heap, and the kernel.
//!
//! System calls are not sampled: the kernel is told to stop this thread at each one (syscall user dispatch). The handler
//! notes it, opens the door and runs the same call again, so that a piece of code which makes one still works.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ffi::{c_int, c_void},
    sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering},
};

/// Counts what the program allocates; `#[global_allocator]`.
pub struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

/// How often memory was asked for so far, by all threads.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

const DISPATCH: c_int = 59;
const OPEN: u8 = 0;
const SHUT: u8 = 1;

/// The kernel reads this byte at each system call of the thread that gave it.
static DOOR: AtomicU8 = AtomicU8::new(OPEN);
static USED: AtomicBool = AtomicBool::new(false);
static LAST: AtomicI64 = AtomicI64::new(-1);

extern "C" fn noted(_signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    DOOR.store(OPEN, Ordering::Relaxed);
    // SAFETY: the kernel hands over a full `siginfo_t` and `ucontext_t`; for SIGSYS the number of the call stands at byte 24.
    let (number, context) = unsafe {
        (
            info.cast::<c_int>().add(6).read(),
            &mut *context.cast::<libc::ucontext_t>(),
        )
    };
    LAST.store(number.into(), Ordering::Relaxed);
    USED.store(true, Ordering::Relaxed);
    // Back onto the instruction of two bytes.
    context.uc_mcontext.gregs[libc::REG_RIP as usize] -= 2;
}

/// Watches the calling thread, one at a time in a process.
pub struct Watch(());

impl Watch {
    /// From now on; what happens outside of [`used`](Self::used) passes unseen.
    pub fn start() -> Self {
        assert!(!USED.swap(false, Ordering::Relaxed));
        // SAFETY: the handler touches atomics and its own frame only; the door is a static.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = noted as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
            assert_eq!(
                libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut()),
                0
            );
            assert_eq!(
                libc::prctl(DISPATCH, 1, 0, 0, DOOR.as_ptr()),
                0,
                "{}",
                std::io::Error::last_os_error()
            );
        }
        Self(())
    }

    /// The number of a system call that `code` made, if it made one.
    pub fn used<R>(&self, code: impl FnOnce() -> R) -> (R, Option<i64>) {
        DOOR.store(SHUT, Ordering::Relaxed);
        let result = code();
        DOOR.store(OPEN, Ordering::Relaxed);
        (
            result,
            USED.swap(false, Ordering::Relaxed)
                .then(|| LAST.load(Ordering::Relaxed)),
        )
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: turns off what `start` turned on.
        unsafe { libc::prctl(DISPATCH, 0, 0, 0, 0) };
    }
}

/// How often threads of this process other than the calling one went to sleep so far: what others do on our behalf shows here.
pub fn sleeps_of_others() -> u64 {
    let own = rustix::thread::gettid().as_raw_nonzero().get().to_string();
    let others = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .flatten()
        .filter(|task| *task.file_name() != *own);
    others
        .filter_map(|task| {
            let status = std::fs::read_to_string(task.path().join("status")).ok()?;
            status.lines().find_map(|line| {
                line.strip_prefix("voluntary_ctxt_switches:")?
                    .trim()
                    .parse::<u64>()
                    .ok()
            })
        })
        .sum()
}
