//! What the settings add to types and fields: derives, attributes, other names.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use syn::{parse::Parser, punctuated::Punctuated};

use crate::{
    config::{Config, NameHook},
    diagnostic::{Code, Diagnostic, Diagnostics},
    model::{Interfaces, Message, Placement},
    name::{InterfaceName, SOURCE, rust_name, view_name},
    pattern::matches,
};

/// What every message implements anyway.
const USUAL: [&str; 5] = ["Debug", "Clone", "PartialEq", "Default", "BufferMessage"];

pub(super) fn apply(interfaces: &mut Interfaces, config: &Config, diagnostics: &mut Diagnostics) {
    let derives = parsed(&config.derives, diagnostics, |text| {
        let paths = Punctuated::<syn::Path, syn::Token![,]>::parse_terminated;
        let has_arguments = |path: &syn::Path| {
            path.segments
                .iter()
                .any(|segment| !segment.arguments.is_none())
        };
        let paths = paths.parse_str(text);
        paths.is_ok_and(|paths| !paths.is_empty() && !paths.iter().any(has_arguments))
    });
    let is_attribute = |text: &str| {
        let attributes = syn::Attribute::parse_outer.parse_str(text);
        attributes.is_ok_and(|attributes| !attributes.is_empty())
    };
    let type_attributes = parsed(&config.type_attributes, diagnostics, is_attribute);
    let field_attributes = parsed(&config.field_attributes, diagnostics, is_attribute);
    let mut used = HashSet::new();
    let packages = &interfaces.packages;
    for message in interfaces.messages.values_mut() {
        if packages.get(message.name.package()) != Some(&Placement::Emitted) {
            continue;
        }
        add_to(
            message,
            &derives,
            &type_attributes,
            &field_attributes,
            &mut used,
        );
        if let Some(hook) = &config.field_names {
            rename_fields(message, hook, diagnostics);
        }
    }
    for (pattern, _) in [&derives, &type_attributes, &field_attributes]
        .into_iter()
        .flatten()
    {
        if !used.contains(pattern) {
            let message = format!("`{pattern}` matches nothing that is generated");
            let help = "a pattern is like `my_msgs/msg/Scan`, `my_msgs/**` or, for a field, `*/msg/*.data`";
            diagnostics.push(Diagnostic::new(Code::BadPattern, message).help(help));
        }
    }
    name_types(interfaces, config.type_names.as_ref(), diagnostics);
}

/// The settings whose text is Rust of the right sort.
fn parsed<'a>(
    settings: &'a [(String, String)],
    diagnostics: &mut Diagnostics,
    is_right: impl Fn(&str) -> bool,
) -> Vec<(&'a str, &'a str)> {
    let mut right = Vec::new();
    for (pattern, text) in settings {
        if is_right(text) {
            right.push((pattern.as_str(), text.as_str()));
        } else {
            let message =
                format!("`{text}`, to be written above `{pattern}`, is not right in Rust");
            let help = "derives are paths, `Eq, Hash`; attributes are whole, `#[serde(default)]`";
            diagnostics.push(Diagnostic::new(Code::BadConfig, message).help(help));
        }
    }
    right
}

fn add_to<'a>(
    message: &mut Message,
    derives: &[(&'a str, &'a str)],
    type_attributes: &[(&'a str, &'a str)],
    field_attributes: &[(&'a str, &'a str)],
    used: &mut HashSet<&'a str>,
) {
    let name = message.name.to_string();
    for (pattern, traits) in derives
        .iter()
        .filter(|(pattern, _)| matches(pattern, &name))
    {
        used.insert(*pattern);
        for path in traits
            .split(',')
            .map(str::trim)
            .filter(|path| !path.is_empty())
        {
            let last = path.rsplit("::").next().unwrap_or(path).trim();
            if !USUAL.contains(&last) && !message.derives.iter().any(|other| other == path) {
                message.derives.push(path.to_owned());
            }
        }
    }
    for (pattern, text) in type_attributes
        .iter()
        .filter(|(pattern, _)| matches(pattern, &name))
    {
        used.insert(*pattern);
        message.attributes.push((*text).to_owned());
    }
    if field_attributes.is_empty() {
        return;
    }
    for field in &mut message.fields {
        let path = format!("{name}.{}", field.name);
        for (pattern, text) in field_attributes
            .iter()
            .filter(|(pattern, _)| matches(pattern, &path))
        {
            used.insert(*pattern);
            field.attributes.push((*text).to_owned());
        }
    }
}

