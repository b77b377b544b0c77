//! What a run gives back when it failed.

use std::fmt;

use crate::diagnostic::{Diagnostic, json_lines, render};

/// Everything that is wrong with the input, with places and advice.
///
/// `Display` and `Debug` both tell all of it, so that a `build.rs` may return it from `main` or
/// unwrap it.
pub struct Error {
    diagnostics: Vec<Diagnostic>,
}

impl Error {
    pub(crate) fn new(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics }
    }

    /// All of it for a program: a JSON object in each line, with the members `severity` (`error` or
    /// `warning`), `code`, `message`, `file`, `line`, `column`, `end_column` (from 1, columns in
    /// characters), `label` and `help`; what a diagnostic does not have is `null`.
    pub fn render_json(&self) -> String {
        json_lines(&self.diagnostics)
    }

    /// All of it as text, with colours for a terminal or without.
    pub fn render(&self, colors: bool) -> String {
        render(&self.diagnostics, colors)
    }
}

impl From<Diagnostic> for Error {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::new(vec![diagnostic])
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl std::error::Error for Error {}
