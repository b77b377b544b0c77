//! Handles on shared memory: one that writes, many that read.
//!
//! A [`WriteHandle`] is the only one to refer to its block; [`into_buffer`](WriteHandle::into_buffer) ends writing for good,
//! and from then on there are only readers: the buffer and its clones here, [`ReadHandle`]s elsewhere. Dropping is enough.
//! What a forked child finds of its parent's handles gives no bytes: nothing that the child has keeps the parent from writing.

use core::any::Any;
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::slice;
use std::sync::Arc;

use super::memory::HostMemory;
use crate::backend::Storage;
use crate::buffer::Buffer;
use crate::error::{BackendError, BufferError};
use crate::host::{HostMapping, HostWrite};
use crate::ipc::block::Block;
use crate::ipc::imports;
use crate::ipc::memory::Memory as _;

/// A block of shared memory that is being written: a slice of bytes that nobody else sees.
///
/// The bytes are what an earlier use of the block left there, zeroes at first. Dropping the handle gives the block back.
///
/// # Panics
/// When the bytes are looked at, or written to, in a forked child: the memory is the parent's. A slice that was borrowed before
/// the fork must not be used in the child; whoever calls `fork` sees to that.
///
/// ```
/// use rosidl_buffer_runtime::{Buffer, shm::ShmBackend};
///
/// let shm = ShmBackend::new()?;
/// let mut frame = shm.try_allocate(1 << 20)?;
/// frame.fill(7);
/// let buffer: Buffer<u8> = frame.into_buffer();
/// assert_eq!(buffer.backend_type(), "shm");
/// assert_eq!(buffer.as_slice().map(|bytes| bytes[0]), Some(7)); // still the same memory
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WriteHandle {
    /// From the pool, which saw that nobody else refers to the block and gives it to nobody else while this lives.
    block: Arc<Block<HostMemory>>,
    len: usize,
}

impl WriteHandle {
    pub(super) fn new(block: Arc<Block<HostMemory>>, len: usize) -> Self {
        debug_assert!(
            len <= block.memory.len(),
            "the pool gives at least what is asked for"
        );
        Self { block, len }
    }

    /// Ends writing: the bytes, as they are now, in a buffer to put into a message. Constant time.
    pub fn into_buffer(self) -> Buffer<u8> {
        Buffer::from_bytes_storage(self.block)
    }

    /// Bytes that the block has behind the handle's, for a pool that hands out sizes by class.
    pub fn capacity(&self) -> usize {
        self.block.memory.len()
    }
}

/// A forked child has the mapping, but no say in who writes there.
fn refuse_inherited(inherited: bool) {
    assert!(
        !inherited,
        "a handle of shared memory was used in a forked child: {}",
        BackendError::Forked
    );
}

impl Deref for WriteHandle {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        refuse_inherited(self.block.is_inherited());
        // SAFETY: `len` bytes of the block are mapped, and initialised, while `block` lives; nobody else refers to the block,
        // here or, as this is the process that made it, in another process; so nobody writes while `self` is borrowed.
        unsafe { slice::from_raw_parts(self.block.memory.as_mut_ptr(), self.len) }
    }
}

impl DerefMut for WriteHandle {
    fn deref_mut(&mut self) -> &mut [u8] {
        refuse_inherited(self.block.is_inherited());
        // SAFETY: as for `deref`; the handle is exclusive and neither cloned nor shared while `self` is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.block.memory.as_mut_ptr(), self.len) }
    }
}

impl HostWrite for WriteHandle {
    fn mapping(&self) -> HostMapping<'_> {
        self.block.memory.mapping()
    }

    fn freeze(self: Box<Self>) -> Arc<dyn Storage> {
        self.block
    }
}

impl fmt::Debug for WriteHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WriteHandle({} bytes of {})", self.len, self.capacity())
    }
}

/// A frozen block of this process. The pool does not hand it out while this `Arc` lives, so its bytes do not change.
impl Storage for Block<HostMemory> {
    fn backend_type(&self) -> &str {
        HostMemory::BACKEND
    }

