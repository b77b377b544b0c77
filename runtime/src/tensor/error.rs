//! Why a message is no tensor, or its elements cannot be had as they were asked for.

use thiserror::Error;

use super::dtype::DType;

/// Why there is no view of a tensor, or of its elements.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TensorError {
    /// No data at all, as in a message that nobody filled.
    #[error("the message holds no tensor: it has no data, and its shape is not of size zero")]
    Empty,
    /// A type code that DLPack 1.1 does not have.
    #[error(
        "type code {code} is not supported: the codes of DLPack 1.1 end at 17; ask the publisher for another type",
        code = .0.code
    )]
    UnknownType(DType),
    /// Elements without bits.
    #[error("elements of {bits} bits and {lanes} lanes have no size", bits = .0.bits, lanes = .0.lanes)]
    NoBits(DType),
    /// Strides for more or fewer dimensions than there are.
    #[error(
        "{strides} strides for {rank} dimensions; there must be one each, or none for a row-major tensor"
    )]
    Strides {
        /// Number of strides.
        strides: usize,
        /// Number of dimensions.
        rank: usize,
    },
    /// A dimension below zero.
    #[error("dimension {axis} is {size}; it must not be negative")]
    NegativeDimension {
        /// Which dimension.
        axis: usize,
        /// What it says.
        size: i64,
    },
    /// A stride below zero.
    #[error("the stride of dimension {axis} is {stride}; negative strides are not supported")]
    NegativeStride {
        /// Which dimension.
        axis: usize,
        /// What it says.
        stride: i64,
    },
    /// A tensor that no memory can hold.
    #[error("the shape and strides describe more elements or bytes than this machine can count")]
    TooLarge,
    /// The data ends before the last element.
    #[error("the tensor ends at byte {needed} of the data, but there are {available} bytes")]
    TooShort {
        /// Bytes up to the end of the last element.
        needed: u64,
        /// Bytes of the data.
        available: usize,
    },
    /// The elements are of another type than was asked for.
    #[error(
        "the elements are {is}, not {asked}; `reinterpret` reads elements of the same size as another type"
    )]
    OtherType {
        /// What they are.
        is: DType,
        /// What was asked for.
        asked: DType,
    },
    /// The elements do not lie next to each other in row-major order.
    #[error(
        "the elements do not lie next to each other in row-major order; read them one by one, by index or iterator"
    )]
    Strided,
    /// The elements lie at an address that is no multiple of their alignment.
    #[error("the elements are not aligned for {0}; read them one by one, by index or iterator")]
    Unaligned(DType),
    /// The elements are in the other byte order.
    #[error(
        "the elements are not in this machine's byte order; read them one by one, by index or iterator"
    )]
    ByteOrder,
    /// The host cannot read the memory in place.
    #[error(
        "the data lies in memory of backend `{0}`, which the host cannot read in place; copy it with `to_vec` or `make_mut` of the buffer first"
    )]
    NotOnHost(String),
    /// The data is shared or belongs to a backend.
    #[error(
        "the data cannot be written in place: it is shared, or not a vector of bytes of this process; `make_mut` of the buffer copies it first"
    )]
    NotWritable,
    /// The elements overlap, and a copy would be larger than the data.
    #[error(
        "the tensor has {elements} elements in {bytes} bytes of data, because some dimensions repeat; read them by index or iterator"
    )]
    Repeated {
        /// Number of elements.
        elements: usize,
        /// Bytes of the data.
        bytes: usize,
    },
}
