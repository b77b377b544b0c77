//! Sequences, strings and buffers that cannot outgrow the bound of their interface.
//!
//! Each wraps the unbounded type, derefs to its slice or `str`, and checks wherever it could grow. Bounds of strings
//! count Unicode code points, as ROS 2's own interface compiler and Python classes count them.

use core::fmt;
use core::ops::{Deref, DerefMut};
use core::str::FromStr;

use crate::buffer::Buffer;
use crate::element::Element;
use crate::error::{BoundError, BufferError};
use crate::wstring::WString;

pub(crate) const fn check(what: &'static str, len: usize, bound: usize) -> Result<(), BoundError> {
    if len <= bound {
        Ok(())
    } else {
        Err(BoundError { what, len, bound })
    }
}

pub(crate) fn check_str(text: &str, bound: usize) -> Result<(), BoundError> {
    // A code point takes at least one byte, so short strings need no count.
    if text.len() <= bound {
        Ok(())
    } else {
        check("string", text.chars().count(), bound)
    }
}

/// `T[<=N]`: at most `N` elements.
///
/// ```
/// use rosidl_buffer_runtime::BoundedSequence;
///
/// let mut ranges = BoundedSequence::<f32, 3>::try_from(vec![1.0, 2.0])?;
/// ranges.push(3.0)?;
/// assert_eq!(ranges.push(4.0).unwrap_err().to_string(), "sequence of length 4 exceeds the bound 3");
/// # Ok::<(), rosidl_buffer_runtime::BoundError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoundedSequence<T, const N: usize>(Vec<T>);

impl<T, const N: usize> BoundedSequence<T, N> {
    /// An empty sequence; allocates nothing.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends an element.
    ///
    /// # Errors
    /// When the sequence holds `N` elements already.
    pub fn push(&mut self, item: T) -> Result<(), BoundError> {
        check("sequence", self.0.len() + 1, N)?;
        self.0.push(item);
        Ok(())
    }

    /// Appends all elements, or none.
    ///
    /// # Errors
    /// When the sequence would hold more than `N` elements.
    pub fn try_extend(&mut self, items: impl IntoIterator<Item = T>) -> Result<(), BoundError> {
        let before = self.0.len();
        // One more than fits is enough to know; an endless iterator ends here.
        self.0.extend(
            items
                .into_iter()
                .take(N.saturating_sub(before).saturating_add(1)),
        );
        check("sequence", self.0.len(), N).inspect_err(|_| self.0.truncate(before))
    }

    /// Removes the last element.
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    /// Removes all elements.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The elements as a vector.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const N: usize> Default for BoundedSequence<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug, const N: usize> fmt::Debug for BoundedSequence<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T, const N: usize> Deref for BoundedSequence<T, N> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const N: usize> DerefMut for BoundedSequence<T, N> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T, const N: usize> TryFrom<Vec<T>> for BoundedSequence<T, N> {
    type Error = BoundError;
    fn try_from(items: Vec<T>) -> Result<Self, BoundError> {
        check("sequence", items.len(), N)?;
        Ok(Self(items))
    }
}

impl<T, const N: usize> From<BoundedSequence<T, N>> for Vec<T> {
    fn from(items: BoundedSequence<T, N>) -> Self {
        items.0
    }
}

impl<T, const N: usize> IntoIterator for BoundedSequence<T, N> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T, const N: usize> IntoIterator for &'a BoundedSequence<T, N> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// `string<=N`: at most `N` Unicode code points.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoundedString<const N: usize>(String);

impl<const N: usize> BoundedString<N> {
    /// An empty string; allocates nothing.
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// Appends `text`.
    ///
    /// # Errors
    /// When the string would hold more than `N` code points; it is unchanged then.
    pub fn push_str(&mut self, text: &str) -> Result<(), BoundError> {
        let before = self.0.len();
        self.0.push_str(text);
        check_str(&self.0, N).inspect_err(|_| self.0.truncate(before))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as an ordinary string.
    pub fn into_string(self) -> String {
        self.0
    }

    pub(crate) fn inner(&self) -> &String {
        &self.0
    }
}

impl<const N: usize> fmt::Debug for BoundedString<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const N: usize> fmt::Display for BoundedString<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const N: usize> Deref for BoundedString<N> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const N: usize> TryFrom<String> for BoundedString<N> {
    type Error = BoundError;
    fn try_from(text: String) -> Result<Self, BoundError> {
        check_str(&text, N)?;
        Ok(Self(text))
    }
}

impl<const N: usize> TryFrom<&str> for BoundedString<N> {
    type Error = BoundError;
    fn try_from(text: &str) -> Result<Self, BoundError> {
        Self::try_from(text.to_owned())
    }
}

impl<const N: usize> FromStr for BoundedString<N> {
    type Err = BoundError;
    fn from_str(text: &str) -> Result<Self, BoundError> {
        Self::try_from(text)
    }
}

impl<const N: usize> PartialEq<str> for BoundedString<N> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl<const N: usize> PartialEq<&str> for BoundedString<N> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// `wstring<=N`: at most `N` Unicode code points.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoundedWString<const N: usize>(WString);

impl<const N: usize> fmt::Debug for BoundedWString<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const N: usize> fmt::Display for BoundedWString<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const N: usize> BoundedWString<N> {
    /// The string as an ordinary wide string.
    pub fn into_wstring(self) -> WString {
        self.0
    }

