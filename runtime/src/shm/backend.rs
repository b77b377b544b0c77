//! [`ShmBackend`]: the engine of `ipc` over host memory, as a backend of buffers.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::descriptor::ShmBufferDescriptor;
use super::handle::{Bytes, ReadHandle, WriteHandle};
use super::memory::{DOMAIN, HostMemory};
use crate::backend::{BufferBackend, Storage};
use crate::buffer::Buffer;
use crate::error::{AllocateError, BackendError};
use crate::host::{HostPool, HostWrite};
use crate::ipc::block::Block;
use crate::ipc::config::Config;
use crate::ipc::engine::{Engine, Taken};
use crate::ipc::identity::{EngineId, Identity};
use crate::ipc::memory::Memory as _;
use crate::ipc::stats::Stats;
use crate::ipc::ticket::Ticket;

/// Shared host memory of this process: a pool to publish from, and the way into the pools of others.
///
/// Cloning gives another handle on the same. A program needs one, [`shared`](Self::shared); more are independent of each
/// other. With the last handle its socket and its thread go; buffers that still exist stay valid.
///
/// ```
/// use rosidl_buffer_runtime::{BufferBackend, shm::ShmBackend};
/// use std::time::Duration;
///
/// // Two ends; they would be in two processes.
/// let (writer, reader) = (ShmBackend::new()?, ShmBackend::new()?);
/// reader.connect(&writer.backend_metadata(), Duration::from_secs(1))?;
///
/// let mut frame = writer.try_allocate(4)?;
/// frame.copy_from_slice(b"data");
/// let buffer = frame.into_buffer();
/// let storage = buffer.storage().expect("shm has a storage");
/// let descriptor = writer.create_descriptor(storage, &reader.backend_metadata())?.expect("connected");
/// assert_eq!(&reader.read(&descriptor)?[..], b"data"); // the same memory, read-only
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ShmBackend {
    engine: Arc<Engine<HostMemory>>,
}

impl ShmBackend {
    /// With the limits of [`ShmBuilder`] as they are.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`] where the system lacks something; messages then travel as bytes.
    pub fn new() -> Result<Self, BackendError> {
        Self::builder().build()
    }

    /// To set limits.
    pub fn builder() -> ShmBuilder {
        ShmBuilder::default()
    }

    /// The one of this process, made when it is first asked for. A child of `fork` gets its own.
    ///
    /// # Errors
    /// As [`new`](Self::new); it is tried again the next time.
    pub fn shared() -> Result<Self, BackendError> {
        static SHARED: Mutex<Option<ShmBackend>> = Mutex::new(None);
        let shared = || SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let usable = |backend: &&Self| !backend.engine.is_child();
        if let Some(backend) = shared().as_ref().filter(usable) {
            return Ok(backend.clone());
        }
        // Not under the lock; of two that are made at a time one goes again.
        let made = Self::new()?;
        let mut shared = shared();
        if let Some(backend) = shared.as_ref().filter(usable) {
            return Ok(backend.clone());
        }
        let before = shared.replace(made.clone());
        drop(shared);
        drop(before);
        Ok(made)
    }

    /// A block of at least `len` bytes, if there is one that nobody uses or the pool may grow.
    ///
    /// # Errors
    /// [`AllocateError::Exhausted`] when all blocks are in use; other errors when there can be none.
    pub fn try_allocate(&self, len: usize) -> Result<WriteHandle, AllocateError> {
        let block = self.engine.try_allocate(DOMAIN, len)?;
        Ok(WriteHandle::new(block, len))
    }

    /// As [`try_allocate`](Self::try_allocate), but waits for readers to give a block back, for `timeout` at most.
    ///
    /// # Errors
    /// As [`try_allocate`](Self::try_allocate).
    pub fn allocate(&self, len: usize, timeout: Duration) -> Result<WriteHandle, AllocateError> {
        let block = self.engine.allocate(DOMAIN, len, timeout)?;
        Ok(WriteHandle::new(block, len))
    }

    /// Copies bytes into shared memory.
    ///
    /// # Errors
    /// As [`try_allocate`](Self::try_allocate).
    pub fn to_buffer(&self, bytes: &[u8]) -> Result<Buffer<u8>, AllocateError> {
        let mut handle = self.try_allocate(bytes.len())?;
        handle.copy_from_slice(bytes);
        Ok(handle.into_buffer())
    }

    /// Frees blocks that nobody uses and that were not handed out for `idle`; returns how many bytes that were.
    pub fn trim(&self, idle: Duration) -> u64 {
        self.engine.trim(idle)
    }

    /// Sizes as they are now, counts since the start.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Waits until this publisher's memory can be read here; descriptors come only after that.
    ///
    /// [`on_discovering_endpoint`](BufferBackend::on_discovering_endpoint) does the same in the background.
    ///
    /// # Errors
    /// [`BackendError::Disconnected`] if it cannot be reached (another host, another network namespace, another user) or
    /// does not answer in time, [`BackendError::Malformed`] if the metadata is none of this backend's.
    pub fn connect(&self, publisher_metadata: &str, timeout: Duration) -> Result<(), BackendError> {
        let Some(identity) = Identity::parse(publisher_metadata) else {
            let text = format!("{publisher_metadata:?} is no metadata of `shm`, version 1");
            return Err(BackendError::Malformed(text));
        };
        self.engine.connect(identity, timeout)
    }

    /// Whether a reader with this metadata is connected, so that it would be given descriptors.
    pub fn is_connected(&self, reader_metadata: &str) -> bool {
        Identity::parse(reader_metadata).is_some_and(|reader| self.engine.has_reader(reader.engine))
    }

