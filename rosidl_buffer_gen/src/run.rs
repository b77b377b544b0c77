//! The steps of a run: load → resolve → describe → emit → write. Behind each step that reads input
//! the run ends if there were errors, so that nothing is written then.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use rosidl_type_description::{TypeDescription, TypeHash};

use crate::{
    Config, Error, Report,
    describe::Descriptions,
    diagnostic::{Code, Diagnostic, Diagnostics},
    dump::json_lines,
    emit::emit,
    installed::check_installed,
    load::{Loaded, load, load_texts, skipped_package},
    model::Interfaces,
    name::{InterfaceName, PackageName},
    output::write,
    package::Root,
    resolve::{resolve, unknown},
    stamp::{self, Stamp},
};

impl Config {
    /// Generates the code and writes what changed.
    ///
    /// # Errors
    /// Whatever is wrong with the settings and the interface files, all of it; nothing is written
    /// then. Or a file that cannot be written.
    pub fn generate(&self) -> Result<Report, Error> {
        let out_dir = self
            .out_dir
            .clone()
            .or_else(|| env::var_os("OUT_DIR").map(PathBuf::from));
        let Some(out_dir) = out_dir else {
            let diagnostic = Diagnostic::new(Code::BadConfig, "there is no folder to write to");
            return Err(diagnostic
                .help("outside of a build script, set `out_dir`")
                .into());
        };
        if self.cargo_metadata && self.watches_environment {
            println!("cargo::rerun-if-env-changed=AMENT_PREFIX_PATH");
        }
        // A function of the settings may say something else this time.
        let has_hooks = self.type_names.is_some() || self.field_names.is_some();
        let stamp = Stamp::read(&out_dir);
        if let Some(stamp) = stamp.as_ref().filter(|_| !has_hooks)
            && let Some(loaded) = load_texts(self, &stamp.packages)
            && stamp.holds(&loaded.inputs(self), &out_dir)
        {
            self.print_inputs(&loaded.inputs);
            let mut report = Report::new(&loaded, Vec::new());
            report.written.unchanged = stamp.files();
            return Ok(report);
        }
        let mut diagnostics = Diagnostics::new(self.strict);
        let (loaded, interfaces) = self.resolved(&mut diagnostics);
        let warnings = diagnostics.finish().map_err(Error::new)?;
        self.print_inputs(&interfaces.inputs);
        if self.cargo_metadata {
            for warning in &warnings {
                println!("cargo::warning={}", warning.one_line());
            }
        }
        let descriptions = Descriptions::of(&interfaces);
        let files = emit(&interfaces, &descriptions, self);
        let unwritable = |(path, error): (PathBuf, std::io::Error)| {
            let message = format!("cannot write {}: {error}", path.display());
            Diagnostic::new(Code::Unwritable, message)
        };
        stamp::remove(&out_dir).map_err(|error| unwritable((out_dir.clone(), error)))?;
        let mut report = Report::new(&loaded, warnings);
        report.written = write(&out_dir, &files).map_err(unwritable)?;
        if let Some(stamp) = stamp {
            stamp.remove_leftovers(&out_dir, &files);
        }
        // What there is to warn about is told by every run.
        if !has_hooks && !report.has_warnings() {
            let packages = loaded.packages.keys().map(PackageName::as_str);
            let written = stamp::write(&out_dir, &loaded.inputs(self), packages, &files);
            written.map_err(|error| unwritable((out_dir, error)))?;
        }
        Ok(report)
    }

    /// Tells Cargo what to watch.
    fn print_inputs(&self, inputs: &[PathBuf]) {
        if self.cargo_metadata {
            for path in inputs {
                println!("cargo::rerun-if-changed={}", path.display());
            }
        }
    }

    /// The hashes of the types named, or of all in the packages that the settings name or find, by
    /// full type name.
    ///
    /// # Errors
    /// Whatever is wrong with the settings and the interface files, all of it; a type that is not
    /// found.
    pub fn type_hashes(
        &self,
        types: &[impl AsRef<str>],
    ) -> Result<(BTreeMap<String, TypeHash>, Report), Error> {
        let (descriptions, report) = self.describe(types)?;
        let hashes = descriptions.into_iter();
        let hashes = hashes.map(|(name, description)| (name, description.type_hash()));
        Ok((hashes.collect(), report))
    }

