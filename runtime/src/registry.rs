//! Backends by name, and what a peer says about its own.
//!
//! Backends go in once, when a program starts; encoding and decoding look them up. A registry is a value: two nodes of
//! one process may have different ones. Nothing here talks to a peer.

use core::any::Any;
use core::fmt;
use std::sync::Arc;

use crate::backend::{BufferBackend, Storage};
use crate::cdr::{Decoder, Encoder};
use crate::cpu::CPU;
use crate::error::{
    AllocateError, DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind, RegisterError,
};
use crate::field::Field as _;
use crate::host::{HostPool, HostWrite};

/// The backends that a program uses. Empty by default: all buffers travel as bytes then. Cloning is cheap and shares the
/// backends; what is registered afterwards is in the one and not in the other.
///
/// # Example
/// ```
/// use rosidl_buffer_runtime::BackendRegistry;
///
/// let registry = BackendRegistry::new();
/// assert!(!registry.contains("shm"));
/// assert!(registry.endpoint_backends().is_empty());
/// ```
#[derive(Clone, Default)]
pub struct BackendRegistry {
    /// In the order of their names.
    entries: Arc<Vec<Entry>>,
}

#[derive(Clone)]
struct Entry {
    name: String,
    backend: Arc<dyn AnyBackend>,
}

impl BackendRegistry {
    /// A registry without backends.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a backend.
    ///
    /// # Errors
    /// When its name cannot stand on the wire, or is taken.
    pub fn register<B: BufferBackend>(&mut self, backend: Arc<B>) -> Result<(), RegisterError> {
        let name = backend.backend_type().to_owned();
        if name == CPU {
            return Err(RegisterError::Reserved);
        }
        let legal = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
        if name.is_empty() || !name.bytes().all(legal) {
            return Err(RegisterError::Name(name));
        }
        match self.find(&name) {
            Ok(_) => Err(RegisterError::Duplicate(name)),
            Err(at) => {
                Arc::make_mut(&mut self.entries).insert(at, Entry { name, backend });
                Ok(())
            }
        }
    }

    /// The same backends without those that `keep` says no to.
    ///
    /// ```
    /// use rosidl_buffer_runtime::BackendRegistry;
    ///
    /// let registry = BackendRegistry::new();
    /// assert!(!registry.filtered(|name| name == "shm").contains("cuda"));
    /// ```
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        let kept = self.entries.iter().filter(|entry| keep(&entry.name));
        Self {
            entries: Arc::new(kept.cloned().collect()),
        }
    }

    /// The names of the backends, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// What an endpoint of this process tells others: name and metadata of each backend.
    pub fn endpoint_backends(&self) -> Vec<(String, String)> {
        self.entries
            .iter()
            .map(|entry| (entry.name.clone(), entry.backend.metadata()))
            .collect()
    }

    /// Whether there is a backend of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The backend of that name, if it is of this type.
    pub fn backend<B: BufferBackend>(&self, name: &str) -> Option<&B> {
        self.get(name)?.as_any().downcast_ref()
    }

    /// As [`BufferBackend::is_host_readable`]; `false` for a backend that is not here.
    pub fn is_host_readable(&self, name: &str) -> bool {
        self.get(name).is_some_and(AnyBackend::is_host_readable)
    }

    /// As [`BufferBackend::on_discovering_endpoint`]; nothing for a backend that is not here.
    pub fn on_discovering_endpoint(&self, name: &str, metadata: &str) {
        if let Some(backend) = self.get(name) {
            backend.on_discovering_endpoint(metadata);
        }
    }

    /// As [`BufferBackend::is_ready`]; `false` for a backend that is not here.
    pub fn is_ready(&self, name: &str, metadata: &str) -> bool {
        self.get(name)
            .is_some_and(|backend| backend.is_ready(metadata))
    }

    /// Whether [`allocate_host`](Self::allocate_host) gives out memory of this backend; `false` for a backend that is not here.
    pub fn has_host_pool(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|entry| entry.host_pool().is_some())
    }

    /// Host memory of a backend, to write a message's bytes into; `None` for a backend that is not here or has none.
    ///
    /// # Errors
    /// When there is no memory, or none free.
    pub fn allocate_host(
        &self,
        name: &str,
        len: usize,
    ) -> Option<Result<Box<dyn HostWrite>, AllocateError>> {
        let pool = self.get(name)?.host_pool()?;
        Some(pool.allocate_host(len))
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|entry| entry.name.as_str().cmp(name))
    }

    /// The place of a backend, which stays as long as this value is not changed.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.find(name).ok()
    }

    pub(crate) fn at(&self, position: usize) -> Option<(&str, &dyn AnyBackend)> {
        let entry = self.entries.get(position)?;
        Some((&entry.name, &*entry.backend))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&dyn AnyBackend> {
        let (_, backend) = self.at(self.position(name)?)?;
        Some(backend)
    }
}

