//! `sensor_msgs/Image`.

use rosidl_buffer_runtime::tensor::{DType, ImageError, ImageMessage as _, TensorError};

use crate::messages::{Header, Image};

fn image(encoding: &str, height: u32, width: u32, step: u32, bytes: usize) -> Image {
    Image {
        header: Header::default(),
        height,
        width,
        encoding: encoding.to_owned(),
        is_bigendian: u8::from(cfg!(target_endian = "big")),
        step,
        data: (0..bytes).map(|at| at as u8).collect(),
    }
}

#[test]
fn rows_without_padding_are_a_slice() {
    let message = image("bgr8", 2, 2, 6, 12);
    let view = message.image().unwrap();
    let pixels = view.tensor().unwrap();
    assert_eq!(
        (pixels.dtype(), pixels.shape()),
        (DType::U8, &[2, 2, 3][..])
    );
    let slice = pixels.as_slice::<u8>().unwrap();
    assert_eq!(slice.as_ptr(), message.data.as_slice().unwrap().as_ptr());

    let padded = image("bgr8", 2, 2, 7, 14);
    let view = padded.image().unwrap();
    let pixels = view.tensor().unwrap();
    assert_eq!(pixels.as_slice::<u8>(), Err(TensorError::Strided));
    let all = [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12];
    assert_eq!(pixels.elements::<u8>().unwrap().to_vec().unwrap(), all);
}

#[test]
fn numbers_may_be_unaligned_and_in_the_other_order() {
    let mut message = image("mono16", 2, 2, 5, 10); // a row does not end with a whole number
    message.is_bigendian = 1;
    let view = message.image().unwrap();
    let pixels = view.tensor().unwrap();
    assert_eq!((pixels.byte_stride(0), pixels.stride(0)), (Some(5), None));
    let elements = pixels.elements::<u16>().unwrap();
    assert!(elements.iter().eq([0x0001, 0x0203, 0x0506, 0x0708]));

    message.is_bigendian = 0;
    let view = message.image().unwrap();
    let elements = view.tensor().unwrap().elements::<u16>().unwrap();
    assert!(elements.iter().eq([0x0100, 0x0302, 0x0605, 0x0807]));

    let mut swapped = image("32FC1", 1, 2, 8, 8);
    swapped.is_bigendian ^= 1;
    let view = swapped.image().unwrap();
    let pixels = view.tensor().unwrap();
    assert!(!pixels.is_native_order());
    assert_eq!(pixels.as_slice::<f32>(), Err(TensorError::ByteOrder));
    swapped.encoding = "8UC4".to_owned(); // bytes have no order
    assert_eq!(
        swapped
            .image()
            .unwrap()
            .tensor()
            .unwrap()
            .as_slice::<u8>()
            .unwrap()
            .len(),
        8
    );
}

#[test]
fn planes_are_taken_one_by_one() {
    // Five columns and three rows: colours are at half of it, rounded up.
    let message = image("nv21", 3, 5, 6, 30);
    let view = message.image().unwrap();
    assert!(matches!(view.tensor(), Err(ImageError::Planar(_))));
    assert_eq!(view.plane(0).unwrap().shape(), [3, 5, 1]);
    let colour = view.plane(1).unwrap();
    assert_eq!(
        (colour.shape(), colour.byte_range()),
        (&[2, 3, 2][..], 18..30)
    );
    assert_eq!(colour.elements::<u8>().unwrap().get([1, 2, 1]), Some(29));
    assert_eq!(
        view.plane(2).unwrap_err().to_string(),
        "an image in nv21 has no plane 2"
    );
    assert!(matches!(
        image("nv21", 3, 5, 6, 29).image(),
        Err(ImageError::TooShort { needed: 30, .. })
    ));
    assert!(matches!(
        image("nv12", 3, 5, 5, 99).image(),
        Err(ImageError::Step { row: 6, .. })
    ));

    let message = image("nv24", 2, 3, 4, 24);
    let view = message.image().unwrap();
    assert_eq!(view.plane(1).unwrap().shape(), [2, 3, 2]);
    assert_eq!(
        view.plane(1)
            .unwrap()
            .elements::<u8>()
            .unwrap()
            .get([1, 0, 0]),
        Some(16)
    );

    let packed = image("yuyv", 1, 4, 8, 8);
    assert_eq!(packed.image().unwrap().tensor().unwrap().shape(), [1, 4, 2]);
    let bayer = image("bayer_grbg8", 2, 2, 2, 4);
    assert_eq!(bayer.image().unwrap().tensor().unwrap().shape(), [2, 2, 1]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let error = image("rgb8", 2, 3, 9, 17).image().unwrap_err();
    assert_eq!(
        error.to_string(),
        "2 rows of `step` 9 in rgb8 take 18 bytes, but there are 17"
    );
    let error = image("16UC2", 2, 3, 11, 99).image().unwrap_err();
    assert_eq!(
        error.to_string(),
        "a row of 3 pixels in 16UC2 takes 12 bytes, but `step` is 11"
    );
    let error = image("64FC4000000000", 1, u32::MAX, u32::MAX, 9)
        .image()
        .unwrap_err();
    assert!(
        matches!(error, ImageError::Step { row: u64::MAX, .. }),
        "{error}"
    );
    let error = image(&"h264".repeat(99), 1, 1, 1, 1).image().unwrap_err();
    assert!(error.to_string().len() < 200, "{error}");
    assert!(
        image("rgb8", 0, 0, 0, 0)
            .image()
            .unwrap()
            .tensor()
            .unwrap()
            .is_empty()
    );
    assert!(
        image("nv12", 0, 7, 8, 0)
            .image()
            .unwrap()
            .plane(1)
            .unwrap()
            .is_empty()
    );
}
