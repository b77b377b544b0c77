//! `sensor_msgs/PointCloud2` as tensors of rows, columns and values, a tensor per field, and as an iterator over points.
//!
//! The description of a point comes in; each field that is asked for is checked against the size of a point. Points are
//! copied out number by number: fields are often not aligned.

use core::marker::PhantomData;

use thiserror::Error;

use super::dtype::DType;
use super::error::TensorError;
use super::point_layout::PointLayout;
use super::points::Points;
use super::scalar::{TensorElement, into_buffer};
use super::shape::Layout;
use super::view::TensorView;
use crate::buffer::Buffer;
use crate::message::Message;

/// One field of a point, as it is in the message.
#[derive(Debug, Clone, Copy)]
pub struct PointFieldParts<'a> {
    /// Its name, such as `x`.
    pub name: &'a str,
    /// Bytes from the start of a point.
    pub offset: u32,
    /// What its numbers are: 1 to 8, as `sensor_msgs/PointField` has them.
    pub datatype: u8,
    /// How many numbers there are; 0 stands for 1, as in PCL.
    pub count: u32,
}

/// `sensor_msgs/msg/PointField`, whose struct may come from any crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `sensor_msgs/msg/PointField`",
    note = "it has the fields `name: String`, `offset: u32`, `datatype: u8` and `count: u32`"
)]
pub trait PointFieldMessage: Message {
    /// From the fields as they are, unchecked.
    #[must_use]
    fn from_parts(parts: PointFieldParts<'_>) -> Self;

    /// The fields as they are, unchecked.
    fn parts(&self) -> PointFieldParts<'_>;
}

/// The fields of a cloud that say where its points are, as they are in the message.
#[derive(Debug)]
pub struct CloudParts<'a, F> {
    /// Number of rows, 1 for points without order.
    pub height: u32,
    /// Points in a row.
    pub width: u32,
    /// What a point is made of.
    pub fields: &'a [F],
    /// Whether numbers have the most significant byte first.
    pub is_bigendian: bool,
    /// Bytes of a point.
    pub point_step: u32,
    /// Bytes from one row to the next.
    pub row_step: u32,
    /// The rows.
    pub data: &'a Buffer<u8>,
}

impl<F> Clone for CloudParts<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for CloudParts<'_, F> {}

/// `sensor_msgs/msg/PointCloud2`, whose struct may come from any crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `sensor_msgs/msg/PointCloud2`",
    note = "it has the fields `header`, `height: u32`, `width: u32`, `fields: Vec<PointField>`, `is_bigendian: bool`, `point_step: u32`, `row_step: u32`, `data: Buffer<u8>` and `is_dense: bool`"
)]
pub trait PointCloudMessage: Message {
    /// The type of `fields`.
    type Field: PointFieldMessage;

    /// The fields as they are, unchecked.
    fn parts(&self) -> CloudParts<'_, Self::Field>;

    /// Replaces all fields but the header, unchecked. The data is shared, not copied.
    fn set_parts(&mut self, parts: CloudParts<'_, Self::Field>, is_dense: bool);

    /// The points, checked.
    ///
    /// # Errors
    /// As [`CloudView::new`].
    fn cloud(&self) -> Result<CloudView<'_, Self::Field>, CloudError> {
        CloudView::new(self.parts())
    }

    /// Replaces all fields but the header: points row by row, without padding between rows. The data may be in memory of any
    /// backend and is moved in; its numbers are in this machine's order. `is_dense` says that no point is invalid, as one with a
    /// coordinate that is no number.
    ///
    /// # Errors
    /// When the data is shorter than the points, or a row longer than a message can say; the message is as it was then.
    fn fill_cloud(
        &mut self,
        layout: &PointLayout,
        height: u32,
        width: u32,
        data: impl Into<Buffer<u8>>,
        is_dense: bool,
    ) -> Result<(), CloudError> {
        let point_step = layout.point_step();
        let fields: Vec<_> = layout.fields().map(Self::Field::from_parts).collect();
        let parts = CloudParts {
            height,
            width,
            fields: &fields,
            is_bigendian: cfg!(target_endian = "big"),
            point_step,
            row_step: width.checked_mul(point_step).ok_or(CloudError::RowStep {
                width,
                point_step,
                row_step: u32::MAX,
            })?,
            data: &data.into(),
        };
        CloudView::new(parts)?;
        self.set_parts(parts, is_dense);
        Ok(())
    }

