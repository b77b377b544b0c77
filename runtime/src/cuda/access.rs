//! Handles that order work on a buffer by streams, and the copies behind them.
//!
//! A [`WriteHandle`] ends by having its stream write the block's word; a [`ReadHandle`] begins by making its stream wait for
//! that word, unless it is there already, and leaves a mark behind. The host waits for nothing.

mod device_source;
mod foreign;
mod origin;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use self::origin::Origin;
use super::driver::{Access, Context, CudaError, DeviceUuid, Registered, Stream};
use super::memory::PATIENCE;
use super::storage::{Held, StorageRef};
use super::stream::CudaStream;
use crate::backend::Storage;
use crate::buffer::Buffer;
use crate::error::{AllocateError, BackendError, BufferError};
use crate::host::HostMapping;

/// Why a buffer cannot be used on a device.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum AccessError {
    /// A call to CUDA failed.
    #[error(transparent)]
    Cuda(#[from] CudaError),
    /// There is no block for it.
    #[error(transparent)]
    Allocate(#[from] AllocateError),
    /// Its bytes could not be had from where they are.
    #[error("the bytes to copy to the device could not be read: {0}")]
    Source(Arc<BufferError>),
    /// What a descriptor describes cannot be had.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Somebody else has the buffer too.
    #[error(
        "the buffer has clones, so it cannot be written; drop them, or write into a new buffer"
    )]
    Shared,
    /// A buffer is written once.
    #[error("the buffer was written already; write the next frame into a new buffer")]
    Written,
    /// Nobody wrote it.
    #[error(
        "the buffer was never written, or is being written; drop its write handle before it is read or sent"
    )]
    NotWritten,
    /// The stream is of a device that this backend did not open, or another one than the memory's.
    #[error("the stream is of {stream}, and the memory of {memory}; use a stream of that device")]
    OtherDevice {
        /// The stream's device.
        stream: DeviceUuid,
        /// The memory's device.
        memory: DeviceUuid,
    },
    /// The frame was still not written. Its writer's GPU is busy, hangs, or failed.
    #[error(
        "the frame was still being written after {0:?}; its writer is slower than that, or its GPU work failed: see its messages"
    )]
    Late(Duration),
    /// More than the memory holds.
    #[error("{bytes} bytes do not fit into memory of {len}")]
    TooLong {
        /// Those to be written.
        bytes: usize,
        /// Those that there is room for.
        len: usize,
    },
    /// The backend did not open this device.
    #[error("this backend did not open {0}")]
    NotOpened(DeviceUuid),
}

/// What a reader keeps until the GPU is done with it.
pub(super) enum Keep {
    Storage(StorageRef),
    Held(Held),
    /// Registered host memory that is copied from.
    Host(#[expect(dead_code, reason = "kept, not looked at")] Arc<dyn Storage>),
}

impl Keep {
    fn held(&self) -> Option<&Held> {
        match self {
            Self::Storage(storage) => storage.get().map(|storage| &storage.held),
            Self::Held(held) => Some(held),
            Self::Host(_) => None,
        }
    }
}

/// A buffer's memory on the device, to be written by work on one stream, which is not captured into a graph meanwhile.
///
/// Dropping it ends writing: work that is put on the stream later is not waited for. [`finish`](Self::finish) does the same and says
/// whether it worked; otherwise whoever reads the buffer is told.
pub struct WriteHandle {
    storage: StorageRef,
    stream: CudaStream,
    origin: Origin,
    address: u64,
    len: usize,
    ended: bool,
}

impl WriteHandle {
    /// Makes the stream wait for what an earlier use of the block left on another one.
    pub(super) fn new(storage: StorageRef, stream: &CudaStream) -> Result<Self, AccessError> {
        // Always there: a `StorageRef` is one of this backend.
        let to = storage.get().ok_or(AccessError::NotWritten)?;
        check_device(stream, &to.held)?;
        stream.0.check_not_captured()?;
        to.begin_write()?;
        if let Err(error) = to.held.wait_to_write(&stream.0) {
            to.abandon_write();
            return Err(error.into());
        }
        let (address, len) = (to.held.address(), to.held.len());
        Ok(Self {
            storage,
            stream: stream.clone(),
            origin: Origin::here(stream),
            address,
            len,
            ended: false,
        })
    }

    /// Address on the device (`CUdeviceptr`), page-aligned; valid for [`len`](Self::len) bytes while the handle lives.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The stream that orders the work.
    pub fn stream(&self) -> &CudaStream {
        &self.stream
    }

    /// Copies bytes of the host to the beginning of the memory, on the stream, and waits until they are there.
    ///
    /// # Errors
    /// [`AccessError::TooLong`] when there are more of them than the memory holds; when CUDA refuses.
    pub fn copy_from_slice(&mut self, bytes: &[u8]) -> Result<(), AccessError> {
        if bytes.len() > self.len {
            let (bytes, len) = (bytes.len(), self.len);
            return Err(AccessError::TooLong { bytes, len });
        }
        self.copy_in(bytes, None)
    }

