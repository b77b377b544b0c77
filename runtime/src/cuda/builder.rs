//! [`CudaBuilder`]: which devices a [`CudaBackend`] opens, and its limits.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::access::AccessError;
use super::backend::{Copies, CudaBackend, Inner};
use super::driver::{CudaError, Device, DeviceUuid};
use super::exchange::name;
use super::lent::Lent;
use super::memory::CudaMemory;
use super::notes::Notes;
use super::reaper::Reaper;
use crate::error::BackendError;
use crate::host::HostPool;
use crate::ipc::config::Config;
use crate::ipc::engine::Engine;

/// Devices and limits of a [`CudaBackend`] before it is made.
#[derive(Clone)]
pub struct CudaBuilder {
    devices: Vec<DeviceUuid>,
    config: Config,
    host_pool: Option<Arc<dyn HostPool>>,
    peer_access: bool,
    expose_allocations: bool,
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
            peer_access: true,
            expose_allocations: false,
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

    crate::ipc::config::setters! {
        bytes: "16 GiB", imports: "64 GiB",
        memory: "It is taken when it is first needed."
    }

    /// Where frames go for readers on this host that do not reach the device: once copied, they map the copy. Without it they get
    /// bytes. [`ShmBackend`](crate::shm::ShmBackend) is one.
    #[must_use]
    pub fn host_pool(mut self, pool: Arc<dyn HostPool>) -> Self {
        self.host_pool = Some(pool);
        self
    }

    /// Whether devices read the memory of others in place, where they have peer access; they do unless set. Without it this process
    /// takes frames of other processes only on the devices that it opens: the rest come through the host, in shared memory where
    /// the publisher has a [`host_pool`](Self::host_pool). For machines where the link between devices is slow or is to be kept free.
    #[must_use]
    pub fn peer_access(mut self, is_used: bool) -> Self {
        self.peer_access = is_used;
        self
    }

    /// Whether adopted memory ([`CudaBackend::adopt`]) is shared in place also where it is only a part of its allocation; it is copied
    /// unless set. What is shared is the allocation as a whole: a reader's process could map all of it, read what else is there, and
    /// see what comes there later, until it lets go of it. For frames in a pool of their own.
    #[must_use]
    pub fn expose_allocations(mut self, is_allowed: bool) -> Self {
        self.expose_allocations = is_allowed;
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
        let memory = CudaMemory::open(&devices, self.peer_access).map_err(|error| {
            match error.downcast() {
                Ok(cuda) => AccessError::Cuda(cuda),
                Err(error) => unavailable(error),
            }
        })?;
        let reached: Vec<_> = all
            .iter()
            .filter(|device| memory.reach(device.uuid()).is_ok())
            .collect();
        let copies = memory
            .contexts()
            .iter()
            .map(Copies::new)
            .collect::<Result<_, _>>()?;
        let names = devices.iter().map(|device| name(device.uuid())).collect();
        let reaper = Reaper::start(&memory.contexts()[0]).map_err(unavailable)?;
        let engine = Engine::start(memory, self.config).map_err(unavailable)?;
        let mut metadata = engine.identity().to_string();
        for device in reached {
            metadata.push('.');
            metadata.push_str(&name(device.uuid()));
        }
        Ok(CudaBackend {
            inner: Arc::new(Inner {
                reaper,
                engine,
                metadata,
                names,
                host_pool: self.host_pool.map_or_else(OnceLock::new, OnceLock::from),
                copies,
                notes: Notes::default(),
                lent: Lent::default(),
                expose_allocations: self.expose_allocations,
            }),
        })
    }
}
