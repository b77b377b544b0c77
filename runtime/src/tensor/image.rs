//! `sensor_msgs/Image` as tensors of rows, columns and channels.
//!
//! The fields of an image come in, one view per plane goes out, strided where rows are padded. Colours are not converted:
//! a Bayer image has one channel, packed YUV has two.

use thiserror::Error;

use super::encoding::Encoding;
use super::error::TensorError;
use super::scalar::{TensorElement, into_buffer};
use super::shape::Layout;
use super::view::TensorView;
use crate::buffer::Buffer;
use crate::message::Message;

/// The fields of an image that say where its pixels are, as they are in the message.
#[derive(Debug, Clone, Copy)]
pub struct ImageParts<'a> {
    /// Number of rows.
    pub height: u32,
    /// Number of columns.
    pub width: u32,
    /// Name of the encoding.
    pub encoding: &'a str,
    /// Whether channels of several bytes have the most significant first.
    pub is_bigendian: bool,
    /// Bytes from one row to the next.
    pub step: u32,
    /// The rows.
    pub data: &'a Buffer<u8>,
}

/// Why an image has no pixels to look at.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImageError {
    /// An encoding that ROS 2 does not know.
    #[error(
        "the encoding `{0}` is none of sensor_msgs/image_encodings; ask the publisher for one of them"
    )]
    Encoding(String),
    /// A row is longer than the distance to the next.
    #[error("a row of {width} pixels in {encoding} takes {row} bytes, but `step` is {step}")]
    Step {
        /// Columns.
        width: u32,
        /// The encoding.
        encoding: Encoding,
        /// Bytes that a row takes.
        row: u64,
        /// What the message says.
        step: u32,
    },
    /// The data ends before the last row.
    #[error(
        "{height} rows of `step` {step} in {encoding} take {needed} bytes, but there are {available}"
    )]
    TooShort {
        /// Rows.
        height: u32,
        /// Bytes from one row to the next.
        step: u32,
        /// The encoding.
        encoding: Encoding,
        /// Bytes that all rows take.
        needed: u64,
        /// Bytes that are there.
        available: usize,
    },
    /// The pixels do not lie in one plane.
    #[error("{0} has two planes, which are no single tensor; take them one by one with `plane`")]
    Planar(Encoding),
    /// A plane that the encoding does not have.
    #[error("an image in {encoding} has no plane {number}")]
    NoPlane {
        /// The encoding.
        encoding: Encoding,
        /// Which plane, from 0 on.
        number: usize,
    },
    /// Pixels that the crate `image` does not have.
    #[cfg(feature = "image")]
    #[error(
        "the crate `image` has no pixels that are {0}, or not in the type asked for; `tensor` gives their numbers"
    )]
    NoPicture(Encoding),
    /// The pixels are no tensor on this machine.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

/// `sensor_msgs/msg/Image`, whose struct may come from any crate.
///
/// # Example
/// ```
/// use rosidl_buffer_runtime::tensor::{DType, ImageMessage, ImageParts, ImageView};
/// use rosidl_buffer_runtime::Buffer;
///
/// // Two rows of three pixels, each row padded to eight bytes. From a message it is `message.image()`.
/// let data = Buffer::from((0..16).collect::<Vec<u8>>());
/// let parts = ImageParts { height: 2, width: 3, encoding: "8UC2", is_bigendian: false, step: 8, data: &data };
/// let image = ImageView::new(parts)?;
/// let pixels = image.tensor()?;
/// assert_eq!((pixels.dtype(), pixels.shape()), (DType::U8, &[2, 3, 2][..]));
/// assert_eq!(pixels.elements::<u8>()?.get([1, 2, 0]), Some(12));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `sensor_msgs/msg/Image`",
    note = "it has the fields `header`, `height: u32`, `width: u32`, `encoding: String`, `is_bigendian: u8`, `step: u32` and `data: Buffer<u8>`"
)]
pub trait ImageMessage: Message {
    /// The fields as they are, unchecked.
    fn parts(&self) -> ImageParts<'_>;