    /// Ends writing.
    ///
    /// # Errors
    /// When the end could not be put on the stream; nobody will read the buffer then.
    pub fn finish(mut self) -> Result<(), AccessError> {
        Ok(self.end()?)
    }

    /// Copies bytes of the host into the memory, on the stream. `keep` holds them and is kept until that is done; without one the
    /// host waits, since memory that is pinned, here or by a framework, is read after the call.
    pub(super) fn copy_in(&self, bytes: &[u8], keep: Option<Keep>) -> Result<(), AccessError> {
        // Always there: a `StorageRef` is one of this backend.
        let storage = self.storage.get().ok_or(AccessError::NotWritten)?;
        if bytes.is_empty() {
            return Ok(());
        }
        debug_assert!(
            bytes.len() <= self.len(),
            "the block was asked for with this length"
        );
        let (stream, len) = (&self.stream.0, bytes.len().min(self.len()));
        // SAFETY: `len` bytes of the block are mapped writable and this handle is the only one to write them; the bytes are
        // borrowed, or kept by what nobody writes, until the copy is over, which is waited for or left to the reaper below, also
        // after an error.
        let copied = unsafe { stream.htod_async(self.address(), bytes.as_ptr(), len) };
        let over = match keep {
            Some(keep) => {
                storage.inner.reaper.after(stream, keep);
                Ok(())
            }
            None => wait_for_copy(stream),
        };
        copied?;
        Ok(over?)
    }

    /// On an error nothing of the work is known to be over: the memory is not used again under it.
    fn end(&mut self) -> Result<(), CudaError> {
        self.ended = true;
        let Some(storage) = self.storage.get() else {
            return Ok(()); // never: a `StorageRef` is one of this backend
        };
        let joined = self.origin.join(&self.stream);
        let is_here = joined.is_ok();
        let ended = joined.and_then(|()| storage.held.end_write(&self.stream.0));
        if ended.as_ref().is_err_and(|error| !error.is_final()) {
            let is_over =
                |done: Result<(), CudaError>| done.map_or_else(|e| e.is_final(), |()| true);
            if !is_here || !is_over(self.stream.synchronize()) {
                tracing::error!(
                    bytes = self.len,
                    "the end of a write could not be put on its stream, nor waited for; its memory stays with the process"
                );
                std::mem::forget(self.storage.clone());
            }
        }
        storage.end_write(ended)
    }
}

impl Drop for WriteHandle {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.end(); // kept: whoever reads is told
        }
    }
}

impl fmt::Debug for WriteHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "WriteHandle({} bytes at {:#x}, {:?})",
            self.len(),
            self.address(),
            self.stream
        )
    }
}

/// A buffer's memory on the device, to be read by work on one stream, which is not captured into a graph meanwhile: a graph
/// runs when the memory is something else's. Memory of another process is mapped read-only: a kernel
/// that writes there faults.
///
/// Dropping it ends reading: the memory is kept until the work that is on the stream by then is done. If the process that writes
/// the frame ends before it is done, what is on the stream runs on what is there: [`finish`](Self::finish) tells, and
/// [`Stats::lost_unfinished`](super::Stats::lost_unfinished) counts.
pub struct ReadHandle {
    /// `None` only while it is dropped.
    keep: Option<Keep>,
    /// What this was copied from, on this device or another.
    pub(super) source: Option<StorageRef>,
    inner: Arc<super::backend::Inner>,
    stream: CudaStream,
    origin: Origin,
}

impl ReadHandle {
    /// Makes the stream wait for the end of writing, if that is not seen yet; looks whether it is captured if it is, so that a
    /// frame costs one call either way. Its device reads the memory in place:
    /// [`Held::open_to`].
    pub(super) fn new(
        keep: Keep,
        inner: &Arc<super::backend::Inner>,
        stream: &CudaStream,
    ) -> Result<Self, AccessError> {
        // Always there: a `StorageRef` is one of this backend.
        let held = keep.held().ok_or(AccessError::NotWritten)?;
        held.wait_to_read(&stream.0)?;
        Ok(Self {
            keep: Some(keep),
            source: None,
            inner: Arc::clone(inner),
            stream: stream.clone(),
            origin: Origin::here(stream),
        })
    }

