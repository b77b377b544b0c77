//! The `format` of a compressed image: a text comes in; what the pixels were, and how they are compressed, goes out.

use super::error::CompressedImageError;
use crate::tensor::encoding::{Encoding, PixelFormat};
use crate::tensor::image::known;

/// How a depth image is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DepthCodec {
    /// A PNG file of 16 bits.
    Png,
    /// Lengths of runs, and differences in few bits.
    Rvl,
}

/// What the `format` of a `sensor_msgs/CompressedImage` says. The codec of an image that is not a depth image is seen in the data:
/// many publishers write only `jpeg`, and some are wrong.
///
/// ```
/// use rosidl_buffer_runtime::tensor::{CompressedFormat, DepthCodec, Encoding};
///
/// let format = CompressedFormat::parse("bgr8; jpeg compressed bgr8")?;
/// assert_eq!((format.encoding(), format.depth_codec()), (Encoding::parse("bgr8"), None));
/// let format = CompressedFormat::parse("16UC1; compressedDepth rvl")?;
/// assert_eq!(format.depth_codec(), Some(DepthCodec::Rvl));
/// assert_eq!(CompressedFormat::parse("jpeg")?.encoding(), None);
/// # Ok::<(), rosidl_buffer_runtime::tensor::CompressedImageError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressedFormat {
    encoding: Option<Encoding>,
    depth: Option<DepthCodec>,
    is_swapped: bool,
}

impl CompressedFormat {
    /// Reads a format, as ROS's plugins write it and older ones did.
    ///
    /// # Errors
    /// When the image before compression had an encoding that ROS 2 does not know, or depth is compressed in another way.
    pub fn parse(format: &str) -> Result<Self, CompressedImageError> {
        let Some((encoding, compressed)) = format.split_once(';') else {
            return Ok(Self {
                encoding: None,
                depth: None,
                is_swapped: false,
            });
        };
        let depth = match compressed.split_once("compressedDepth") {
            None => None,
            Some((_, codec)) => match codec.trim() {
                "" | "png" => Some(DepthCodec::Png), // without a name before there were others
                "rvl" => Some(DepthCodec::Rvl),
                other => {
                    let other = other.chars().take(64).collect();
                    return Err(CompressedImageError::DepthCodec(other));
                }
            },
        };
        let encoding = known(encoding.trim())?;
        Ok(Self {
            encoding: Some(encoding),
            depth,
            is_swapped: depth.is_none()
                && has_red_and_blue(encoding)
                && !compressed.contains("compressed bgr"),
        })
    }

    /// The encoding before compression; `None` if the text says nothing about it.
    pub fn encoding(&self) -> Option<Encoding> {
        self.encoding
    }

    /// How depth is compressed; `None` for an image that is not a depth image.
    pub fn depth_codec(&self) -> Option<DepthCodec> {
        self.depth
    }

    /// Whether red and blue have changed places in the file: so it is where pixels were handed red first to OpenCV, which takes them
    /// as blue first. ROS's subscribers change them back in all colours that are not said to be `compressed bgr8` or `bgr16`.
    pub fn is_swapped(&self) -> bool {
        self.is_swapped
    }
}

fn has_red_and_blue(encoding: Encoding) -> bool {
    use PixelFormat::{Bgr, Bgra, Rgb, Rgba};
    matches!(encoding.format(), Rgb | Rgba | Bgr | Bgra)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(format: &str) -> (Option<String>, Option<DepthCodec>, bool) {
        let format = CompressedFormat::parse(format).unwrap();
        let encoding = format.encoding.map(|encoding| encoding.to_string());
        (encoding, format.depth, format.is_swapped)
    }

    #[test]
    fn what_plugins_write_is_read() {
        let some = |encoding: &str| Some(encoding.to_owned());
        for old in ["", "jpeg", "jpg", "png", "16UC1"] {
            assert_eq!(parse(old), (None, None, false), "{old}");
        }
        assert_eq!(
            parse("rgb8; jpeg compressed bgr8"),
            (some("rgb8"), None, false)
        );
        assert_eq!(
            parse("rgb8; png compressed rgb8"),
            (some("rgb8"), None, true)
        );
        assert_eq!(parse("bgr8; jpeg"), (some("bgr8"), None, true));
        assert_eq!(parse("uyvy; jpeg"), (some("uyvy"), None, false));
        assert_eq!(
            parse("mono16; png compressed "),
            (some("mono16"), None, false)
        );
        let depth = |codec| (some("32FC1"), Some(codec), false);
        assert_eq!(parse("32FC1; compressedDepth"), depth(DepthCodec::Png));
        assert_eq!(parse("32FC1; compressedDepth png"), depth(DepthCodec::Png));
        assert_eq!(parse("32FC1; compressedDepth rvl"), depth(DepthCodec::Rvl));
    }

    #[test]
    fn what_nobody_writes_is_refused() {
        let error = |format: &str| CompressedFormat::parse(format).unwrap_err().to_string();
        assert_eq!(
            error("rgb7; jpeg compressed bgr8"),
            "the encoding `rgb7` is none of sensor_msgs/image_encodings; ask the publisher for one of them"
        );
        assert_eq!(
            error("16UC1; compressedDepth zstd"),
            "depth is compressed as `zstd`; png and rvl are known"
        );
        assert!(error(&format!("{};", "x".repeat(9999))).len() < 200);
        assert!(error(&format!("16UC1; compressedDepth {}", "x".repeat(9999))).len() < 200);
    }
}
