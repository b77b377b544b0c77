//! Pixels on their way between messages and the crate `image`: numbers of 8 or 16 bits in vectors, which are moved where nothing
//! has to change.
//!
//! A view or a picture comes in, a buffer or a picture goes out. What the numbers mean is known elsewhere.

use ::image::{DynamicImage, ImageBuffer, Pixel};

use super::error::TensorError;
use super::scalar::{TensorElement, into_buffer};
use super::view::TensorView;
use crate::buffer::Buffer;

/// Numbers of all channels of all pixels, row by row without padding.
pub(super) enum Samples {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
}

impl Samples {
    /// A copy of what a view shows.
    pub(super) fn of(view: TensorView<'_>) -> Result<Self, TensorError> {
        Ok(if view.dtype() == u16::DTYPE {
            Self::Words(view.elements()?.to_vec()?)
        } else {
            Self::Bytes(view.elements()?.to_vec()?)
        })
    }

    /// The numbers of a picture; the picture, if it has others.
    pub(super) fn from_dynamic(picture: DynamicImage) -> Result<Self, DynamicImage> {
        Ok(match picture {
            DynamicImage::ImageLuma8(pixels) => Self::Bytes(pixels.into_raw()),
            DynamicImage::ImageLumaA8(pixels) => Self::Bytes(pixels.into_raw()),
            DynamicImage::ImageRgb8(pixels) => Self::Bytes(pixels.into_raw()),
            DynamicImage::ImageRgba8(pixels) => Self::Bytes(pixels.into_raw()),
            DynamicImage::ImageLuma16(pixels) => Self::Words(pixels.into_raw()),
            DynamicImage::ImageLumaA16(pixels) => Self::Words(pixels.into_raw()),
            DynamicImage::ImageRgb16(pixels) => Self::Words(pixels.into_raw()),
            DynamicImage::ImageRgba16(pixels) => Self::Words(pixels.into_raw()),
            other => return Err(other),
        })
    }

    /// A picture of one channel, or of red, green, blue and perhaps alpha; `None` for other channels and for too few numbers.
    pub(super) fn into_dynamic(
        self,
        width: u32,
        height: u32,
        channels: u32,
    ) -> Option<DynamicImage> {
        fn buffer<P: Pixel>(
            width: u32,
            height: u32,
            samples: Vec<P::Subpixel>,
        ) -> Option<ImageBuffer<P, Vec<P::Subpixel>>> {
            ImageBuffer::from_raw(width, height, samples)
        }
        let size = (width, height);
        Some(match (self, channels, size) {
            (Self::Bytes(samples), 1, (w, h)) => DynamicImage::ImageLuma8(buffer(w, h, samples)?),
            (Self::Bytes(samples), 3, (w, h)) => DynamicImage::ImageRgb8(buffer(w, h, samples)?),
            (Self::Bytes(samples), 4, (w, h)) => DynamicImage::ImageRgba8(buffer(w, h, samples)?),
            (Self::Words(samples), 1, (w, h)) => DynamicImage::ImageLuma16(buffer(w, h, samples)?),
            (Self::Words(samples), 3, (w, h)) => DynamicImage::ImageRgb16(buffer(w, h, samples)?),
            (Self::Words(samples), 4, (w, h)) => DynamicImage::ImageRgba16(buffer(w, h, samples)?),
            _ => return None,
        })
    }

    pub(super) fn into_buffer(self) -> Buffer<u8> {
        match self {
            Self::Bytes(samples) => into_buffer(samples),
            Self::Words(samples) => into_buffer(samples),
        }
    }

    /// Pixels of `to` channels from pixels of `from`: alpha is left out, or opaque where it is new.
    pub(super) fn with_channels(self, from: u32, to: u32) -> Self {
        match self {
            Self::Bytes(samples) => Self::Bytes(with_channels(samples, from, to, u8::MAX)),
            Self::Words(samples) => Self::Words(with_channels(samples, from, to, u16::MAX)),
        }
    }
}

fn with_channels<T: Copy>(samples: Vec<T>, from: u32, to: u32, opaque: T) -> Vec<T> {
    match (from, to) {
        (2, 1) => samples
            .as_chunks()
            .0
            .iter()
            .map(|&[grey, _]| grey)
            .collect(),
        (4, 3) => {
            let pixels = samples.as_chunks().0.iter();
            let pixels = pixels.flat_map(|&[first, second, third, _]| [first, second, third]);
            pixels.collect()
        }
        (3, 4) => {
            let pixels = samples.as_chunks().0.iter();
            let pixels = pixels.flat_map(|&[first, second, third]| [first, second, third, opaque]);
            pixels.collect()
        }
        _ => samples,
    }
}

/// The first and third channel of a picture in colour change places.
pub(super) fn swap_red_and_blue(picture: &mut DynamicImage) {
    match picture {
        DynamicImage::ImageRgb8(pixels) => pixels.pixels_mut().for_each(|p| p.0.swap(0, 2)),
        DynamicImage::ImageRgba8(pixels) => pixels.pixels_mut().for_each(|p| p.0.swap(0, 2)),
        DynamicImage::ImageRgb16(pixels) => pixels.pixels_mut().for_each(|p| p.0.swap(0, 2)),
        DynamicImage::ImageRgba16(pixels) => pixels.pixels_mut().for_each(|p| p.0.swap(0, 2)),
        _ => {} // grey
    }
}