    pub(crate) fn inner(&self) -> &WString {
        &self.0
    }
}

impl<const N: usize> Deref for BoundedWString<N> {
    type Target = WString;
    fn deref(&self) -> &WString {
        &self.0
    }
}

impl<const N: usize> TryFrom<WString> for BoundedWString<N> {
    type Error = BoundError;
    fn try_from(text: WString) -> Result<Self, BoundError> {
        check("wstring", text.code_points(), N)?;
        Ok(Self(text))
    }
}

impl<const N: usize> TryFrom<&str> for BoundedWString<N> {
    type Error = BoundError;
    fn try_from(text: &str) -> Result<Self, BoundError> {
        Self::try_from(WString::from(text))
    }
}

/// `T[<=N]` as a [`Buffer`]: at most `N` elements, in any memory.
#[derive(Clone, PartialEq)]
pub struct BoundedBuffer<T: Element, const N: usize>(Buffer<T>);

impl<T: Element, const N: usize> BoundedBuffer<T, N> {
    /// An empty buffer; allocates nothing.
    pub const fn new() -> Self {
        Self(Buffer::new())
    }

    /// The elements in place, writable; `None` if they are shared or not a vector of this process.
    pub fn as_mut_slice(&mut self) -> Option<&mut [T]> {
        self.0.as_mut_slice()
    }

    /// The elements, writable; copies them first if they are shared or elsewhere.
    ///
    /// # Errors
    /// When the backend's memory cannot be read.
    pub fn make_mut(&mut self) -> Result<&mut [T], BufferError> {
        self.0.make_mut().map(Vec::as_mut_slice)
    }

    /// The buffer without its bound.
    pub fn into_buffer(self) -> Buffer<T> {
        self.0
    }

    pub(crate) fn inner_mut(&mut self) -> &mut Buffer<T> {
        &mut self.0
    }
}

impl<T: Element, const N: usize> Default for BoundedBuffer<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Element, const N: usize> fmt::Debug for BoundedBuffer<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Element, const N: usize> Deref for BoundedBuffer<T, N> {
    type Target = Buffer<T>;
    fn deref(&self) -> &Buffer<T> {
        &self.0
    }
}

impl<T: Element, const N: usize> TryFrom<Buffer<T>> for BoundedBuffer<T, N> {
    type Error = BoundError;
    fn try_from(buffer: Buffer<T>) -> Result<Self, BoundError> {
        check("sequence", buffer.len(), N)?;
        Ok(Self(buffer))
    }
}

impl<T: Element, const N: usize> TryFrom<Vec<T>> for BoundedBuffer<T, N> {
    type Error = BoundError;
    fn try_from(items: Vec<T>) -> Result<Self, BoundError> {
        Self::try_from(Buffer::from(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_wherever_something_grows() {
        let mut seq = BoundedSequence::<u8, 2>::new();
        seq.try_extend([1]).unwrap();
        assert!(seq.try_extend(0..).is_err());
        assert_eq!(*seq, [1]);
        assert!(BoundedSequence::<u8, 2>::try_from(vec![1, 2, 3]).is_err());

        let mut text = BoundedString::<3>::try_from("päß").unwrap();
        assert_eq!(
            text.push_str("x").unwrap_err(),
            BoundError {
                what: "string",
                len: 4,
                bound: 3
            }
        );
        assert_eq!(text, "päß");
        assert!("abcd".parse::<BoundedString<3>>().is_err());

        assert!(
            BoundedWString::<1>::try_from("😀").is_ok(),
            "one code point, two code units"
        );
        assert!(BoundedWString::<1>::try_from("ab").is_err());
        assert!(BoundedBuffer::<u8, 2>::try_from(vec![0; 3]).is_err());
    }
}
