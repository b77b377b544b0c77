//! Finds packages and the interface files in them.
//!
//! In comes a list of places; out goes, for a package's name, its files. Places are asked in order
//! and the first that has the package wins, as overlays do: it hides the others wholly, files of two
//! places are never mixed. What is not asked for is not looked at beyond its name, so that something
//! broken elsewhere does no harm.

mod bundled;
mod index;
mod manifest;
mod places;
mod root;

use std::path::{Path, PathBuf};

use crate::{
    name::{Kind, PackageName},
    source::Location,
};
pub(crate) use bundled::message as bundled_message;
use index::Index;
pub(crate) use manifest::texts as manifest_texts;
pub(crate) use places::Places;
pub(crate) use root::{Root, Skipped};

/// The extension of files in OMG IDL.
const IDL: &str = "idl";

/// A package and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: PackageName,
    pub(crate) place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Folder(PathBuf),
    /// One file that is in no package's folder; it is taken for a package of one message.
    File(PathBuf),
    /// These files, wherever they are.
    Listed(Vec<InterfaceFile>),
    Bundled,
}

/// A file that declares an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InterfaceFile {
    pub(crate) kind: Kind,
    pub(crate) language: Language,
    /// The file's name without its extension.
    pub(crate) stem: String,
    pub(crate) location: Location,
    /// The type hashes that ROS 2 made of it in the build that goes on.
    pub(crate) built_hashes: Option<PathBuf>,
}

/// What an interface file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Language {
    /// That of `.msg`, `.srv` and `.action` files.
    Ros,
    /// OMG IDL, in `.idl` files.
    Idl,
}

/// A package's interface files.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Sorted by kind and name.
    pub(crate) files: Vec<InterfaceFile>,
    /// What changes the listing: the folders of interface files, the manifest, the index.
    pub(crate) folders: Vec<PathBuf>,
}

impl Package {
    /// The package's interface files; the error is a folder that cannot be read, and why.
    pub(crate) fn list(&self) -> Result<Listing, (PathBuf, std::io::Error)> {
        let folder = match &self.place {
            Place::Folder(folder) => folder,
            Place::File(path) => {
                return Ok(Listing {
                    files: interface_file(path, None).into_iter().collect(),
                    folders: Vec::new(),
                });
            }
            Place::Listed(files) => {
                return Ok(Listing {
                    files: files.clone(),
                    folders: Vec::new(),
                });
            }
            Place::Bundled => return Ok(bundled::list(&self.name)),
        };
        match Index::around(folder) {
            Ok(Some(index)) => return index.list(&self.name),
            Ok(None) => {}
            Err(error) => return Err((folder.clone(), error)),
        }
        let mut listing = Listing::default();
        let manifest = folder.join("package.xml");
        if manifest.is_file() {
            listing.folders.push(manifest); // its name is the package's
        }
        for kind in Kind::ALL {
            let kind_folder = folder.join(kind.as_str());
            let entries = match root::entries(&kind_folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err((kind_folder, error)),
            };
            listing.folders.push(kind_folder);
            let files = entries
                .iter()
                .filter_map(|path| interface_file(path, Some(kind)));
            let mut files: Vec<_> = files.filter(|file| file.kind == kind).collect();
            // Where packages are installed, each file lies beside the .idl file that ROS 2 made of it.
            files.sort_by(|a, b| (&a.stem, a.language).cmp(&(&b.stem, b.language)));
            files.dedup_by(|later, earlier| later.stem == earlier.stem);
            listing.files.extend(files);
        }
        Ok(listing)
    }

    /// Where the package is, for people.
    pub(crate) fn describe(&self) -> String {
        match &self.place {
            Place::Folder(path) | Place::File(path) => path.display().to_string(),
            Place::Listed(_) => "the package that is built".to_owned(),
            Place::Bundled => "bundled".to_owned(),
        }
    }
}

/// The interface that a file declares, by its name. What an `.idl` file declares depends on the folder
/// that it is in.
fn interface_file(path: &Path, folder: Option<Kind>) -> Option<InterfaceFile> {
    let extension = path.extension()?.to_str()?;
    let (kind, language) = if extension == IDL {
        let named = || Kind::named(path.parent()?.file_name()?.to_str()?);
        (folder.or_else(named)?, Language::Idl)
    } else {
        (Kind::named(extension)?, Language::Ros)
    };
    Some(InterfaceFile {
        kind,
        language,
        stem: path.file_stem()?.to_str()?.to_owned(),
        location: Location::File(path.to_owned()),
        built_hashes: None,
    })
}
