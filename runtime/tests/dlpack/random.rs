//! Any numbers: a tensor that goes out says what a slow reference says, and comes back the same.

use proptest::prelude::*;
use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_runtime::tensor::{DType, DlTensor, Layout, TensorMessage as _, TensorView};

use crate::messages::Tensor;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn number(small: i64) -> impl Strategy<Value = i64> {
    prop_oneof![
        200 => 0..small,
        1 => prop::sample::select(vec![-1, i64::MAX, i64::MIN, 1 << 31, 1 << 61]),
    ]
}

/// Index and place of each element, in row-major order, as DLPack counts.
fn places(shape: &[i64], strides: &[i64]) -> Vec<(Vec<usize>, i128)> {
    let mut places = vec![(Vec::new(), 0_i128)];
    for (&size, &stride) in shape.iter().zip(strides) {
        let more = |(index, place): &(Vec<usize>, i128)| {
            let (index, place) = (index.clone(), *place);
            (0..size).map(move |at| {
                let mut index = index.clone();
                index.push(usize::try_from(at).unwrap());
                (index, place + i128::from(at) * i128::from(stride))
            })
        };
        places = places.iter().flat_map(more).collect();
    }
    places
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_goes_out_is_the_tensor_and_comes_back(
        dtype in prop::sample::select(vec![DType::U8, DType::I16, DType::F32, DType { lanes: 3, ..DType::U8 }]),
        (shape, strides) in (0_usize..5).prop_flat_map(|rank| (
            prop::collection::vec(number(5), rank),
            prop_oneof![prop::collection::vec(number(9), rank), Just(Vec::new())],
        )),
        byte_offset in 0_u64..20,
        data in prop::collection::vec(any::<u8>(), 0..1000),
    ) {
        let layout = Layout { dtype, shape: &shape, strides: &strides, byte_offset };
        let data = Buffer::from(data);
        let Ok(view) = TensorView::new(layout, &data) else { return Ok(()) };
        if view.len() > 2048 {
            return Ok(()); // of repeated elements
        }
        let start = data.as_slice().unwrap().as_ptr().addr() as i128;
        let item = dtype.item_size()? as i128;
        let tensor = match DlTensor::from_view(&view) {
            Ok(tensor) => tensor,
            Err(error) => {
                let align = i128::from(dtype.bits) / 8;
                prop_assert!((start + i128::from(byte_offset)) % align != 0, "{}", error);
                return Ok(());
            }
        };
        prop_assert_eq!(tensor.shape(), &shape[..]);
        prop_assert_eq!(tensor.strides().len(), shape.len());
        let first = tensor.data_address() as i128;
        let out: Vec<_> = if view.is_empty() { Vec::new() } else { places(&shape, tensor.strides()) };
        let mut inner = 1_i64;
        let mut row_major = Vec::new();
        for &size in shape.iter().rev() {
            row_major.insert(0, inner);
            inner = inner.saturating_mul(size);
        }
        let said = if strides.is_empty() { &row_major } else { &strides };
        let expected: Vec<_> = if view.is_empty() { Vec::new() } else { places(&shape, said) };
        let at = start + i128::from(byte_offset);
        let absolute = |first: i128, places: &[(Vec<usize>, i128)]| {
            places.iter().map(|(_, place)| first + place * item).collect::<Vec<_>>()
        };
        prop_assert_eq!(absolute(first, &out), absolute(at, &expected));

        let raw = tensor.into_raw();
        // SAFETY: of `into_raw`, used once; the data is never written.
        let back: Tensor = unsafe { DlTensor::from_raw(raw) }.unwrap().into_message().unwrap();
        let seen = back.tensor()?;
        prop_assert_eq!((seen.dtype(), seen.shape()), (dtype, &shape[..]));
        if let (Ok(before), Ok(after)) = (view.elements::<u8>(), seen.elements::<u8>()) {
            prop_assert!(before.iter().eq(after.iter()));
            for (index, _) in &expected {
                prop_assert_eq!(before.get(index), after.get(index));
            }
        }
        prop_assert_eq!(view.bytes(), if view.is_empty() { Some(&[][..]) } else { seen.bytes() });
    }
}
