//! One place where packages may be.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{IDL, Index, Package, Place, bundled, interface_file, manifest};
use crate::{
    config::AmentPackage,
    name::{Kind, PackageName},
};

/// The packages that services use, which ROS 2 has only since Iron.
const FOR_EVENTS: [&str; 2] = ["builtin_interfaces", "service_msgs"];

/// Files that say of a folder that colcon is to take no packages from it.
const IGNORED: [&str; 2] = ["COLCON_IGNORE", "AMENT_IGNORE"];

/// A place where packages may be, and those that are there, by name.
#[derive(Debug, Default)]
pub(crate) struct Root {
    name: String,
    packages: Vec<Package>,
    /// Packages that are installed and have no interfaces.
    others: Vec<Package>,
    skipped: Vec<Skipped>,
    /// Of the prefixes that are here.
    indexes: Vec<Index>,
}

/// A folder that may hold interfaces and is no package that can be read.
#[derive(Debug)]
pub(crate) enum Skipped {
    Unreadable(PathBuf, io::Error),
    /// Neither a package.xml nor the folder gives a name that a package may have.
    Unnamed(PathBuf),
}

impl Root {
    /// The packages of a search path: a folder of packages, one package, an installation prefix, a
    /// folder of prefixes, or for checking a single file.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut root = Self::named(path);
        let is_interface = |path: &Path| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            extension.is_some_and(|extension| extension == IDL || Kind::named(extension).is_some())
        };
        if path.is_file() && !is_interface(path) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is neither a folder nor an interface file (.msg, .srv, .action, .idl)",
            ));
        } else if path.is_file() {
            root.packages.extend(file_package(path));
        } else if let Some(file) = only_interfaces(path) {
            root.packages.extend(file_package(&file));
        } else if root.add_index(path)? || root.add_index(&path.join("share"))? {
            // All is told by the index.
        } else if is_package(path)? {
            root.packages.extend(package(path, &mut root.skipped));
        } else {
            root.add_folders(path)?;
            let share = path.join("share");
            if root.packages.is_empty() && share.is_dir() {
                root.add_folders(&share)?;
            }
        }
        Ok(root)
    }

    /// The packages that are installed in a prefix; nothing, if there is no such folder.
    pub(crate) fn installed(prefix: &Path) -> io::Result<Option<Self>> {
        if !metadata(prefix)?.is_some_and(|found| found.is_dir()) {
            return Ok(None);
        }
        let mut root = Self::named(prefix);
        let share = prefix.join("share");
        if !root.add_index(&share)? && share.is_dir() {
            root.add_folders(&share)?;
        }
        Ok(Some(root))
    }

    fn named(path: &Path) -> Self {
        Self {
            name: path.display().to_string(),
            ..Self::default()
        }
    }

    /// Adds what the index of a prefix tells, if it has one.
    fn add_index(&mut self, share: &Path) -> io::Result<bool> {
        let Some(index) = Index::of(share)? else {
            return Ok(false);
        };
        for (name, has_interfaces) in index.packages()? {
            let place = Place::Folder(share.join(name.as_str()));
            let list = if has_interfaces {
                &mut self.packages
            } else {
                &mut self.others
            };
            list.push(Package { name, place });
        }
        self.indexes.push(index);
        Ok(true)
    }

    /// Adds the packages of a folder, and those of the prefixes in it: `colcon build` makes a prefix
    /// for each package. What colcon passes over is passed over; its own folders are.
    fn add_folders(&mut self, folder: &Path) -> io::Result<()> {
        for folder in entries(folder)? {
            if IGNORED.iter().any(|marker| folder.join(marker).exists()) {
                continue;
            }
            let is_added = match is_package(&folder) {
                Ok(true) => {
                    self.packages.extend(package(&folder, &mut self.skipped));
                    Ok(())
                }
                Ok(false) => self.add_prefix(&folder),
                Err(error) => Err(error),
            };
            if let Err(error) = is_added {
                self.skipped.push(Skipped::Unreadable(folder, error));
            }
        }
        Ok(())
    }

    /// Adds what is installed in a folder, if it is the prefix of one package.
    fn add_prefix(&mut self, folder: &Path) -> io::Result<()> {
        let share = folder.join("share");
        if !self.add_index(&share)?
            && let Some(name) = folder.file_name()
            && is_package(&share.join(name))?
        {
            let own = package(&share.join(name), &mut self.skipped);
            self.packages.extend(own);
        }
        Ok(())
    }

    /// The packages that come with this crate.
    pub(crate) fn bundled() -> Self {
        Self {
            name: "the bundled packages".to_owned(),
            packages: bundled::packages(),
            ..Self::default()
        }
    }

    /// Those of them without which no service has a type hash. All else comes from where ROS 2 has it.
    pub(crate) fn bundled_for_events() -> Self {
        let mut root = Self::bundled();
        root.packages
            .retain(|package| FOR_EVENTS.contains(&package.name.as_str()));
        root
    }

    /// A package of which each file is told.
    pub(crate) fn listed(package: &AmentPackage) -> Option<Self> {
        let files = package.files.as_ref()?.iter().filter_map(|file| {
            let mut found = interface_file(&file.path, Some(file.kind))?;
            found.built_hashes.clone_from(&file.hashes);
            Some(found)
        });
        let place = Place::Listed(files.collect());
        let name = package.name.clone();
        Some(Self {
            name: format!("the package `{name}`, which is built"),
            packages: vec![Package { name, place }],
            ..Self::default()
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// What may have been a package.
    pub(crate) fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The packages of this name: there should be at most one.
    pub(crate) fn find<'a>(&'a self, name: &'a PackageName) -> impl Iterator<Item = &'a Package> {
        let all = self.packages.iter().chain(&self.others);
        all.filter(move |package| package.name == *name)
    }

    /// A folder of this name that no index has.
    pub(crate) fn left_over(&self, name: &PackageName) -> Option<PathBuf> {
        let folders = self
            .indexes
            .iter()
            .map(|index| index.share().join(name.as_str()));
        folders.into_iter().find(|folder| folder.is_dir())
    }

    /// What changes when a package comes or goes; of folders of packages that is not told.
    pub(crate) fn watched(&self) -> impl Iterator<Item = PathBuf> {
        self.indexes.iter().flat_map(Index::folders)
    }
}

/// What is in a folder, sorted.
pub(super) fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

/// Whether something is there; what cannot be asked is an error, not a no.
pub(super) fn metadata(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ => Err(error),
        },
    }
}

