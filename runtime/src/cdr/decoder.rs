//! Reads XCDR1 of either byte order from untrusted bytes.
//!
//! Every method checks what is left before it reads or allocates, and reports where it stood. A descriptor is turned
//! into the storage that it stands for where there are backends and a buffer may be elsewhere.

use std::sync::Arc;

use bytes::Bytes;

use super::encoder::align_up;
use super::{BORROW_MIN, DESCRIPTOR_MAGIC, DESCRIPTOR_MARKER, DESCRIPTOR_MAX, HEADER_LEN};
use crate::backend::Storage;
use crate::buffer::Buffer;
use crate::element::Element;
use crate::error::{BackendError, DecodeError, DecodeErrorKind};
use crate::field::Field;
use crate::registry::BackendRegistry;

/// Takes values from the body of a message; positions count from the body's start.
pub struct Decoder<'a> {
    body: &'a [u8],
    at: usize,
    swap: bool,
    payload: Option<&'a Bytes>,
    /// Bytes that sequences may still reserve.
    allowance: usize,
    backends: Backends<'a>,
}

/// What becomes of a descriptor.
#[derive(Clone, Copy)]
enum Backends<'a> {
    /// No backend is known here.
    None,
    /// The backend is looked up.
    Of(&'a BackendRegistry),
    /// This is the inside of a descriptor, where there is no other.
    Described,
}

/// A place in a body that was checked before, where reading may start again.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    body: &'a [u8],
    at: usize,
    swap: bool,
}

/// No field type takes more memory than eight times its shortest encoding: a `Vec` or `String` of 24 bytes is at least a
/// count of 4, and each byte of the encoding brings at most 7 bytes of padding. The shortest encodings of a payload's
/// elements do not overlap, so a payload that holds what it announces needs no more than eight times its own length.
const GROWTH: usize = 8;

impl<'a> Decoder<'a> {
    /// Reads the encapsulation header. `payload` is what `bytes` lie in, if buffers may borrow from it.
    pub(crate) fn new(bytes: &'a [u8], payload: Option<&'a Bytes>) -> Result<Self, DecodeError> {
        let Some((header, body)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            let text = format!(
                "{} bytes are too few for the 4-byte encapsulation header",
                bytes.len()
            );
            return Err(DecodeError::new(0, DecodeErrorKind::Encapsulation(text)));
        };
        let big_endian = match (header[0], header[1]) {
            (0, 0) => true,
            (0, 1) => false,
            (high, low) => {
                let text = format!(
                    "encapsulation {high:#04x} {low:#04x} is not plain CDR (XCDR1): 0x00 0x00 or 0x00 0x01"
                );
                return Err(DecodeError::new(0, DecodeErrorKind::Encapsulation(text)));
            }
        };
        Ok(Self {
            body,
            at: 0,
            swap: big_endian != cfg!(target_endian = "big"),
            payload,
            allowance: body.len().saturating_mul(GROWTH),
            backends: Backends::None,
        })
    }

    /// The same with backends that give the memory of descriptors.
    pub(super) fn with_backends(self, registry: &'a BackendRegistry) -> Self {
        Self {
            backends: Backends::Of(registry),
            ..self
        }
    }

    /// A descriptor that this process encoded, from `at` on.
    pub(super) fn of_descriptor(body: &'a [u8], at: usize) -> Self {
        Self {
            body,
            at,
            swap: cfg!(target_endian = "big"),
            payload: None,
            allowance: body.len().saturating_mul(GROWTH),
            backends: Backends::Described,
        }
    }

    /// From a place that was passed without an error: nothing can be refused there for the memory that it takes.
    #[inline]
    pub(crate) fn again(place: Place<'a>) -> Self {
        Self {
            body: place.body,
            at: place.at,
            swap: place.swap,
            payload: None,
            allowance: usize::MAX,
            backends: Backends::None,
        }
    }

