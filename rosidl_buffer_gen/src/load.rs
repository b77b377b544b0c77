//! Reads what a run needs: the packages asked for and, from reference to reference, those they use.
//!
//! Settings go in, syntax trees by interface name come out. Whether the references are right is not
//! asked here.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    sync::Arc,
};

use crate::{
    config::Config,
    diagnostic::{Code, Diagnostic, Diagnostics},
    model::Placement,
    name::{InterfaceName, Kind, PackageName},
    package::{InterfaceFile, Language, Package, Places, Root, Skipped},
    source::{Location, MAX_BYTES, ReadError, Source, Span},
    stamp::Inputs,
    suggest::closest,
    syntax::{
        Embedded,
        ast::{Base, Message},
        parse_definition, parse_idl, parse_interface,
    },
};

/// The crate that [`Config::extern_bundled`] refers to.
const INTERFACES_CRATE: &str = "rosidl_buffer_interfaces";

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
        // What is inside of other definitions depends on nothing else.
        let files = self.declarations.iter();
        for (name, file) in files.filter(|(_, file)| !file.is_embedded) {
            inputs.add(&name.to_string());
            inputs.add(file.source.name());
            inputs.add(file.source.text());
            if let Some(path) = &file.installed_hashes {
                inputs.add_state(path);
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
    /// Whether it consists only of what was inside of other definitions.
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

#[derive(Debug)]
pub(crate) struct LoadedFile {
    pub(crate) source: Arc<Source>,
    pub(crate) language: Language,
    /// The file beside it, if there is one, in which ROS 2 installs type hashes.
    pub(crate) installed_hashes: Option<PathBuf>,
    /// The place of the definition in the text.
    pub(crate) span: Span,
    /// Whether the definition is inside of another's.
    is_embedded: bool,
}

#[derive(Debug, Default)]
pub(crate) struct LoadedMessage {
    pub(crate) source: Arc<Source>,
    pub(crate) tree: Message,
}

/// Reads all that the settings ask for.
pub(crate) fn load(config: &Config, diagnostics: &mut Diagnostics) -> Loaded {
    let mut loader = Loader::new(config, diagnostics);
    loader.request();
    while let Some(package) = loader.queue.pop_front() {
        loader.load(&package);
    }
    loader.add_embedded();
    loader.loaded.requested = loader.requested;
    loader.loaded
}

/// Reads the texts of some packages without asking what they mean; nothing, if something is wrong.
pub(crate) fn load_texts(config: &Config, packages: &[String]) -> Option<Loaded> {
    let mut diagnostics = Diagnostics::new(true);
    let mut loader = Loader::new(config, &mut diagnostics);
    loader.texts_only = true;
    loader.request();
    for package in packages {
        loader.load(&PackageName::new(package)?);
    }
    loader.loaded.requested = loader.requested;
    let loaded = loader.loaded;
    diagnostics.finish().is_ok().then_some(loaded)
}

struct Loader<'a> {
    config: &'a Config,
    diagnostics: &'a mut Diagnostics,
    places: Places,
    /// Packages to generate, by the settings.
    requested: BTreeSet<PackageName>,
    /// Packages that were in the queue at some time.
    seen: BTreeSet<PackageName>,
    queue: VecDeque<PackageName>,
    loaded: Loaded,
    /// What was inside of other definitions.
    embedded: BTreeMap<InterfaceName, (Arc<Source>, Embedded)>,
    /// Whether files are read, but not parsed.
    texts_only: bool,
}

impl<'a> Loader<'a> {
    fn new(config: &'a Config, diagnostics: &'a mut Diagnostics) -> Self {
        let places = Places::open(&config.search_paths, &config.ament_prefixes, diagnostics);
        let mut loaded = Loaded {
            missing_prefixes: places.missing_prefixes().to_vec(),
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

    fn error(&mut self, code: Code, message: impl Into<String>, help: impl Into<String>) {
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
        for (name, path) in &self.config.extern_paths {
            let absolute = path.starts_with("::") || path.starts_with("crate::");
            if !absolute || syn::parse_str::<syn::Path>(path).is_err() {
                self.error(
                    Code::BadConfig,
                    format!("`{path}` is not the absolute path of a module"),
                    format!("for example `::my_crate::{name}`"),
                );
            }
            if self.config.packages.contains(name) {
                self.error(
                    Code::BadConfig,
                    format!(
                        "the package `{name}` is to be generated and to be taken from `{path}`"
                    ),
                    "leave out one of the two",
                );
            }
        }
        for package in self.requested.clone() {
            self.enqueue(&package);
        }
        // Of a package that is only in definitions, only these are asked for.
        self.requested
            .extend(self.embedded.keys().map(|name| name.package().clone()));
    }

    /// Reads the definitions that the settings give.
    fn request_definitions(&mut self) {
        for (type_name, text) in &self.config.definitions {
            let name = InterfaceName::parse(type_name).filter(|name| name.kind() == Kind::Msg);
            let Some(name) = name else {
                let message =
                    format!("`{type_name}`, of which a definition is given, is no message");
                self.error(
                    Code::BadName,
                    message,
                    "a full name is like `std_msgs/msg/Header`",
                );
                continue;
            };
            let source = Source::new(format!("definition of {name}"), text.clone());
            let (tree, span, embedded) = parse_definition(&source, self.diagnostics);
            let top = Embedded { name, span, tree };
            self.embed(
                &Arc::new(source),
                embedded.into_iter().chain([top]).collect(),
            );
        }
    }

    /// Keeps the definitions of one text, and asks for what they refer to beyond one another.
    fn embed(&mut self, source: &Arc<Source>, definitions: Vec<Embedded>) {
        let text = |source: &Arc<Source>, found: &Embedded| {
            source.text()[found.span.clone()].trim().to_owned()
        };
        for found in definitions {
            if let Some((other_source, other)) = self.embedded.get(&found.name) {
                if text(other_source, other) != text(source, &found) {
                    let message = format!("there is another definition of {}", found.name);
                    self.diagnostics.push(
                        Diagnostic::new(Code::Duplicate, message)
                            .at(source, found.span, "")
                            .help(format!("it is in {}", other_source.name())),
                    );
                }
                continue;
            }
            self.embedded
                .insert(found.name.clone(), (source.clone(), found));
        }
        let trees = self
            .embedded
            .values()
            .filter(|(other, _)| Arc::ptr_eq(other, source));
        let trees: Vec<_> = trees
            .flat_map(|(_, found)| references(&found.tree))
            .collect();
        for target in trees {
            let is_here =
                |name: &InterfaceName| *name.package() == target.0 && name.name() == target.1;
            if !self.embedded.keys().any(is_here) {
                self.enqueue(&target.0);
            }
        }
    }

    /// What was inside of other definitions comes before what was found elsewhere: a recording is read
    /// as it was written.
    fn add_embedded(&mut self) {
        for (name, (source, Embedded { span, tree, .. })) in std::mem::take(&mut self.embedded) {
            let package = name.package().clone();
            let placement = self.placement(&package);
            self.loaded
                .packages
                .entry(package)
                .or_insert_with(|| LoadedPackage {
                    placement,
                    found: source.name().to_owned(),
                    hides: Vec::new(),
                    is_embedded: true,
                });
            let message = LoadedMessage {
                source: source.clone(),
                tree,
            };
            self.loaded.messages.insert(name.clone(), message);
            let file = LoadedFile {
                source,
                language: Language::Ros,
                installed_hashes: None,
                span,
                is_embedded: true,
            };
            self.loaded.declarations.insert(name, file);
        }
    }

    fn enqueue(&mut self, package: &PackageName) {
        if self.seen.insert(package.clone()) {
            self.queue.push_back(package.clone());
        }
    }

    fn placement(&self, package: &PackageName) -> Placement {
        let is_named = |(name, _): &&(String, String)| name == package.as_str();
        if let Some((_, path)) = self.config.extern_paths.iter().find(is_named) {
            return Placement::Extern(path.clone());
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
            if self.requested.contains(name) {
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
        let mut installed_hashes = None;
        if let Location::File(path) = &file.location {
            self.loaded.inputs.push(path.clone());
            let beside = path.with_extension("json");
            installed_hashes = beside.exists().then_some(beside);
            self.loaded.inputs.extend(installed_hashes.clone());
        }
        let Some(name) = InterfaceName::new(package.clone(), file.kind, &file.stem) else {
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
        let mut span = 0..source.text().len();
        let mut embedded = Vec::new();
        let trees = if self.texts_only {
            Vec::new()
        } else if file.language == Language::Idl {
            parse_idl(&name, &source, self.diagnostics)
        } else if file.kind == Kind::Msg {
            let (tree, own, others) = parse_definition(&source, self.diagnostics);
            (span, embedded) = (own, others);
            vec![tree]
        } else {
            parse_interface(file.kind, &source, self.diagnostics)
        };
        for message in name.kind().implied_messages() {
            self.enqueue(message.package());
        }
        let source = Arc::new(source);
        if !embedded.is_empty() {
            self.embed(&source, embedded);
        }
        for (tree, suffix) in trees.into_iter().zip(name.kind().parts()) {
            for (package, message) in references(&tree) {
                let target = InterfaceName::new(package.clone(), Kind::Msg, &message);
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
            language: file.language,
            installed_hashes,
            span,
            is_embedded: false,
        };
        self.loaded.declarations.insert(name, file);
    }
}

/// The messages of other packages that fields are of: package and name.
fn references(tree: &Message) -> Vec<(PackageName, String)> {
    let bases = tree.fields.iter().map(|field| &field.field_type.base);
    let named = bases.filter_map(|base| match base {
        Base::Named {
            package: Some(package),
            name,
            ..
        } => Some((PackageName::new(package)?, name.clone())),
        _ => None,
    });
    named.collect()
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
