//! One place where packages may be.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Package, Place, bundled, manifest};
use crate::name::{Kind, PackageName};

/// The folders of a package in which interfaces are declared, whether or not they are read yet.
const INTERFACE_FOLDERS: [&str; 3] = ["msg", "srv", "action"];

/// A place where packages may be, and those that are there, by name.
#[derive(Debug)]
pub(crate) struct Root {
    name: String,
    packages: Vec<Package>,
}

impl Root {
    /// The packages of a search path: a folder of packages, one package, an installation prefix, or
    /// for checking a single file.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let is_interface = |path: &Path| {
            let extension = path.extension();
            extension
                .is_some_and(|extension| Kind::ALL.iter().any(|kind| kind.as_str() == extension))
        };
        let packages = if path.is_file() && is_interface(path) {
            file_package(path).into_iter().collect()
        } else if let Some(file) = only_interfaces(path) {
            file_package(&file).into_iter().collect()
        } else if is_package(path) {
            package(path).into_iter().collect()
        } else {
            let share = path.join("share");
            let folder = if share.is_dir() { &share } else { path };
            let folders = entries(folder)?;
            let folders = folders.iter().filter(|folder| is_package(folder));
            folders.filter_map(|folder| package(folder)).collect()
        };
        Ok(Self {
            name: path.display().to_string(),
            packages,
        })
    }

    /// The packages that come with this crate.
    pub(crate) fn bundled() -> Self {
        Self {
            name: "the bundled packages".to_owned(),
            packages: bundled::packages(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The packages of this name: there should be at most one.
    pub(crate) fn find<'a>(&'a self, name: &'a PackageName) -> impl Iterator<Item = &'a Package> {
        self.packages
            .iter()
            .filter(move |package| package.name == *name)
    }
}

/// The package in an installation prefix, where its folder always has its name.
pub(crate) fn installed(prefix: &Path, name: &PackageName) -> Option<Package> {
    let folder = prefix.join("share").join(name.as_str());
    is_package(&folder).then(|| Package {
        name: name.clone(),
        place: Place::Folder(folder),
    })
}

/// What is in a folder, sorted.
pub(super) fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

fn is_package(folder: &Path) -> bool {
    let is_hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
    !folder.file_name().is_some_and(is_hidden)
        && (folder.join("package.xml").is_file() && !folder.join("share").is_dir()
            || INTERFACE_FOLDERS
                .iter()
                .any(|name| folder.join(name).is_dir()))
}

/// A file of the folder, if the folder is the `msg` of a package.
fn only_interfaces(folder: &Path) -> Option<PathBuf> {
    let absolute = fs::canonicalize(folder).ok()?;
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| absolute.ends_with(kind.as_str()))?;
    let mut files = entries(folder).ok()?.into_iter();
    files.find(|file| {
        file.extension()
            .is_some_and(|extension| extension == kind.as_str())
    })
}

/// The package that a file belongs to: the one whose folder it is in, else one of its own.
fn file_package(path: &Path) -> Option<Package> {
    let absolute = fs::canonicalize(path).ok()?;
    let folder = absolute.parent()?;
    if folder.file_name() == path.extension() {
        // The given path is kept where it can be: it is what messages show.
        let parent = path.parent().and_then(Path::parent);
        let parent = parent.filter(|parent| *parent != Path::new(""));
        return package(parent.or_else(|| folder.parent())?);
    }
    let name = folder
        .file_name()
        .and_then(|name| PackageName::new(name.to_str()?));
    Some(Package {
        name: name.or_else(|| PackageName::new("unnamed"))?,
        place: Place::File(path.to_owned()),
    })
}

/// The package in a folder, if it has a legal name.
fn package(folder: &Path) -> Option<Package> {
    let declared = fs::read_to_string(folder.join("package.xml")).ok();
    let name = declared.as_deref().and_then(manifest::name);
    let name = name.or_else(|| {
        // `.` and `..` have no name of their own.
        let absolute = fs::canonicalize(folder).ok()?;
        Some(absolute.file_name()?.to_str()?.to_owned())
    })?;
    Some(Package {
        name: PackageName::new(&name)?,
        place: Place::Folder(folder.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn names(root: &Root) -> Vec<String> {
        root.packages
            .iter()
            .map(|package| package.name.to_string())
            .collect()
    }

    #[test]
    fn folders_of_packages_packages_and_prefixes() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        file(at, "b_msgs/msg/A.msg", "");
        file(at, "renamed/msg/A.msg", "");
        file(
            at,
            "renamed/package.xml",
            "<package><name>a_msgs</name></package>",
        );
        file(at, "no_interfaces/src/lib.rs", "");
        file(at, ".hidden/msg/A.msg", "");
        file(at, "Bad-Name/msg/A.msg", "");
        file(at, "README.md", "");
        assert_eq!(names(&Root::open(at).unwrap()), ["b_msgs", "a_msgs"]);
        assert_eq!(names(&Root::open(&at.join("renamed")).unwrap()), ["a_msgs"]);
        assert_eq!(
            names(&Root::open(&at.join("b_msgs/.")).unwrap()),
            ["b_msgs"]
        );

        let prefix = tempfile::tempdir().unwrap();
        file(prefix.path(), "share/c_msgs/msg/A.msg", "");
        file(prefix.path(), "lib/d_msgs/msg/A.msg", "");
        assert_eq!(names(&Root::open(prefix.path()).unwrap()), ["c_msgs"]);
        for path in ["b_msgs/msg", "b_msgs/msg/A.msg", "b_msgs/srv/../msg"] {
            fs::create_dir_all(at.join("b_msgs/srv")).unwrap();
            assert_eq!(
                names(&Root::open(&at.join(path)).unwrap()),
                ["b_msgs"],
                "{path}"
            );
        }
        file(at, "alone/B.msg", "");
        assert_eq!(
            names(&Root::open(&at.join("alone/B.msg")).unwrap()),
            ["alone"]
        );
        assert!(Root::open(&at.join("missing")).is_err());
        assert!(Root::open(&at.join("README.md")).is_err());
    }

    #[test]
    fn two_packages_of_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        for place in ["x", "y"] {
            file(at, &format!("{place}/msg/A.msg"), "");
            file(at, &format!("{place}/package.xml"), "<name>same</name>");
        }
        file(at, "other/msg/A.msg", "");
        let root = Root::open(at).unwrap();
        for (name, count) in [("same", 2), ("other", 1), ("none", 0)] {
            assert_eq!(
                root.find(&PackageName::new(name).unwrap()).count(),
                count,
                "{name}"
            );
        }
    }
}
