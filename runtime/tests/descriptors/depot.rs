//! A backend that counts what becomes of its descriptors, and that can be told to fail.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rosidl_buffer_runtime::{
    BackendError, BackendRegistry, Buffer, BufferBackend, BufferError, BufferMessage, Loss, Peer,
    Storage,
};

/// Both ends of a backend, whose storages only exist as a length: no byte can be read in place.
pub(crate) struct Depot {
    name: &'static str,
    state: Mutex<State>,
    goods: Arc<AtomicUsize>,
}

#[derive(Default)]
struct State {
    /// Described and neither taken nor retracted, by number.
    pending: HashMap<u64, Arc<dyn Storage>>,
    described: u64,
    retracted: Vec<u64>,
    metadata: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "depot_msgs")]
pub(crate) struct Ticket {
    pub(crate) size: u64,
    pub(crate) number: u64,
    pub(crate) note: String,
    /// As in the descriptor of ROS's CUDA backend of 0.1.1.
    pub(crate) rest: Buffer<u8>,
}

pub(crate) struct Goods {
    name: &'static str,
    len: usize,
    note: &'static str,
    alive: Arc<AtomicUsize>,
}

impl Depot {
    pub(crate) fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self {
            name,
            state: Mutex::default(),
            goods: Arc::default(),
        })
    }

    /// `len` bytes, the last of which says how long the storage is; the note comes with its descriptors.
    pub(crate) fn goods(&self, len: usize, note: &'static str) -> Buffer<u8> {
        self.goods_of(len, note)
    }

    pub(crate) fn goods_of<T: rosidl_buffer_runtime::Element>(
        &self,
        len: usize,
        note: &'static str,
    ) -> Buffer<T> {
        self.goods.fetch_add(1, Ordering::SeqCst);
        Buffer::from_storage(Arc::new(Goods {
            name: self.name,
            len,
            note,
            alive: Arc::clone(&self.goods),
        }))
        .unwrap()
    }

    /// Storages that somebody holds.
    pub(crate) fn alive(&self) -> usize {
        self.goods.load(Ordering::SeqCst)
    }

    /// Numbers of the descriptors that nobody took or retracted.
    pub(crate) fn pending(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.state.lock().unwrap().pending.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }

    pub(crate) fn retracted(&self) -> Vec<u64> {
        self.state.lock().unwrap().retracted.clone()
    }

    /// The metadata that came with descriptions and retractions.
    pub(crate) fn metadata(&self) -> Vec<String> {
        self.state.lock().unwrap().metadata.clone()
    }
}

impl BufferBackend for Depot {
    type Descriptor = Ticket;

    fn backend_type(&self) -> &str {
        self.name
    }

    fn create_descriptor(
        &self,
        storage: &Arc<dyn Storage>,
        peer_metadata: &str,
    ) -> Result<Option<Ticket>, BackendError> {
        let Some(goods) = storage.as_any().downcast_ref::<Goods>() else {
            return Ok(None);
        };
        if goods.note == "refused" {
            return Ok(None);
        }
        if goods.note == "broken" {
            return Err(BackendError::Unavailable("the depot is closed".to_owned()));
        }
        let mut state = self.state.lock().unwrap();
        state.described += 1;
        let number = state.described;
        state.pending.insert(number, Arc::clone(storage));
        state.metadata.push(peer_metadata.to_owned());
        let note = match goods.note {
            "long" => "x".repeat(5000),
            note => note.to_owned(),
        };
        Ok(Some(Ticket {
            size: goods.len as u64,
            number,
            note,
            rest: Buffer::new(),
        }))
    }

    fn retract_descriptor(&self, ticket: Ticket, peer_metadata: &str) {
        let mut state = self.state.lock().unwrap();
        assert!(state.pending.remove(&ticket.number).is_some());
        state.retracted.push(ticket.number);
        state.metadata.push(peer_metadata.to_owned());
    }

    fn from_descriptor(&self, ticket: Ticket) -> Result<Arc<dyn Storage>, BackendError> {
        if ticket.note == "lost" {
            return Err(Loss::Expired.into());
        }
        let storage = self.state.lock().unwrap().pending.remove(&ticket.number);
        storage.ok_or_else(|| BackendError::Malformed(format!("there is no {}", ticket.number)))
    }
}

impl Storage for Goods {
    fn backend_type(&self) -> &str {
        self.name
    }

    fn byte_len(&self) -> usize {
        self.len
    }

    fn host_bytes(&self) -> Option<&[u8]> {
        None
    }

    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError> {
        if self.note == "unreadable" {
            return Err(BufferError::Backend {
                backend: self.name.to_owned(),
                operation: "copy".to_owned(),
                cause: "it is locked".into(),
            });
        }
        out.fill(0);
        if let Some(last) = out.last_mut() {
            *last = self.len.to_le_bytes()[0];
        }
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Goods {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A registry with this backend alone, and a peer that names it.
pub(crate) fn known(depot: &Arc<Depot>) -> (BackendRegistry, Peer) {
    let mut registry = BackendRegistry::new();
    registry.register(Arc::clone(depot)).unwrap();
    (registry, peer(depot.name))
}

/// A peer that names this backend, beside the bytes that everybody takes.
pub(crate) fn peer(name: &str) -> Peer {
    [("cpu", ""), (name, "pier 7")]
        .map(|(name, metadata)| (name.to_owned(), metadata.to_owned()))
        .into_iter()
        .collect()
}
