//! Blocks of host memory: sealed memfds.
//!
//! The writer maps a new memfd writable and then seals it: from then on nobody can map it writable, write to it through a
//! descriptor, or change its size. A reader checks the seals and the size before it maps, so a peer can neither make it
//! fault nor get it to trust memory that it does not have. Who may look when is not decided here: the lease says it.

use core::convert::Infallible;
use core::slice;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::SealFlags;

use crate::host::{Attachments, HostMapping};
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
    type Common = Infallible;
    const BACKEND: &'static str = "shm";

    fn granule(&self, _domain: u32) -> u64 {
        rustix::param::page_size() as u64
    }

    fn create(&self, _domain: u32, _cell: u32, size: u64) -> io::Result<Created<HostBlock>> {
        let len = mappable(size)?;
        let fd = memfd("rosidl_buffer-block", size)?;
        let mapping = Mapping::writable(fd.as_fd(), len)?; // before the seal, which would forbid it
        seal(fd.as_fd(), SEALS)?;
        let mapping = Arc::new(mapping);
        let block = HostBlock {
            attachments: Attachments::new(Arc::clone(&mapping) as _, len),
            mapping,
        };
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
        let mapping = Arc::new(Mapping::read_only(fd.as_fd(), len)?);
        Ok(HostImport {
            attachments: Attachments::new(Arc::clone(&mapping) as _, len),
            mapping,
        })
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
    attachments: Attachments,
    /// With attachments it stays until these are gone.
    mapping: Arc<Mapping>,
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

    /// All of it.
    pub(crate) fn mapping(&self) -> HostMapping<'_> {
        HostMapping::new(
            self.mapping.as_ptr(),
            self.mapping.len(),
            true,
            &self.attachments,
        )
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
    attachments: Attachments,
    /// With attachments it stays until these are gone.
    mapping: Arc<Mapping>,
}

impl HostImport {
    /// All of it, for reading.
    pub(crate) fn mapping(&self) -> HostMapping<'_> {
        HostMapping::new(
            self.mapping.as_ptr(),
            self.mapping.len(),
            false,
            &self.attachments,
        )
    }

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

#[cfg(test)]
#[cfg(not(miri))] // which has no memfd
mod tests {
    use std::fs::File;
    use std::io::{ErrorKind, Read};
    use std::os::fd::AsRawFd;

    use rustix::io::Errno;
    use rustix::mm::{MprotectFlags, mprotect};

    use super::*;

    const SIZE: u64 = 10_000; // no whole number of pages

    fn import(fd: OwnedFd, size: u64) -> io::Result<HostImport> {
        HostMemory.import(fd, size, &Extra::EMPTY)
    }

    fn fill(block: &HostBlock, byte: u8) {
        // SAFETY: the whole block, mapped writable, nobody reads it now.
        unsafe { block.as_mut_ptr().write_bytes(byte, block.len()) };
    }

    #[test]
    fn what_is_written_is_read() {
        let Created { block, fd, extra } = HostMemory.create(DOMAIN, 0, SIZE).unwrap();
        assert_eq!(block.len(), 10_000);
        // SAFETY: nobody writes while the slice lives.
        assert_eq!(unsafe { block.bytes(0, 10_000) }, Some(&[0; 10_000][..]));
        let import = HostMemory.import(fd, SIZE, &extra).unwrap();
        fill(&block, 7);
        // SAFETY: nobody writes while the slice lives.
        assert_eq!(unsafe { import.bytes(0, 10_000) }, Some(&[7; 10_000][..]));
        drop(block);
        // SAFETY: the writer is gone.
        let last = unsafe { import.bytes(9_999, 1) };
        assert_eq!(last, Some(&[7][..]), "a reader's mapping stays");
    }

