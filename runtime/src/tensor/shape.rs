//! Shape, strides and offset, and the one check that stands between a stranger's numbers and memory.
//!
//! Numbers as they are in a message come in, an [`Extent`] goes out: how many elements there are, and which bytes they
//! may touch. Nothing here knows where the bytes are.

use super::dtype::DType;
use super::error::TensorError;

/// Where the elements of a tensor lie in its data: the numbers of `tensor_msgs/ExperimentalTensor`, not checked yet.
///
/// ```
/// use rosidl_buffer_runtime::tensor::{DType, Layout};
///
/// // Every other column of a matrix of three rows and eight columns, from the second on.
/// let layout = Layout { dtype: DType::F32, shape: &[3, 4], strides: &[8, 2], byte_offset: 4 };
/// let extent = layout.validate(3 * 8 * 4)?;
/// assert_eq!(extent.len(), 12);
/// assert_eq!(extent.byte_range(), 4..4 + (2 * 8 + 3 * 2 + 1) * 4);
/// assert!(layout.validate(80).is_err());
/// # Ok::<(), rosidl_buffer_runtime::tensor::TensorError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout<'a> {
    /// Type of the elements.
    pub dtype: DType,
    /// Elements in each dimension; none at all for a single element.
    pub shape: &'a [i64],
    /// Elements from one index to the next in each dimension, 0 where all are the same element; empty for row-major.
    pub strides: &'a [i64],
    /// Where in the data the first element starts, in bytes.
    pub byte_offset: u64,
}

/// What a checked tensor takes: elements, and the bytes from the first to the end of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub(super) item: usize,
    len: usize,
    start: usize,
    span: usize,
}

impl Extent {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of one element.
    pub fn item_size(&self) -> usize {
        self.item
    }

    /// The bytes of the data that hold all elements, and what lies between them.
    pub fn byte_range(&self) -> core::ops::Range<usize> {
        self.start..self.start + self.span
    }
}

impl Layout<'_> {
    /// Checks everything that an accessor relies on, for data of `available` bytes.
    ///
    /// # Errors
    /// When the type is not known, a number is negative, strides are missing, a calculation overflows or the data is too short.
    pub fn validate(&self, available: usize) -> Result<Extent, TensorError> {
        self.measure(self.dtype.item_size()?, available)
    }

    /// As [`validate`](Self::validate), with strides in units of `unit` bytes.
    pub(super) fn measure(&self, unit: usize, available: usize) -> Result<Extent, TensorError> {
        let item = self.dtype.item_size()?;
        let (shape, strides) = (self.shape, self.strides);
        if !strides.is_empty() && strides.len() != shape.len() {
            return Err(TensorError::Strides {
                strides: strides.len(),
                rank: shape.len(),
            });
        }
        if let Some(axis) = shape.iter().position(|&size| size < 0) {
            let size = shape[axis];
            return Err(TensorError::NegativeDimension { axis, size });
        }
        if let Some(axis) = strides.iter().position(|&stride| stride < 0) {
            let stride = strides[axis];
            return Err(TensorError::NegativeStride { axis, stride });
        }
        let (len, span) = if shape.contains(&0) {
            (0, 0)
        } else {
            count(shape, strides, unit, item).ok_or(TensorError::TooLarge)?
        };
        if available == 0 && len > 0 {
            return Err(TensorError::Empty);
        }
        let start = self.byte_offset;
        let needed = u64::try_from(span).ok();
        let needed = needed.and_then(|span| start.checked_add(span));
        let needed = needed.ok_or(TensorError::TooLarge)?;
        match (usize::try_from(start), usize::try_from(needed)) {
            (Ok(start), Ok(end)) if end <= available => Ok(Extent {
                item,
                len,
                start,
                span,
            }),
            _ => Err(TensorError::TooShort { needed, available }),
        }
    }
}

