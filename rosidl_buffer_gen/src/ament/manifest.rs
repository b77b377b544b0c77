//! What a crate has of the `package.xml` of its package.

use std::{fs, path::Path};

use super::unreadable;
use crate::{
    Error,
    diagnostic::{Code, Diagnostic},
    package::manifest_texts,
};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) version: String,
    pub(super) license: Option<String>,
}

impl Manifest {
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let help = "every ROS 2 package has this file";
        let bytes = fs::read(path).map_err(|error| unreadable(path, error, help))?;
        Self::parse(&String::from_utf8_lossy(&bytes)).ok_or_else(|| {
            let message = format!("{} has no version like 1.2.3", path.display());
            let help = "the crate has the same version: three numbers in an element `<version>`";
            Diagnostic::new(Code::BadConfig, message).help(help).into()
        })
    }

    /// What stands for a package without one.
    pub(super) fn unknown() -> Self {
        Self {
            version: "0.0.0".to_owned(),
            license: None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let versions = manifest_texts(text, "version");
        let numbers = versions.first()?.split('.').map(str::parse);
        let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().ok()?;
        let [major, minor, patch] = numbers[..] else {
            return None;
        };
        let licenses = manifest_texts(text, "license");
        Some(Self {
            version: format!("{major}.{minor}.{patch}"),
            license: (!licenses.is_empty()).then(|| licenses.join(" AND ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Manifest;

    #[test]
    fn as_cargo_wants_it() {
        let parse = |version: &str, license: &str| {
            let text = format!("<package><version>{version}</version>{license}</package>");
            Manifest::parse(&text).map(|manifest| (manifest.version, manifest.license))
        };
        let found = parse("1.02.3", "<license>BSD</license><license>MIT</license>");
        assert_eq!(
            found,
            Some(("1.2.3".to_owned(), Some("BSD AND MIT".to_owned())))
        );
        assert_eq!(parse("0.0.0", ""), Some(("0.0.0".to_owned(), None)));
        for version in ["", "1.2", "1.2.3.4", "1.2.x", "1.2.-3"] {
            assert_eq!(parse(version, ""), None, "{version}");
        }
    }
}
