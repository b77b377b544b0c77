//! Bytes on a device, as a buffer holds them: written once, then read by any number of streams.

use core::any::Any;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::access::AccessError;
use super::adopted::Adopted;
use super::backend::Inner;
use super::driver::{Context, CudaError, Stream};
use super::memory::{CudaMemory, PATIENCE, Word, Written};
use crate::backend::Storage;
use crate::error::{BackendError, BufferError, Loss};
use crate::host::HostPool;
use crate::ipc::block::Block;
use crate::ipc::imports;
use crate::ipc::memory::Memory as _;

/// Memory that is held: it is neither unmapped nor used again while this lives.
pub(super) enum Held {
    /// A block of this process.
    Own(Arc<Block<CudaMemory>>),
    /// A block of another process.
    Imported(imports::ReadHandle<CudaMemory>),
    /// Memory that somebody else made in this process.
    Adopted(Adopted),
}

impl Held {
    /// The device that the memory is mapped for.
    pub(super) fn context(&self) -> &Arc<Context> {
        match self {
            Self::Own(block) => block.memory.context(),
            Self::Imported(held) => held.import.memory.context(),
            Self::Adopted(adopted) => adopted.context(),
        }
    }

    /// Whether this context's device reads the memory in place, at the same address; lets it do so.
    pub(super) fn open_to(
        &self,
        context: &Context,
        memory: &CudaMemory,
    ) -> Result<bool, CudaError> {
        match self {
            Self::Own(block) => block.memory.open_to(context, memory),
            Self::Imported(held) => held.import.memory.open_to(context, memory),
            Self::Adopted(adopted) => Ok(adopted.context().device() == context.device()),
        }
    }

    /// The word that says how far this use is written, and the number of the use; not for adopted memory.
    fn word(&self) -> Option<(Word<'_>, u64)> {
        match self {
            Self::Own(block) => Some((block.memory.word()?, block.generation())),
            Self::Imported(held) => {
                let (cell, generation) = held.place();
                Some((held.common()?.word(cell)?, generation))
            }
            Self::Adopted(_) => None,
        }
    }

    /// Makes the stream wait for the end of writing. Where that is seen already it looks whether the stream is captured instead.
    pub(super) fn wait_to_read(&self, stream: &Stream) -> Result<(), AccessError> {
        if let Self::Adopted(adopted) = self {
            stream.check_not_captured()?;
            return Ok(adopted.wait_to_read(stream)?);
        }
        let (word, generation) = self.word().ok_or(AccessError::NotWritten)?; // always there: looked at when it was taken
        match word.look(generation) {
            Written::Done => Ok(stream.check_not_captured()?),
            Written::NotYet => Ok(word.wait(stream, generation)?),
            Written::Never => Err(BackendError::from(Loss::Unfinished).into()),
        }
    }

    /// Waits on the host for the end of writing, no longer than `patience`, which is [`PATIENCE`] or what is left of it.
    pub(super) fn wait_on_host(&self, patience: Duration) -> Result<(), AccessError> {
        if let Self::Adopted(adopted) = self {
            return adopted.wait_on_host(patience);
        }
        let (word, generation) = self.word().ok_or(AccessError::NotWritten)?; // as above
        match word.wait_on_host(generation, patience, self.context())? {
            Written::Done => Ok(()),
            Written::NotYet => Err(AccessError::Late(PATIENCE)),
            Written::Never => Err(BackendError::from(Loss::Unfinished).into()),
        }
    }

    /// Makes the stream wait until the memory may be written: what others wrote may not.
    pub(super) fn wait_to_write(&self, stream: &Stream) -> Result<(), CudaError> {
        match self {
            Self::Own(block) => block.memory.wait_to_write(stream),
            Self::Imported(_) | Self::Adopted(_) => Err(not_ours()),
        }
    }

    /// Ends writing.
    pub(super) fn end_write(&self, stream: &Stream) -> Result<(), CudaError> {
        match self {
            Self::Own(block) => {
                // A reader's ticket goes as far, see `Memory::len`.
                let (generation, end) = (block.generation(), block.offset() + block.len());
                block.memory.end_write(stream, generation, end)
            }
            Self::Imported(_) | Self::Adopted(_) => Err(not_ours()),
        }
    }

    pub(super) fn address(&self) -> u64 {
        match self {
            Self::Own(block) => block.memory.address() + block.offset(),
            // In the block: compared with its size when it was taken.
            Self::Imported(held) => held.import.memory.address() + held.offset as u64,
            Self::Adopted(adopted) => adopted.address(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Own(block) => usize::try_from(block.len()).unwrap_or(usize::MAX), // it was a `usize` when it was asked for
            Self::Imported(held) => held.len,
            Self::Adopted(adopted) => adopted.len(),
        }
    }
}

fn not_ours() -> CudaError {
    CudaError::Refused("memory of another process or library is not written here".to_owned())
}

/// How far writing is.
const FRESH: u8 = 0;
const WRITING: u8 = 1;
const WRITTEN: u8 = 2;
const FAILED: u8 = 3;

/// The storage of a buffer, seen to be a [`CudaStorage`].
#[derive(Clone)]
pub(super) struct StorageRef(Arc<dyn Storage>);

impl StorageRef {
    /// `None` if it is of another backend.
    pub(super) fn new(storage: Arc<dyn Storage>) -> Option<Self> {
        storage
            .as_any()
            .is::<CudaStorage>()
            .then_some(Self(storage))
    }

