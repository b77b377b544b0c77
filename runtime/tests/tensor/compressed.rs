//! `sensor_msgs/CompressedImage` of JPEG and PNG files.

use image::{DynamicImage, ImageFormat, RgbImage};
use rosidl_buffer_runtime::tensor::{
    CompressedImageError, CompressedImageMessage as _, Compression, ImageMessage as _,
};

use crate::messages::{CompressedImage, Header, Image};

/// An image of different numbers, with a byte behind each row.
fn image(encoding: &str, rows: u32, cols: u32, pixel: u32) -> Image {
    let step = cols * pixel + 1;
    let bytes = (0..rows * step).map(|at| (at * 37 % 251) as u8);
    let mut image = Image::default();
    image
        .fill_image(encoding, rows, cols, step, bytes.collect::<Vec<_>>())
        .unwrap();
    image
}

fn compressed(image: &Image, compression: Compression) -> CompressedImage {
    let mut message = CompressedImage {
        header: Header {
            frame_id: "camera".to_owned(),
        },
        ..CompressedImage::default()
    };
    message
        .compress(&image.image().unwrap(), compression)
        .unwrap();
    assert_eq!(message.header.frame_id, "camera");
    message
}

fn decompressed(message: &CompressedImage) -> Image {
    let mut image = Image::default();
    message.decompress_into(&mut image).unwrap();
    image
}

/// A file that another program wrote.
fn file(format: &str, picture: &DynamicImage, codec: ImageFormat) -> CompressedImage {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, codec).unwrap();
    CompressedImage {
        format: format.to_owned(),
        file: bytes.into_inner().into(),
        ..CompressedImage::default()
    }
}

fn bytes(image: &Image) -> Vec<u8> {
    let view = image.image().unwrap();
    let pixels = view.tensor().unwrap();
    match pixels.dtype().bits {
        8 => pixels.elements::<u8>().unwrap().to_vec().unwrap(),
        _ => pixels
            .elements::<u16>()
            .unwrap()
            .iter()
            .flat_map(u16::to_le_bytes)
            .collect(),
    }
}

fn error(message: &CompressedImage) -> CompressedImageError {
    let mut image = Image::default();
    let error = message.decompress_into(&mut image).unwrap_err();
    assert_eq!(image, Image::default(), "as it was");
    error
}

#[test]
fn png_brings_every_pixel_back() {
    for (encoding, pixel, format) in [
        ("mono8", 1, "mono8; png compressed "),
        ("mono16", 2, "mono16; png compressed "),
        ("8UC1", 1, "8UC1; png compressed "),
        ("16UC1", 2, "16UC1; png compressed "),
        ("8UC3", 3, "8UC3; png compressed "),
        ("16UC3", 6, "16UC3; png compressed "),
        ("bayer_rggb8", 1, "bayer_rggb8; png compressed "),
        ("bayer_grbg16", 2, "bayer_grbg16; png compressed "),
        ("rgb8", 3, "rgb8; png compressed bgr8"),
        ("bgr8", 3, "bgr8; png compressed bgr8"),
        ("rgb16", 6, "rgb16; png compressed bgr16"),
        ("bgr16", 6, "bgr16; png compressed bgr16"),
    ] {
        let mut image = image(encoding, 5, 7, pixel);
        let message = compressed(&image, Compression::Png);
        assert_eq!(message.format, format);
        let back = decompressed(&message);
        assert_eq!(back.encoding, encoding);
        assert_eq!((back.height, back.width, back.step), (5, 7, 7 * pixel));
        assert_eq!(bytes(&back), bytes(&image), "{encoding}");
        if pixel == 2 {
            image.is_bigendian ^= 1; // read in the other order, written in this one
            let back = decompressed(&compressed(&image, Compression::Png));
            assert_eq!(bytes(&back), bytes(&image), "{encoding}");
        }
    }
}

#[test]
fn alpha_is_left_out_and_comes_back_opaque() {
    for (encoding, compressed_as) in [("rgba8", "bgr8"), ("bgra8", "bgr8")] {
        let image = image(encoding, 2, 3, 4);
        let message = compressed(&image, Compression::Png);
        assert_eq!(
            message.format,
            format!("{encoding}; png compressed {compressed_as}")
        );
        let back = decompressed(&message);
        assert_eq!(back.encoding, encoding);
        let (back, sent) = (bytes(&back), bytes(&image));
        for (back, sent) in back.chunks(4).zip(sent.chunks(4)) {
            assert_eq!((&back[..3], back[3]), (&sent[..3], 255));
        }
    }
}

