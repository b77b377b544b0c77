//! Elements of a known type on the host: by index, one after the other, or as a slice.
//!
//! They are copied out one by one, so that neither alignment nor byte order matters; a slice is there when both fit.

use core::fmt;
use core::marker::PhantomData;

use super::error::TensorError;
use super::scalar::TensorElement;
use super::shape::Steps;

/// The elements of a tensor in host memory.
///
/// ```
/// use rosidl_buffer_runtime::tensor::{DType, Layout, TensorView};
/// use rosidl_buffer_runtime::Buffer;
///
/// let data = Buffer::from(vec![0_u8, 1, 2, 3, 4, 5]);
/// let transposed = Layout { dtype: DType::U8, shape: &[3, 2], strides: &[1, 3], byte_offset: 0 };
/// let view = TensorView::new(transposed, &data)?;
/// let elements = view.elements::<u8>()?;
/// assert_eq!(elements.get([2, 1]), Some(5));
/// assert_eq!(elements.get([3, 0]), None);
/// assert!(elements.iter().eq([0, 3, 1, 4, 2, 5]));
/// assert!(elements.as_slice().is_err()); // in another order than in memory
/// # Ok::<(), rosidl_buffer_runtime::tensor::TensorError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Elements<'a, T> {
    steps: Steps<'a>,
    len: usize,
    /// From the first element to the end of the last.
    bytes: &'a [u8],
    is_swapped: bool,
    of: PhantomData<T>,
}

impl<'a, T: TensorElement> Elements<'a, T> {
    /// `bytes` are what was measured for `steps`, and elements have the size of a `T`.
    pub(super) fn new(steps: Steps<'a>, len: usize, bytes: &'a [u8], is_swapped: bool) -> Self {
        Self {
            steps,
            len,
            bytes,
            is_swapped,
            of: PhantomData,
        }
    }

    /// Number of elements. Where dimensions repeat, these may be far more than the data has bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Elements in each dimension.
    pub fn shape(&self) -> &'a [i64] {
        self.steps.shape
    }

    /// The element at an index for each dimension; `None` if there is none.
    pub fn get(&self, index: impl AsRef<[usize]>) -> Option<T> {
        self.read(self.steps.offset(index.as_ref())?)
    }

    fn read(&self, offset: usize) -> Option<T> {
        let bytes = self.bytes.get(offset..)?.get(..size_of::<T>())?;
        let value = T::PLAIN.value(bytes)?;
        Some(if self.is_swapped {
            value.swap_bytes()
        } else {
            value
        })
    }

    /// All elements in row-major order: the last index runs fastest.
    pub fn iter(&self) -> Iter<'a, T> {
        let (run, step) = self.steps.run(self.len);
        Iter {
            elements: *self,
            next: 0,
            offset: 0,
            run,
            left: 0,
            step,
        }
    }

    /// The elements in place.
    ///
    /// # Errors
    /// When they do not lie next to each other, are not aligned or are in the other byte order.
    pub fn as_slice(&self) -> Result<&'a [T], TensorError> {
        if !self.steps.is_contiguous() {
            return Err(TensorError::Strided);
        }
        if self.is_swapped {
            return Err(TensorError::ByteOrder);
        }
        if self.bytes.is_empty() {
            return Ok(&[]);
        }
        T::PLAIN
            .cast(self.bytes)
            .ok_or(TensorError::Unaligned(T::DTYPE))
    }

    /// A copy of the elements in row-major order.
    ///
    /// # Errors
    /// [`TensorError::Repeated`] when the elements are more than the data could hold side by side: a few bytes of a message
    /// must not take all memory.
    pub fn to_vec(&self) -> Result<Vec<T>, TensorError> {
        if let Ok(slice) = self.as_slice() {
            return Ok(slice.to_vec());
        }
        if self.len > self.bytes.len() / size_of::<T>() {
            return Err(TensorError::Repeated {
                elements: self.len,
                bytes: self.bytes.len(),
            });
        }
        let mut vec = Vec::with_capacity(self.len);
        vec.extend(self.iter());
        Ok(vec)
    }
}

impl<T> fmt::Debug for Elements<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Elements({:?})", self.steps.shape)
    }
}

impl<'a, T: TensorElement> IntoIterator for &Elements<'a, T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// The elements of a tensor in row-major order.
#[derive(Debug, Clone)]
pub struct Iter<'a, T> {
    elements: Elements<'a, T>,
    /// Number of the next element.
    next: usize,
    /// Where it starts, if it is not the first of a run.
    offset: usize,
    /// Elements at a fixed distance, and how many of them are left.
    run: usize,
    left: usize,
    step: usize,
}

impl<T: TensorElement> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.next >= self.elements.len {
            return None;
        }
        if self.left == 0 {
            self.offset = self.elements.steps.offset_of(self.next);
            self.left = self.run;
        }
        let value = self.elements.read(self.offset)?;
        self.offset = self.offset.wrapping_add(self.step); // past the end behind the last one
        self.left -= 1;
        self.next += 1;
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.elements.len - self.next;
        (left, Some(left))
    }

    fn nth(&mut self, count: usize) -> Option<T> {
        self.next = self.next.saturating_add(count).min(self.elements.len);
        self.left = match self.next.checked_rem(self.run) {
            // In the middle of a run.
            Some(at) if at > 0 && self.next < self.elements.len => {
                self.offset = self.elements.steps.offset_of(self.next);
                self.run - at
            }
            _ => 0,
        };
        self.next()
    }
}

impl<T: TensorElement> ExactSizeIterator for Iter<'_, T> {}
impl<T: TensorElement> core::iter::FusedIterator for Iter<'_, T> {}

/// The elements of a tensor that nobody else sees, to be changed in place.
pub struct ElementsMut<'a, T> {
    steps: Steps<'a>,
    bytes: &'a mut [u8],
    of: PhantomData<T>,
}

impl<'a, T: TensorElement> ElementsMut<'a, T> {
    /// As [`Elements::new`].
    pub(super) fn new(steps: Steps<'a>, bytes: &'a mut [u8]) -> Self {
        Self {
            steps,
            bytes,
            of: PhantomData,
        }
    }

    /// Changes the element at an index for each dimension, and gives what was there; `None`, and nothing changed, if there is none.
    pub fn set(&mut self, index: impl AsRef<[usize]>, value: T) -> Option<T> {
        let offset = self.steps.offset(index.as_ref())?;
        let place = self.bytes.get_mut(offset..)?.get_mut(..size_of::<T>())?;
        let before = T::PLAIN.value(place)?;
        place.copy_from_slice(T::PLAIN.bytes(core::slice::from_ref(&value))?);
        Some(before)
    }

    /// The elements in place.
    ///
    /// # Errors
    /// When they do not lie next to each other or are not aligned.
    pub fn as_mut_slice(&mut self) -> Result<&mut [T], TensorError> {
        if !self.steps.is_contiguous() {
            return Err(TensorError::Strided);
        }
        if self.bytes.is_empty() {
            return Ok(&mut []);
        }
        T::PLAIN
            .cast_mut(self.bytes)
            .ok_or(TensorError::Unaligned(T::DTYPE))
    }
}

impl<T> fmt::Debug for ElementsMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ElementsMut({:?})", self.steps.shape)
    }
}
