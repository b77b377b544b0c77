//! From package to package: what is asked for, and what that refers to.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
    sync::Arc,
};

use super::{
    HashFile, Loaded, LoadedFile, LoadedMessage, LoadedPackage, skipped_package, unreadable,
};
use crate::{
    config::Config,
    diagnostic::{Code, Diagnostic, Diagnostics},
    model::Placement,
    name::{InterfaceName, Kind, PackageName, crate_name},
    package::{InterfaceFile, Language, Package, Places, Root},
    source::{Location, Source},
    suggest::closest,
    syntax::{
        Embedded,
        ast::{Base, Message},
        parse_idl, parse_interface, parse_message,
    },
};

/// The crate that [`Config::extern_bundled`] refers to.
const INTERFACES_CRATE: &str = "rosidl_buffer_interfaces";

/// Reads packages until nothing is asked for any more.
pub(super) struct Loader<'a> {
    pub(super) config: &'a Config,
    pub(super) diagnostics: &'a mut Diagnostics,
    places: Places,
    /// Packages to generate, by the settings.
    pub(super) requested: BTreeSet<PackageName>,
    /// Packages that were in the queue at some time.
    seen: BTreeSet<PackageName>,
    queue: VecDeque<PackageName>,
    pub(super) loaded: Loaded,
    /// The definitions that the settings give.
    pub(super) embedded: BTreeMap<InterfaceName, (Arc<Source>, Embedded)>,
    /// Whether files are read, but not parsed.
    texts_only: bool,
}

impl<'a> Loader<'a> {
    pub(super) fn new(config: &'a Config, diagnostics: &'a mut Diagnostics) -> Self {
        let places = Places::open(config, diagnostics);
        let mut loaded = Loaded {
            missing_prefixes: places.missing_prefixes().to_vec(),
            is_build: config
                .ament
                .as_ref()
                .is_some_and(|ament| ament.files.is_some()),
            ..Loaded::default()
        };
        for root in places.all() {
            let names = root.packages().iter().map(|package| package.name.clone());
            loaded.available.extend(names);
            loaded.searched.push(root.name().to_owned());
            loaded.inputs.extend(root.watched());
        }
        Self {
            config,
            diagnostics,
            places,
            requested: BTreeSet::new(),
            seen: BTreeSet::new(),
            queue: VecDeque::new(),
            loaded,
            embedded: BTreeMap::new(),
            texts_only: false,
        }
    }

    /// Takes the text for a file of a package that has no others.
    #[cfg(fuzzing)]
    pub(super) fn load_alone(
        mut self,
        name: InterfaceName,
        language: Language,
        text: &str,
    ) -> Loaded {
        let package = LoadedPackage {
            placement: Placement::Emitted,
            found: "memory".to_owned(),
            hides: Vec::new(),
            is_embedded: false,
        };
        self.seen.insert(name.package().clone());
        let packages = &mut self.loaded.packages;
        packages.insert(name.package().clone(), package);
        let source = Source::new(name.to_string(), text.to_owned());
        self.load_text(name, language, source, None);
        self.load_queue()
    }

    pub(super) fn load_all(mut self) -> Loaded {
        self.request();
        self.load_queue()
    }

    fn load_queue(mut self) -> Loaded {
        while let Some(package) = self.queue.pop_front() {
            self.load(&package);
        }
        self.add_embedded();
        self.loaded.requested = self.requested;
        self.loaded
    }

    pub(super) fn load_texts(mut self, packages: &[String]) -> Option<Loaded> {
        self.texts_only = true;
        self.request();
        for package in packages {
            self.load(&PackageName::new(package)?);
        }
        self.loaded.requested = self.requested;
        Some(self.loaded)
    }

    pub(super) fn error(
        &mut self,
        code: Code,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.diagnostics
            .push(Diagnostic::new(code, message).help(help));
    }