fn is_package(folder: &Path) -> io::Result<bool> {
    let is_hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
    if folder.file_name().is_some_and(is_hidden) {
        return Ok(false);
    }
    let is_dir = |path: &str| -> io::Result<bool> {
        Ok(metadata(&folder.join(path))?.is_some_and(|found| found.is_dir()))
    };
    let manifest = metadata(&folder.join("package.xml"))?.is_some_and(|found| found.is_file());
    if manifest && !is_dir("share")? {
        return Ok(true);
    }
    Kind::ALL
        .iter()
        .try_fold(false, |found, kind| Ok(found || is_dir(kind.as_str())?))
}

/// A file of the folder, if the folder is the `msg`, `srv` or `action` of a package.
fn only_interfaces(folder: &Path) -> Option<PathBuf> {
    let absolute = fs::canonicalize(folder).ok()?;
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| absolute.ends_with(kind.as_str()))?;
    let mut files = entries(folder).ok()?.into_iter();
    files.find(|file| {
        file.extension()
            .is_some_and(|extension| extension == kind.as_str() || extension == IDL)
    })
}

/// The package that a file belongs to: the one whose folder it is in, else one of its own.
fn file_package(path: &Path) -> Option<Package> {
    let absolute = fs::canonicalize(path).ok()?;
    let folder = absolute.parent()?;
    let is_kind = |name: &std::ffi::OsStr| name.to_str().and_then(Kind::named).is_some();
    let in_place = path.extension().is_some_and(|extension| extension == IDL);
    if folder.file_name() == path.extension() || in_place && folder.file_name().is_some_and(is_kind)
    {
        // The given path is kept where it can be: it is what messages show.
        let parent = path.parent().and_then(Path::parent);
        let parent = parent.filter(|parent| *parent != Path::new(""));
        return package(parent.or_else(|| folder.parent())?, &mut Vec::new());
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
fn package(folder: &Path, skipped: &mut Vec<Skipped>) -> Option<Package> {
    let manifest_path = folder.join("package.xml");
    let declared = match fs::read(&manifest_path) {
        Ok(bytes) => manifest::name(&String::from_utf8_lossy(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            skipped.push(Skipped::Unreadable(manifest_path, error));
            return None;
        }
    };
    let name = declared.or_else(|| {
        // `.` and `..` have no name of their own.
        let absolute = fs::canonicalize(folder).ok()?;
        Some(absolute.file_name()?.to_str()?.to_owned())
    });
    let Some(name) = name.as_deref().and_then(PackageName::new) else {
        skipped.push(Skipped::Unnamed(folder.to_owned()));
        return None;
    };
    Some(Package {
        name,
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
        for path in ["b_msgs/srv/S.srv", "b_msgs/msg/I.idl"] {
            file(at, path, "");
            assert_eq!(
                names(&Root::open(&at.join(path)).unwrap()),
                ["b_msgs"],
                "{path}"
            );
        }
        file(at, "share/e_msgs/msg/A.msg", "");
        assert!(
            names(&Root::open(at).unwrap()).contains(&"b_msgs".to_owned()),
            "a folder `share` among packages hides none"
        );
    }

    #[test]
    fn manifests_need_not_be_utf8_and_what_is_skipped_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        file(at, "c/msg/A.msg", "");
        fs::write(
            at.join("c/package.xml"),
            b"<maintainer>J\xf6rg</maintainer><name>real_msgs</name>",
        )
        .unwrap();
        file(at, "Bad-Name/msg/A.msg", "");
        let root = Root::open(at).unwrap();
        assert_eq!(names(&root), ["real_msgs"]);
        assert!(
            matches!(root.skipped(), [Skipped::Unnamed(path)] if path.ends_with("Bad-Name")),
            "{:?}",
            root.skipped()
        );
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
