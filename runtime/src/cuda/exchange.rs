//! A [`CudaBackend`] as a backend of buffers: what is said of a block to one reader, and what a descriptor gives.

use std::sync::Arc;

use super::backend::CudaBackend;
use super::descriptor::CudaRsBufferDescriptor;
use super::driver::DeviceUuid;
use super::memory::CudaMemory;
use super::storage::{CudaStorage, Held, StorageRef};
use crate::backend::{BufferBackend, Storage};
use crate::error::{BackendError, Cause};
use crate::ipc::block::Block;
use crate::ipc::engine::Taken;
use crate::ipc::identity::{EngineId, Identity};
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
        let Some(cuda) = storage.as_any().downcast_ref::<CudaStorage>() else {
            return Ok(None);
        };
        cuda.check_written()
            .map_err(|error| BackendError::Other(Cause::new(error)))?;
        let Some(reader) = Identity::parse(peer_metadata) else {
            return Ok(None);
        };
        match &cuda.held {
            Held::Own(block) => self.describe(block, reader.engine, peer_metadata),
            Held::Imported(_) => Ok(None),
            Held::Adopted(_) => {
                let copy = self.share_adopted(cuda, storage, reader.engine, peer_metadata);
                match copy
                    .as_ref()
                    .and_then(StorageRef::get)
                    .map(|copy| &copy.held)
                {
                    Some(Held::Own(block)) => self.describe(block, reader.engine, peer_metadata),
                    _ => Ok(None),
                }
            }
        }
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
    fn describe(
        &self,
        block: &Block<CudaMemory>,
        reader: EngineId,
        metadata: &str,
    ) -> Result<Option<CudaRsBufferDescriptor>, BackendError> {
        let device = block.memory.context().device().uuid();
        let name = self.inner.names.get(block.domain as usize);
        if !name.is_some_and(|name| reaches(metadata, name)) {
            return Ok(None);
        }
        let ticket = self.inner.engine.describe(block, reader)?;
        Ok(ticket.map(|ticket| CudaRsBufferDescriptor::new(ticket, device)))
    }

    /// Adopted memory as readers in other processes get it: copied on the device into a block of ours, once for all of them.
    /// `None` where this reader would have nothing of it, or there is no block; it gets bytes then.
    fn share_adopted(
        &self,
        cuda: &CudaStorage,
        storage: &Arc<dyn Storage>,
        reader: EngineId,
        metadata: &str,
    ) -> Option<StorageRef> {
        let context = cuda.held.context();
        let is_ours = Arc::ptr_eq(&cuda.inner, &self.inner);
        if !is_ours
            || !reaches(metadata, &name(context.device().uuid()))
            || !self.inner.engine.has_reader(reader)
        {
            return None;
        }
        let source = StorageRef::new(Arc::clone(storage))?;
        let copy = cuda.shared(|| {
            let stream = &self.inner.copies(context)?.on_device;
            self.copied(&source, stream)
        });
        match copy {
            Ok(copy) => {
                self.inner.notes.adopted_copy();
                Some(copy)
            }
            Err(error) => {
                self.inner.notes.no_adopted_copy(&error);
                None
            }
        }
    }

    /// Memory that is held from here on.
    pub(super) fn take(&self, descriptor: &CudaRsBufferDescriptor) -> Result<Held, BackendError> {
        let ticket = descriptor.ticket()?;
        Ok(match self.inner.engine.take(&ticket)? {
            Taken::Own(block) => Held::Own(block),
            Taken::Imported(held) => Held::Imported(held),
        })
    }
}
