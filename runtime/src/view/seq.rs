//! [`SeqRef`]: items where they lie, in a slice where memory and encoding are the same, else read one by one.

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;

use super::checked;
use crate::cdr::{Decoder, Place};
use crate::element::Element;
use crate::error::{BoundError, DecodeError};
use crate::field::{Bounds, Field};

/// Of a longer run of numbers `{:?}` prints the first few only.
const PRINTED_WHOLE: usize = 64;
const PRINTED_FIRST: usize = 8;

/// A sequence, array or buffer of `T` in a view: the items are read from the bytes when they are asked for.
///
/// ```
/// use rosidl_buffer_runtime::{BufferMessage, cdr};
///
/// #[derive(Clone, BufferMessage)]
/// #[ros2(package = "demo_msgs")]
/// struct Scan { names: Vec<String>, ranges: Vec<f32> }
///
/// let scan = Scan { names: vec!["a".into(), "b".into()], ranges: vec![0.5, 1.5] };
/// let bytes = cdr::encode(&scan)?;
/// let view = cdr::view::<Scan>(&bytes)?;
/// assert_eq!(view.names, ["a", "b"]);
/// assert_eq!(view.ranges.get(1), Some(1.5));
/// assert_eq!(view.ranges.iter().sum::<f32>(), 2.0);
/// // A slice needs aligned memory, which a `Vec<u8>` does not promise; `as_bytes` does not, and `to_vec` copies.
/// assert!(view.ranges.as_slice().is_none_or(|ranges| ranges == [0.5, 1.5]));
/// assert_eq!(view.ranges.as_bytes().map(<[u8]>::len), Some(8));
/// assert_eq!(view.ranges.to_vec(), scan.ranges);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SeqRef<'a, T> {
    first: Place<'a>,
    len: usize,
    items: PhantomData<fn() -> T>,
}

impl<'a, T: Field> SeqRef<'a, T> {
    /// Checks and passes over `count` items, a number that was compared with what is left: as [`Field::decode_vec`].
    pub(crate) fn take(decoder: &mut Decoder<'a>, count: usize) -> Result<Self, DecodeError> {
        let first = decoder.place();
        if decoder.plain::<T>(count)?.is_some() {
            return Ok(Self::new(first, count));
        }
        decoder.claim::<T>(count)?;
        Self::take_with(decoder, count, |decoder| T::view(decoder).map(drop))
    }

    /// As [`take`](Self::take), for an array type of `count` items: nothing was compared yet.
    pub(crate) fn take_array(decoder: &mut Decoder<'a>, count: usize) -> Result<Self, DecodeError> {
        let first = decoder.place();
        if decoder.plain::<T>(count)?.is_some() {
            return Ok(Self::new(first, count));
        }
        decoder.at_least(count * T::MIN_LEN)?;
        Self::take_with(decoder, count, |decoder| T::view(decoder).map(drop))
    }

    /// Checks and passes over `count` items by `take_one`.
    pub(crate) fn take_with(
        decoder: &mut Decoder<'a>,
        count: usize,
        take_one: impl Fn(&mut Decoder<'a>) -> Result<(), DecodeError>,
    ) -> Result<Self, DecodeError> {
        let first = decoder.place();
        for index in 0..count {
            take_one(decoder).map_err(|error| error.in_index(index))?;
        }
        Ok(Self::new(first, count))
    }

    fn new(first: Place<'a>, len: usize) -> Self {
        Self {
            first,
            len,
            items: PhantomData,
        }
    }

    /// The bounds that an attribute sets to each item.
    pub(crate) fn check_items(self, bounds: &Bounds) -> Result<(), BoundError> {
        self.iter()
            .try_for_each(|item| T::check_view_bounds(item, bounds))
    }

    /// Number of items.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no item.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The item at `index`. Takes constant time if all items are of one length, as numbers, arrays of numbers and messages
    /// of these are; else time for each item before, and [`iter`](Self::iter) is the way through all.
    #[inline]
    pub fn get(&self, index: usize) -> Option<T::Ref<'a>> {
        if index >= self.len {
            return None;
        }
        let mut decoder = Decoder::again(self.first);
        let mut left = index;
        if T::FIXED_LEN && left > 1 {
            // Where the first item starts decides its padding. The others all start alike, after an item that has brought
            // the position to its largest alignment; so from the second on, one is as long as the next.
            checked(T::view(&mut decoder));
            let second = decoder.place();
            checked(T::view(&mut decoder));
            decoder.pass((left - 2) * decoder.since(second));
            left = 0;
        }
        for _ in 0..left {
            checked(T::view(&mut decoder));
        }
        Some(checked(T::view(&mut decoder)))
    }

