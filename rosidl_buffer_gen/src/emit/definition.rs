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
            let items: Vec<_> = items.iter().map(item).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

/// An element of a list: readers take quotes off twice, and blanks at the ends.
fn item(item: &Value) -> String {
    let Value::String(text) = item else {
        return value(item);
    };
    let inside = text.trim_matches(' ');
    let before = text.len() - text.trim_start_matches(' ').len();
    let after = text.len() - before - inside.len();
    let inside = inside.chars().map(|character| match character {
        '"' | '\'' | '\\' => format!("\\x{:02x}", u32::from(character)),
        other => escaped(other),
    });
    let blanks = |count| "\\x20".repeat(count);
    format!(
        "\"{}{}{}\"",
        blanks(before),
        inside.collect::<String>(),
        blanks(after)
    )
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

    #[test]
    fn elements_of_lists_are_read_back_as_they_were() {
        let list = ["it's", " a\"b ", "c\\", "  "].map(|text| Value::String(text.to_owned()));
        assert_eq!(
            value(&Value::Array(list.to_vec())),
            r#"["it\x27s", "\x20a\x22b\x20", "c\x5c", "\x20\x20"]"#
        );
    }
}
