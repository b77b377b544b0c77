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
mod tests {
    use super::*;
    use crate::syntax::ast::ValueKind;

    fn parse_any(text: &str) -> (Message, bool) {
        let source = Source::new("A.msg".to_owned(), text.to_owned());
        let mut diagnostics = Diagnostics::default();
        let (message, _, _) = parse_definition(&source, &mut diagnostics);
        (message, diagnostics.has_errors())
    }

    fn parse(text: &str) -> Message {
        let (message, failed) = parse_any(text);
        assert!(!failed, "{text}");
        message
    }

    fn comments(text: &str) -> Vec<Vec<String>> {
        parse(text)
            .fields
            .into_iter()
            .map(|field| field.comment.lines)
            .collect()
    }

    fn default_of(text: &str) -> ValueKind {
        parse(text).fields.remove(0).default.unwrap().kind
    }

    fn text_value(text: &str) -> ValueKind {
        ValueKind::Text {
            text: text.to_owned(),
            written: text.chars().count(),
        }
    }

    #[test]
    fn nothing_in_a_file_is_a_message() {
        for text in ["", "\n", "\n\n  \n\t\n", "# comment", "\u{2028}"] {
            let message = parse(text);
            assert!(
                message.fields.is_empty() && message.constants.is_empty(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn the_comment_at_the_top_is_the_messages() {
        assert_eq!(parse("# a\n#\n### b\nint8 x").comment.lines, ["a", "", "b"]);
        assert!(parse("\n# a\nint8 x").comment.lines.is_empty());
        assert!(parse(" # a\nint8 x").comment.lines.is_empty());
        assert_eq!(parse("# a\n\n# b\nint8 x").comment.lines, ["a"]);
        assert_eq!(parse("#a [m]\n").comment.unit.as_deref(), Some("m"));
    }

    #[test]
    fn comments_belong_to_elements() {
        assert_eq!(
            comments("\n# a\nint8 x # b\n  # c\nint8 y"),
            [vec!["a", "b", "c"], vec![]]
        );
        // The first line of a file ends the message's comment even without an empty line.
        assert_eq!(comments("# a\nint8 x"), [Vec::<String>::new()]);
        assert_eq!(comments("\n  # dropped\nint8 x"), [Vec::<String>::new()]);
        assert_eq!(
            comments("int8 x\n# next\nint8 y\n# lost"),
            [vec![], vec!["next"]]
        );
        assert_eq!(
            comments("int8 x\n\n# next\n\nint8 y"),
            [vec![], vec!["next"]]
        );
        // An indented comment after an unindented one still goes to what came before.
        assert_eq!(
            comments("int8 x\n# a\n  # b\nint8 y"),
            [vec!["b"], vec!["a"]]
        );
        assert_eq!(comments("int8 x # # a"), [vec!["# a"]]);
        assert_eq!(comments("int8 x\n\t# tab"), [vec!["tab"]]);
    }

    /// The field names of each part.
    fn parts_of(kind: Kind, text: &str) -> (Vec<Vec<String>>, bool) {
        let source = Source::new("A.srv".to_owned(), text.to_owned());
        let mut diagnostics = Diagnostics::default();
        let parts = parse_interface(kind, &source, &mut diagnostics);
        let names = |part: &Message| {
            let names = part.fields.iter().map(|field| field.name.text.clone());
            names.collect()
        };
        (parts.iter().map(names).collect(), diagnostics.has_errors())
    }

    #[test]
    fn services_and_actions_have_parts() {
        let (parts, failed) = parts_of(Kind::Srv, "int8 a\r\n---\r\nint8 a\nint8 b");
        assert!(!failed);
        assert_eq!(parts, [vec!["a"], vec!["a", "b"]]);
        let (parts, failed) = parts_of(Kind::Action, "int8 g\n---\n---\nint8 f");
        assert!(!failed);
        assert_eq!(parts, [vec!["g"], vec![], vec!["f"]]);
        for text in ["---", "---\n", "\n---\u{2028}", "# a\n---\n# b"] {
            assert!(!parts_of(Kind::Srv, text).1, "{text:?}");
        }
        for text in [
            "",
            "int8 a",
            "--- \n",
            " ---",
            "---# c",
            "---\n---",
            "----",
            "\u{feff}---",
        ] {
            let (parts, failed) = parts_of(Kind::Srv, text);
            assert!(failed && parts.len() == 2, "{text:?}");
        }
        assert!(parts_of(Kind::Action, "---").1);
        assert!(parse_any("int8 a\n---\nint8 b").1);
    }

    #[test]
    fn each_part_has_its_comment() {
        let source = Source::new("A.srv".to_owned(), "# a\n---\n# b\nint8 x".to_owned());
        let parts = parse_interface(Kind::Srv, &source, &mut Diagnostics::default());
        assert_eq!(parts[0].comment.lines, ["a"]);
        assert_eq!(parts[1].comment.lines, ["b"]);
    }

    #[test]
    fn definitions_with_those_they_refer_to() {
        let line = "=".repeat(80);
        let text = format!(
            "int8 a\nb/C c\n{line}\nMSG: b/C\n# of C\nint8 x\n\n{line}\r\nMSG: b/msg/D\r\nint8 y\n{line}\nMSG: b/E"
        );
        let source = Source::new("A.msg".to_owned(), text.clone());
        let mut diagnostics = Diagnostics::default();
        let (message, span, embedded) = parse_definition(&source, &mut diagnostics);
        assert!(!diagnostics.has_errors());
        assert_eq!((message.fields.len(), &text[span]), (2, "int8 a\nb/C c\n"));
        let found: Vec<_> = embedded
            .iter()
            .map(|found| (found.name.to_string(), &text[found.span.clone()]))
            .collect();
        assert_eq!(
            found,
            [
                ("b/msg/C".to_owned(), "# of C\nint8 x\n\n"),
                ("b/msg/D".to_owned(), "int8 y\n"),
                ("b/msg/E".to_owned(), ""),
            ]
        );
        assert_eq!(embedded[0].tree.comment.lines, ["of C"]);
        for text in [
            "int8 a\n====",
            "===\nint8 a",
            "====\nMSG: a",
            "====\nMSG: a/srv/B",
        ] {
            assert!(parse_any(text).1, "{text}");
        }
        assert_eq!(parse("string X===").constants.len(), 1);
    }

    #[test]
    fn tabs_are_blanks_everywhere() {
        assert_eq!(default_of("string\tx\t\"a\tb\""), text_value("a b"));
        assert_eq!(parse("int8\t\tx\t5\t").fields[0].name.span, 6..7);
    }

    #[test]
    fn lines_end_at_every_separator() {
        assert_eq!(
            parse("int8 a\u{c}int8 b\u{2028}int8 c\rint8 d\r\nint8 e")
                .fields
                .len(),
            5
        );
    }

    #[test]
    fn a_hash_starts_a_comment_even_in_quotes() {
        let message = parse("string x \"a#b\"");
        assert_eq!(message.fields[0].comment.lines, ["b\""]);
        assert_eq!(
            message.fields[0].default.as_ref().unwrap().kind,
            text_value("\"a")
        );
        let message = parse("string X=\"a#b\"");
        assert_eq!(message.constants[0].value.kind, text_value("\"a"));
    }

    #[test]
    fn an_equals_sign_makes_a_constant() {
        assert_eq!(
            parse("string X=a=b").constants[0].value.kind,
            text_value("a=b")
        );
        let message = parse("int8 X = 5\nint8 Y=6\nstring Z=\nint8 x 7");
        assert_eq!((message.constants.len(), message.fields.len()), (3, 1));
        assert_eq!(message.constants[0].value.kind, ValueKind::Integer(5));
        assert_eq!(message.constants[2].value.kind, text_value(""));
        for text in [
            "string x \"a=b\"",
            "int32 x <=5",
            "int32 x=5",
            "int32 =5",
            "int32 X=",
            "int8 X Y=1",
        ] {
            assert!(parse_any(text).1, "{text}");
        }
    }

    #[test]
    fn types_of_constants_are_bare() {
        for text in [
            "string<=5 X=a",
            "int32[] X=[1]",
            "pkg/Bar X=1",
            "Bar X=1",
            "time X=1",
        ] {
            assert!(parse_any(text).1, "{text}");
        }
    }

    #[test]
    fn blanks_inside_a_default_are_kept() {
        assert_eq!(default_of("string x   a  b   "), text_value("a  b"));
        assert_eq!(default_of("string  x  \" a \" # c"), text_value(" a "));
    }

    #[test]
    fn lines_that_are_refused() {
        for text in [
            "int8",
            "int8 # c",
            " int8 x",
            "\tint8 x",
            "int8 X",
            "int8 x_",
            "int8 a__b",
            "int8 1x",
            "\u{feff}int8 x",
            "@optional @optional int8 x",
            "@optional\n@optional int8 x",
            "int8 @optional",
            "@optionals int8 x",
            "Foo x 5",
            "time t",
            "int8 x y",
            "int8 x, y",
            "int8  ",
        ] {
            assert!(parse_any(text).1, "{text}");
        }
    }

    #[test]
    fn optional_fields_are_fields() {
        for text in [
            "@optional int8 x",
            "@optional\n\nint8 x",
            "@optional  # c\nint8 x",
        ] {
            let (message, failed) = parse_any(text);
            assert!(!failed && message.fields.len() == 1, "{text}");
        }
        assert_eq!(
            parse("@optional int8 x\n@optional int8 y\n@optional")
                .fields
                .len(),
            2
        );
        assert_eq!(default_of("string s @optional"), text_value("@optional"));
        assert_eq!(comments("\n# a\n@optional\nint8 x"), [["a"]]);
    }

    #[test]
    fn what_is_right_survives_what_is_wrong() {
        let (message, failed) =
            parse_any("int8 a\nint8\n  # on the refused line\nint8 b # b\n x\nint8 c");
        assert!(failed);
        let names: Vec<_> = message
            .fields
            .iter()
            .map(|field| field.name.text.as_str())
            .collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert!(message.fields[0].comment.lines.is_empty());
    }

    #[test]
    fn large_inputs_take_linear_time() {
        let many = 100_000;
        assert!(!parse_any(&format!("string x {}", "a".repeat(many))).1);
        assert!(!parse_any(&format!("int8[] x [{}1]", "1,".repeat(many / 2))).1);
        assert!(parse_any(&format!("string[] x [{}]", "\"".repeat(many - 1))).1);
        assert!(parse_any(&format!("int8 {}!=1", "A".repeat(many))).1);
        assert!(parse_any(&"\"'[]<=".repeat(many / 6)).1);
        assert!(parse_any(&" x\n".repeat(many / 3)).1);
    }
}