    /// The items, one after the other.
    #[inline]
    pub fn iter(&self) -> SeqIter<'a, T> {
        SeqIter { rest: *self }
    }

    /// The items as a slice of the message's bytes: `Some` for numbers and for `#[repr(C)]` messages whose memory is their
    /// encoding, if they are aligned in memory and in native byte order (little endian nearly everywhere).
    #[inline]
    pub fn as_slice(&self) -> Option<&'a [T]> {
        T::PLAIN.cast(self.as_bytes()?)
    }

    /// The encoding of the items, if their memory is their encoding (see [`as_slice`](Self::as_slice)) and it is in native
    /// byte order; aligned or not. Always `Some` for `u8` and `i8`.
    #[inline]
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        if self.len == 0 && T::PLAIN.get() {
            return Some(&[]);
        }
        checked(Decoder::again(self.first).plain::<T>(self.len))
    }

    /// The items as a vector of their own.
    pub fn to_vec(&self) -> Vec<T> {
        checked(T::decode_vec(&mut Decoder::again(self.first), self.len))
    }
}

impl<T: Element + Field> SeqRef<'_, T> {
    /// Copies the numbers, wherever they lie and in whatever byte order.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn copy_to_slice(&self, out: &mut [T]) {
        assert!(
            out.len() == self.len,
            "a slice of {} items cannot take {}",
            out.len(),
            self.len
        );
        if let Some(bytes) = self.as_bytes()
            && let Some(out) = <T as Element>::PLAIN.bytes_mut(out)
        {
            out.copy_from_slice(bytes);
            return;
        }
        let mut decoder = Decoder::again(self.first);
        out.fill_with(|| checked(decoder.number()));
    }
}

impl<T> Clone for SeqRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SeqRef<'_, T> {}

impl<T: Field> fmt::Debug for SeqRef<'_, T> {
    /// Prints all items, but of more than 64 numbers (or messages that are plain memory) the first eight and their count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.len <= PRINTED_WHOLE || !T::PLAIN.get() {
            return f.debug_list().entries(self).finish();
        }
        let first = self.iter().take(PRINTED_FIRST);
        f.debug_list().entries(first).finish()?;
        write!(f, "… {} items", self.len)
    }
}

/// The items of a [`SeqRef`].
pub struct SeqIter<'a, T> {
    rest: SeqRef<'a, T>,
}

impl<T> Clone for SeqIter<'_, T> {
    fn clone(&self) -> Self {
        Self { rest: self.rest }
    }
}

impl<T: Field> fmt::Debug for SeqIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SeqIter").field(&self.rest).finish()
    }
}

impl<'a, T: Field> Iterator for SeqIter<'a, T> {
    type Item = T::Ref<'a>;

    #[inline]
    fn next(&mut self) -> Option<T::Ref<'a>> {
        self.rest.len = self.rest.len.checked_sub(1)?;
        let mut decoder = Decoder::again(self.rest.first);
        let item = checked(T::view(&mut decoder));
        self.rest.first = decoder.place();
        Some(item)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rest.len, Some(self.rest.len))
    }
}

impl<T: Field> ExactSizeIterator for SeqIter<'_, T> {}
impl<T: Field> FusedIterator for SeqIter<'_, T> {}

impl<'a, T: Field> IntoIterator for SeqRef<'a, T> {
    type Item = T::Ref<'a>;
    type IntoIter = SeqIter<'a, T>;
    #[inline]
    fn into_iter(self) -> SeqIter<'a, T> {
        self.iter()
    }
}

impl<'a, T: Field> IntoIterator for &SeqRef<'a, T> {
    type Item = T::Ref<'a>;
    type IntoIter = SeqIter<'a, T>;
    #[inline]
    fn into_iter(self) -> SeqIter<'a, T> {
        self.iter()
    }
}

impl<'a, 'b, T: Field> PartialEq<SeqRef<'b, T>> for SeqRef<'a, T>
where
    T::Ref<'a>: PartialEq<T::Ref<'b>>,
{
    fn eq(&self, other: &SeqRef<'b, T>) -> bool {
        self.iter().eq(other.iter())
    }
}

macro_rules! equal_to_items {
    ($($other:ty $(, $N:ident)?;)*) => {$(
        impl<'a, T: Field, U $(, const $N: usize)?> PartialEq<$other> for SeqRef<'a, T>
        where
            T::Ref<'a>: PartialEq<U>,
        {
            fn eq(&self, other: &$other) -> bool {
                self.len == other.len() && self.iter().zip(other.iter()).all(|(a, b)| a == *b)
            }
        }
    )*};
}

equal_to_items! {
    [U];
    &[U];
    [U; N], N;
    Vec<U>;
}
