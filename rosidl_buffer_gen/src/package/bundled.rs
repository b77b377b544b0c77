//! The interface packages that are compiled into this crate.

use super::{InterfaceFile, Listing, Package, Place};
use crate::{
    name::{Kind, PackageName},
    source::Location,
};

/// `package/kind/File` and the text, sorted.
static FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

pub(super) fn packages() -> Vec<Package> {
    let mut names: Vec<_> = FILES
        .iter()
        .filter_map(|(path, _)| path.split('/').next())
        .collect();
    names.dedup();
    names
        .into_iter()
        .filter_map(PackageName::new)
        .map(|name| Package {
            name,
            place: Place::Bundled,
        })
        .collect()
}

pub(super) fn list(package: &PackageName) -> Listing {
    let files = FILES.iter().filter_map(|&(name, text)| {
        let rest = name.strip_prefix(package.as_str())?.strip_prefix('/')?;
        let (kind, file) = rest.split_once('/')?;
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind)?;
        let stem = file
            .strip_suffix(kind.as_str())?
            .strip_suffix('.')?
            .to_owned();
        let location = Location::Bundled { name, text };
        Some(InterfaceFile {
            kind,
            stem,
            location,
        })
    });
    Listing {
        files: files.collect(),
        folders: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bundled() {
        let packages = packages();
        for name in [
            "std_msgs",
            "sensor_msgs",
            "builtin_interfaces",
            "service_msgs",
        ] {
            assert!(
                packages.iter().any(|package| package.name.as_str() == name),
                "{name}"
            );
        }
        assert!(packages.is_sorted_by(|a, b| a.name < b.name));
        let listing = list(&PackageName::new("builtin_interfaces").unwrap());
        let stems: Vec<_> = listing
            .files
            .iter()
            .map(|file| file.stem.as_str())
            .collect();
        assert_eq!(stems, ["Duration", "Time"]);
    }
}
