//! What can go wrong with a parameter.

use std::fmt::{self, Write as _};

use super::{ParameterType, ParameterValue};

/// The longest text of a value in an error, in bytes.
const MAX_SHOWN: usize = 100;

/// Why a parameter was not declared, read, changed or removed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// A parameter without a name.
    #[error("the name of a parameter must not be empty")]
    EmptyName,
    /// It is declared already.
    #[error("parameter {name:?} is declared already")]
    AlreadyDeclared {
        /// The parameter.
        name: String,
    },
    /// It is not declared.
    #[error("parameter {name:?} is not declared: declare it before it is used")]
    NotDeclared {
        /// The parameter.
        name: String,
    },
    /// A parameter that must have a value has neither a default nor one from outside.
    #[error(
        "parameter {name:?} has no value: give a default, or a value with `-p {name}:=value` or in a parameter file"
    )]
    NoValue {
        /// The parameter.
        name: String,
    },
    /// A value of another type than the parameter's.
    #[error(
        "parameter {name:?} is of type {expected}, but {} is of type {}: {}", short(given), given.parameter_type(), hint(*expected)
    )]
    WrongType {
        /// The parameter.
        name: String,
        /// Its type.
        expected: ParameterType,
        /// The value.
        given: ParameterValue,
    },
    /// A value from the network whose type ROS does not have.
    #[error("parameter {name:?}: there is no parameter type {number}")]
    UnknownType {
        /// The parameter.
        name: String,
        /// The number of the type.
        number: u8,
    },
    /// A value that was fixed when the parameter was declared.
    #[error("parameter {name:?} cannot be changed or removed: it is read-only")]
    ReadOnly {
        /// The parameter.
        name: String,
    },
    /// A parameter whose type is fixed cannot be without a value.
    #[error(
        "parameter {name:?} cannot be unset or removed: its type is fixed; declare it with dynamic typing for that"
    )]
    StaticallyTyped {
        /// The parameter.
        name: String,
    },
    /// A value outside the parameter's range.
    #[error("parameter {name:?} cannot be {}: it must be {range}", short(given))]
    OutOfRange {
        /// The parameter.
        name: String,
        /// The value.
        given: ParameterValue,
        /// The range in words.
        range: String,
    },
    /// A range that no value can be in, or for another type than the parameter's.
    #[error("parameter {name:?} cannot have the range {range}: {why}")]
    BadRange {
        /// The parameter.
        name: String,
        /// The range in words.
        range: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A callback of the node does not want the values.
    #[error("refused by the node: {reason}")]
    Refused {
        /// What the callback said.
        reason: String,
    },
    /// A callback that checks changes tried to make one.
    #[error("parameters cannot be declared, changed or removed while a callback looks at a change")]
    InCallback,
}

fn hint(expected: ParameterType) -> &'static str {
    match expected {
        ParameterType::Double => "write a decimal point for a double, as in 1.0",
        ParameterType::DoubleArray => "write a decimal point in every double, as in [1.0, 2.0]",
        ParameterType::String => "write quotes around a string that looks like something else",
        _ => "give a value of that type",
    }
}

/// A value as text, cut where it is too long: it may be megabytes from the network, and the error goes back there.
fn short(value: &ParameterValue) -> String {
    struct Short(String);

    impl fmt::Write for Short {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let mut fits = text.len().min(MAX_SHOWN - self.0.len());
            while !text.is_char_boundary(fits) {
                fits -= 1;
            }
            self.0.push_str(&text[..fits]);
            // An error ends the formatting.
            if fits < text.len() {
                Err(fmt::Error)
            } else {
                Ok(())
            }
        }
    }

    let mut shown = Short(String::new());
    if write!(shown, "{value:?}").is_err() {
        shown.0.push('…');
    }
    shown.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut() {
        assert_eq!(short(&ParameterValue::Integer(7)), "Integer(7)");
        for value in [
            ParameterValue::String("ä".repeat(1 << 20)),
            ParameterValue::IntegerArray(vec![1; 1 << 20]),
        ] {
            let shown = short(&value);
            assert!(
                shown.len() <= MAX_SHOWN + 3 && shown.ends_with('…'),
                "{shown}"
            );
        }
    }
}
