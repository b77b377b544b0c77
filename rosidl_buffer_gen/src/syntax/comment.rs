//! Comments: from the lines of a file to the text of an element.

use super::ast::Comment;
use crate::source::is_space;

/// Finds the unit, drops surplus empty lines and the indentation that all lines share.
pub(super) fn condense(mut lines: Vec<String>) -> Comment {
    let text = lines.join("\n");
    let unit = only_bracket(&text).map(|bracket| {
        // What spans a line break is a unit as well, but upstream does not find it to remove it.
        if !bracket.with_blanks.contains('\n') {
            for line in &mut lines {
                *line = line.replace(bracket.with_blanks, "");
            }
        }
        bracket.inside.to_owned()
    });

    let first = lines.iter().position(|line| !line.is_empty());
    let last = lines.iter().rposition(|line| !line.is_empty());
    lines = match (first, last) {
        (Some(first), Some(last)) => lines.drain(first..=last).collect(),
        _ => Vec::new(),
    };
    lines.dedup_by(|later, earlier| later.is_empty() && earlier.is_empty());
    dedent(&mut lines);
    Comment { lines, unit }
}

struct Bracket<'a> {
    inside: &'a str,
    /// The brackets and the blanks before them as well.
    with_blanks: &'a str,
}

/// The `[…]` without comma of a text that has exactly one.
fn only_bracket(text: &str) -> Option<Bracket<'_>> {
    let mut found = None;
    let mut from = 0;
    let mut blanks_from = 0;
    while let Some(open) = text[from..].find('[').map(|at| from + at) {
        let Some(length) = text[open + 1..].find([',', ']']) else {
            break;
        };
        let end = open + 1 + length;
        from = end + 1;
        if text[end..].starts_with(']') && end > open + 1 {
            if found.is_some() {
                return None;
            }
            let before = text[blanks_from..open].trim_end_matches(is_space);
            found = Some(Bracket {
                inside: &text[open + 1..end],
                with_blanks: &text[blanks_from + before.len()..=end],
            });
            blanks_from = from;
        }
    }
    found
}

/// Removes the blanks at the start that all lines share; a line of blanks becomes empty.
fn dedent(lines: &mut [String]) {
    let indent = |line: &String| line.len() - line.trim_start_matches(' ').len();
    let shared = lines
        .iter()
        .filter(|line| indent(line) < line.len())
        .map(indent)
        .min()
        .unwrap_or(0);
    for line in lines {
        if indent(line) == line.len() {
            line.clear();
        } else {
            line.drain(..shared);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condensed(lines: &[&str]) -> (Vec<String>, Option<String>) {
        let comment = condense(lines.iter().map(|line| (*line).to_owned()).collect());
        (comment.lines, comment.unit)
    }

    fn lines(lines: &[&str]) -> Vec<String> {
        condensed(lines).0
    }

    fn unit(text: &str) -> Option<String> {
        condensed(&[text]).1
    }

    #[test]
    fn empty_lines_and_indentation() {
        assert!(lines(&[]).is_empty());
        assert!(lines(&["", ""]).is_empty());
        assert_eq!(
            lines(&["", "", " a", "", "", "", "   b", ""]),
            ["a", "", "  b"]
        );
        assert_eq!(lines(&["a", " b"]), ["a", " b"]);
        assert_eq!(lines(&["  a", "   ", "  b"]), ["a", "", "b"]);
        assert_eq!(lines(&[" ", "  a"]), ["", "a"]);
    }

    #[test]
    fn one_bracket_without_a_comma_is_the_unit() {
        assert_eq!(
            condensed(&[" speed  [m/s] of it"]),
            (vec!["speed of it".to_owned()], Some("m/s".to_owned()))
        );
        assert_eq!(unit("[ m ]"), Some(" m ".to_owned()));
        assert_eq!(unit("[[m]"), Some("[m".to_owned()));
        assert_eq!(unit("range [0, 1] [m]"), Some("m".to_owned()));
        assert_eq!(unit("[] [m]"), Some("m".to_owned()));
        assert_eq!(unit("[m] [s"), Some("m".to_owned()));
        for text in [
            "",
            "[0, 1]",
            "[m] [s]",
            "[m] or [m]",
            "[]",
            "[m",
            "m]",
            "[a, [b",
        ] {
            assert_eq!(unit(text), None, "{text}");
        }
    }

    #[test]
    fn a_unit_behind_a_line_break_stays_in_the_text() {
        assert_eq!(
            condensed(&[" far", " [m]"]),
            (
                vec!["far".to_owned(), "[m]".to_owned()],
                Some("m".to_owned())
            )
        );
        assert_eq!(condensed(&["a [m", "s] b"]).1, Some("m\ns".to_owned()));
    }

    #[test]
    fn many_brackets_take_linear_time() {
        assert_eq!(unit(&"[".repeat(100_000)), None);
        assert_eq!(unit(&"[]".repeat(100_000)), None);
    }
}
