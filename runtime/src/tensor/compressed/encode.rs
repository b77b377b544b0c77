//! Pixels to files: what ROS's publishers of compressed images do.
//!
//! A checked image comes in; the format and the file that ROS's subscribers expect go out.

use ::image::codecs::jpeg::JpegEncoder;
use ::image::codecs::png::PngEncoder;
use ::image::{DynamicImage, ExtendedColorType, ImageEncoder as _};

use super::decode::{BGR8, is_blue_first};
use super::depth::{self, Inverse};
use super::error::CompressedImageError;
use super::format::DepthCodec;
use super::rvl;
use crate::tensor::dtype::DType;
use crate::tensor::encoding::PixelFormat;
use crate::tensor::image::{ImageError, ImageView};
use crate::tensor::samples::{Samples, swap_red_and_blue};
use crate::tensor::scalar::TensorElement as _;

/// How an image is to be compressed.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Compression {
    /// With losses, 8 bits. ROS's plugin uses quality 95.
    Jpeg {
        /// 1 to 100, the best.
        quality: u8,
    },
    /// Without losses, 8 or 16 bits.
    Png,
    /// Depth: millimetres in 16 bits without losses, or metres as `f32`, whose inverse is kept in 16 bits. What is farther away
    /// than `max` metres is left out: it comes back as 0, or as no number (NaN). ROS's plugin uses 10 and 100.
    Depth {
        /// How the numbers are compressed.
        codec: DepthCodec,
        /// The farthest distance, in metres.
        max: f32,
        /// For `f32` only: the larger, the finer what is near.
        quantization: f32,
    },
}

/// The format, and the file.
pub(super) fn encode(
    image: &ImageView<'_>,
    compression: Compression,
) -> Result<(String, Vec<u8>), CompressedImageError> {
    let encoding = image.encoding();
    let mut file = Vec::new();
    let format = match compression {
        Compression::Jpeg { quality } => {
            let encoder = JpegEncoder::new_with_quality(&mut file, quality.clamp(1, 100));
            picture("JPEG", image)?.write_with_encoder(encoder)?;
            "jpeg compressed"
        }
        Compression::Png => {
            picture("PNG", image)?.write_with_encoder(PngEncoder::new(&mut file))?;
            "png compressed"
        }
        Compression::Depth {
            codec,
            max,
            quantization,
        } => {
            let (name, file) = encode_depth(image, codec, max, quantization)?;
            return Ok((format!("{encoding}; compressedDepth {name}"), file));
        }
    };
    // Other images than those in colour have a space and nothing behind it.
    let pixels = if encoding.is_color() {
        BGR8.with_depth(encoding.bit_depth().into())
    } else {
        None
    };
    let pixels = pixels.map_or_else(String::new, |pixels| pixels.to_string());
    Ok((format!("{encoding}; {format} {pixels}"), file))
}

/// What the encoders take.
fn picture(
    codec: &'static str,
    image: &ImageView<'_>,
) -> Result<DynamicImage, CompressedImageError> {
    let encoding = image.encoding();
    let refused = |help| CompressedImageError::NoSuchPixels {
        codec,
        encoding: encoding.to_string(),
        help,
    };
    if matches!(encoding.format(), PixelFormat::Uyvy | PixelFormat::Yuyv) || encoding.is_planar() {
        return Err(refused("make it rgb8 first"));
    }
    match encoding.dtype() {
        DType::U8 => {}
        DType::U16 if codec == "PNG" => {}
        DType::U16 => return Err(refused("take PNG for 16 bits")),
        _ => {
            return Err(refused(
                "take integers of 8 bits without sign, for PNG also of 16",
            ));
        }
    }
    let (from, to) = (encoding.channels(), encoding.channels().min(3));
    let is_known = matches!(from, 1 | 3) || encoding.has_alpha();
    let samples = Samples::of(image.tensor()?).map_err(ImageError::from)?;
    let samples = samples.with_channels(from, to);
    let picture = samples.into_dynamic(image.width(), image.height(), to);
    let picture = picture.filter(|_| is_known);
    let mut picture = picture.ok_or_else(|| refused("take one channel or three"))?;
    if is_blue_first(encoding) {
        swap_red_and_blue(&mut picture);
    }
    Ok(picture)
}

/// The name of the codec, and the file with its header.
fn encode_depth(
    image: &ImageView<'_>,
    codec: DepthCodec,
    max: f32,
    quantization: f32,
) -> Result<(&'static str, Vec<u8>), CompressedImageError> {
    let inverse = Inverse::new(max, quantization);
    let is_metres = depth::is_metres(image.encoding())?;
    let view = image.tensor()?;
    let numbers: Vec<u16> = if is_metres {
        let metres = view.elements::<f32>().map_err(ImageError::from)?;
        let metres = metres.iter();
        metres.map(|metres| inverse.number(metres, max)).collect()
    } else {
        let millimetres = view.elements::<u16>().map_err(ImageError::from)?;
        let near = |number: u16| {
            if f32::from(number) > max * 1000.0 {
                0
            } else {
                number
            }
        };
        millimetres.iter().map(near).collect()
    };
    let (width, height) = (image.width(), image.height());
    let mut file = inverse.header().to_vec();
    let name = match codec {
        DepthCodec::Png => {
            let bytes = u16::PLAIN.bytes(&numbers).unwrap_or_default(); // all numbers are plain
            let encoder = PngEncoder::new(&mut file);
            encoder.write_image(bytes, width, height, ExtendedColorType::L16)?;
            "png"
        }
        DepthCodec::Rvl => {
            file.extend(width.to_le_bytes());
            file.extend(height.to_le_bytes());
            file.extend(rvl::encode(&numbers));
            "rvl"
        }
    };
    Ok((name, file))
}