    /// Queues what the settings name.
    fn request(&mut self) {
        self.request_definitions();
        let has_definitions =
            !self.config.definitions.is_empty() && self.config.search_paths.is_empty();
        if self.config.packages.is_empty() && !has_definitions {
            let roots = self.places.search_paths();
            let default = if self.config.search_paths.is_empty() {
                std::slice::from_ref(self.places.bundled())
            } else {
                roots
            };
            let packages = default.iter().flat_map(Root::packages);
            let packages = packages.map(|package| package.name.clone());
            self.requested.extend(packages);
            for skipped in roots.iter().flat_map(Root::skipped) {
                self.diagnostics.push(skipped_package(skipped));
            }
            if self.requested.is_empty() && roots.len() == self.config.search_paths.len() {
                let places: Vec<_> = roots.iter().map(Root::name).collect();
                let message = format!("there are no packages in {}", places.join(", "));
                self.error(
                    Code::UnknownPackage,
                    message,
                    "a package is a folder with a package.xml, or with a folder `msg`",
                );
            }
        }
        for name in &self.config.packages {
            if let Some(package) = PackageName::new(name) {
                self.requested.insert(package);
            } else {
                self.error(
                    Code::BadName,
                    format!("`{name}` is not a name for a package"),
                    "package names are lower case letters, digits and single underscores between them",
                );
            }
        }
        self.check_extern_paths();
        for package in self.requested.clone() {
            self.enqueue(&package);
        }
        // Of a package that is only in definitions, only these are asked for.
        self.requested
            .extend(self.embedded.keys().map(|name| name.package().clone()));
    }

    fn check_extern_paths(&mut self) {
        for (name, path) in &self.config.extern_paths {
            let is_absolute = path.starts_with("::") || path.starts_with("crate::");
            let has_arguments = |path: &syn::Path| {
                let mut segments = path.segments.iter();
                segments.any(|segment| !segment.arguments.is_none())
            };
            let parsed = syn::parse_str::<syn::Path>(path);
            let is_module = parsed.is_ok_and(|path| !has_arguments(&path));
            if !is_absolute || !is_module {
                self.error(
                    Code::BadConfig,
                    format!("`{path}` is not the absolute path of a module"),
                    format!("for example `::my_crate::{name}`"),
                );
            }
            let package = PackageName::new(name);
            let is_there = |package: &PackageName| self.loaded.available.contains(package);
            if !package.as_ref().is_some_and(is_there) {
                let available = self.loaded.available.iter().map(PackageName::as_str);
                let help = match closest(name, available) {
                    Some(close) => format!("did you mean `{close}`?"),
                    None => {
                        "it must be found, for its interfaces are part of type hashes".to_owned()
                    }
                };
                let message =
                    format!("there is no package `{name}`, which is to be taken from `{path}`");
                self.error(Code::BadConfig, message, help);
            }
            let is_given = self
                .embedded
                .keys()
                .any(|given| given.package().as_str() == name);
            if self.config.packages.contains(name) || is_given {
                self.error(
                    Code::BadConfig,
                    format!(
                        "the package `{name}` is to be generated and to be taken from `{path}`"
                    ),
                    "leave out one of the two",
                );
            }
        }
    }

    pub(super) fn enqueue(&mut self, package: &PackageName) {
        if self.seen.insert(package.clone()) {
            self.queue.push_back(package.clone());
        }
    }

    pub(super) fn placement(&self, package: &PackageName) -> Placement {
        let is_named = |(name, _): &&(String, String)| name == package.as_str();
        if let Some((_, path)) = self.config.extern_paths.iter().find(is_named) {
            return Placement::Extern(path.clone());
        }
        if let Some(ament) = &self.config.ament
            && ament.name != *package
        {
            return Placement::Extern(format!("::{}", crate_name(package)));
        }
        if self.is_bundled_elsewhere(package) {
            return Placement::Extern(format!(
                "::{INTERFACES_CRATE}::{}",
                crate::name::rust_name(package.as_str())
            ));
        }
        Placement::Emitted
    }

    fn is_bundled_elsewhere(&self, package: &PackageName) -> bool {
        self.config.extern_bundled
            && !self.requested.contains(package)
            && self.places.bundled().find(package).next().is_some()
    }

    /// The first package of this name, and those that it hides.
    fn find(&mut self, name: &PackageName) -> Option<(Package, Vec<Package>)> {
        if self.is_bundled_elsewhere(name) {
            let bundled = self.places.bundled().find(name).next()?;
            return Some((bundled.clone(), Vec::new()));
        }
        self.places.find(name, self.diagnostics)
    }

