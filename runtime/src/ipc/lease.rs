//! Memory that processes share: mapped files, the lease with its cells, and a page that tells a child of `fork`.
//!
//! A lease is a memfd of [`CELLS`] cells, made by the writer for one reader process; both map it writable, so what stands
//! in it is a claim, checked by [`cell`](super::cell) at each step. Its size is sealed: neither side can make the other fault
//! by shrinking it. Everything is checked before it is mapped. No payload lies here, and nothing here waits.

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags};

use super::atomic::{AtomicU64, Ordering};

/// Number of cells of a lease, and so of blocks that a writer can share at a time.
pub(crate) const CELLS: usize = 1024;
const LEASE_LEN: usize = CELLS * Lease::STRIDE;
const LEASE_SEALS: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::SEAL);

/// A range of addresses that is unmapped on drop. Says nothing of who else writes there.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread, and `Mapping` itself reads and writes nothing there.
unsafe impl Send for Mapping {}
// SAFETY: as above; `&Mapping` gives only the address and the length.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of a file for reading; what others write there becomes visible.
    pub(crate) fn read_only(fd: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        Self::shared(fd, len, ProtFlags::READ)
    }

    /// Maps the first `len` bytes of a file for reading and writing, shared with all who map it.
    pub(crate) fn writable(fd: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        Self::shared(fd, len, ProtFlags::READ | ProtFlags::WRITE)
    }

    fn shared(fd: BorrowedFd<'_>, len: usize, access: ProtFlags) -> io::Result<Self> {
        check_len(len)?;
        // SAFETY: the address is the kernel's choice, so no memory of this process is replaced; the length is not 0.
        let start =
            unsafe { rustix::mm::mmap(ptr::null_mut(), len, access, MapFlags::SHARED, fd, 0) }?;
        Self::owned(start, len)
    }

    /// Maps `len` bytes of zeroes of this process alone; a child of `fork` gets a copy.
    pub(crate) fn anonymous(len: usize) -> io::Result<Self> {
        check_len(len)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the address is the kernel's choice, so no memory of this process is replaced; the length is not 0.
        let start =
            unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), len, access, MapFlags::PRIVATE) }?;
        Self::owned(start, len)
    }

    fn owned(start: *mut c_void, len: usize) -> io::Result<Self> {
        let start = NonNull::new(start.cast()).ok_or(Errno::NOMEM)?;
        Ok(Self { start, len })
    }

    /// The first byte; page-aligned, valid for [`len`](Self::len) bytes while `self` lives.
    pub(crate) fn as_ptr(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by this value and is unmapped once; whoever borrowed from it is gone.
        if let Err(error) = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) } {
            tracing::error!(%error, len = self.len, "memory could not be unmapped and stays");
        }
    }
}

/// A slice may not be longer than `isize::MAX`, and an empty mapping does not exist.
fn check_len(len: usize) -> io::Result<()> {
    if len == 0 || isize::try_from(len).is_err() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "cannot map {len} bytes: the length must be from 1 to {}",
                isize::MAX
            ),
        ));
    }
    Ok(())
}

/// A new file of `len` zero bytes that lives in memory only, has no name that others could open, is closed on `exec`, and
/// may be sealed. `name` is seen in `/proc/<pid>/maps`.
pub(crate) fn memfd(name: &str, len: u64) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the flag; later ones may be set up to want it.
    let fd = match rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => rustix::fs::memfd_create(name, flags)?,
        other => other?,
    };
    rustix::fs::ftruncate(&fd, len)?;
    Ok(fd)
}

/// Seals a memfd and looks whether it is so.
pub(crate) fn seal(fd: BorrowedFd<'_>, seals: SealFlags) -> io::Result<()> {
    rustix::fs::fcntl_add_seals(fd, seals)?;
    check_seals(fd, seals)
}

/// Whether a file of another process is a memfd with at least these seals and exactly this size; `what` names it in the error.
pub(crate) fn check_sealed(
    what: &str,
    fd: BorrowedFd<'_>,
    seals: SealFlags,
    len: u64,
) -> io::Result<()> {
    check_seals(fd, seals).map_err(|error| invalid(format!("{what}: {error}")))?;
    let found = rustix::fs::fstat(fd)?.st_size;
    if u64::try_from(found) != Ok(len) {
        return Err(invalid(format!(
            "{what}: the file has {found} bytes, not {len}"
        )));
    }
    Ok(())
}

