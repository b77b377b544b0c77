//! What the points of a new cloud are made of: as `PointCloud2Modifier` in C++, but before there is a cloud.
//!
//! Names and types come in, offsets go out. Points are written into any bytes, which may be a block of shared memory; the
//! message is filled with the memory afterwards and nothing is copied.

use super::cloud::{CloudError, PointFieldParts, dtype, shown};
use super::dtype::DType;
use super::error::TensorError;
use super::scalar::TensorElement;

/// The fields of a point, with names, types and offsets.
///
/// # Example
/// ```
/// use rosidl_buffer_runtime::tensor::{DType, PointLayout};
///
/// let layout = PointLayout::packed(&[("x", DType::F32), ("y", DType::F32), ("ring", DType::U16)])?;
/// assert_eq!(layout.point_step(), 10);
/// let mut data = vec![0; layout.byte_len(2).unwrap()];
/// layout.write(&mut data, ["x", "y"], [[1.0_f32, 2.0], [3.0, 4.0]])?;
/// layout.write(&mut data, ["ring"], [[7_u16], [8]])?;
/// // Into a message: `cloud.fill_cloud(&layout, 1, 2, data, true)?`.
/// # Ok::<(), rosidl_buffer_runtime::tensor::CloudError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PointLayout {
    fields: Vec<Declared>,
    point_step: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Declared {
    name: String,
    offset: u32,
    datatype: u8,
    count: u32,
}

impl PointLayout {
    /// Single numbers, one behind the other without padding.
    ///
    /// # Errors
    /// When ROS 2 has no number for a type: points are made of integers of up to 32 bits, `f32` and `f64`.
    pub fn packed(fields: &[(&str, DType)]) -> Result<Self, CloudError> {
        let mut layout = Self::default();
        for (name, dtype) in fields {
            let offset = layout.point_step;
            layout = layout.with_field(name, offset, *dtype, 1)?;
        }
        Ok(layout)
    }

    /// `x`, `y` and `z` as `f32` in 16 bytes, as PCL and `setPointCloud2FieldsByString` have them for `xyz`.
    pub fn xyz() -> Self {
        let fields = ["x", "y", "z"].into_iter().zip([0, 4, 8]);
        let fields = fields.map(|(name, offset)| Declared {
            name: name.to_owned(),
            offset,
            datatype: F32,
            count: 1,
        });
        Self {
            fields: fields.collect(),
            point_step: 16,
        }
    }

    /// As [`xyz`](Self::xyz), and the colour in 16 bytes more: `rgb` is a `f32` whose bits are those of an integer `0x00RRGGBB`.
    pub fn xyz_rgb() -> Self {
        let mut layout = Self::xyz();
        layout.fields.push(Declared {
            name: "rgb".to_owned(),
            offset: 16,
            datatype: F32,
            count: 1,
        });
        layout.point_step = 32;
        layout
    }

    /// With one more field of `count` numbers, so many bytes from the start of a point. A point ends where its last field does,
    /// or later, if [`with_point_step`](Self::with_point_step) says so.
    ///
    /// # Errors
    /// When ROS 2 has no number for the type, there is a field of that name, or a point would be larger than a message can say.
    pub fn with_field(
        mut self,
        name: &str,
        offset: u32,
        dtype: DType,
        count: u32,
    ) -> Result<Self, CloudError> {
        let datatype = datatype(dtype).ok_or_else(|| CloudError::NoDatatype {
            field: shown(name),
            dtype,
        })?;
        if self.fields.iter().any(|field| field.name == name) {
            return Err(CloudError::Twice(shown(name)));
        }
        let len = count.max(1).checked_mul(u32::from(dtype.bits / 8));
        let end = len.and_then(|len| offset.checked_add(len));
        let end = end.ok_or_else(|| CloudError::OutsidePoint {
            field: shown(name),
            point_step: u32::MAX,
        })?;
        self.point_step = self.point_step.max(end);
        self.fields.push(Declared {
            name: name.to_owned(),
            offset,
            datatype,
            count,
        });
        Ok(self)
    }

    /// With points of so many bytes, the last of which may belong to no field.
    ///
    /// # Errors
    /// When a field would end behind the point.
    pub fn with_point_step(mut self, point_step: u32) -> Result<Self, CloudError> {
        let ends_behind = |field: &&Declared| {
            let size = dtype(field.datatype).map_or(0, |dtype| u64::from(dtype.bits / 8));
            let len = size * u64::from(field.count.max(1));
            u64::from(field.offset) + len > u64::from(point_step)
        };
        if let Some(field) = self.fields.iter().find(ends_behind) {
            return Err(CloudError::OutsidePoint {
                field: shown(&field.name),
                point_step,
            });
        }
        self.point_step = point_step;
        Ok(self)
    }

    /// Bytes of a point.
    pub fn point_step(&self) -> u32 {
        self.point_step
    }

    /// Bytes of so many points; `None` if they are more than this machine can count.
    pub fn byte_len(&self, points: usize) -> Option<usize> {
        usize::try_from(self.point_step).ok()?.checked_mul(points)
    }

    /// The fields, in the order in which they were added.
    pub fn fields(&self) -> impl Iterator<Item = PointFieldParts<'_>> {
        self.fields.iter().map(|field| PointFieldParts {
            name: &field.name,
            offset: field.offset,
            datatype: field.datatype,
            count: field.count,
        })
    }

    /// Writes the first number of each of these fields, which are all of the same type, into one point after the other, and says
    /// how many points were written. The other bytes of `data` stay as they are.
    ///
    /// # Errors
    /// When there is no such field, it is of another type, or there are more points than `data` has room for; those that have
    /// room are written then.
    pub fn write<T: TensorElement, const N: usize>(
        &self,
        data: &mut [u8],
        names: [&str; N],
        points: impl IntoIterator<Item = [T; N]>,
    ) -> Result<usize, CloudError> {
        let mut offsets = [0_usize; N];
        for (offset, name) in offsets.iter_mut().zip(names) {
            let field = self.fields.iter().find(|field| field.name == name);
            let field = field.ok_or_else(|| CloudError::NoField(shown(name)))?;
            if datatype(T::DTYPE) != Some(field.datatype) {
                return Err(CloudError::Tensor {
                    field: shown(name),
                    cause: TensorError::OtherType {
                        is: dtype(field.datatype).unwrap_or(T::DTYPE),
                        asked: T::DTYPE,
                    },
                });
            }
            *offset = usize::try_from(field.offset).unwrap_or(usize::MAX);
        }
        let step = usize::try_from(self.point_step).unwrap_or(usize::MAX);
        let mut rooms = data.chunks_exact_mut(step.max(1));
        let mut written = 0;
        for point in points {
            let room = rooms.next().ok_or(CloudError::NoRoom { points: written })?;
            for (value, offset) in point.iter().zip(offsets) {
                let room = room.get_mut(offset..).unwrap_or_default();
                let value = T::PLAIN.bytes(core::slice::from_ref(value));
                for (to, from) in room.iter_mut().zip(value.unwrap_or_default()) {
                    *to = *from;
                }
            }
            written += 1;
        }
        Ok(written)
    }
}

/// `sensor_msgs/PointField` has this number for `f32`.
const F32: u8 = 7;

fn datatype(asked: DType) -> Option<u8> {
    (1..=8).find(|&number| dtype(number) == Some(asked))
}
