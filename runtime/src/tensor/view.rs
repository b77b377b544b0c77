//! [`TensorView`]: a checked layout, and the buffer that it was checked for.

use super::dtype::DType;
use super::elements::Elements;
use super::error::TensorError;
use super::scalar::TensorElement;
use super::shape::{Extent, Layout, Steps};
use crate::buffer::Buffer;

/// A tensor in the bytes of a message, wherever they are: what it says fits the data.
///
/// Type and shape are there for any memory, the elements for memory that the host reads in place; whoever reads them on a device
/// takes the [`buffer`](Self::buffer) and its [`byte_range`](Self::byte_range).
#[derive(Debug, Clone, Copy)]
pub struct TensorView<'a> {
    dtype: DType,
    steps: Steps<'a>,
    extent: Extent,
    data: &'a Buffer<u8>,
    is_swapped: bool,
}

impl<'a> TensorView<'a> {
    /// A tensor in `data`, with strides in elements.
    ///
    /// # Errors
    /// As [`Layout::validate`].
    pub fn new(layout: Layout<'a>, data: &'a Buffer<u8>) -> Result<Self, TensorError> {
        let unit = layout.dtype.item_size()?;
        Self::with_unit(layout, unit, false, data)
    }

    /// With strides in units of `unit` bytes, and elements that may be in the other byte order.
    pub(super) fn with_unit(
        layout: Layout<'a>,
        unit: usize,
        is_swapped: bool,
        data: &'a Buffer<u8>,
    ) -> Result<Self, TensorError> {
        let extent = layout.measure(unit, data.len())?;
        Ok(Self {
            dtype: layout.dtype,
            steps: Steps {
                shape: layout.shape,
                strides: layout.strides,
                unit,
                item: extent.item,
            },
            extent,
            data,
            is_swapped: is_swapped && extent.item > 1,
        })
    }

    /// Type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Elements in each dimension, none of them negative; empty for a single element.
    pub fn shape(&self) -> &'a [i64] {
        self.steps.shape
    }

    /// Number of elements. Where dimensions repeat, these may be far more than the data has bytes.
    pub fn len(&self) -> usize {
        self.extent.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.extent.is_empty()
    }

    /// Bytes from one index to the next in a dimension; `None` for a dimension that is not there.
    pub fn byte_stride(&self, axis: usize) -> Option<usize> {
        self.steps.stride(axis)
    }

    /// As [`byte_stride`](Self::byte_stride), in elements, as DLPack counts; `None` also where a step is no whole number of them.
    pub fn stride(&self, axis: usize) -> Option<usize> {
        let bytes = self.byte_stride(axis)?;
        let item = self.extent.item;
        bytes.is_multiple_of(item).then(|| bytes / item)
    }

    /// Whether the elements lie next to each other in row-major order.
    pub fn is_contiguous(&self) -> bool {
        self.steps.is_contiguous()
    }

    /// Whether the elements are in this machine's byte order.
    pub fn is_native_order(&self) -> bool {
        !self.is_swapped
    }

    /// The data that the tensor is a part of.
    pub fn buffer(&self) -> &'a Buffer<u8> {
        self.data
    }

    /// The part of the data from the first element to the end of the last.
    pub fn byte_range(&self) -> core::ops::Range<usize> {
        self.extent.byte_range()
    }

    /// The bytes from the first element to the end of the last, with what lies between them; `None` if the host cannot read
    /// them in place.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        self.data.as_slice()?.get(self.byte_range())
    }

    /// The same bytes as elements of another type of the same size.
    ///
    /// # Errors
    /// [`TensorError::OtherType`] when the sizes differ, and when the type has none.
    pub fn reinterpret(self, dtype: DType) -> Result<Self, TensorError> {
        if dtype.item_size()? != self.extent.item {
            return Err(TensorError::OtherType {
                is: self.dtype,
                asked: dtype,
            });
        }
        Ok(Self { dtype, ..self })
    }

    /// The elements, to be read one by one.
    ///
    /// # Errors
    /// When they are of another type, or not in memory that the host reads in place.
    pub fn elements<T: TensorElement>(&self) -> Result<Elements<'a, T>, TensorError> {
        self.require::<T>()?;
        let bytes = self
            .bytes()
            .ok_or_else(|| TensorError::NotOnHost(self.data.backend_type().to_owned()))?;
        Ok(Elements::new(
            self.steps,
            self.len(),
            bytes,
            self.is_swapped,
        ))
    }

    /// The elements in place.
    ///
    /// # Errors
    /// As [`elements`](Self::elements), and when they do not lie next to each other, are not aligned or are in the other byte order.
    pub fn as_slice<T: TensorElement>(&self) -> Result<&'a [T], TensorError> {
        self.elements::<T>()?.as_slice()
    }

    pub(super) fn require<T: TensorElement>(&self) -> Result<(), TensorError> {
        if self.dtype == T::DTYPE {
            Ok(())
        } else {
            Err(TensorError::OtherType {
                is: self.dtype,
                asked: T::DTYPE,
            })
        }
    }
}