    /// Replaces all fields but the header, unchecked. The data is shared, not copied.
    fn set_parts(&mut self, parts: ImageParts<'_>);

    /// The pixels, checked.
    ///
    /// # Errors
    /// As [`ImageView::new`].
    fn image(&self) -> Result<ImageView<'_>, ImageError> {
        ImageView::new(self.parts())
    }

    /// Replaces all fields but the header, as `fillImage` does in C++. The data may be in memory of any backend and is moved in;
    /// numbers of several bytes are in this machine's order.
    ///
    /// # Errors
    /// As [`ImageView::new`]; the message is as it was then.
    fn fill_image(
        &mut self,
        encoding: &str,
        rows: u32,
        cols: u32,
        step: u32,
        data: impl Into<Buffer<u8>>,
    ) -> Result<(), ImageError> {
        let parts = ImageParts {
            height: rows,
            width: cols,
            encoding,
            is_bigendian: cfg!(target_endian = "big"),
            step,
            data: &data.into(),
        };
        ImageView::new(parts)?;
        self.set_parts(parts);
        Ok(())
    }

    /// As [`fill_image`](Self::fill_image), with rows that have no padding, and elements that are moved in whatever their size is.
    /// The data of any but a `Vec<u8>` cannot be changed in place afterwards.
    ///
    /// # Errors
    /// When the elements are not those of the encoding, and as for [`fill_image`](Self::fill_image).
    fn fill_pixels<T: TensorElement>(
        &mut self,
        encoding: &str,
        rows: u32,
        cols: u32,
        pixels: Vec<T>,
    ) -> Result<(), ImageError> {
        let known = known(encoding)?;
        if known.dtype() != T::DTYPE {
            return Err(ImageError::Tensor(TensorError::OtherType {
                is: known.dtype(),
                asked: T::DTYPE,
            }));
        }
        let step = packed_step(known, cols)?;
        self.fill_image(encoding, rows, cols, step, into_buffer(pixels))
    }

    /// As [`fill_pixels`](Self::fill_pixels), with a picture of the crate `image`, whose vector is moved in. Red comes first; grey
    /// with alpha is `8UC2` or `16UC2`, floats are `32FC3` or `32FC4`.
    ///
    /// ```
    /// use image::{DynamicImage, RgbImage};
    /// use rosidl_buffer_runtime::tensor::ImageMessage as _;
    /// # use rosidl_buffer_runtime::{Buffer, BufferMessage};
    /// # #[derive(Clone, BufferMessage)]
    /// # #[ros2(package = "std_msgs")]
    /// # struct Header { frame_id: String }
    /// # #[derive(Clone, BufferMessage)]
    /// # #[ros2(package = "sensor_msgs")]
    /// # struct Image { header: Header, height: u32, width: u32, encoding: String, is_bigendian: u8, step: u32, data: Buffer<u8> }
    ///
    /// let picture = DynamicImage::ImageRgb8(RgbImage::new(4, 2));
    /// let mut message = Image::default();
    /// message.fill_dynamic_image(picture.clone())?;
    /// assert_eq!((message.encoding.as_str(), message.step), ("rgb8", 12));
    /// assert_eq!(message.image()?.to_dynamic_image()?, picture);
    /// # Ok::<(), rosidl_buffer_runtime::tensor::ImageError>(())
    /// ```
    ///
    /// # Errors
    /// When a row is longer than a message can say, or the picture is of a kind that did not exist when this was written.
    #[cfg(feature = "image")]
    fn fill_dynamic_image(&mut self, picture: ::image::DynamicImage) -> Result<(), ImageError> {
        super::pixels::fill(self, picture)
    }
}

/// Bytes of a row without padding.
pub(super) fn packed_step(encoding: Encoding, cols: u32) -> Result<u32, ImageError> {
    encoding.packed_step(cols).ok_or(ImageError::Step {
        width: cols,
        encoding,
        row: u64::MAX,
        step: u32::MAX,
    })
}

/// The encoding of that name, or an error that shows the start of it: a stranger's may be of any length.
pub(super) fn known(encoding: &str) -> Result<Encoding, ImageError> {
    Encoding::parse(encoding)
        .ok_or_else(|| ImageError::Encoding(encoding.chars().take(64).collect()))
}

