//! Default values as text: as Python writes them, which is what a type description holds, and as a `.msg` file has them.
//!
//! Values are literals that `check` has let through; nothing here can fail.

use rosidl_type_description::python;
use syn::{Expr, ExprLit, Lit};

/// `True`, `-50`, `1e-07`, `(1, 2)`, `hello`, `('hello', 'world')`.
pub(crate) fn python(value: &Expr) -> String {
    match value {
        Expr::Array(array) => python::tuple(array.elems.iter().map(|item| match string(item) {
            Some(text) => python::string_repr(&text),
            None => number(item, python::boolean),
        })),
        other => string(other).unwrap_or_else(|| number(other, python::boolean)),
    }
}

/// `true`, `-50`, `1e-07`, `[1, 2]`, `"hello"`, `["hello", "world"]`.
pub(crate) fn in_msg_file(value: &Expr) -> String {
    let boolean = |truth| if truth { "true" } else { "false" };
    let text = |value: &Expr, escape: Escape| match string(value) {
        Some(text) => format!("\"{}\"", escape(&text)),
        None => number(value, boolean),
    };
    match value {
        Expr::Array(array) => {
            let items: Vec<_> = array
                .elems
                .iter()
                .map(|item| text(item, escape_item))
                .collect();
            format!("[{}]", items.join(", "))
        }
        other => text(other, escape),
    }
}

/// The length that ROS 2 compares with the bound of a string: that of the text in the file, with escape sequences. `None`
/// where no string grew in the file.
pub(crate) fn grown_len(value: &Expr) -> Option<usize> {
    let grown = |value: &Expr, escape: Escape| {
        let text = string(value)?;
        // Quotes are read without their backslash before the length is taken.
        let len = escape(&text).replace("\\\"", "\"").chars().count();
        (len > text.chars().count()).then_some(len)
    };
    match value {
        Expr::Array(array) => array
            .elems
            .iter()
            .filter_map(|item| grown(item, escape_item))
            .max(),
        other => grown(other, escape),
    }
}

fn string(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}

/// Anything that is no string.
fn number(value: &Expr, boolean: fn(bool) -> &'static str) -> String {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Bool(truth) => boolean(truth.value).to_owned(),
            Lit::Int(number) => number.base10_digits().to_owned(),
            Lit::Float(number) => python::float(number.base10_parse().unwrap_or(f64::NAN)),
            _ => String::new(),
        },
        Expr::Unary(negative) => match number(&negative.expr, boolean) {
            // An integer has no sign there; `0.0` has one.
            zero if zero == "0" => zero,
            number => format!("-{number}"),
        },
        Expr::Path(path) if path.path.segments.iter().any(|part| part.ident == "NAN") => {
            python::float(f64::NAN)
        }
        Expr::Path(_) => python::float(f64::INFINITY),
        _ => String::new(),
    }
}

type Escape = fn(&str) -> String;

/// What stands between quotes in a file of lines, in which `#` starts a comment and `=` makes a constant, quotes or not. A
/// TAB would be read as a space.
fn escape(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '"' | '\\' => format!("\\{character}"),
            '#' | '=' | '\u{2028}' | '\u{2029}' => code(character),
            _ if character.is_control() => code(character),
            _ => character.to_string(),
        })
        .collect()
}

/// The same in a list, where rosidl looks for quotes twice, takes blanks at both ends off, and a backslash before a quote
/// for part of it.
fn escape_item(text: &str) -> String {
    let (start, end) = (text.trim_start(), text.trim_end());
    let inside = text.len() - start.len()..end.len();
    text.char_indices()
        .map(|(at, character)| match character {
            '"' | '\'' | '\\' => code(character),
            _ if !inside.contains(&at) => code(character),
            _ => escape(character.encode_utf8(&mut [0; 4])),
        })
        .collect()
}

fn code(character: char) -> String {
    match u32::from(character) {
        code @ ..0x100 => format!("\\x{code:02x}"),
        // No character that needs it is beyond four digits.
        code => format!("\\u{code:04x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn as_python_and_as_a_file() {
        let cases: [(Expr, &str, &str); 24] = [
            (parse_quote!(true), "True", "true"),
            (parse_quote!(-50), "-50", "-50"),
            (parse_quote!(-0), "0", "0"),
            (parse_quote!(-0.0), "-0.0", "-0.0"),
            (parse_quote!(0x10), "16", "16"),
            (parse_quote!(1.125), "1.125", "1.125"),
            (parse_quote!(0.0000001), "1e-07", "1e-07"),
            (parse_quote!(-1e39), "-1e+39", "-1e+39"),
            (parse_quote!(f64::NAN), "nan", "nan"),
            (
                parse_quote!(-::core::primitive::f32::INFINITY),
                "-inf",
                "-inf",
            ),
            (parse_quote!("it's"), "it's", r#""it's""#),
            (parse_quote!("say \"hi\""), r#"say "hi""#, r#""say \"hi\"""#),
            (parse_quote!("a # b"), "a # b", r#""a \x23 b""#),
            (parse_quote!("a=b"), "a=b", r#""a\x3db""#),
            (parse_quote!("a\\b"), r"a\b", r#""a\\b""#),
            (parse_quote!("a\n\t"), "a\n\t", r#""a\x0a\x09""#),
            (
                parse_quote!("\u{85}\u{2028} ä"),
                "\u{85}\u{2028} ä",
                r#""\x85\u2028 ä""#,
            ),
            (parse_quote!([1, 2]), "(1, 2)", "[1, 2]"),
            (parse_quote!([1]), "(1,)", "[1]"),
            (parse_quote!([]), "()", "[]"),
            (
                parse_quote!(["hello", "world"]),
                "('hello', 'world')",
                r#"["hello", "world"]"#,
            ),
            (parse_quote!(["it's"]), "(\"it's\",)", r#"["it\x27s"]"#),
            (
                parse_quote!(["\"#\\"]),
                r##"('"#\\',)"##,
                r#"["\x22\x23\x5c"]"#,
            ),
            (
                parse_quote!([" a b\u{3000}", "  "]),
                "(' a b\\u3000', '  ')",
                r#"["\x20a b\u3000", "\x20\x20"]"#,
            ),
        ];
        for (value, as_python, as_file) in cases {
            assert_eq!(python(&value), as_python);
            assert_eq!(in_msg_file(&value), as_file);
        }
    }

    #[test]
    fn lengths_of_what_needs_escape_sequences() {
        let cases: [(Expr, Option<usize>); 7] = [
            (parse_quote!(5), None),
            (parse_quote!("abc"), None),
            (parse_quote!("say \"hi\""), None),
            (parse_quote!("a#"), Some(5)),
            (parse_quote!("a\\"), Some(3)),
            (parse_quote!(["#", "abcdef"]), Some(4)),
            (parse_quote!(["\""]), Some(4)),
        ];
        for (value, len) in cases {
            assert_eq!(grown_len(&value), len);
        }
    }
}
