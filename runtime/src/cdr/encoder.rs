//! Writes XCDR1, little endian, into a vector that has room for all of it.

use crate::element::Element;
use crate::error::{EncodeError, EncodeErrorKind};
use crate::field::Field;

/// Appends values to the body of a message; positions count from the body's start.
pub struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    origin: usize,
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
        Self { out, origin }
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
            Ok(count) if count < super::DESCRIPTOR_MARKER => {
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
}
