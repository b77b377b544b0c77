//! What is wrong with the input: collected during a run, told together at its end.
//!
//! Every stage pushes into one [`Diagnostics`] and goes on with what it can still use. Between the
//! stages nothing stops; at the end of those that read input the caller asks for the outcome. How a diagnostic looks is decided in `render`.

mod excerpt;
mod json;
mod render;

use std::collections::BTreeMap;

use crate::source::{Source, Span};
use excerpt::Excerpt;
pub(crate) use json::json_lines;
pub(crate) use render::render;

/// Of one file no more errors than this are kept, and of a run no more warnings; the rest are counted.
const MAX_PER_FILE: usize = 50;

/// Of a message or an advice no more characters than this are kept.
const MAX_TEXT: usize = 1500;

/// What sort of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// A file or folder cannot be read.
    Unreadable,
    TooLarge,
    NotUtf8,
    /// A line that is neither a field nor a constant.
    BadLine,
    /// Too few or too many parts for a service or an action.
    BadParts,
    BadName,
    BadType,
    BadBound,
    BadValue,
    /// A legal value that ROS 2's own generators get wrong.
    RiskyValue,
    /// A type that ROS 2's own generators take for another.
    RiskyType,
    /// A comment that ROS 2's own generators stop at.
    RiskyComment,
    /// Legal IDL that ROS 2's own parser refuses or reads in another way.
    RiskyIdl,
    /// What an author would expect to matter and does not.
    Ignored,
    Unsupported,
    Duplicate,
    UnknownType,
    UnknownPackage,
    DuplicatePackage,
    Cycle,
    /// A type hash is not the one that ROS 2 installed.
    HashMismatch,
    BadPattern,
    /// A setting that does not fit the others.
    BadConfig,
    /// A file cannot be written.
    Unwritable,
}

impl Code {
    /// The name in messages.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::NotUtf8 => "not_utf8",
            Self::BadLine => "bad_line",
            Self::BadParts => "bad_parts",
            Self::BadName => "bad_name",
            Self::BadType => "bad_type",
            Self::BadBound => "bad_bound",
            Self::BadValue => "bad_value",
            Self::RiskyValue => "risky_value",
            Self::RiskyType => "risky_type",
            Self::RiskyComment => "risky_comment",
            Self::RiskyIdl => "risky_idl",
            Self::Ignored => "ignored",
            Self::Unsupported => "unsupported",
            Self::Duplicate => "duplicate",
            Self::UnknownType => "unknown_type",
            Self::UnknownPackage => "unknown_package",
            Self::DuplicatePackage => "duplicate_package",
            Self::Cycle => "cycle",
            Self::HashMismatch => "hash_mismatch",
            Self::BadPattern => "bad_pattern",
            Self::BadConfig => "bad_config",
            Self::Unwritable => "unwritable",
        }
    }

    /// Whether the run can go on: the output is right, only ROS 2's own tools do not agree. Each of these
    /// is a row of the documentation's page on differences.
    const fn is_warning(self) -> bool {
        matches!(
            self,
            Self::RiskyValue
                | Self::RiskyType
                | Self::RiskyComment
                | Self::RiskyIdl
                | Self::Ignored
        )
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone)]
pub(crate) struct Diagnostic {
    code: Code,
    message: String,
    excerpt: Option<Excerpt>,
    help: Option<String>,
    /// Whether the run goes on all the same.
    is_warning: bool,
}

impl Diagnostic {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: printable(&message.into()),
            excerpt: None,
            help: None,
            is_warning: code.is_warning(),
        }
    }

    /// Adds the place, with a few words on what is there (possibly none).
    pub(crate) fn at(mut self, source: &Source, span: Span, label: impl Into<String>) -> Self {
        self.excerpt = Some(Excerpt::new(source, span, label.into()));
        self
    }

    /// Adds what can be done about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(printable(&help.into()));
        self
    }

    /// The name of the file the diagnostic is about, if it is about a place in one.
    pub(crate) fn file(&self) -> Option<&str> {
        self.excerpt.as_ref().map(Excerpt::name)
    }

    fn order(&self) -> Option<(&str, usize, usize)> {
        self.excerpt.as_ref().map(Excerpt::order)
    }

    /// File, line, column and message in one line.
    pub(crate) fn one_line(&self) -> String {
        let place = self.excerpt.as_ref().map(Excerpt::place);
        let place = place.map_or_else(String::new, |place| format!("{place}: "));
        format!("{place}{}", self.message)
    }
}

/// The text without what could command a terminal, and not endless: names in it come from files.
fn printable(text: &str) -> String {
    let mut short: String = text.chars().take(MAX_TEXT).map(excerpt::shown).collect();
    if short.len() < text.len() && text.chars().nth(MAX_TEXT).is_some() {
        short.push('…');
    }
    short
}

