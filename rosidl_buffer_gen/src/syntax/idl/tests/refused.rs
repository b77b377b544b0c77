//! What is refused or warned about, and in which words.

use std::time::{Duration, Instant};

use super::{name, read, struct_of, told, value};
use crate::{diagnostic::Diagnostics, name::Kind, source::Source, syntax::idl::parse_idl};

/// What is said of a struct with this member, if it is refused: one error.
pub(super) fn refusal(member: &str) -> Option<String> {
    let (message, mut told) = struct_of(&format!("struct A {{\n{member}\nint8 other;\n}};"));
    assert!(told.len() < 2, "{member}: {told:?}");
    let refused = told.pop()?;
    // What is wrong does not hide what follows.
    let last = message.fields.last();
    assert!(
        last.is_some_and(|field| field.name.text == "other"),
        "{member}: {refused}"
    );
    Some(refused)
}

#[test]
fn what_ros_has_not() {
    for (text, part) in [
        ("long double x;", "`long double` is not supported"),
        ("fixed<3, 2> x;", "fixed-point"),
        ("any x;", "no type `any`"),
        ("map<string, int8> x;", "maps"),
        ("sequence<sequence<int8>> x;", "sequences of sequences"),
        ("sequence<int8> x[3];", "arrays of arrays"),
        ("int8 x[2][3];", "several dimensions"),
        ("int8 x[2], y;", "behind an array"),
        ("struct B { int8 y; } x;", "blocks inside"),
        ("enum B { C, D } x;", "blocks inside"),
        ("struct B x;", "declared where"),
        ("string<2 + 3> x;", "constant expressions"),
        ("int8 x[(2)];", "constant expressions"),
        ("int8 x[N];", "a bound is"),
        ("int8 x[0];", "a bound is"),
        ("int8 x[-1];", "a bound is"),
        ("string<0> x;", "a bound is"),
        ("wstring<0> x;", "a bound is"),
        ("sequence<int8, 4294967296> x;", "a bound is"),
        ("int8 x_;", "ends in an underscore"),
        ("@default(value='a') char x;", "character literals"),
        ("@default(value=1 << 2) int8 x;", "constant expressions"),
        ("@default(value=~5) int8 x;", "constant expressions"),
        ("@default(value=-(5)) int8 x;", "constant expressions"),
    ] {
        let told = refusal(text).unwrap_or_default();
        assert!(told.contains(part), "{text}: {told:?}");
    }
    for (text, part) in [
        ("enum B { C, D };", "enumerations"),
        (
            "union B switch (long) { case 1: long a; default: string b; };",
            "unions",
        ),
        ("bitmask B { C };", "enumerations"),
        ("interface B { void f(); };", "such declarations"),
        ("native B;", "such declarations"),
        ("#define B 1\n", "preprocessor"),
        ("#include <open\n", "preprocessor"),
    ] {
        let told = told(&format!("{text} struct A {{ int8 x; }};"));
        assert!(
            told.len() == 1 && told[0].contains(part),
            "{text}: {told:?}"
        );
    }
    let told = told("struct A : B { int8 x; };");
    assert!(told.len() == 1 && told[0].contains("extend"), "{told:?}");
}