#[test]
fn files_have_the_colours_that_others_see() {
    for encoding in ["rgb8", "bgr8", "8UC3"] {
        let red = if encoding == "rgb8" {
            [255, 0, 0]
        } else {
            [0, 0, 255]
        };
        let mut image = Image::default();
        let pixels = red.repeat(16 * 16);
        image.fill_pixels(encoding, 16, 16, pixels).unwrap();
        for compression in [Compression::Png, Compression::Jpeg { quality: 95 }] {
            let message = compressed(&image, compression);
            let picture = image::load_from_memory(message.file.as_slice().unwrap());
            let pixel = picture.unwrap().to_rgb8().get_pixel(8, 8).0;
            assert!(
                pixel[0] > 245 && pixel[1] < 10 && pixel[2] < 10,
                "{pixel:?}"
            );
            let pixel = message
                .to_dynamic_image()
                .unwrap()
                .to_rgb8()
                .get_pixel(8, 8)
                .0;
            assert!(
                pixel[0] > 245 && pixel[1] < 10 && pixel[2] < 10,
                "{pixel:?}"
            );
            let back = bytes(&decompressed(&message));
            for (back, sent) in back.iter().zip(red) {
                assert!(back.abs_diff(sent) < 10, "{encoding} {compression:?}");
            }
        }
    }
    let grey = image("mono8", 8, 8, 1);
    let message = compressed(&grey, Compression::Jpeg { quality: 80 });
    assert_eq!(message.format, "mono8; jpeg compressed ");
    assert_eq!(decompressed(&message).encoding, "mono8");
}

#[test]
fn formats_of_others_are_read() {
    let orange = RgbImage::from_pixel(2, 1, image::Rgb([255, 128, 0]));
    let orange = DynamicImage::ImageRgb8(orange);
    let with = |format: &str| {
        let image = decompressed(&file(format, &orange, ImageFormat::Png));
        (image.encoding.clone(), bytes(&image)[..3].to_vec())
    };
    // What says nothing is blue first, as for ROS's subscribers.
    assert_eq!(with("png"), ("bgr8".to_owned(), vec![0, 128, 255]));
    assert_eq!(
        with("jpeg"),
        ("bgr8".to_owned(), vec![0, 128, 255]),
        "the file counts"
    );
    assert_eq!(
        with("rgb8; png compressed bgr8"),
        ("rgb8".to_owned(), vec![255, 128, 0])
    );
    // Red and blue were handed over as blue and red, unless it says something else.
    assert_eq!(
        with("rgb8; png compressed "),
        ("rgb8".to_owned(), vec![0, 128, 255])
    );
    assert_eq!(
        with("rgb8; png compressed rgb8"),
        ("rgb8".to_owned(), vec![0, 128, 255])
    );
    assert_eq!(
        with("bgr8; png compressed rgb8"),
        ("bgr8".to_owned(), vec![255, 128, 0])
    );
    let swapped = file("bgr8; png compressed rgb8", &orange, ImageFormat::Png);
    let picture = swapped.to_dynamic_image().unwrap().to_rgb8();
    assert_eq!(picture.get_pixel(0, 0).0, [0, 128, 255]);
    // YUV was made blue, green and red before it was compressed.
    assert_eq!(
        with("yuv422; jpeg compressed bgr8"),
        ("bgr8".to_owned(), vec![0, 128, 255])
    );
    // Eight bits of sixteen.
    assert_eq!(
        with("rgb16; jpeg compressed bgr8"),
        ("rgb8".to_owned(), vec![255, 128, 0])
    );

    let encoding = |format: &str, picture: DynamicImage| {
        decompressed(&file(format, &picture, ImageFormat::Png)).encoding
    };
    assert_eq!(encoding("", DynamicImage::new_luma8(1, 1)), "mono8");
    assert_eq!(encoding("", DynamicImage::new_luma_a8(1, 1)), "mono8");
    assert_eq!(encoding("", DynamicImage::new_luma16(1, 1)), "mono16");
    assert_eq!(encoding("", DynamicImage::new_rgb16(1, 1)), "bgr16");
    assert_eq!(encoding("", DynamicImage::new_rgba8(1, 1)), "bgra8");
    let grey = DynamicImage::new_luma8(1, 1);
    assert_eq!(encoding("mono16; jpeg compressed ", grey.clone()), "mono8");
    assert_eq!(
        encoding("bayer_gbrg16; jpeg compressed ", grey),
        "bayer_gbrg8"
    );
}

#[test]
fn files_that_are_not_what_was_compressed_are_refused() {
    let grey = DynamicImage::new_luma8(2, 2);
    let colour = DynamicImage::new_rgb8(2, 2);
    for (format, picture) in [
        ("rgb8; png compressed bgr8", &grey),
        ("mono8; png compressed ", &colour),
        ("32FC1; png compressed ", &grey),
        ("16SC1; png compressed ", &grey),
        ("8UC2; png compressed ", &colour),
        ("8UC7; png compressed ", &colour),
    ] {
        let error = error(&file(format, picture, ImageFormat::Png));
        assert!(
            matches!(error, CompressedImageError::Pixels { .. }),
            "{format}: {error}"
        );
    }
    let message = file("rgb8; png compressed bgr8", &grey, ImageFormat::Png);
    assert_eq!(
        error(&message).to_string(),
        "the image was rgb8 before compression, but the file has pixels of L8"
    );
    let message = CompressedImage {
        format: "h264".repeat(99),
        file: vec![0, 0, 0, 1, 0x65].into(),
        ..CompressedImage::default()
    };
    let said = error(&message).to_string();
    assert!(
        said.starts_with(
            "the data is neither a JPEG nor a PNG file: it starts with [00, 00, 00, 01]"
        ),
        "{said}"
    );
    assert!(said.len() < 200, "{said}");
    assert!(matches!(
        error(&CompressedImage::default()),
        CompressedImageError::Unknown { .. }
    ));
}