impl fmt::Debug for BackendRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// The backends that one endpoint of another process names, each with its metadata. None by default: such a peer gets bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Peer {
    backends: Vec<(String, String)>,
}

impl Peer {
    /// A peer that gets bytes.
    pub const fn new() -> Self {
        Self {
            backends: Vec::new(),
        }
    }

    /// The peer's backends by name, each with its metadata.
    pub fn backends(&self) -> impl Iterator<Item = (&str, &str)> {
        self.backends
            .iter()
            .map(|(name, metadata)| (name.as_str(), metadata.as_str()))
    }

    /// What the peer says about one backend; `None` if it does not have it.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.backends()
            .find_map(|(backend, metadata)| (backend == name).then_some(metadata))
    }
}

/// Pairs of name and metadata. Of two with the same name the first counts.
impl FromIterator<(String, String)> for Peer {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(backends: I) -> Self {
        Self {
            backends: backends.into_iter().collect(),
        }
    }
}

/// A backend whatever its descriptors are.
pub(crate) trait AnyBackend: Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn metadata(&self) -> String;
    fn is_host_readable(&self) -> bool;
    fn host_pool(&self) -> Option<&dyn HostPool>;
    fn is_ready(&self, metadata: &str) -> bool;
    fn on_discovering_endpoint(&self, metadata: &str);

    /// Writes a descriptor of the storage; `false`, and nothing written, if this peer gets bytes. `position` is the
    /// backend's place in the registry.
    fn describe(
        &self,
        position: usize,
        storage: &Arc<dyn Storage>,
        metadata: &str,
        encoder: &mut Encoder<'_>,
    ) -> Result<bool, EncodeError>;

    /// Reads a descriptor that was written for this peer but never left.
    fn retract(&self, decoder: &mut Decoder<'_>, metadata: &str);

    /// Reads a descriptor and gives the storage that it stands for.
    fn storage(&self, decoder: &mut Decoder<'_>) -> Result<Arc<dyn Storage>, DecodeError>;
}

impl<B: BufferBackend> AnyBackend for B {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> String {
        self.backend_metadata()
    }

    fn is_host_readable(&self) -> bool {
        BufferBackend::is_host_readable(self)
    }

    fn host_pool(&self) -> Option<&dyn HostPool> {
        BufferBackend::host_pool(self)
    }

    fn is_ready(&self, metadata: &str) -> bool {
        BufferBackend::is_ready(self, metadata)
    }

    fn on_discovering_endpoint(&self, metadata: &str) {
        BufferBackend::on_discovering_endpoint(self, metadata);
    }

    fn describe(
        &self,
        position: usize,
        storage: &Arc<dyn Storage>,
        metadata: &str,
        encoder: &mut Encoder<'_>,
    ) -> Result<bool, EncodeError> {
        let name = storage.backend_type();
        let descriptor = self.create_descriptor(storage, metadata).map_err(|cause| {
            EncodeErrorKind::Backend {
                backend: name.to_owned(),
                cause,
            }
        })?;
        let Some(descriptor) = descriptor else {
            return Ok(false);
        };
        encoder
            .descriptor(position, name, &descriptor)
            .inspect_err(|_| self.retract_descriptor(descriptor, metadata))?;
        Ok(true)
    }

    fn retract(&self, decoder: &mut Decoder<'_>, metadata: &str) {
        // These bytes were encoded from a descriptor a moment ago.
        if let Ok(descriptor) = B::Descriptor::decode(decoder) {
            self.retract_descriptor(descriptor, metadata);
        }
    }

    fn storage(&self, decoder: &mut Decoder<'_>) -> Result<Arc<dyn Storage>, DecodeError> {
        let descriptor = B::Descriptor::decode(decoder)?;
        self.from_descriptor(descriptor).map_err(|cause| {
            decoder.error(DecodeErrorKind::Backend {
                backend: self.backend_type().to_owned(),
                cause,
            })
        })
    }
}
