//! Tensors as views of `ndarray`. Shapes and strides are passed on; no element is copied.

use ndarray::{ArrayViewD, IxDyn, ShapeBuilder as _};

use super::error::TensorError;
use super::scalar::TensorElement;
use super::view::TensorView;

impl<'a> TensorView<'a> {
    /// The tensor as a view of `ndarray`, also where it is strided. Allocates for the shape when there are many dimensions.
    ///
    /// ```
    /// use rosidl_buffer_runtime::tensor::{DType, Layout, TensorView};
    /// use rosidl_buffer_runtime::Buffer;
    ///
    /// let data = Buffer::from(vec![0_u8, 1, 2, 3, 4, 5]);
    /// let transposed = Layout { dtype: DType::U8, shape: &[3, 2], strides: &[1, 3], byte_offset: 0 };
    /// let array = TensorView::new(transposed, &data)?.as_array::<u8>()?;
    /// assert_eq!(array, ndarray::array![[0, 3], [1, 4], [2, 5]].into_dyn());
    /// # Ok::<(), rosidl_buffer_runtime::tensor::TensorError>(())
    /// ```
    ///
    /// # Errors
    /// As [`elements`](Self::elements), and when the elements are not aligned, in the other byte order or no whole number of
    /// elements apart.
    pub fn as_array<T: TensorElement>(&self) -> Result<ArrayViewD<'a, T>, TensorError> {
        self.elements::<T>()?;
        if !self.is_native_order() {
            return Err(TensorError::ByteOrder);
        }
        let size = |&size: &i64| usize::try_from(size).map_err(|_| TensorError::TooLarge);
        let shape: Vec<usize> = self.shape().iter().map(size).collect::<Result<_, _>>()?;
        if self.is_empty() {
            return ArrayViewD::from_shape(IxDyn(&shape), &[]).map_err(|_| TensorError::TooLarge);
        }
        let strides = shape.iter().enumerate().map(|(axis, &size)| match size {
            1 => Ok(0), // no step is taken, however long it would be
            _ => self.stride(axis).ok_or(TensorError::Strided),
        });
        let strides: Vec<usize> = strides.collect::<Result<_, _>>()?;
        let bytes = self.bytes().and_then(|bytes| T::PLAIN.cast(bytes));
        let elements = bytes.ok_or(TensorError::Unaligned(T::DTYPE))?;
        ArrayViewD::from_shape(IxDyn(&shape).strides(IxDyn(&strides)), elements)
            .map_err(|_| TensorError::TooLarge)
    }
}
