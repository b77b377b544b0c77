//! Why a compressed image has no pixels, or an image cannot be compressed.

use thiserror::Error;

#[cfg(feature = "image")]
use crate::error::BufferError;
use crate::tensor::image::ImageError;

/// Why a compressed image cannot be read or made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompressedImageError {
    /// The encoding is not known, or the pixels are no image of it.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A depth image of a plugin that is not known.
    #[error("depth is compressed as `{0}`; png and rvl are known")]
    DepthCodec(String),
    /// The data cannot be brought to the host.
    #[cfg(feature = "image")]
    #[error("the data cannot be brought to the host: {0}")]
    Data(#[from] BufferError),
    /// Neither JPEG nor PNG.
    #[cfg(feature = "image")]
    #[error(
        "the data is neither a JPEG nor a PNG file: it starts with {start:02x?}, and the format is `{format}`"
    )]
    Unknown {
        /// The first bytes.
        start: Vec<u8>,
        /// What the message says.
        format: String,
    },
    /// A file that cannot be decoded or encoded.
    #[cfg(feature = "image")]
    #[error(transparent)]
    File(#[from] ::image::ImageError),
    /// The file ends before the picture does.
    #[cfg(feature = "image")]
    #[error("the JPEG file is cut off: there is no end of the picture in its {0} bytes")]
    CutOff(usize),
    /// The pixels would take too much memory.
    #[cfg(feature = "image")]
    #[error(
        "{height} rows of {width} pixels take more than {most} bytes; `decompress_within` sets another limit"
    )]
    TooLarge {
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
        /// The limit.
        most: u64,
    },
    /// The file is not what was compressed.
    #[cfg(feature = "image")]
    #[error("the image was {encoding} before compression, but the file has pixels of {found}")]
    Pixels {
        /// What the message says.
        encoding: String,
        /// What is in the file, as `Rgb8`.
        found: String,
    },
    /// Compressed depth that is not depth.
    #[cfg(feature = "image")]
    #[error("a depth image is 16UC1, mono16 or 32FC1, not {0}")]
    NotDepth(String),
    /// A depth image that has no colours.
    #[cfg(feature = "image")]
    #[error(
        "a depth image has distances in place of colours; take it as a message with `decompress_into`"
    )]
    Depth,
    /// Compressed depth that ends before its pixels do, or says more of them than there are.
    #[cfg(feature = "image")]
    #[error("the compressed depth is broken: {0}")]
    Broken(&'static str),
    /// Pixels that a codec does not have.
    #[cfg(feature = "image")]
    #[error("{codec} has no pixels of {encoding}: {help}")]
    NoSuchPixels {
        /// How it was to be compressed.
        codec: &'static str,
        /// What was to be compressed.
        encoding: String,
        /// What can be done.
        help: &'static str,
    },
}
