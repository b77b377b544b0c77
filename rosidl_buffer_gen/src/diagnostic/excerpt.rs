//! The line a diagnostic is about, small enough to be shown.
//!
//! Taken when the diagnostic is made, so that no text needs to be kept. Of a line of a million
//! characters only the neighbourhood of the place is taken, and control characters are replaced:
//! a file must not be able to command the reader's terminal.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::source::{Source, Span, lines};

/// At most so many characters before, in and after the marked place.
const WINDOW: usize = 80;
const CUT: char = '…';

#[derive(Debug, Clone)]
pub(super) struct Excerpt {
    name: String,
    /// Both from 0, the column in characters.
    line: usize,
    column: usize,
    /// Where the place ends, in characters.
    end_column: usize,
    text: String,
    marked: Span,
    label: String,
}

impl Excerpt {
    pub(super) fn new(source: &Source, span: Span, label: String) -> Self {
        let (line, line_start) = source.line_of(span.start);
        let rest = &source.text()[line_start..];
        let line_end = lines(rest)
            .next()
            .map_or(line_start, |first| line_start + first.span.end);
        // A place may lie behind the line's last character, but not in the next line.
        let start = span.start.min(line_end);
        let end = span.end.clamp(start, line_end);
        let column = source.text()[line_start..start].chars().count();
        let end_column = column + source.text()[start..end].chars().count();

        let mut text = String::new();
        let before = &source.text()[line_start..start];
        let cut = before
            .char_indices()
            .rev()
            .nth(WINDOW - 1)
            .map_or(0, |(index, _)| index);
        if cut > 0 {
            text.push(CUT);
        }
        text.extend(before[cut..].chars().map(shown));
        let marked_start = text.len();
        push_window(&mut text, &source.text()[start..end]);
        if text.len() == marked_start {
            // Something is missing here; a place without width would not be marked.
            text.push(' ');
        }
        let marked = marked_start..text.len();
        push_window(&mut text, &source.text()[end..line_end]);
        Self {
            name: source.name().to_owned(),
            line,
            column,
            end_column,
            text,
            marked,
            label,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// File, line and column, both from 1.
    pub(super) fn place(&self) -> String {
        format!("{}:{}:{}", self.name, self.line + 1, self.column + 1)
    }

    /// Line, column, and the column behind the place, all from 1.
    pub(super) fn position(&self) -> (usize, usize, usize) {
        (self.line + 1, self.column + 1, self.end_column + 1)
    }

    /// Sorts by file, then by place.
    pub(super) fn order(&self) -> (&str, usize, usize) {
        (&self.name, self.line, self.column)
    }

    pub(super) fn label(&self) -> Option<String> {
        (!self.label.is_empty()).then(|| self.label.clone())
    }

    pub(super) fn marked(&self) -> Span {
        self.marked.clone()
    }
}

fn push_window(text: &mut String, part: &str) {
    let mut characters = part.chars();
    text.extend(characters.by_ref().take(WINDOW).map(shown));
    if characters.next().is_some() {
        text.push(CUT);
    }
}

pub(super) fn shown(character: char) -> char {
    if character == '\t' {
        ' '
    } else if character.is_control() || is_invisible(character) {
        char::REPLACEMENT_CHARACTER
    } else {
        character
    }
}

/// Whether the character is a byte order mark or changes the direction of what is shown after it.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{feff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_lines_before: usize,
        _context_lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let whole = context_lines_before > 0;
        let range = if whole {
            0..self.text.len()
        } else {
            span.offset()..span.offset() + span.len()
        };
        let data = self
            .text
            .as_bytes()
            .get(range.clone())
            .ok_or(MietteError::OutOfBounds)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            data,
            range.into(),
            self.line,
            if whole { 0 } else { self.column },
            1,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, span: Span) -> Excerpt {
        let source = Source::new("A.msg".to_owned(), text.to_owned());
        Excerpt::new(&source, span, String::new())
    }

    #[test]
    fn the_line_and_the_place_in_it() {
        let found = excerpt("one\ntwö three\nfour", 9..14);
        assert_eq!(found.text, "twö three");
        assert_eq!(&found.text[found.marked()], "three");
        assert_eq!(found.place(), "A.msg:2:5");
        assert_eq!(found.position(), (2, 5, 10));
        let end = excerpt("one\n", 4..4);
        assert_eq!(
            (end.text.as_str(), end.place().as_str()),
            (" ", "A.msg:2:1")
        );
        let over = excerpt("one\ntwo", 2..7);
        assert_eq!(&over.text[over.marked()], "e");
    }

    #[test]
    fn a_long_line_is_cut() {
        let text = format!("{}XY{}", "é".repeat(500_000), "b".repeat(500_000));
        let found = excerpt(&text, 1_000_000..1_000_002);
        assert_eq!(&found.text[found.marked()], "XY");
        assert_eq!(found.text.chars().count(), 2 * WINDOW + 4);
        assert_eq!(found.place(), "A.msg:1:500001");
    }

    #[test]
    fn controls_are_not_passed_on() {
        let found = excerpt("a\tb\u{1b}[31m\u{202e}c", 2..3);
        assert_eq!(found.text, "a b\u{fffd}[31m\u{fffd}c");
    }
}
