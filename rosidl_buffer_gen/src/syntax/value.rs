//! Default values and the values of constants: text → value, by the rules of the type.
//!
//! Ranges, bounds and lengths are compared later, where the meaning of a type is known.

use super::{
    ast::{Array, Base, Primitive, Value, ValueKind},
    escape::{self, Decoded, Reason},
    grammar::{Rule, parts},
    number,
};
use crate::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    source::{Source, Span, is_space},
};

/// The rules by which an element's text is read.
#[derive(Clone, Copy)]
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
            Self::Boolean => "expected `true` or `false`",
            Self::Integer => "expected a whole number, such as `-5` or `0xff`",
            Self::Float => "expected a number, such as `1.5` or `1e-3`",
            Self::Text => "expected a string",
        }
    }
}

/// How the escape sequences of a string are decoded.
type Decode = fn(&str) -> Result<Decoded, Reason>;

/// Reads values of one file.
pub(super) struct Values<'a> {
    pub(super) source: &'a Source,
    pub(super) diagnostics: &'a mut Diagnostics,
}

impl Values<'_> {
    /// The value of a constant.
    pub(super) fn constant(
        &mut self,
        primitive: Primitive,
        text: &str,
        start: usize,
    ) -> Option<Value> {
        self.single(Form::of(primitive), text, start..start + text.len())
    }

    /// The default value of a field.
    pub(super) fn default(
        &mut self,
        base: &Base,
        array: Option<Array>,
        text: &str,
        start: usize,
    ) -> Option<Value> {
        let span = start..start + text.len();
        let form = match base {
            Base::Primitive(primitive) => Form::of(*primitive),
            Base::BoundedText { .. } => Form::Text,
            Base::Named { .. } => {
                self.error(
                    Code::BadValue,
                    "a field of a message type cannot have a default value",
                    span,
                    "",
                );
                return None;
            }
        };
        if array.is_none() {
            return self.single(form, text, span);
        }
        let inside = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let Some(inside) = inside else {
            self.error(
                Code::BadValue,
                "the value of an array is a list in brackets",
                span,
                "expected `[…]`",
            );
            return None;
        };
        let items = if let Form::Text = form {
            self.text_items(inside, start + 1)?
        } else {
            self.items(form, inside, start + 1)?
        };
        Some(Value {
            kind: ValueKind::List(items),
            span,
        })
    }

    fn items(&mut self, form: Form, inside: &str, start: usize) -> Option<Vec<Value>> {
        if inside.is_empty() {
            return Some(Vec::new());
        }
        let mut items = Some(Vec::new());
        for item in parts(Rule::items, inside)?.filter(|item| item.as_rule() == Rule::item) {
            let text = item.as_str().trim_start_matches(is_space);
            let item_start = start + item.as_span().end() - text.len();
            let text = text.trim_end_matches(is_space);
            let value = self.single(form, text, item_start..item_start + text.len());
            // All wrong items are told, so the loop goes on.
            items = items.zip(value).map(|(mut items, value)| {
                items.push(value);
                items
            });
        }
        items
    }

    fn text_items(&mut self, inside: &str, start: usize) -> Option<Vec<Value>> {
        let Some(pairs) = parts(Rule::strings, inside) else {
            let span = start..start + inside.len();
            self.error(
                Code::BadValue,
                "this is not a list of strings",
                span,
                "a string is missing, or a quote is not closed",
            );
            return None;
        };
        let mut items = Some(Vec::new());
        for pair in pairs {
            let span = start + pair.as_span().start()..start + pair.as_span().end();
            let text = match pair.as_rule() {
                Rule::quoted => {
                    let quote = &pair.as_str()[..1];
                    let inside = &pair.as_str()[1..pair.as_str().len() - 1];
                    let escaped = format!("\\{quote}");
                    if inside.ends_with(&escaped) || inside.matches(&escaped).count() > 1 {
                        self.error(
                            Code::RiskyValue,
                            "ROS 2's own generators lose their way among the escaped quotes of this list",
                            span.clone(),
                            "taken as it was meant; the other kind of quotes outside helps",
                        );
                    }
                    inside.replace(&escaped, quote)
                }
                Rule::bare => pair.as_str().to_owned(),
                _ => continue,
            };
            // Upstream trims every element and applies the rule for strings to what was between the quotes once more.
            let value = self.text(text.trim(), span, escape::decode_item);
            items = items.zip(value).map(|(mut items, value)| {
                items.push(value);
                items
            });
        }
        items
    }

    fn single(&mut self, form: Form, text: &str, span: Span) -> Option<Value> {
        let kind = match form {
            Form::Boolean => number::boolean(text).map(ValueKind::Bool),
            Form::Integer => number::integer(text).map(ValueKind::Integer),
            Form::Float => number::float(text).map(ValueKind::Float),
            Form::Text => return self.text(text, span, escape::decode),
        };
        let Some(kind) = kind else {
            let message = if text.is_empty() {
                "a value is missing"
            } else {
                "this value does not fit the type"
            };
            self.error(Code::BadValue, message, span, form.expected());
            return None;
        };
        if let ValueKind::Float(value) = kind {
            self.warn_about_float(value, text, &span);
        }
        Some(Value { kind, span })
    }

    fn warn_about_float(&mut self, value: f64, text: &str, span: &Span) {
        let written_as_number = text.contains(|character: char| character.is_numeric());
        if value == f64::NEG_INFINITY && !written_as_number {
            self.error(
                Code::RiskyValue,
                "ROS 2's own generators lose the sign of `-inf`",
                span.clone(),
                "minus infinity here, plus infinity there",
            );
        } else if value.is_infinite() && written_as_number {
            self.error(
                Code::RiskyValue,
                "this number does not fit into 64 bits and becomes infinity",
                span.clone(),
                "",
            );
        }
    }

    fn text(&mut self, written: &str, span: Span, decode: Decode) -> Option<Value> {
        let text = match unquote(written) {
            Ok(text) => text,
            Err(quote) => {
                let message = format!("a `{quote}` inside the string is not escaped");
                let help = format!("write `\\{quote}`, or use the other kind of quotes outside");
                self.diagnostics.push_with(self.source, || {
                    Diagnostic::new(Code::BadValue, message)
                        .at(self.source, span, "")
                        .help(help)
                });
                return None;
            }
        };
        if text.starts_with(['"', '\'']) && text == written {
            let message = "this string starts with a quote but does not end with it";
            self.diagnostics
                .push_coded(self.source, Code::RiskyValue, || {
                    Diagnostic::new(Code::RiskyValue, message)
                        .at(self.source, span.clone(), "the quote is part of the value")
                        .help("`#` starts a comment also inside quotes")
                });
        }
        match decode(&text) {
            Ok(decoded) => {
                if let Some(reason) = decoded.stops {
                    self.error(
                        Code::RiskyValue,
                        format!("ROS 2's own generators stop at this string: it {reason}"),
                        span.clone(),
                        "taken as it was meant",
                    );
                } else if decoded.decoded_again {
                    self.error(
                        Code::RiskyValue,
                        "ROS 2's own generators decode the escape sequences of this string twice",
                        span.clone(),
                        "decoded once here",
                    );
                }
                let written = text.chars().count();
                let kind = ValueKind::Text {
                    text: decoded.text,
                    written,
                };
                Some(Value { kind, span })
            }
            Err(reason) => {
                self.error(Code::BadValue, format!("this string {reason}"), span, "");
                None
            }
        }
    }

    fn error(&mut self, code: Code, message: impl Into<String>, span: Span, label: &str) {
        self.diagnostics.push_coded(self.source, code, || {
            Diagnostic::new(code, message).at(self.source, span, label)
        });
    }
}

