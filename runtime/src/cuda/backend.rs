//! [`CudaBackend`]: the engine of `ipc` over device memory, as a backend of buffers.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::access::{AccessError, Keep, ReadHandle, WriteHandle, copy_device};
use super::descriptor::CudaRsBufferDescriptor;
use super::driver::{Context, CudaError, Device, DeviceUuid, Stream};
use super::memory::CudaMemory;
use super::reaper::Reaper;
use super::storage::{CudaStorage, Held, StorageRef};
use super::stream::CudaStream;
use crate::backend::{BufferBackend, Storage};
use crate::buffer::Buffer;
use crate::element::Element;
use crate::error::{BackendError, Cause};
use crate::host::HostPool;
use crate::ipc::config::Config;
use crate::ipc::engine::{Engine, Taken};
use crate::ipc::identity::{EngineId, Identity};
use crate::ipc::memory::Memory as _;
use crate::ipc::stats::Stats;
use crate::ipc::ticket::Ticket;

/// Device memory of this process: a pool to publish from, and the way into the pools of others.
///
/// Cloning gives another handle on the same. A program needs one, [`shared`](Self::shared). Names are ROS 2's
/// (`cuda_buffer`): [`allocate_buffer`](Self::allocate_buffer), [`from_output_buffer`](Self::from_output_buffer) to write,
/// [`from_input_buffer`](Self::from_input_buffer) to read, [`to_buffer`](Self::to_buffer).
///
/// ```no_run
/// use rosidl_buffer_runtime::cuda::CudaBackend;
///
/// let cuda = CudaBackend::shared()?;
/// let stream = cuda.new_stream()?;
/// let mut buffer = cuda.allocate_buffer(1 << 20)?;
/// let write = cuda.from_output_buffer(&mut buffer, &stream)?;
/// // … launch kernels on `stream` that write `write.len()` bytes at `write.address()` …
/// drop(write); // `buffer` may be published now; the GPU need not be done
///
/// let read = cuda.from_input_buffer(&buffer, &stream)?;
/// // … launch kernels on `stream` that read …
/// drop(read);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CudaBackend {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) reaper: Reaper,
    engine: Engine<CudaMemory>,
    metadata: String,
    /// Of the devices, by domain, as metadata has them.
    names: Vec<String>,
    pub(super) host_pool: Option<Arc<dyn HostPool>>,
    /// One stream for each device, for copies that nobody's stream orders.
    copies: Vec<Stream>,
    said: AtomicBool,
}

impl Inner {
    /// The device's stream for copies to the host.
    pub(super) fn copies(&self, context: &Context) -> Result<&Stream, AccessError> {
        let uuid = context.device().uuid();
        let found = self
            .copies
            .iter()
            .find(|stream| stream.context().device().uuid() == uuid);
        found.ok_or(AccessError::NotOpened(uuid))
    }

    pub(super) fn no_host_copy(&self, error: &AccessError) {
        if !self.said.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "readers without a GPU get bytes, no shared host memory (said once)");
        }
    }
}

impl CudaBackend {
    /// On the first device that CUDA shows.
    ///
    /// # Errors
    /// [`CudaError`] when there is no driver, no device, or none whose memory can be shared.
    pub fn new() -> Result<Self, AccessError> {
        Self::builder().build()
    }

    /// To choose devices and set limits.
    pub fn builder() -> CudaBuilder {
        CudaBuilder::default()
    }

    /// The one of this process, made when it is first asked for.
    ///
    /// # Errors
    /// As [`new`](Self::new); it is tried again the next time.
    pub fn shared() -> Result<Self, AccessError> {
        static SHARED: Mutex<Option<CudaBackend>> = Mutex::new(None);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(backend) = shared.as_ref() {
            return Ok(backend.clone());
        }
        let backend = Self::new()?;
        *shared = Some(backend.clone());
        Ok(backend)
    }

