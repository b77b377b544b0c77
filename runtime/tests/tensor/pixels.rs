//! Images in the types of the crate `image`.

use image::{DynamicImage, GenericImageView as _, ImageBuffer, Luma, Rgb, Rgba};
use rosidl_buffer_runtime::tensor::{DType, ImageError, ImageMessage as _, TensorError};

use crate::messages::Image;

fn filled(encoding: &str, rows: u32, cols: u32, step: u32, data: Vec<u8>) -> Image {
    let mut message = Image::default();
    message
        .fill_image(encoding, rows, cols, step, data)
        .unwrap();
    message
}

#[test]
fn pictures_are_moved_in_and_copied_out() {
    let bytes: Vec<u8> = (0..24).collect();
    let words: Vec<u16> = (0..24).map(|at| at * 1000).collect();
    let pictures = [
        ("rgb8", {
            let pixels = ImageBuffer::from_raw(4, 2, bytes).unwrap();
            DynamicImage::ImageRgb8(pixels)
        }),
        ("rgb16", {
            let pixels = ImageBuffer::from_raw(2, 4, words.clone()).unwrap();
            DynamicImage::ImageRgb16(pixels)
        }),
        ("rgba16", {
            let pixels = ImageBuffer::from_raw(2, 3, words.clone()).unwrap();
            DynamicImage::ImageRgba16(pixels)
        }),
        ("mono16", {
            let pixels = ImageBuffer::from_raw(6, 4, words).unwrap();
            DynamicImage::ImageLuma16(pixels)
        }),
        ("mono8", DynamicImage::new_luma8(3, 2)),
        ("rgba8", DynamicImage::new_rgba8(3, 2)),
    ];
    for (encoding, picture) in pictures {
        let mut message = Image::default();
        message.fill_dynamic_image(picture.clone()).unwrap();
        assert_eq!(message.encoding, encoding);
        let back = message.image().unwrap().to_dynamic_image().unwrap();
        assert_eq!(back, picture, "{encoding}");
    }
    let mut message = Image::default();
    let pixels: ImageBuffer<Rgb<u8>, _> = ImageBuffer::from_raw(1, 1, vec![1, 2, 3]).unwrap();
    let address = pixels.as_raw().as_ptr();
    message
        .fill_dynamic_image(DynamicImage::ImageRgb8(pixels))
        .unwrap();
    assert_eq!(message.data.as_slice().unwrap().as_ptr(), address);
    message
        .fill_dynamic_image(DynamicImage::new_rgb32f(2, 1))
        .unwrap();
    assert_eq!((message.encoding.as_str(), message.step), ("32FC3", 24));
    let refused = message.image().unwrap().to_dynamic_image();
    assert!(matches!(refused, Err(ImageError::NoPicture(_))));
}

#[test]
fn blue_changes_places_and_rows_lose_their_padding() {
    let message = filled("bgra8", 2, 1, 5, vec![1, 2, 3, 4, 99, 5, 6, 7, 8, 99]);
    let picture = message.image().unwrap().to_dynamic_image().unwrap();
    let expected = ImageBuffer::from_raw(1, 2, vec![3, 2, 1, 4, 7, 6, 5, 8]).unwrap();
    assert_eq!(picture, DynamicImage::ImageRgba8(expected));

    let mut message = filled("bgr16", 1, 1, 6, vec![0, 1, 0, 2, 0, 3]);
    message.is_bigendian = 1;
    let picture = message.image().unwrap().to_dynamic_image().unwrap();
    let expected = ImageBuffer::from_raw(1, 1, vec![3_u16, 2, 1]).unwrap();
    assert_eq!(picture, DynamicImage::ImageRgb16(expected));

    for encoding in ["yuyv", "8UC2", "8UC3", "32FC1", "16SC1", "8SC3"] {
        let message = filled(encoding, 1, 1, 6, vec![0; 6]);
        let refused = message.image().unwrap().to_dynamic_image();
        assert!(
            matches!(refused, Err(ImageError::NoPicture(_))),
            "{encoding}"
        );
    }
    let message = filled("nv12", 2, 2, 2, vec![0; 6]);
    let refused = message.image().unwrap().to_dynamic_image().unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("the crate `image` has no pixels that are nv12,"),
        "{refused}"
    );
}

#[test]
fn pixels_are_lent_where_they_lie() {
    let message = filled("rgb8", 2, 2, 8, (0..16).collect());
    let address = message.data.as_slice().unwrap().as_ptr();
    let view = message.image().unwrap();
    let samples = view.as_flat_samples::<u8>().unwrap();
    assert_eq!(samples.samples.as_ptr(), address);
    let pixels = samples.as_view::<Rgb<u8>>().unwrap();
    assert_eq!(pixels.get_pixel(1, 1).0, [11, 12, 13]);
    let padded = view.as_image_buffer::<Rgb<u8>>();
    assert_eq!(padded.unwrap_err(), TensorError::Strided.into());

    let message = filled("rgb8", 2, 2, 6, (0..12).collect());
    let view = message.image().unwrap();
    let pixels = view.as_image_buffer::<Rgb<u8>>().unwrap();
    assert_eq!(
        pixels.as_raw().as_ptr(),
        message.data.as_slice().unwrap().as_ptr()
    );
    assert_eq!(pixels.get_pixel(0, 1).0, [6, 7, 8]);
    assert!(matches!(
        view.as_image_buffer::<Rgba<u8>>(),
        Err(ImageError::NoPicture(_))
    ));
    assert!(matches!(
        view.as_image_buffer::<Rgb<u16>>(),
        Err(ImageError::NoPicture(_))
    ));
    let other = TensorError::OtherType {
        is: DType::U8,
        asked: DType::U16,
    };
    assert_eq!(view.as_flat_samples::<u16>().unwrap_err(), other.into());

    let mut message = Image::default();
    message
        .fill_pixels("mono16", 1, 2, vec![256_u16, 2])
        .unwrap();
    let view = message.image().unwrap();
    let pixels = view.as_image_buffer::<Luma<u16>>().unwrap();
    assert_eq!(pixels.get_pixel(0, 0).0, [256]);
    message.is_bigendian ^= 1;
    let swapped = message.image().unwrap().as_flat_samples::<u16>();
    assert_eq!(swapped.unwrap_err(), TensorError::ByteOrder.into());
    let bgr = filled("bgr8", 1, 1, 3, vec![1, 2, 3]);
    let refused = bgr
        .image()
        .unwrap()
        .as_image_buffer::<Rgb<u8>>()
        .unwrap_err();
    assert!(matches!(refused, ImageError::NoPicture(_)));

    // An odd number of bytes from one row to the next; a single row has no next.
    let odd = filled("mono16", 2, 1, 3, vec![0; 6]);
    let refused = odd.image().unwrap().as_flat_samples::<u16>();
    assert_eq!(refused.unwrap_err(), TensorError::Strided.into());
    let empty = filled("rgb8", 0, 0, 0, Vec::new());
    let view = empty.image().unwrap();
    assert!(view.as_image_buffer::<Rgb<u8>>().unwrap().is_empty());
}
