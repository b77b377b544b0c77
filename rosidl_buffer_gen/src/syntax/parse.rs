//! The loop over the lines of a file: which comment belongs to what.

use super::{
    ast::Message,
    comment::condense,
    element::{Element, parse_element},
    escape,
    sections::{Section, sections},
};
use crate::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    name::{InterfaceName, Kind},
    source::{Source, Span, is_space, lines},
};

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The annotation of newer ROS 2 versions, at the start of a line.
const OPTIONAL: &str = "@optional";

/// What stands, alone, in the line between the parts of a service or an action.
const SEPARATOR: &str = "---";

/// A message whose definition is inside the definition of another.
#[derive(Debug)]
pub(crate) struct Embedded {
    pub(crate) name: InterfaceName,
    pub(crate) span: Span,
    pub(crate) tree: Message,
}

/// Reads a message file. What is wrong is told; the rest is in the tree.
pub(crate) fn parse_message(source: &Source, diagnostics: &mut Diagnostics) -> Message {
    let (text, start) = prepare(source, diagnostics);
    parse_part(source, &text, start..text.len(), diagnostics)
}

/// Reads the definition of a message, which may hold those that it refers to as well. The place is that of
/// its own text.
pub(crate) fn parse_definition(
    source: &Source,
    diagnostics: &mut Diagnostics,
) -> (Message, Span, Vec<Embedded>) {
    let (text, start) = prepare(source, diagnostics);
    let (first, sections) = sections(source, &text, start, diagnostics);
    let tree = parse_part(source, &text, first.clone(), diagnostics);
    let embedded = sections.into_iter().map(|Section { name, span }| Embedded {
        tree: parse_part(source, &text, span.clone(), diagnostics),
        name,
        span,
    });
    let embedded = embedded.collect();
    (tree, first, embedded)
}

/// Reads the file of a service or an action: one message for each part. What is wrong is told; the rest
/// is in the trees.
pub(crate) fn parse_interface(
    kind: Kind,
    source: &Source,
    diagnostics: &mut Diagnostics,
) -> Vec<Message> {
    let (text, start) = prepare(source, diagnostics);
    let expected = kind.parts().len();
    let (mut parts, separators) = parts(&text, start);
    if parts.len() != expected {
        // Of too many, the first that there should not be.
        let surplus = separators.get(expected - 1).cloned();
        let place = surplus.unwrap_or(text.len()..text.len());
        let message = format!(
            "{} has {} `---`, this file has {}",
            kind.with_article(),
            if expected == 2 {
                "one line"
            } else {
                "two lines"
            },
            match parts.len() {
                1 => "none".to_owned(),
                2 => "one".to_owned(),
                more => (more - 1).to_string(),
            }
        );
        diagnostics.push(
            Diagnostic::new(Code::BadParts, message)
                .at(source, place, "")
                .help(format!("it stands between {}", part_names(kind))),
        );
        parts.resize(expected, text.len()..text.len());
    }
    parts
        .into_iter()
        .map(|part| parse_part(source, &text, part, diagnostics))
        .collect()
}

/// The text with blanks for TABs, and where it starts.
fn prepare(source: &Source, diagnostics: &mut Diagnostics) -> (String, usize) {
    // One byte for one byte, so that places stay the same.
    let text = source.text().replace('\t', " ");
    if !text.starts_with(BYTE_ORDER_MARK) {
        return (text, 0);
    }
    diagnostics.push(
        Diagnostic::new(Code::BadLine, "the file starts with a byte order mark")
            .at(source, 0..BYTE_ORDER_MARK.len(), "")
            .help("save it as UTF-8 without one"),
    );
    (text, BYTE_ORDER_MARK.len())
}

/// The places of the parts, and of the lines `---` between them.
fn parts(text: &str, start: usize) -> (Vec<Span>, Vec<Span>) {
    let (mut parts, mut separators) = (Vec::new(), Vec::new());
    let mut part_start = start;
    for line in lines(&text[start..]) {
        if text[start..][line.span.clone()] == *SEPARATOR {
            parts.push(part_start..start + line.span.start);
            separators.push(start + line.span.start..start + line.span.end);
            part_start = start + line.end_with_separator;
        }
    }
    parts.push(part_start..text.len());
    (parts, separators)
}

/// The names of the parts, in words.
fn part_names(kind: Kind) -> String {
    let names = kind.parts().iter();
    let names: Vec<_> = names
        .map(|name| name.trim_start_matches('_').to_lowercase())
        .collect();
    names.join(" and ")
}

fn parse_part(source: &Source, text: &str, part: Span, diagnostics: &mut Diagnostics) -> Message {
    let mut parser = Parser {
        source,
        diagnostics,
        file_comment: Vec::new(),
        elements: Vec::new(),
        pending: Vec::new(),
        last: None,
        is_optional: false,
    };
    parser.lines(&text[part.clone()], part.start);
    parser.finish()
}

