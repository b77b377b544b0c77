//! The buffers of a [`CudaBackend`]: made, written, read, and promoted to a device from where their bytes are.

use std::sync::Arc;

use super::access::{AccessError, Keep, ReadHandle, WriteHandle, copy_device, register};
use super::backend::CudaBackend;
use super::descriptor::CudaRsBufferDescriptor;
use super::driver::DeviceUuid;
use super::storage::{CudaStorage, Held, StorageRef};
use super::stream::CudaStream;
use crate::backend::Storage;
use crate::buffer::Buffer;
use crate::element::Element;
#[cfg(feature = "tch")]
use crate::host::HostMapping;

impl CudaBackend {
    /// The backend that a buffer's memory belongs to here, and the device that reads it; `None` for memory of the host.
    #[cfg(feature = "tch")]
    pub(crate) fn of(buffer: &Buffer<u8>) -> Option<(Self, DeviceUuid)> {
        let storage: &CudaStorage = buffer.storage()?.as_any().downcast_ref()?;
        let backend = Self {
            inner: Arc::clone(&storage.inner),
        };
        let memorys = storage.held.context().device().uuid();
        let device = match backend.domain(memorys) {
            Ok(_) => memorys,
            Err(_) => backend.devices().next()?.uuid(),
        };
        Some((backend, device))
    }

    /// Registers a mapping of host memory with CUDA, for copies from a device.
    #[cfg(feature = "tch")]
    pub(crate) fn register_host(
        &self,
        device: DeviceUuid,
        mapping: &HostMapping<'_>,
    ) -> Result<(), AccessError> {
        Ok(self.inner.register(self.context(device)?, mapping)?)
    }

