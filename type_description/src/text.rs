//! The canonical text of a type description.
//!
//! The format is fixed byte for byte: key order as written here, comma and colon each followed by
//! one space, no line breaks, no default values, everything beyond ASCII escaped.

use std::fmt::Write;

use crate::{IndividualTypeDescription, TypeDescription};

/// The text that is hashed.
pub(crate) fn hash_text(description: &TypeDescription) -> String {
    let mut out = String::with_capacity(1024);
    out.push_str("{\"type_description\": ");
    push_individual(&mut out, &description.type_description);
    out.push_str(", \"referenced_type_descriptions\": [");
    for (index, referenced) in description.referenced_type_descriptions.iter().enumerate() {
        push_separator(&mut out, index);
        push_individual(&mut out, referenced);
    }
    out.push_str("]}");
    out
}

fn push_individual(out: &mut String, individual: &IndividualTypeDescription) {
    out.push_str("{\"type_name\": ");
    push_string(out, &individual.type_name);
    out.push_str(", \"fields\": [");
    for (index, field) in individual.fields.iter().enumerate() {
        push_separator(out, index);
        out.push_str("{\"name\": ");
        push_string(out, &field.name);
        let field_type = &field.field_type;
        push_number(out, ", \"type\": {\"type_id\": ", field_type.type_id.into());
        push_number(out, ", \"capacity\": ", field_type.capacity);
        push_number(out, ", \"string_capacity\": ", field_type.string_capacity);
        out.push_str(", \"nested_type_name\": ");
        push_string(out, &field_type.nested_type_name);
        out.push_str("}}");
    }
    out.push_str("]}");
}

fn push_separator(out: &mut String, index: usize) {
    if index > 0 {
        out.push_str(", ");
    }
}

fn push_number(out: &mut String, key: &str, number: u64) {
    out.push_str(key);
    out.push_str(&number.to_string());
}

pub(crate) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing into a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Field, FieldType, type_id};

    #[test]
    fn the_text_of_std_msgs_string() {
        let description = TypeDescription::new(
            IndividualTypeDescription {
                type_name: "std_msgs/msg/String".to_owned(),
                fields: vec![Field {
                    name: "data".to_owned(),
                    field_type: FieldType {
                        type_id: type_id::STRING,
                        ..FieldType::default()
                    },
                    default_value: "not hashed".to_owned(),
                }],
            },
            [],
        );
        let text = description.hash_text();
        assert_eq!(
            text,
            r#"{"type_description": {"type_name": "std_msgs/msg/String", "fields": [{"name": "data", "type": {"type_id": 17, "capacity": 0, "string_capacity": 0, "nested_type_name": ""}}]}, "referenced_type_descriptions": []}"#
        );
        assert_eq!(text.len(), 210);
    }

    #[test]
    fn what_is_not_printable_ascii_is_escaped() {
        let mut out = String::new();
        push_string(&mut out, "a\"\\\n\r\t\u{8}\u{c}\u{1}\u{7f}é😀");
        assert_eq!(
            out,
            "\"a\\\"\\\\\\n\\r\\t\\b\\f\\u0001\\u007f\\u00e9\\ud83d\\ude00\""
        );
    }

    #[test]
    fn several_fields_and_references_are_separated_by_comma_and_space() {
        let pair = IndividualTypeDescription {
            type_name: "p/msg/Pair".to_owned(),
            fields: ["a", "b"]
                .map(|name| Field {
                    name: name.to_owned(),
                    ..Field::default()
                })
                .to_vec(),
        };
        let other = IndividualTypeDescription {
            type_name: "p/msg/Other".to_owned(),
            fields: Vec::new(),
        };
        let third = IndividualTypeDescription {
            type_name: "p/msg/Third".to_owned(),
            fields: Vec::new(),
        };
        let text = TypeDescription::new(pair, [other, third]).hash_text();
        assert!(text.contains("}}, {\"name\": \"b\""), "{text}");
        assert!(
            text.ends_with(
                "[{\"type_name\": \"p/msg/Other\", \"fields\": []}, {\"type_name\": \"p/msg/Third\", \"fields\": []}]}"
            ),
            "{text}"
        );
    }
}