    /// To end an attachment may take as long as a device wants, and the mapping is there until then.
    #[test]
    fn attachments_end_elsewhere_and_before_the_mapping() {
        struct Attached(std::sync::mpsc::Sender<(std::thread::ThreadId, u8)>, usize);
        impl Drop for Attached {
            fn drop(&mut self) {
                let start = core::ptr::with_exposed_provenance::<u8>(self.1);
                // SAFETY: the first byte of the mapping that this is attached to, which nobody writes any more.
                let first = unsafe { start.read() };
                let _ = self.0.send((std::thread::current().id(), first));
            }
        }
        let attach = |mapping: &HostMapping<'_>| {
            let (say, told) = std::sync::mpsc::channel();
            let start = mapping.start().as_ptr().expose_provenance();
            let made = mapping.attach(|| Ok::<_, Infallible>(Attached(say, start)));
            made.unwrap();
            told
        };
        let Created { block, fd, .. } = HostMemory.create(DOMAIN, 0, SIZE).unwrap();
        fill(&block, 7);
        let import = import(fd, SIZE).unwrap();
        let told = [attach(&block.mapping()), attach(&import.mapping())];
        drop((block, import));
        for told in told {
            let (on, first) = told
                .recv_timeout(std::time::Duration::from_secs(10))
                .unwrap();
            assert_eq!(first, 7);
            assert_ne!(on, std::thread::current().id());
        }
    }

    #[test]
    fn ranges_stay_within_the_block() {
        let Created { block, fd, .. } = HostMemory.create(DOMAIN, 0, SIZE).unwrap();
        let import = import(fd, SIZE).unwrap();
        let max = usize::MAX;
        for (offset, len, there) in [
            (0, 10_000, true),
            (10_000, 0, true),
            (1, 10_000, false),
            (10_001, 0, false),
            (max, 1, false),
            (1, max, false),
            (max, max, false),
        ] {
            // SAFETY: nobody writes while the slice lives.
            let ours = unsafe { block.bytes(offset, len) }.is_some();
            // SAFETY: nobody writes while the slice lives.
            let theirs = unsafe { import.bytes(offset, len) }.is_some();
            assert_eq!((ours, theirs), (there, there), "{offset} {len}");
        }
    }

    #[test]
    fn a_reader_cannot_write() {
        let Created { block, fd, .. } = HostMemory.create(DOMAIN, 0, SIZE).unwrap();
        fill(&block, 7);
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        // A descriptor may always be opened anew for writing; the seal is what protects.
        let mut reopened = File::options().read(true).write(true).open(path).unwrap();
        assert_eq!(rustix::io::pwrite(&reopened, b"mine", 0), Err(Errno::PERM));
        for fd in [fd.as_fd(), reopened.as_fd()] {
            let error = Mapping::writable(fd, 10_000).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert_eq!(rustix::fs::ftruncate(fd, 0), Err(Errno::PERM));
            assert_eq!(rustix::fs::ftruncate(fd, SIZE + 1), Err(Errno::PERM));
            let punch =
                rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
            assert_eq!(rustix::fs::fallocate(fd, punch, 0, SIZE), Err(Errno::PERM));
        }
        let import = import(fd, SIZE).unwrap();
        let start = import.mapping.as_ptr().as_ptr().cast();
        let flags = MprotectFlags::READ | MprotectFlags::WRITE;
        // SAFETY: would only add a right to the import's own mapping.
        let changed = unsafe { mprotect(start, 10_000, flags) };
        assert_eq!(changed, Err(Errno::ACCESS));
        fill(&block, 8); // the writer still can
        let mut content = Vec::new();
        reopened.read_to_end(&mut content).unwrap();
        assert_eq!(content, [8; 10_000]);
    }

    #[test]
    fn what_is_no_block_is_refused() {
        let refused = |what: &str, fd: OwnedFd, size: u64| {
            let error = import(fd, size).expect_err(what);
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{what}: {error}");
            assert!(error.to_string().starts_with("block: "), "{what}: {error}");
        };
        let sealed = |seals: SealFlags| {
            let fd = memfd("rosidl_buffer-test", SIZE).unwrap();
            seal(fd.as_fd(), seals).unwrap();
            fd
        };
        refused(
            "not sealed",
            memfd("rosidl_buffer-test", SIZE).unwrap(),
            SIZE,
        );
        for seal in SEALS {
            refused("a seal is missing", sealed(SEALS - seal), SIZE);
        }
        refused(
            "write-sealed, which is another seal",
            sealed((SEALS - SealFlags::FUTURE_WRITE) | SealFlags::WRITE),
            SIZE,
        );
        refused("short", sealed(SEALS), SIZE + 1);
        refused("long", sealed(SEALS), SIZE - 1);
        refused("far too long", sealed(SEALS), isize::MAX as u64);
        refused("pipe", io::pipe().unwrap().0.into(), SIZE);
        refused("device", File::open("/dev/zero").unwrap().into(), SIZE);
        refused("file", File::open("Cargo.toml").unwrap().into(), SIZE);

        let extra = Extra::try_from(&b"what?"[..]).unwrap();
        let error = HostMemory.import(sealed(SEALS), SIZE, &extra).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn sizes_that_no_slice_has() {
        for size in [0, isize::MAX as u64 + 1, u64::MAX] {
            let error = HostMemory.create(DOMAIN, 0, size).map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{size}");
            let fd = memfd("rosidl_buffer-test", SIZE).unwrap();
            assert_eq!(
                import(fd, size).unwrap_err().kind(),
                ErrorKind::InvalidInput,
                "{size}"
            );
        }
        assert!(
            HostMemory.create(DOMAIN, 0, isize::MAX as u64).is_err(),
            "more than there are addresses"
        );
    }
}
