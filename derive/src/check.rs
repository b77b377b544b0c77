//! Refuses what no ROS 2 message could say: names of fields, defaults that are no literals or exceed their bounds.

use syn::spanned::Spanned as _;
use syn::{Error, Expr, ExprLit, Lit, Result, UnOp};

use crate::attr::Errors;
use crate::input::{Field, Message};
use crate::interface::is_lower_name;

pub(crate) fn check(message: &Message) -> Result<()> {
    let mut errors = Errors::default();
    if let Some(interface) = message.interface() {
        interface.check(&mut errors);
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

/// What `.idl` files may call a field; `.msg` files have fewer names.
fn is_idl_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn check_field(field: &Field, errors: &mut Errors) {
    if let Some(name) = &field.given_name {
        if !is_idl_name(&field.name) {
            errors.push(Error::new(
                name.span(),
                "a field's name is ASCII letters, digits and `_`, a letter first",
            ));
        }
    } else if !is_lower_name(&field.name) {
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
            lit: Lit::Str(_) | Lit::Bool(_),
            ..
        }) => Ok(()),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) && is_number(&unary.expr) => Ok(()),
        number if is_number(number) => Ok(()),
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

/// A number without a sign; `f64::NAN` and `f32::INFINITY` have no literal.
fn is_number(value: &Expr) -> bool {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => matches!(lit, Lit::Int(_) | Lit::Float(_)),
        Expr::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "NAN" || last.ident == "INFINITY"),
        _ => false,
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