#[test]
fn broken_files_are_errors() {
    let image = image("rgb8", 16, 16, 3);
    for compression in [Compression::Png, Compression::Jpeg { quality: 90 }] {
        let message = compressed(&image, compression);
        let file = message.file.to_vec().unwrap();
        for len in 0..file.len() - 1 {
            // The four bytes of a PNG's last checksum are not missed.
            let is_whole = compression == Compression::Png && len + 12 >= file.len();
            let cut = CompressedImage {
                file: file[..len].into(),
                ..message.clone()
            };
            let result = cut.decompress_into(&mut Image::default());
            assert!(
                result.is_err() || is_whole,
                "{compression:?} of {len} bytes"
            );
        }
        for at in 0..file.len() {
            let mut file = file.clone();
            file[at] ^= 0x55;
            let changed = CompressedImage {
                file: file.into(),
                ..message.clone()
            };
            let _ = changed.decompress_into(&mut Image::default()); // no panic is all that can be said
        }
    }
}

#[test]
fn small_files_get_no_large_memory() {
    // Its header says 60,000 by 60,000 pixels; the rest of the file is of two by two.
    let mut message = file("png", &DynamicImage::new_rgb8(2, 2), ImageFormat::Png);
    let bytes = message.file.make_mut().unwrap();
    for at in [16, 20] {
        bytes[at..at + 4].copy_from_slice(&60_000_u32.to_be_bytes());
    }
    let checksum = crc(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    let said = error(&message).to_string();
    assert_eq!(
        said,
        "60000 rows of 60000 pixels take more than 268435456 bytes; `decompress_within` sets another limit"
    );
    assert!(matches!(
        message.to_dynamic_image(),
        Err(CompressedImageError::TooLarge { .. })
    ));

    let mut image = Image::default();
    let message = file("png", &DynamicImage::new_rgb8(20, 10), ImageFormat::Png);
    message.decompress_within(&mut image, 600).unwrap();
    let refused = message.decompress_within(&mut image, 599);
    assert!(matches!(
        refused,
        Err(CompressedImageError::TooLarge { most: 599, .. })
    ));
    let message = file(
        "rgba8; png compressed bgr8",
        &DynamicImage::new_rgb8(20, 10),
        ImageFormat::Jpeg,
    );
    message.decompress_within(&mut image, 800).unwrap();
    let refused = message.decompress_within(&mut image, 799);
    assert!(matches!(
        refused,
        Err(CompressedImageError::TooLarge { .. })
    ));
}

/// The checksum of PNG.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

#[test]
fn pixels_that_a_codec_does_not_have_are_refused() {
    let refused = |encoding: &str, pixel: u32, compression: Compression| {
        let image = image(encoding, 2, 2, pixel);
        let mut message = CompressedImage::default();
        let error = message.compress(&image.image().unwrap(), compression);
        assert_eq!(message, CompressedImage::default());
        error.unwrap_err().to_string()
    };
    let jpeg = Compression::Jpeg { quality: 95 };
    assert_eq!(
        refused("mono16", 2, jpeg),
        "JPEG has no pixels of mono16: take PNG for 16 bits"
    );
    assert_eq!(
        refused("yuyv", 2, jpeg),
        "JPEG has no pixels of yuyv: make it rgb8 first"
    );
    for (encoding, pixel) in [("8UC2", 2), ("8UC4", 4), ("16UC5", 10)] {
        let said = refused(encoding, pixel, Compression::Png);
        assert_eq!(
            said,
            format!("PNG has no pixels of {encoding}: take one channel or three")
        );
    }
    assert!(refused("32FC1", 4, Compression::Png).contains("without sign"));
    assert!(refused("8SC1", 1, jpeg).contains("without sign"));
    let mut planar = Image::default();
    planar.fill_image("nv12", 2, 2, 2, vec![0; 6]).unwrap();
    let said = CompressedImage::default().compress(&planar.image().unwrap(), jpeg);
    assert!(said.unwrap_err().to_string().contains("make it rgb8 first"));
    let mut empty = Image::default();
    empty.fill_image("rgb8", 0, 0, 0, Vec::new()).unwrap();
    let empty = CompressedImage::default().compress(&empty.image().unwrap(), Compression::Png);
    assert!(matches!(empty, Err(CompressedImageError::File(_))));
}