/// Takes one pair of quotes off; a text that does not start and end with the same quote stays as it
/// is. The error is the quote that should have been escaped.
fn unquote(text: &str) -> Result<String, char> {
    for quote in ['"', '\''] {
        if text.starts_with(quote) && text.ends_with(quote) {
            let inside = text.get(1..text.len() - 1).unwrap_or_default();
            let escaped = |at: usize| inside[..at].ends_with('\\');
            if inside.match_indices(quote).any(|(at, _)| !escaped(at)) {
                return Err(quote);
            }
            return Ok(inside.replace(&format!("\\{quote}"), &quote.to_string()));
        }
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default(primitive: Primitive, array: Option<Array>, text: &str) -> Option<ValueKind> {
        let source = Source::new("A.msg".to_owned(), text.to_owned());
        let mut diagnostics = Diagnostics::default();
        let mut values = Values {
            source: &source,
            diagnostics: &mut diagnostics,
        };
        let found = values.default(&Base::Primitive(primitive), array, text, 0);
        assert_eq!(found.is_none(), diagnostics.has_errors(), "{text}");
        found.map(|value| value.kind)
    }

    fn text(written: &str) -> Option<String> {
        match default(Primitive::String, None, written)? {
            ValueKind::Text { text, .. } => Some(text),
            other => panic!("{other:?}"),
        }
    }

    fn texts(written: &str) -> Option<Vec<String>> {
        match default(Primitive::String, Some(Array::Unbounded), written)? {
            ValueKind::List(items) => Some(
                items
                    .into_iter()
                    .map(|item| match item.kind {
                        ValueKind::Text { text, .. } => text,
                        other => panic!("{other:?}"),
                    })
                    .collect(),
            ),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn strings() {
        for (written, meant) in [
            (r#""abc""#, "abc"),
            ("'abc'", "abc"),
            ("abc", "abc"),
            ("a b  c", "a b  c"),
            (r#""""#, ""),
            (r#"""#, ""),
            (r#""abc"#, r#""abc"#),
            (r#""hello" world"#, r#""hello" world"#),
            (r#""a\"b""#, r#"a"b"#),
            (r"'a\'b'", "a'b"),
            (r#""it's""#, "it's"),
            (r#"" a ""#, " a "),
            (r#""a\tb""#, "a\tb"),
            (r#""\x41""#, "A"),
            (r#""c:\dir""#, r"c:\dir"),
            (r#""päß""#, "päß"),
            (r#""a\\b""#, r"a\b"),
            (r#""a\nb""#, "a\nb"),
            (r#""a\u00e9""#, "aé"),
            (r#""a\\""#, r"a\"),
        ] {
            assert_eq!(text(written).as_deref(), Some(meant), "{written}");
        }
        for written in [r#""a"b""#, "'a'b'", r#""a\x""#, r#""a\""#] {
            assert_eq!(text(written), None, "{written}");
        }
    }

    #[test]
    fn lists_of_strings() {
        for (written, meant) in [
            ("[]", &[][..]),
            (r#"["a"]"#, &["a"]),
            (r#"["a", 'b']"#, &["a", "b"]),
            (r#"["a,b", c]"#, &["a,b", "c"]),
            (r#"["a" "b"]"#, &["a", "b"]),
            (r#"["a""b"]"#, &["a", "b"]),
            (r#"["a",]"#, &["a"]),
            ("[a , b]", &["a", "b"]),
            (r#"[" a "]"#, &["a"]),
            (r#"["'a'"]"#, &["a"]),
            (r#"["a\"b"]"#, &["a\"b"]),
            (r#"["a]"]"#, &["a]"]),
            (r#"[ "a" ]"#, &["a"]),
            (r#"[""]"#, &[""]),
            (r#"["a" b, c]"#, &["a", "b", "c"]),
        ] {
            let meant: Vec<_> = meant.iter().map(|&item| item.to_owned()).collect();
            assert_eq!(texts(written), Some(meant), "{written}");
        }
        for written in [
            "[ ]",
            "[,a]",
            r#"["a]"#,
            r#"["a",,"b"]"#,
            r#"["a", ]"#,
            "a",
            r#"["a\x"]"#,
        ] {
            assert_eq!(texts(written), None, "{written}");
        }
    }

    #[test]
    fn lists_of_numbers() {
        let list = |text| match default(Primitive::Int8, Some(Array::Unbounded), text)? {
            ValueKind::List(items) => Some(items.len()),
            other => panic!("{other:?}"),
        };
        for (text, length) in [
            ("[]", 0),
            ("[1]", 1),
            ("[1, 2,3]", 3),
            ("[ 1 ,\u{a0}2 ]", 2),
        ] {
            assert_eq!(list(text), Some(length), "{text}");
        }
        for text in ["[ ]", "[1,]", "[,1]", "1", "[1", "1]", "[1 2]", "[[1]]"] {
            assert_eq!(list(text), None, "{text}");
        }
    }

    #[test]
    fn each_type_has_its_rules() {
        assert_eq!(
            default(Primitive::Bool, None, "TRUE"),
            Some(ValueKind::Bool(true))
        );
        assert_eq!(
            default(Primitive::Byte, None, "0x10"),
            Some(ValueKind::Integer(16))
        );
        assert_eq!(
            default(Primitive::Char, None, "65"),
            Some(ValueKind::Integer(65))
        );
        assert_eq!(
            default(Primitive::Float32, None, "1e39"),
            Some(ValueKind::Float(1e39))
        );
        assert_eq!(default(Primitive::Char, None, "'a'"), None);
        assert_eq!(default(Primitive::Float64, None, "0x1"), None);
        assert_eq!(default(Primitive::Uint64, None, "1.0"), None);
        assert_eq!(default(Primitive::Bool, None, "yes"), None);
    }
}
