//! Where Cargo finds the crates that are installed in prefixes, as a file of its configuration.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use super::CRATE_INDEX;
use crate::{
    Error,
    diagnostic::{Code, Diagnostic},
};

/// The text of a `.cargo/config.toml` with which a `cargo build` outside of colcon takes the crates of
/// these prefixes, as colcon does: of two of one name the first counts.
///
/// # Errors
/// If there is no crate in the prefixes, or the path of one cannot be written in such a file.
pub fn cargo_config(prefixes: &[PathBuf]) -> Result<String, Error> {
    let crates = installed(prefixes);
    if crates.is_empty() {
        let places = prefixes.iter().map(|prefix| prefix.display().to_string());
        let places: Vec<_> = places.collect();
        let message = match places.as_slice() {
            [] => "AMENT_PREFIX_PATH names no prefix".to_owned(),
            places => format!("no Rust crates are installed in {}", places.join(", ")),
        };
        let help = "source the `setup` file of the workspace in which interface packages were built \
                    with rosidl_generator_buffer_rs";
        return Err(Diagnostic::new(Code::BadConfig, message).help(help).into());
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

/// The crates that the indexes of the prefixes have, and their folders.
pub(super) fn installed(prefixes: &[PathBuf]) -> BTreeMap<String, PathBuf> {
    let mut crates = BTreeMap::new();
    for prefix in prefixes {
        for name in names(&prefix.join(CRATE_INDEX)) {
            let folder = prefix.join("share").join(&name).join("rust");
            if folder.join("Cargo.toml").is_file() {
                crates.entry(name).or_insert(folder);
            }
        }
    }
    crates
}

/// The names of what is in a folder of the index; none, if there is no such folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let legal = |name: &String| {
        name.chars()
            .all(|character| character.is_ascii_alphanumeric() || "_-".contains(character))
    };
    names.filter(legal).collect()
}

fn toml_string(text: &str) -> String {
    toml::Value::from(text).to_string()
}
