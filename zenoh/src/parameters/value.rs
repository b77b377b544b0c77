//! What a parameter can hold, and which Rust types stand for it.

use rosidl_buffer_interfaces::rcl_interfaces::msg;

/// The type of a parameter, with the numbers of `rcl_interfaces/msg/ParameterType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ParameterType {
    /// `bool`.
    Bool = 1,
    /// `int64`.
    Integer = 2,
    /// `float64`.
    Double = 3,
    /// `string`.
    String = 4,
    /// `byte[]`.
    ByteArray = 5,
    /// `bool[]`.
    BoolArray = 6,
    /// `int64[]`.
    IntegerArray = 7,
    /// `float64[]`.
    DoubleArray = 8,
    /// `string[]`.
    StringArray = 9,
}

impl ParameterType {
    /// The number in messages.
    pub fn to_u8(self) -> u8 {
        self as u8
    }

    /// The type with that number in messages, if there is one.
    pub fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Bool,
            2 => Self::Integer,
            3 => Self::Double,
            4 => Self::String,
            5 => Self::ByteArray,
            6 => Self::BoolArray,
            7 => Self::IntegerArray,
            8 => Self::DoubleArray,
            9 => Self::StringArray,
            _ => return None,
        })
    }

    /// ROS's word for it, as `ros2 param` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::String => "string",
            Self::ByteArray => "byte_array",
            Self::BoolArray => "bool_array",
            Self::IntegerArray => "integer_array",
            Self::DoubleArray => "double_array",
            Self::StringArray => "string_array",
        }
    }
}

impl std::fmt::Display for ParameterType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterValue {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Double(f64),
    /// Text.
    String(String),
    /// Bytes.
    ByteArray(Vec<u8>),
    /// Many true or false.
    BoolArray(Vec<bool>),
    /// Whole numbers.
    IntegerArray(Vec<i64>),
    /// Floating-point numbers.
    DoubleArray(Vec<f64>),
    /// Texts.
    StringArray(Vec<String>),
}

impl ParameterValue {
    /// Its type.
    pub fn parameter_type(&self) -> ParameterType {
        match self {
            Self::Bool(_) => ParameterType::Bool,
            Self::Integer(_) => ParameterType::Integer,
            Self::Double(_) => ParameterType::Double,
            Self::String(_) => ParameterType::String,
            Self::ByteArray(_) => ParameterType::ByteArray,
            Self::BoolArray(_) => ParameterType::BoolArray,
            Self::IntegerArray(_) => ParameterType::IntegerArray,
            Self::DoubleArray(_) => ParameterType::DoubleArray,
            Self::StringArray(_) => ParameterType::StringArray,
        }
    }

    /// From a message; `None` when the parameter is not set there.
    ///
    /// # Errors
    /// The number of the type, when ROS has no such type.
    pub(crate) fn from_message(value: msg::ParameterValue) -> Result<Option<Self>, u8> {
        Ok(Some(match value.type_ {
            0 => return Ok(None),
            1 => Self::Bool(value.bool_value),
            2 => Self::Integer(value.integer_value),
            3 => Self::Double(value.double_value),
            4 => Self::String(value.string_value),
            5 => Self::ByteArray(value.byte_array_value),
            6 => Self::BoolArray(value.bool_array_value),
            7 => Self::IntegerArray(value.integer_array_value),
            8 => Self::DoubleArray(value.double_array_value),
            9 => Self::StringArray(value.string_array_value),
            unknown => return Err(unknown),
        }))
    }
}

/// As a message; nothing stands for a parameter that is not set.
pub(crate) fn to_message(value: Option<&ParameterValue>) -> msg::ParameterValue {
    let mut message = msg::ParameterValue::default();
    let Some(value) = value else { return message };
    message.type_ = value.parameter_type().to_u8();
    match value.clone() {
        ParameterValue::Bool(value) => message.bool_value = value,
        ParameterValue::Integer(value) => message.integer_value = value,
        ParameterValue::Double(value) => message.double_value = value,
        ParameterValue::String(value) => message.string_value = value,
        ParameterValue::ByteArray(value) => message.byte_array_value = value,
        ParameterValue::BoolArray(value) => message.bool_array_value = value,
        ParameterValue::IntegerArray(value) => message.integer_array_value = value,
        ParameterValue::DoubleArray(value) => message.double_array_value = value,
        ParameterValue::StringArray(value) => message.string_array_value = value,
    }
    message
}

/// A Rust type that a parameter can have: `bool`, `i64`, `f64`, `String`, vectors of these and of bytes; or
/// [`ParameterValue`] for a parameter that may change its type.
pub trait ParameterVariant: Into<ParameterValue> + TryFrom<ParameterValue> + Clone {
    /// The parameter's type; `None` if it may change.
    const TYPE: Option<ParameterType>;
}

impl ParameterVariant for ParameterValue {
    const TYPE: Option<ParameterType> = None;
}

macro_rules! variants {
    ($($rust:ty => $variant:ident),* $(,)?) => {$(
        impl ParameterVariant for $rust {
            const TYPE: Option<ParameterType> = Some(ParameterType::$variant);
        }

        impl From<$rust> for ParameterValue {
            fn from(value: $rust) -> Self {
                Self::$variant(value)
            }
        }

        impl TryFrom<ParameterValue> for $rust {
            /// The value, which is of another type.
            type Error = ParameterValue;

            fn try_from(value: ParameterValue) -> Result<Self, ParameterValue> {
                match value {
                    ParameterValue::$variant(value) => Ok(value),
                    other => Err(other),
                }
            }
        }
    )*};
}

variants! {
    bool => Bool,
    i64 => Integer,
    f64 => Double,
    String => String,
    Vec<u8> => ByteArray,
    Vec<bool> => BoolArray,
    Vec<i64> => IntegerArray,
    Vec<f64> => DoubleArray,
    Vec<String> => StringArray,
}

impl From<&str> for ParameterValue {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_through_messages() {
        let values = [
            ParameterValue::Bool(true),
            ParameterValue::Integer(-3),
            ParameterValue::Double(2.5),
            "text".into(),
            vec![1_u8, 2].into(),
            vec![true, false].into(),
            vec![1_i64, i64::MIN].into(),
            vec![0.5, f64::INFINITY].into(),
            vec!["a".to_owned()].into(),
        ];
        for (number, value) in (1..).zip(values) {
            let message = to_message(Some(&value));
            assert_eq!(message.type_, number);
            assert_eq!(ParameterValue::from_message(message), Ok(Some(value)));
        }
        assert_eq!(ParameterValue::from_message(to_message(None)), Ok(None));
        let hostile = msg::ParameterValue {
            type_: 10,
            ..msg::ParameterValue::default()
        };
        assert_eq!(ParameterValue::from_message(hostile), Err(10));
    }
}
