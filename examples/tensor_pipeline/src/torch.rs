//! The computation by torch, on the device that the tensor is on: only three numbers come to the host.

use std::error::Error;

use rosidl_buffer_interfaces::tensor_msgs::msg::ExperimentalTensor;
use rosidl_buffer_runtime::tensor::tch::{from_input_tensor_msg, load_cuda};
use tch::{Kind, Tensor};

use crate::picture::CHANNELS;

/// How many edges each channel of a picture has: the sum of what is left above zero of four times each inner element less its four
/// neighbours.
pub(crate) fn edges(message: &ExperimentalTensor) -> Result<[f64; CHANNELS], Box<dyn Error>> {
    // Before torch is asked for anything. Where there is no GPU, tensors come to the host.
    let _ = load_cuda();
    let picture = from_input_tensor_msg(message)?;
    let &[1, 3, rows @ 3..=i64::MAX, columns @ 3..=i64::MAX] = &picture.size()[..] else {
        let shape = picture.size();
        return Err(format!("one picture of three channels is expected, not {shape:?}").into());
    };
    // What the inner elements see when they look so far down and to the right.
    let seen = |down: i64, right: i64| -> Result<Tensor, tch::TchError> {
        let lines = picture.f_narrow(2, 1 + down, rows - 2)?;
        lines.f_narrow(3, 1 + right, columns - 2)
    };
    let around = seen(-1, 0)?.f_add(&seen(1, 0)?)?;
    let around = around.f_add(&seen(0, -1)?)?.f_add(&seen(0, 1)?)?;
    let edges = seen(0, 0)?.f_mul_scalar(4.0)?.f_sub(&around)?.f_relu()?;
    let sums = edges.f_sum_dim_intlist(&[0, 2, 3][..], false, Kind::Double)?;
    let sums = Vec::<f64>::try_from(sums)?;
    Ok(sums
        .try_into()
        .map_err(|_| "torch gave another number of channels")?)
}
