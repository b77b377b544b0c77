//! A message in the language of `.msg` files, for those that were written in another.

use std::fmt::Write;

use crate::model::{BasicType, FieldType, Message, Value, ValueType};

/// The fields and constants, a line each. IDL's `char` and `wchar`, which that language has no words for,
/// become `char` and `uint16`, which have the same size and values.
pub(super) fn render(message: &Message) -> String {
    let mut text = String::new();
    for constant in &message.constants {
        let constant_type = value_type(&constant.constant_type);
        let value = value(&constant.value);
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{constant_type} {}={value}", constant.name);
    }
    for field in &message.fields {
        let item = value_type(field.field_type.value_type());
        let _ = match &field.field_type {
            FieldType::Single(_) => write!(text, "{item}"),
            FieldType::Array(_, length) => write!(text, "{item}[{length}]"),
            FieldType::BoundedSequence(_, bound) => write!(text, "{item}[<={bound}]"),
            FieldType::UnboundedSequence(_) => write!(text, "{item}[]"),
        };
        let _ = write!(text, " {}", field.name);
        if let Some(default) = &field.default {
            let _ = write!(text, " {}", value(default));
        }
        text.push('\n');
    }
    text
}

fn value(value: &Value) -> String {
    match value {
        Value::Boolean(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::String(text) => format!("\"{}\"", text.chars().map(escaped).collect::<String>()),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(self::value).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

/// What would end the string, start a comment or make a constant of a field is written as an escape
/// sequence.
fn escaped(character: char) -> String {
    match character {
        '"' | '\\' => format!("\\{character}"),
        '#' | '=' => format!("\\x{:02x}", u32::from(character)),
        _ if character.is_control() => format!("\\x{:02x}", u32::from(character)),
        '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", u32::from(character)),
        other => other.to_string(),
    }
}

fn value_type(value_type: &ValueType) -> String {
    let basic = match value_type {
        ValueType::Basic(basic) => basic,
        ValueType::String => return "string".to_owned(),
        ValueType::WString => return "wstring".to_owned(),
        ValueType::BoundedString(bound) => return format!("string<={bound}"),
        ValueType::BoundedWString(bound) => return format!("wstring<={bound}"),
        ValueType::Namespaced(name) => return format!("{}/{}", name.package(), name.name()),
    };
    let name = match basic {
        BasicType::IdlChar => "char",
        BasicType::IdlWchar => "uint16",
        other => other.name(),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_string_ends_it() {
        let text = Value::String("a\"b\\c#d=e\n\t\u{85}\u{2028}é".to_owned());
        assert_eq!(value(&text), r#""a\"b\\c\x23d\x3de\x0a\x09\x85\u2028é""#);
    }
}
