//! `tensor_msgs/ExperimentalTensor`: what the derive implements for any struct of that name, and what it can do then.

use super::dtype::DType;
use super::elements::ElementsMut;
use super::error::TensorError;
use super::scalar::{self, TensorElement};
use super::shape::{Layout, Steps};
use super::view::TensorView;
use crate::buffer::Buffer;
use crate::message::Message;

/// `tensor_msgs/msg/ExperimentalTensor`, whose struct may come from any crate.
///
/// # Example
/// ```
/// use rosidl_buffer_runtime::tensor::{DType, TensorMessage};
/// use rosidl_buffer_runtime::{Buffer, BufferMessage};
///
/// #[derive(Clone, BufferMessage)]
/// #[ros2(package = "tensor_msgs")]
/// struct ExperimentalTensor {
///     dtype_code: u8,
///     dtype_bits: u8,
///     dtype_lanes: u16,
///     shape: Vec<i64>,
///     strides: Vec<i64>,
///     byte_offset: u64,
///     data: Buffer<u8>,
/// }
///
/// let message = ExperimentalTensor::from_vec([2, 3], vec![0.0_f32, 0.1, 0.2, 1.0, 1.1, 1.2])?;
/// let tensor = message.tensor()?;
/// assert_eq!((tensor.dtype(), tensor.shape()), (DType::F32, &[2, 3][..]));
/// assert_eq!(tensor.elements::<f32>()?.get([1, 2]), Some(1.2));
/// assert_eq!(tensor.as_slice::<f32>()?[3], 1.0);
/// assert!(tensor.as_slice::<i32>().is_err());
/// # Ok::<(), rosidl_buffer_runtime::tensor::TensorError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `tensor_msgs/msg/ExperimentalTensor`",
    note = "it has the fields `dtype_code: u8`, `dtype_bits: u8`, `dtype_lanes: u16`, `shape: Vec<i64>`, `strides: Vec<i64>`, `byte_offset: u64` and `data: Buffer<u8>`"
)]
pub trait TensorMessage: Message {
    /// From the fields as they are, unchecked. Empty strides stand for row-major.
    #[must_use]
    fn from_parts(
        dtype: DType,
        shape: Vec<i64>,
        strides: Vec<i64>,
        byte_offset: u64,
        data: Buffer<u8>,
    ) -> Self;

    /// The fields as they are, unchecked.
    fn parts(&self) -> (Layout<'_>, &Buffer<u8>);

    /// The fields as they are, with data that may be changed.
    fn parts_mut(&mut self) -> (Layout<'_>, &mut Buffer<u8>);

    /// The tensor, checked.
    ///
    /// # Errors
    /// As [`Layout::validate`].
    fn tensor(&self) -> Result<TensorView<'_>, TensorError> {
        let (layout, data) = self.parts();
        TensorView::new(layout, data)
    }

    /// The elements, to be changed in place.
    ///
    /// # Errors
    /// As for [`tensor`](Self::tensor), when the elements are of another type, and [`TensorError::NotWritable`] while others share the
    /// data, or when it is not a vector of bytes.
    fn elements_mut<T: TensorElement>(&mut self) -> Result<ElementsMut<'_, T>, TensorError> {
        let (layout, data) = self.parts_mut();
        let view = TensorView::new(layout, data)?;
        view.require::<T>()?;
        let range = view.byte_range();
        let steps = Steps {
            shape: layout.shape,
            strides: layout.strides,
            unit: size_of::<T>(),
            item: size_of::<T>(),
        };
        let bytes = data.as_mut_slice().and_then(|bytes| bytes.get_mut(range));
        Ok(ElementsMut::new(
            steps,
            bytes.ok_or(TensorError::NotWritable)?,
        ))
    }

    /// A row-major tensor in memory that is there already, wherever it is.
    ///
    /// # Errors
    /// When the data is too short for the shape.
    fn from_buffer(
        dtype: DType,
        shape: impl Into<Vec<i64>>,
        data: Buffer<u8>,
    ) -> Result<Self, TensorError> {
        let message = Self::from_parts(dtype, shape.into(), Vec::new(), 0, data);
        message.tensor()?;
        Ok(message)
    }

    /// A row-major tensor of these elements, whose memory is moved in. The data of any but a `Vec<u8>` cannot be changed in place
    /// afterwards.
    ///
    /// # Errors
    /// When there are fewer elements than the shape says.
    fn from_vec<T: TensorElement>(
        shape: impl Into<Vec<i64>>,
        elements: Vec<T>,
    ) -> Result<Self, TensorError> {
        Self::from_buffer(T::DTYPE, shape, scalar::into_buffer(elements))
    }

    /// A row-major tensor of zeros in host memory, to be filled in place.
    ///
    /// # Errors
    /// When the type has no size, a dimension is negative, or there is not that much memory.
    fn zeros(dtype: DType, shape: impl Into<Vec<i64>>) -> Result<Self, TensorError> {
        let shape = shape.into();
        let layout = Layout {
            dtype,
            shape: &shape,
            strides: &[],
            byte_offset: 0,
        };
        let bytes = layout.validate(usize::MAX)?.byte_range().end;
        let mut data = Vec::new();
        data.try_reserve_exact(bytes)
            .map_err(|_| TensorError::TooLarge)?;
        data.resize(bytes, 0);
        Ok(Self::from_parts(dtype, shape, Vec::new(), 0, data.into()))
    }
}