    /// Whether a device copies from this address of the host at the speed of its link.
    #[cfg(feature = "tch")]
    pub(crate) fn is_pinned(&self, device: DeviceUuid, address: usize) -> bool {
        let context = self.context(device);
        context.is_ok_and(|context| context.is_pinned(address))
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
    /// Memory of another device is read in place where the stream's device has peer access to it, over whatever links the two.
    /// What cannot be read in place, host memory for instance, is copied to the stream's device; then [`ReadHandle::buffer`] is that
    /// copy.
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
            if from.held.open_to(stream.0.context(), self.memory())? {
                return ReadHandle::new(Keep::Storage(storage), &self.inner, stream);
            }
            return self.copy(storage, stream);
        }
        self.promote(buffer, stream)
    }

    /// As [`from_input_buffer`](Self::from_input_buffer), but always of a copy, [`ReadHandle::buffer`], in memory of this process on
    /// the stream's device.
    ///
    /// For memory of another device that is read more than once, or whose publisher needs it back before the reader is through:
    /// it goes back when the copy is done and the handle has gone.
    ///
    /// # Errors
    /// [`AccessError::NotWritten`] when the buffer was never written; when it cannot be copied.
    pub fn copy_input_buffer<T: Element>(
        &self,
        buffer: &Buffer<T>,
        stream: &CudaStream,
    ) -> Result<ReadHandle, AccessError> {
        if let Some(storage) = buffer.storage().cloned().and_then(StorageRef::new)
            && let Some(from) = storage.get()
        {
            from.check_written()?;
            return self.copy(storage, stream);
        }
        self.promote(buffer, stream)
    }

    /// Copies what is in host memory to the stream's device.
    fn promote<T: Element>(
        &self,
        buffer: &Buffer<T>,
        stream: &CudaStream,
    ) -> Result<ReadHandle, AccessError> {
        if let Some(storage) = buffer.storage()
            && let (Some(bytes), Some(mapping)) = (storage.host_bytes(), storage.host_mapping())
        {
            let context = stream.0.context();
            if mapping.is_writable() || context.device().registers_read_only() {
                match mapping.attach(|| register(context, &mapping)) {
                    Ok(_registered) => {
                        let keep = Keep::Host(Arc::clone(storage));
                        return self.upload(bytes, Some(keep), stream);
                    }
                    Err(error) if error.is_final() => return Err(error.into()),
                    // Too much memory is locked, or a framework registered it before: copied as any other.
                    Err(error) => self.inner.notes.not_registered(&error),
                }
            }
        }
        let content = buffer
            .host()
            .map_err(|error| AccessError::Source(Arc::new(error)))?;
        let bytes = T::PLAIN.bytes(&content).unwrap_or_default(); // never the default: elements are plain
        self.upload(bytes, None, stream)
    }

    /// As [`WriteHandle::copy_in`].
    fn upload(
        &self,
        bytes: &[u8],
        keep: Option<Keep>,
        stream: &CudaStream,
    ) -> Result<ReadHandle, AccessError> {
        let (storage, write) = self.start_write(bytes.len(), stream)?;
        write.copy_in(bytes, keep)?;
        write.finish()?;
        ReadHandle::new(Keep::Storage(storage), &self.inner, stream)
    }

    /// From this device or another.
    fn copy(&self, source: StorageRef, stream: &CudaStream) -> Result<ReadHandle, AccessError> {
        let copy = self.copied(&source, stream)?;
        let mut read = ReadHandle::new(Keep::Storage(copy), &self.inner, stream)?;
        read.source = Some(source);
        Ok(read)
    }

    /// The same bytes in a block of ours on the stream's device.
    pub(super) fn copied(
        &self,
        source: &StorageRef,
        stream: &CudaStream,
    ) -> Result<StorageRef, AccessError> {
        let from = &source.get().ok_or(AccessError::NotWritten)?.held; // always there: a `StorageRef` is one of this backend
        let (storage, write) = self.start_write(from.len(), stream)?;
        let copied = copy_device(from, &write);
        self.inner
            .reaper
            .after(&stream.0, Keep::Storage(source.clone()));
        copied?;
        write.finish()?;
        Ok(storage)
    }

    pub(super) fn start_write(
        &self,
        len: usize,
        stream: &CudaStream,
    ) -> Result<(StorageRef, WriteHandle), AccessError> {
        let fresh = self.fresh(self.domain(stream.device().uuid())?, len)?;
        let storage = StorageRef::new(fresh).ok_or(AccessError::NotWritten)?; // always there: made in the line above
        let write = WriteHandle::new(storage.clone(), stream)?;
        Ok((storage, write))
    }

    /// Copies bytes of the host into device memory, on the stream, and waits until they are there. What is on a device already goes
    /// by [`to_buffer_from_slice`](Self::to_buffer_from_slice) or [`to_buffer_from_device`](Self::to_buffer_from_device), which
    /// do not wait.
    ///
    /// # Errors
    /// When there is no block, or CUDA refuses.
    pub fn to_buffer(&self, bytes: &[u8], stream: &CudaStream) -> Result<Buffer<u8>, AccessError> {
        let (storage, write) = self.start_write(bytes.len(), stream)?;
        write.copy_in(bytes, None)?;
        write.finish()?;
        Ok(Buffer::from_bytes_storage(storage.into_inner()))
    }

    /// Takes what a descriptor describes and reads it on `stream`, without a buffer in between. A descriptor can be taken once.
    ///
    /// # Errors
    /// As [`BufferBackend::from_descriptor`](crate::BufferBackend::from_descriptor) and [`from_input_buffer`](Self::from_input_buffer).
    pub fn read(
        &self,
        descriptor: &CudaRsBufferDescriptor,
        stream: &CudaStream,
    ) -> Result<ReadHandle, AccessError> {
        let held = self.take(descriptor)?;
        if held.open_to(stream.0.context(), self.memory())? {
            return ReadHandle::new(Keep::Held(held), &self.inner, stream);
        }
        let storage: Arc<dyn Storage> = Arc::new(CudaStorage::written(held, &self.inner));
        let buffer = Buffer::<u8>::from_bytes_storage(storage);
        self.from_input_buffer(&buffer, stream)
    }
}
