//! What all readers of pieces share: the grammar applied to one piece, places, names and errors.

use pest::{
    error::{ErrorVariant, InputLocation},
    iterators::{Pair, Pairs},
};

use super::{
    expected,
    grammar::{Rule, parse},
};
use crate::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    source::{Source, Span},
    syntax::ast::Name,
};

/// Reads the pieces of one file.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    pub(super) diagnostics: &'a mut Diagnostics,
    /// Whether an error was told.
    pub(super) failed: bool,
    /// Where the piece starts that is read now.
    start: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Source, diagnostics: &'a mut Diagnostics) -> Self {
        Self {
            source,
            diagnostics,
            failed: false,
            start: 0,
        }
    }

    /// The parts of a piece that is one by this rule; what is missing is told.
    pub(super) fn parse(&mut self, rule: Rule, span: &Span) -> Option<Pairs<'a, Rule>> {
        self.start = span.start;
        let text = &self.source.text()[span.clone()];
        let error = match parse(rule, text) {
            Ok(pairs) => return pairs,
            Err(error) => error,
        };
        let at = match error.location {
            InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
        };
        let wanted = match error.variant {
            ErrorVariant::ParsingError { positives, .. } => positives,
            ErrorVariant::CustomError { .. } => Vec::new(),
        };
        // What goes on in another line is the next declaration: this one lacks its end.
        let end = text[..at].trim_end().len();
        let in_next_line = text[end..at].contains('\n');
        if rule != Rule::head && in_next_line && wanted.contains(&Rule::EOI) {
            self.missing_semicolon(span.start + end);
            return None;
        }
        let rest = &text[at..];
        // At the end of the piece, what stands there is its `{` or `;`.
        let length = expected::word_length(rest);
        let place = span.start + at..span.start + at + length;
        self.error(place, || expected::missing(rule, rest, &wanted));
        None
    }

    pub(super) fn missing_semicolon(&mut self, at: usize) {
        self.error(at..at, || {
            Diagnostic::new(Code::BadLine, "a `;` is missing here")
                .help("every declaration ends in a `;`")
        });
    }

    /// Where a part of the piece is in the file.
    pub(super) fn place(&self, pair: &Pair<'_, Rule>) -> Span {
        self.start + pair.as_span().start()..self.start + pair.as_span().end()
    }

    pub(super) fn name(&self, pair: &Pair<'_, Rule>) -> Name {
        Name {
            text: pair.as_str().to_owned(),
            span: self.place(pair),
        }
    }

    /// The name of a field or a constant.
    pub(super) fn rust_safe_name(&mut self, pair: &Pair<'_, Rule>) -> Option<Name> {
        let name = self.name(pair);
        if name.text.ends_with('_') {
            self.error(name.span, || {
                Diagnostic::new(Code::BadName, "this name ends in an underscore").help(
                    "such names are kept for what is a keyword in Rust: `type` becomes `type_`",
                )
            });
            return None;
        }
        Some(name)
    }

    pub(super) fn error(&mut self, span: Span, make: impl FnOnce() -> Diagnostic) {
        self.failed = true;
        let source = self.source;
        self.diagnostics
            .push_with(source, || make().at(source, span, ""));
    }

    /// Legal OMG IDL, but not for ROS 2.
    pub(super) fn unsupported(&mut self, span: Span, what: &str, help: &str) {
        self.error(span, || {
            Diagnostic::new(Code::Unsupported, format!("ROS 2 has no {what}")).help(help)
        });
    }

    pub(super) fn warn(&mut self, code: Code, span: Span, message: &str, help: &str) {
        let diagnostic = Diagnostic::new(code, message).at(self.source, span, "");
        self.diagnostics.push(diagnostic.help(help));
    }
}
