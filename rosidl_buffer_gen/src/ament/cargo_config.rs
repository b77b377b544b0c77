//! Where Cargo finds the crates that are installed in prefixes, as a file of its configuration.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::PathBuf,
};

use toml::Table;

use super::{index::installed_crates, unreadable};
use crate::{
    Error,
    diagnostic::{Code, Diagnostic},
    name::{PackageName, crate_name},
};

/// The text of a `.cargo/config.toml` with which a `cargo build` outside of colcon takes the crates of
/// these prefixes, as colcon does: of two of one name the first counts. If packages are named, it has
/// their crates and those that these need, else all.
///
/// # Errors
/// If there is no crate in the prefixes, or none of a package that is named; if the path of one cannot be
/// written in such a file.
pub fn cargo_config(prefixes: &[PathBuf], packages: &[String]) -> Result<String, Error> {
    let mut crates = installed_crates(prefixes);
    if crates.is_empty() {
        let message = match prefixes {
            [] => "AMENT_PREFIX_PATH names no prefix".to_owned(),
            prefixes => format!("no Rust crates are installed in {}", in_words(prefixes)),
        };
        let help = "source the `setup` file of the workspace in which interface packages were built \
                    with rosidl_generator_buffer_rs";
        return Err(Diagnostic::new(Code::BadConfig, message).help(help).into());
    }
    if !packages.is_empty() {
        let needed = needed(&crates, packages, prefixes)?;
        crates.retain(|name, _| needed.contains(name));
    }
    let mut text = String::from(
        "# Crates of ROS 2 packages, by `rosidl_buffer_gen cargo-config`.\n[patch.crates-io]\n",
    );
    for (name, folder) in crates {
        let path = folder.to_str().ok_or_else(|| {
            let message = format!("the path {} is not Unicode", folder.display());
            Diagnostic::new(Code::BadConfig, message)
        })?;
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{name} = {{ path = {} }}", toml_string(path));
    }
    Ok(text)
}

/// The crates of the packages and those on which they depend.
fn needed(
    crates: &BTreeMap<String, PathBuf>,
    packages: &[String],
    prefixes: &[PathBuf],
) -> Result<BTreeSet<String>, Error> {
    let mut needed = BTreeSet::new();
    let mut queue = Vec::new();
    for package in packages {
        let name = PackageName::new(package).map(|name| crate_name(&name));
        let Some(name) = name.filter(|name| crates.contains_key(name)) else {
            let message = format!(
                "there is no Rust crate of `{package}` in {}",
                in_words(prefixes)
            );
            let help = "build the package with rosidl_generator_buffer_rs, or make only its crate: \
                        `rosidl_buffer_gen ament-underlay`";
            return Err(Diagnostic::new(Code::BadConfig, message).help(help).into());
        };
        queue.push(name);
    }
    while let Some(name) = queue.pop() {
        let Some(folder) = crates.get(&name) else {
            continue; // from a registry
        };
        if needed.insert(name) {
            let path = folder.join("Cargo.toml");
            let help = "the crate is in the index of its prefix: build its package again";
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error, help))?;
            let manifest: Table = text
                .parse()
                .map_err(|error: toml::de::Error| unreadable(&path, error.message(), help))?;
            let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
            queue.extend(dependencies.into_iter().flat_map(Table::keys).cloned());
        }
    }
    Ok(needed)
}

fn in_words(prefixes: &[PathBuf]) -> String {
    let places = prefixes.iter().map(|prefix| prefix.display().to_string());
    places.collect::<Vec<_>>().join(", ")
}

fn toml_string(text: &str) -> String {
    toml::Value::from(text).to_string()
}
