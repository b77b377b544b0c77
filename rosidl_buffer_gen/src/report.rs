//! What a run gives back when it succeeded.

use std::path::{Path, PathBuf};

use crate::{
    diagnostic::{Diagnostic, json_lines, render},
    load::Loaded,
    output::Written,
};

/// What was done.
#[derive(Debug, Default)]
pub struct Report {
    pub(crate) packages: Vec<(String, String)>,
    hidden: Vec<(String, String)>,
    missing_prefixes: Vec<PathBuf>,
    pub(crate) interfaces: usize,
    pub(crate) written: Written,
    pub(crate) warnings: Vec<Diagnostic>,
}

impl Report {
    pub(crate) fn new(loaded: &Loaded, warnings: Vec<Diagnostic>) -> Self {
        let packages = loaded.packages.iter();
        let hidden = packages.clone().flat_map(|(name, package)| {
            let places = package.hides.iter();
            places.map(|place| (name.to_string(), place.clone()))
        });
        Self {
            packages: packages
                .map(|(name, package)| (name.to_string(), package.found.clone()))
                .collect(),
            hidden: hidden.collect(),
            missing_prefixes: loaded.missing_prefixes.clone(),
            interfaces: loaded.declarations.len(),
            written: Written::default(),
            warnings,
        }
    }

    /// The packages that were read and where each was found, by name: its folder, or `bundled`.
    pub fn packages(&self) -> impl Iterator<Item = (&str, &str)> {
        self.packages
            .iter()
            .map(|(name, found)| (name.as_str(), found.as_str()))
    }

    /// Where else there are packages of these names, which were not read because those of
    /// [`packages`](Self::packages) come first.
    pub fn hidden(&self) -> impl Iterator<Item = (&str, &str)> {
        let hidden = self.hidden.iter();
        hidden.map(|(name, place)| (name.as_str(), place.as_str()))
    }

    /// The prefixes of `AMENT_PREFIX_PATH` that are not there. ROS 2 passes over them, and so does
    /// this crate.
    pub fn missing_prefixes(&self) -> impl Iterator<Item = &Path> {
        self.missing_prefixes.iter().map(PathBuf::as_path)
    }

    /// How many interfaces were read.
    pub fn interfaces(&self) -> usize {
        self.interfaces
    }

    /// How many files were written, because they were missing or different.
    pub fn files_written(&self) -> usize {
        self.written.written
    }

    /// How many files were right already.
    pub fn files_unchanged(&self) -> usize {
        self.written.unchanged
    }

    /// Whether there is something to warn about.
    pub fn has_warnings(&self) -> bool {
        !self.warnings.is_empty()
    }

    /// The warnings for a program, as [`Error::render_json`](crate::Error::render_json) has them.
    pub fn render_warnings_json(&self) -> String {
        json_lines(&self.warnings)
    }

    /// The warnings as text, with colours for a terminal or without.
    pub fn render_warnings(&self, colors: bool) -> String {
        render(&self.warnings, colors)
    }
}