#[test]
fn what_is_missing_is_said_in_words() {
    for (text, expected) in [
        ("int8;", "3:5: expected a name before this"),
        ("int8 x y;", "3:8: expected `,`, `;` or `[`"),
        ("int8 x[3;", "3:9: expected `]` before this"),
        ("sequence<int8 x;", "3:15: expected `,` or `>`"),
        ("sequence int8 x;", "3:10: expected `<`"),
        ("string<> x;", "3:8: expected a value"),
        ("@default(value 1) int8 x;", "3:16: expected `)` or `=`"),
        ("@default() int8 x;", "3:10: expected a name or a value"),
        ("@default(value=1 int8 x;", "3:18: expected `)` or `,`"),
        ("unsigned int8 x;", "3:10: expected `long` or `short`"),
        ("int8 x\n int8 y;", "3:7: a `;` is missing here"),
        ("int8 1x;", "3:6: expected a name"),
        (
            "@default(value=\"a\" L\"b\") string x;",
            "3:20: expected `)`, `,` or a value",
        ),
        ("ärger x;", "3:1: expected a type"),
    ] {
        let told = refusal(text).unwrap_or_default();
        let told = told.replace("A.idl:", "");
        assert_eq!(told, expected, "{text}");
    }
    for (text, expected) in [
        (
            "struct A { int8 x; }",
            "2:20: a `;` is missing behind this `}`",
        ),
        ("struct A { int8 x };", "2:18: a `;` is missing here"),
        (
            "struct A { int8 x; };;",
            "2:22: there is nothing before this `;`",
        ),
        ("struct { int8 x; };", "2:8: expected a name before this"),
        ("{ int8 x; };", "2:1: there is nothing before this `{`"),
        ("struct A { int8 x; }; };", "3:4: this `}` closes nothing"),
        ("struct A { int8 x; ", "1:10: this `{` is not closed"),
        (
            "struct A { int8 x; /* };",
            "2:20: this comment is not closed",
        ),
        (
            "struct A { @unit(value=\"m) int8 x;\n int8 y; };",
            "2:24: this string is not closed",
        ),
        (
            "const int8 = 5; struct A { int8 x; };",
            "2:12: expected a name",
        ),
    ] {
        let told = told(text);
        let told: Vec<_> = told.iter().map(|told| told.replace("A.idl:", "")).collect();
        assert_eq!(told, [expected], "{text}");
    }
}

#[test]
fn many_errors_of_one_file_are_told() {
    let (message, told) = struct_of(
        "const int8 A 1;\nstruct A {\nint8 ok;\nint8;\nfoo x;\n@default(value=TRUE) int8 y;\nint8 also_ok;\n};",
    );
    assert_eq!(told.len(), 4, "{told:?}");
    let fields: Vec<_> = message
        .fields
        .iter()
        .map(|field| field.name.text.as_str())
        .collect();
    assert_eq!(fields, ["ok", "also_ok"]);
}

#[test]
fn what_ros_reads_otherwise_is_a_warning() {
    for (text, part) in [
        ("struct A { @optional int8 x; };", "ignores `@optional`"),
        ("struct A { };", "without members"),
        ("struct A { int8 x[0x10]; };", "decimal numbers only"),
        (
            "struct A { @default(value=010) int8 x; };",
            "decimal numbers only",
        ),
        (
            "struct A { @default(value=-inf) double x; };",
            "lose the sign",
        ),
        (
            "struct A { @default(value=1e999) double x; };",
            "becomes infinity",
        ),
        (
            "module B_Constants { const int8 X = 1; }; struct A { int8 x; };",
            "left out",
        ),
        ("const int8 X = 1; struct A { int8 x; };", "left out"),
    ] {
        let text = format!("module p {{ module msg {{ {text} }}; }};");
        let source = Source::new("A.idl".to_owned(), text.clone());
        let mut diagnostics = Diagnostics::default();
        parse_idl(&name("p", Kind::Msg, "A"), &source, &mut diagnostics);
        let told = diagnostics.finish().unwrap();
        assert_eq!(told.len(), 1, "{text}");
        assert!(told[0].one_line().contains(part), "{text}");
    }
    let (message, _) =
        struct_of("struct A { @default(value=-0x1f) int8 x; @default(value=010) int8 y; };");
    let values: Vec<_> = message
        .fields
        .iter()
        .map(|field| value(field.default.as_ref().unwrap()))
        .collect();
    assert_eq!(values, ["Integer(-31)", "Integer(8)"]);
}

