//! The encodings of `sensor_msgs/Image`: `sensor_msgs/image_encodings.hpp` as a table.
//!
//! A text comes in; what a pixel is made of goes out.

use core::fmt;

use super::dtype::DType;

/// What the channels of a pixel mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PixelFormat {
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, alpha.
    Rgba,
    /// Blue, green, red.
    Bgr,
    /// Blue, green, red, alpha.
    Bgra,
    /// Grey.
    Mono,
    /// Channels without a meaning, as `8UC3` and `32FC1`.
    Channels,
    /// What a colour sensor saw: a single channel, whose colour depends on the pixel's place.
    Bayer(Bayer),
    /// Two bytes a pixel: U and luma, V and luma, in turns. Also named `yuv422`.
    Uyvy,
    /// Two bytes a pixel: luma and U, luma and V, in turns. Also named `yuv422_yuy2`.
    Yuyv,
    /// A plane of luma, then one of U and V at half the width and height.
    Nv12,
    /// A plane of luma, then one of V and U at half the width and height.
    Nv21,
    /// A plane of luma, then one of U and V at full width and height.
    Nv24,
}

/// The colours of the first two pixels of the first row, and of the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bayer {
    /// Red, green; green, blue.
    Rggb,
    /// Blue, green; green, red.
    Bggr,
    /// Green, blue; red, green.
    Gbrg,
    /// Green, red; blue, green.
    Grbg,
}

/// How the pixels of a `sensor_msgs/Image` are encoded.
///
/// ```
/// use rosidl_buffer_runtime::tensor::{DType, Encoding, PixelFormat};
///
/// let encoding = Encoding::parse("bgr16").unwrap();
/// assert_eq!((encoding.format(), encoding.dtype(), encoding.channels()), (PixelFormat::Bgr, DType::U16, 3));
/// assert_eq!(Encoding::parse("32FC1").unwrap().dtype(), DType::F32);
/// assert_eq!(Encoding::parse("rgb7"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding {
    format: PixelFormat,
    dtype: DType,
    channels: u32,
}

pub(super) const fn encoding(format: PixelFormat, dtype: DType, channels: u32) -> Encoding {
    Encoding {
        format,
        dtype,
        channels,
    }
}

/// A second name of an encoding stands behind the first.
const NAMED: [(&str, Encoding); 25] = {
    use DType as D;
    use PixelFormat as P;
    [
        ("rgb8", encoding(P::Rgb, D::U8, 3)),
        ("rgba8", encoding(P::Rgba, D::U8, 4)),
        ("rgb16", encoding(P::Rgb, D::U16, 3)),
        ("rgba16", encoding(P::Rgba, D::U16, 4)),
        ("bgr8", encoding(P::Bgr, D::U8, 3)),
        ("bgra8", encoding(P::Bgra, D::U8, 4)),
        ("bgr16", encoding(P::Bgr, D::U16, 3)),
        ("bgra16", encoding(P::Bgra, D::U16, 4)),
        ("mono8", encoding(P::Mono, D::U8, 1)),
        ("mono16", encoding(P::Mono, D::U16, 1)),
        ("bayer_rggb8", encoding(P::Bayer(Bayer::Rggb), D::U8, 1)),
        ("bayer_bggr8", encoding(P::Bayer(Bayer::Bggr), D::U8, 1)),
        ("bayer_gbrg8", encoding(P::Bayer(Bayer::Gbrg), D::U8, 1)),
        ("bayer_grbg8", encoding(P::Bayer(Bayer::Grbg), D::U8, 1)),
        ("bayer_rggb16", encoding(P::Bayer(Bayer::Rggb), D::U16, 1)),
        ("bayer_bggr16", encoding(P::Bayer(Bayer::Bggr), D::U16, 1)),
        ("bayer_gbrg16", encoding(P::Bayer(Bayer::Gbrg), D::U16, 1)),
        ("bayer_grbg16", encoding(P::Bayer(Bayer::Grbg), D::U16, 1)),
        ("uyvy", encoding(P::Uyvy, D::U8, 2)),
        ("yuv422", encoding(P::Uyvy, D::U8, 2)),
        ("yuyv", encoding(P::Yuyv, D::U8, 2)),
        ("yuv422_yuy2", encoding(P::Yuyv, D::U8, 2)),
        ("nv12", encoding(P::Nv12, D::U8, 1)),
        ("nv21", encoding(P::Nv21, D::U8, 1)),
        ("nv24", encoding(P::Nv24, D::U8, 1)),
    ]
};

/// `8UC3` and its like are one of these and a number, which may be left out for 1.
const CHANNELS: [(&str, DType); 11] = [
    ("8UC", DType::U8),
    ("8SC", DType::I8),
    ("16UC", DType::U16),
    ("16SC", DType::I16),
    ("16FC", DType::F16),
    ("32UC", DType::U32),
    ("32SC", DType::I32),
    ("32FC", DType::F32),
    ("64UC", DType::U64),
    ("64SC", DType::I64),
    ("64FC", DType::F64),
];

