//! Tensors in the types of other crates.

#[cfg(feature = "half")]
#[test]
fn floats_of_16_bits_are_elements() {
    use half::{bf16, f16};
    use rosidl_buffer_runtime::tensor::{DType, TensorMessage as _};

    use crate::messages::Tensor;

    let message = Tensor::from_vec([2], vec![f16::from_f32(1.5), f16::from_f32(-2.0)]).unwrap();
    assert_eq!((message.code, message.bits, message.lanes), (2, 16, 1));
    let view = message.tensor().unwrap();
    assert_eq!(view.as_slice::<f16>().unwrap()[1].to_f32(), -2.0);
    assert!(view.as_slice::<bf16>().is_err());

    let message = Tensor::from_vec([1], vec![bf16::from_f32(1.0)]).unwrap();
    let view = message.tensor().unwrap();
    assert_eq!(view.dtype(), DType::BF16);
    let bits = view.reinterpret(DType::U16).unwrap();
    assert_eq!(bits.as_slice::<u16>().unwrap(), [0x3F80]);
}

#[cfg(feature = "ndarray")]
#[test]
fn strided_and_repeated_tensors_are_views_of_ndarray() {
    use ndarray::{IxDyn, array};
    use rosidl_buffer_runtime::Buffer;
    use rosidl_buffer_runtime::tensor::{
        DType, ImageParts, ImageView, Layout, TensorError, TensorView,
    };

    let data = Buffer::from((0..24).collect::<Vec<u8>>());
    let parts = ImageParts {
        height: 2,
        width: 2,
        encoding: "8UC2",
        is_bigendian: false,
        step: 7,
        data: &data,
    };
    let image = ImageView::new(parts).unwrap();
    let pixels = image.tensor().unwrap().as_array::<u8>().unwrap();
    assert_eq!(
        pixels,
        array![[[0, 1], [2, 3]], [[7, 8], [9, 10]]].into_dyn()
    );
    assert_eq!(pixels.as_ptr(), data.as_slice().unwrap().as_ptr());

    let layout = |shape, strides| Layout {
        dtype: DType::U8,
        shape,
        strides,
        byte_offset: 1,
    };
    let view = |shape, strides| TensorView::new(layout(shape, strides), &data).unwrap();
    let repeated = view(&[2, 3], &[0, 1]).as_array::<u8>().unwrap();
    assert_eq!(repeated, array![[1, 2, 3], [1, 2, 3]].into_dyn());
    let long = view(&[1, 3], &[i64::MAX, 1]).as_array::<u8>().unwrap();
    assert_eq!(long, array![[1, 2, 3]].into_dyn());
    let single = view(&[], &[]).as_array::<u8>().unwrap();
    assert_eq!(single[IxDyn(&[])], 1);
    assert!(view(&[2, 0], &[]).as_array::<u8>().unwrap().is_empty());
    // `ndarray` counts the other dimensions of an empty array too.
    let refused = view(&[0, i64::MAX, 2], &[]).as_array::<u8>();
    assert_eq!(refused.unwrap_err(), TensorError::TooLarge);

    // A row of five bytes has no whole number of `u16`.
    let parts = ImageParts {
        encoding: "mono16",
        is_bigendian: cfg!(target_endian = "big"),
        step: 5,
        ..parts
    };
    let image = ImageView::new(parts).unwrap();
    let refused = image.tensor().unwrap().as_array::<u16>();
    assert_eq!(refused.unwrap_err(), TensorError::Strided);
}
