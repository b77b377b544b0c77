//! The files whose text is mostly fixed, from the templates.

use std::collections::BTreeSet;

use askama::Template;

use crate::{
    config::{AmentPackage, CratePackage, RuntimeSource},
    name::{PackageName, crate_name},
};

/// The oldest Rust that can build generated code.
const RUST_VERSION: &str = env!("CARGO_PKG_RUST_VERSION");

/// A package and its module.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) module: String,
    /// Called like the module, if it can be.
    pub(super) folder: String,
}

#[derive(Template)]
#[template(path = "interfaces.rs", escape = "none")]
struct Interfaces<'a> {
    packages: &'a [Entry],
}

#[derive(Template)]
#[template(path = "lib.rs", escape = "none")]
struct Lib<'a> {
    interfaces: &'a str,
}

#[derive(Template)]
#[template(path = "package.rs", escape = "none")]
struct Package<'a> {
    name: &'a str,
    kinds: &'a [&'static str],
}

#[derive(Template)]
#[template(path = "kind.rs", escape = "none")]
struct Kind<'a> {
    name: &'a str,
    modules: &'a [String],
}

// Not called Cargo.toml: Cargo would take the folder for another package and not pack it.
#[derive(Template)]
#[template(path = "manifest.toml", escape = "none")]
struct CargoToml<'a> {
    name: &'a str,
    rust_version: &'a str,
    runtime: String,
}

#[derive(Template)]
#[template(path = "ament_lib.rs", escape = "none")]
struct AmentLib<'a> {
    name: &'a str,
    kinds: &'a [&'static str],
}

#[derive(Template)]
#[template(path = "ament_manifest.toml", escape = "none")]
struct AmentCargoToml<'a> {
    name: String,
    package: &'a str,
    version: String,
    license: Option<String>,
    rust_version: &'a str,
    runtime_version: &'a str,
    dependencies: Vec<String>,
}

/// The file that declares a module for each package.
pub(super) fn interfaces(packages: &[Entry]) -> String {
    rendered(&Interfaces { packages })
}

/// The same as the root of a crate.
pub(super) fn lib(interfaces: &str) -> String {
    rendered(&Lib {
        interfaces: interfaces.trim_end(),
    })
}

pub(super) fn package(name: &str, kinds: &[&'static str]) -> String {
    rendered(&Package { name, kinds })
}

pub(super) fn kind(name: &str, modules: &[String]) -> String {
    rendered(&Kind { name, modules })
}

pub(super) fn cargo_toml(package: &CratePackage) -> String {
    let source = match &package.runtime {
        RuntimeSource::Version(version) => ("version", version.clone()),
        RuntimeSource::Path(path) => ("path", path.display().to_string()),
    };
    rendered(&CargoToml {
        name: &package.name,
        rust_version: RUST_VERSION,
        runtime: format!(
            "rosidl_buffer_runtime = {{ {} = {} }}",
            source.0,
            toml_string(&source.1)
        ),
    })
}

/// The root of the crate of an ament package.
pub(super) fn ament_lib(name: &str, kinds: &[&'static str]) -> String {
    rendered(&AmentLib { name, kinds })
}

pub(super) fn ament_cargo_toml(
    package: &AmentPackage,
    dependencies: BTreeSet<&PackageName>,
) -> String {
    rendered(&AmentCargoToml {
        name: crate_name(&package.name),
        package: package.name.as_str(),
        version: toml_string(&package.version),
        license: package.license.as_deref().map(toml_string),
        rust_version: RUST_VERSION,
        runtime_version: env!("CARGO_PKG_VERSION"),
        dependencies: dependencies.into_iter().map(crate_name).collect(),
    })
}

fn toml_string(text: &str) -> String {
    let escaped = text.chars().map(|character| match character {
        '\\' | '"' => format!("\\{character}"),
        control if control.is_control() => format!("\\u{:04x}", u32::from(control)),
        other => other.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// Rendering into a string fails only where a template calls code that fails; these do not.
fn rendered(template: &impl Template) -> String {
    let mut text = template.render().unwrap_or_default();
    text.push('\n');
    text
}
