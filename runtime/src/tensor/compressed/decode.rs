//! Files to pixels: what ROS's subscribers of compressed images do.
//!
//! A format and a file come in, pixels in the encoding before compression go out.

use std::io::Cursor;

use ::image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};

use super::CompressedParts;
use super::depth;
use super::error::CompressedImageError;
use super::format::{CompressedFormat, DepthCodec};
use super::jpeg;
use crate::buffer::Buffer;
use crate::tensor::dtype::DType;
use crate::tensor::encoding::{Encoding, PixelFormat, encoding};
use crate::tensor::image::packed_step;
use crate::tensor::samples::{Samples, swap_red_and_blue};

/// The most memory that the pixels of a compressed image take, in bytes, if nothing else is said. A picture of a single colour
/// is in a file of a thousandth of its size. What the decoder of a JPEG in several scans keeps beside them is counted as well.
pub const MOST_BYTES: u64 = 256 << 20;

/// What a decoder may take beside the pixels.
const OTHER_BYTES: u64 = 16 << 20;

/// Pixels without padding.
pub(super) struct Pixels {
    pub(super) encoding: Encoding,
    pub(super) height: u32,
    pub(super) width: u32,
    pub(super) data: Buffer<u8>,
}

impl Pixels {
    pub(super) fn step(&self) -> Result<u32, CompressedImageError> {
        Ok(packed_step(self.encoding, self.width)?)
    }
}

pub(super) fn decode(
    parts: CompressedParts<'_>,
    most: u64,
) -> Result<Pixels, CompressedImageError> {
    let format = CompressedFormat::parse(parts.format)?;
    let data = parts.data.host()?;
    if let (Some(codec), Some(encoding)) = (format.depth_codec(), format.encoding()) {
        return depth::decode(encoding, codec, &data, most);
    }
    if let Some(encoding) = depth::older(parts.format, &data) {
        return depth::decode(encoding, DepthCodec::Png, &data, most);
    }
    let mut picture = open(&data, parts.format, most)?;
    let (width, height) = (picture.width(), picture.height());
    let found = picture.color();
    let refused = |encoding: Encoding| CompressedImageError::Pixels {
        encoding: encoding.to_string(),
        found: format!("{found:?}"),
    };
    let from = u32::from(found.channel_count());
    let bits = u32::from(found.bits_per_pixel()) / from.max(1);
    let asked = match (format.encoding(), from) {
        (Some(encoding), _) => encoding,
        (None, 1 | 2) => MONO8,
        (None, 3) => BGR8,
        (None, _) => BGRA8,
    };
    let encoding = in_file(asked)
        .with_depth(bits)
        .ok_or_else(|| refused(asked))?;
    let to = encoding.channels();
    let is_possible = match to {
        1 => from < 3,
        3 | 4 => from >= 3,
        _ => false,
    };
    if !is_possible {
        return Err(refused(asked));
    }
    // What is decoded was within the limit; it may get one channel more.
    check(width, height, u64::from(to * bits / 8), most)?;
    if is_blue_first(encoding) != format.is_swapped() {
        swap_red_and_blue(&mut picture);
    }
    let samples = Samples::from_dynamic(picture).map_err(|_| refused(asked))?;
    Ok(Pixels {
        encoding,
        height,
        width,
        data: samples.with_channels(from, to).into_buffer(),
    })
}

pub(super) fn to_dynamic_image(
    parts: CompressedParts<'_>,
    most: u64,
) -> Result<DynamicImage, CompressedImageError> {
    let format = CompressedFormat::parse(parts.format)?;
    let data = parts.data.host()?;
    if format.depth_codec().is_some() || depth::older(parts.format, &data).is_some() {
        return Err(CompressedImageError::Depth);
    }
    let mut picture = open(&data, parts.format, most)?;
    if format.is_swapped() {
        swap_red_and_blue(&mut picture);
    }
    Ok(picture)
}

const MONO8: Encoding = encoding(PixelFormat::Mono, DType::U8, 1);
pub(super) const BGR8: Encoding = encoding(PixelFormat::Bgr, DType::U8, 3);
const BGRA8: Encoding = encoding(PixelFormat::Bgra, DType::U8, 4);

/// What pixels are in a file: colours as blue, green and red, where they are other colours; the others as they are.
fn in_file(encoding: Encoding) -> Encoding {
    use PixelFormat::{Bgr, Bgra, Rgb, Rgba};
    match encoding.format() {
        Rgb | Rgba | Bgr | Bgra => encoding,
        _ if encoding.is_color() => BGR8,
        _ => encoding,
    }
}

/// Whether the first of several channels is blue, as it is in pixels of OpenCV that say nothing else.
pub(super) fn is_blue_first(encoding: Encoding) -> bool {
    use PixelFormat::{Bgr, Bgra, Channels};
    matches!(encoding.format(), Bgr | Bgra | Channels)
}

/// Decodes a JPEG or PNG file.
fn open(file: &[u8], format: &str, most: u64) -> Result<DynamicImage, CompressedImageError> {
    let Ok(codec @ (ImageFormat::Jpeg | ImageFormat::Png)) = ::image::guess_format(file) else {
        return Err(CompressedImageError::Unknown {
            start: file.iter().take(4).copied().collect(),
            format: format.chars().take(64).collect(),
        });
    };
    // The decoder makes the best of a file that was cut off; half a picture is none.
    if codec == ImageFormat::Jpeg && !jpeg::is_whole(file) {
        return Err(CompressedImageError::CutOff(file.len()));
    }
    read(file, codec, most)
}

/// Decodes a file of that codec.
pub(super) fn read(
    file: &[u8],
    codec: ImageFormat,
    most: u64,
) -> Result<DynamicImage, CompressedImageError> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(most.saturating_add(OTHER_BYTES));
    let mut reader = ImageReader::with_format(Cursor::new(file), codec);
    reader.limits(limits);
    let decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    let pixel = u64::from(decoder.color_type().bytes_per_pixel());
    // Of this the decoder of JPEG files knows no limit.
    let kept = match codec {
        ImageFormat::Jpeg => jpeg::kept_per_pixel(file),
        _ => 0,
    };
    check(width, height, pixel + kept, most)?;
    Ok(DynamicImage::from_decoder(decoder)?)
}

/// Whether pixels of so many bytes are within the limit.
pub(super) fn check(
    width: u32,
    height: u32,
    pixel: u64,
    most: u64,
) -> Result<(), CompressedImageError> {
    let pixels = u64::from(width) * u64::from(height);
    match pixels.checked_mul(pixel) {
        Some(bytes) if bytes <= most => Ok(()),
        _ => Err(CompressedImageError::TooLarge {
            height,
            width,
            most,
        }),
    }
}