/// All that was found so far.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    /// How many more warnings there were.
    more_warnings: usize,
    /// How many errors there were in each file, kept or not.
    per_file: BTreeMap<String, usize>,
    /// Whether there are no warnings, only errors.
    strict: bool,
}

impl Diagnostics {
    /// Nothing found yet; if `strict`, what would be a warning is an error.
    pub(crate) fn new(strict: bool) -> Self {
        Self {
            strict,
            ..Self::default()
        }
    }

    pub(crate) fn push(&mut self, mut diagnostic: Diagnostic) {
        diagnostic.is_warning &= !self.strict;
        if diagnostic.is_warning {
            if self.warnings.len() < MAX_PER_FILE {
                self.warnings.push(diagnostic);
            } else {
                self.more_warnings += 1;
            }
            return;
        }
        if let Some(file) = diagnostic.file() {
            let seen = self.per_file.entry(file.to_owned()).or_default();
            *seen += 1;
            if *seen > MAX_PER_FILE {
                return;
            }
        }
        self.errors.push(diagnostic);
    }

    /// Adds an error in a file that is costly to make; of the many in one file only the first are.
    pub(crate) fn push_with(&mut self, source: &Source, make: impl FnOnce() -> Diagnostic) {
        match self.per_file.get_mut(source.name()) {
            Some(seen) if *seen >= MAX_PER_FILE => *seen += 1,
            _ => self.push(make()),
        }
    }

    /// The same for what may be a warning. Costly is also a place in a long line.
    pub(crate) fn push_coded(
        &mut self,
        source: &Source,
        code: Code,
        make: impl FnOnce() -> Diagnostic,
    ) {
        if !code.is_warning() || self.strict {
            self.push_with(source, make);
        } else if self.warnings.len() < MAX_PER_FILE {
            self.push(make());
        } else {
            self.more_warnings += 1;
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// The warnings, if there were no errors; else all, file by file and in the order of each.
    pub(crate) fn finish(mut self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        for list in [&mut self.warnings, &mut self.errors] {
            list.sort_by(|a, b| a.order().cmp(&b.order()));
        }
        if self.more_warnings > 0 {
            let message = format!("{} more warnings", self.more_warnings);
            self.warnings.push(Diagnostic {
                is_warning: true,
                ..Diagnostic::new(Code::RiskyValue, message)
            });
        }
        if self.errors.is_empty() {
            return Ok(self.warnings);
        }
        let mut all = self.warnings;
        all.extend(self.errors);
        all.extend(
            self.per_file
                .iter()
                .filter(|(_, seen)| **seen > MAX_PER_FILE)
                .map(|(file, seen)| {
                    let more = seen - MAX_PER_FILE;
                    Diagnostic::new(Code::BadLine, format!("{file}: {more} more errors"))
                }),
        );
        Err(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_full_of_errors_is_cut_short() {
        let source = Source::new("A.msg".to_owned(), "x".to_owned());
        let mut diagnostics = Diagnostics::default();
        for _ in 0..MAX_PER_FILE + 7 {
            diagnostics.push(Diagnostic::new(Code::BadLine, "bad").at(&source, 0..1, ""));
        }
        diagnostics.push(Diagnostic::new(Code::BadLine, "elsewhere"));
        let all = diagnostics.finish().unwrap_err();
        assert_eq!(all.len(), MAX_PER_FILE + 2);
        assert_eq!(all[0].one_line(), "elsewhere");
        assert_eq!(all[1].one_line(), "A.msg:1:1: bad");
        assert_eq!(all[MAX_PER_FILE + 1].one_line(), "A.msg: 7 more errors");
    }

    #[test]
    fn names_from_files_are_not_trusted() {
        let diagnostic = Diagnostic::new(Code::BadName, "\u{1b}[31m".repeat(1_000_000));
        assert_eq!(diagnostic.message.chars().count(), MAX_TEXT + 1);
        assert!(!diagnostic.message.contains('\u{1b}'));
    }

    #[test]
    fn strict_runs_have_no_warnings() {
        let mut diagnostics = Diagnostics::new(true);
        diagnostics.push(Diagnostic::new(Code::RiskyValue, "hm"));
        assert_eq!(diagnostics.finish().unwrap_err().len(), 1);
    }

    #[test]
    fn warnings_alone_do_not_stop_a_run() {
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(Diagnostic::new(Code::RiskyValue, "hm"));
        assert!(!diagnostics.has_errors());
        for _ in 0..MAX_PER_FILE + 2 {
            diagnostics.push(Diagnostic::new(Code::RiskyValue, "hm"));
        }
        let warnings = diagnostics.finish().unwrap();
        assert_eq!(warnings.len(), MAX_PER_FILE + 1);
        assert_eq!(warnings[MAX_PER_FILE].one_line(), "3 more warnings");
    }
}
