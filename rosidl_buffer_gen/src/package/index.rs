//! The index of an installation prefix, by which ROS 2 knows what is installed there.
//!
//! In `share/ament_index/resource_index` there is a folder for each sort of thing and in it a file for
//! each package: an empty one in `packages`, and in `rosidl_interfaces` one whose lines are the
//! interface files, such as `msg/Header.msg`. Folders of packages that the index does not have are
//! left over from something, and so are interface files that it does not list.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::{InterfaceFile, Language, Listing, interface_file, root};
use crate::{
    name::{Kind, PackageName},
    source::{Location, ReadError},
};

/// The index of one prefix.
#[derive(Debug)]
pub(super) struct Index {
    share: PathBuf,
}

impl Index {
    /// The index in the folder `share` of a prefix, if there is one.
    pub(super) fn of(share: &Path) -> io::Result<Option<Self>> {
        let share = share.to_owned();
        let folder = root::metadata(&share.join("ament_index/resource_index"))?;
        Ok(folder
            .is_some_and(|folder| folder.is_dir())
            .then_some(Self { share }))
    }

    /// The index of the prefix in which a package's folder is installed.
    pub(super) fn around(package: &Path) -> io::Result<Option<Self>> {
        if package.file_name().is_none() {
            // `.` and `..` do not tell what they are in.
            return Self::around(&fs::canonicalize(package)?);
        }
        package.parent().map_or(Ok(None), Self::of)
    }

    pub(super) fn share(&self) -> &Path {
        &self.share
    }

    /// The packages that are installed, and whether each has interfaces.
    pub(super) fn packages(&self) -> io::Result<Vec<(PackageName, bool)>> {
        let with_interfaces = names(&self.with_interfaces())?;
        let all = names(&self.all())?;
        let without = all
            .into_iter()
            .filter(|name| !with_interfaces.contains(name));
        let without: Vec<_> = without.map(|name| (name, false)).collect();
        let with = with_interfaces.into_iter().map(|name| (name, true));
        Ok(with.chain(without).collect())
    }

    /// The folders that change when a package comes or goes.
    pub(super) fn folders(&self) -> impl Iterator<Item = PathBuf> {
        let folders = [self.all(), self.with_interfaces()];
        folders.into_iter().filter(|folder| folder.is_dir())
    }

    /// The interface files of a package.
    pub(super) fn list(&self, package: &PackageName) -> Result<Listing, (PathBuf, io::Error)> {
        let path = self.with_interfaces().join(package.as_str());
        let text = match Location::File(path.clone()).read() {
            Ok(source) => source.text().to_owned(),
            Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Listing::default());
            }
            Err(error) => return Err((path, error.into())),
        };
        let folder = self.share.join(package.as_str());
        let mut listing = Listing::default();
        for kind in Kind::ALL {
            let mut files: Vec<_> = text
                .lines()
                .filter_map(|line| listed(&folder, kind, line.trim()))
                .collect();
            files.sort_by(|a, b| (&a.stem, a.language).cmp(&(&b.stem, b.language)));
            let same = files.chunk_by(|a, b| a.stem == b.stem);
            listing.files.extend(same.filter_map(what_is_there));
            let folder = folder.join(kind.as_str());
            if folder.is_dir() {
                listing.folders.push(folder); // the installed hashes are there
            }
        }
        listing.folders.push(path);
        Ok(listing)
    }

    fn all(&self) -> PathBuf {
        self.share.join("ament_index/resource_index/packages")
    }

    fn with_interfaces(&self) -> PathBuf {
        self.share
            .join("ament_index/resource_index/rosidl_interfaces")
    }
}

/// The names of the files in a folder of the index that may be names of packages.
fn names(folder: &Path) -> io::Result<BTreeSet<PackageName>> {
    let entries = match root::entries(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        entries => entries?,
    };
    let names = entries
        .iter()
        .filter_map(|path| PackageName::new(path.file_name()?.to_str()?));
    Ok(names.collect())
}

/// The interface of this kind that a line of the index stands for. Until Iron there are also lines
/// such as `srv/SetBool_Request.msg`, for messages that ROS 2 made of a service.
fn listed(package: &Path, kind: Kind, line: &str) -> Option<InterfaceFile> {
    let file = line.strip_prefix(kind.as_str())?.strip_prefix('/')?;
    if file.contains('/') {
        return None;
    }
    let path = package.join(kind.as_str()).join(file);
    interface_file(&path, Some(kind)).filter(|file| file.kind == kind)
}

/// Of the files that declare one interface the one to read: what people wrote, if it is installed,
/// and not what ROS 2 made of it. If none is, the first, so that it is missed.
fn what_is_there(files: &[InterfaceFile]) -> Option<InterfaceFile> {
    let is_there = |file: &&InterfaceFile| match &file.location {
        Location::File(path) => file.language == Language::Idl || path.exists(),
        Location::Bundled { .. } => true,
    };
    files.iter().find(is_there).or(files.first()).cloned()
}
