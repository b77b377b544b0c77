//! Comments as rustdoc.
//!
//! Interface files are not written for rustdoc. What it would take for a block of code, and then
//! compile as a test, is put into a fence that says it is text; the words stay as they are.

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::Doc;

/// The attributes for a comment.
pub(super) fn attributes(doc: &Doc) -> TokenStream {
    let lines = lines(doc);
    let lines = lines.iter().map(|line| {
        if line.is_empty() {
            String::new()
        } else {
            format!(" {line}")
        }
    });
    quote!(#(#[doc = #lines])*)
}

fn lines(doc: &Doc) -> Vec<String> {
    let comment: Vec<String> = doc
        .lines
        .iter()
        .map(|line| line.chars().map(shown).collect())
        .collect();
    let mut lines = Vec::with_capacity(comment.len() + 2);
    let mut rest = comment.as_slice();
    while let Some(first) = rest.first() {
        if !looks_like_code(first) {
            lines.push(first.trim_end().to_owned());
            rest = &rest[1..];
            continue;
        }
        let mut length = rest
            .iter()
            .take_while(|line| line.is_empty() || looks_like_code(line))
            .count();
        while rest[length - 1].is_empty() {
            length -= 1;
        }
        let block = &rest[..length];
        rest = &rest[length..];
        let fence = "`".repeat(longest_run(block).max(2) + 1);
        lines.push(format!("{fence}text"));
        lines.extend(block.iter().map(|line| line.trim_end().to_owned()));
        lines.push(fence);
    }
    if let Some(unit) = &doc.unit {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let unit: String = unit.split_whitespace().collect::<Vec<_>>().join(" ");
        lines.push(format!(
            "Unit: {}",
            unit.chars().map(shown).collect::<String>()
        ));
    }
    lines
}

/// Whether Markdown may see code in the line: four blanks, or a fence, also inside lists and quotes.
fn looks_like_code(line: &str) -> bool {
    let mut rest = line;
    loop {
        let text = rest.trim_start_matches(char::is_whitespace);
        if !text.is_empty() && rest.len() - text.len() >= 4 {
            return true;
        }
        if text.starts_with("```") || text.starts_with("~~~") {
            return true;
        }
        let digits = text.trim_start_matches(|character: char| character.is_ascii_digit());
        let marker = if digits.len() < text.len() && digits.starts_with(['.', ')']) {
            text.len() - digits.len() + 1
        } else if text.starts_with(['-', '*', '+', '>']) {
            1
        } else {
            return false;
        };
        rest = &text[marker..];
    }
}

/// The most backticks in a row.
fn longest_run(lines: &[String]) -> usize {
    let runs = lines
        .iter()
        .flat_map(|line| line.split(|character| character != '`'));
    runs.map(str::len).max().unwrap_or(0)
}

/// Characters that would change how the source is read are replaced.
fn shown(character: char) -> char {
    let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if character.is_control() || turns {
        char::REPLACEMENT_CHARACTER
    } else {
        character
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emitted(comment: &[&str], unit: Option<&str>) -> Vec<String> {
        lines(&Doc {
            lines: comment.iter().map(|line| (*line).to_owned()).collect(),
            unit: unit.map(str::to_owned),
        })
    }

    #[test]
    fn text_stays_as_it_is() {
        let text = [
            "A list:",
            "- one",
            "  - two",
            "",
            "1. three",
            "a `word` and ``x``",
            "   three blanks",
        ];
        assert_eq!(emitted(&text, None), text);
    }

    #[test]
    fn what_looks_like_code_is_fenced() {
        assert_eq!(
            emitted(&["a", "    code", "", "      more", "", "b"], None),
            ["a", "```text", "    code", "", "      more", "```", "", "b"]
        );
        for line in [
            "    x", "```", "~~~rust", "-     x", "> ```", "1.     x", "* - ```x", "     ",
        ] {
            let is_code = !line.trim().is_empty();
            assert_eq!(emitted(&[line], None).len() == 3, is_code, "{line:?}");
        }
        assert_eq!(emitted(&["```rust", "x", "```"], None)[0], "````text");
        assert_eq!(emitted(&["`````"], None)[0], "``````text");
    }

    #[test]
    fn the_unit_comes_last() {
        assert_eq!(emitted(&["far"], Some("m")), ["far", "", "Unit: m"]);
        assert_eq!(emitted(&[], Some(" m\n/ s ")), ["Unit: m / s"]);
    }

    #[test]
    fn controls_are_replaced() {
        assert_eq!(
            emitted(&["a\u{1}b\u{202e}c"], None),
            ["a\u{fffd}b\u{fffd}c"]
        );
    }
}
