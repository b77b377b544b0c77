//! The type of a field: one token without blanks.

use super::{
    ast::{Array, Base, Primitive, Type},
    grammar::{Rule, parts},
    number,
};
use crate::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    name::{self, Kind},
    source::{Source, Span},
};

/// Reads a type that starts at `start` of the source; what is wrong is told, all of it.
pub(super) fn parse_type(
    source: &Source,
    token: &str,
    start: usize,
    diagnostics: &mut Diagnostics,
) -> Option<Type> {
    let span = start..start + token.len();
    let Some(pairs) = parts(Rule::field_type, token) else {
        diagnostics.push(explain(token).at(source, span, ""));
        return None;
    };
    let mut base = None;
    let mut array = Some(None);
    for pair in pairs {
        let part = start + pair.as_span().start()..start + pair.as_span().end();
        match pair.as_rule() {
            Rule::basic_type => base = Primitive::named(pair.as_str()).map(Base::Primitive),
            Rule::text_type => {
                let wide = pair.as_str().starts_with('w');
                let bound = pair.into_inner().last()?;
                let bound_start = start + bound.as_span().start();
                base = parse_bound(source, bound.as_str(), bound_start, diagnostics)
                    .map(|bound| Base::BoundedText { wide, bound });
            }
            Rule::named_type => base = parse_named(source, pair.as_str(), part, diagnostics),
            Rule::array => {
                let mut at_most = false;
                let mut bound = None;
                for pair in pair.into_inner() {
                    match pair.as_rule() {
                        Rule::at_most => at_most = true,
                        _ => bound = Some((pair.as_str(), start + pair.as_span().start())),
                    }
                }
                array = match bound {
                    None if !at_most => Some(Some(Array::Unbounded)),
                    _ => {
                        let (text, bound_start) = bound.unwrap_or(("", part.end - 1));
                        parse_bound(source, text, bound_start, diagnostics).map(|bound| {
                            Some(if at_most {
                                Array::AtMost(bound)
                            } else {
                                Array::Fixed(bound)
                            })
                        })
                    }
                };
            }
            _ => {}
        }
    }
    Some(Type {
        base: base?,
        array: array?,
        span,
    })
}

/// What is wrong with the brackets of a type.
fn explain(token: &str) -> Diagnostic {
    let brackets = token.matches('[').count();
    let (message, help) = if token.starts_with('[') {
        (
            "there is no type before the `[`",
            "the brackets follow the type: `uint8[4] name`",
        )
    } else if brackets > 1 {
        (
            "an array cannot hold arrays",
            "put the inner array into a message of its own",
        )
    } else {
        (
            "the brackets of this type are not closed at its end",
            "an array is `T[3]`, `T[<=3]` or `T[]`, without blanks",
        )
    };
    Diagnostic::new(Code::BadType, message).help(help)
}

fn parse_bound(
    source: &Source,
    text: &str,
    start: usize,
    diagnostics: &mut Diagnostics,
) -> Option<u64> {
    // CDR counts elements and characters in 32 bits.
    let bound = number::count(text).filter(|bound| (1..=i128::from(u32::MAX)).contains(bound));
    let bound = bound.and_then(|bound| u64::try_from(bound).ok());
    if bound.is_none() {
        diagnostics.push(
            Diagnostic::new(Code::BadBound, format!("a bound is a number from 1 to {}", u32::MAX))
                .at(source, start..start + text.len(), "not such a number")
                .help("an array is `T[3]`, `T[<=3]` or `T[]`, a bounded string `string<=3`, without blanks"),
        );
    }
    bound
}

fn parse_named(
    source: &Source,
    token: &str,
    span: Span,
    diagnostics: &mut Diagnostics,
) -> Option<Base> {
    let (package, message) = match token.split_once('/') {
        Some((package, message)) => (Some(package), message),
        None => (None, token),
    };
    let package_ok = package.is_none_or(name::is_lower_name);
    if package_ok && name::is_message_name(message) {
        return Some(Base::Named {
            package: package.map(str::to_owned),
            kind: Kind::Msg,
            name: message.to_owned(),
        });
    }
    diagnostics.push(explain_name(token, package, message, package_ok).at(source, span, ""));
    None
}

