//! A [`CudaBackend`] as a backend of buffers: what is said of a block to one reader, and what a descriptor gives.

use std::sync::Arc;
use std::time::Duration;

use super::backend::CudaBackend;
use super::descriptor::CudaRsBufferDescriptor;
use super::driver::DeviceUuid;
use super::lent::Lent;
use super::memory::{CudaMemory, NotInPlace};
use super::storage::{CudaStorage, Held, StorageRef};
use super::stream::CudaStream;
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

    /// Adopted memory as readers in other processes get it, made once for all of them: a block of its own where it can be shared
    /// as it is, else copied on the device into one of ours. `None` where this reader would have nothing of it, or there is no block; it gets bytes then.
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
        let block = cuda.shared(|| {
            let stream = &self.inner.copies(context)?.on_device;
            match self.in_place(&source, stream) {
                Ok(block) => Ok(block),
                Err(why) => {
                    let copy = self.copied(&source, stream)?;
                    self.inner.notes.adopted_copy(&why);
                    Ok(copy)
                }
            }
        });
        match block {
            Ok(block) => Some(block),
            Err(error) => {
                self.inner.notes.no_adopted_copy(&error);
                None
            }
        }
    }

    /// Adopted memory as a block, which the stream says to be written once it is.
    fn in_place(&self, source: &StorageRef, stream: &CudaStream) -> Result<StorageRef, NotInPlace> {
        let adopted = source.get().and_then(|storage| match &storage.held {
            Held::Adopted(adopted) => Some(adopted),
            _ => None,
        });
        let (Some(adopted), Some(pool)) = (adopted, self.inner.engine.adopting()) else {
            return Err(NotInPlace::NotShareable); // never: the caller looked
        };
        let place = (adopted.address(), adopted.len());
        let expose = self.inner.expose_allocations;
        let block = self
            .memory()
            .adopt(pool, adopted.context(), place, expose)?;
        let id = block.id;
        if let Err(error) = Lent::keep(&self.inner, source.clone(), id) {
            drop(block);
            pool.drop_adopted(Duration::ZERO, |other| other.id == id);
            return Err(NotInPlace::Thread(Arc::new(error)));
        }
        let held = Held::Own(block);
        adopted.wait_to_read(&stream.0)?;
        held.end_write(&stream.0)?;
        let storage: Arc<dyn Storage> = Arc::new(CudaStorage::written(held, &self.inner));
        // Always there: made in the line above.
        let storage = StorageRef::new(storage).ok_or(NotInPlace::NotShareable)?;
        Ok(storage)
    }

    /// Memory that is held from here on.
    pub(super) fn take(&self, descriptor: &CudaRsBufferDescriptor) -> Result<Held, BackendError> {
        let engine = &self.inner.engine;
        let ticket = engine.counted(descriptor.ticket())?;
        let (held, device) = match engine.take(&ticket)? {
            Taken::Own(block) => {
                let device = block.memory.context().device().uuid();
                (Held::Own(block), device)
            }
            Taken::Imported(held) => {
                let device = held.import.memory.owner().uuid();
                (Held::Imported(held), device)
            }
        };
        let said = DeviceUuid(descriptor.device_uuid);
        if said == device {
            return Ok(held);
        }
        engine.counted(Err(BackendError::Malformed(format!(
            "it says {said}, and the block is on {device}"
        ))))
    }
}
