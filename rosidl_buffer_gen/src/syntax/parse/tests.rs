//! Whole files, from lines and comments to parts, and what is refused in them.

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
