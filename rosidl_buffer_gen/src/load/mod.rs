//! Reads what a run needs: the packages asked for and, from reference to reference, those they use.
//!
//! Settings go in, syntax trees by interface name come out. Whether the references are right is not
//! asked here.

mod embedded;
mod loader;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use loader::Loader;

use crate::{
    config::Config,
    diagnostic::{Code, Diagnostic, Diagnostics},
    model::Placement,
    name::{InterfaceName, PackageName},
    package::{Language, Skipped},
    source::{MAX_BYTES, ReadError, Source, Span},
    stamp::Inputs,
    suggest::closest,
    syntax::ast::Message,
};

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) packages: BTreeMap<PackageName, LoadedPackage>,
    /// What the files declare.
    pub(crate) declarations: BTreeMap<InterfaceName, LoadedFile>,
    /// The messages, and the parts of services and actions.
    pub(crate) messages: BTreeMap<InterfaceName, LoadedMessage>,
    /// The packages that the settings ask for.
    pub(crate) requested: BTreeSet<PackageName>,
    /// What Cargo must watch.
    pub(crate) inputs: Vec<PathBuf>,
    /// The names of packages that are there, read or not.
    pub(crate) available: BTreeSet<PackageName>,
    /// Where packages were looked for, in words.
    pub(crate) searched: Vec<String>,
    /// Prefixes that are not there, which is no error to ROS 2.
    pub(crate) missing_prefixes: Vec<PathBuf>,
    /// Whether ROS 2 builds the package and tells which others may be referred to.
    is_build: bool,
    /// Folders with the names of packages that were found nowhere.
    left_over: BTreeMap<PackageName, PathBuf>,
}

impl Loaded {
    /// All that the output depends on.
    pub(crate) fn inputs(&self, config: &Config) -> Inputs {
        let mut inputs = Inputs::new(&format!("{config:?} {:?}", self.requested));
        let packages = self.packages.iter();
        for (name, package) in packages.filter(|(_, package)| !package.is_embedded) {
            inputs.add(name.as_str());
            inputs.add(&package.found);
        }
        // Definitions that the settings give depend on nothing else.
        let files = self.declarations.iter();
        for (name, file) in files.filter(|(_, file)| !file.is_embedded) {
            inputs.add(&name.to_string());
            inputs.add(file.source.name());
            inputs.add(file.source.text());
            if let Some(hashes) = &file.hashes {
                inputs.add_state(hashes.path());
            }
        }
        inputs
    }

    /// Whether there is a type of this name, written in a file or added by ROS 2.
    pub(crate) fn knows(&self, name: &InterfaceName) -> bool {
        let is_implicit = |declared: &InterfaceName| {
            let mut suffixes = declared.kind().implicit().iter();
            suffixes.any(|suffix| declared.with(suffix) == *name)
        };
        self.messages.contains_key(name)
            || self.declarations.contains_key(name)
            || self.declarations.keys().any(is_implicit)
    }

    /// What to say about a package that is in none of the places that were searched.
    pub(crate) fn unknown_package(&self, package: &PackageName) -> Diagnostic {
        let available = self.available.iter().map(PackageName::as_str);
        let help = if let Some(folder) = self.left_over.get(package) {
            let folder = folder.display();
            format!(
                "{folder} is there, but the index of its prefix does not have it: install the package again"
            )
        } else if let Some(close) = closest(package.as_str(), available) {
            format!("did you mean `{close}`?")
        } else if self.is_build {
            format!(
                "name `{package}` in package.xml, with find_package() in CMakeLists.txt, and there in the \
                 DEPENDENCIES of rosidl_generate_interfaces()"
            )
        } else {
            format!("looked in {}", self.searched.join(", "))
        };
        let message = format!("there is no package `{package}`");
        Diagnostic::new(Code::UnknownPackage, message).help(help)
    }
}

#[derive(Debug)]
pub(crate) struct LoadedPackage {
    pub(crate) placement: Placement,
    /// Where the package was found, in words.
    pub(crate) found: String,
    /// Where else there is one of this name, in words.
    pub(crate) hides: Vec<String>,
    /// Whether it consists only of definitions that the settings give.
    is_embedded: bool,
}

impl LoadedPackage {
    /// Where the package was found and what it hides there.
    pub(crate) fn place(&self) -> String {
        if self.hides.is_empty() {
            return self.found.clone();
        }
        format!("{} (hides {})", self.found, self.hides.join(", "))
    }
}

/// A file in which ROS 2 has type hashes.
#[derive(Debug)]
pub(crate) enum HashFile {
    /// It lies beside an interface that is installed.
    Installed(PathBuf),
    /// It was made of the interface in the build that goes on.
    Built(PathBuf),
}

impl HashFile {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Installed(path) | Self::Built(path) => path,
        }
    }
}

#[derive(Debug)]
pub(crate) struct LoadedFile {
    pub(crate) source: Arc<Source>,
    pub(crate) language: Language,
    /// What ROS 2 says that the type hashes are, if it does.
    pub(crate) hashes: Option<HashFile>,
    /// The place of the definition in the text.
    pub(crate) span: Span,
    /// Whether the settings give the definition.
    is_embedded: bool,
}

#[derive(Debug, Default)]
pub(crate) struct LoadedMessage {
    pub(crate) source: Arc<Source>,
    pub(crate) tree: Message,
}

/// Reads all that the settings ask for.
pub(crate) fn load(config: &Config, diagnostics: &mut Diagnostics) -> Loaded {
    Loader::new(config, diagnostics).load_all()
}

/// Takes the text for a file of a package that has no others.
#[cfg(fuzzing)]
pub(crate) fn load_alone(
    config: &Config,
    name: InterfaceName,
    language: Language,
    text: &str,
    diagnostics: &mut Diagnostics,
) -> Loaded {
    Loader::new(config, diagnostics).load_alone(name, language, text)
}

/// Reads the texts of some packages without asking what they mean; nothing, if something is wrong.
pub(crate) fn load_texts(config: &Config, packages: &[String]) -> Option<Loaded> {
    let mut diagnostics = Diagnostics::new(true);
    let found = Loader::new(config, &mut diagnostics).load_texts(packages);
    diagnostics.finish().is_ok().then_some(found)?
}

/// What may have been among the packages that are asked for.
pub(crate) fn skipped_package(skipped: &Skipped) -> Diagnostic {
    match skipped {
        Skipped::Unreadable(path, error) => Diagnostic::new(
            Code::Unreadable,
            format!("cannot read {}: {error}", path.display()),
        ),
        Skipped::Unnamed(folder) => Diagnostic::new(
            Code::BadName,
            format!("{} has no name that a package may have", folder.display()),
        )
        .help("package names are lower case letters, digits and single underscores between them"),
    }
}

fn unreadable(place: &str, error: ReadError) -> Diagnostic {
    match error {
        ReadError::Io(error) => {
            Diagnostic::new(Code::Unreadable, format!("cannot read {place}: {error}"))
        }
        ReadError::TooLarge => Diagnostic::new(
            Code::TooLarge,
            format!("{place} is larger than {} MiB", MAX_BYTES / 1024 / 1024),
        )
        .help("an interface file of this size is taken for an accident"),
        ReadError::NotUtf8 { lossy, bad } => {
            Diagnostic::new(Code::NotUtf8, "the file is not UTF-8")
                .at(&lossy, bad, "the first byte that is not")
                .help("interface files are text in UTF-8")
        }
    }
}
