//! The crates that are installed in prefixes: the index of a prefix has their names, as that of
//! `rosidl_generator_rs`'s crates, and each is in `share/<crate>/rust`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The folder of the index that names crates.
pub(super) const CRATES: &str = "share/ament_index/resource_index/rust_packages";

/// The crates that the indexes of the prefixes have, and their folders.
pub(super) fn installed_crates(prefixes: &[PathBuf]) -> BTreeMap<String, PathBuf> {
    let mut crates = BTreeMap::new();
    for prefix in prefixes {
        for name in names(&prefix.join(CRATES)) {
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
    names.filter(|name| is_crate(name)).collect()
}

/// Whether this is a name for a crate, as far as it may stand in a manifest without quotes.
pub(super) fn is_crate(name: &str) -> bool {
    name.chars()
        .all(|character| character.is_ascii_alphanumeric() || "_-".contains(character))
}
