//! What a tensor is, told slowly: the address of each element is calculated by itself, in wide numbers, and a view has to
//! say the same.

use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_runtime::tensor::{Layout, TensorElement, TensorView};

/// More elements are not looked at one by one.
const MOST: i128 = 2048;

enum Expected {
    Refused,
    /// First byte of each element, and its index, in row-major order.
    Elements(Vec<(usize, Vec<usize>)>),
    TooMany,
}

fn expected(layout: Layout<'_>, available: usize) -> Expected {
    let Layout { dtype, shape, .. } = layout;
    let wide = |numbers: &[i64]| numbers.iter().map(|&n| i128::from(n)).collect::<Vec<_>>();
    let (shape, mut strides) = (wide(shape), wide(layout.strides));
    let bits = i128::from(dtype.bits) * i128::from(dtype.lanes);
    let item = (bits + 7) / 8;
    let refused = dtype.code > 17
        || bits == 0
        || !(strides.is_empty() || strides.len() == shape.len())
        || shape.iter().chain(&strides).any(|&number| number < 0);
    if refused {
        return Expected::Refused;
    }
    let (start, available) = (i128::from(layout.byte_offset), available as i128);
    if shape.contains(&0) {
        return if start <= available {
            Expected::Elements(Vec::new())
        } else {
            Expected::Refused
        };
    }
    let count = shape.iter().fold(1_i128, |a, &b| a.saturating_mul(b));
    if count.saturating_mul(item) > isize::MAX as i128 {
        return Expected::Refused;
    }
    if strides.is_empty() {
        let mut inner = 1_i128;
        for &size in shape.iter().rev() {
            strides.insert(0, inner);
            inner *= size;
        }
    }
    if count > MOST {
        let steps = shape.iter().zip(&strides);
        let last = steps.fold(start, |sum, (&size, &stride)| {
            sum.saturating_add((size - 1).saturating_mul(stride).saturating_mul(item))
        });
        return if last.saturating_add(item) <= available {
            Expected::TooMany
        } else {
            Expected::Refused
        };
    }
    let mut elements = Vec::new();
    for number in 0..count {
        let (mut rest, mut index) = (number, Vec::new());
        for &size in shape.iter().rev() {
            index.push(rest % size);
            rest /= size;
        }
        index.reverse();
        let steps = index.iter().zip(&strides);
        let at = steps.fold(start, |sum, (&at, &stride)| {
            sum.saturating_add(at.saturating_mul(stride).saturating_mul(item))
        });
        if at.saturating_add(item) > available {
            return Expected::Refused;
        }
        let index = index.iter().map(|&at| at as usize).collect();
        elements.push((at as usize, index));
    }
    Expected::Elements(elements)
}

/// Makes a view and compares everything that it says.
pub(crate) fn check(layout: Layout<'_>, data: &Buffer<u8>) {
    let view = TensorView::new(layout, data);
    match (expected(layout, data.len()), view) {
        (Expected::Refused, view) => assert!(view.is_err(), "{layout:?} of {}", data.len()),
        (_, Err(error)) => panic!("{layout:?} of {}: {error}", data.len()),
        (Expected::TooMany, Ok(view)) => {
            assert_eq!(view.shape(), layout.shape);
            assert!(view.len() as i128 > MOST);
            // Reading the last is safe, and so is one behind it.
            if let Ok(view) = view.reinterpret(u8::DTYPE) {
                let elements = view.elements::<u8>().unwrap();
                let last: Vec<_> = view.shape().iter().map(|&n| n as usize - 1).collect();
                assert_eq!(elements.get(&last), elements.iter().nth(view.len() - 1));
                assert_eq!(elements.iter().nth(view.len()), None);
            }
        }
        (Expected::Elements(elements), Ok(view)) => {
            assert_eq!(view.len(), elements.len());
            compare::<u8>(view, &elements, |b| b[0]);
            compare::<u16>(view, &elements, |b| {
                u16::from_ne_bytes(b.try_into().unwrap())
            });
            compare::<u32>(view, &elements, |b| {
                u32::from_ne_bytes(b.try_into().unwrap())
            });
            compare::<u64>(view, &elements, |b| {
                u64::from_ne_bytes(b.try_into().unwrap())
            });
        }
    }
}

/// The elements as numbers of that size, if it is theirs.
fn compare<T: TensorElement + PartialEq + std::fmt::Debug>(
    view: TensorView<'_>,
    expected: &[(usize, Vec<usize>)],
    read: impl Fn(&[u8]) -> T,
) {
    let size = size_of::<T>();
    let Ok(view) = view.reinterpret(T::DTYPE) else {
        assert_ne!(view.dtype().item_size(), Ok(size));
        return;
    };
    let data = view.buffer().as_slice().unwrap();
    let values: Vec<T> = expected
        .iter()
        .map(|(at, _)| read(&data[*at..at + size]))
        .collect();
    let elements = view.elements::<T>().unwrap();
    for ((_, index), &value) in expected.iter().zip(&values) {
        assert_eq!(elements.get(index), Some(value));
    }
    for axis in 0..view.shape().len() {
        let mut outside = vec![0; view.shape().len()];
        outside[axis] = view.shape()[axis] as usize;
        assert_eq!(elements.get(&outside), None);
    }
    assert_eq!(elements.get(vec![0; view.shape().len() + 1]), None);
    assert_eq!(elements.iter().collect::<Vec<_>>(), values);
    assert_eq!(elements.iter().len(), values.len());
    for skip in [1, 2, 5] {
        assert!(
            elements
                .iter()
                .skip(skip)
                .eq(values.iter().copied().skip(skip))
        );
        assert!(
            elements
                .iter()
                .step_by(skip)
                .eq(values.iter().copied().step_by(skip))
        );
    }
    let start = expected.first().map_or(0, |(at, _)| *at);
    let mut at = (start..).step_by(size);
    let is_contiguous = expected
        .iter()
        .all(|(address, _)| Some(*address) == at.next());
    assert_eq!(view.is_contiguous(), is_contiguous);
    let is_aligned = data[start.min(data.len())..]
        .as_ptr()
        .align_offset(align_of::<T>())
        == 0;
    match view.as_slice::<T>() {
        Ok(slice) => assert_eq!(slice, values),
        Err(error) => assert!(
            !(values.is_empty() || is_contiguous && is_aligned),
            "{error}"
        ),
    }
    match elements.to_vec() {
        Ok(vec) => assert_eq!(vec, values),
        Err(error) => assert!(values.len() * size > view.byte_range().len(), "{error}"),
    }
}
