//! Why a tensor cannot be handed over by DLPack.

use thiserror::Error;

use super::MAX_RANK;
use super::device::DlDevice;
use crate::tensor::{DType, TensorError};

/// Why a tensor cannot be handed to an array library, or taken from one.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum DlpackError {
    /// There is no such tensor.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// Another layout of the structs.
    #[error(
        "the tensor comes in DLPack {major}, and DLPack 1 is known; ask its library for `max_version=(1, 1)`"
    )]
    Version {
        /// What the tensor says.
        major: u32,
    },
    /// More dimensions than array libraries have, or fewer than none.
    #[error("{0} dimensions are no rank; array libraries have 0 to {MAX_RANK}")]
    Rank(i64),
    /// Dimensions without their sizes.
    #[error("the shape of {0} dimensions is missing")]
    NoShape(usize),
    /// Elements at address 0.
    #[error("the tensor has {0} elements and no address of data")]
    NoData(usize),
    /// A stride in bytes that is no multiple of the element's size, which DLPack cannot say.
    #[error(
        "the elements along dimension {axis} are not a whole number of {dtype} apart, and DLPack counts in elements; copy them next to each other first"
    )]
    Stride {
        /// Which dimension.
        axis: usize,
        /// Type of the elements.
        dtype: DType,
    },
    /// Elements that begin in the middle of a byte.
    #[error(
        "elements of {0} that share bytes are not supported; only those that start at whole bytes are"
    )]
    Packed(DType),
    /// An address that libraries may not read such elements from.
    #[error(
        "the first element is at {address:#x}, which is not aligned for {dtype}; copy the data first, with `make_mut` of the buffer"
    )]
    Unaligned {
        /// Type of the elements.
        dtype: DType,
        /// Where the first one is.
        address: usize,
    },
    /// The memory is elsewhere.
    #[error("the tensor is on {is}, and {asked} was asked for; let its library move it first")]
    Device {
        /// Where it is.
        is: DlDevice,
        /// Where it has to be.
        asked: DlDevice,
    },
    /// The structs of before DLPack 1.0 cannot say that nobody may write.
    #[error(
        "the tensor is read-only, which DLPack before 1.0 cannot say; hand out a copy, or ask for DLPack 1"
    )]
    ReadOnly,
    /// The memory cannot be used on the device.
    #[cfg(all(target_os = "linux", feature = "cuda", not(all(test, loom))))]
    #[error(transparent)]
    Cuda(#[from] crate::cuda::AccessError),
}