    pub(super) fn get(&self) -> Option<&CudaStorage> {
        self.0.as_any().downcast_ref()
    }

    pub(super) fn as_arc(&self) -> &Arc<dyn Storage> {
        &self.0
    }

    pub(super) fn into_inner(self) -> Arc<dyn Storage> {
        self.0
    }
}

/// The bytes of one buffer.
pub(super) struct CudaStorage {
    pub(super) held: Held,
    pub(super) inner: Arc<Inner>,
    state: AtomicU8,
    /// Why the end of writing could not be put on its stream.
    failure: Mutex<Option<CudaError>>,
    /// When somebody first waited on the host for the end of writing.
    waited_since: OnceLock<Instant>,
    /// The same bytes for readers without the device.
    host: Mutex<Option<Arc<dyn Storage>>>,
    /// Adopted bytes as a block, or in one of ours, for readers in other processes.
    shared: Mutex<Option<StorageRef>>,
}

impl CudaStorage {
    /// A block that nobody wrote yet.
    pub(super) fn fresh(block: Arc<Block<CudaMemory>>, inner: &Arc<Inner>) -> Self {
        Self::new(Held::Own(block), inner, FRESH)
    }

    /// Memory whose word, or event, stands for the end of writing.
    pub(super) fn written(held: Held, inner: &Arc<Inner>) -> Self {
        Self::new(held, inner, WRITTEN)
    }

    fn new(held: Held, inner: &Arc<Inner>, state: u8) -> Self {
        Self {
            held,
            inner: Arc::clone(inner),
            state: AtomicU8::new(state),
            failure: Mutex::new(None),
            waited_since: OnceLock::new(),
            host: Mutex::new(None),
            shared: Mutex::new(None),
        }
    }

    /// From here on the memory is being written.
    pub(super) fn begin_write(&self) -> Result<(), AccessError> {
        let (from, to) = (FRESH, WRITING);
        let begun = self
            .state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        begun.map(drop).map_err(|_| AccessError::Written)
    }

    /// Writing never began: nothing was put on a stream.
    pub(super) fn abandon_write(&self) {
        self.state.store(FRESH, Ordering::Release);
    }

    /// The end of writing is on its stream, or could not be put there.
    pub(super) fn end_write(&self, recorded: Result<(), CudaError>) -> Result<(), CudaError> {
        match recorded {
            Ok(()) => {
                self.state.store(WRITTEN, Ordering::Release);
                Ok(())
            }
            Err(error) => {
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                *failure = Some(error.clone());
                self.state.store(FAILED, Ordering::Release);
                Err(error)
            }
        }
    }

    /// Whether there is something to read, or the reason why not.
    pub(super) fn check_written(&self) -> Result<(), AccessError> {
        match self.state.load(Ordering::Acquire) {
            WRITTEN => Ok(()),
            FAILED => {
                let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                Err(failure
                    .clone()
                    .map_or(AccessError::NotWritten, AccessError::Cuda))
            }
            _ => Err(AccessError::NotWritten),
        }
    }

    /// The block for readers in other processes, which the first who asks makes.
    pub(super) fn shared<E>(
        &self,
        share: impl FnOnce() -> Result<StorageRef, E>,
    ) -> Result<StorageRef, E> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = shared.as_ref() {
            return Ok(shared.clone());
        }
        let made = share()?;
        *shared = Some(made.clone());
        Ok(made)
    }

    /// Nobody is to be told of it any more.
    pub(super) fn forget_shared(&self) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        drop(shared.take());
    }

    /// Waits on the host for the end of writing. All who do so have [`PATIENCE`] together: a frame that did not come in time
    /// for one way to its readers does not come in time for the next one.
    fn wait_on_host(&self) -> Result<(), AccessError> {
        let since = self.waited_since.get_or_init(Instant::now);
        self.held
            .wait_on_host(PATIENCE.saturating_sub(since.elapsed()))
    }

    /// One copy at the speed of the link, for all readers of this frame.
    fn copy_into(&self, pool: &dyn HostPool) -> Result<Arc<dyn Storage>, AccessError> {
        self.check_written()?;
        self.wait_on_host()?;
        let mut block = pool.allocate_host(self.byte_len())?;
        let context = self.held.context();
        self.inner.register(context, &block.mapping())?;
        let stream = &self.inner.copies(context)?.to_host;
        super::access::copy_out(stream, &self.held, &mut block)?;
        Ok(block.freeze())
    }

    fn copy(&self, out: &mut [u8]) -> Result<(), AccessError> {
        self.check_written()?;
        self.wait_on_host()?;
        let stream = Stream::new(self.held.context())?;
        super::access::copy_out(&stream, &self.held, out)?;
        Ok(())
    }
}

impl Storage for CudaStorage {
    fn backend_type(&self) -> &str {
        CudaMemory::BACKEND
    }

    fn byte_len(&self) -> usize {
        self.held.len()
    }

    fn host_bytes(&self) -> Option<&[u8]> {
        None
    }

    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError> {
        self.copy(out).map_err(|error| BufferError::Backend {
            backend: CudaMemory::BACKEND.to_owned(),
            operation: format!("copy {} bytes to the host", self.byte_len()),
            cause: error.into(),
        })
    }

    fn host_storage(&self) -> Option<Arc<dyn Storage>> {
        let pool = self.inner.host_pool.get()?;
        let mut host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        if host.is_none() {
            match self.copy_into(&**pool) {
                Ok(copied) => *host = Some(copied),
                Err(error) => self.inner.notes.no_host_copy(&error),
            }
        }
        host.clone()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