#[derive(Debug, Clone, Copy)]
struct Plane {
    /// Rows, columns, channels.
    shape: [i64; 3],
    /// In bytes.
    strides: [i64; 3],
    start: u64,
}

/// The pixels of an image, wherever they are: what it says fits the data.
#[derive(Debug, Clone, Copy)]
pub struct ImageView<'a> {
    encoding: Encoding,
    height: u32,
    width: u32,
    planes: [Option<Plane>; 2],
    is_swapped: bool,
    data: &'a Buffer<u8>,
}

impl<'a> ImageView<'a> {
    /// Checks an image.
    ///
    /// # Errors
    /// When the encoding is not known, `step` is less than a row, or the data less than `step * height` and the second plane, if
    /// there is one.
    pub fn new(image: ImageParts<'a>) -> Result<Self, ImageError> {
        let ImageParts {
            height,
            width,
            step,
            ..
        } = image;
        let encoding = known(image.encoding)?;
        let size = u64::from(encoding.bit_depth() / 8);
        let pixel = size * u64::from(encoding.channels());
        let fits = |row: Option<u64>, step: u64| match row {
            Some(row) if row <= step => Ok(()),
            row => Err(ImageError::Step {
                width,
                encoding,
                row: row.unwrap_or(u64::MAX),
                step: image.step,
            }),
        };
        fits(pixel.checked_mul(width.into()), step.into())?;
        let first = u64::from(step) * u64::from(height);
        let plane = |rows: u32, columns: u32, channels: u32, step: u64, start: u64| {
            let channels = i64::from(channels);
            let size = i64::from(encoding.bit_depth() / 8);
            Some(Plane {
                shape: [rows.into(), columns.into(), channels],
                strides: [i64::try_from(step).ok()?, size * channels, size],
                start,
            })
        };
        let second = encoding.second_plane(height, width, step);
        if let Some((_, columns, step)) = second {
            fits(Some(2 * u64::from(columns)), step)?;
        }
        let available = image.data.len();
        let needed = encoding
            .byte_len(height, width, step)
            .and_then(|len| u64::try_from(len).ok())
            .unwrap_or(u64::MAX);
        if needed > available as u64 {
            return Err(ImageError::TooShort {
                height,
                step,
                encoding,
                needed,
                available,
            });
        }
        let planes = [
            plane(height, width, encoding.channels(), step.into(), 0),
            second.and_then(|(rows, columns, step)| plane(rows, columns, 2, step, first)),
        ];
        let is_swapped = image.is_bigendian != cfg!(target_endian = "big");
        let data = image.data;
        Ok(Self {
            encoding,
            height,
            width,
            planes,
            is_swapped,
            data,
        })
    }

    /// How the pixels are encoded.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    #[cfg(feature = "image")]
    pub(super) fn data(&self) -> &'a Buffer<u8> {
        self.data
    }

    /// Number of rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Number of columns.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// The pixels: rows, columns, channels.
    ///
    /// # Errors
    /// [`ImageError::Planar`] for an image of several planes.
    pub fn tensor(&self) -> Result<TensorView<'_>, ImageError> {
        if self.encoding.is_planar() {
            return Err(ImageError::Planar(self.encoding));
        }
        self.plane(0)
    }

    /// One plane: rows, columns, channels. Plane 0 is all of the image, or its luma; plane 1 is the colour of NV12, NV21 (half the
    /// rows and columns, rounded up) and NV24 (rows twice as long), with two channels.
    ///
    /// # Errors
    /// [`ImageError::NoPlane`] for a plane that is not there.
    pub fn plane(&self, number: usize) -> Result<TensorView<'_>, ImageError> {
        let plane = self.planes.get(number).and_then(Option::as_ref);
        let plane = plane.ok_or(ImageError::NoPlane {
            encoding: self.encoding,
            number,
        })?;
        let layout = Layout {
            dtype: self.encoding.dtype(),
            shape: &plane.shape,
            strides: &plane.strides,
            byte_offset: plane.start,
        };
        Ok(TensorView::with_unit(
            layout,
            1,
            self.is_swapped,
            self.data,
        )?)
    }
}