    /// Ends reading, and says whether what was read was a whole frame: its writer's process may have ended before.
    ///
    /// Waits for the writing where that is not done yet, not for the reading.
    ///
    /// # Errors
    /// [`Loss::Unfinished`](crate::Loss::Unfinished) when there was no whole frame; [`AccessError::Late`] when it is not known after 5 s.
    pub fn finish(self) -> Result<(), AccessError> {
        let source = self.source.as_ref().and_then(StorageRef::get);
        for held in source
            .map(|source| &source.held)
            .into_iter()
            .chain(self.held())
        {
            held.wait_on_host(PATIENCE)?;
        }
        Ok(())
    }

    fn held(&self) -> Option<&Held> {
        self.keep.as_ref().and_then(Keep::held)
    }

    /// Address on the device (`CUdeviceptr`), for reading; a multiple of 256, but for adopted memory; valid for [`len`](Self::len) bytes while the handle lives.
    pub fn address(&self) -> u64 {
        self.held().map_or(0, Held::address)
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.held().map_or(0, Held::len)
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The stream that orders the work.
    pub fn stream(&self) -> &CudaStream {
        &self.stream
    }

    /// The buffer that is read: the one that was given or, if its bytes were elsewhere, the one that they were copied to.
    /// `None` for what was read without a buffer. A copy of a frame whose writer died in the middle of it is no better than the
    /// frame: [`finish`](Self::finish) tells, before the copy is sent on.
    pub fn buffer(&self) -> Option<Buffer<u8>> {
        match self.keep.as_ref()? {
            Keep::Storage(storage) => Buffer::from_storage(storage.clone().into_inner()).ok(),
            Keep::Held(_) | Keep::Host(_) => None,
        }
    }
}

impl Drop for ReadHandle {
    fn drop(&mut self) {
        let Some(keep) = self.keep.take() else {
            return;
        };
        match self.origin.join(&self.stream) {
            Err(error) if !error.is_final() => {
                tracing::error!(%error, "the end of a read was not waited for; its memory stays with the process");
                std::mem::forget(keep);
            }
            _ => self.inner.reaper.after(&self.stream.0, keep),
        }
    }
}

impl fmt::Debug for ReadHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ReadHandle({} bytes at {:#x}, {:?})",
            self.len(),
            self.address(),
            self.stream
        )
    }
}

fn check_device(stream: &CudaStream, held: &Held) -> Result<(), AccessError> {
    let (stream, memory) = (stream.device().uuid(), held.context().device().uuid());
    if stream == memory {
        Ok(())
    } else {
        Err(AccessError::OtherDevice { stream, memory })
    }
}

/// Registers a mapping with CUDA, so that devices copy from and to it at the speed of the link.
pub(super) fn register(
    context: &Arc<Context>,
    mapping: &HostMapping<'_>,
) -> Result<Registered, CudaError> {
    let access = if mapping.is_writable() {
        Access::ReadWrite
    } else {
        Access::Read
    };
    // SAFETY: the range is mapped with these rights until what is attached to it, as this, is gone; attached once.
    unsafe { Registered::new(context, mapping.start().as_ptr(), mapping.len(), access) }
}

/// Memory of the host is borrowed no longer than until this returns: where the stream cannot be waited for, all of them are.
fn wait_for_copy(stream: &Stream) -> Result<(), CudaError> {
    let waited = stream.synchronize();
    waited.or_else(|_| stream.context().synchronize())
}

/// Copies held memory, which is written, to the host and waits for it.
pub(super) fn copy_out(stream: &Stream, held: &Held, out: &mut [u8]) -> Result<(), AccessError> {
    let len = out.len().min(held.len());
    if len > 0 {
        // SAFETY: `len` bytes are mapped there and not written while they are held, which is promised of adopted ones; `out` is
        // borrowed until the copy is over, which is waited for below, also after an error.
        let copied = unsafe { stream.dtoh_async(out.as_mut_ptr(), held.address(), len) };
        let waited = wait_for_copy(stream);
        copied?;
        waited?;
    }
    Ok(())
}

/// Copies held memory into a block that is being written, on that handle's stream. The caller keeps `from` until the copy is over.
pub(super) fn copy_device(from: &Held, to: &WriteHandle) -> Result<(), AccessError> {
    let stream = &to.stream.0;
    from.wait_to_read(stream)?;
    let len = from.len().min(to.len());
    if len == 0 {
        return Ok(());
    }
    if from.context().device().uuid() == stream.context().device().uuid() {
        // SAFETY: both ranges are mapped for the device, and two blocks, or a block and what was adopted, do not overlap; the
        // source is not written while it is held, the target is this handle's alone; both are kept until the copy is over: the
        // source by the caller, the target by its word.
        unsafe { stream.dtod_async(to.address(), from.address(), len) }?;
        return Ok(());
    }
    let (source, target) = (
        (from.address(), &**from.context()),
        (to.address(), &**stream.context()),
    );
    // SAFETY: as above, each range mapped for the device of its context.
    unsafe { stream.peer_async(target, source, len) }?;
    Ok(())
}