/// What is wrong with the name of a message type.
fn explain_name(token: &str, package: Option<&str>, message: &str, package_ok: bool) -> Diagnostic {
    let bad = |message: String| Diagnostic::new(Code::BadType, message);
    if let "time" | "duration" = token {
        let instead = if token == "time" { "Time" } else { "Duration" };
        return bad(format!("`{token}` is a type of ROS 1"))
            .help(format!("use `builtin_interfaces/{instead}`"));
    }
    if let (Some(package), Some((_, last))) = (package, message.rsplit_once('/')) {
        return bad(format!("`{token}` has too many parts")).help(format!(
            "a message of another package is `{package}/{last}`"
        ));
    }
    if token.ends_with(']') {
        return bad(format!("`{token}` has a `]` without a `[`"));
    }
    if package.is_some() && !package_ok {
        return bad(format!("`{token}` does not start with the name of a package")).help(
            "package names are lower case letters, digits and single underscores, such as `std_msgs/Header`",
        );
    }
    let hint = match message {
        "int" | "uint" | "long" | "short" => Some("int32"),
        "float" => Some("float32"),
        "double" => Some("float64"),
        "boolean" => Some("bool"),
        "wchar" | "octet" => Some("uint8"),
        "str" | "text" => Some("string"),
        _ => None,
    };
    let hint = hint.map_or_else(
        || "message names are letters and digits, the first letter upper case".to_owned(),
        |hint| format!("did you mean `{hint}`?"),
    );
    bad(format!("`{token}` is not a type")).help(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(token: &str) -> Option<(Base, Option<Array>)> {
        let source = Source::new("A.msg".to_owned(), token.to_owned());
        let mut diagnostics = Diagnostics::default();
        let found = parse_type(&source, token, 0, &mut diagnostics);
        assert_eq!(found.is_none(), diagnostics.has_errors(), "{token}");
        found.map(|found| (found.base, found.array))
    }

    fn named(package: Option<&str>, name: &str) -> Base {
        Base::Named {
            package: package.map(str::to_owned),
            kind: Kind::Msg,
            name: name.to_owned(),
        }
    }

    #[test]
    fn all_primitives() {
        for name in [
            "bool", "byte", "char", "float32", "float64", "int8", "uint8", "int16", "uint16",
            "int32", "uint32", "int64", "uint64", "string", "wstring",
        ] {
            let primitive = Base::Primitive(Primitive::named(name).unwrap());
            assert_eq!(parse(name), Some((primitive, None)), "{name}");
        }
    }

    #[test]
    fn arrays_and_bounds() {
        let text = |wide, bound| Base::BoundedText { wide, bound };
        for (token, base, array) in [
            (
                "uint8[]",
                Base::Primitive(Primitive::Uint8),
                Array::Unbounded,
            ),
            (
                "uint8[3]",
                Base::Primitive(Primitive::Uint8),
                Array::Fixed(3),
            ),
            (
                "uint8[+3]",
                Base::Primitive(Primitive::Uint8),
                Array::Fixed(3),
            ),
            (
                "uint8[03]",
                Base::Primitive(Primitive::Uint8),
                Array::Fixed(3),
            ),
            (
                "uint8[<=1_0]",
                Base::Primitive(Primitive::Uint8),
                Array::AtMost(10),
            ),
            (
                "string[2]",
                Base::Primitive(Primitive::String),
                Array::Fixed(2),
            ),
            ("string<=5[<=3]", text(false, 5), Array::AtMost(3)),
            ("string<=5[2]", text(false, 5), Array::Fixed(2)),
            ("wstring<=4[]", text(true, 4), Array::Unbounded),
            ("Foo[]", named(None, "Foo"), Array::Unbounded),
            ("p_q/Foo[7]", named(Some("p_q"), "Foo"), Array::Fixed(7)),
        ] {
            assert_eq!(parse(token), Some((base, Some(array))), "{token}");
        }
        assert_eq!(parse("string<=5"), Some((text(false, 5), None)));
        assert_eq!(
            parse("Foo_Request"),
            Some((named(None, "Foo_Request"), None))
        );
    }

    #[test]
    fn refused() {
        for token in [
            "uint8[0]",
            "uint8[-1]",
            "uint8[x]",
            "uint8[<3]",
            "uint8[>=3]",
            "uint8[<=]",
            "uint8]",
            "uint8[3",
            "uint8[3][4]",
            "uint8[][]",
            "uint8[3]]",
            "uint8[3]x",
            "[3]",
            "[]",
            "string<=",
            "string<=0",
            "string<=x",
            "string<5",
            "string<=5<=6",
            "uint8<=5",
            "std_msgs/msg/Header",
            "Std/Header",
            "std_msgs/header",
            "/Header",
            "std_msgs/",
            "a__b/Foo",
            "foo",
            "Foo_Bar",
            "time",
            "duration",
            "time[]",
            "wchar",
            "uint8[4294967296]",
            "\u{feff}int32",
            "uint8[0x10]",
        ] {
            assert_eq!(parse(token), None, "{token}");
        }
    }
}