    fn load(&mut self, name: &PackageName) {
        let Some((package, hidden)) = self.find(name) else {
            if let Some(folder) = self.places.left_over(name) {
                self.loaded.left_over.insert(name.clone(), folder);
            }
            // A package that is only referred to is missed where that is done.
            let is_given = self.embedded.keys().any(|given| given.package() == name);
            if self.requested.contains(name) && !is_given {
                self.diagnostics.push(self.loaded.unknown_package(name));
            }
            return;
        };
        self.loaded.packages.insert(
            name.clone(),
            LoadedPackage {
                placement: self.placement(name),
                found: package.describe(),
                hides: hidden.iter().map(Package::describe).collect(),
                is_embedded: false,
            },
        );
        match package.list() {
            Ok(listing) => {
                self.loaded.inputs.extend(listing.folders);
                for file in listing.files {
                    self.load_file(name, &file);
                }
            }
            Err((folder, error)) => self.diagnostics.push(Diagnostic::new(
                Code::Unreadable,
                format!("cannot read the folder {}: {error}", folder.display()),
            )),
        }
    }

    fn load_file(&mut self, package: &PackageName, file: &InterfaceFile) {
        let place = file.location.display();
        let mut hashes = None;
        if let Location::File(path) = &file.location {
            self.loaded.inputs.push(path.clone());
            let beside = path.with_extension("json");
            hashes = match &file.built_hashes {
                Some(built) => Some(HashFile::Built(built.clone())),
                None => beside.exists().then_some(HashFile::Installed(beside)),
            };
            let watched = hashes.as_ref().map(HashFile::path);
            self.loaded.inputs.extend(watched.map(Path::to_owned));
        }
        let name = match file.language {
            Language::Ros => InterfaceName::of_file(package.clone(), file.kind, &file.stem),
            Language::Idl => InterfaceName::new(package.clone(), file.kind, &file.stem),
        };
        let Some(name) = name else {
            let noun = file.kind.noun();
            self.error(
                Code::BadName,
                format!(
                    "{place}: `{}` is not a name for {}",
                    file.stem,
                    file.kind.with_article()
                ),
                format!("{noun} names are letters and digits, the first letter upper case"),
            );
            return;
        };
        let source = match file.location.read() {
            Ok(source) => source,
            Err(error) => {
                self.diagnostics.push(unreadable(&place, error));
                // The name is known: what refers to it is right.
                for suffix in name.kind().parts() {
                    let message = LoadedMessage::default();
                    self.loaded.messages.insert(name.with(suffix), message);
                }
                return;
            }
        };
        self.load_text(name, file.language, source, hashes);
    }

    fn load_text(
        &mut self,
        name: InterfaceName,
        language: Language,
        source: Source,
        hashes: Option<HashFile>,
    ) {
        let trees = if self.texts_only {
            Vec::new()
        } else if language == Language::Idl {
            parse_idl(&name, &source, self.diagnostics)
        } else if name.kind() == Kind::Msg {
            vec![parse_message(&source, self.diagnostics)]
        } else {
            parse_interface(name.kind(), &source, self.diagnostics)
        };
        for message in name.kind().implied_messages() {
            self.enqueue(message.package());
        }
        let span = 0..source.text().len();
        let source = Arc::new(source);
        for (tree, suffix) in trees.into_iter().zip(name.kind().parts()) {
            for (package, message) in references(&tree, name.package()) {
                let target = InterfaceName::new(package.clone(), Kind::Msg, message);
                if target.is_none_or(|target| !self.embedded.contains_key(&target)) {
                    self.enqueue(&package);
                }
            }
            let source = source.clone();
            let message = LoadedMessage { source, tree };
            self.loaded.messages.insert(name.with(suffix), message);
        }
        let file = LoadedFile {
            source,
            language,
            hashes,
            span,
            is_embedded: false,
        };
        self.loaded.declarations.insert(name, file);
    }
}

/// The messages that fields are of: package and name.
pub(super) fn references<'t>(
    tree: &'t Message,
    own: &PackageName,
) -> impl Iterator<Item = (PackageName, &'t str)> {
    let bases = tree.fields.iter().map(|field| &field.field_type.base);
    bases.filter_map(move |base| match base {
        Base::Named { package, name, .. } => {
            let package = match package {
                Some(package) => PackageName::new(package)?,
                None => own.clone(),
            };
            Some((package, name.as_str()))
        }
        _ => None,
    })
}