fn check_seals(fd: BorrowedFd<'_>, seals: SealFlags) -> io::Result<()> {
    let found = match rustix::fs::fcntl_get_seals(fd) {
        Err(Errno::INVAL) => return Err(invalid("the file is no memfd".to_owned())),
        other => other?,
    };
    if !found.contains(seals) {
        let missing = seals - found;
        return Err(invalid(format!("the memfd lacks the seals {missing:?}")));
    }
    Ok(())
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// The cells that tell, block by block, how many descriptors of one writer one reader process awaits and holds.
#[derive(Debug)]
pub(crate) struct Lease {
    mapping: Mapping,
}

impl Lease {
    /// Bytes from one cell to the next: a cache line, so that readers of different blocks do not slow each other.
    pub(crate) const STRIDE: usize = 64;

    /// Writer: a new lease, all cells free, and the file for the reader.
    pub(crate) fn create() -> io::Result<(Self, OwnedFd)> {
        let fd = memfd("rosidl_buffer-lease", LEASE_LEN as u64)?;
        seal(fd.as_fd(), LEASE_SEALS)?;
        let mapping = Mapping::writable(fd.as_fd(), LEASE_LEN)?;
        Ok((Self { mapping }, fd))
    }

    /// A lease for readers in the writer's own process; no file is behind it.
    pub(crate) fn private() -> io::Result<Self> {
        let mapping = Mapping::anonymous(LEASE_LEN)?;
        Ok(Self { mapping })
    }

    /// Reader: the lease that a writer sent. The file is closed, mapped or not.
    pub(crate) fn open(fd: OwnedFd) -> io::Result<Self> {
        check_sealed("lease", fd.as_fd(), LEASE_SEALS, LEASE_LEN as u64)?;
        let mapping = Mapping::writable(fd.as_fd(), LEASE_LEN)?;
        drop(fd); // the mapping stays
        Ok(Self { mapping })
    }

    /// All cells, the first at its start.
    #[cfg(feature = "cuda")]
    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The cell of the block in the writer's slot `index`; `None` from [`CELLS`] on.
    pub(crate) fn cell(&self, index: u32) -> Option<&AtomicU64> {
        self.word(index, 0)
    }

    /// Another word of the same cache line.
    #[cfg(any(test, feature = "cuda"))]
    pub(crate) fn beside(&self, index: u32) -> Option<&AtomicU64> {
        self.word(index, size_of::<u64>())
    }

    /// And another one.
    #[cfg(feature = "cuda")]
    pub(crate) fn end(&self, index: u32) -> Option<&AtomicU64> {
        self.word(index, 2 * size_of::<u64>())
    }

    fn word(&self, index: u32, offset: usize) -> Option<&AtomicU64> {
        let index = usize::try_from(index).ok().filter(|&index| index < CELLS)?;
        let at = index * Self::STRIDE + offset;
        // SAFETY: `index < CELLS` and the offset is 0, 8 or 16, so the word ends within the `LEASE_LEN` bytes of the mapping.
        let cell = unsafe { self.mapping.as_ptr().add(at) };
        // SAFETY: mapped for reading and writing while `self` is borrowed; of a size that is sealed, or private; aligned to
        // 8 bytes; any bits are a valid `u64`; all processes access it atomically, and in this one nothing else points there.
        Some(unsafe { cell.cast::<AtomicU64>().as_ref() })
    }
}

/// Tells a child of `fork` that it is one, without a system call: its page is wiped in the child.
#[derive(Debug)]
pub(crate) struct ForkGuard {
    page: Mapping,
}

impl ForkGuard {
    const NOT_WIPED: u64 = 1;

    /// A guard for the process that calls; needs Linux 4.14.
    pub(crate) fn new() -> io::Result<Self> {
        let page = Mapping::anonymous(size_of::<u64>())?;
        let start = page.as_ptr().as_ptr().cast();
        // SAFETY: the range is the mapping's own page, anonymous and private; only its fate in a child changes.
        unsafe { rustix::mm::madvise(start, page.len(), Advice::LinuxWipeOnFork) }?;
        let guard = Self { page };
        guard.word().store(Self::NOT_WIPED, Ordering::Relaxed);
        Ok(guard)
    }

    /// Whether this process is not the one that made the guard.
    pub(crate) fn is_child(&self) -> bool {
        self.word().load(Ordering::Relaxed) != Self::NOT_WIPED
    }

    fn word(&self) -> &AtomicU64 {
        // SAFETY: mapped for reading and writing while `self` is borrowed, 8 bytes long, page-aligned, any bits are a valid
        // `u64`, accessed through this function only.
        unsafe { self.page.as_ptr().cast::<AtomicU64>().as_ref() }
    }
}

#[cfg(test)]
mod tests;
