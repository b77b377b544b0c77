//! The computation: a tensor comes in, three numbers go out. Everything else in this program is the way there.

use std::borrow::Cow;
use std::error::Error;

use rosidl_buffer_interfaces::tensor_msgs::msg::ExperimentalTensor;
use rosidl_buffer_runtime::tensor::{TensorError, TensorMessage as _};

use crate::picture::CHANNELS;

/// How many edges each channel of a picture has: the sum of what is left above zero of four times each inner element less its four
/// neighbours. In words of neural networks: a convolution, a rectifier, a reduction. It is computed on the host.
pub(crate) fn edges(message: &ExperimentalTensor) -> Result<[f64; CHANNELS], Box<dyn Error>> {
    let mut message = Cow::Borrowed(message);
    if message.data.as_slice().is_none() {
        message.to_mut().data.make_mut()?; // from the GPU to the host
    }
    let view = message.tensor()?;
    match view.as_slice::<f32>() {
        Ok(elements) => sums(view.shape(), elements),
        // Bytes that came in a message start where they start.
        Err(TensorError::Unaligned(_)) => sums(view.shape(), &view.elements::<f32>()?.to_vec()?),
        Err(error) => Err(error.into()),
    }
}

fn sums(shape: &[i64], elements: &[f32]) -> Result<[f64; CHANNELS], Box<dyn Error>> {
    let &[1, 3, rows @ 3..=i64::MAX, columns @ 3..=i64::MAX] = shape else {
        return Err(format!("one picture of three channels is expected, not {shape:?}").into());
    };
    let (rows, columns) = (usize::try_from(rows)?, usize::try_from(columns)?);
    let mut sums = [0.0; CHANNELS];
    for (sum, channel) in sums.iter_mut().zip(elements.chunks_exact(rows * columns)) {
        let lines: Vec<_> = channel.chunks_exact(columns).collect();
        for lines in lines.windows(3) {
            let (above, line, below) = (lines[0], lines[1], lines[2]);
            for (at, near) in line.windows(3).enumerate() {
                let around = above[at + 1] + below[at + 1] + near[0] + near[2];
                *sum += f64::from((4.0 * near[1] - around).max(0.0));
            }
        }
    }
    Ok(sums)
}
