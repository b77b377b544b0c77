//! The conformance suite finds what is wrong: a backend with one fault fails the check that is about it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/mailbox.rs"]
#[allow(dead_code)] // of its counts only one is used here
mod mailbox;

use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailbox::{Mailbox, Slip};
use rosidl_buffer_runtime::conformance::{self, Pair};
use rosidl_buffer_runtime::{BackendError, BufferBackend, Storage};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    Metadata,
    Greets,
    Describes,
    Refuses,
    LongSlips,
    OtherBytes,
    TakesAnything,
    SameBytesForEver,
    Keeps,
    ForgetsToRetract,
    Panics,
    LosesOne,
}

/// A mailbox with a fault.
struct Faulty {
    inner: Arc<Mailbox>,
    fault: Fault,
    kept: Arc<Mutex<Vec<Arc<dyn Storage>>>>,
}

impl BufferBackend for Faulty {
    type Descriptor = Slip;

    fn backend_type(&self) -> &str {
        self.inner.backend_type()
    }

    fn backend_metadata(&self) -> String {
        match self.fault {
            Fault::Metadata => format!("{}/", self.inner.backend_metadata()),
            _ => self.inner.backend_metadata(),
        }
    }

    fn is_host_readable(&self) -> bool {
        true
    }

    fn is_ready(&self, peer_metadata: &str) -> bool {
        self.fault == Fault::Greets || self.inner.is_ready(peer_metadata.trim_end_matches('/'))
    }

    fn create_descriptor(
        &self,
        storage: &Arc<dyn Storage>,
        peer_metadata: &str,
    ) -> Result<Option<Slip>, BackendError> {
        let known = peer_metadata.trim_end_matches('/');
        match self.fault {
            Fault::Refuses if !self.inner.is_ready(known) => {
                Err(BackendError::other("who is this?"))
            }
            Fault::Describes => {
                let copy = self.inner.store(storage.host_bytes().unwrap_or_default());
                self.inner.create_descriptor(&copy, "room.b")
            }
            Fault::LongSlips => {
                let slip = self.inner.create_descriptor(storage, known)?;
                Ok(slip.map(|slip| Slip {
                    room: slip.room + &" ".repeat(5000),
                    ..slip
                }))
            }
            _ => self.inner.create_descriptor(storage, known),
        }
    }

    fn retract_descriptor(&self, slip: Slip, peer_metadata: &str) {
        if self.fault != Fault::ForgetsToRetract {
            self.inner.retract_descriptor(slip, peer_metadata);
        }
    }

    fn from_descriptor(&self, slip: Slip) -> Result<Arc<dyn Storage>, BackendError> {
        let slip = Slip {
            room: slip.room.trim_end().to_owned(),
            ..slip
        };
        let mut kept = self.kept.lock().unwrap();
        match self.fault {
            Fault::OtherBytes => Ok(self.inner.store(&[0; 4096])),
            Fault::TakesAnything => Ok(self
                .inner
                .from_descriptor(slip)
                .unwrap_or_else(|_| self.inner.store(&[0; 64]))),
            Fault::SameBytesForEver => {
                if kept.is_empty() {
                    kept.push(self.inner.from_descriptor(slip)?);
                }
                Ok(Arc::clone(&kept[0]))
            }
            Fault::Keeps => {
                kept.push(self.inner.from_descriptor(slip)?);
                Ok(Arc::clone(&kept[kept.len() - 1]))
            }
            Fault::Panics => Ok(self.inner.from_descriptor(slip).expect("a letter")),
            Fault::LosesOne if slip.key == 999 => Err(BackendError::other("lost in the post")),
            _ => self.inner.from_descriptor(slip),
        }
    }
}

/// What the suite says about a backend with this fault.
fn verdict(fault: Fault) -> Option<String> {
    let outcome = catch_unwind(|| {
        conformance::check(|| {
            let (writer, reader) = Mailbox::pair("room");
            let kept: Arc<Mutex<Vec<Arc<dyn Storage>>>> = Arc::default();
            let end = |inner| {
                Arc::new(Faulty {
                    inner,
                    fault,
                    kept: Arc::clone(&kept),
                })
            };
            let (store, in_use) = (Arc::clone(&writer), Arc::clone(&writer));
            Pair {
                writer: end(writer),
                reader: end(reader),
                store: Box::new(move |bytes| Ok(store.store(bytes))),
                in_use: Box::new(move || in_use.letters()),
                patience: Duration::ZERO,
            }
        });
    });
    let panic = outcome.err()?;
    Some(panic.downcast_ref::<String>().unwrap().clone())
}

#[test]
fn each_fault_is_found_and_named() {
    assert_eq!(verdict(Fault::None), None);
    for (fault, expected) in [
        (
            Fault::Metadata,
            "its name and metadata can stand in discovery: the writer's metadata `room.a/` has other characters",
        ),
        (
            Fault::Greets,
            "an unknown peer gets bytes: the unknown peer with the metadata \"\" is said to be ready",
        ),
        (
            Fault::Refuses,
            "an unknown peer gets bytes: the unknown peer with the metadata \"\" is an error",
        ),
        (
            Fault::Describes,
            "an unknown peer gets bytes: the unknown peer with the metadata \"\" gets a descriptor",
        ),
        (
            Fault::Describes,
            "a storage of another backend is not described: a storage that is another's",
        ),
        (
            Fault::LongSlips,
            "a descriptor is small and survives encoding: the descriptor of 1 bytes takes",
        ),
        (
            Fault::OtherBytes,
            "a descriptor outlives its storage: the storage of a dropped buffer has other bytes in place",
        ),
        (
            Fault::OtherBytes,
            "a storage outlives the writer's: a storage that the reader holds while the writer goes on has other bytes",
        ),
        (
            Fault::OtherBytes,
            "equal content is equal: what arrived is unequal to what was sent",
        ),
        (
            Fault::TakesAnything,
            "gives 64 bytes that were not described",
        ),
        (
            Fault::SameBytesForEver,
            "bytes of any length arrive: a storage of 4095 bytes has 1 bytes, 4095 expected",
        ),
        (
            Fault::Keeps,
            "a thousand hand-overs leave nothing behind: 1000 storages are in use where one at a time",
        ),
        (
            Fault::Keeps,
            "clones share one storage: 1 storages are in use 0ns after the last one was dropped, 0 before",
        ),
        (
            Fault::Keeps,
            "storages may be dropped on another thread: 1 storages are in use",
        ),
        (
            Fault::ForgetsToRetract,
            "what is retracted is free again: 1 storages are in use",
        ),
        (
            Fault::Panics,
            "descriptors that are not valid are errors: panicked: a letter",
        ),
        (
            Fault::LosesOne,
            "a thousand hand-overs leave nothing behind: the reader cannot take the descriptor: lost in the post",
        ),
    ] {
        let verdict = verdict(fault).unwrap_or_else(|| panic!("{fault:?} passes"));
        assert!(verdict.contains(expected), "{fault:?}: {verdict}");
    }
}
