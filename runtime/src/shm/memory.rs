//! Blocks of host memory: sealed memfds.
//!
//! The writer maps a new memfd writable and then seals it: from then on nobody can map it writable, write to it through a
//! descriptor, or change its size. A reader checks the seals and the size before it maps, so a peer can neither make it
//! fault nor get it to trust memory that it does not have. Who may look when is not decided here: the lease says it.

use core::slice;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::SealFlags;

use crate::ipc::lease::{Mapping, check_sealed, memfd, seal};
use crate::ipc::memory::{Created, Memory};
use crate::ipc::wire::Extra;

const SEALS: SealFlags = SealFlags::FUTURE_WRITE
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW)
    .union(SealFlags::SEAL);

/// The only domain of host memory.
pub(crate) const DOMAIN: u32 = 0;

/// Host memory as a kind of memory to share.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HostMemory;

impl Memory for HostMemory {
    type Block = HostBlock;
    type Import = HostImport;
    const BACKEND: &'static str = "shm";

    fn granule(&self, _domain: u32) -> u64 {
        rustix::param::page_size() as u64
    }

    fn create(&self, _domain: u32, size: u64) -> io::Result<Created<HostBlock>> {
        let len = mappable(size)?;
        let fd = memfd("rosidl_buffer-block", size)?;
        let mapping = Mapping::writable(fd.as_fd(), len)?; // before the seal, which would forbid it
        seal(fd.as_fd(), SEALS)?;
        let block = HostBlock { mapping };
        Ok(Created {
            block,
            fd,
            extra: Extra::EMPTY,
        })
    }

    fn import(&self, fd: OwnedFd, size: u64, extra: &Extra) -> io::Result<HostImport> {
        let len = mappable(size)?;
        if !extra.as_slice().is_empty() {
            let text = format!("a block of host memory came with extra bytes: {extra:?}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        check_sealed("block", fd.as_fd(), SEALS, size)?;
        let mapping = Mapping::read_only(fd.as_fd(), len)?;
        Ok(HostImport { mapping })
    }
}

/// `size` as the length of a slice.
fn mappable(size: u64) -> io::Result<usize> {
    let len = isize::try_from(size).ok().filter(|&len| len > 0);
    len.map(isize::cast_unsigned).ok_or_else(|| {
        let text = format!(
            "a block cannot have {size} bytes: the size must be from 1 to {}",
            isize::MAX
        );
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })
}

/// A block as its writer has it: mapped writable, once.
#[derive(Debug)]
pub(crate) struct HostBlock {
    mapping: Mapping,
}

impl HostBlock {
    /// The first byte; page-aligned, valid for reads and writes of [`len`](Self::len) bytes while `self` lives.
    ///
    /// Who writes must be the only one to refer to the block: no handle here, no cell of any reader.
    pub(crate) fn as_mut_ptr(&self) -> *mut u8 {
        self.mapping.as_ptr().as_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.mapping.len()
    }

    /// The block's bytes from `offset` on, in the writer's own process; `None` if there are fewer than `len`.
    ///
    /// # Safety
    /// While the slice lives nobody writes to the block: the caller holds a reference (a cell, or the frozen handle) under
    /// which the writer does not reuse it.
    pub(crate) unsafe fn bytes(&self, offset: usize, len: usize) -> Option<&[u8]> {
        // SAFETY: the caller's promise, passed on.
        unsafe { bytes(&self.mapping, offset, len) }
    }
}

/// A block as a reader has it: mapped read-only, its size sealed.
#[derive(Debug)]
pub(crate) struct HostImport {
    mapping: Mapping,
}

impl HostImport {
    /// The block's bytes from `offset` on; `None` if there are fewer than `len`.
    ///
    /// # Safety
    /// While the slice lives nobody writes to the block: the caller took the cell of the descriptor's generation and has
    /// not released it, so the writer does not reuse the block.
    pub(crate) unsafe fn bytes(&self, offset: usize, len: usize) -> Option<&[u8]> {
        // SAFETY: the caller's promise, passed on.
        unsafe { bytes(&self.mapping, offset, len) }
    }
}

/// # Safety
/// Nobody writes to the bytes while the slice lives.
unsafe fn bytes(mapping: &Mapping, offset: usize, len: usize) -> Option<&[u8]> {
    let end = offset.checked_add(len)?;
    if end > mapping.len() {
        return None;
    }
    // SAFETY: `offset` is at most the length of the mapping.
    let start = unsafe { mapping.as_ptr().add(offset) };
    // SAFETY: `len` bytes from `start` on are mapped and readable while `mapping` is borrowed, of a size that is sealed;
    // zeroed or written, so initialised; not longer than `isize::MAX`; not written meanwhile, as the caller promised.
    Some(unsafe { slice::from_raw_parts(start.as_ptr(), len) })
}
