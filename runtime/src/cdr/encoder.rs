//! Writes XCDR1, little endian, into a vector that has room for all of it.
//!
//! For a peer that named backends, a storage of one of them becomes a descriptor; everything else is bytes.

use std::sync::Arc;

use super::handover::Handover;
use super::{DESCRIPTOR_MAGIC, DESCRIPTOR_MARKER, DESCRIPTOR_MAX};
use crate::backend::Storage;
use crate::element::Element;
use crate::error::{BackendError, EncodeError, EncodeErrorKind};
use crate::field::Field;
use crate::registry::{BackendRegistry, Peer};

/// Appends values to the body of a message; positions count from the body's start.
pub struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    origin: usize,
    /// `None`: all buffers are bytes.
    handover: Option<Handover<'a>>,
}

/// The next multiple of `align`, a power of two, from `at` on.
#[inline]
pub(crate) const fn align_up(at: usize, align: usize) -> usize {
    (at + align - 1) & !(align - 1)
}

impl<'a> Encoder<'a> {
    /// The body starts where `out` ends.
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        let origin = out.len();
        Self {
            out,
            origin,
            handover: None,
        }
    }

    /// As [`new`](Self::new), for one peer.
    pub(super) fn for_peer(out: &'a mut Vec<u8>, handover: Handover<'a>) -> Self {
        Self {
            handover: Some(handover),
            ..Self::new(out)
        }
    }

    #[inline]
    fn position(&self) -> usize {
        self.out.len() - self.origin
    }

    #[inline]
    fn align(&mut self, align: usize) {
        let at = self.position();
        let pad = align_up(at, align) - at;
        self.out.extend_from_slice(&[0; 8][..pad]);
    }

    /// One number, aligned to its size.
    #[inline]
    pub(crate) fn number<T: Element>(&mut self, value: T) {
        self.align(size_of::<T>());
        let value = if cfg!(target_endian = "little") {
            value
        } else {
            value.swap_bytes()
        };
        if let Some(bytes) = T::PLAIN.bytes(core::slice::from_ref(&value)) {
            self.out.extend_from_slice(bytes);
        }
    }

    /// A byte that is no number: a boolean, the member of an empty message.
    #[inline]
    pub(crate) fn byte(&mut self, value: u8) {
        self.out.push(value);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// The count before a sequence or string.
    #[inline]
    pub(crate) fn count(&mut self, count: usize) -> Result<(), EncodeError> {
        match u32::try_from(count) {
            Ok(count) if count < DESCRIPTOR_MARKER => {
                self.number(count);
                Ok(())
            }
            _ => Err(EncodeErrorKind::TooLong(count).into()),
        }
    }

    /// The memory of plain items in one copy; `false`, and nothing written, where their fields have to be placed one by one.
    #[inline]
    pub(crate) fn plain<T: Field>(&mut self, items: &[T]) -> bool {
        if !T::PLAIN.is_native_le()
            || items.is_empty()
            || !align_up(self.position(), T::FIRST_ALIGN).is_multiple_of(T::PLAIN.max_align())
        {
            return false;
        }
        self.align(T::FIRST_ALIGN);
        match T::PLAIN.bytes(items) {
            Some(bytes) => {
                self.out.extend_from_slice(bytes);
                true
            }
            None => false,
        }
    }
    /// A descriptor in place of the storage's bytes; `false`, and nothing written, where the bytes have to be there.
    pub(crate) fn describe(&mut self, storage: &Arc<dyn Storage>) -> Result<bool, EncodeError> {
        let Some(handover) = &self.handover else {
            return Ok(false);
        };
        let (registry, peer, copies) = (handover.registry, handover.peer, handover.copies);
        if self.describe_as_it_is(storage, registry, peer)? {
            return Ok(true);
        }
        // For a peer that does not reach that memory, perhaps the same bytes elsewhere.
        let is_elsewhere = copies && storage.host_bytes().is_none();
        match is_elsewhere.then(|| storage.host_storage()).flatten() {
            Some(host) => self.describe_as_it_is(&host, registry, peer),
            None => Ok(false),
        }
    }

    /// Whether bytes of `storage`, which the host cannot read in place, may be brought over to be written here.
    pub(crate) fn check_copy(&self, storage: &dyn Storage) -> Result<(), EncodeError> {
        if self
            .handover
            .as_ref()
            .is_none_or(|handover| handover.copies)
        {
            return Ok(());
        }
        let cause = BackendError::Unavailable(
            "there is no descriptor for this peer, and nothing is to be copied".to_owned(),
        );
        Err(EncodeErrorKind::Backend {
            backend: storage.backend_type().to_owned(),
            cause,
        }
        .into())
    }

    fn describe_as_it_is(
        &mut self,
        storage: &Arc<dyn Storage>,
        registry: &BackendRegistry,
        peer: &Peer,
    ) -> Result<bool, EncodeError> {
        let name = storage.backend_type();
        let (Some(metadata), Some(at)) = (peer.metadata(name), registry.position(name)) else {
            return Ok(false);
        };
        match registry.at(at) {
            Some((_, backend)) => backend.describe(at, storage, metadata, self),
            None => Ok(false),
        }
    }

    /// Marker, name and fields of a descriptor; `at` is the backend's place in the registry. Nothing is written when it fails.
    pub(crate) fn descriptor<D: Field>(
        &mut self,
        at: usize,
        name: &str,
        descriptor: &D,
    ) -> Result<(), EncodeError> {
        let before = self.out.len();
        self.number(DESCRIPTOR_MARKER);
        self.number(DESCRIPTOR_MAGIC);
        let written = self.descriptor_fields(at, name, descriptor);
        if written.is_err() {
            self.out.truncate(before);
        }
        written
    }

    fn descriptor_fields<D: Field>(
        &mut self,
        at: usize,
        name: &str,
        descriptor: &D,
    ) -> Result<(), EncodeError> {
        self.count(name.len() + 1)?;
        self.bytes(name.as_bytes());
        self.byte(0);
        let start = align_up(self.position(), D::FIRST_ALIGN);
        // A buffer in a descriptor is bytes: nobody could say which of two descriptors to retract.
        let handover = self.handover.take();
        let written = descriptor.encode(self);
        self.handover = handover;
        written?;
        let len = self.position() - start;
        if len > DESCRIPTOR_MAX {
            let cause = BackendError::Limit(format!(
                "a descriptor takes at most {DESCRIPTOR_MAX} bytes, this one {len}"
            ));
            return Err(EncodeErrorKind::Backend {
                backend: name.to_owned(),
                cause,
            }
            .into());
        }
        if let Some(handover) = &mut self.handover {
            handover.log.push(at, &self.out[self.origin..], start);
        }
        Ok(())
    }
}
