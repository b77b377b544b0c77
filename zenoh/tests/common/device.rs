//! Memory that the host cannot read, in one process: copies of it wait at a gate, fail or panic as a test wants.

use std::{
    any::Any,
    collections::{HashMap, HashSet},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rosidl_buffer_runtime::{
    BackendError, BackendRegistry, Buffer, BufferBackend, BufferError, BufferMessage, Loss, Storage,
};

use super::SOON;

/// The name of the backend.
pub(crate) const DEVICE: &str = "device";
/// More than fits in one packet.
pub(crate) const LEN: usize = 5000;

/// Where copies to the host wait until they are let through.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<Passes>,
    changed: Condvar,
}

#[derive(Default)]
struct Passes {
    open: bool,
    /// Copies that may go through, and those that came, since the beginning.
    allowed: u64,
    came: u64,
    went: u64,
}

impl Gate {
    pub(crate) fn let_through(&self, copies: u64) {
        self.state.lock().unwrap().allowed += copies;
        self.changed.notify_all();
    }

    pub(crate) fn open(&self) {
        self.state.lock().unwrap().open = true;
        self.changed.notify_all();
    }

    /// Waits until so many copies have come to the gate.
    pub(crate) fn wait_for(&self, copies: u64) {
        let state = self.state.lock().unwrap();
        let few = |state: &mut Passes| state.came < copies;
        let waited = self.changed.wait_timeout_while(state, SOON, few).unwrap();
        assert!(!waited.1.timed_out(), "no copy came to the gate");
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.came += 1;
        self.changed.notify_all();
        let shut = |state: &mut Passes| !state.open && state.went >= state.allowed;
        self.changed.wait_while(state, shut).unwrap().went += 1;
    }
}

/// How a copy ends, and what happens when the memory is given back.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Copies {
    Work,
    Fail,
    Panic,
}

struct Memory {
    gate: Arc<Gate>,
    fill: u8,
    copies: Copies,
    at_end: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Storage for Memory {
    fn backend_type(&self) -> &str {
        DEVICE
    }
    fn byte_len(&self) -> usize {
        LEN
    }
    fn host_bytes(&self) -> Option<&[u8]> {
        None
    }
    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError> {
        self.gate.pass();
        match self.copies {
            Copies::Work => {
                out.fill(self.fill);
                Ok(())
            }
            Copies::Fail => Err(BufferError::Backend {
                backend: DEVICE.to_owned(),
                operation: "copy".to_owned(),
                cause: "it fell off the bus".into(),
            }),
            Copies::Panic => panic!("a copy that panics"),
        }
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(at_end) = &self.at_end {
            at_end();
        }
    }
}

/// A buffer on the device, each byte `fill`.
pub(crate) fn on_device(gate: &Arc<Gate>, fill: u8, copies: Copies) -> Buffer<u8> {
    make(gate, fill, copies, None)
}

/// As [`on_device`]; calls `at_end` when nobody has it any more.
pub(crate) fn on_device_until(
    gate: &Arc<Gate>,
    fill: u8,
    at_end: impl Fn() + Send + Sync + 'static,
) -> Buffer<u8> {
    make(gate, fill, Copies::Work, Some(Box::new(at_end)))
}

fn make(
    gate: &Arc<Gate>,
    fill: u8,
    copies: Copies,
    at_end: Option<Box<dyn Fn() + Send + Sync>>,
) -> Buffer<u8> {
    let gate = Arc::clone(gate);
    let memory = Memory {
        gate,
        fill,
        copies,
        at_end,
    };
    Buffer::from_storage(Arc::new(memory)).unwrap()
}

/// The devices of all contexts of a test: what one describes, another finds, if it is within reach.
#[derive(Default)]
pub(crate) struct Desks {
    letters: Mutex<HashMap<u64, Arc<dyn Storage>>>,
    next: AtomicU64,
    out_of_reach: Mutex<HashSet<String>>,
    /// Makes `create_descriptor` have nothing for anybody at this address, ready or not.
    pub(crate) untold: Mutex<Option<String>>,
    /// Makes `create_descriptor` fail.
    pub(crate) broken: AtomicBool,
}

impl Desks {
    /// The backends of a context that says this about itself.
    pub(crate) fn at(self: &Arc<Self>, address: &str) -> BackendRegistry {
        let mut registry = BackendRegistry::new();
        let desk = Desk {
            address: address.to_owned(),
            desks: Arc::clone(self),
        };
        registry.register(Arc::new(desk)).unwrap();
        registry
    }

    /// Whether memory can be handed to the context at that address.
    pub(crate) fn reach(&self, address: &str, is_within: bool) {
        let mut out_of_reach = self.out_of_reach.lock().unwrap();
        if is_within {
            out_of_reach.remove(address);
        } else {
            out_of_reach.insert(address.to_owned());
        }
    }

    fn reaches(&self, address: &str) -> bool {
        !self.out_of_reach.lock().unwrap().contains(address)
    }
}

struct Desk {
    address: String,
    desks: Arc<Desks>,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct Note {
    number: u64,
}

impl BufferBackend for Desk {
    type Descriptor = Note;

    fn backend_type(&self) -> &str {
        DEVICE
    }

    fn backend_metadata(&self) -> String {
        self.address.clone()
    }

    fn is_ready(&self, peer_metadata: &str) -> bool {
        self.desks.reaches(peer_metadata)
    }

    fn create_descriptor(
        &self,
        storage: &Arc<dyn Storage>,
        peer_metadata: &str,
    ) -> Result<Option<Note>, BackendError> {
        if self.desks.broken.load(Ordering::SeqCst) {
            return Err(BackendError::Limit("no paper".to_owned()));
        }
        let is_untold = self.desks.untold.lock().unwrap().as_deref() == Some(peer_metadata);
        if is_untold || !self.desks.reaches(peer_metadata) {
            return Ok(None);
        }
        let number = self.desks.next.fetch_add(1, Ordering::SeqCst);
        let mut letters = self.desks.letters.lock().unwrap();
        letters.insert(number, Arc::clone(storage));
        Ok(Some(Note { number }))
    }

    fn retract_descriptor(&self, note: Note, _peer_metadata: &str) {
        self.desks.letters.lock().unwrap().remove(&note.number);
    }

    fn from_descriptor(&self, note: Note) -> Result<Arc<dyn Storage>, BackendError> {
        let letter = self.desks.letters.lock().unwrap().remove(&note.number);
        letter.ok_or(BackendError::Lost(Loss::Expired))
    }
}