#[test]
fn the_file_declares_what_it_is_called_after() {
    let parts = |kind: Kind, text: &str| {
        let (messages, told) = read(&name("p", kind, "A"), text);
        assert_eq!(messages.len(), kind.parts().len(), "{text}");
        let fields = messages
            .iter()
            .map(|message| message.fields.len())
            .collect::<Vec<_>>();
        (fields, told)
    };
    let service = |inside: &str| {
        parts(
            Kind::Srv,
            &format!("module p {{ module srv {{ {inside} }}; }};"),
        )
    };
    let (request, response) = (
        "struct A_Request { int8 x; };",
        "struct A_Response { int8 x, y; };",
    );
    assert_eq!(
        service(&format!("{request}{response}")),
        (vec![1, 2], vec![])
    );
    assert_eq!(
        service(&format!("struct A_Request; {request}{response}"))
            .1
            .len(),
        0
    );
    for (inside, part) in [
        (format!("{response}{request}"), "too late"),
        (request.to_owned(), "does not declare"),
        (String::new(), "does not declare"),
        (format!("{request}{request}{response}"), "twice"),
        (
            format!("{request}{response} struct B {{ int8 x; }};"),
            "does not belong",
        ),
    ] {
        let (_, told) = service(&inside);
        assert!(
            told.len() == 1 && told[0].contains(part),
            "{inside}: {told:?}"
        );
    }
    for text in [
        "struct A { int8 x; };",
        "module p { struct A { int8 x; }; };",
        "module q { module msg { struct A { int8 x; }; }; };",
        "module p { module srv { struct A { int8 x; }; }; };",
        "module p { module msg { module n { struct A { int8 x; }; }; }; };",
    ] {
        let (_, told) = parts(Kind::Msg, text);
        assert!(
            told.len() == 1 && told[0].contains("one of `p::msg`"),
            "{text}: {told:?}"
        );
    }
    for text in ["", "// nothing", "module p { module msg { }; };"] {
        assert_eq!(parts(Kind::Msg, text).1.len(), 1, "{text}");
    }
    let (fields, told) = parts(
        Kind::Msg,
        "\u{feff}module p { module msg { struct A { int8 x; }; }; };",
    );
    assert!(
        fields == [1] && told[0].contains("byte order mark"),
        "{told:?}"
    );
}

#[test]
fn large_files_take_linear_time() {
    // Without optimisation pest takes many times as long.
    let size = if cfg!(debug_assertions) {
        1 << 14
    } else {
        1 << 20
    };
    let wrap = |inside: &str| format!("module p {{ module msg {{ {inside} }}; }};");
    let repeat = |part: &str| part.repeat(size / part.len());
    let members = |part: &str| wrap(&format!("struct A {{ {} }};", repeat(part)));
    let files = [
        members("int8 x;"),
        members("@key @default(value=-1.5e3) double x;"),
        members("sequence<q::msg::B, 3> x;"),
        members("int8;"),
        members("foo x;"),
        members("struct B {"),
        members("\" ;\n"),
        members("\"\";\n"),
        wrap(&repeat("const int8 A = 1;")),
        wrap(&repeat("struct A { int8 x; };")),
        wrap(&repeat("typedef int8 t;")),
        wrap(&format!("struct A {{ int8 {}; }};", repeat("x"))),
        wrap(&format!("struct A {{ int8 x{}; }};", repeat(", x"))),
        wrap(&format!("struct A {{ int8 x{}; }};", repeat("[1]"))),
        wrap(&format!("struct A {{ {} x; }};", repeat("sequence<"))),
        wrap(&format!("struct A {{ {} int8 x; }};", repeat("@key "))),
        wrap(&format!(
            "struct A {{ @a(value={}) int8 x; }};",
            repeat("(")
        )),
        wrap(&format!(
            "struct A {{ @a(value={}) int8 x; }};",
            repeat("\"a\" ")
        )),
        wrap(&format!(
            "struct A {{ @default(value=\"({}1)\") sequence<int8> x; }};",
            repeat("1, ")
        )),
        wrap(&format!(
            "struct A {{ @default(value=\"({})\") sequence<string> x; }};",
            repeat("(\\\"")
        )),
        wrap(&format!(
            "struct A {{ @default(value={}) double x; }};",
            repeat("9")
        )),
        wrap(&format!(
            "struct A {{ @default(value=\"{}\") string x; }};",
            repeat("\\\\")
        )),
        wrap(&format!("struct A {{ {} x; }};", repeat("a::"))),
        repeat("module a {"),
        repeat("{"),
        repeat("};"),
        repeat("/*"),
        repeat("#include <"),
        repeat("\""),
        repeat("'"),
        repeat("@a("),
    ];
    for text in files {
        let start = Instant::now();
        read(&name("p", Kind::Msg, "A"), &text);
        let took = start.elapsed();
        let shown: String = text.chars().take(80).collect();
        // A step too many for every byte would take hours.
        assert!(took < Duration::from_secs(20), "{took:?} for {shown}");
    }
}
