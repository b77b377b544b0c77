//! Tensors of torch from messages, and messages from tensors of torch: `torch_conversions` of ROS, for the crate `tch` and
//! libtorch 2.11.
//!
//! A message comes in, a [`Tensor`](::tch::Tensor) over the same memory or a copy of it goes out, and the other way round.
//! Names are ROS's. Torch knows no read-only memory, so what others may see is copied unless the name says otherwise. On a GPU
//! all is ordered by torch's current stream, and nothing waits for it.
//!
//! ```
//! use rosidl_buffer_runtime::tensor::tch::{allocate_tensor_msg, from_input_tensor_msg, from_output_tensor_msg};
//! use rosidl_buffer_runtime::{BackendRegistry, Buffer, BufferMessage};
//! use tch::Kind;
//!
//! #[derive(Clone, BufferMessage)]
//! #[ros2(package = "tensor_msgs")]
//! struct ExperimentalTensor {
//!     dtype_code: u8,
//!     dtype_bits: u8,
//!     dtype_lanes: u16,
//!     shape: Vec<i64>,
//!     strides: Vec<i64>,
//!     byte_offset: u64,
//!     data: Buffer<u8>,
//! }
//!
//! let backends = BackendRegistry::new(); // of a node: `node.backends()`
//! let mut message: ExperimentalTensor = allocate_tensor_msg(&backends, [2, 3], Kind::Float, None)?;
//! let mut output = from_output_tensor_msg(&mut message)?; // the message's own memory
//! let _ = output.fill_(1.5);
//! drop(output); // from here on the message is read
//!
//! let input = from_input_tensor_msg(&message)?;
//! assert_eq!(input.size(), [2, 3]);
//! assert_eq!(input.sum(Kind::Float).double_value(&[]), 9.0);
//! # Ok::<(), rosidl_buffer_runtime::tensor::tch::TorchError>(())
//! ```

#[cfg(feature = "cuda")]
mod cuda;
#[cfg(feature = "dlpack")]
mod dlpack;
mod error;
mod ffi;
mod input;
mod library;
mod message;
mod output;
mod types;

#[cfg(feature = "cuda")]
pub use cuda::{StreamGuard, current_stream};
#[cfg(feature = "dlpack")]
pub use dlpack::{from_dlpack, into_dlpack, view_dlpack};
pub use error::TorchError;
pub use input::{from_input_tensor_msg, into_tensor, view_input_tensor_msg};
pub use library::load_cuda;
pub use message::{
    allocate_tensor_msg, copy_to_tensor_msg, from_output_tensor_msg, into_tensor_msg, to_tensor_msg,
};
pub use types::dtype;