    /// As [`fill_cloud`](Self::fill_cloud): one row of points that are made of these fields only, whose memory is moved in.
    ///
    /// # Errors
    /// When ROS 2 has no number for the type, or there are more points than a message can say.
    fn fill_points<T: TensorElement, const N: usize>(
        &mut self,
        names: [&str; N],
        points: Vec<[T; N]>,
        is_dense: bool,
    ) -> Result<(), CloudError> {
        let layout = PointLayout::packed(&names.map(|name| (name, T::DTYPE)))?;
        let width = u32::try_from(points.len()).map_err(|_| CloudError::RowStep {
            width: u32::MAX,
            point_step: layout.point_step(),
            row_step: u32::MAX,
        })?;
        let data = into_buffer(points.into_flattened());
        self.fill_cloud(&layout, 1, width, data, is_dense)
    }
}

/// Why a cloud has no points to look at.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloudError {
    /// A row is longer than the distance to the next.
    #[error(
        "a row of {width} points of `point_step` {point_step} takes more than `row_step` {row_step}"
    )]
    RowStep {
        /// Points in a row.
        width: u32,
        /// Bytes of a point.
        point_step: u32,
        /// Bytes from one row to the next.
        row_step: u32,
    },
    /// The data ends before the last row.
    #[error("{height} rows of `row_step` {row_step} take more than the {available} bytes of data")]
    TooShort {
        /// Rows.
        height: u32,
        /// Bytes from one row to the next.
        row_step: u32,
        /// Bytes that are there.
        available: usize,
    },
    /// No field of that name.
    #[error("the points have no field `{0}`")]
    NoField(String),
    /// A number for the type that ROS 2 does not know.
    #[error("field `{field}` has datatype {datatype}; sensor_msgs/PointField has 1 to 8")]
    Datatype {
        /// Which field.
        field: String,
        /// What it says.
        datatype: u8,
    },
    /// A field that reaches into the next point.
    #[error("field `{field}` ends behind the point, whose `point_step` is {point_step}")]
    OutsidePoint {
        /// Which field.
        field: String,
        /// Bytes of a point.
        point_step: u32,
    },
    /// A type that fields cannot have.
    #[error(
        "field `{field}` cannot be {dtype}: sensor_msgs/PointField has integers of up to 32 bits, float32 and float64"
    )]
    NoDatatype {
        /// Which field.
        field: String,
        /// What was asked for.
        dtype: DType,
    },
    /// Two fields of one name.
    #[error("there is a field `{0}` already")]
    Twice(String),
    /// More points than there is memory.
    #[error("the data has room for {points} points, and there are more")]
    NoRoom {
        /// Points that have room.
        points: usize,
    },
    /// The numbers of a field are no tensor on this machine, or of another type.
    #[error("field `{field}`: {cause}")]
    Tensor {
        /// Which field.
        field: String,
        /// What is wrong.
        #[source]
        cause: TensorError,
    },
}

/// The points of a cloud, wherever they are: its rows fit the data. Fields are checked one by one, when they are asked for.
///
/// # Example
/// ```
/// use rosidl_buffer_runtime::{Buffer, BufferMessage};
/// use rosidl_buffer_runtime::tensor::{CloudParts, CloudView};
///
/// #[derive(Clone, BufferMessage)]
/// #[ros2(package = "sensor_msgs")]
/// struct PointField { name: String, offset: u32, datatype: u8, count: u32 }
///
/// let field = |name: &str, offset| PointField { name: name.to_owned(), offset, datatype: 7, count: 1 };
/// let fields = [field("x", 0), field("y", 4)];
/// let data: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
/// let data = Buffer::from(data);
/// // Two points. From a message it is `message.cloud()`.
/// let parts = CloudParts { height: 1, width: 2, fields: &fields, is_bigendian: false, point_step: 8, row_step: 16, data: &data };
/// let cloud = CloudView::new(parts)?;
/// assert!(cloud.points::<f32, 2>(["y", "x"])?.eq([[2.0, 1.0], [4.0, 3.0]]));
/// assert_eq!(cloud.field("x")?.tensor()?.shape(), [1, 2, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CloudView<'a, F> {
    parts: CloudParts<'a, F>,
}

impl<F> Clone for CloudView<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for CloudView<'_, F> {}

pub(super) fn dtype(datatype: u8) -> Option<DType> {
    Some(match datatype {
        1 => DType::I8,
        2 => DType::U8,
        3 => DType::I16,
        4 => DType::U16,
        5 => DType::I32,
        6 => DType::U32,
        7 => DType::F32,
        8 => DType::F64,
        _ => return None,
    })
}

/// A name for an error: a stranger's may be of any length.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}

