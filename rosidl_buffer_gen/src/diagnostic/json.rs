//! Diagnostics for programs: a JSON object in each line.

use serde_json::{Value, json};

use super::Diagnostic;
use crate::diagnostic::Excerpt;

/// All diagnostics, each in a line of its own.
pub(crate) fn json_lines(diagnostics: &[Diagnostic]) -> String {
    let lines = diagnostics
        .iter()
        .map(|diagnostic| object(diagnostic).to_string() + "\n");
    lines.collect()
}

/// Lines and columns count from 1, columns in characters; `null` is what a diagnostic does not have.
fn object(diagnostic: &Diagnostic) -> Value {
    let position = diagnostic.excerpt.as_ref().map(Excerpt::position);
    json!({
        "severity": if diagnostic.is_warning { "warning" } else { "error" },
        "code": diagnostic.code.as_str(),
        "message": diagnostic.message,
        "file": diagnostic.file(),
        "line": position.map(|(line, ..)| line),
        "column": position.map(|(_, column, _)| column),
        "end_column": position.map(|(.., end)| end),
        "label": diagnostic.excerpt.as_ref().and_then(Excerpt::label),
        "help": diagnostic.help,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diagnostic::Code, source::Source};

    #[test]
    fn places_and_what_is_missing() {
        let source = Source::new("A.msg".to_owned(), "int8 a\nü \"x\"".to_owned());
        let placed = Diagnostic::new(Code::BadLine, "a \"b\"").at(&source, 10..13, "here");
        let lines = json_lines(&[placed, Diagnostic::new(Code::RiskyValue, "c").help("d")]);
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            lines[0],
            json!({
                "severity": "error", "code": "bad_line", "message": "a \"b\"", "file": "A.msg",
                "line": 2, "column": 3, "end_column": 6, "label": "here", "help": null,
            })
        );
        assert_eq!(
            (&lines[1]["severity"], &lines[1]["line"]),
            (&json!("warning"), &json!(null))
        );
    }
}