    fn memory(&self) -> &CudaMemory {
        self.inner.engine.memory()
    }

    fn domain(&self, device: DeviceUuid) -> Result<u32, AccessError> {
        self.memory()
            .domain(device)
            .ok_or(AccessError::NotOpened(device))
    }

    /// The devices that were opened; the first is used where none is named.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.memory()
            .contexts()
            .iter()
            .map(|context| context.device())
    }

    /// A new stream on the first device, which does not wait for the legacy default stream.
    ///
    /// # Errors
    /// When CUDA makes none.
    pub fn new_stream(&self) -> Result<CudaStream, AccessError> {
        Ok(CudaStream(Arc::new(Stream::new(
            &self.memory().contexts()[0],
        )?)))
    }

    /// A new stream on a device.
    ///
    /// # Errors
    /// [`AccessError::NotOpened`], or when CUDA makes none.
    pub fn new_stream_on(&self, device: DeviceUuid) -> Result<CudaStream, AccessError> {
        let context = &self.memory().contexts()[self.domain(device)? as usize];
        Ok(CudaStream(Arc::new(Stream::new(context)?)))
    }

    /// The legacy default stream of a device: what frameworks use that were not told otherwise.
    ///
    /// # Errors
    /// [`AccessError::NotOpened`].
    pub fn default_stream(&self, device: DeviceUuid) -> Result<CudaStream, AccessError> {
        let context = &self.memory().contexts()[self.domain(device)? as usize];
        Ok(CudaStream(Arc::new(Stream::legacy(context))))
    }

    /// A stream that somebody else made, by its `CUstream` (`cudaStream_t`). 0 and 1 are the legacy default stream, 2 is that of
    /// the calling thread.
    ///
    /// # Errors
    /// [`AccessError::NotOpened`].
    ///
    /// # Safety
    /// The stream is one of the device's primary context, which is what the CUDA runtime, PyTorch and cudarc use, and exists
    /// as long as this value, its clones and the handles made with them.
    pub unsafe fn foreign_stream(
        &self,
        device: DeviceUuid,
        handle: usize,
    ) -> Result<CudaStream, AccessError> {
        let context = &self.memory().contexts()[self.domain(device)? as usize];
        let handle = core::ptr::with_exposed_provenance_mut(handle);
        // SAFETY: the caller's promise.
        Ok(CudaStream(Arc::new(unsafe {
            Stream::foreign(context, handle)
        })))
    }

    /// An unwritten buffer of `len` bytes on the first device.
    ///
    /// # Errors
    /// [`AllocateError`](crate::AllocateError) when there is no block.
    pub fn allocate_buffer(&self, len: usize) -> Result<Buffer<u8>, AccessError> {
        self.allocate(0, len)
    }

    /// An unwritten buffer of `len` bytes on a device.
    ///
    /// # Errors
    /// [`AccessError::NotOpened`]; [`AllocateError`](crate::AllocateError) when there is no block.
    pub fn allocate_buffer_on(
        &self,
        device: DeviceUuid,
        len: usize,
    ) -> Result<Buffer<u8>, AccessError> {
        self.allocate(self.domain(device)?, len)
    }

    fn allocate(&self, domain: u32, len: usize) -> Result<Buffer<u8>, AccessError> {
        Ok(Buffer::from_bytes_storage(self.fresh(domain, len)?))
    }

    fn fresh(&self, domain: u32, len: usize) -> Result<Arc<CudaStorage>, AccessError> {
        let block = self.inner.engine.try_allocate(domain, len)?;
        Ok(Arc::new(CudaStorage::fresh(block, &self.inner)))
    }

    /// The buffer's memory, to be written on `stream`: exclusively, and once.
    ///
    /// A buffer that is not in device memory, or not of this process, is replaced by an unwritten one of the same length on the
    /// stream's device; its content is not copied.
    ///
    /// # Errors
    /// [`AccessError::Shared`] when the buffer has clones, [`AccessError::Written`] when it was written before,
    /// [`AccessError::OtherDevice`] when the stream is of another device.
    pub fn from_output_buffer<T: Element>(
        &self,
        buffer: &mut Buffer<T>,
        stream: &CudaStream,
    ) -> Result<WriteHandle, AccessError> {
        let own = buffer
            .storage()
            .cloned()
            .and_then(StorageRef::new)
            .filter(|storage| {
                let storage = storage.get();
                storage.is_some_and(|storage| matches!(storage.held, Held::Own(_)))
            });
        if let Some(storage) = own {
            // The buffer's reference and the one just made.
            if Arc::strong_count(storage.as_arc()) > 2 {
                return Err(AccessError::Shared);
            }
            return WriteHandle::new(storage, stream);
        }
        let len = size_of::<T>() * buffer.len();
        let fresh = self.fresh(self.domain(stream.device().uuid())?, len)?;
        let storage: Arc<dyn Storage> = fresh;
        let replaced = Buffer::from_storage(Arc::clone(&storage))
            .map_err(|error| AccessError::Source(Arc::new(error)))?;
        let storage = StorageRef::new(storage).ok_or(AccessError::NotWritten)?; // always there: made two lines above
        let handle = WriteHandle::new(storage, stream)?;
        *buffer = replaced;
        Ok(handle)
    }

    /// The buffer's memory, to be read on `stream` after it was written.
    ///
    /// A buffer in host memory is copied to the stream's device, one on another device is copied from there; then
    /// [`ReadHandle::buffer`] is that copy.
    ///
    /// # Errors
    /// [`AccessError::NotWritten`] when the buffer was never written; when it cannot be copied.
    pub fn from_input_buffer<T: Element>(
        &self,
        buffer: &Buffer<T>,
        stream: &CudaStream,
    ) -> Result<ReadHandle, AccessError> {
        if let Some(storage) = buffer.storage().cloned().and_then(StorageRef::new)
            && let Some(from) = storage.get()
        {
            from.check_written()?;
            if from.held.context().device().uuid() == stream.device().uuid() {
                return ReadHandle::new(Keep::Storage(storage), &self.inner, stream);
            }
            return self.copy(storage, stream);
        }
        if let Some(storage) = buffer.storage()
            && let (Some(bytes), Some(mapping)) = (storage.host_bytes(), storage.host_mapping())
        {
            let context = stream.0.context();
            if mapping.is_writable() || context.device().registers_read_only() {
                let _registered = mapping.attach(|| super::access::register(context, &mapping))?;
                return self.upload(bytes, Some(Keep::Host(Arc::clone(storage))), stream);
            }
        }
        let content = buffer
            .host()
            .map_err(|error| AccessError::Source(Arc::new(error)))?;
        let bytes = T::PLAIN.bytes(&content).unwrap_or_default(); // never the default: elements are plain
        self.upload(bytes, None, stream)
    }

    /// `keep` holds registered memory, which is read after this returns.
    fn upload(
        &self,
        bytes: &[u8],
        keep: Option<Keep>,
        stream: &CudaStream,
    ) -> Result<ReadHandle, AccessError> {
        let (storage, write) = self.start_write(bytes.len(), stream)?;
        let copied = write.copy_in(bytes);
        if let Some(keep) = keep {
            self.inner.reaper.after(&stream.0, keep);
        }
        copied?;
        write.finish()?;
        ReadHandle::new(Keep::Storage(storage), &self.inner, stream)
    }

    /// From another device.
    fn copy(&self, source: StorageRef, stream: &CudaStream) -> Result<ReadHandle, AccessError> {
        let from = &source.get().ok_or(AccessError::NotWritten)?.held; // always there: a `StorageRef` is one of this backend
        let (storage, write) = self.start_write(from.len(), stream)?;
        let copied = copy_device(from, &write);
        self.inner
            .reaper
            .after(&stream.0, Keep::Storage(source.clone()));
        copied?;
        write.finish()?;
        let mut read = ReadHandle::new(Keep::Storage(storage), &self.inner, stream)?;
        read.source = Some(source);
        Ok(read)
    }

    fn start_write(
        &self,
        len: usize,
        stream: &CudaStream,
    ) -> Result<(StorageRef, WriteHandle), AccessError> {
        let fresh = self.fresh(self.domain(stream.device().uuid())?, len)?;
        let storage = StorageRef::new(fresh).ok_or(AccessError::NotWritten)?; // always there: made in the line above
        let write = WriteHandle::new(storage.clone(), stream)?;
        Ok((storage, write))
    }

    /// Copies bytes of the host into device memory, on the stream.
    ///
    /// # Errors
    /// When there is no block, or CUDA refuses.
    pub fn to_buffer(&self, bytes: &[u8], stream: &CudaStream) -> Result<Buffer<u8>, AccessError> {
        let (storage, write) = self.start_write(bytes.len(), stream)?;
        write.copy_in(bytes)?;
        write.finish()?;
        Ok(Buffer::from_bytes_storage(storage.into_inner()))
    }

    /// Waits until this publisher's memory can be read here; descriptors come only after that.
    ///
    /// # Errors
    /// [`BackendError::Disconnected`] if it cannot be reached or does not answer in time, [`BackendError::Malformed`] if the
    /// metadata is none of this backend's.
    pub fn connect(&self, publisher_metadata: &str, timeout: Duration) -> Result<(), BackendError> {
        let Some(identity) = Identity::parse(publisher_metadata) else {
            let text = format!("{publisher_metadata:?} is no metadata of `cuda_rs`, version 1");
            return Err(BackendError::Malformed(text));
        };
        self.inner.engine.connect(identity, timeout)
    }

    /// Waits until a reader with this metadata is connected; false if it is not before `timeout` is over.
    pub fn wait_for_reader(&self, reader_metadata: &str, timeout: Duration) -> bool {
        Identity::parse(reader_metadata)
            .is_some_and(|reader| self.inner.engine.wait_for_reader(reader.engine, timeout))
    }

    /// Takes what a descriptor describes and reads it on `stream`, without a buffer in between. A descriptor can be taken once.
    ///
    /// # Errors
    /// As [`BufferBackend::from_descriptor`] and [`from_input_buffer`](Self::from_input_buffer).
    pub fn read(
        &self,
        descriptor: &CudaRsBufferDescriptor,
        stream: &CudaStream,
    ) -> Result<ReadHandle, AccessError> {
        let held = self.take(descriptor)?;
        if held.context().device().uuid() == stream.device().uuid() {
            return ReadHandle::new(Keep::Held(held), &self.inner, stream);
        }
        let storage: Arc<dyn Storage> = Arc::new(CudaStorage::written(held, &self.inner));
        let buffer = Buffer::<u8>::from_bytes_storage(storage);
        self.from_input_buffer(&buffer, stream)
    }

    fn take(&self, descriptor: &CudaRsBufferDescriptor) -> Result<Held, BackendError> {
        let ticket = ticket(descriptor)?;
        Ok(match self.inner.engine.take(&ticket)? {
            Taken::Own(block) => Held::Own(block),
            Taken::Imported(held) => Held::Imported(held),
        })
    }

    /// Frees blocks that nobody uses and that were not handed out for `idle`; returns how many bytes that were.
    pub fn trim(&self, idle: Duration) -> u64 {
        self.inner.engine.trim(idle)
    }

    /// Sizes as they are now, counts since the start.
    pub fn stats(&self) -> Stats {
        self.inner.engine.stats()
    }

    /// Reads that ended here and that the GPU is not known to be done with.
    pub fn unfinished_reads(&self) -> usize {
        self.inner.reaper.waiting()
    }
}

