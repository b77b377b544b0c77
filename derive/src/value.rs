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

/// `true`, `-50`, `1e-07`, `[1, 2]`, `"hello"`, `["hello", "world"]`; `None` if the text of a string cannot stand in a file
/// of lines with comments.
pub(crate) fn in_msg_file(value: &Expr) -> Option<String> {
    let boolean = |truth| if truth { "true" } else { "false" };
    match value {
        Expr::Array(array) => {
            let items: Option<Vec<_>> = array
                .elems
                .iter()
                .map(|item| match string(item) {
                    // rosidl strips quotes from the elements of an array twice.
                    Some(text) if text.contains(['"', '\'']) => None,
                    Some(text) => quoted(&text),
                    None => Some(number(item, boolean)),
                })
                .collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        other => match string(other) {
            Some(text) => quoted(&text),
            None => Some(number(other, boolean)),
        },
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
        Expr::Unary(negative) => format!("-{}", number(&negative.expr, boolean)),
        Expr::Path(path) if path.path.segments.iter().any(|part| part.ident == "NAN") => {
            python::float(f64::NAN)
        }
        Expr::Path(_) => python::float(f64::INFINITY),
        _ => String::new(),
    }
}

/// In quotes that the text does not contain.
fn quoted(text: &str) -> Option<String> {
    // `#` starts a comment and a backslash an escape, also between quotes; a TAB is read as a space.
    if text.contains(|c: char| c.is_control() || matches!(c, '#' | '\\' | '\u{2028}' | '\u{2029}'))
    {
        return None;
    }
    match (text.contains('"'), text.contains('\'')) {
        (false, _) => Some(format!("\"{text}\"")),
        (true, false) => Some(format!("'{text}'")),
        (true, true) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn as_python_and_as_a_file() {
        let cases: [(Expr, &str, Option<&str>); 16] = [
            (parse_quote!(true), "True", Some("true")),
            (parse_quote!(-50), "-50", Some("-50")),
            (parse_quote!(0x10), "16", Some("16")),
            (parse_quote!(1.125), "1.125", Some("1.125")),
            (parse_quote!(0.0000001), "1e-07", Some("1e-07")),
            (parse_quote!(-1e39), "-1e+39", Some("-1e+39")),
            (parse_quote!(f64::NAN), "nan", Some("nan")),
            (
                parse_quote!(-::core::primitive::f32::INFINITY),
                "-inf",
                Some("-inf"),
            ),
            (parse_quote!("it's"), "it's", Some("\"it's\"")),
            (
                parse_quote!("say \"hi\""),
                "say \"hi\"",
                Some("'say \"hi\"'"),
            ),
            (parse_quote!("a # b"), "a # b", None),
            (parse_quote!([1, 2]), "(1, 2)", Some("[1, 2]")),
            (parse_quote!([1]), "(1,)", Some("[1]")),
            (parse_quote!([]), "()", Some("[]")),
            (
                parse_quote!(["hello", "world"]),
                "('hello', 'world')",
                Some("[\"hello\", \"world\"]"),
            ),
            (parse_quote!(["it's"]), "(\"it's\",)", None),
        ];
        for (value, as_python, as_file) in cases {
            assert_eq!(python(&value), as_python);
            assert_eq!(in_msg_file(&value).as_deref(), as_file, "{as_python}");
        }
    }
}
