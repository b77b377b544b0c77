//! One line: a field or a constant.

use super::{
    ast::{Base, Comment, Constant, Field, Name, Primitive},
    field_type::parse_type,
    grammar::{Rule, parts},
    value::Values,
};
use crate::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    name,
    source::{Source, is_space},
};

/// What a line declares, its comment still missing.
pub(super) enum Element {
    Field(Field),
    Constant(Constant),
}

/// Reads a line that starts at `start` of the source and has no comment, nor blanks around it.
pub(super) fn parse_element(
    source: &Source,
    line: &str,
    start: usize,
    diagnostics: &mut Diagnostics,
) -> Option<Element> {
    let Some(mut pairs) = parts(Rule::element, line) else {
        let message = "this is neither a field nor a constant";
        let (label, help) = if line.starts_with("---") {
            let help = "between the parts of a service or an action, a line is `---` without anything else";
            ("", help)
        } else if line.starts_with("==") {
            let help = "a definition that holds those it refers to is given by `definition`, not as a file of a package";
            ("", help)
        } else {
            (
                "a name is missing",
                "a field is `type name`, a constant `type NAME=value`",
            )
        };
        diagnostics.push_with(source, || {
            Diagnostic::new(Code::BadLine, message)
                .at(source, start..start + line.len(), label)
                .help(help)
        });
        return None;
    };
    let (type_token, declaration) = (pairs.next()?, pairs.next()?);
    let is_constant = declaration.as_rule() == Rule::constant;
    let mut inner = declaration.into_inner();
    let name = inner.next()?;
    let name_start = start + name.as_span().start();
    let name = if is_constant {
        name.as_str().trim_end_matches(is_space)
    } else {
        name.as_str()
    };
    let value = inner.next();
    let value = value.map(|value| (value.as_str(), start + value.as_span().start()));

    if is_constant {
        let name = parse_constant_name(source, name, name_start, value, diagnostics);
        let primitive = parse_constant_type(source, type_token.as_str(), start, diagnostics);
        let (text, value_start) = value?;
        let mut values = Values {
            source,
            diagnostics,
        };
        let value = values.constant(primitive?, text, value_start);
        return Some(Element::Constant(Constant {
            comment: Comment::default(),
            primitive: primitive?,
            name: name?,
            value: value?,
        }));
    }
    let name = parse_field_name(source, name, name_start, diagnostics);
    let field_type = parse_type(source, type_token.as_str(), start, diagnostics)?;
    let default = match value.filter(|(text, _)| !text.is_empty()) {
        Some((text, value_start)) => {
            let mut values = Values {
                source,
                diagnostics,
            };
            Some(values.default(&field_type.base, field_type.array, text, value_start)?)
        }
        None => None,
    };
    Some(Element::Field(Field {
        comment: Comment::default(),
        field_type,
        name: name?,
        default,
    }))
}

fn parse_field_name(
    source: &Source,
    text: &str,
    start: usize,
    diagnostics: &mut Diagnostics,
) -> Option<Name> {
    let span = start..start + text.len();
    if name::is_lower_name(text) {
        return Some(Name {
            text: text.to_owned(),
            span,
        });
    }
    let lower = text.to_lowercase();
    let mut diagnostic =
        Diagnostic::new(Code::BadName, "this is not a name for a field").at(source, span, "");
    diagnostic = if name::is_lower_name(&lower) {
        diagnostic.help(format!("field names are lower case: `{lower}`"))
    } else {
        diagnostic
            .help("field names are lower case letters, digits and single underscores between them")
    };
    diagnostics.push(diagnostic);
    None
}

fn parse_constant_name(
    source: &Source,
    text: &str,
    start: usize,
    value: Option<(&str, usize)>,
    diagnostics: &mut Diagnostics,
) -> Option<Name> {
    let span = start..start + text.len();
    if name::is_constant_name(text) {
        return Some(Name {
            text: text.to_owned(),
            span,
        });
    }
    let help = if text.ends_with('<') {
        "a line with `=` declares a constant; a bound belongs to the type: `int32[<=5] name`"
            .to_owned()
    } else if text.contains(['"', '\'', ' ']) {
        "a line with `=` declares a constant: a default value cannot contain `=`".to_owned()
    } else if name::is_lower_name(text) {
        let (upper, value) = (text.to_uppercase(), value.map_or("", |(value, _)| value));
        if value.chars().count() > 40 {
            format!("constant names are upper case: `{upper}`")
        } else {
            format!(
                "constant names are upper case: `{upper}={value}`; a default value has no `=`: `{text} {value}`"
            )
        }
    } else {
        "constant names are upper case letters, digits and single underscores between them"
            .to_owned()
    };
    diagnostics.push(
        Diagnostic::new(Code::BadName, "this is not a name for a constant")
            .at(source, span, "")
            .help(help),
    );
    None
}

fn parse_constant_type(
    source: &Source,
    token: &str,
    start: usize,
    diagnostics: &mut Diagnostics,
) -> Option<Primitive> {
    let primitive = Primitive::named(token);
    if primitive.is_none() {
        let mut silent = Diagnostics::default();
        let legal = parse_type(source, token, start, &mut silent);
        // A token that is no type at all has its own message.
        match legal {
            None => {
                parse_type(source, token, start, diagnostics);
            }
            Some(found) => {
                let help = match found.base {
                    Base::BoundedText { .. } => "leave the bound out",
                    _ => "constants are numbers, booleans or strings",
                };
                diagnostics.push(
                    Diagnostic::new(
                        Code::BadType,
                        format!("a constant cannot have the type `{token}`"),
                    )
                    .at(source, found.span, "")
                    .help(help),
                );
            }
        }
    }
    primitive
}