impl BufferBackend for CudaBackend {
    type Descriptor = CudaRsBufferDescriptor;

    fn backend_type(&self) -> &str {
        CudaMemory::BACKEND
    }

    /// Engine and address, then the devices whose memory can be mapped here.
    fn backend_metadata(&self) -> String {
        self.inner.metadata.clone()
    }

    fn on_discovering_endpoint(&self, metadata: &str) {
        if let Some(identity) = Identity::parse(metadata) {
            self.inner.engine.discover(identity);
        }
    }

    fn is_ready(&self, peer_metadata: &str) -> bool {
        Identity::parse(peer_metadata)
            .is_some_and(|reader| self.inner.engine.has_reader(reader.engine))
    }

    fn create_descriptor(
        &self,
        storage: &Arc<dyn Storage>,
        peer_metadata: &str,
    ) -> Result<Option<CudaRsBufferDescriptor>, BackendError> {
        let Some(storage) = storage.as_any().downcast_ref::<CudaStorage>() else {
            return Ok(None);
        };
        storage
            .check_written()
            .map_err(|error| BackendError::Other(Cause::new(error)))?;
        let (Held::Own(block), Some(reader)) = (&storage.held, Identity::parse(peer_metadata))
        else {
            return Ok(None);
        };
        let device = block.memory.context().device().uuid();
        let name = self.inner.names.get(block.domain as usize);
        if !name.is_some_and(|name| reaches(peer_metadata, name)) {
            return Ok(None);
        }
        let ticket = self.inner.engine.describe(block, reader.engine)?;
        Ok(ticket.map(|ticket| describe(ticket, device)))
    }

