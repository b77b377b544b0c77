//! [`CudaBackend`]: the engine of `ipc` over device memory. What it is asked for beside buffers: devices, streams, peers, counts.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::access::{AccessError, register};
use super::builder::CudaBuilder;
use super::driver::{Context, CudaError, Device, DeviceUuid, Stream};
use super::lent::Lent;
use super::memory::CudaMemory;
use super::notes::Notes;
use super::reaper::Reaper;
use super::stream::CudaStream;
use crate::error::BackendError;
use crate::host::{HostMapping, HostPool};
use crate::ipc::engine::Engine;
use crate::ipc::identity::Identity;
use crate::ipc::stats::Stats;

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
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) reaper: Reaper,
    pub(super) engine: Engine<CudaMemory>,
    pub(super) metadata: String,
    /// Of the devices, by domain, as metadata has them.
    pub(super) names: Vec<String>,
    pub(super) host_pool: OnceLock<Arc<dyn HostPool>>,
    pub(super) copies: Vec<Copies>,
    pub(super) notes: Notes,
    pub(super) lent: Lent,
    pub(super) expose_allocations: bool,
}

impl Inner {
    /// The device's own streams.
    pub(super) fn copies(&self, context: &Context) -> Result<&Copies, AccessError> {
        let uuid = context.device().uuid();
        let found = self
            .copies
            .iter()
            .find(|copies| copies.to_host.context().device().uuid() == uuid);
        found.ok_or(AccessError::NotOpened(uuid))
    }

    /// Registers a mapping with CUDA, for as long as it is there, so that copies to it have the speed of the link. Where that cannot be,
    /// it stays memory as any other.
    ///
    /// # Errors
    /// When CUDA cannot be used any more.
    pub(super) fn register(
        &self,
        context: &Arc<Context>,
        mapping: &HostMapping<'_>,
    ) -> Result<(), CudaError> {
        match mapping.attach(|| register(context, mapping)) {
            Ok(_registered) => Ok(()),
            Err(error) if error.is_final() => Err(error),
            Err(error) => {
                self.notes.not_registered(&error);
                Ok(())
            }
        }
    }
}

/// Streams of one device for copies that nobody's stream orders. Two, since what goes to the host is waited for.
pub(super) struct Copies {
    pub(super) to_host: Stream,
    pub(super) on_device: CudaStream,
}

impl Copies {
    pub(super) fn new(context: &Arc<Context>) -> Result<Self, CudaError> {
        Ok(Self {
            to_host: Stream::new(context)?,
            on_device: CudaStream(Arc::new(Stream::new(context)?)),
        })
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

    pub(super) fn memory(&self) -> &CudaMemory {
        self.inner.engine.memory()
    }

    /// The number of a device among those that were opened.
    pub(super) fn domain(&self, device: DeviceUuid) -> Result<u32, AccessError> {
        self.memory()
            .domain(device)
            .ok_or(AccessError::NotOpened(device))
    }

    pub(super) fn context(&self, device: DeviceUuid) -> Result<&Arc<Context>, AccessError> {
        let domain = self.domain(device)?;
        let context = self.memory().context(domain);
        context.ok_or(AccessError::NotOpened(device))
    }

    /// As [`CudaBuilder::host_pool`], for a backend that was made without one. The first one counts: false, and nothing changed,
    /// where there is one already.
    pub fn set_host_pool(&self, pool: Arc<dyn HostPool>) -> bool {
        self.inner.host_pool.set(pool).is_ok()
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
        let context = self.context(device)?;
        Ok(CudaStream(Arc::new(Stream::new(context)?)))
    }

    /// The legacy default stream of a device: what frameworks use that were not told otherwise.
    ///
    /// # Errors
    /// [`AccessError::NotOpened`].
    pub fn default_stream(&self, device: DeviceUuid) -> Result<CudaStream, AccessError> {
        let context = self.context(device)?;
        Ok(CudaStream(Arc::new(Stream::legacy(context))))
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

impl fmt::Debug for CudaBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CudaBackend")
            .field("engine", &self.inner.engine.identity().engine)
            .field("devices", &self.memory().contexts().len())
            .finish_non_exhaustive()
    }
}
