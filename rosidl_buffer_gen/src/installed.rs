//! Compares type hashes with those that ROS 2 computed.
//!
//! Since Iron there is a file `Name.json` beside each installed interface, which ROS 2 made when it
//! built the package: its hash, and those of all that it refers to. In the build of a package it is there
//! before that is installed. Where ours are others, messages
//! would not be understood, so a difference is an error. The many that follow from one are told once.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use rosidl_type_description::TypeHash;
use serde_json::Value;

use crate::{
    describe::Descriptions,
    diagnostic::{Code, Diagnostic, Diagnostics},
    load::{HashFile, Loaded, LoadedFile, LoadedPackage},
    model::Interfaces,
    name::InterfaceName,
    source::{Location, Source, Span},
};

/// What to do about files that a build made.
const CLEAN_BUILD: &str = "ROS 2's rosidl_generator_type_description made the file in this build: remove the \
     package's build folder and build again";

/// The types of a file and their hashes.
type Hashes = BTreeMap<InterfaceName, TypeHash>;

/// Compares all interfaces beside which there is such a file.
pub(crate) fn check_installed(
    loaded: &Loaded,
    interfaces: &Interfaces,
    diagnostics: &mut Diagnostics,
) {
    let with_hashes = loaded.declarations.iter().filter_map(|(name, file)| {
        let hashes = file.hashes.as_ref()?;
        Some((name, file, hashes))
    });
    let mut with_hashes = with_hashes.peekable();
    if with_hashes.peek().is_none() {
        return;
    }
    let mut ours = Ours {
        descriptions: Descriptions::of(interfaces),
        hashes: Hashes::new(),
    };
    let mut groups = BTreeMap::<InterfaceName, Vec<Mismatch>>::new();
    for (name, file, hashes) in with_hashes {
        match read(name, hashes.path()) {
            Ok((source, theirs)) => {
                if let Some(mismatch) = Mismatch::find(name, file, source, theirs, &mut ours) {
                    let group = groups.entry(mismatch.cause.clone()).or_default();
                    group.push(mismatch);
                }
            }
            Err(error) => {
                let place = hashes.path().display();
                let message = format!("cannot read type hashes from {place}: {error}");
                let package = name.package();
                diagnostics.push(Diagnostic::new(Code::Unreadable, message).help(match hashes {
                    HashFile::Installed(_) => format!(
                        "ROS 2 installs such a file when it builds `{package}`: build and install the \
                         package again, or remove the file, then nothing is compared"
                    ),
                    HashFile::Built(_) => CLEAN_BUILD.to_owned(),
                }));
            }
        }
    }
    for group in groups.values() {
        // Where it starts is told, if there is a file that tells it.
        let first = group
            .iter()
            .find(|mismatch| *mismatch.name == mismatch.cause);
        if let Some(first) = first.or(group.first()) {
            diagnostics.push(first.diagnostic(group.len() - 1, loaded, &mut ours));
        }
    }
}

/// The hashes that we compute, each once.
struct Ours {
    descriptions: Descriptions,
    hashes: Hashes,
}

impl Ours {
    fn hash(&mut self, name: &InterfaceName) -> Option<TypeHash> {
        if let Some(hash) = self.hashes.get(name) {
            return Some(*hash);
        }
        let hash = self.descriptions.hash(name)?;
        self.hashes.insert(name.clone(), hash);
        Some(hash)
    }
}

/// The file, and the hashes in it, of which one is that of the interface.
fn read(name: &InterfaceName, path: &Path) -> io::Result<(Source, Hashes)> {
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let source = Location::File(path.to_owned()).read()?;
    let value: Value = serde_json::from_str(source.text())?;
    let entries = value["type_hashes"].as_array();
    let entries = entries.ok_or_else(|| invalid("it has no list `type_hashes`".to_owned()))?;
    let mut hashes = Hashes::new();
    for entry in entries {
        // Of a name that is none here there is nothing to compare.
        let Some(name) = entry["type_name"].as_str().and_then(InterfaceName::parse) else {
            continue;
        };
        let hash = entry["hash_string"].as_str().unwrap_or_default().parse();
        let hash = hash.map_err(|error| invalid(format!("the hash of `{name}`: {error}")))?;
        hashes.insert(name, hash);
    }
    if !hashes.contains_key(name) {
        return Err(invalid(format!("its `type_hashes` do not have `{name}`")));
    }
    Ok((source, hashes))
}