    fn retract_descriptor(&self, descriptor: CudaRsBufferDescriptor, peer_metadata: &str) {
        if let (Ok(ticket), Some(reader)) = (ticket(&descriptor), Identity::parse(peer_metadata)) {
            self.inner.engine.retract(&ticket, reader.engine);
        }
    }

    fn from_descriptor(
        &self,
        descriptor: CudaRsBufferDescriptor,
    ) -> Result<Arc<dyn Storage>, BackendError> {
        let held = self.take(&descriptor)?;
        Ok(Arc::new(CudaStorage::written(held, &self.inner)))
    }
}

/// Whether the metadata names the device among those that can be mapped.
fn reaches(metadata: &str, device: &str) -> bool {
    metadata.rsplit('.').any(|part| part == device)
}

/// How a device is named in metadata.
fn name(device: DeviceUuid) -> String {
    format!("{:032x}", u128::from_be_bytes(device.0))
}

fn describe(ticket: Ticket, device: DeviceUuid) -> CudaRsBufferDescriptor {
    CudaRsBufferDescriptor {
        version: CudaRsBufferDescriptor::VERSION,
        engine_id: ticket.engine.0,
        device_uuid: device.0,
        cell: ticket.cell,
        block_id: ticket.block,
        generation: ticket.generation,
        block_size: ticket.block_size,
        offset: ticket.offset,
        size: ticket.size,
    }
}

