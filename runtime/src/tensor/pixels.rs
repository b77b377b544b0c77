//! Images in the types of the crate `image`, and back.
//!
//! What lies as that crate wants it is lent or moved: rows with padding as `FlatSamples`, packed ones as an `ImageBuffer`, a
//! `DynamicImage` by its vector. Only [`ImageView::to_dynamic_image`] copies; it also puts red first and bytes in order.

use ::image::flat::{FlatSamples, SampleLayout};
use ::image::{DynamicImage, ExtendedColorType, ImageBuffer, PixelWithColorType};

use super::encoding::{Encoding, PixelFormat};
use super::error::TensorError;
use super::image::{ImageError, ImageMessage, ImageView};
use super::samples::{Samples, swap_red_and_blue};
use super::scalar::TensorElement;

impl<'a> ImageView<'a> {
    /// A copy in the types of `image`: grey or red, green and blue, perhaps with alpha, of 8 or 16 bits. What is blue first in the
    /// message is red first in the copy; a Bayer image is grey.
    ///
    /// # Errors
    /// [`ImageError::NoPicture`] for YUV, for channels without a meaning (but for one of 8 or 16 bits) and for other numbers; and
    /// when the host cannot read the pixels in place.
    pub fn to_dynamic_image(&self) -> Result<DynamicImage, ImageError> {
        let encoding = self.encoding();
        let refused = ImageError::NoPicture(encoding);
        if color_type(encoding).is_none() && !is_blue_first(encoding) {
            return Err(refused);
        }
        let samples = Samples::of(self.tensor()?)?;
        let picture = samples.into_dynamic(self.width(), self.height(), encoding.channels());
        let mut picture = picture.ok_or(refused)?;
        if is_blue_first(encoding) {
            swap_red_and_blue(&mut picture);
        }
        Ok(picture)
    }

    /// The numbers in place, whatever they mean, also where rows have padding.
    ///
    /// ```
    /// use image::GenericImageView as _;
    /// use rosidl_buffer_runtime::tensor::{ImageParts, ImageView};
    /// use rosidl_buffer_runtime::Buffer;
    ///
    /// let data = Buffer::from((0..16).collect::<Vec<u8>>());
    /// let parts = ImageParts { height: 2, width: 2, encoding: "rgb8", is_bigendian: false, step: 8, data: &data };
    /// let samples = ImageView::new(parts)?.as_flat_samples::<u8>()?;
    /// let view = samples.as_view::<image::Rgb<u8>>()?;
    /// assert_eq!(view.get_pixel(1, 1).0, [11, 12, 13]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the numbers are of another type, do not lie as aligned whole numbers in this machine's order, the host cannot read them
    /// in place, they lie in planes, or a pixel has more than 255 channels.
    pub fn as_flat_samples<T: TensorElement>(&self) -> Result<FlatSamples<&'a [T]>, ImageError> {
        let view = self.tensor()?;
        view.elements::<T>()?; // of this type, on the host
        if !view.is_native_order() {
            return Err(TensorError::ByteOrder.into());
        }
        let height_stride = match (self.height(), view.stride(0)) {
            (_, Some(stride)) => stride,
            (0 | 1, None) => 0, // no step is taken
            (_, None) => return Err(TensorError::Strided.into()),
        };
        let channels = self.encoding().channels();
        let layout = SampleLayout {
            channels: u8::try_from(channels).map_err(|_| ImageError::NoPicture(self.encoding()))?,
            channel_stride: 1,
            width: self.width(),
            width_stride: channels as usize,
            height: self.height(),
            height_stride,
        };
        let bytes = self.data().as_slice().unwrap_or_default();
        let bytes = bytes.get(view.byte_range()).unwrap_or_default();
        let samples = if bytes.is_empty() {
            &[]
        } else {
            let samples = T::PLAIN.cast(bytes);
            samples.ok_or(TensorError::Unaligned(T::DTYPE))?
        };
        Ok(FlatSamples {
            samples,
            layout,
            color_hint: color_type(self.encoding()).and_then(|color| color.color_type()),
        })
    }

    /// The pixels in place, where rows have no padding: `as_image_buffer::<Rgb<u8>>()` for `rgb8`, `Luma<u16>` for `mono16`, Bayer
    /// images of 16 bits and `16UC1`. The crate has no pixels that are blue first.
    ///
    /// # Errors
    /// [`ImageError::NoPicture`] when the pixels are others, and as [`as_flat_samples`](Self::as_flat_samples).
    pub fn as_image_buffer<P>(&self) -> Result<ImageBuffer<P, &'a [P::Subpixel]>, ImageError>
    where
        P: PixelWithColorType,
        P::Subpixel: TensorElement,
    {
        let refused = ImageError::NoPicture(self.encoding());
        if color_type(self.encoding()) != Some(P::COLOR_TYPE) {
            return Err(refused);
        }
        if !self.tensor()?.is_contiguous() {
            return Err(TensorError::Strided.into());
        }
        let samples = self.as_flat_samples::<P::Subpixel>()?.samples;
        ImageBuffer::from_raw(self.width(), self.height(), samples).ok_or(refused)
    }
}

