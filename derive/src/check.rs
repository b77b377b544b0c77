//! Refuses what no ROS 2 interface could say: names, kinds, hashes, defaults that are no literals.
//!
//! The name rules are those of `rosidl_adapter`, in a form that takes linear time.

use syn::spanned::Spanned as _;
use syn::{Error, Expr, ExprLit, Lit, Result, UnOp};

use crate::attr::Errors;
use crate::input::{Field, Message};

/// `[a-z]`, then letters, digits and single underscores, none at the end: packages and fields.
fn is_lower_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !name.contains("__")
        && !name.ends_with('_')
}

/// `[A-Z][A-Za-z0-9]*` with the suffixes of the parts of services and actions.
fn is_interface_name(name: &str) -> bool {
    let suffixes = [
        "_Request",
        "_Response",
        "_Event",
        "_Goal",
        "_Result",
        "_Feedback",
        "_SendGoal",
        "_GetResult",
        "_FeedbackMessage",
    ];
    let mut base = name;
    while let Some(shorter) = suffixes.iter().find_map(|suffix| base.strip_suffix(suffix)) {
        base = shorter;
    }
    base.starts_with(|c: char| c.is_ascii_uppercase())
        && base.bytes().all(|b| b.is_ascii_alphanumeric())
}

pub(crate) fn check(message: &Message) -> Result<()> {
    let mut errors = Errors::default();
    let package = message.package.value();
    if !is_lower_name(&package) {
        errors.push(Error::new(
            message.package.span(),
            format!("`{package}` is not a package name: lower-case letters, digits and single underscores, a letter first, none of them `_` at the end"),
        ));
    }
    let name = message.name.value();
    if !is_interface_name(&name) {
        errors.push(Error::new(
            message.name.span(),
            format!("`{name}` is not an interface name: letters and digits, a capital first; `#[ros2(name = \"…\")]` gives another than the struct's"),
        ));
    }
    if !matches!(message.kind.as_str(), "msg" | "srv" | "action") {
        errors.push(Error::new(
            message.ident.span(),
            format!(
                "`{}` is no kind of interface: `msg`, `srv` or `action`",
                message.kind
            ),
        ));
    }
    if let Some(hash) = &message.hash
        && message.hash_bytes().is_none()
    {
        errors.push(Error::new(
            hash.span(),
            "a type hash is `RIHS01_` and 64 lower-case hexadecimal digits",
        ));
    }
    let mut names = std::collections::HashSet::new();
    for field in &message.fields {
        check_field(field, &mut errors);
        if !names.insert(&field.name) {
            errors.push(Error::new(
                field.ident.span(),
                format!("two fields have the ROS name `{}`", field.name),
            ));
        }
    }
    errors.finish()
}

fn check_field(field: &Field, errors: &mut Errors) {
    if !is_lower_name(&field.name) {
        errors.push(Error::new(
            field.ident.span(),
            format!("`{}` is not a field name of ROS 2: lower-case letters, digits and single underscores, a letter first", field.name),
        ));
    }
    let Some(default) = &field.default else {
        return;
    };
    if let Err(error) = check_default(default, true) {
        errors.push(error);
    } else if let (Expr::Array(array), Some(bound)) = (default, field.bound)
        && array.elems.len() > bound as usize
    {
        errors.push(Error::new(
            array.span(),
            format!("{} elements exceed the bound {bound}", array.elems.len()),
        ));
    }
    if let Some(bound) = field.string_bound {
        let too_long = strings(default)
            .into_iter()
            .find(|text| text.value().chars().count() > bound as usize);
        if let Some(text) = too_long {
            errors.push(Error::new(
                text.span(),
                format!("the default value is longer than the bound {bound}"),
            ));
        }
    }
}

fn check_default(value: &Expr, array_allowed: bool) -> Result<()> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(_) | Lit::Int(_) | Lit::Float(_) | Lit::Bool(_),
            ..
        }) => Ok(()),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => check_default(&unary.expr, false),
        // Numbers without a literal: `f64::NAN`, `f32::INFINITY`.
        Expr::Path(path)
            if path
                .path
                .segments
                .last()
                .is_some_and(|last| last.ident == "NAN" || last.ident == "INFINITY") =>
        {
            Ok(())
        }
        Expr::Array(array) if array_allowed => array
            .elems
            .iter()
            .try_for_each(|element| check_default(element, false)),
        other => Err(Error::new(
            other.span(),
            "a default value is a number, boolean or string literal, `f64::NAN`, `f64::INFINITY`, or an array `[a, b]` of these",
        )),
    }
}

/// The string literals of a default value.
pub(crate) fn strings(value: &Expr) -> Vec<&syn::LitStr> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => vec![text],
        Expr::Array(array) => array.elems.iter().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rosidl() {
        for good in ["a", "a1", "frame_id", "x_1_y"] {
            assert!(is_lower_name(good), "{good}");
        }
        for bad in ["", "_a", "a_", "a__b", "A", "1a", "a-b", "ä"] {
            assert!(!is_lower_name(bad), "{bad}");
        }
        for good in [
            "F",
            "PointCloud2",
            "Foo_Request",
            "Foo_SendGoal_Request",
            "Foo_Event",
        ] {
            assert!(is_interface_name(good), "{good}");
        }
        for bad in ["", "f", "Foo_Bar", "_Request", "2D", "Fo-o"] {
            assert!(!is_interface_name(bad), "{bad}");
        }
    }
}