fn rename_fields(message: &mut Message, hook: &NameHook, diagnostics: &mut Diagnostics) {
    for field in &mut message.fields {
        let path = format!("{}.{}", message.name, field.name);
        if let Some(name) = (hook.0)(&path)
            && check_name(&path, &name, diagnostics)
        {
            field.rust_name = name;
        }
    }
    let mut taken = HashSet::new();
    let twice = message
        .fields
        .iter()
        .find(|field| !taken.insert(&field.rust_name));
    if let Some(field) = twice {
        let text = format!(
            "{} has two fields called `{}` in Rust",
            message.name, field.rust_name
        );
        diagnostics.push(
            Diagnostic::new(Code::Duplicate, text).help("the function for `field_names` says so"),
        );
    }
}

/// Settles what every type is called, and every view.
fn name_types(interfaces: &mut Interfaces, hook: Option<&NameHook>, diagnostics: &mut Diagnostics) {
    let mut names = BTreeMap::new();
    // In one module are the types of one package and kind.
    let mut taken: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for declared in interfaces.declarations.keys() {
        let kind = declared.kind();
        let is_emitted = interfaces.packages.get(declared.package()) == Some(&Placement::Emitted);
        let own = (!kind.parts().contains(&"")).then_some("");
        for suffix in own.iter().chain(kind.parts()).chain(kind.implicit()) {
            let name = declared.with(suffix);
            let usual = rust_name(name.name());
            let chosen = hook
                .filter(|_| is_emitted)
                .and_then(|hook| (hook.0)(&name.to_string()))
                .filter(|chosen| check_type_name(&name, chosen, diagnostics))
                .unwrap_or(usual);
            let module = (name.package().clone(), kind);
            if !taken.entry(module).or_default().insert(chosen.clone()) && hook.is_some() {
                let text = format!(
                    "two types of {}/{kind} are called `{chosen}` in Rust",
                    name.package()
                );
                let help = "the function for `type_names` says so";
                diagnostics.push(Diagnostic::new(Code::Duplicate, text).help(help));
            }
            names.insert(name, chosen);
        }
    }
    for message in interfaces.messages.values_mut() {
        let module = (message.name.package().clone(), message.name.kind());
        let of_module = taken.entry(module).or_default();
        let name = names
            .get(&message.name)
            .map_or(message.name.name(), String::as_str);
        message.view = view_name(name, |view| of_module.contains(view));
        of_module.insert(message.view.clone());
    }
    interfaces.rust_names = names;
}

/// The same for a type. Modules and a constant are in the same place: their names are not to be had.
fn check_type_name(of: &InterfaceName, name: &str, diagnostics: &mut Diagnostics) -> bool {
    if name.contains(char::is_uppercase) && name != SOURCE {
        return check_name(&of.to_string(), name, diagnostics);
    }
    let message = format!("`{name}`, chosen for {of}, is not a name for a type");
    let help = format!("one with an upper case letter in it, and not `{SOURCE}`");
    diagnostics.push(Diagnostic::new(Code::BadConfig, message).help(help));
    false
}

/// Whether a name that a function of the settings gave is one; what is wrong is told.
fn check_name(what: &str, name: &str, diagnostics: &mut Diagnostics) -> bool {
    let is_plain = !name.starts_with("r#") && !name.starts_with("__");
    let is_right = is_plain && syn::parse_str::<syn::Ident>(name).is_ok();
    if !is_right {
        let message = format!("`{name}`, chosen for {what}, is not a name in Rust");
        let help = "an identifier that is no keyword and does not start with two underscores";
        diagnostics.push(Diagnostic::new(Code::BadConfig, message).help(help));
    }
    is_right
}