    #[inline]
    pub(crate) fn place(&self) -> Place<'a> {
        Place {
            body: self.body,
            at: self.at,
            swap: self.swap,
        }
    }

    /// Bytes from `place`, which came before, to here.
    #[inline]
    pub(crate) fn since(&self, place: Place<'a>) -> usize {
        self.at - place.at
    }

    /// Passes over bytes that were checked before.
    #[inline]
    pub(crate) fn pass(&mut self, len: usize) {
        self.at += len;
    }

    /// An error at the present position.
    #[cold]
    pub(crate) fn error(&self, kind: impl Into<DecodeErrorKind>) -> DecodeError {
        DecodeError::new(self.at, kind)
    }

    #[inline]
    fn left(&self) -> usize {
        self.body.len().saturating_sub(self.at)
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        match self.body.get(self.at..).and_then(|rest| rest.get(..len)) {
            Some(bytes) => {
                self.at += len;
                Ok(bytes)
            }
            None => Err(self.error(DecodeErrorKind::Truncated {
                needed: len as u64,
                left: self.left(),
            })),
        }
    }

    /// One number, aligned to its size.
    #[inline]
    pub(crate) fn number<T: Element>(&mut self) -> Result<T, DecodeError> {
        self.at = align_up(self.at, size_of::<T>());
        let bytes = self.take(size_of::<T>())?;
        let value = T::PLAIN.value(bytes).unwrap_or_default(); // never defaults: the length is that of `T`
        Ok(if self.swap { value.swap_bytes() } else { value })
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// One UTF-16 code unit of a wide string.
    #[inline]
    pub(crate) fn unit(&mut self) -> Result<u16, DecodeError> {
        let wide = self.number::<u32>()?;
        u16::try_from(wide).map_err(|_| self.error(DecodeErrorKind::WideChar(wide)))
    }

    /// The count before a string: bytes or characters of `size` bytes each.
    #[inline]
    pub(crate) fn string_count(&mut self, size: usize) -> Result<usize, DecodeError> {
        let count = self.number::<u32>()?;
        let needed = u64::from(count) * size as u64;
        if needed > self.left() as u64 {
            return Err(self.error(DecodeErrorKind::Truncated {
                needed,
                left: self.left(),
            }));
        }
        Ok(count as usize)
    }

    /// The count before a sequence of `T`, refused if the rest cannot hold so many.
    #[inline]
    pub(crate) fn sequence_count<T: Field>(&mut self) -> Result<usize, DecodeError> {
        let count = self.number::<u32>()?;
        let needed = u64::from(count) * T::MIN_LEN as u64;
        if needed > self.left() as u64 {
            if count == DESCRIPTOR_MARKER {
                self.refuse_descriptor()?;
            }
            return Err(self.error(DecodeErrorKind::Count {
                count,
                needed,
                left: self.left(),
            }));
        }
        Ok(count as usize)
    }

    /// Takes the memory of `count` elements from what the payload can justify. Counts that nest, each of which would
    /// fit alone, are refused here before anything is allocated.
    #[inline]
    pub(crate) fn claim<T: Field>(&mut self, count: usize) -> Result<(), DecodeError> {
        // More than eight times takes only a struct that its author over-aligned; that is not the payload's fault.
        let size = size_of::<T>().min(GROWTH * T::MIN_LEN);
        match self.allowance.checked_sub(count.saturating_mul(size)) {
            Some(rest) => {
                self.allowance = rest;
                Ok(())
            }
            None => Err(self.error(DecodeErrorKind::Nested { count })),
        }
    }

    /// Refuses to go on if fewer than `len` bytes are left.
    #[inline]
    pub(crate) fn at_least(&self, len: usize) -> Result<(), DecodeError> {
        if len <= self.left() {
            return Ok(());
        }
        Err(self.error(DecodeErrorKind::Truncated {
            needed: len as u64,
            left: self.left(),
        }))
    }

    /// The bytes of `count` plain items; `None`, and nothing taken, where their fields have to be read one by one.
    #[inline]
    pub(crate) fn plain<T: Field>(
        &mut self,
        count: usize,
    ) -> Result<Option<&'a [u8]>, DecodeError> {
        let start = align_up(self.at, T::FIRST_ALIGN);
        // Bytes have no order, so a run of them needs no turning round.
        if (self.swap && T::PLAIN.max_align() > 1)
            || !T::PLAIN.get()
            || count == 0
            || !start.is_multiple_of(T::PLAIN.max_align())
        {
            return Ok(None);
        }
        // `count` was checked against what is left or is the length of an array type, so this cannot overflow.
        let len = count * size_of::<T>();
        self.at = start;
        self.take(len).map(Some)
    }

    /// The backend's name if a descriptor is next, else nothing taken.
    #[inline]
    fn descriptor_name(&mut self) -> Result<Option<&'a str>, DecodeError> {
        let before = self.at;
        if self.number::<u32>()? == DESCRIPTOR_MARKER
            && self
                .number::<u32>()
                .is_ok_and(|word| word == DESCRIPTOR_MAGIC)
        {
            return String::view(self).map(Some);
        }
        self.at = before;
        Ok(None)
    }

    /// The error for a descriptor that stands where bytes have to be.
    #[cold]
    fn no_buffer(&self, backend: &str) -> DecodeError {
        let backend = backend.to_owned();
        self.error(match self.backends {
            Backends::None => DecodeErrorKind::UnknownBackend(backend),
            Backends::Of(_) | Backends::Described => DecodeErrorKind::NoBuffer(backend),
        })
    }

    /// After a count that is the first word of a descriptor: an error if this is one.
    #[cold]
    fn refuse_descriptor(&mut self) -> Result<(), DecodeError> {
        let count = self.at;
        self.at -= size_of::<u32>();
        match self.descriptor_name()? {
            Some(backend) => Err(self.no_buffer(backend)),
            None => {
                self.at = count;
                Ok(())
            }
        }
    }

    /// The count before a buffer's elements; refuses a descriptor, which stands there for memory elsewhere.
    pub(crate) fn buffer_count<T: Field>(&mut self) -> Result<usize, DecodeError> {
        match self.descriptor_name()? {
            Some(backend) => Err(self.no_buffer(backend)),
            None => self.sequence_count::<T>(),
        }
    }

    /// The storage that a descriptor stands for, if one is next.
    pub(crate) fn storage(&mut self) -> Result<Option<Arc<dyn Storage>>, DecodeError> {
        let Some(name) = self.descriptor_name()? else {
            return Ok(None);
        };
        let Backends::Of(registry) = self.backends else {
            return Err(self.no_buffer(name));
        };
        let Some(backend) = registry.get(name) else {
            return Err(self.error(DecodeErrorKind::UnknownBackend(name.to_owned())));
        };
        let end = self.body.len().min(align_up(self.at, 8) + DESCRIPTOR_MAX);
        let mut fields = Self {
            swap: self.swap,
            ..Self::of_descriptor(&self.body[..end], self.at)
        };
        match backend.storage(&mut fields) {
            Ok(storage) => {
                self.at = fields.at;
                Ok(Some(storage))
            }
            Err(error) if error.is_short() && end < self.body.len() => {
                let cause = BackendError::Limit(format!(
                    "a descriptor takes at most {DESCRIPTOR_MAX} bytes, this one goes on"
                ));
                Err(self.error(DecodeErrorKind::Backend {
                    backend: name.to_owned(),
                    cause,
                }))
            }
            Err(error) => Err(error),
        }
    }

    /// A buffer in host memory: borrowed from the payload where that is worth it and possible, else copied.
    pub(crate) fn buffer<T: Element + Field>(&mut self) -> Result<Buffer<T>, DecodeError> {
        let count = self.buffer_count::<T>()?;
        if let (Some(payload), false) = (self.payload, self.swap) {
            let start = align_up(self.at, size_of::<T>());
            let len = count * size_of::<T>();
            if len >= BORROW_MIN {
                self.at = start;
                let bytes = payload.slice_ref(self.take(len)?);
                if let Some(buffer) = Buffer::from_payload(bytes) {
                    return Ok(buffer);
                }
                self.at = start;
            }
        }
        T::decode_vec(self, count).map(Buffer::from)
    }
}
