//! Values: from what is written to what its type makes of it.
//!
//! Ranges, bounds and lengths are compared later, where the meaning of a type is known.

use super::{
    list::{Item, read_list},
    reader::Reader,
    tree::{Literal, LiteralKind},
};
use crate::{
    diagnostic::{Code, Diagnostic},
    syntax::{
        ast::{Array, Base, Primitive, Value, ValueKind},
        number,
    },
};

/// Reads the value of a constant or a default value.
pub(super) fn read(
    reader: &mut Reader<'_>,
    base: &Base,
    array: Option<Array>,
    literal: &Literal,
) -> Option<Value> {
    let form = match base {
        Base::Primitive(primitive) => Form::of(*primitive),
        Base::BoundedText { .. } => Form::Text,
        Base::Named { .. } => {
            let message = "a field of a message type cannot have a default value";
            refuse(reader, literal, message, None);
            return None;
        }
    };
    let kind = if array.is_some() {
        list(reader, form, literal)?
    } else {
        single(reader, form, literal)?
    };
    Some(Value {
        kind,
        span: literal.span.clone(),
    })
}

/// The rules by which a value is read.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Boolean,
    Integer,
    Float,
    Text,
}

impl Form {
    fn of(primitive: Primitive) -> Self {
        match primitive {
            Primitive::Bool => Self::Boolean,
            Primitive::Float32 | Primitive::Float64 => Self::Float,
            Primitive::String | Primitive::Wstring => Self::Text,
            _ => Self::Integer,
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Boolean => "expected `TRUE` or `FALSE`",
            Self::Integer => "expected a whole number, such as `-5`",
            Self::Float => "expected a number, such as `1.5` or `1e-3`",
            Self::Text => "expected a string, such as `\"abc\"`",
        }
    }
}

fn single(reader: &mut Reader<'_>, form: Form, literal: &Literal) -> Option<ValueKind> {
    let kind = match (form, &literal.kind) {
        (Form::Boolean, LiteralKind::Boolean(truth)) => Some(ValueKind::Bool(*truth)),
        (Form::Boolean, LiteralKind::Integer(number @ (0 | 1))) => {
            Some(ValueKind::Bool(*number == 1))
        }
        (Form::Integer, LiteralKind::Integer(number)) => Some(ValueKind::Integer(*number)),
        (Form::Float, LiteralKind::Integer(number)) if number.unsigned_abs() < LARGEST => {
            #[allow(clippy::cast_precision_loss)]
            let number = *number as f64;
            Some(ValueKind::Float(number))
        }
        (Form::Float, LiteralKind::Float(number)) => Some(ValueKind::Float(*number)),
        (Form::Float, LiteralKind::Name(name)) => number::float(name).map(ValueKind::Float),
        (Form::Text, LiteralKind::Text(text)) => Some(text_value(text.clone())),
        _ => None,
    };
    match (&kind, &literal.kind) {
        (Some(ValueKind::Float(number)), written) => {
            let is_name = matches!(written, LiteralKind::Name(_));
            warn_about_float(reader, *number, is_name, literal);
        }
        (None, LiteralKind::Name(_)) => refuse(
            reader,
            literal,
            "a value is not looked up by name in ROS 2",
            Some(form.expected()),
        ),
        (None, _) => refuse(
            reader,
            literal,
            "this value does not fit the type",
            Some(form.expected()),
        ),
        _ => {}
    }
    kind
}

/// As many digits as this are not kept: the number is another one.
const LARGEST: u128 = i128::MAX.unsigned_abs();

fn list(reader: &mut Reader<'_>, form: Form, literal: &Literal) -> Option<ValueKind> {
    let LiteralKind::Text(text) = &literal.kind else {
        refuse(
            reader,
            literal,
            "the value of an array is a list inside of a string",
            Some("expected a string such as `\"(1, 2)\"`"),
        );
        return None;
    };
    let items = match read_list(text) {
        Ok(items) => items,
        Err(reason) => {
            let message = format!("this is not a list: it {reason}");
            let help = "a list is `\"(1, 2)\"`, with one element `\"(1,)\"`, without any `\"()\"`";
            refuse(reader, literal, &message, Some(help));
            return None;
        }
    };
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        let kind = match (form, item) {
            (Form::Boolean, Item::Plain("True" | "1")) => Some(ValueKind::Bool(true)),
            (Form::Boolean, Item::Plain("False" | "0")) => Some(ValueKind::Bool(false)),
            (Form::Integer, Item::Plain(text)) => number::integer(text).map(ValueKind::Integer),
            (Form::Float, Item::Plain(text)) => number::float(text)
                .inspect(|number| {
                    let is_name = !text.contains(|character: char| character.is_ascii_digit());
                    warn_about_float(reader, *number, is_name, literal);
                })
                .map(ValueKind::Float),
            (Form::Text, Item::Text(text)) => Some(text_value(text)),
            _ => None,
        };
        let Some(kind) = kind else {
            let message = format!(
                "element {} of this list does not fit the type",
                values.len() + 1
            );
            let help = match form {
                Form::Boolean => "expected `True` or `False`, as in Python",
                Form::Text => "expected a string, such as `'abc'`",
                _ => form.expected(),
            };
            refuse(reader, literal, &message, Some(help));
            return None;
        };
        values.push(Value {
            kind,
            span: literal.span.clone(),
        });
    }
    Some(ValueKind::List(values))
}

fn text_value(text: String) -> ValueKind {
    let written = text.chars().count();
    ValueKind::Text { text, written }
}

fn warn_about_float(reader: &mut Reader<'_>, number: f64, is_name: bool, literal: &Literal) {
    if is_name && number == f64::NEG_INFINITY {
        reader.warn(
            Code::RiskyValue,
            literal.span.clone(),
            "ROS 2's own generators lose the sign of `-inf`",
            "it is minus infinity here, plus infinity there",
        );
    } else if !is_name && number.is_infinite() {
        reader.warn(
            Code::RiskyValue,
            literal.span.clone(),
            "this number does not fit into 64 bits and becomes infinity",
            "write `inf` if that is meant",
        );
    }
}

fn refuse(reader: &mut Reader<'_>, literal: &Literal, message: &str, help: Option<&str>) {
    reader.error(literal.span.clone(), || {
        let diagnostic = Diagnostic::new(Code::BadValue, message);
        match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    });
}