fn ticket(descriptor: &CudaRsBufferDescriptor) -> Result<Ticket, BackendError> {
    if descriptor.version != CudaRsBufferDescriptor::VERSION {
        return Err(BackendError::Malformed(format!(
            "version {} where {} is known",
            descriptor.version,
            CudaRsBufferDescriptor::VERSION
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

impl fmt::Debug for CudaBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CudaBackend")
            .field("engine", &self.inner.engine.identity().engine)
            .field("devices", &self.memory().contexts().len())
            .finish_non_exhaustive()
    }
}

/// Devices and limits of a [`CudaBackend`] before it is made.
#[derive(Clone)]
pub struct CudaBuilder {
    devices: Vec<DeviceUuid>,
    config: Config,
    host_pool: Option<Arc<dyn HostPool>>,
}

impl fmt::Debug for CudaBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CudaBuilder")
            .field("devices", &self.devices)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Default for CudaBuilder {
    fn default() -> Self {
        Self {
            devices: Vec::new(),
            host_pool: None,
            config: Config {
                max_bytes: 16 << 30,
                import_limit: 64 << 30,
                ..Config::default()
            },
        }
    }
}

impl CudaBuilder {
    /// Opens this device too; without any, the first that CUDA shows. Opening one takes some hundred megabytes on it.
    #[must_use]
    pub fn device(mut self, device: DeviceUuid) -> Self {
        if !self.devices.contains(&device) {
            self.devices.push(device);
        }
        self
    }

    /// Bytes of all blocks together; 16 GiB unless set. They are taken when they are first needed.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.config.max_bytes = bytes;
        self
    }

    /// Number of blocks; 1,024 unless set, and not more.
    #[must_use]
    pub fn max_blocks(mut self, blocks: usize) -> Self {
        self.config.max_blocks = blocks.min(Config::default().max_blocks);
        self
    }

    /// How long a block waits for a descriptor to arrive; 1 s unless set.
    #[must_use]
    pub fn pending_deadline(mut self, deadline: Duration) -> Self {
        self.config.pending_deadline = deadline;
        self
    }

    /// Lets processes of this user read from us, and reads from theirs, beside those of our own effective user.
    #[must_use]
    pub fn allow_user(mut self, uid: u32) -> Self {
        self.config.users.push(uid);
        self
    }

    /// Where frames go for readers on this host that do not reach the device: once copied, they map the copy. Without it they get
    /// bytes. [`ShmBackend`](crate::shm::ShmBackend) is one.
    #[must_use]
    pub fn host_pool(mut self, pool: Arc<dyn HostPool>) -> Self {
        self.host_pool = Some(pool);
        self
    }

    /// Opens the devices, the socket and the threads.
    ///
    /// # Errors
    /// [`CudaError`] when there is no driver or no such device, or its memory cannot be shared;
    /// [`BackendError::Unavailable`] where the system lacks something else.
    pub fn build(self) -> Result<CudaBackend, AccessError> {
        let all = Device::all()?;
        let devices = if self.devices.is_empty() {
            all.first().cloned().into_iter().collect()
        } else {
            let find = |uuid: &DeviceUuid| {
                let found = all.iter().find(|device| device.uuid() == *uuid);
                found
                    .cloned()
                    .ok_or(CudaError::NoSuchDevice { uuid: *uuid })
            };
            self.devices
                .iter()
                .map(find)
                .collect::<Result<Vec<_>, _>>()?
        };
        if devices.is_empty() {
            let text = "CUDA shows no device; does CUDA_VISIBLE_DEVICES hide it?".to_owned();
            return Err(BackendError::Unavailable(text).into());
        }
        let unavailable = |error: std::io::Error| {
            AccessError::Backend(BackendError::Unavailable(format!(
                "shared memory, sockets and threads: {error}"
            )))
        };
        let memory = CudaMemory::open(&devices).map_err(|error| match error.downcast() {
            Ok(cuda) => AccessError::Cuda(cuda),
            Err(error) => unavailable(error),
        })?;
        let reached: Vec<_> = all
            .iter()
            .filter(|device| memory.reach(device.uuid()).is_ok())
            .collect();
        let copies = memory
            .contexts()
            .iter()
            .map(Stream::new)
            .collect::<Result<_, _>>()?;
        let names = devices.iter().map(|device| name(device.uuid())).collect();
        let engine = Engine::start(memory, self.config).map_err(unavailable)?;
        let mut metadata = engine.identity().to_string();
        for device in reached {
            metadata.push('.');
            metadata.push_str(&name(device.uuid()));
        }
        Ok(CudaBackend {
            inner: Arc::new(Inner {
                reaper: Reaper::start().map_err(unavailable)?,
                engine,
                metadata,
                names,
                host_pool: self.host_pool,
                copies,
                said: AtomicBool::new(false),
            }),
        })
    }
}