    /// Waits until [`is_connected`](Self::is_connected); false if it is not before `timeout` is over.
    pub fn wait_for_reader(&self, reader_metadata: &str, timeout: Duration) -> bool {
        Identity::parse(reader_metadata)
            .is_some_and(|reader| self.engine.wait_for_reader(reader.engine, timeout))
    }

    /// Describes a buffer's memory to one reader; `None` if it is not connected or the memory is not ours.
    ///
    /// # Errors
    /// [`BackendError::Forked`].
    pub fn describe(
        &self,
        storage: &dyn Storage,
        reader_metadata: &str,
    ) -> Result<Option<ShmBufferDescriptor>, BackendError> {
        let (Some(block), Some(reader)) = (
            storage.as_any().downcast_ref::<Block<HostMemory>>(),
            Identity::parse(reader_metadata),
        ) else {
            return Ok(None);
        };
        Ok(self.engine.describe(block, reader.engine)?.map(describe))
    }

    /// Takes what a descriptor describes. It can be taken once.
    ///
    /// # Errors
    /// [`BackendError::Lost`] if it comes too late, [`BackendError::Disconnected`] if its publisher is not connected,
    /// [`BackendError::Malformed`] if it contradicts itself or the memory.
    pub fn read(&self, descriptor: &ShmBufferDescriptor) -> Result<ReadHandle, BackendError> {
        let ticket = ticket(descriptor)?;
        Ok(ReadHandle(match self.engine.take(&ticket)? {
            Taken::Own(block) => Bytes::Own(block),
            Taken::Imported(held) => Bytes::Imported(held),
        }))
    }
}

impl HostPool for ShmBackend {
    fn allocate_host(&self, len: usize) -> Result<Box<dyn HostWrite>, AllocateError> {
        Ok(Box::new(self.try_allocate(len)?))
    }
}

impl BufferBackend for ShmBackend {
    type Descriptor = ShmBufferDescriptor;

    fn backend_type(&self) -> &str {
        HostMemory::BACKEND
    }

    fn backend_metadata(&self) -> String {
        self.engine.identity().to_string()
    }

    fn is_host_readable(&self) -> bool {
        true
    }

    fn host_pool(&self) -> Option<&dyn HostPool> {
        Some(self)
    }

    fn on_discovering_endpoint(&self, metadata: &str) {
        if let Some(identity) = Identity::parse(metadata) {
            self.engine.discover(identity);
        }
    }

    fn is_ready(&self, peer_metadata: &str) -> bool {
        self.is_connected(peer_metadata)
    }

    fn create_descriptor(
        &self,
        storage: &Arc<dyn Storage>,
        peer_metadata: &str,
    ) -> Result<Option<ShmBufferDescriptor>, BackendError> {
        self.describe(storage.as_ref(), peer_metadata)
    }

    fn retract_descriptor(&self, descriptor: ShmBufferDescriptor, peer_metadata: &str) {
        if let (Ok(ticket), Some(reader)) = (ticket(&descriptor), Identity::parse(peer_metadata)) {
            self.engine.retract(&ticket, reader.engine);
        }
    }

    fn from_descriptor(
        &self,
        descriptor: ShmBufferDescriptor,
    ) -> Result<Arc<dyn Storage>, BackendError> {
        self.read(&descriptor).map(ReadHandle::into_storage)
    }
}

fn describe(ticket: Ticket) -> ShmBufferDescriptor {
    ShmBufferDescriptor {
        version: ShmBufferDescriptor::VERSION,
        engine_id: ticket.engine.0,
        cell: ticket.cell,
        block_id: ticket.block,
        generation: ticket.generation,
        block_size: ticket.block_size,
        offset: ticket.offset,
        size: ticket.size,
    }
}

fn ticket(descriptor: &ShmBufferDescriptor) -> Result<Ticket, BackendError> {
    if descriptor.version != ShmBufferDescriptor::VERSION {
        return Err(BackendError::Malformed(format!(
            "version {} where {} is known",
            descriptor.version,
            ShmBufferDescriptor::VERSION
        )));
    }
    Ok(Ticket {
        engine: EngineId(descriptor.engine_id),
        cell: descriptor.cell,
        block: descriptor.block_id,
        generation: descriptor.generation,
        block_size: descriptor.block_size,
        offset: descriptor.offset,
        size: descriptor.size,
    })
}

impl fmt::Debug for ShmBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShmBackend")
            .field("engine", &self.engine.identity().engine)
            .finish_non_exhaustive()
    }
}

/// Limits of a [`ShmBackend`] before it is made.
#[derive(Debug, Clone, Default)]
pub struct ShmBuilder {
    config: Config,
}

impl ShmBuilder {
    crate::ipc::config::setters! {
        bytes: "1 GiB", imports: "4 GiB",
        memory: "It is taken from the system when it is first written to."
    }

    /// Opens the socket and starts the thread.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`] where the system lacks something.
    pub fn build(self) -> Result<ShmBackend, BackendError> {
        let probe = HostMemory.create(DOMAIN, 0, HostMemory.granule(DOMAIN));
        let unavailable = |what: &str, error: &io::Error| {
            BackendError::Unavailable(format!("{what}: {error}; messages travel as bytes"))
        };
        drop(probe.map_err(|error| unavailable("sealed memory files (memfd, Linux 5.1)", &error))?);
        let engine = Engine::start(HostMemory, self.config)
            .map_err(|error| unavailable("sockets and the service thread", &error))?;
        Ok(ShmBackend {
            engine: Arc::new(engine),
        })
    }
}
