//! Frames: a drawn pattern or a picture, moving from frame to frame. The same number always gives the same pixels, so a
//! receiver can draw the frame again and compare.

use std::error::Error;
use std::path::Path;

/// Bytes of an `rgb8` pixel.
pub(crate) const PIXEL: usize = 3;

/// Where frames come from.
pub(crate) struct Source {
    width: u32,
    height: u32,
    /// One frame; each following one is shifted by [`STEP`] more pixels.
    base: Vec<u8>,
}

/// Pixels that the picture moves to the left from one frame to the next.
const STEP: u32 = 4;

impl Source {
    /// The drawn pattern: colour gradients, a grid every 64 pixels and rings around the middle.
    pub(crate) fn drawn(width: u32, height: u32) -> Self {
        let mut base = Vec::with_capacity(width as usize * height as usize * PIXEL);
        let (middle_x, middle_y) = (i64::from(width / 2), i64::from(height / 2));
        for y in 0..height {
            for x in 0..width {
                let (dx, dy) = (i64::from(x) - middle_x, i64::from(y) - middle_y);
                let ring = (dx * dx + dy * dy) / 4096 % 2 == 0;
                let grid = x % 64 == 0 || y % 64 == 0;
                let shade = |at: u32, of: u32| {
                    u8::try_from(u64::from(at) * 255 / u64::from(of)).unwrap_or(u8::MAX)
                };
                base.extend(match (grid, ring) {
                    (true, _) => [255, 255, 255],
                    (false, true) => [shade(x, width), shade(y, height), 160],
                    (false, false) => [shade(x, width) / 2, shade(y, height) / 2, 60],
                });
            }
        }
        Self {
            width,
            height,
            base,
        }
    }

    /// A picture from a PNG file.
    pub(crate) fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        let reader = image::ImageReader::open(path)
            .map_err(|error| format!("cannot open {}: {error}", path.display()))?;
        let picture = reader
            .with_guessed_format()
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?
            .decode()
            .map_err(|error| format!("{} is no PNG that can be read: {error}", path.display()))?
            .into_rgb8();
        Ok(Self {
            width: picture.width(),
            height: picture.height(),
            base: picture.into_raw(),
        })
    }

    /// Width and height in pixels.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Bytes of a frame.
    pub(crate) fn frame_len(&self) -> usize {
        self.base.len()
    }

    /// The picture that does not move.
    pub(crate) fn picture(&self) -> &[u8] {
        &self.base
    }

    /// Pixels by which frame `number` is shifted.
    pub(crate) fn shift(number: u32, width: u32) -> u32 {
        number % width * STEP % width // of at most 16,384 pixels, so that nothing overflows
    }

    /// Draws the pixels of frame `number`, rows from the top, `rgb8`, into [`frame_len`](Self::frame_len) bytes.
    pub(crate) fn draw(&self, number: u32, frame: &mut [u8]) {
        let row = self.width as usize * PIXEL;
        let shift = Self::shift(number, self.width) as usize * PIXEL;
        for (line, drawn) in self.base.chunks_exact(row).zip(frame.chunks_exact_mut(row)) {
            let (left, right) = drawn.split_at_mut(row - shift);
            left.copy_from_slice(&line[shift..]);
            right.copy_from_slice(&line[..shift]);
        }
    }

    /// The pixels of frame `number` in memory of their own.
    pub(crate) fn frame(&self, number: u32) -> Vec<u8> {
        let mut frame = vec![0; self.frame_len()];
        self.draw(number, &mut frame);
        frame
    }
}

/// Writes `rgb8` pixels as a PNG.
pub(crate) fn save(
    path: &Path,
    pixels: &[u8],
    width: u32,
    height: u32,
) -> Result<(), Box<dyn Error>> {
    image::save_buffer_with_format(
        path,
        pixels,
        width,
        height,
        image::ExtendedColorType::Rgb8,
        image::ImageFormat::Png,
    )
    .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_differ_and_repeat() {
        let source = Source::drawn(200, 100);
        assert_eq!(source.frame(0).len(), 200 * 100 * PIXEL);
        assert_ne!(source.frame(0), source.frame(1));
        assert_eq!(
            source.frame(0),
            source.frame(50),
            "shifted by the whole width"
        );
    }
}