struct Parser<'a> {
    source: &'a Source,
    diagnostics: &'a mut Diagnostics,
    file_comment: Vec<String>,
    /// What was declared so far and the lines of its comment.
    elements: Vec<(Element, Vec<String>)>,
    /// Comment lines that wait for the next element.
    pending: Vec<String>,
    last: Option<Last>,
    /// Whether an `@optional` waits for the next element.
    is_optional: bool,
}

/// What an indented comment is a comment on.
#[derive(Clone, Copy)]
enum Last {
    /// The last of the elements.
    Element,
    /// A line that was refused: its comments go with it.
    Refused,
}

impl Parser<'_> {
    fn lines(&mut self, text: &str, start: usize) {
        let mut at_top = true;
        for line in lines(text) {
            let line_text = &text[line.span.clone()];
            at_top &= line_text.starts_with('#');
            if at_top {
                self.check_comment(line_text, start + line.span.start);
                let comment = line_text.trim_start_matches('#');
                self.file_comment.push(comment.to_owned());
            } else {
                self.line(
                    line_text.trim_end_matches(is_space),
                    start + line.span.start,
                );
            }
        }
    }

    /// A line, of which blanks at the end were removed.
    fn line(&mut self, line: &str, start: usize) {
        let mut declaration = line;
        if let Some(at) = line.find('#') {
            self.check_comment(&line[at..], start + at);
            let comment = line[at..].trim_start_matches('#').to_owned();
            declaration = line[..at].trim_end_matches(is_space);
            if at > 0 && declaration.is_empty() {
                match self.last {
                    Some(Last::Element) => {
                        if let Some((_, comments)) = self.elements.last_mut() {
                            comments.push(comment);
                        }
                    }
                    Some(Last::Refused) | None => {}
                }
                return;
            }
            self.pending.push(comment);
        }
        if !declaration.is_empty() {
            self.declaration(declaration, start);
        }
    }

    fn declaration(&mut self, line: &str, start: usize) {
        let mut rest = line;
        if rest.starts_with(' ') {
            let trimmed = rest.trim_start_matches(is_space);
            self.error(
                Code::BadLine,
                start..start + rest.len() - trimmed.len(),
                "a field or a constant starts at the beginning of its line",
                "remove the blanks before the type",
            );
            rest = trimmed;
        }
        if let Some(behind) = rest.strip_prefix(OPTIONAL) {
            let at = start + line.len() - rest.len();
            self.optional(at..at + OPTIONAL.len());
            rest = behind.trim_start_matches(is_space);
            if rest.is_empty() {
                return;
            }
        }
        self.is_optional = false;
        let element_start = start + line.len() - rest.len();
        let comments = std::mem::take(&mut self.pending);
        match parse_element(self.source, rest, element_start, self.diagnostics) {
            Some(element) => {
                self.elements.push((element, comments));
                self.last = Some(Last::Element);
            }
            None => self.last = Some(Last::Refused),
        }
    }

    /// Upstream reads the annotation and writes it into the `.idl` file; its generators take the field
    /// for any other.
    fn optional(&mut self, span: Span) {
        if self.is_optional {
            let help = "one is for one field";
            self.error(Code::BadLine, span, "there is already an `@optional`", help);
            return;
        }
        self.is_optional = true;
        let message = "`@optional` changes nothing: ROS 2 reads it, but sends the field always";
        let help = "a field that may be missing is a sequence of at most one element: `T[<=1]`";
        self.error(Code::Ignored, span, message, help);
    }

    /// Upstream decodes comments like strings and stops where it cannot.
    fn check_comment(&mut self, comment: &str, start: usize) {
        let reason = match escape::decode(comment) {
            Ok(decoded) => decoded.stops,
            Err(reason) => Some(reason),
        };
        if let Some(reason) = reason {
            let message = format!("ROS 2's own generators stop at this comment: it {reason}");
            let span = start..start + comment.len();
            self.diagnostics
                .push(Diagnostic::new(Code::RiskyComment, message).at(self.source, span, ""));
        }
    }

    fn error(&mut self, code: Code, span: Span, message: &str, help: &str) {
        let diagnostic = Diagnostic::new(code, message)
            .at(self.source, span, "")
            .help(help);
        self.diagnostics.push(diagnostic);
    }

    fn finish(self) -> Message {
        let mut message = Message {
            comment: condense(self.file_comment),
            ..Message::default()
        };
        for (element, comments) in self.elements {
            let comment = condense(comments);
            match element {
                Element::Field(mut field) => {
                    field.comment = comment;
                    message.fields.push(field);
                }
                Element::Constant(mut constant) => {
                    constant.comment = comment;
                    message.constants.push(constant);
                }
            }
        }
        message
    }
}

#[cfg(test)]
mod tests;