impl<'a, F: PointFieldMessage> CloudView<'a, F> {
    /// Checks the rows of a cloud.
    ///
    /// # Errors
    /// When `row_step` is less than a row, or the data less than `row_step * height`.
    pub fn new(parts: CloudParts<'a, F>) -> Result<Self, CloudError> {
        let CloudParts {
            height,
            width,
            point_step,
            row_step,
            ..
        } = parts;
        if u64::from(width) * u64::from(point_step) > u64::from(row_step) {
            return Err(CloudError::RowStep {
                width,
                point_step,
                row_step,
            });
        }
        let available = parts.data.len();
        if u64::from(height) * u64::from(row_step) > available as u64 {
            return Err(CloudError::TooShort {
                height,
                row_step,
                available,
            });
        }
        Ok(Self { parts })
    }

    /// What a point is made of.
    pub fn fields(&self) -> impl Iterator<Item = PointFieldParts<'a>> + use<'a, F> {
        self.parts.fields.iter().map(PointFieldMessage::parts)
    }

    /// The numbers of one field; of several with the same name the first.
    ///
    /// # Errors
    /// When there is no such field, its type is not known, or it reaches into the next point.
    pub fn field(&self, name: &str) -> Result<FieldView<'a>, CloudError> {
        let CloudParts {
            height,
            width,
            point_step,
            row_step,
            ..
        } = self.parts;
        let found = self.fields().find(|field| field.name == name);
        let field = found.ok_or_else(|| CloudError::NoField(shown(name)))?;
        let datatype = field.datatype;
        let dtype = dtype(datatype).ok_or_else(|| CloudError::Datatype {
            field: shown(name),
            datatype,
        })?;
        let size = dtype.bits / 8;
        let count = field.count.max(1);
        if u64::from(field.offset) + u64::from(size) * u64::from(count) > u64::from(point_step) {
            return Err(CloudError::OutsidePoint {
                field: shown(name),
                point_step,
            });
        }
        let is_empty = height == 0 || width == 0;
        Ok(FieldView {
            dtype,
            shape: [height.into(), width.into(), count.into()],
            strides: [row_step.into(), point_step.into(), size.into()],
            // Where there is no point there may be no byte.
            start: if is_empty { 0 } else { field.offset.into() },
            is_swapped: is_swapped(self.parts.is_bigendian),
            data: self.parts.data,
        })
    }

    /// The points, row by row, with the first number of each of these fields, which are all of the same type.
    ///
    /// # Errors
    /// As [`field`](Self::field), and when a field is of another type or the host cannot read the data in place.
    pub fn points<T: TensorElement, const N: usize>(
        &self,
        names: [&str; N],
    ) -> Result<Points<'a, T, N>, CloudError> {
        let CloudParts {
            height,
            width,
            point_step,
            row_step,
            data,
            is_bigendian,
            ..
        } = self.parts;
        let mut offsets = [0; N];
        for (offset, name) in offsets.iter_mut().zip(names) {
            let view = self.field(name)?;
            let elements = view.tensor().and_then(|view| view.elements::<T>());
            elements.map_err(|cause| CloudError::Tensor {
                field: shown(name),
                cause,
            })?;
            *offset = usize_of(view.start);
        }
        Ok(Points {
            bytes: data.as_slice().unwrap_or_default(),
            offsets,
            is_swapped: is_swapped(is_bigendian),
            point_step: usize_of(point_step.into()),
            row_step: usize_of(row_step.into()),
            row: 0,
            column: 0,
            width,
            height: if width == 0 { 0 } else { height },
            of: PhantomData,
        })
    }
}

fn is_swapped(is_bigendian: bool) -> bool {
    is_bigendian != cfg!(target_endian = "big")
}

/// A number of a cloud that was seen to be within its data.
pub(super) fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The numbers of one field of all points.
#[derive(Debug, Clone, Copy)]
pub struct FieldView<'a> {
    dtype: DType,
    shape: [i64; 3],
    strides: [i64; 3],
    start: u64,
    is_swapped: bool,
    data: &'a Buffer<u8>,
}

impl FieldView<'_> {
    /// The numbers: rows, columns, and the numbers of a point.
    ///
    /// # Errors
    /// When the data of a cloud is larger than this machine can count.
    pub fn tensor(&self) -> Result<TensorView<'_>, TensorError> {
        let layout = Layout {
            dtype: self.dtype,
            shape: &self.shape,
            strides: &self.strides,
            byte_offset: self.start,
        };
        TensorView::with_unit(layout, 1, self.is_swapped, self.data)
    }
}
