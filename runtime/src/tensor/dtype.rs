//! Types of elements, in DLPack's numbers.
//!
//! Three numbers come in, a name and a size go out. Every number can be held, because messages bring any; the ones that
//! mean nothing are refused where a tensor is [checked](super::Layout::validate).

use core::fmt;

use super::error::TensorError;

/// The type of a tensor's elements: DLPack's `DLDataType`.
///
/// ```
/// use rosidl_buffer_runtime::tensor::{DType, TypeCode};
///
/// assert_eq!(DType::F32.to_string(), "float32");
/// assert_eq!(DType { lanes: 4, ..DType::U8 }.to_string(), "uint8x4");
/// assert_eq!(DType::BF16.type_code(), Some(TypeCode::BFloat));
/// assert_eq!(DType::F32.item_size()?, 4);
/// assert!(DType { code: 99, bits: 8, lanes: 1 }.item_size().is_err());
/// # Ok::<(), rosidl_buffer_runtime::tensor::TensorError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DType {
    /// What a scalar is; [`TypeCode`] has the known ones.
    pub code: u8,
    /// Width of a scalar in bits.
    pub bits: u8,
    /// Scalars in an element, 1 but for vectors.
    pub lanes: u16,
}

macro_rules! type_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// What a scalar is: the codes of DLPack 1.1.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum TypeCode {
            $($(#[$doc])* $name = $code,)*
        }

        impl TypeCode {
            /// The code of that number; `None` for one that DLPack 1.1 does not have.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The name that array libraries have for it; the width stands behind it, but for the formats of few bits, whose
            /// name has it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

type_codes! {
    /// Signed integer.
    Int = 0, "int";
    /// Unsigned integer.
    UInt = 1, "uint";
    /// IEEE 754 floating point.
    Float = 2, "float";
    /// A handle that means something to its owner only.
    OpaqueHandle = 3, "opaque";
    /// Floating point with the exponent of a `f32` and 7 bits of mantissa.
    BFloat = 4, "bfloat";
    /// Real and imaginary part, together as wide as it says.
    Complex = 5, "complex";
    /// 0 or 1.
    Bool = 6, "bool";
    /// 8 bits, 3 of exponent, 4 of mantissa.
    Float8E3M4 = 7, "float8_e3m4";
    /// 8 bits, 4 of exponent, 3 of mantissa.
    Float8E4M3 = 8, "float8_e4m3";
    /// As `e4m3`, bias 11, finite, one zero.
    Float8E4M3B11Fnuz = 9, "float8_e4m3b11fnuz";
    /// As `e4m3`, finite.
    Float8E4M3Fn = 10, "float8_e4m3fn";
    /// As `e4m3`, finite, one zero.
    Float8E4M3Fnuz = 11, "float8_e4m3fnuz";
    /// 8 bits, 5 of exponent, 2 of mantissa.
    Float8E5M2 = 12, "float8_e5m2";
    /// As `e5m2`, finite, one zero.
    Float8E5M2Fnuz = 13, "float8_e5m2fnuz";
    /// 8 bits of exponent: a power of two.
    Float8E8M0Fnu = 14, "float8_e8m0fnu";
    /// 6 bits, 2 of exponent, 3 of mantissa.
    Float6E2M3Fn = 15, "float6_e2m3fn";
    /// 6 bits, 3 of exponent, 2 of mantissa.
    Float6E3M2Fn = 16, "float6_e3m2fn";
    /// 4 bits, 2 of exponent, 1 of mantissa.
    Float4E2M1Fn = 17, "float4_e2m1fn";
}

impl DType {
    /// `int8`
    pub const I8: Self = Self::scalar(TypeCode::Int, 8);
    /// `int16`
    pub const I16: Self = Self::scalar(TypeCode::Int, 16);
    /// `int32`
    pub const I32: Self = Self::scalar(TypeCode::Int, 32);
    /// `int64`
    pub const I64: Self = Self::scalar(TypeCode::Int, 64);
    /// `uint8`
    pub const U8: Self = Self::scalar(TypeCode::UInt, 8);
    /// `uint16`
    pub const U16: Self = Self::scalar(TypeCode::UInt, 16);
    /// `uint32`
    pub const U32: Self = Self::scalar(TypeCode::UInt, 32);
    /// `uint64`
    pub const U64: Self = Self::scalar(TypeCode::UInt, 64);
    /// `float16`
    pub const F16: Self = Self::scalar(TypeCode::Float, 16);
    /// `float32`
    pub const F32: Self = Self::scalar(TypeCode::Float, 32);
    /// `float64`
    pub const F64: Self = Self::scalar(TypeCode::Float, 64);
    /// `bfloat16`
    pub const BF16: Self = Self::scalar(TypeCode::BFloat, 16);
    /// `bool`, a byte wide
    pub const BOOL: Self = Self::scalar(TypeCode::Bool, 8);

    /// An element of one scalar.
    pub const fn scalar(code: TypeCode, bits: u8) -> Self {
        Self {
            code: code as u8,
            bits,
            lanes: 1,
        }
    }

    /// What a scalar is; `None` for a code that is not known.
    pub const fn type_code(self) -> Option<TypeCode> {
        TypeCode::from_number(self.code)
    }

    /// Bytes from one element to the next. Elements start at whole bytes, also those of less than eight bits.
    ///
    /// # Errors
    /// [`TensorError::UnknownType`] for a code that DLPack 1.1 does not have, [`TensorError::NoBits`] for elements of no bits.
    pub const fn item_size(self) -> Result<usize, TensorError> {
        if self.type_code().is_none() {
            return Err(TensorError::UnknownType(self));
        }
        if self.bits == 0 || self.lanes == 0 {
            return Err(TensorError::NoBits(self));
        }
        // At most 255 * 65,535 bits.
        Ok((self.bits as usize * self.lanes as usize).div_ceil(8))
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.type_code() {
            None => write!(f, "code {} of {} bits", self.code, self.bits)?,
            Some(code) => {
                f.write_str(code.name())?;
                let is_in_name =
                    code as u8 > TypeCode::Bool as u8 || (code == TypeCode::Bool && self.bits == 8);
                if !is_in_name {
                    write!(f, "{}", self.bits)?;
                }
            }
        }
        match self.lanes {
            1 => Ok(()),
            lanes => write!(f, "x{lanes}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_numbers_of_dlpack() {
        for number in 0..=17 {
            assert_eq!(TypeCode::from_number(number).unwrap() as u8, number);
        }
        assert!((18..=255).all(|number| TypeCode::from_number(number).is_none()));
        assert_eq!(DType::BOOL.to_string(), "bool");
        assert_eq!(DType::BF16.to_string(), "bfloat16");
        let e4m3 = DType::scalar(TypeCode::Float8E4M3Fn, 8);
        assert_eq!(e4m3.to_string(), "float8_e4m3fn");
    }

    #[test]
    fn elements_start_at_whole_bytes() {
        let fp4 = DType::scalar(TypeCode::Float4E2M1Fn, 4);
        assert_eq!(fp4.item_size(), Ok(1));
        assert_eq!(DType { lanes: 2, ..fp4 }.item_size(), Ok(1));
        assert_eq!(DType { lanes: 3, ..fp4 }.item_size(), Ok(2));
        let most = DType {
            bits: 255,
            lanes: u16::MAX,
            ..fp4
        };
        assert_eq!(most.item_size(), Ok(2_088_929));
        let none = DType { lanes: 0, ..fp4 };
        assert_eq!(none.item_size(), Err(TensorError::NoBits(none)));
    }
}
