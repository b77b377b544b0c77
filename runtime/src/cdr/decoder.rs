//! Reads XCDR1 of either byte order from untrusted bytes.
//!
//! Every method checks what is left before it reads or allocates, and reports where it stood.

use bytes::Bytes;

use super::encoder::align_up;
use super::{BORROW_MIN, DESCRIPTOR_MAGIC, DESCRIPTOR_MARKER, HEADER_LEN};
use crate::buffer::Buffer;
use crate::element::Element;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::field::Field;

/// Takes values from the body of a message; positions count from the body's start.
pub struct Decoder<'a> {
    body: &'a [u8],
    at: usize,
    swap: bool,
    payload: Option<&'a Bytes>,
    /// Bytes that sequences may still reserve.
    allowance: usize,
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
        })
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

    /// The count before a buffer's elements; refuses a descriptor, which stands there for memory elsewhere.
    pub(crate) fn buffer_count<T: Field>(&mut self) -> Result<usize, DecodeError> {
        let before = self.at;
        if self.number::<u32>()? == DESCRIPTOR_MARKER
            && self
                .number::<u32>()
                .is_ok_and(|word| word == DESCRIPTOR_MAGIC)
        {
            let backend = String::decode(self)?;
            return Err(self.error(DecodeErrorKind::UnknownBackend(backend)));
        }
        self.at = before;
        self.sequence_count::<T>()
    }

    /// A buffer: borrowed from the payload where that is worth it and possible, else copied.
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