/// Elements, and bytes from the first to the end of the last, where no dimension is zero. All elements side by side would
/// fit into memory, so that whoever multiplies them with their size later cannot overflow.
fn count(shape: &[i64], strides: &[i64], unit: usize, item: usize) -> Option<(usize, usize)> {
    let mut len = 1_usize;
    for &size in shape {
        len = len.checked_mul(usize::try_from(size).ok()?)?;
    }
    let compact = len
        .checked_mul(item)
        .filter(|&bytes| isize::try_from(bytes).is_ok())?;
    if strides.is_empty() {
        return Some((len, compact));
    }
    let mut last = 0_usize;
    for (&size, &stride) in shape.iter().zip(strides) {
        let steps = usize::try_from(size - 1).ok()?;
        if steps > 0 {
            let bytes = usize::try_from(stride).ok()?.checked_mul(unit)?;
            last = last.checked_add(steps.checked_mul(bytes)?)?;
        }
    }
    Some((len, last.checked_add(item)?))
}

/// The way from an index to a byte, for a shape and strides that were checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps<'a> {
    pub(super) shape: &'a [i64],
    /// Empty for row-major.
    pub(super) strides: &'a [i64],
    /// Bytes that a stride of 1 means.
    pub(super) unit: usize,
    pub(super) item: usize,
}

/// A number that was seen to be in range.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn checked(number: i64) -> usize {
    number as usize
}

impl Steps<'_> {
    /// Bytes from the first element to the one at `index`; `None` if there is no such element.
    pub(super) fn offset(&self, index: &[usize]) -> Option<usize> {
        if index.len() != self.shape.len() {
            return None;
        }
        let inside = |(&at, &size): (&usize, &i64)| at < checked(size);
        if !index.iter().zip(self.shape).all(inside) {
            return None;
        }
        // No step overflows: the last element's offset was calculated the same way.
        Some(if self.strides.is_empty() {
            let row_major = index.iter().zip(self.shape);
            row_major.fold(0, |sum, (&at, &size)| sum * checked(size) + at) * self.item
        } else {
            let steps = index.iter().zip(self.strides);
            // The stride of a dimension of one element may be any number.
            let bytes = steps.filter(|&(&at, _)| at > 0);
            bytes
                .map(|(&at, &stride)| at * checked(stride) * self.unit)
                .sum()
        })
    }

    /// Bytes from the first element to the one that is number `position` in row-major order. There is such an element.
    pub(super) fn offset_of(&self, mut position: usize) -> usize {
        if self.strides.is_empty() {
            return position * self.item;
        }
        let mut offset = 0;
        for (&size, &stride) in self.shape.iter().zip(self.strides).rev() {
            let (rest, at) = (position / checked(size), position % checked(size));
            if at > 0 {
                offset += at * checked(stride) * self.unit;
            }
            position = rest;
        }
        offset
    }

    /// The elements that follow each other at a fixed distance: how many, and how many bytes apart.
    pub(super) fn run(&self, len: usize) -> (usize, usize) {
        match (self.shape.last(), self.strides.last()) {
            (Some(&1), Some(_)) => (1, self.item),
            (Some(&size), Some(&stride)) => {
                (checked(size), checked(stride).wrapping_mul(self.unit))
            } // wraps in tensors without elements only
            _ => (len, self.item),
        }
    }

    /// Whether all elements lie next to each other in row-major order.
    pub(super) fn is_contiguous(&self) -> bool {
        if self.strides.is_empty() || self.shape.contains(&0) {
            return true;
        }
        let mut expected = self.item;
        for (&size, &stride) in self.shape.iter().zip(self.strides).rev() {
            if size == 1 {
                continue;
            }
            if checked(stride) * self.unit != expected {
                return false;
            }
            expected *= checked(size);
        }
        true
    }

    /// Bytes from one index to the next in a dimension; `None` if there is no such dimension, or no step in it because a
    /// tensor without elements says a number that memory does not reach.
    pub(super) fn stride(&self, axis: usize) -> Option<usize> {
        if let Some(&stride) = self.strides.get(axis) {
            return usize::try_from(stride).ok()?.checked_mul(self.unit);
        }
        let inner = self.shape.get(axis + 1..)?;
        inner.iter().try_fold(self.item, |bytes, &size| {
            bytes.checked_mul(usize::try_from(size).ok()?)
        })
    }
}
