//! Values against their types: ranges, bounds and lengths.

use crate::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    model::{BasicType, FieldType, Value, ValueType},
    source::{Source, Span},
    syntax::ast::{self, ValueKind},
};

pub(super) struct Checker<'a> {
    pub(super) source: &'a Source,
    pub(super) diagnostics: &'a mut Diagnostics,
}

impl Checker<'_> {
    /// The default value of a field.
    pub(super) fn field(&mut self, value: &ast::Value, field_type: &FieldType) -> Option<Value> {
        let ValueKind::List(items) = &value.kind else {
            return self.single(value, field_type.value_type());
        };
        let count = items.len() as u64;
        match field_type {
            FieldType::Array(_, length) if *length != count => {
                let message = format!("this list has {count} elements, the array {length}");
                return self.error(message, &value.span);
            }
            FieldType::BoundedSequence(_, bound) if *bound < count => {
                let message =
                    format!("this list has {count} elements, the sequence at most {bound}");
                return self.error(message, &value.span);
            }
            _ => {}
        }
        let items: Vec<_> = items
            .iter()
            .map(|item| self.single(item, field_type.value_type()))
            .collect();
        items.into_iter().collect::<Option<_>>().map(Value::Array)
    }

    /// The value of a constant or of an element.
    pub(super) fn single(&mut self, value: &ast::Value, value_type: &ValueType) -> Option<Value> {
        match (&value.kind, value_type) {
            (ValueKind::Bool(truth), _) => Some(Value::Boolean(*truth)),
            (ValueKind::Integer(number), ValueType::Basic(basic)) => {
                let (least, most) = basic.range()?;
                if (least..=most).contains(number) {
                    return Some(Value::Integer(*number));
                }
                self.error(
                    format!("this number is not in the range from {least} to {most}"),
                    &value.span,
                )
            }
            (ValueKind::Float(number), ValueType::Basic(basic)) => {
                self.warn_about_range(*number, *basic, &value.span);
                Some(Value::Float(*number))
            }
            (ValueKind::Text { text, written }, _) => {
                let (bound, length) = match value_type {
                    ValueType::BoundedString(bound) | ValueType::BoundedWString(bound) => {
                        (*bound, *written)
                    }
                    _ => return Some(Value::String(text.clone())),
                };
                if length as u64 <= bound {
                    return Some(Value::String(text.clone()));
                }
                self.error(
                    format!("this string has {length} characters, at most {bound} are allowed"),
                    &value.span,
                )
            }
            // Values are read by the rules of their types, so this is a list in a single field.
            _ => self.error("this value does not fit the type".to_owned(), &value.span),
        }
    }

    fn warn_about_range(&mut self, number: f64, basic: BasicType, span: &Span) {
        #[allow(clippy::cast_possible_truncation)]
        let becomes_infinite = (number as f32).is_infinite();
        if basic == BasicType::Float && number.is_finite() && becomes_infinite {
            let message = "this number does not fit into 32 bits and becomes infinity";
            self.diagnostics
                .push_coded(self.source, Code::RiskyValue, || {
                    Diagnostic::new(Code::RiskyValue, message).at(self.source, span.clone(), "")
                });
        }
    }

    fn error<T>(&mut self, message: String, span: &Span) -> Option<T> {
        self.diagnostics.push_with(self.source, || {
            Diagnostic::new(Code::BadValue, message).at(self.source, span.clone(), "")
        });
        None
    }
}
