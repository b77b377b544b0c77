//! Every row of docs/differences.md, and no other.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, path::Path};

use rosidl_buffer_gen::Config;

/// What is expected of a row.
enum Expected {
    /// The default value of the first field, as `dump` prints it; a warning, and an error if strict.
    Warning(&'static str),
    /// The same without a warning.
    Value(&'static str),
    /// With a warning: a part of the message, by its place in the JSON that `dump` prints.
    WarningAt(&'static str, &'static str),
    /// The same without a warning.
    ValueAt(&'static str, &'static str),
    /// An error that says this.
    Error(&'static str),
}
use Expected::{Error, Value, ValueAt, Warning, WarningAt};

/// Where `dump` prints the default value of the first field.
const DEFAULT: &str = "/fields/0/default";

/// A service whose name is that of a part.
const PART: &str = "module p { module srv {
    struct Foo_Request_Request { int8 x; }; struct Foo_Request_Response { int8 x; };
}; };";

/// The name of a row, the files of the package `p`, and what is expected.
type Row = (&'static str, Vec<(&'static str, String)>, Expected);

fn rows() -> Vec<Row> {
    let message = |text: &str| vec![("msg/A.msg", text.to_owned())];
    let idl = |text: &str| {
        vec![(
            "msg/A.idl",
            format!("module p {{ module msg {{ {text} }}; }};"),
        )]
    };
    vec![
        (
            "line-break",
            message(r#"string x "a\nb""#),
            Warning(r#""a\nb""#),
        ),
        ("not-utf8", message(r#"string x "\xe9""#), Warning(r#""é""#)),
        (
            "beyond-latin1",
            message(r#"string x "\u4e2d""#),
            Warning(r#""中""#),
        ),
        (
            "final-backslash",
            message(r#"string x "a\\""#),
            Warning(r#""a\\""#),
        ),
        (
            "decoded-twice",
            message(r#"string x "a\\b""#),
            Warning(r#""a\\b""#),
        ),
        (
            "list-beyond-ascii",
            message(r#"string[] x ["ä"]"#),
            Warning(r#"["ä"]"#),
        ),
        (
            "list-quotes",
            message(r#"string[] x ["say \"a\""]"#),
            Warning(r#"["say \"a\""]"#),
        ),
        (
            "comment-escapes",
            message(r"int8 x # see C:\new"),
            WarningAt("/fields/0/comment", r#"["see C:\\new"]"#),
        ),
        (
            "minus-infinity",
            message("float64 x -inf"),
            Warning(r#""-inf""#),
        ),
        ("optional", message("@optional int8 x"), Warning("null")),
        (
            "wide-bound",
            message("wstring<=2[] x"),
            WarningAt("/fields/0/type", r#""wstring<=2[<=2]""#),
        ),
        (
            "unknown-type",
            message("Missing x"),
            Error("there is no message `Missing`"),
        ),
        (
            "cycle",
            vec![
                ("msg/A.msg", "B b".to_owned()),
                ("msg/B.msg", "A a".to_owned()),
            ],
            Error("a message cannot contain itself: p/msg/A → p/msg/B → p/msg/A"),
        ),
        (
            "part-name",
            vec![
                ("srv/Foo.srv", "---".to_owned()),
                ("srv/Foo_Request.idl", PART.to_owned()),
            ],
            Error("`p/srv/Foo_Request` is the name of a part of `p/srv/Foo`"),
        ),
        (
            "named-escape",
            message(r#"string x "\N{BULLET}""#),
            Error("names a character with `\\N`"),
        ),
        (
            "huge-array",
            message("uint8[4294967295] x"),
            Error("too many for Rust"),
        ),
        (
            "huge-bound",
            message("string<=4294967296 x"),
            Error("a bound is a number from 1 to 4294967295"),
        ),
        (
            "huge-file",
            message(&"#\n".repeat(8 * 1024 * 1024 + 1)),
            Error("larger than 16 MiB"),
        ),
        ("not-a-number", message("float64 x nan"), Value(r#""nan""#)),
        ("float32-range", message("float32 x 1e39"), Warning("1e39")),
        (
            "split-unit",
            message("\n# [m\n# s]\nint8 x"),
            ValueAt("/fields/0/unit", r#""m\n s""#),
        ),
        (
            "idl-hexadecimal",
            idl("struct A { @default(value=0x10) int8 x; };"),
            Warning("16"),
        ),
        (
            "idl-empty",
            idl("struct A { };"),
            WarningAt("/fields", "[]"),
        ),
        (
            "idl-bare-name",
            [
                idl("struct A { B x; };"),
                vec![("msg/B.msg", String::new())],
            ]
            .concat(),
            WarningAt("/fields/0/type", r#""p/msg/B""#),
        ),
        (
            "idl-optional",
            idl("struct A { @optional int8 x; };"),
            Warning("null"),
        ),
        (
            "idl-stray-constants",
            idl("module B_Constants { const int8 X = 1; }; struct A { int8 x; };"),
            WarningAt("/constants", "[]"),
        ),
        (
            "idl-two-declarators",
            idl("struct A { int8 x[2], y; };"),
            Error("makes every name behind an array an array"),
        ),
        (
            "idl-default-without-value",
            idl("struct A { @default(5) int8 x; };"),
            Error("does not find a value"),
        ),
        (
            "idl-names-as-bounds",
            idl("struct A { sequence<int8, N> x; };"),
            Error("a bound is a number from 1"),
        ),
        (
            "idl-long",
            idl("struct A { unsigned long long; };"),
            Error("expected a name before this"),
        ),
        (
            "half-quoted",
            message(r#"string x "a#b""#),
            Warning(r#""\"a""#),
        ),
    ]
}

fn config(folder: &Path) -> Config {
    let none: [&str; 0] = [];
    Config::new().ament_prefixes(none).search_path(folder)
}

#[test]
fn every_row_is_as_it_says() {
    for (name, files, expected) in rows() {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join("p").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = config(folder.path()).dump();
        let strict = config(folder.path()).strict(true).dump();
        let (place, value, warns) = match expected {
            Warning(value) => (DEFAULT, value, true),
            WarningAt(place, value) => (place, value, true),
            Value(value) => (DEFAULT, value, false),
            ValueAt(place, value) => (place, value, false),
            Error(text) => {
                let error = found.unwrap_err().render_json();
                let text = text.replace('\\', "\\\\");
                assert!(error.contains(&text), "{name}: {error}");
                continue;
            }
        };
        let (lines, report) = found.unwrap();
        let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        let value: serde_json::Value = serde_json::from_str(value).unwrap();
        assert_eq!(first.pointer(place), Some(&value), "{name}");
        assert_eq!(
            (report.has_warnings(), strict.is_err()),
            (warns, warns),
            "{name}"
        );
    }
}

#[test]
fn the_page_has_these_rows_and_no_others() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/differences.md");
    let page = fs::read_to_string(page).unwrap();
    let documented: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    let tested: BTreeSet<_> = rows().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(documented, tested);
}
