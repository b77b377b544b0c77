//! One interface file through the generator, without files: for the fuzz targets in `fuzz/`.
//!
//! Whatever the text is, nothing here may panic. Of a text that is accepted more is known: its code is
//! Rust, and the definitions printed from what was understood mean the same.
#![allow(clippy::expect_used, clippy::missing_panics_doc, missing_docs)]

use std::{collections::BTreeMap, fmt::Write as _};

use rosidl_type_description::TypeHash;

use crate::{
    Config,
    describe::Descriptions,
    diagnostic::{Diagnostics, render},
    dump::field_type,
    emit::emit,
    load::load_alone,
    model::{BasicType, Interfaces, ValueType},
    name::{InterfaceName, Kind, PackageName},
    package::Language,
    resolve::resolve,
};

/// A `.msg`, `.srv` or `.action` text; `kind` is the extension.
pub fn ros(kind: &str, text: &str) {
    let kind = Kind::named(kind).expect("the kind of an interface");
    let Some((interfaces, hashes)) = generate(kind, Language::Ros, text) else {
        return;
    };
    print_and_compare(kind, &interfaces, &hashes);
}

/// An `.idl` text, as what it may declare.
pub fn idl(text: &str) {
    for kind in Kind::ALL {
        if let Some((interfaces, hashes)) = generate(kind, Language::Idl, text) {
            print_and_compare(kind, &interfaces, &hashes);
        }
    }
}

type Hashes = BTreeMap<InterfaceName, Option<TypeHash>>;

fn name(kind: Kind) -> InterfaceName {
    let package = PackageName::new("fuzz_msgs").expect("a legal name");
    InterfaceName::new(package, kind, "Fuzz").expect("a legal name")
}

fn print_and_compare(kind: Kind, interfaces: &Interfaces, hashes: &Hashes) {
    if let Some(text) = printed(interfaces, kind) {
        let again = generate(kind, Language::Ros, &text);
        let (_, again) = again.expect("what was printed is accepted");
        assert_eq!(*hashes, again, "{text}");
    }
}

/// All the steps, up to files that are not written.
fn generate(kind: Kind, language: Language, text: &str) -> Option<(Interfaces, Hashes)> {
    let none: [&str; 0] = [];
    let config = Config::new().ament_prefixes(none).extern_bundled();
    let mut diagnostics = Diagnostics::default();
    let loaded = load_alone(&config, name(kind), language, text, &mut diagnostics);
    let interfaces = resolve(&loaded, &config, &mut diagnostics);
    let errors = diagnostics.finish();
    render(errors.as_ref().unwrap_or_else(|errors| errors), true);
    errors.ok()?;
    let descriptions = Descriptions::of(&interfaces);
    for file in emit(&interfaces, &descriptions, &config) {
        syn::parse_file(&file.text).expect("generated code is Rust");
        assert!(!file.text.contains("compile_error!"), "{}", file.text);
    }
    let hash = |name: &InterfaceName| (name.clone(), descriptions.hash(name));
    let hashes = descriptions.names().map(hash).collect();
    Some((interfaces, hashes))
}

/// The fields as text that means the same; nothing, if there is a type that only IDL has.
fn printed(interfaces: &Interfaces, kind: Kind) -> Option<String> {
    let mut parts = Vec::new();
    for suffix in kind.parts() {
        let message = interfaces.messages.get(&name(kind).with(suffix))?;
        let mut part = String::new();
        for field in &message.fields {
            if *field.field_type.value_type() == ValueType::Basic(BasicType::IdlChar) {
                return None;
            }
            let field_type = field_type(&field.field_type).replace("/msg/", "/");
            writeln!(part, "{field_type} {}", field.name).expect("a string takes all");
        }
        parts.push(part);
    }
    Some(parts.join("---\n"))
}
