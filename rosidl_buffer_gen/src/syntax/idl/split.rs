//! First pass: a file is taken apart into blocks and statements.
//!
//! A text goes in; out come pieces in their order, comments and `#include`s left out. What is inside
//! of a piece is not looked at, except that strings and comments may contain `{`, `}` and `;`.

use pest::iterators::Pair;

use super::grammar::{Rule, parse};
use crate::source::Span;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Open(Span),
    Close(Span),
    Semicolon(Span),
    Text(Span),
    /// A line for the preprocessor that is not an `#include`.
    Directive(Span),
    /// The rest of the line, or of the file.
    UnclosedString(Span),
    UnclosedComment(Span),
}

/// The pieces of a text from `start` on.
pub(super) fn split(text: &str, start: usize) -> Vec<Piece> {
    // Every text has pieces, so there is no error to tell.
    let pieces = parse(Rule::pieces, &text[start..]);
    pieces
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|pair| piece(&pair, start))
        .collect()
}

fn piece(pair: &Pair<'_, Rule>, start: usize) -> Option<Piece> {
    let span = start + pair.as_span().start()..start + pair.as_span().end();
    Some(match pair.as_rule() {
        Rule::open => Piece::Open(span),
        Rule::close => Piece::Close(span),
        Rule::semicolon => Piece::Semicolon(span),
        Rule::text => Piece::Text(span),
        Rule::directive => Piece::Directive(span),
        Rule::unclosed_string => Piece::UnclosedString(span),
        Rule::unclosed_comment => Piece::UnclosedComment(span),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(piece: &Piece) -> Span {
        match piece {
            Piece::Open(span)
            | Piece::Close(span)
            | Piece::Semicolon(span)
            | Piece::Text(span)
            | Piece::Directive(span)
            | Piece::UnclosedString(span)
            | Piece::UnclosedComment(span) => span.clone(),
        }
    }

    fn texts(text: &str) -> Vec<&str> {
        split(text, 0)
            .into_iter()
            .map(|piece| match piece {
                Piece::Directive(_) => "directive",
                Piece::UnclosedString(_) => "string",
                Piece::UnclosedComment(_) => "comment",
                other => text[span(&other)].trim_end(),
            })
            .collect()
    }

    #[test]
    fn blocks_and_statements() {
        assert_eq!(
            texts("#include <a>\n#include \"b\" module m { int8 x ; }; // };"),
            ["module m", "{", "int8 x", ";", "}", ";"]
        );
        assert_eq!(texts("a /* ; */ b // {\n;"), ["a /* ; */ b // {", ";"]);
        assert_eq!(
            texts(r#"a "};\"{" ';' '"' b;"#),
            [r#"a "};\"{" ';' '"' b"#, ";"]
        );
        assert_eq!(texts(""), [""; 0]);
        assert_eq!(texts("/**/ // end"), [""; 0]);
    }

    #[test]
    fn what_is_not_closed() {
        assert_eq!(texts("#define A 1\na;"), ["directive", "a", ";"]);
        assert_eq!(texts("a \"b;\nc;"), ["a", "string", "c", ";"]);
        assert_eq!(texts("a; /* b;\nc;"), ["a", ";", "comment"]);
        assert_eq!(texts("#include <\n>"), ["directive", ">"]);
    }

    #[test]
    fn every_text_has_pieces_in_linear_time() {
        for part in [
            "\"",
            "'",
            "/*",
            "/ ",
            "#include <",
            "#include \"\n",
            "{",
            "\\\"",
            "é",
            "\u{0}",
        ] {
            let text = part.repeat(100_000);
            let covered = split(&text, 0).last().map(|piece| span(piece).end);
            assert!(covered.is_some_and(|end| end + 1 >= text.len()), "{part}");
        }
    }
}
