//! A [`CudaBackend`] as a backend of buffers: what is said of a block to one reader, and what a descriptor gives.

use std::sync::Arc;

use super::backend::CudaBackend;
use super::descriptor::CudaRsBufferDescriptor;
use super::driver::DeviceUuid;
use super::memory::CudaMemory;
use super::storage::{CudaStorage, Held};
use crate::backend::{BufferBackend, Storage};
use crate::error::{BackendError, Cause};
use crate::ipc::engine::Taken;
use crate::ipc::identity::Identity;
use crate::ipc::memory::Memory as _;

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
        Ok(ticket.map(|ticket| CudaRsBufferDescriptor::new(ticket, device)))
    }

    fn retract_descriptor(&self, descriptor: CudaRsBufferDescriptor, peer_metadata: &str) {
        if let (Ok(ticket), Some(reader)) = (descriptor.ticket(), Identity::parse(peer_metadata)) {
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
pub(super) fn name(device: DeviceUuid) -> String {
    format!("{:032x}", u128::from_be_bytes(device.0))
}

impl CudaBackend {
    /// Memory that is held from here on.
    pub(super) fn take(&self, descriptor: &CudaRsBufferDescriptor) -> Result<Held, BackendError> {
        let ticket = descriptor.ticket()?;
        Ok(match self.inner.engine.take(&ticket)? {
            Taken::Own(block) => Held::Own(block),
            Taken::Imported(held) => Held::Imported(held),
        })
    }
}