    /// The descriptions of the types named, or of all in the packages that the settings name or find,
    /// by full type name. The types that ROS 2 adds to services and actions, such as `_Event`, are
    /// there too.
    ///
    /// # Errors
    /// As for [`type_hashes`](Self::type_hashes).
    pub fn describe(
        &self,
        types: &[impl AsRef<str>],
    ) -> Result<(BTreeMap<String, TypeDescription>, Report), Error> {
        let mut config = self.clone();
        let mut diagnostics = Diagnostics::new(self.strict);
        let mut wanted = Vec::new();
        for text in types.iter().map(AsRef::as_ref) {
            if let Some(name) = InterfaceName::parse(text) {
                config = config.package(name.package().as_str());
                wanted.push(name);
            } else {
                let message = format!("`{text}` is not the name of a type");
                let diagnostic = Diagnostic::new(Code::BadName, message);
                diagnostics.push(diagnostic.help("a full name is like `std_msgs/msg/Header`"));
            }
        }
        let (loaded, interfaces) = config.resolved(&mut diagnostics);
        for name in &wanted {
            // A package that is missing was told already.
            if loaded.packages.contains_key(name.package()) && !loaded.knows(name) {
                diagnostics.push(unknown(&loaded, None, name));
            }
        }
        let warnings = diagnostics.finish().map_err(Error::new)?;
        let descriptions = Descriptions::of(&interfaces);
        let names = descriptions.names();
        let found = names
            .filter(|name| wanted.is_empty() || wanted.contains(name))
            .filter_map(|name| Some((name.to_string(), descriptions.get(name)?)))
            .collect();
        Ok((found, Report::new(&loaded, warnings)))
    }

    /// What the interface files of the packages say, after everything was looked up: a JSON object in
    /// each line, for each message and each part of a service or an action, with its fields, default
    /// values, constants and comments.
    ///
    /// # Errors
    /// Whatever is wrong with the settings and the interface files, all of it.
    pub fn dump(&self) -> Result<(String, Report), Error> {
        let mut diagnostics = Diagnostics::new(self.strict);
        let (loaded, interfaces) = self.resolved(&mut diagnostics);
        let warnings = diagnostics.finish().map_err(Error::new)?;
        let lines = json_lines(&interfaces, |package| loaded.requested.contains(package));
        Ok((lines, Report::new(&loaded, warnings)))
    }

    /// Checks interface files, packages or folders of packages, and writes nothing. Packages that
    /// lie beside the given ones are found as well.
    ///
    /// # Errors
    /// Whatever is wrong with the interface files at these paths, all of it.
    pub fn check(&self, paths: &[PathBuf]) -> Result<Report, Error> {
        let mut errors = Diagnostics::default();
        let mut all = Report::default();
        for path in paths {
            let mut config = self.clone();
            config.packages.clear();
            config.search_paths = vec![path.clone()];
            config.search_paths.extend_from_slice(&self.search_paths);
            if let Some(beside) = path.canonicalize().ok().and_then(|path| beside(&path)) {
                config.search_paths.push(beside);
            }
            if let Ok(root) = Root::open(path) {
                for skipped in root.skipped() {
                    errors.push(skipped_package(skipped));
                }
                config.packages = root
                    .packages()
                    .iter()
                    .map(|package| package.name.to_string())
                    .collect();
            }
            if config.packages.is_empty() {
                config.search_paths.truncate(1);
            }
            let mut diagnostics = Diagnostics::new(self.strict);
            let (loaded, _) = config.resolved(&mut diagnostics);
            all.interfaces += count_at(&loaded, path);
            let found = diagnostics.finish().unwrap_or_else(|errors| errors);
            for diagnostic in found {
                // Elsewhere is not asked for; what has no place is about the run.
                if diagnostic.file().is_none_or(|file| is_at(file, path)) {
                    errors.push(diagnostic);
                }
            }
        }
        all.warnings = errors.finish().map_err(Error::new)?;
        Ok(all)
    }

    fn resolved(&self, diagnostics: &mut Diagnostics) -> (Loaded, Interfaces) {
        if let Some(package) = &self.crate_package {
            check_crate_name(&package.name, diagnostics);
        }
        let loaded = load(self, diagnostics);
        let interfaces = resolve(&loaded, self, diagnostics);
        if !diagnostics.has_errors() {
            check_installed(&loaded, &interfaces, diagnostics);
        }
        (loaded, interfaces)
    }
}

/// The folder in which a package lies, seen from the package or from one of its files.
fn beside(path: &Path) -> Option<PathBuf> {
    let folder = if path.is_file() {
        path.parent()?.parent()?
    } else {
        path
    };
    folder.parent().map(Path::to_owned)
}

fn is_at(file: &str, path: &Path) -> bool {
    let canonical = |path: &Path| path.canonicalize().ok();
    canonical(Path::new(file))
        .zip(canonical(path))
        .is_some_and(|(file, path)| file.starts_with(path))
}

fn count_at(loaded: &Loaded, path: &Path) -> usize {
    let sources = loaded.declarations.values();
    sources
        .filter(|file| is_at(file.source.name(), path))
        .count()
}

/// What Cargo takes for the name of a package.
fn check_crate_name(name: &str, diagnostics: &mut Diagnostics) {
    let legal = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic());
    if !starts_well || !name.chars().all(legal) || name == "test" {
        let message = format!("`{name}` is not a name for a Cargo package");
        let diagnostic = Diagnostic::new(Code::BadConfig, message);
        diagnostics.push(
            diagnostic.help("letters, digits, `-` and `_`, starting with a letter, and not `test`"),
        );
    }
}
