//! All places where packages may be, in their order: search paths, the prefixes of
//! `AMENT_PREFIX_PATH`, what is bundled.

use std::path::PathBuf;

use super::{Package, Root};
use crate::{
    config::Config,
    diagnostic::{Code, Diagnostic, Diagnostics},
    name::PackageName,
};

#[derive(Debug)]
pub(crate) struct Places {
    search_paths: Vec<Root>,
    prefixes: Vec<Root>,
    bundled: Root,
    missing_prefixes: Vec<PathBuf>,
}

impl Places {
    /// Opens what is there. A search path that is not is an error, a prefix that is not is none: so it
    /// is to ROS 2.
    pub(crate) fn open(config: &Config, diagnostics: &mut Diagnostics) -> Self {
        let mut places = Self {
            search_paths: Vec::new(),
            prefixes: Vec::new(),
            bundled: match config.ament {
                None => Root::bundled(),
                Some(_) => Root::bundled_for_events(),
            },
            missing_prefixes: Vec::new(),
        };
        places
            .search_paths
            .extend(config.ament.as_ref().and_then(Root::listed));
        let mut unreadable = |what: &str, path: &PathBuf, error: std::io::Error| {
            let message = format!("cannot read the {what} {}: {error}", path.display());
            diagnostics.push(Diagnostic::new(Code::Unreadable, message));
        };
        for path in &config.search_paths {
            match Root::open(path) {
                Ok(root) => places.search_paths.push(root),
                Err(error) => unreadable("search path", path, error),
            }
        }
        for path in &config.ament_prefixes {
            match Root::installed(path) {
                Ok(Some(prefix)) => places.prefixes.push(prefix),
                Ok(None) => places.missing_prefixes.push(path.clone()),
                Err(error) => unreadable("prefix", path, error),
            }
        }
        places
    }

    pub(crate) fn search_paths(&self) -> &[Root] {
        &self.search_paths
    }

    pub(crate) fn bundled(&self) -> &Root {
        &self.bundled
    }

    pub(crate) fn missing_prefixes(&self) -> &[PathBuf] {
        &self.missing_prefixes
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Root> {
        let found = self.search_paths.iter().chain(&self.prefixes);
        found.chain([&self.bundled])
    }

    /// The packages of this name, of each place one: the first hides the others.
    ///
    /// The first place may have two, which is an error.
    pub(crate) fn find(
        &self,
        name: &PackageName,
        diagnostics: &mut Diagnostics,
    ) -> Option<(Package, Vec<Package>)> {
        let mut all: Vec<Package> = Vec::new();
        for root in self.all() {
            let mut found = root.find(name);
            let Some(first) = found.next() else { continue };
            let others: Vec<_> = found.map(Package::describe).collect();
            if all.is_empty() && !others.is_empty() {
                let message = format!("{} has more than one package called `{name}`", root.name());
                let help = format!("they are {}, {}", first.describe(), others.join(", "));
                diagnostics.push(Diagnostic::new(Code::DuplicatePackage, message).help(help));
            }
            // Two search paths may lead to one place.
            if !all.contains(first) {
                all.push(first.clone());
            }
        }
        let mut all = all.into_iter();
        Some((all.next()?, all.collect()))
    }

    /// A folder of this name in a prefix whose index does not have it.
    pub(crate) fn left_over(&self, name: &PackageName) -> Option<PathBuf> {
        self.all().find_map(|root| root.left_over(name))
    }
}
