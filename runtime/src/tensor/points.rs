//! The points of a cloud, one after the other.
//!
//! Bytes and offsets that were checked come in, numbers go out, copied one by one: fields are often not aligned.

use core::marker::PhantomData;

use super::cloud::usize_of;
use super::scalar::TensorElement;

/// Numbers of the points of a cloud, row by row.
#[derive(Debug, Clone)]
pub struct Points<'a, T, const N: usize> {
    pub(super) bytes: &'a [u8],
    /// Of the fields, in a point.
    pub(super) offsets: [usize; N],
    pub(super) is_swapped: bool,
    pub(super) point_step: usize,
    pub(super) row_step: usize,
    pub(super) row: u32,
    pub(super) column: u32,
    pub(super) width: u32,
    /// 0 if there are no points.
    pub(super) height: u32,
    pub(super) of: PhantomData<T>,
}

impl<T: TensorElement, const N: usize> Iterator for Points<'_, T, N> {
    type Item = [T; N];

    fn next(&mut self) -> Option<[T; N]> {
        if self.row >= self.height {
            return None;
        }
        let start = usize_of(self.row.into()) * self.row_step
            + usize_of(self.column.into()) * self.point_step;
        let mut values = [T::default(); N];
        for (value, offset) in values.iter_mut().zip(self.offsets) {
            let bytes = self.bytes.get(start + offset..)?.get(..size_of::<T>())?;
            *value = T::PLAIN.value(bytes)?;
            if self.is_swapped {
                *value = value.swap_bytes();
            }
        }
        self.column += 1;
        if self.column == self.width {
            (self.row, self.column) = (self.row + 1, 0);
        }
        Some(values)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let rows = u64::from(self.height - self.row);
        let left = usize_of(rows * u64::from(self.width) - u64::from(self.column));
        (left, Some(left))
    }
}

impl<T: TensorElement, const N: usize> ExactSizeIterator for Points<'_, T, N> {}
impl<T: TensorElement, const N: usize> core::iter::FusedIterator for Points<'_, T, N> {}
