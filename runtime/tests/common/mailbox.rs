//! A backend written with nothing but the runtime's public interface: what was described waits in a map that two ends of
//! one process share, and a descriptor is its key.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rosidl_buffer_runtime::{
    BackendError, BufferBackend, BufferError, BufferMessage, Loss, Storage,
};

/// One of two ends. Its metadata is `<room>.<end>`; those in one room know each other.
pub(crate) struct Mailbox {
    room: String,
    end: &'static str,
    other: &'static str,
    waiting: Arc<Mutex<HashMap<u64, Arc<dyn Storage>>>>,
    /// No two slips have the same key.
    next_key: Arc<AtomicU64>,
    /// Cloned into every letter, so that they can be counted.
    letters: Arc<()>,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "mailbox_msgs")]
pub(crate) struct Slip {
    pub(crate) room: String,
    pub(crate) key: u64,
}

struct Letter {
    bytes: Vec<u8>,
    _counted: Arc<()>,
}

impl Mailbox {
    /// Two ends in a room of their own.
    pub(crate) fn pair(room: &str) -> (Arc<Self>, Arc<Self>) {
        let (waiting, letters, next_key) = (Arc::default(), Arc::default(), Arc::default());
        let end = |end, other| {
            Arc::new(Self {
                room: room.to_owned(),
                end,
                other,
                waiting: Arc::clone(&waiting),
                next_key: Arc::clone(&next_key),
                letters: Arc::clone(&letters),
            })
        };
        (end("a", "b"), end("b", "a"))
    }

    pub(crate) fn store(&self, bytes: &[u8]) -> Arc<dyn Storage> {
        Arc::new(Letter {
            bytes: bytes.to_vec(),
            _counted: Arc::clone(&self.letters),
        })
    }

    /// Letters that somebody holds or that wait.
    pub(crate) fn letters(&self) -> usize {
        Arc::strong_count(&self.letters) - 2 // the ends
    }

    /// Letters that were described and not taken.
    pub(crate) fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Arc<dyn Storage>>> {
        self.waiting.lock().unwrap()
    }
}

impl BufferBackend for Mailbox {
    type Descriptor = Slip;

    fn backend_type(&self) -> &'static str {
        "mailbox"
    }

    fn backend_metadata(&self) -> String {
        format!("{}.{}", self.room, self.end)
    }

    fn is_host_readable(&self) -> bool {
        true
    }

    fn is_ready(&self, peer_metadata: &str) -> bool {
        peer_metadata == format!("{}.{}", self.room, self.other)
    }

    fn create_descriptor(
        &self,
        storage: &Arc<dyn Storage>,
        peer_metadata: &str,
    ) -> Result<Option<Slip>, BackendError> {
        if !self.is_ready(peer_metadata) || !storage.as_any().is::<Letter>() {
            return Ok(None);
        }
        let key = self.next_key.fetch_add(1, Ordering::Relaxed);
        self.waiting().insert(key, Arc::clone(storage));
        Ok(Some(Slip {
            room: self.room.clone(),
            key,
        }))
    }

    fn retract_descriptor(&self, slip: Slip, _peer_metadata: &str) {
        self.waiting().remove(&slip.key);
    }

    fn from_descriptor(&self, slip: Slip) -> Result<Arc<dyn Storage>, BackendError> {
        if slip.room != self.room {
            let text = format!(
                "it is for the room `{}`, this is `{}`",
                slip.room, self.room
            );
            return Err(BackendError::Malformed(text));
        }
        let letter = self.waiting().remove(&slip.key);
        letter.ok_or(BackendError::Lost(Loss::Reused))
    }
}

impl Storage for Letter {
    fn backend_type(&self) -> &'static str {
        "mailbox"
    }

    fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    fn host_bytes(&self) -> Option<&[u8]> {
        Some(&self.bytes)
    }

    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError> {
        out.copy_from_slice(&self.bytes);
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
