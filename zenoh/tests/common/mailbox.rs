//! Memory that is handed over by number, inside one process: what the tests use where no second process is needed.

use std::{
    any::Any,
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use rosidl_buffer_runtime::{
    BackendError, BackendRegistry, Buffer, BufferBackend, BufferError, BufferMessage, Loss, Storage,
};

/// The name of the backend.
pub(crate) const MAILBOX: &str = "mailbox";
/// What its endpoints say about themselves, with what has to be escaped in a token.
pub(crate) const ADDRESS: &str = "house:1;50%";

/// Letters by number, and who was told what.
pub(crate) struct Mailbox {
    letters: Mutex<HashMap<u64, Arc<dyn Storage>>>,
    next: AtomicU64,
    pub(crate) discovered: Mutex<HashSet<String>>,
    pub(crate) retracted: AtomicU64,
    /// How often it was `unavailable`.
    pub(crate) refused: AtomicU64,
    /// Makes `create_descriptor` fail.
    pub(crate) broken: std::sync::atomic::AtomicBool,
    /// Makes `from_descriptor` fail in a way that lasts.
    pub(crate) unavailable: std::sync::atomic::AtomicBool,
    /// Makes `from_descriptor` panic.
    pub(crate) panics: std::sync::atomic::AtomicBool,
    address: &'static str,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "demo_msgs")]
pub(crate) struct Letter {
    number: u64,
}

pub(crate) struct Paper(Vec<u8>);

impl Storage for Paper {
    fn backend_type(&self) -> &str {
        MAILBOX
    }
    fn byte_len(&self) -> usize {
        self.0.len()
    }
    fn host_bytes(&self) -> Option<&[u8]> {
        Some(&self.0)
    }
    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Mailbox {
    pub(crate) fn new() -> Arc<Self> {
        Self::at(ADDRESS)
    }

    pub(crate) fn at(address: &'static str) -> Arc<Self> {
        Arc::new(Self {
            address,
            letters: Mutex::default(),
            next: AtomicU64::new(0),
            discovered: Mutex::default(),
            retracted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            broken: false.into(),
            unavailable: false.into(),
            panics: false.into(),
        })
    }

    pub(crate) fn registry(self: &Arc<Self>) -> BackendRegistry {
        let mut registry = BackendRegistry::new();
        registry.register(Arc::clone(self)).unwrap();
        registry
    }

    /// Takes away what was put into a message and not taken out yet.
    pub(crate) fn burn(&self) {
        self.letters.lock().unwrap().clear();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.letters.lock().unwrap().len()
    }
}

/// A buffer in memory of the mailbox.
pub(crate) fn paper(bytes: Vec<u8>) -> Buffer<u8> {
    Buffer::from_storage(Arc::new(Paper(bytes))).unwrap()
}

impl BufferBackend for Mailbox {
    type Descriptor = Letter;

    fn backend_type(&self) -> &str {
        MAILBOX
    }

    fn backend_metadata(&self) -> String {
        self.address.to_owned()
    }

    fn is_host_readable(&self) -> bool {
        true
    }

    fn on_discovering_endpoint(&self, metadata: &str) {
        self.discovered.lock().unwrap().insert(metadata.to_owned());
    }

    fn is_ready(&self, peer_metadata: &str) -> bool {
        peer_metadata == ADDRESS
    }

    fn create_descriptor(
        &self,
        storage: &Arc<dyn Storage>,
        peer_metadata: &str,
    ) -> Result<Option<Letter>, BackendError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(BackendError::Limit("no stamps".to_owned()));
        }
        if peer_metadata != ADDRESS || storage.byte_len() == 0 {
            return Ok(None);
        }
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        self.letters
            .lock()
            .unwrap()
            .insert(number, Arc::clone(storage));
        Ok(Some(Letter { number }))
    }

    fn retract_descriptor(&self, descriptor: Letter, _peer_metadata: &str) {
        self.letters.lock().unwrap().remove(&descriptor.number);
        self.retracted.fetch_add(1, Ordering::SeqCst);
    }

    fn from_descriptor(&self, descriptor: Letter) -> Result<Arc<dyn Storage>, BackendError> {
        assert!(!self.panics.load(Ordering::SeqCst), "burned fingers");
        if self.unavailable.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            let why = "there is no post here".to_owned();
            return Err(BackendError::Unavailable(why));
        }
        let letter = self.letters.lock().unwrap().remove(&descriptor.number);
        letter.ok_or(BackendError::Lost(Loss::Expired))
    }
}
