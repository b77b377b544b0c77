//! What a run gives back when it succeeded.

use crate::{
    diagnostic::{Diagnostic, json_lines, render},
    load::Loaded,
    output::Written,
};

/// What was done.
#[derive(Debug, Default)]
pub struct Report {
    pub(crate) packages: Vec<(String, String)>,
    pub(crate) interfaces: usize,
    pub(crate) written: Written,
    pub(crate) warnings: Vec<Diagnostic>,
}

impl Report {
    pub(crate) fn new(loaded: &Loaded, warnings: Vec<Diagnostic>) -> Self {
        let packages = loaded.packages.iter();
        Self {
            packages: packages
                .map(|(name, package)| (name.to_string(), package.found.clone()))
                .collect(),
            interfaces: loaded.declarations.len(),
            written: Written::default(),
            warnings,
        }
    }

    /// The packages that were read and where each was found, by name.
    pub fn packages(&self) -> impl Iterator<Item = (&str, &str)> {
        self.packages
            .iter()
            .map(|(name, found)| (name.as_str(), found.as_str()))
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
