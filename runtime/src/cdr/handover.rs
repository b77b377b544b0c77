//! What of a message goes to one peer as descriptors: who decides, and how it is taken back.
//!
//! The encoder asks here for each storage; a backend that the peer named writes a descriptor in place of the bytes. What
//! was written is kept as a copy until the caller says that the message left, so that it can be retracted. Small
//! descriptors are kept without an allocation.

use core::fmt;

use super::Decoder;
use crate::registry::{BackendRegistry, Peer};

/// What the encoder needs to know while it writes for one peer.
pub(super) struct Handover<'a> {
    pub(super) registry: &'a BackendRegistry,
    pub(super) peer: &'a Peer,
    /// Whether bytes may be brought to the host for this peer.
    pub(super) copies: bool,
    pub(super) log: &'a mut Log,
}

/// The descriptors in a message that [`encode_for`](super::encode_for) wrote, which another process is expected to take.
///
/// Dropping this without [`sent`](Self::sent) retracts them: no backend waits then for a message that never left.
#[must_use = "dropped, it retracts the descriptors; call `sent` when the message left"]
pub struct Described<'a> {
    registry: &'a BackendRegistry,
    peer: &'a Peer,
    log: Log,
}

impl<'a> Described<'a> {
    pub(super) fn none(registry: &'a BackendRegistry, peer: &'a Peer) -> Self {
        Self {
            registry,
            peer,
            log: Log::default(),
        }
    }

    /// What an encoder needs that is to write descriptors here, and copies where there is none if that is allowed.
    pub(super) fn handover(&mut self, copies: bool) -> Handover<'_> {
        Handover {
            registry: self.registry,
            peer: self.peer,
            copies,
            log: &mut self.log,
        }
    }

    /// Number of descriptors in the message.
    pub fn count(&self) -> usize {
        self.log.records().count()
    }

    /// The backend of each descriptor, in the order of the buffers.
    pub fn backends(&self) -> impl Iterator<Item = &str> {
        self.log
            .records()
            .filter_map(|record| self.registry.at(record.backend))
            .map(|(name, _)| name)
    }

    /// The message left: its descriptors are the peer's now.
    pub fn sent(mut self) {
        self.log = Log::default();
    }
}

impl Drop for Described<'_> {
    fn drop(&mut self) {
        for record in self.log.records() {
            if let Some((name, backend)) = self.registry.at(record.backend)
                && let Some(metadata) = self.peer.metadata(name)
            {
                backend.retract(
                    &mut Decoder::of_descriptor(record.bytes, record.at),
                    metadata,
                );
            }
        }
    }
}

impl fmt::Debug for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.backends()).finish()
    }
}

/// Room for the descriptors of most messages.
const INLINE: usize = 232;

/// Before each record: the backend's place in the registry, where the descriptor starts, how many bytes follow.
const HEAD: usize = 3 * size_of::<usize>();

/// Encoded descriptors, one after the other: as many as fit in the value itself, the others on the heap.
pub(super) struct Log {
    first: [u8; INLINE],
    len: usize,
    more: Vec<u8>,
}

struct Record<'a> {
    /// Place in the registry.
    backend: usize,
    /// The descriptor, and before it what there is from the last multiple of eight on.
    bytes: &'a [u8],
    /// Where the descriptor starts in `bytes`, so that it is aligned as in the message.
    at: usize,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            first: [0; INLINE],
            len: 0,
            more: Vec::new(),
        }
    }
}

impl Log {
    /// Keeps the descriptor that stands in `body` from `start` to its end.
    pub(super) fn push(&mut self, backend: usize, body: &[u8], start: usize) {
        let at = start % 8;
        let bytes = &body[start - at..];
        let mut head = [0; HEAD];
        for (word, value) in head
            .as_chunks_mut()
            .0
            .iter_mut()
            .zip([backend, at, bytes.len()])
        {
            *word = value.to_ne_bytes();
        }
        let end = self.len + HEAD + bytes.len();
        if self.more.is_empty() && end <= INLINE {
            self.first[self.len..][..HEAD].copy_from_slice(&head);
            self.first[self.len + HEAD..end].copy_from_slice(bytes);
            self.len = end;
        } else {
            self.more.extend_from_slice(&head);
            self.more.extend_from_slice(bytes);
        }
    }

    fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut runs = [&self.first[..self.len], &self.more[..]];
        core::iter::from_fn(move || {
            let run = runs.iter_mut().find(|run| !run.is_empty())?;
            let [backend, at, len] = [take_word(run)?, take_word(run)?, take_word(run)?];
            let bytes = run.split_off(..len)?;
            Some(Record { backend, bytes, at })
        })
    }
}

fn take_word(run: &mut &[u8]) -> Option<usize> {
    let (word, rest) = run.split_first_chunk()?;
    *run = rest;
    Some(usize::from_ne_bytes(*word))
}
