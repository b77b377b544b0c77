//! Types of elements, in torch's names and in DLPack's numbers.

use ::tch::{Kind, Tensor};

use super::error::TorchError;
use super::ffi;
use crate::tensor::dtype::{DType, TypeCode};

/// The type of a tensor's elements, as a message has it; also for those that [`Kind`] has no name for, as `uint16`.
///
/// # Errors
/// [`TorchError::Type`] for a type that DLPack has no number for; as for a tensor without strided memory.
pub fn dtype(tensor: &Tensor) -> Result<DType, TorchError> {
    Ok(ffi::describe(tensor)?.dtype)
}

impl TryFrom<Kind> for DType {
    type Error = TorchError;

    /// # Errors
    /// [`TorchError::Type`] for quantised types: their scale has no place in a message.
    fn try_from(kind: Kind) -> Result<Self, TorchError> {
        let float8 = |code| Ok(Self::scalar(code, 8));
        match kind {
            Kind::Uint8 => Ok(Self::U8),
            Kind::Int8 => Ok(Self::I8),
            Kind::Int16 => Ok(Self::I16),
            Kind::Int => Ok(Self::I32),
            Kind::Int64 => Ok(Self::I64),
            Kind::Half => Ok(Self::F16),
            Kind::Float => Ok(Self::F32),
            Kind::Double => Ok(Self::F64),
            Kind::BFloat16 => Ok(Self::BF16),
            Kind::Bool => Ok(Self::BOOL),
            Kind::ComplexHalf => Ok(Self::scalar(TypeCode::Complex, 32)),
            Kind::ComplexFloat => Ok(Self::scalar(TypeCode::Complex, 64)),
            Kind::ComplexDouble => Ok(Self::scalar(TypeCode::Complex, 128)),
            Kind::Float8e5m2 => float8(TypeCode::Float8E5M2),
            Kind::Float8e4m3fn => float8(TypeCode::Float8E4M3Fn),
            Kind::Float8e5m2fnuz => float8(TypeCode::Float8E5M2Fnuz),
            Kind::Float8e4m3fnuz => float8(TypeCode::Float8E4M3Fnuz),
            Kind::QInt8 | Kind::QUInt8 | Kind::QInt32 => Err(TorchError::Type(format!("{kind:?}"))),
        }
    }
}

impl DType {
    /// What an address has to be a multiple of for torch.
    pub(super) fn is_aligned(self, address: usize) -> bool {
        let scalar = usize::from(self.bits).div_ceil(8).max(1);
        // Torch's complex numbers are aligned to both of their parts, and nothing is larger.
        address.is_multiple_of(scalar.min(16))
    }
}
