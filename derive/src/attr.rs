//! Reads `#[ros2(…)]` on a struct and on its fields.
//!
//! Unknown, repeated and malformed attributes are errors where they stand; what attributes mean is not decided here.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, Expr, LitInt, LitStr, Path, Result};

/// Attributes of the struct.
#[derive(Default)]
pub(crate) struct ContainerAttrs {
    pub(crate) package: Option<LitStr>,
    pub(crate) name: Option<LitStr>,
    pub(crate) kind: Option<LitStr>,
    pub(crate) hash: Option<LitStr>,
    pub(crate) runtime: Option<Path>,
    pub(crate) no_default: bool,
    pub(crate) no_serde: bool,
    pub(crate) repr_c: bool,
}

/// Attributes of a field.
#[derive(Default)]
pub(crate) struct FieldAttrs {
    pub(crate) byte: bool,
    pub(crate) char: bool,
    pub(crate) wstring: bool,
    pub(crate) bound: Option<LitInt>,
    pub(crate) string_bound: Option<LitInt>,
    pub(crate) default: Option<Expr>,
}

/// Collects errors so that one run reports all of them.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

fn set<T>(place: &mut Option<T>, value: T, meta: &ParseNestedMeta<'_>) -> Result<()> {
    if place.replace(value).is_some() {
        Err(meta.error("this attribute is given twice"))
    } else {
        Ok(())
    }
}

fn set_flag(place: &mut bool, meta: &ParseNestedMeta<'_>) -> Result<()> {
    if std::mem::replace(place, true) {
        Err(meta.error("this attribute is given twice"))
    } else {
        Ok(())
    }
}

/// A path in a string, as serde's `crate` attribute has it.
fn parse_path(meta: &ParseNestedMeta<'_>) -> Result<Path> {
    meta.value()?.parse::<LitStr>()?.parse()
}

pub(crate) fn container(attributes: &[Attribute], errors: &mut Errors) -> ContainerAttrs {
    let mut found = ContainerAttrs::default();
    for attribute in attributes {
        if attribute.path().is_ident("repr") {
            // `packed` would make references to fields impossible; the compiler says so itself.
            let _ = attribute.parse_nested_meta(|meta| {
                found.repr_c |= meta.path.is_ident("C");
                Ok(())
            });
        }
        if !attribute.path().is_ident("ros2") {
            continue;
        }
        let parsed = attribute.parse_nested_meta(|meta| {
            let Some(name) = meta.path.get_ident().map(ToString::to_string) else {
                return Err(meta.error("expected a name"));
            };
            match name.as_str() {
                "package" => set(&mut found.package, meta.value()?.parse()?, &meta),
                "name" => set(&mut found.name, meta.value()?.parse()?, &meta),
                "kind" => set(&mut found.kind, meta.value()?.parse()?, &meta),
                "hash" => set(&mut found.hash, meta.value()?.parse()?, &meta),
                "crate" => set(&mut found.runtime, parse_path(&meta)?, &meta),
                "no_default" => set_flag(&mut found.no_default, &meta),
                "no_serde" => set_flag(&mut found.no_serde, &meta),
                _ => Err(meta.error(format!(
                    "unknown attribute `{name}`; a message has `package`, `name`, `kind`, `hash`, `crate`, `no_default`, `no_serde`"
                ))),
            }
        });
        if let Err(error) = parsed {
            errors.push(error);
        }
    }
    found
}

pub(crate) fn field(attributes: &[Attribute], errors: &mut Errors) -> FieldAttrs {
    let mut found = FieldAttrs::default();
    for attribute in attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("ros2"))
    {
        let parsed = attribute.parse_nested_meta(|meta| {
            let Some(name) = meta.path.get_ident().map(ToString::to_string) else {
                return Err(meta.error("expected a name"));
            };
            match name.as_str() {
                "byte" => set_flag(&mut found.byte, &meta),
                "char" => set_flag(&mut found.char, &meta),
                "wstring" => set_flag(&mut found.wstring, &meta),
                "bound" => set(&mut found.bound, meta.value()?.parse()?, &meta),
                "string_bound" => set(&mut found.string_bound, meta.value()?.parse()?, &meta),
                "default" => set(&mut found.default, meta.value()?.parse()?, &meta),
                _ => Err(meta.error(format!(
                    "unknown attribute `{name}`; a field has `byte`, `char`, `wstring`, `bound`, `string_bound`, `default`"
                ))),
            }
        });
        if let Err(error) = parsed {
            errors.push(error);
        }
    }
    for (flag, bound) in [
        ("bound", &found.bound),
        ("string_bound", &found.string_bound),
    ] {
        if let Some(bound) = bound
            && !matches!(bound.base10_parse::<u32>(), Ok(1..))
        {
            errors.push(Error::new(
                bound.span(),
                format!("`{flag}` must be between 1 and {}", u32::MAX),
            ));
        }
    }
    found
}
