//! Pictures that move from frame to frame, as a camera would see them, as tensors, and what is to be computed from each. The
//! same number always gives the same picture, so a receiver knows the answer.

use std::error::Error;
use std::path::Path;

use rosidl_buffer_interfaces::sensor_msgs::msg::CompressedImage;
use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_runtime::tensor::{CompressedImageMessage as _, ImageParts, ImageView};

use crate::Options;

/// Red, green, blue.
pub(crate) const CHANNELS: usize = 3;

/// Pixels that the picture moves to the left from one frame to the next.
const STEP: usize = 4;

/// Where pictures come from.
pub(crate) struct Source {
    width: u32,
    height: u32,
    /// One picture, `rgb8`, rows from the top.
    base: Buffer<u8>,
}

impl Source {
    /// Gradients with rings in them.
    fn drawn(width: u32, height: u32) -> Self {
        let value = |row: u32, column: u32, channel: usize| {
            let x = u64::from(column) * 512 / u64::from(width);
            let y = u64::from(row) * 512 / u64::from(height);
            let (dx, dy) = (x.abs_diff(256), y.abs_diff(256));
            let ring = (dx * dx + dy * dy) / 1024 * 40;
            u8::try_from((ring + [x, y, x + y][channel]) % 256).unwrap_or_default()
        };
        let rows = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
        let pixels = rows.flat_map(|(row, column)| [0, 1, 2].map(|at| value(row, column, at)));
        let base = pixels.collect::<Vec<u8>>().into();
        Self {
            width,
            height,
            base,
        }
    }

    /// A picture from a JPEG or PNG file, as cameras publish them compressed.
    fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        let file = std::fs::read(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let message = CompressedImage {
            data: file.into(),
            ..CompressedImage::default()
        };
        let picture = message
            .to_dynamic_image()
            .map_err(|error| format!("{} is no picture: {error}", path.display()))?
            .into_rgb8();
        let (width, height) = picture.dimensions();
        if width < 3 || height < 3 || width > 16384 || height > 16384 {
            return Err(format!(
                "{}: 3 to 16384 pixels are expected, not {width} by {height}",
                path.display()
            )
            .into());
        }
        Ok(Self {
            width,
            height,
            base: picture.into_raw().into(),
        })
    }

    /// The picture that the options ask for.
    pub(crate) fn of(options: &Options) -> Result<Self, Box<dyn Error>> {
        match &options.input {
            Some(path) => Self::open(path),
            None => Ok(Self::drawn(options.width, options.height)),
        }
    }

    /// Picture `number`.
    pub(crate) fn draw(&self, number: u32) -> Result<Buffer<u8>, Box<dyn Error>> {
        let mut pixels = self.base.to_vec()?;
        let shift = number as usize % self.width as usize * STEP % self.width as usize;
        for row in pixels.chunks_exact_mut(self.width as usize * CHANNELS) {
            row.rotate_left(shift * CHANNELS);
        }
        Ok(pixels.into())
    }

    /// What a camera's message shows of a picture.
    pub(crate) fn image<'p>(
        &self,
        pixels: &'p Buffer<u8>,
    ) -> Result<ImageView<'p>, Box<dyn Error>> {
        Ok(ImageView::new(ImageParts {
            height: self.height,
            width: self.width,
            encoding: "rgb8",
            is_bigendian: false,
            step: self.width * 3,
            data: pixels,
        })?)
    }

    /// The tensor's shape: one picture, its channels, rows and columns.
    pub(crate) fn shape(&self) -> [i64; 4] {
        [1, 3, self.height.into(), self.width.into()]
    }

    /// Bytes of a tensor.
    pub(crate) fn tensor_len(&self) -> usize {
        self.base.len() * size_of::<f32>()
    }

    /// What [`edges`](crate::compute::edges) has to say about picture `number`, from the pixels, in whole numbers.
    pub(crate) fn answer(&self, number: u32) -> Result<[f64; CHANNELS], Box<dyn Error>> {
        let pixels = self.draw(number)?.into_vec()?;
        let row = self.width as usize * CHANNELS;
        let mut sums = [0_u32; CHANNELS].map(u64::from);
        let inner = pixels.len().saturating_sub(row);
        for at in row..inner {
            let column = at % row / CHANNELS;
            if column == 0 || column + 1 == self.width as usize {
                continue;
            }
            let around = [at - row, at + row, at - CHANNELS, at + CHANNELS];
            let around: u32 = around.iter().map(|&at| u32::from(pixels[at])).sum();
            let edge = (4 * u32::from(pixels[at])).saturating_sub(around);
            sums[at % CHANNELS] += u64::from(edge);
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2⁵³")]
        Ok(sums.map(|sum| sum as f64 / 128.0)) // a value is two steps of 1/256
    }
}

/// Writes pixels as a tensor: one channel after the other, each value as a number between -1 and 1. These are multiples of 1/256, so
/// that `f32` calculates with them exactly.
pub(crate) fn write_tensor(image: &ImageView<'_>, out: &mut [u8]) -> Result<(), Box<dyn Error>> {
    let pixels = image.tensor()?;
    let pixels = pixels.as_slice::<u8>()?;
    let plane = pixels.len() / CHANNELS * size_of::<f32>();
    for (channel, plane) in out.chunks_exact_mut(plane).enumerate() {
        for (element, pixel) in plane.chunks_exact_mut(4).zip(pixels.chunks_exact(CHANNELS)) {
            let value = (f32::from(pixel[channel]) * 2.0 - 255.0) / 256.0;
            element.copy_from_slice(&value.to_ne_bytes());
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "whole numbers, with which these types calculate exactly"
)]
mod tests {
    use super::*;
    use crate::compute::edges;
    use rosidl_buffer_interfaces::tensor_msgs::msg::ExperimentalTensor;
    use rosidl_buffer_runtime::tensor::{DType, TensorMessage as _};

    fn tensor(source: &Source, number: u32) -> ExperimentalTensor {
        let pixels = source.draw(number).unwrap();
        let mut bytes = vec![0; source.tensor_len()];
        write_tensor(&source.image(&pixels).unwrap(), &mut bytes).unwrap();
        ExperimentalTensor::from_buffer(DType::F32, source.shape(), bytes.into()).unwrap()
    }

    #[test]
    fn the_answer_is_what_is_computed() {
        let source = Source::drawn(37, 23);
        for number in [0, 1, 5, 37, 1000] {
            let computed = edges(&tensor(&source, number)).unwrap();
            assert_eq!(computed, source.answer(number).unwrap());
            assert!(computed.iter().all(|&edges| edges > 0.0), "{computed:?}");
        }
        assert_ne!(source.answer(0).unwrap(), source.answer(1).unwrap());
    }

    #[test]
    fn a_wrong_element_is_seen() {
        let source = Source::drawn(37, 23);
        let mut tensor = tensor(&source, 3);
        let mut elements = tensor.elements_mut::<f32>().unwrap();
        assert!(elements.set([0, 1, 11, 17], 7.0).is_some());
        let computed = edges(&tensor).unwrap();
        let answer = source.answer(3).unwrap();
        assert_eq!((computed[0], computed[2]), (answer[0], answer[2]));
        assert_ne!(computed[1], answer[1]);
    }
}