/// A file of hashes that does not fit.
struct Mismatch<'a> {
    name: &'a InterfaceName,
    file: &'a LoadedFile,
    source: Source,
    theirs: Hashes,
    /// The type that is told: the interface's own, or one of its parts.
    subject: InterfaceName,
    /// The interface itself, or the type that it refers to and that differs first.
    cause: InterfaceName,
}

impl<'a> Mismatch<'a> {
    fn find(
        name: &'a InterfaceName,
        file: &'a LoadedFile,
        source: Source,
        theirs: Hashes,
        ours: &mut Ours,
    ) -> Option<Self> {
        let differing = theirs.iter().filter(|(name, theirs)| {
            let ours = ours.hash(name);
            ours.is_some_and(|ours| ours != **theirs)
        });
        let differing: BTreeSet<_> = differing.map(|(name, _)| name.clone()).collect();
        let first = differing.first()?;
        let subject = differing.get(name).unwrap_or(first).clone();
        let is_first = |candidate: &&InterfaceName| {
            let mut references = ours.descriptions.references(candidate);
            !is_of(candidate, name) && !references.any(|target| differing.contains(target))
        };
        let cause = differing.iter().find(is_first).unwrap_or(name).clone();
        Some(Self {
            name,
            file,
            source,
            theirs,
            subject,
            cause,
        })
    }

    fn diagnostic(&self, more: usize, loaded: &Loaded, ours: &mut Ours) -> Diagnostic {
        let hashes = |name: &InterfaceName, ours: &mut Ours| {
            let ours = ours.hash(name).map(|hash| hash.to_string());
            let theirs = self.theirs.get(name).map(TypeHash::to_string);
            (ours.unwrap_or_default(), theirs.unwrap_or_default())
        };
        let (own, installed) = hashes(&self.subject, ours);
        let is_built = matches!(self.file.hashes, Some(HashFile::Built(_)));
        let verb = if is_built {
            "what ROS 2 computed"
        } else {
            "installed"
        };
        let message = format!(
            "the type hash of `{}` is {own}, but {installed} is {verb}",
            self.subject
        );
        let package = self.name.package();
        let mut help = if self.cause == *self.name && is_built {
            format!(
                "{own} is of {}, the other is in the file above. {CLEAN_BUILD}. If it is the same then, \
                 the two programs understand the text differently, and nodes in Rust and in C++ would not \
                 talk to each other: please report it with both files",
                self.file.source.name()
            )
        } else if self.cause == *self.name {
            format!(
                "{} is not what ROS 2 built `{package}` from: the file beside it has the hash of another \
                 version. Build and install the package again, or remove that file, then nothing is \
                 compared",
                self.file.source.name()
            )
        } else {
            let cause = &self.cause;
            let (own, built) = hashes(cause, ours);
            let place = loaded
                .packages
                .get(cause.package())
                .map(LoadedPackage::place);
            format!(
                "what differs first is `{cause}`, read from {}: {own}, and {built} where `{package}` was \
                 built. Build and install `{package}` again with this `{}`, or have the one that it was \
                 built with found first",
                place.unwrap_or_default(),
                cause.package()
            )
        };
        if more > 0 {
            help = format!("{help}. It is the same with {more} more files of hashes");
        }
        let span = place_of(&self.source, &self.subject, &installed);
        let diagnostic = Diagnostic::new(Code::HashMismatch, message);
        diagnostic.at(&self.source, span, "").help(help)
    }
}

/// Whether the type is the interface or one of those that come with it.
fn is_of(name: &InterfaceName, interface: &InterfaceName) -> bool {
    let rest = name.name().strip_prefix(interface.name());
    name.package() == interface.package()
        && name.kind() == interface.kind()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// Where a type's hash is in the file; its start, if the file is written in an odd way.
fn place_of(source: &Source, name: &InterfaceName, hash: &str) -> Span {
    let text = source.text();
    let find = |from: usize, what: &str| Some(from + text[from..].find(what)?);
    let found = text.rfind("\"type_hashes\"");
    let found = found.and_then(|at| find(at, &format!("\"{name}\"")));
    let found = found.and_then(|at| find(at, hash));
    found.map_or(0..0, |at| at..at + hash.len())
}
