//! The interface packages that are compiled into this crate.

use super::{InterfaceFile, Language, Listing, Package, Place};
use crate::{
    name::{InterfaceName, Kind, PackageName},
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
        let kind = Kind::named(kind)?;
        let stem = file
            .strip_suffix(kind.as_str())?
            .strip_suffix('.')?
            .to_owned();
        let location = Location::Bundled { name, text };
        Some(InterfaceFile {
            kind,
            language: Language::Ros,
            stem,
            location,
            built_hashes: None,
        })
    });
    Listing {
        files: files.collect(),
        folders: Vec::new(),
    }
}

/// A message of this name. Of several it is the last, which comes from the more general package.
pub(crate) fn message(name: &str) -> Option<InterfaceName> {
    let of_file = |file: &str| -> Option<InterfaceName> {
        let (package, rest) = file.split_once('/')?;
        let stem = rest.strip_prefix("msg/")?.strip_suffix(".msg")?;
        let package = (stem == name).then(|| PackageName::new(package))??;
        InterfaceName::new(package, Kind::Msg, name)
    };
    FILES.iter().rev().find_map(|(file, _)| of_file(file))
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
        assert_eq!(
            message("Header").unwrap().to_string(),
            "std_msgs/msg/Header"
        );
        assert_eq!(
            message("String").unwrap().to_string(),
            "std_msgs/msg/String"
        );
        assert_eq!(message("SetBool"), None);
    }
}