impl Encoding {
    /// The encoding of that name; `None` for a name that ROS 2 does not know.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some((_, encoding)) = NAMED.iter().find(|(known, _)| *known == name) {
            return Some(*encoding);
        }
        let (number, dtype) = CHANNELS
            .iter()
            .find_map(|(prefix, dtype)| Some((name.strip_prefix(prefix)?, *dtype)))?;
        let channels = match number {
            "" => 1,
            _ if number.bytes().all(|digit| digit.is_ascii_digit()) => number.parse().ok()?,
            _ => return None,
        };
        (channels > 0).then(|| encoding(PixelFormat::Channels, dtype, channels))
    }

    /// What the channels mean.
    pub const fn format(self) -> PixelFormat {
        self.format
    }

    /// What a channel is.
    pub const fn dtype(self) -> DType {
        self.dtype
    }

    /// Channels of a pixel, at least 1; of a planar encoding, those of its first plane.
    pub const fn channels(self) -> u32 {
        self.channels
    }

    /// Bits of a channel.
    pub const fn bit_depth(self) -> u8 {
        self.dtype.bits
    }

    /// Bytes of a row without padding; `None` if they are more than `step` can say.
    pub fn packed_step(self, cols: u32) -> Option<u32> {
        use PixelFormat::{Nv12, Nv21};
        let cols = match self.format {
            Nv12 | Nv21 => cols.checked_next_multiple_of(2)?, // a row of colour has whole pairs
            _ => cols,
        };
        let pixel = self.channels.checked_mul(u32::from(self.dtype.bits / 8))?;
        cols.checked_mul(pixel)
    }

    /// Bytes that the data of an image takes, all planes included; `None` if they are more than this machine can count. Memory for
    /// an image that is yet to be written is as long as this.
    pub fn byte_len(self, rows: u32, cols: u32, step: u32) -> Option<usize> {
        let first = u64::from(step) * u64::from(rows);
        let second = match self.second_plane(rows, cols, step) {
            Some((rows, _, step)) => step.checked_mul(rows.into())?,
            None => 0,
        };
        usize::try_from(first.checked_add(second)?).ok()
    }

    /// Rows of the second plane, its columns, and the bytes from one row to the next.
    pub(super) fn second_plane(self, rows: u32, cols: u32, step: u32) -> Option<(u32, u32, u64)> {
        use PixelFormat::{Nv12, Nv21, Nv24};
        match self.format {
            Nv12 | Nv21 => Some((rows.div_ceil(2), cols.div_ceil(2), step.into())),
            Nv24 => Some((rows, cols, 2 * u64::from(step))),
            _ => None,
        }
    }

    /// The same pixels with integers of so many bits; `None` for other numbers, and if ROS 2 has no such encoding.
    #[cfg(feature = "image")]
    pub(super) fn with_depth(self, bits: u32) -> Option<Self> {
        let dtype = match (self.dtype, bits) {
            (DType::U8 | DType::U16, 8) => DType::U8,
            (DType::U8 | DType::U16, 16) => DType::U16,
            (DType::I8, 8) | (DType::I16, 16) => self.dtype,
            _ => return None,
        };
        let other = encoding(self.format, dtype, self.channels);
        (Self::parse(&other.to_string()) == Some(other)).then_some(other)
    }

    /// Whether the pixels have a colour of their own.
    pub const fn is_color(self) -> bool {
        use PixelFormat::{Bayer, Channels, Mono};
        !matches!(self.format, Mono | Channels | Bayer(_))
    }

    /// Whether the last channel is alpha.
    pub const fn has_alpha(self) -> bool {
        matches!(self.format, PixelFormat::Rgba | PixelFormat::Bgra)
    }

    /// Whether luma and colour lie in planes of their own.
    pub const fn is_planar(self) -> bool {
        use PixelFormat::{Nv12, Nv21, Nv24};
        matches!(self.format, Nv12 | Nv21 | Nv24)
    }
}

impl fmt::Display for Encoding {
    /// Writes the name that ROS 2 has for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = NAMED.iter().find(|(_, known)| known == self) {
            return f.write_str(name);
        }
        let prefix = CHANNELS.iter().find(|(_, dtype)| *dtype == self.dtype);
        let prefix = prefix.map_or("", |(prefix, _)| *prefix);
        write!(f, "{prefix}{}", self.channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_written() {
        for (name, encoding) in NAMED {
            assert_eq!(Encoding::parse(name), Some(encoding));
            assert_eq!(Encoding::parse(&encoding.to_string()), Some(encoding));
        }
        for (prefix, dtype) in CHANNELS {
            assert_eq!(Encoding::parse(prefix).unwrap().channels(), 1);
            let twelve = Encoding::parse(&format!("{prefix}12")).unwrap();
            assert_eq!((twelve.channels(), twelve.dtype()), (12, dtype));
            assert_eq!(twelve.to_string(), format!("{prefix}12"));
        }
        assert_eq!(Encoding::parse("yuv422").unwrap().to_string(), "uyvy");
    }

    #[test]
    fn other_names_are_no_encodings() {
        for name in [
            "",
            "rgb",
            "RGB8",
            "rgb8 ",
            "8UC0",
            "8UC-1",
            "8UC+3",
            "8UC3x",
            "8FC1",
            "24UC1",
            "8UC4294967296",
            "8uc3",
        ] {
            assert_eq!(Encoding::parse(name), None, "{name}");
        }
    }
}
