//! Where Cargo finds the crates that are installed in prefixes, as a file of its configuration.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use toml::Table;

use super::{
    index::{installed_crates, is_crate},
    unreadable,
};
use crate::{
    Error,
    diagnostic::{Code, Diagnostic},
    name::{PackageName, crate_name},
};

/// The text of a `.cargo/config.toml` with which a `cargo build` outside of colcon takes the crates of
/// these prefixes, as colcon does: of two of one name the first counts. If packages are named, it has
/// their crates and those that these need, else all.
///
/// The Cargo package that `folder` is part of is named as what lies there. Another configuration, such as
/// colcon's, may name what is installed of it; Cargo would note that in `Cargo.lock` as not used.
///
/// # Errors
/// If there is no crate in the prefixes, or none of a package that is named; if the path of one cannot be
/// written in such a file; if a manifest cannot be read.
pub fn cargo_config(
    prefixes: &[PathBuf],
    packages: &[String],
    folder: &Path,
) -> Result<String, Error> {
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
    crates.extend(own_package(folder)?);
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

/// The name and the folder of the Cargo package that a folder is part of.
fn own_package(folder: &Path) -> Result<Option<(String, PathBuf)>, Error> {
    let mut folders = folder.ancestors();
    let Some(folder) = folders.find(|folder| folder.join("Cargo.toml").is_file()) else {
        return Ok(None);
    };
    let help = "Cargo takes this file for the manifest of the package that it builds here";
    let manifest = read_manifest(&folder.join("Cargo.toml"), help)?;
    let name = manifest
        .get("package")
        .and_then(|package| package.get("name"));
    // A workspace without a package of its own has no name.
    let name = name
        .and_then(toml::Value::as_str)
        .filter(|name| is_crate(name));
    Ok(name.map(|name| (name.to_owned(), folder.to_owned())))
}

fn read_manifest(path: &Path, help: &str) -> Result<Table, Error> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, error, help))?;
    text.parse()
        .map_err(|error: toml::de::Error| unreadable(path, error.message(), help))
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
            let help = "the crate is in the index of its prefix: build its package again";
            let manifest = read_manifest(&folder.join("Cargo.toml"), help)?;
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

#[cfg(test)]
mod tests {
    use super::{super::index::CRATES, *};

    fn file(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn install(prefix: &Path, name: &str, manifest: &str) {
        file(prefix, &format!("{CRATES}/{name}"), "");
        file(prefix, &format!("share/{name}/rust/Cargo.toml"), manifest);
    }

    #[test]
    fn where_cargo_finds_the_crates() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second+1"].map(|name| folder.path().join(name));
        let needs = "[dependencies]\nb_buffer = '*'\nserde = '1'";
        install(&first, "a_buffer", needs);
        for name in ["a_buffer", "b_buffer", "unused"] {
            install(&second, name, "");
        }
        // Left over: there is no such crate.
        file(&first, &format!("{CRATES}/gone"), "");
        let prefixes = [first.clone(), second.clone()];
        let line = |name: &str, prefix: &Path| {
            format!(
                "{name} = {{ path = \"{}/share/{name}/rust\" }}\n",
                prefix.display()
            )
        };
        let head =
            "# Crates of ROS 2 packages, by `rosidl_buffer_gen cargo-config`.\n[patch.crates-io]\n";
        let used = line("a_buffer", &first) + &line("b_buffer", &second);
        let all = format!("{head}{used}{}", line("unused", &second));
        let here = folder.path();
        assert_eq!(cargo_config(&prefixes, &[], here).unwrap(), all);
        let some = cargo_config(&prefixes, &["a".to_owned()], here).unwrap();
        assert_eq!(some, format!("{head}{used}"));
        let error = |prefixes: &[PathBuf], packages: &[String]| {
            cargo_config(prefixes, packages, here)
                .unwrap_err()
                .render_json()
        };
        assert!(error(&[], &[]).contains("AMENT_PREFIX_PATH names no prefix"));
        let nothing = folder.path().join("nothing");
        assert!(error(&[nothing], &[]).contains("no Rust crates are installed in"));
        assert!(error(&prefixes, &["c".to_owned()]).contains("there is no Rust crate of `c` in"));
    }

    #[test]
    fn the_package_that_is_built_is_what_lies_there() {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("install");
        install(&prefix, "a_buffer", "");
        install(&prefix, "node", "");
        let prefixes = [prefix.clone()];
        let config = |packages: &[String], at: &str| {
            let text = cargo_config(&prefixes, packages, &folder.path().join(at))?;
            let config: toml::Table = text.parse().unwrap();
            let crates = config["patch"]["crates-io"].as_table().unwrap().iter();
            let places = crates.map(|(name, place)| {
                let path = Path::new(place["path"].as_str().unwrap());
                let path = path.strip_prefix(folder.path()).unwrap();
                format!("{name} {}", path.display())
            });
            Ok::<_, Error>(places.collect::<Vec<_>>())
        };
        let installed = "a_buffer install/share/a_buffer/rust";
        let node = "[package]\nname = 'node'";
        file(folder.path(), "src/node/Cargo.toml", node);
        for at in ["src/node", "src/node/examples"] {
            assert_eq!(config(&[], at).unwrap(), [installed, "node src/node"]);
            let some = config(&["a".to_owned()], at).unwrap();
            assert_eq!(some, [installed, "node src/node"]);
        }
        // Seen from elsewhere it is a crate as any other.
        file(folder.path(), "src/Cargo.toml", "[workspace]");
        let all = [installed, "node install/share/node/rust"];
        assert_eq!(config(&[], "src").unwrap(), all);
        assert_eq!(config(&[], "").unwrap(), all);
        file(folder.path(), "src/node/Cargo.toml", "[package");
        let error = config(&[], "src/node").unwrap_err().render_json();
        assert!(
            error.contains("src/node/Cargo.toml") && error.contains("the manifest of the package"),
            "{error}"
        );
    }
}
