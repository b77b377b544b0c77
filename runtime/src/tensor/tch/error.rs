//! Why a message is no tensor of torch, or a tensor no message.

use thiserror::Error;

use crate::error::{AllocateError, BufferError};
use crate::tensor::choice::ChoiceError;
use crate::tensor::dtype::DType;
use crate::tensor::error::TensorError;

/// Why a message and a tensor of torch cannot become each other.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TorchError {
    /// The message holds no such tensor.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// There is no backend of that name.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// There is no memory for the tensor.
    #[error(transparent)]
    Allocate(#[from] AllocateError),
    /// The bytes of the message could not be had from where they are.
    #[error("the tensor's data could not be read: {0}")]
    Source(#[from] BufferError),
    /// The GPU's memory cannot be used.
    #[cfg(feature = "cuda")]
    #[error(transparent)]
    Access(#[from] crate::cuda::AccessError),
    /// What DLPack describes cannot be had.
    #[cfg(feature = "dlpack")]
    #[error(transparent)]
    Dlpack(#[from] crate::tensor::dlpack::DlpackError),
    /// The backend has no memory that torch could write to.
    #[error(
        "the backend `{0}` gives out no memory that torch can write tensors into; name `cpu`, `shm` or, with the feature `cuda`, `cuda_rs`"
    )]
    NoMemory(String),
    /// The data cannot be written.
    #[error(
        "the data cannot be written: it was written already, is being written, is shared or was received; make a message with `allocate_tensor_msg` for each tensor"
    )]
    NotWritable,
    /// Others use the tensor's memory.
    #[error(
        "other tensors share this one's memory, or its gradient is wanted, so the memory cannot become a message's; `to_tensor_msg` copies it"
    )]
    Shared,
    /// The tensor's elements are not those in its memory.
    #[error(
        "the tensor is a conjugated, negated or constant view; `to_tensor_msg` copies it, or resolve it before"
    )]
    Lazy,
    /// Sparse, quantised by channel, nested, or on a device that is neither the host nor CUDA.
    #[error(
        "the tensor has no strided memory on the host or a CUDA device; `to_dense` makes a sparse one dense, `to` brings one here from elsewhere"
    )]
    NotStrided,
    /// A type of torch's that messages have no number for.
    #[error(
        "elements of torch's type {0} have no number in DLPack and so in no message; convert them with `to_kind` before"
    )]
    Type(String),
    /// A message of that type has another size of data than the tensor.
    #[error(
        "the tensor takes {needed} bytes and the message has {available}; make a message with `allocate_tensor_msg`"
    )]
    TooSmall {
        /// Bytes of the tensor's elements side by side.
        needed: usize,
        /// Bytes of the message's data.
        available: usize,
    },
    /// The data does not start at a multiple of what the type needs.
    #[error(
        "the data is not aligned for {0}, so torch cannot use it in place; `from_input_tensor_msg` copies it"
    )]
    Unaligned(DType),
    /// Torch cannot reach the memory.
    #[error(
        "torch cannot use memory of the backend `{backend}` in place: {why}; `from_input_tensor_msg` copies it to the host"
    )]
    OutOfReach {
        /// The backend's name.
        backend: String,
        /// What is missing.
        why: String,
    },
    /// The tensor is ordered by a stream that is not torch's current one.
    #[error(
        "the tensor was made for another stream than torch's current one, so torch would not wait for what writes it; give what makes it `current_stream`, or make its stream the current one with `StreamGuard`"
    )]
    OtherStream,
    /// Torch has no CUDA.
    #[error("torch has no CUDA here: {0}")]
    NoCuda(String),
    /// What torch itself said.
    #[error("torch: {0}")]
    Torch(String),
}

impl From<::tch::TchError> for TorchError {
    fn from(error: ::tch::TchError) -> Self {
        Self::Torch(error.to_string())
    }
}
