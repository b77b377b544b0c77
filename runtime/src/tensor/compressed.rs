//! `sensor_msgs/CompressedImage`: what its `format` says, and with the feature `image` its pixels.
//!
//! A text and a file come in, as ROS's plugins `compressed_image_transport` and `compressed_depth_image_transport` write
//! them; an image message or a `DynamicImage` goes out, and the other way round. The files come from strangers: how much
//! memory one may take is limited before it is decoded. Files of other plugins, such as video, are refused.

#[cfg(feature = "image")]
mod decode;
#[cfg(feature = "image")]
mod depth;
#[cfg(feature = "image")]
mod encode;
mod error;
mod format;
#[cfg(feature = "image")]
mod jpeg;
#[cfg(feature = "image")]
mod rvl;

pub use error::CompressedImageError;
pub use format::{CompressedFormat, DepthCodec};

#[cfg(feature = "image")]
use super::image::{ImageMessage, ImageView};
use crate::buffer::Buffer;
use crate::message::Message;
#[cfg(feature = "image")]
pub use decode::MOST_BYTES;
#[cfg(feature = "image")]
pub use encode::Compression;

/// The fields of a compressed image but its header, as they are in the message.
#[derive(Debug, Clone, Copy)]
pub struct CompressedParts<'a> {
    /// How the data is to be read.
    pub format: &'a str,
    /// A file.
    pub data: &'a Buffer<u8>,
}

/// `sensor_msgs/msg/CompressedImage`, whose struct may come from any crate.
#[cfg_attr(
    feature = "image",
    doc = r#"
# Example
```
use rosidl_buffer_runtime::{Buffer, BufferMessage};
use rosidl_buffer_runtime::tensor::{CompressedImageMessage, Compression, ImageMessage};
# #[derive(Clone, BufferMessage)]
# #[ros2(package = "std_msgs")]
# struct Header { frame_id: String }

#[derive(Clone, BufferMessage)]
#[ros2(package = "sensor_msgs")]
struct CompressedImage { header: Header, format: String, data: Buffer<u8> }
# #[derive(Clone, BufferMessage)]
# #[ros2(package = "sensor_msgs")]
# struct Image { header: Header, height: u32, width: u32, encoding: String, is_bigendian: u8, step: u32, data: Buffer<u8> }

let mut image = Image::default();
image.fill_pixels("bgr8", 1, 2, vec![255_u8, 0, 0, 0, 0, 255])?; // blue, red
let mut compressed = CompressedImage::default();
compressed.compress(&image.image()?, Compression::Png)?;
assert_eq!(compressed.format, "bgr8; png compressed bgr8");

let mut received = Image { header: compressed.header.clone(), ..Image::default() };
compressed.decompress_into(&mut received)?;
assert_eq!((&received.encoding, &received.data), (&image.encoding, &image.data));
assert_eq!(compressed.to_dynamic_image()?.to_rgb8().get_pixel(1, 0).0, [255, 0, 0]);
# Ok::<(), Box<dyn std::error::Error>>(())
```"#
)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `sensor_msgs/msg/CompressedImage`",
    note = "it has the fields `header`, `format: String` and `data: Buffer<u8>`"
)]
pub trait CompressedImageMessage: Message {
    /// The fields as they are, unchecked.
    fn parts(&self) -> CompressedParts<'_>;

    /// Replaces all fields but the header, unchecked. The data is shared, not copied.
    fn set_parts(&mut self, parts: CompressedParts<'_>);

    /// What `format` says.
    ///
    /// # Errors
    /// As [`CompressedFormat::parse`].
    fn compressed_format(&self) -> Result<CompressedFormat, CompressedImageError> {
        CompressedFormat::parse(self.parts().format)
    }

    /// Decodes into all fields of an image but its header, in the encoding that the image had before it was compressed. Two things
    /// differ where the file cannot hold them: channels have as many bits as in the file, so that a `mono16` that was sent as
    /// JPEG is a `mono8`; and what was YUV is `bgr8`. No more than [`MOST_BYTES`] of memory are taken for the pixels.
    ///
    /// # Errors
    /// When the format is not known, the data is no JPEG or PNG file (depth: PNG or RVL) or a broken one, its channels are not
    /// those of the encoding, or it is too large; the image is as it was then.
    #[cfg(feature = "image")]
    fn decompress_into<M: ImageMessage>(&self, image: &mut M) -> Result<(), CompressedImageError> {
        self.decompress_within(image, MOST_BYTES)
    }

    /// As [`decompress_into`](Self::decompress_into), with another limit in bytes for the memory that the pixels take.
    ///
    /// # Errors
    /// As [`decompress_into`](Self::decompress_into).
    #[cfg(feature = "image")]
    fn decompress_within<M: ImageMessage>(
        &self,
        image: &mut M,
        most_bytes: u64,
    ) -> Result<(), CompressedImageError> {
        let pixels = decode::decode(self.parts(), most_bytes)?;
        Ok(image.fill_image(
            &pixels.encoding.to_string(),
            pixels.height,
            pixels.width,
            pixels.step()?,
            pixels.data,
        )?)
    }

    /// Decodes to the types of the crate `image`: what a viewer shows. Channels are red first, whatever the message had before.
    ///
    /// # Errors
    /// As [`decompress_into`](Self::decompress_into), and for depth images, which are numbers and not colours.
    #[cfg(feature = "image")]
    fn to_dynamic_image(&self) -> Result<::image::DynamicImage, CompressedImageError> {
        decode::to_dynamic_image(self.parts(), MOST_BYTES)
    }

    /// Compresses an image into all fields but the header. Alpha is left out, as ROS's plugin does.
    ///
    /// # Errors
    /// When the codec has no such pixels: JPEG has 8 bits, PNG 8 and 16, depth is one channel of 16 bits or `f32`; for YUV and
    /// planar images; and when the host cannot read the pixels in place. The message is as it was then.
    #[cfg(feature = "image")]
    fn compress(
        &mut self,
        image: &ImageView<'_>,
        compression: Compression,
    ) -> Result<(), CompressedImageError> {
        let (format, file) = encode::encode(image, compression)?;
        let (format, data) = (format.as_str(), &file.into());
        self.set_parts(CompressedParts { format, data });
        Ok(())
    }
}
