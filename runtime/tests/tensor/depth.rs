//! Depth images as `compressed_depth_image_transport` has them.

use image::{DynamicImage, ImageFormat};
use rosidl_buffer_runtime::tensor::{
    CompressedImageError, CompressedImageMessage as _, Compression, DepthCodec, ImageMessage as _,
};

use crate::messages::{CompressedImage, Image};

/// What ROS's plugin is set to.
fn usual(codec: DepthCodec) -> Compression {
    Compression::Depth {
        codec,
        max: 10.0,
        quantization: 100.0,
    }
}

fn round_trip(image: &Image, codec: DepthCodec) -> (CompressedImage, Image) {
    let mut message = CompressedImage::default();
    message
        .compress(&image.image().unwrap(), usual(codec))
        .unwrap();
    let mut back = Image::default();
    message.decompress_into(&mut back).unwrap();
    (message, back)
}

#[test]
fn millimetres_come_back_as_they_are() {
    let mut image = Image::default();
    let pixels: Vec<u16> = (0..600).map(|at| at % 7 * at * 3).collect();
    for encoding in ["16UC1", "mono16"] {
        image.fill_pixels(encoding, 20, 30, pixels.clone()).unwrap();
        for (codec, name) in [(DepthCodec::Png, "png"), (DepthCodec::Rvl, "rvl")] {
            let (message, back) = round_trip(&image, codec);
            assert_eq!(
                message.format,
                format!("{encoding}; compressedDepth {name}")
            );
            let view = back.image().unwrap();
            let numbers = view.tensor().unwrap().as_slice::<u16>().unwrap().to_vec();
            let near = pixels
                .iter()
                .map(|&pixel| if pixel > 10_000 { 0 } else { pixel });
            assert!(numbers.iter().copied().eq(near), "{encoding} {name}");
            assert_eq!(back.encoding, encoding);
        }
    }
}

#[test]
fn metres_are_exact_where_they_are_near() {
    let metres = vec![
        0.5_f32,
        1.0,
        2.0,
        9.99,
        10.0,
        11.0,
        f32::NAN,
        0.0,
        -1.0,
        f32::INFINITY,
        0.1,
    ];
    let mut image = Image::default();
    image.fill_pixels("32FC1", 1, 11, metres.clone()).unwrap();
    for codec in [DepthCodec::Png, DepthCodec::Rvl] {
        let (message, back) = round_trip(&image, codec);
        let header = message.file.as_slice().unwrap()[..12].to_vec();
        let parameters = [10_100.0_f32.to_le_bytes(), (-1009.0_f32).to_le_bytes()].concat();
        assert_eq!(header, [&[0; 4], &parameters[..]].concat());
        assert_eq!((back.encoding.as_str(), back.step), ("32FC1", 44));
        let view = back.image().unwrap();
        let numbers = view.tensor().unwrap().as_slice::<f32>().unwrap().to_vec();
        for (at, (back, sent)) in numbers.iter().zip(&metres).enumerate() {
            match at {
                0 | 1 => assert_eq!(back, sent),
                2 | 3 => assert!((back / sent - 1.0).abs() < 0.001, "{back} {sent}"),
                // Too far, not measured, or nearer than the numbers go.
                _ => assert!(back.is_nan(), "{at}: {back}"),
            }
        }
    }
}

fn depth(format: &str, file: Vec<u8>) -> CompressedImage {
    CompressedImage {
        format: format.to_owned(),
        file: file.into(),
        ..CompressedImage::default()
    }
}

fn error(message: &CompressedImage) -> CompressedImageError {
    let mut image = Image::default();
    let error = message.decompress_into(&mut image).unwrap_err();
    assert_eq!(image, Image::default(), "as it was");
    error
}

#[test]
fn what_is_no_depth_is_refused() {
    let mut picture = std::io::Cursor::new(Vec::new());
    DynamicImage::new_luma8(2, 2)
        .write_to(&mut picture, ImageFormat::Png)
        .unwrap();
    let file = [vec![0; 12], picture.into_inner()].concat();
    let said = error(&depth("16UC1; compressedDepth png", file.clone())).to_string();
    assert_eq!(
        said,
        "the image was 16UC1 before compression, but the file has pixels of L8"
    );
    for encoding in [
        "rgb8",
        "8UC1",
        "16UC2",
        "32FC2",
        "bayer_rggb16",
        "nv12",
        "16SC1",
    ] {
        let message = depth(&format!("{encoding}; compressedDepth png"), file.clone());
        assert_eq!(
            error(&message).to_string(),
            format!("a depth image is 16UC1, mono16 or 32FC1, not {encoding}")
        );
    }
    let message = depth("16UC1; compressedDepth png", file);
    assert!(matches!(
        message.to_dynamic_image(),
        Err(CompressedImageError::Depth)
    ));
    let mut colour = Image::default();
    colour.fill_pixels("rgb8", 1, 1, vec![1_u8, 2, 3]).unwrap();
    let refused =
        CompressedImage::default().compress(&colour.image().unwrap(), usual(DepthCodec::Png));
    assert!(matches!(refused, Err(CompressedImageError::NotDepth(_))));
}

#[test]
fn broken_depth_is_an_error() {
    let mut image = Image::default();
    let pixels: Vec<u16> = (0..64).map(|at| at * 100).collect();
    image.fill_pixels("16UC1", 8, 8, pixels).unwrap();
    let (message, _) = round_trip(&image, DepthCodec::Rvl);
    let file = message.file.to_vec().unwrap();
    for len in 0..file.len() {
        let cut = depth(&message.format, file[..len].to_vec());
        assert!(
            matches!(error(&cut), CompressedImageError::Broken(_)),
            "{len} bytes"
        );
    }
    for size in [[u32::MAX; 2], [1 << 16, 1 << 14]] {
        let [width, height] = size.map(u32::to_le_bytes);
        let large = [&file[..12], &width, &height, &file[20..]].concat();
        let large = error(&depth(&message.format, large));
        assert!(
            matches!(large, CompressedImageError::TooLarge { .. }),
            "{large}"
        );
    }
    // Within the limit, but the runs end before.
    let [width, height] = [4000_u32, 4000].map(u32::to_le_bytes);
    let more = [&file[..12], &width, &height, &file[20..]].concat();
    let more = error(&depth(&message.format, more));
    assert_eq!(
        more.to_string(),
        "the compressed depth is broken: its runs are not as long as the image"
    );
}

#[test]
fn a_format_of_the_encoding_alone_is_depth_as_older_publishers_wrote_it() {
    let mut image = Image::default();
    let pixels: Vec<u16> = (0..6).collect();
    image.fill_pixels("16UC1", 2, 3, pixels.clone()).unwrap();
    let (mut message, _) = round_trip(&image, DepthCodec::Png);
    message.format = "16UC1".to_owned();
    let mut back = Image::default();
    message.decompress_into(&mut back).unwrap();
    let view = back.image().unwrap();
    assert_eq!(view.tensor().unwrap().as_slice::<u16>().unwrap(), pixels);
    assert_eq!(back.encoding, "16UC1");
    let picture = message.to_dynamic_image();
    assert!(
        matches!(picture, Err(CompressedImageError::Depth)),
        "{picture:?}"
    );
    message.format = "mono16".to_owned();
    assert!(message.decompress_into(&mut back).is_err());
}
