//! Host memory that a tensor writes, as the data of a message meanwhile and afterwards.
//!
//! Memory that is to be written comes in; the last tensor that uses it ends writing, and from then on it is a storage as any
//! other. Until then nobody reads it: torch may write whenever it likes, on whatever thread.

use core::any::Any;
use core::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::backend::Storage;
use crate::buffer::Buffer;
use crate::cpu::CPU;
use crate::error::BufferError;
use crate::host::{HostMapping, HostWrite};

/// What is written.
enum Memory {
    Vector(Vec<u8>),
    Pool(Box<dyn HostWrite>),
}

impl Memory {
    fn bytes(&mut self) -> &mut [u8] {
        match self {
            Self::Vector(vector) => vector,
            Self::Pool(handle) => handle,
        }
    }

    fn freeze(self) -> Written {
        match self {
            Self::Vector(vector) => Written::Vector(Arc::new(vector)),
            Self::Pool(handle) => Written::Pool(handle.freeze()),
        }
    }
}

/// What was written.
enum Written {
    /// Shared only while it is taken back.
    Vector(Arc<Vec<u8>>),
    Pool(Arc<dyn Storage>),
}

impl Written {
    fn host_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Vector(vector) => Some(vector),
            Self::Pool(storage) => storage.host_bytes(),
        }
    }

    fn pool(&self) -> Option<&Arc<dyn Storage>> {
        match self {
            Self::Vector(_) => None,
            Self::Pool(storage) => Some(storage),
        }
    }
}

/// Host memory that is written once, then read.
pub(super) struct Output {
    backend: String,
    len: usize,
    /// Until somebody writes it.
    fresh: Mutex<Option<Memory>>,
    /// Since nobody writes it any more.
    written: OnceLock<Written>,
}

impl Output {
    fn new(backend: &str, len: usize, fresh: Option<Memory>) -> Self {
        Self {
            backend: backend.to_owned(),
            len,
            fresh: Mutex::new(fresh),
            written: OnceLock::new(),
        }
    }

    /// A buffer of memory that a backend gave out and nobody wrote yet.
    pub(super) fn of_pool(backend: &str, len: usize, handle: Box<dyn HostWrite>) -> Buffer<u8> {
        let fresh = Some(Memory::Pool(handle));
        Buffer::from_bytes_storage(Arc::new(Self::new(backend, len, fresh)))
    }
}

/// The only one to write an [`Output`]; dropping it ends that.
pub(super) struct Writing {
    /// There until the end.
    memory: Option<Memory>,
    to: Arc<dyn Storage>,
}

impl Writing {
    /// Takes what can be written out of a buffer: a vector that nobody shares, also one that a tensor wrote before, or memory that
    /// nobody wrote yet. `None`, and the buffer as it was, for any other.
    pub(super) fn start(buffer: &mut Buffer<u8>) -> Option<Self> {
        if let Some(vector) = take_vector(buffer) {
            let to: Arc<dyn Storage> = Arc::new(Output::new(CPU, vector.len(), None));
            *buffer = Buffer::from_bytes_storage(Arc::clone(&to));
            return Some(Self {
                memory: Some(Memory::Vector(vector)),
                to,
            });
        }
        let to = Arc::clone(buffer.storage()?);
        let output = output(&to)?;
        let fresh = output.fresh.lock();
        let memory = fresh.unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Self {
            memory: Some(memory),
            to,
        })
    }

    /// The bytes, at an address that stays the same until this is dropped.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        self.memory.as_mut().map_or(&mut [], Memory::bytes)
    }

    /// The buffer it was started on has what was written; a vector is a vector again.
    pub(super) fn finish(self, buffer: &mut Buffer<u8>) {
        if let Some(Memory::Vector(_)) = self.memory {
            self.cancel(buffer);
        }
    }

    /// The buffer it was started on can be written again.
    pub(super) fn cancel(mut self, buffer: &mut Buffer<u8>) {
        match (self.memory.take(), output(&self.to)) {
            (Some(Memory::Vector(vector)), _) => *buffer = vector.into(),
            (memory, Some(output)) => {
                *output.fresh.lock().unwrap_or_else(PoisonError::into_inner) = memory;
            }
            (_, None) => {} // never: it becomes another storage at the end only
        }
    }
}

/// Takes the vector out of a buffer that is the only one over it.
fn take_vector(buffer: &mut Buffer<u8>) -> Option<Vec<u8>> {
    if buffer.as_mut_slice().is_some() {
        return core::mem::take(buffer).into_vec().ok();
    }
    let mut storage = Arc::clone(buffer.storage()?);
    let Written::Vector(vector) = output(&storage)?.written.get()? else {
        return None;
    };
    let vector = Arc::clone(vector);
    *buffer = Buffer::new();
    if Arc::get_mut(&mut storage).is_none() {
        *buffer = Buffer::from_bytes_storage(storage); // others have it
        return None;
    }
    drop(storage);
    Arc::into_inner(vector)
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let (Some(memory), Some(output)) = (self.memory.take(), output(&self.to)) {
            let _ = output.written.set(memory.freeze()); // not set before: there is one memory
        }
    }
}

/// The storage as an [`Output`] that is not written yet, or in a vector.
fn output(storage: &Arc<dyn Storage>) -> Option<&Output> {
    storage.as_any().downcast_ref()
}

impl Storage for Output {
    fn backend_type(&self) -> &str {
        &self.backend
    }

    fn byte_len(&self) -> usize {
        self.len
    }

    fn host_bytes(&self) -> Option<&[u8]> {
        self.written.get()?.host_bytes()?.get(..self.len)
    }

    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError> {
        let cause = match (self.written.get(), self.fresh.lock()) {
            (Some(Written::Pool(written)), _) => return written.copy_to_host(out),
            (Some(Written::Vector(written)), _) => {
                out.copy_from_slice(written);
                return Ok(());
            }
            (None, Ok(fresh)) if fresh.is_some() => {
                "nobody wrote it yet: `from_output_tensor_msg` gives the tensor to write to"
            }
            _ => {
                "a tensor writes it: drop that tensor, and what was made of its memory, before the message is read or sent"
            }
        };
        Err(BufferError::Backend {
            backend: self.backend.clone(),
            operation: format!("give the {} bytes of a message", self.len),
            cause: cause.into(),
        })
    }

    fn host_mapping(&self) -> Option<HostMapping<'_>> {
        self.written.get()?.pool()?.host_mapping()
    }

    fn host_storage(&self) -> Option<Arc<dyn Storage>> {
        self.written.get()?.pool()?.host_storage()
    }

    /// What was written, for the backend that the memory is of.
    fn as_any(&self) -> &dyn Any {
        match self.written.get() {
            Some(Written::Pool(written)) => written.as_any(),
            _ => self,
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Output({} bytes of {})", self.len, self.backend)
    }
}
