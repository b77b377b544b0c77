//! Depth images as `compressed_depth_image_transport` has them: a header of twelve bytes, then a PNG file or RVL.
//!
//! Millimetres are numbers of 16 bits and are compressed as they are; metres are `f32` and become their inverse in 16 bits, so
//! that what is near is exact. Where nothing was measured there is 0, which in metres is no number (NaN).

use ::image::{DynamicImage, ImageFormat};

use super::decode::{Pixels, check, read};
use super::error::CompressedImageError;
use super::format::DepthCodec;
use super::rvl;
use crate::tensor::dtype::DType;
use crate::tensor::encoding::{Encoding, PixelFormat};
use crate::tensor::scalar::into_buffer;

/// A number for the kind of compression, which nobody reads, and the parameters of the inverse.
const HEADER: usize = 12;

/// How metres become numbers of 16 bits: `a / metres + b`.
#[derive(Clone, Copy)]
pub(super) struct Inverse {
    a: f32,
    b: f32,
}

impl Inverse {
    /// The parameters for depth of at most `max` metres.
    pub(super) fn new(max: f32, quantization: f32) -> Self {
        let a = quantization * (quantization + 1.0);
        let b = 1.0 - a / max;
        Self { a, b }
    }

    fn metres(self, number: u16) -> f32 {
        match number {
            0 => f32::NAN,
            _ => self.a / (f32::from(number) - self.b),
        }
    }

    /// 0 for what is too near, too far, or was not measured.
    pub(super) fn number(self, metres: f32, max: f32) -> u16 {
        let number = self.a / metres + self.b;
        if metres > 0.0 && metres < max && number <= f32::from(u16::MAX) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it fits; digits behind the point are cut off, as ROS's plugin does"
            )]
            return number as u16;
        }
        0
    }

    pub(super) fn header(self) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[4..8].copy_from_slice(&self.a.to_le_bytes());
        header[8..].copy_from_slice(&self.b.to_le_bytes());
        header
    }
}

/// Whether these are metres; an error if they are no depth at all.
pub(super) fn is_metres(encoding: Encoding) -> Result<bool, CompressedImageError> {
    let is_single = matches!(encoding.format(), PixelFormat::Mono | PixelFormat::Channels)
        && encoding.channels() == 1;
    match encoding.dtype() {
        DType::F32 if is_single => Ok(true),
        DType::U16 if is_single => Ok(false),
        _ => Err(CompressedImageError::NotDepth(encoding.to_string())),
    }
}

/// The encoding, where the format says nothing but that, as older publishers of depth wrote it.
pub(super) fn older(format: &str, data: &[u8]) -> Option<Encoding> {
    let encoding = ["16UC1", "32FC1"].contains(&format).then_some(format)?;
    let file = data.get(HEADER..)?;
    file.starts_with(b"\x89PNG\r\n\x1a\n")
        .then(|| Encoding::parse(encoding))?
}

pub(super) fn decode(
    encoding: Encoding,
    codec: DepthCodec,
    data: &[u8],
    most: u64,
) -> Result<Pixels, CompressedImageError> {
    let is_metres = is_metres(encoding)?;
    let (header, file) = data
        .split_first_chunk::<HEADER>()
        .ok_or(CompressedImageError::Broken("it has less than a header"))?;
    let [_, _, _, _, a @ .., b0, b1, b2, b3] = *header;
    let inverse = Inverse {
        a: f32::from_le_bytes(a),
        b: f32::from_le_bytes([b0, b1, b2, b3]),
    };
    let (width, height, numbers) = match codec {
        DepthCodec::Png => match read(file, ImageFormat::Png, most)? {
            DynamicImage::ImageLuma16(pixels) => {
                (pixels.width(), pixels.height(), pixels.into_raw())
            }
            other => {
                return Err(CompressedImageError::Pixels {
                    encoding: encoding.to_string(),
                    found: format!("{:?}", other.color()),
                });
            }
        },
        DepthCodec::Rvl => read_rvl(file, most)?,
    };
    let size = if is_metres { 4 } else { 2 };
    check(width, height, size, most)?;
    let data = if is_metres {
        let metres = numbers.into_iter().map(|number| inverse.metres(number));
        into_buffer(metres.collect::<Vec<f32>>())
    } else {
        into_buffer(numbers)
    };
    Ok(Pixels {
        encoding,
        height,
        width,
        data,
    })
}

fn read_rvl(file: &[u8], most: u64) -> Result<(u32, u32, Vec<u16>), CompressedImageError> {
    let (width, file) = file
        .split_first_chunk()
        .ok_or(CompressedImageError::Broken("it has no width"))?;
    let (height, file) = file
        .split_first_chunk()
        .ok_or(CompressedImageError::Broken("it has no height"))?;
    let (width, height) = (u32::from_le_bytes(*width), u32::from_le_bytes(*height));
    check(width, height, 2, most)?;
    let pixels = usize::try_from(u64::from(width) * u64::from(height));
    let numbers = pixels.ok().and_then(|pixels| rvl::decode(file, pixels));
    let numbers = numbers.ok_or(CompressedImageError::Broken(
        "its runs are not as long as the image",
    ))?;
    Ok((width, height, numbers))
}