    fn byte_len(&self) -> usize {
        usize::try_from(self.len()).unwrap_or(usize::MAX) // it was a `usize` when the block was handed out
    }

    fn host_bytes(&self) -> Option<&[u8]> {
        if self.is_inherited() {
            return None;
        }
        // SAFETY: there are storages of frozen blocks only, and whoever borrows from one has an `Arc` beside the pool's, so
        // the pool, which is this process's, does not give the block to a writer.
        unsafe { self.memory.bytes(0, self.byte_len()) }
    }

    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError> {
        copy(self, self.is_inherited(), out)
    }

    fn host_mapping(&self) -> Option<HostMapping<'_>> {
        (!self.is_inherited()).then(|| self.memory.mapping())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Bytes of another process, held: they do not change while this lives. Made without an allocation once the block is known.
///
/// A block of this process is read the same way; then it is the block itself.
///
/// # Panics
/// When the bytes are looked at in a forked child: they are held for the parent only. A slice that was borrowed before the fork
/// must not be used in the child; whoever calls `fork` sees to that.
pub struct ReadHandle(pub(super) Bytes);

pub(super) enum Bytes {
    Own(Arc<Block<HostMemory>>),
    Imported(imports::ReadHandle<HostMemory>),
}

impl Deref for ReadHandle {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let bytes = match &self.0 {
            Bytes::Own(block) => block.host_bytes(),
            Bytes::Imported(held) => held.host_bytes(),
        };
        refuse_inherited(bytes.is_none());
        bytes.unwrap_or_default()
    }
}

impl From<ReadHandle> for Buffer<u8> {
    fn from(handle: ReadHandle) -> Self {
        match handle.0 {
            Bytes::Own(block) => Self::from_bytes_storage(block),
            Bytes::Imported(held) => Self::from_bytes_storage(Arc::new(held)),
        }
    }
}

impl ReadHandle {
    /// The storage for a buffer of any element type.
    pub(super) fn into_storage(self) -> Arc<dyn Storage> {
        match self.0 {
            Bytes::Own(block) => block,
            Bytes::Imported(held) => Arc::new(held),
        }
    }
}

impl fmt::Debug for ReadHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = match &self.0 {
            Bytes::Own(block) => block.byte_len(),
            Bytes::Imported(held) => held.byte_len(),
        };
        write!(f, "ReadHandle({len} bytes)")
    }
}

impl Storage for imports::ReadHandle<HostMemory> {
    fn backend_type(&self) -> &str {
        HostMemory::BACKEND
    }

    fn byte_len(&self) -> usize {
        self.len
    }

    fn host_bytes(&self) -> Option<&[u8]> {
        if self.is_inherited() {
            return None;
        }
        // SAFETY: the handle holds a reference in the cell of this generation, taken by this process before the memory was
        // looked up and given back after `self`, so the writer does not use the block again meanwhile. The mapping is
        // read-only and its size sealed.
        let bytes = unsafe { self.import.memory.bytes(self.offset, self.len) };
        debug_assert!(
            bytes.is_some(),
            "compared with the block's size when it was taken"
        );
        bytes
    }

    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError> {
        copy(self, self.is_inherited(), out)
    }

    fn host_mapping(&self) -> Option<HostMapping<'_>> {
        (!self.is_inherited()).then(|| self.import.memory.mapping())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn copy(from: &dyn Storage, inherited: bool, out: &mut [u8]) -> Result<(), BufferError> {
    let cause = match from.host_bytes() {
        Some(bytes) if bytes.len() == out.len() => {
            out.copy_from_slice(bytes);
            return Ok(());
        }
        None if inherited => BackendError::Forked.into(),
        _ => "the lengths differ".into(),
    };
    Err(BufferError::Backend {
        backend: HostMemory::BACKEND.to_owned(),
        operation: format!("copy {} bytes to {}", from.byte_len(), out.len()),
        cause,
    })
}
