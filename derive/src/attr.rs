//! Reads `#[ros2(…)]` on a struct and on its fields.
//!
//! Unknown, repeated and malformed attributes are errors where they stand; what attributes mean is not decided here.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, Expr, Ident, LitInt, LitStr, Path, Result, Token, Type};

/// What messages, services and actions have in common.
#[derive(Default)]
pub(crate) struct InterfaceAttrs {
    pub(crate) package: Option<LitStr>,
    pub(crate) name: Option<LitStr>,
    pub(crate) hash: Option<LitStr>,
    pub(crate) source: Option<Expr>,
    pub(crate) encoding: Option<LitStr>,
    pub(crate) runtime: Option<Path>,
}

/// Attributes of a message's struct.
#[derive(Default)]
pub(crate) struct ContainerAttrs {
    pub(crate) interface: InterfaceAttrs,
    pub(crate) kind: Option<LitStr>,
    pub(crate) definition: Option<Expr>,
    pub(crate) view: View,
    pub(crate) no_default: bool,
    pub(crate) no_serde: bool,
    pub(crate) repr_c: bool,
    /// For the runtime's own generic structs: where name and hash come from.
    pub(crate) type_name: Option<Expr>,
    pub(crate) type_hash: Option<Expr>,
}

/// The name of a message's borrowed view.
#[derive(Default)]
pub(crate) enum View {
    /// It has none that a user could say.
    #[default]
    Unnamed,
    /// `view`: the struct's with `Ref` behind it.
    Beside,
    /// `view = Name`.
    Named(Ident),
}

/// What `byte`, `char`, `idl_char`, `wchar` and `wstring` say of a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    AsTyped,
    Byte,
    Char,
    IdlChar,
    WChar,
    WString,
}

/// Attributes of the struct that stands for a service or an action.
#[derive(Default)]
pub(crate) struct MarkerAttrs {
    pub(crate) interface: InterfaceAttrs,
    /// The attributes of `MarkerKind::types` that are given.
    pub(crate) types: Vec<(String, Type)>,
}

/// What the attributes of a field are called, in words.
const FIELD_ATTRIBUTES: &str =
    "`name`, `byte`, `char`, `idl_char`, `wchar`, `wstring`, `bound`, `string_bound`, `default`";

/// Attributes of a field.
#[derive(Default)]
pub(crate) struct FieldAttrs {
    pub(crate) name: Option<LitStr>,
    /// At most one, if there is no mistake.
    pub(crate) texts: Vec<Text>,
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

fn text(texts: &mut Vec<Text>, text: Text, meta: &ParseNestedMeta<'_>) -> Result<()> {
    if texts.contains(&text) {
        return Err(meta.error("this attribute is given twice"));
    }
    texts.push(text);
    Ok(())
}

/// A path in a string, as serde's `crate` attribute has it.
fn parse_path(meta: &ParseNestedMeta<'_>) -> Result<Path> {
    meta.value()?.parse::<LitStr>()?.parse()
}

fn attribute_name(meta: &ParseNestedMeta<'_>) -> Result<String> {
    match meta.path.get_ident() {
        Some(name) => Ok(name.to_string()),
        None => Err(meta.error("expected a name")),
    }
}

/// Calls `read` for each `name` and `name = value` in `#[ros2(…)]`.
fn each(
    attributes: &[Attribute],
    errors: &mut Errors,
    mut read: impl FnMut(&str, &ParseNestedMeta<'_>) -> Result<()>,
) {
    for attribute in attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("ros2"))
    {
        let parsed = attribute.parse_nested_meta(|meta| read(&attribute_name(&meta)?, &meta));
        if let Err(error) = parsed {
            errors.push(error);
        }
    }
}

impl InterfaceAttrs {
    /// Whether the attribute was one of these.
    fn read(&mut self, name: &str, meta: &ParseNestedMeta<'_>) -> Result<bool> {
        match name {
            "package" => set(&mut self.package, meta.value()?.parse()?, meta)?,
            "name" => set(&mut self.name, meta.value()?.parse()?, meta)?,
            "hash" => set(&mut self.hash, meta.value()?.parse()?, meta)?,
            "source" => set(&mut self.source, meta.value()?.parse()?, meta)?,
            "encoding" => set(&mut self.encoding, meta.value()?.parse()?, meta)?,
            "crate" => set(&mut self.runtime, parse_path(meta)?, meta)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
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
    }
    each(attributes, errors, |name, meta| {
        if found.interface.read(name, meta)? {
            return Ok(());
        }
        match name {
            "kind" => set(&mut found.kind, meta.value()?.parse()?, meta),
            "definition" => set(&mut found.definition, meta.value()?.parse()?, meta),
            "view" => {
                let view = if meta.input.peek(Token![=]) {
                    View::Named(meta.value()?.parse()?)
                } else {
                    View::Beside
                };
                match std::mem::replace(&mut found.view, view) {
                    View::Unnamed => Ok(()),
                    _ => Err(meta.error("this attribute is given twice")),
                }
            }
            "no_default" => set_flag(&mut found.no_default, meta),
            "no_serde" => set_flag(&mut found.no_serde, meta),
            "__type_name" => set(&mut found.type_name, meta.value()?.parse()?, meta),
            "__type_hash" => set(&mut found.type_hash, meta.value()?.parse()?, meta),
            _ => Err(meta.error(format!(
                "unknown attribute `{name}`; a message has `package`, `name`, `kind`, `hash`, `source`, `encoding`, `definition`, `view`, `crate`, `no_default`, `no_serde`"
            ))),
        }
    });
    found
}

/// Attributes of a marker that may also have types of these names.
pub(crate) fn marker(
    attributes: &[Attribute],
    what: &str,
    types: &[&str],
    errors: &mut Errors,
) -> MarkerAttrs {
    let mut found = MarkerAttrs::default();
    each(attributes, errors, |name, meta| {
        if found.interface.read(name, meta)? {
            return Ok(());
        }
        if !types.contains(&name) {
            let types: Vec<_> = types.iter().map(|name| format!("`{name}`")).collect();
            return Err(meta.error(format!(
                "unknown attribute `{name}`; {what} has `package`, `name`, `hash`, `source`, `encoding`, `crate`, {}",
                types.join(", ")
            )));
        }
        if found.types.iter().any(|(other, _)| other == name) {
            return Err(meta.error("this attribute is given twice"));
        }
        found.types.push((name.to_owned(), meta.value()?.parse()?));
        Ok(())
    });
    found
}

pub(crate) fn field(attributes: &[Attribute], errors: &mut Errors) -> FieldAttrs {
    let mut found = FieldAttrs::default();
    each(attributes, errors, |name, meta| match name {
        "name" => set(&mut found.name, meta.value()?.parse()?, meta),
        "byte" => text(&mut found.texts, Text::Byte, meta),
        "char" => text(&mut found.texts, Text::Char, meta),
        "idl_char" => text(&mut found.texts, Text::IdlChar, meta),
        "wchar" => text(&mut found.texts, Text::WChar, meta),
        "wstring" => text(&mut found.texts, Text::WString, meta),
        "bound" => set(&mut found.bound, meta.value()?.parse()?, meta),
        "string_bound" => set(&mut found.string_bound, meta.value()?.parse()?, meta),
        "default" => set(&mut found.default, meta.value()?.parse()?, meta),
        _ => Err(meta.error(format!(
            "unknown attribute `{name}`; a field has {FIELD_ATTRIBUTES}"
        ))),
    });
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