/// Fills an image with a picture, whose vector is moved.
pub(super) fn fill<M: ImageMessage>(
    message: &mut M,
    picture: DynamicImage,
) -> Result<(), ImageError> {
    use DynamicImage as D;
    let (rows, cols) = (picture.height(), picture.width());
    match picture {
        D::ImageLuma8(pixels) => message.fill_pixels("mono8", rows, cols, pixels.into_raw()),
        D::ImageLumaA8(pixels) => message.fill_pixels("8UC2", rows, cols, pixels.into_raw()),
        D::ImageRgb8(pixels) => message.fill_pixels("rgb8", rows, cols, pixels.into_raw()),
        D::ImageRgba8(pixels) => message.fill_pixels("rgba8", rows, cols, pixels.into_raw()),
        D::ImageLuma16(pixels) => message.fill_pixels("mono16", rows, cols, pixels.into_raw()),
        D::ImageLumaA16(pixels) => message.fill_pixels("16UC2", rows, cols, pixels.into_raw()),
        D::ImageRgb16(pixels) => message.fill_pixels("rgb16", rows, cols, pixels.into_raw()),
        D::ImageRgba16(pixels) => message.fill_pixels("rgba16", rows, cols, pixels.into_raw()),
        D::ImageRgb32F(pixels) => message.fill_pixels("32FC3", rows, cols, pixels.into_raw()),
        D::ImageRgba32F(pixels) => message.fill_pixels("32FC4", rows, cols, pixels.into_raw()),
        other => Err(ImageError::Encoding(format!("{:?}", other.color()))),
    }
}

fn is_blue_first(encoding: Encoding) -> bool {
    matches!(encoding.format(), PixelFormat::Bgr | PixelFormat::Bgra)
}

/// What the crate `image` calls such pixels.
fn color_type(encoding: Encoding) -> Option<ExtendedColorType> {
    use ExtendedColorType as C;
    use PixelFormat::{Bayer, Channels, Mono, Rgb, Rgba};
    let is_single = encoding.channels() == 1;
    Some(match (encoding.format(), encoding.dtype().bits) {
        _ if encoding.dtype().code != u8::DTYPE.code => return None,
        (Mono | Bayer(_), 8) => C::L8,
        (Mono | Bayer(_), 16) => C::L16,
        (Channels, 8) if is_single => C::L8,
        (Channels, 16) if is_single => C::L16,
        (Rgb, 8) => C::Rgb8,
        (Rgb, 16) => C::Rgb16,
        (Rgba, 8) => C::Rgba8,
        (Rgba, 16) => C::Rgba16,
        _ => return None,
    })
}
