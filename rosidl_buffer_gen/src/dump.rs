//! Model → JSON: what the interface files mean, for people who wonder and for programs that compare.
//!
//! One object in each line, for each message and for each part of a service or an action. Types are
//! written as in `.msg` files, with full names.

use serde_json::{Value as Json, json};

use crate::{
    model::{Doc, FieldType, Interfaces, Message, Value, ValueType},
    name::PackageName,
};

/// The messages of the packages that `wanted` says, in the order of their names.
pub(crate) fn json_lines(interfaces: &Interfaces, wanted: impl Fn(&PackageName) -> bool) -> String {
    let messages = interfaces.messages.values();
    messages
        .filter(|message| wanted(message.name.package()))
        .map(|message| object(message).to_string() + "\n")
        .collect()
}

fn object(message: &Message) -> Json {
    let fields = message.fields.iter().map(|field| {
        json!({
            "name": field.name,
            "type": field_type(&field.field_type),
            "default": field.default.as_ref().map(value),
            "comment": field.doc.lines,
            "unit": field.doc.unit,
        })
    });
    let constants = message.constants.iter().map(|constant| {
        json!({
            "name": constant.name,
            "type": value_type(&constant.constant_type),
            "value": value(&constant.value),
            "comment": constant.doc.lines,
            "unit": constant.doc.unit,
        })
    });
    let Doc { lines, unit } = &message.doc;
    json!({
        "type": message.name.to_string(),
        "comment": lines,
        "unit": unit,
        "fields": fields.collect::<Vec<_>>(),
        "constants": constants.collect::<Vec<_>>(),
    })
}

/// Numbers that JSON has no literal for are strings.
fn value(value: &Value) -> Json {
    match value {
        Value::Boolean(truth) => json!(truth),
        Value::Integer(number) => i64::try_from(*number).map_or_else(
            // A value of a type: if not an i64, then a u64.
            |_| json!(u64::try_from(*number).ok()),
            |number| json!(number),
        ),
        Value::Float(number) if number.is_nan() => json!("nan"),
        Value::Float(number) if number.is_infinite() => {
            json!(if *number > 0.0 { "inf" } else { "-inf" })
        }
        Value::Float(number) => json!(number),
        Value::String(text) => json!(text),
        Value::Array(items) => items.iter().map(self::value).collect(),
    }
}

pub(crate) fn field_type(field_type: &FieldType) -> String {
    let item = value_type(field_type.value_type());
    match field_type {
        FieldType::Single(_) => item,
        FieldType::Array(_, length) => format!("{item}[{length}]"),
        FieldType::BoundedSequence(_, bound) => format!("{item}[<={bound}]"),
        FieldType::UnboundedSequence(_) => format!("{item}[]"),
    }
}

fn value_type(value_type: &ValueType) -> String {
    let basic = match value_type {
        ValueType::Basic(basic) => basic,
        ValueType::String => return "string".to_owned(),
        ValueType::WString => return "wstring".to_owned(),
        ValueType::BoundedString(bound) => return format!("string<={bound}"),
        ValueType::BoundedWString(bound) => return format!("wstring<={bound}"),
        ValueType::Namespaced(name) => return name.to_string(),
    };
    basic.name().to_owned()
}
