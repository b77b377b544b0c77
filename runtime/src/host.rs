//! Host memory between backends: where one backend's memory cannot be reached, another's may carry the same bytes.
//!
//! A device's backend brings its bytes into blocks of a [`HostPool`], which readers without that device map. To copy there
//! at full speed it registers the blocks with the device; what it needs for that hangs on the mapping itself
//! ([`HostMapping::attach`]) and goes before it: both to the [`graveyard`], as that may have to wait for the device.

use core::any::Any;
use core::fmt;
use core::ops::DerefMut;
use core::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use crate::backend::Storage;
use crate::error::AllocateError;
use crate::graveyard;

/// Gives out host memory that other processes can be handed.
pub trait HostPool: Send + Sync + 'static {
    /// A block of at least `len` bytes to write.
    ///
    /// # Errors
    /// When there is none, or none free.
    fn allocate_host(&self, len: usize) -> Result<Box<dyn HostWrite>, AllocateError>;
}

/// Host memory that is being written, and that nobody else sees.
pub trait HostWrite: DerefMut<Target = [u8]> + Send {
    /// The mapping that it lies in.
    fn mapping(&self) -> HostMapping<'_>;

    /// Ends writing for good.
    fn freeze(self: Box<Self>) -> Arc<dyn Storage>;
}

/// What is kept with a mapping and dropped before it is unmapped.
pub(crate) struct Attachments {
    kept: Mutex<Vec<Arc<dyn Any + Send + Sync>>>,
    mapping: Arc<dyn Any + Send + Sync>,
    len: usize,
}

impl Attachments {
    /// None so far, to a mapping of so many bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn new(mapping: Arc<dyn Any + Send + Sync>, len: usize) -> Self {
        Self {
            kept: Mutex::default(),
            mapping,
            len,
        }
    }
}

impl Drop for Attachments {
    fn drop(&mut self) {
        let kept = self.kept.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !kept.is_empty() {
            // In this order.
            let both = (std::mem::take(kept), Arc::clone(&self.mapping));
            graveyard::bury(both, self.len);
        }
    }
}

impl fmt::Debug for Attachments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attachments")
    }
}

/// A mapping of host memory: a whole one, not only the part that some buffer uses.
#[derive(Clone, Copy)]
pub struct HostMapping<'a> {
    start: NonNull<u8>,
    len: usize,
    writable: bool,
    attachments: &'a Attachments,
}

impl<'a> HostMapping<'a> {
    #[cfg(target_os = "linux")]
    pub(crate) fn new(
        start: NonNull<u8>,
        len: usize,
        writable: bool,
        attachments: &'a Attachments,
    ) -> Self {
        Self {
            start,
            len,
            writable,
            attachments,
        }
    }

    /// Its first byte, page-aligned.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never: there are no empty mappings.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether this process may write there.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// The value of type `T` that is kept with the mapping, made by the first who asks. It is dropped before the mapping goes.
    ///
    /// # Errors
    /// Whatever `make` gives; it is tried again the next time.
    pub fn attach<T: Any + Send + Sync, E>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let mut attached = self
            .attachments
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let found = attached
            .iter()
            .find_map(|any| Arc::clone(any).downcast::<T>().ok());
        if let Some(found) = found {
            return Ok(found);
        }
        let value = Arc::new(make()?);
        attached.push(Arc::clone(&value) as Arc<dyn Any + Send + Sync>);
        Ok(value)
    }
}

impl fmt::Debug for HostMapping<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostMapping({} bytes at {:p})", self.len, self.start)
    }
}
