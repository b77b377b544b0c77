//! Definitions that hold those they refer to: the `ros2msg` text in which recordings (MCAP, rosbag2) keep
//! the schema of a message.
//!
//! Behind the message comes, for each message it refers to, a line of `=`, a line `MSG: package/Name`, and
//! its text. A line of `=` means nothing in a `.msg` file, so that both can be told apart.

use crate::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    name::{InterfaceName, Kind},
    source::{Source, Span, is_space, lines},
};

/// The text of a message inside the text of another.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) name: InterfaceName,
    pub(super) span: Span,
}

/// The place of the first definition, and the others.
pub(super) fn sections(
    source: &Source,
    text: &str,
    start: usize,
    diagnostics: &mut Diagnostics,
) -> (Span, Vec<Section>) {
    if !text.contains("==") {
        return (start..text.len(), Vec::new());
    }
    let mut names = Vec::new();
    let mut ends = Vec::new();
    let mut starts = Vec::new();
    let mut all = lines(&text[start..]);
    while let Some(line) = all.next() {
        let place = start + line.span.start;
        if !is_separator(&text[place..start + line.span.end]) {
            continue;
        }
        ends.push(place);
        let heading = all.next().map_or(text.len()..text.len(), |heading| {
            starts.push(start + heading.end_with_separator);
            start + heading.span.start..start + heading.span.end
        });
        let Some(name) = name(&text[heading.clone()]) else {
            let message = "behind a line of `=`, the name of a message is missing";
            let diagnostic = Diagnostic::new(Code::BadLine, message).at(source, heading, "");
            diagnostics.push(diagnostic.help("such as `MSG: std_msgs/Header`"));
            break;
        };
        names.push(name);
    }
    let first = start..ends.first().copied().unwrap_or(text.len());
    let ends = ends.into_iter().skip(1).chain([text.len()]);
    let spans = starts
        .into_iter()
        .zip(ends)
        .map(|(start, end)| start..end.max(start));
    let sections = names.into_iter().zip(spans);
    let sections = sections.map(|(name, span)| Section { name, span });
    (first, sections.collect())
}

fn is_separator(line: &str) -> bool {
    let line = line.trim_end_matches(is_space);
    line.len() >= 2 && line.bytes().all(|byte| byte == b'=')
}

fn name(heading: &str) -> Option<InterfaceName> {
    let name = heading.strip_prefix("MSG:")?.trim_matches(is_space);
    InterfaceName::parse(name).filter(|name| name.kind() == Kind::Msg)
}
