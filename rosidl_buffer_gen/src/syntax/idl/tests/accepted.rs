//! What is understood, and as what.

use super::{member, message, name, read, refused::refusal, struct_of, told, value};
use crate::{
    name::Kind,
    syntax::ast::{Array, Base, Primitive, ValueKind},
};

fn types(member_text: &str) -> Vec<(Base, Option<Array>)> {
    let fields = member(member_text).fields.into_iter();
    fields
        .map(|field| (field.field_type.base, field.field_type.array))
        .collect()
}

fn named(package: &str, kind: Kind, name: &str) -> Base {
    Base::Named {
        package: Some(package.to_owned()),
        kind,
        name: name.to_owned(),
    }
}

#[test]
fn basic_types_have_two_spellings() {
    for (names, primitive) in [
        (&["boolean"][..], Primitive::Bool),
        (&["octet"], Primitive::Byte),
        (&["char"], Primitive::IdlChar),
        (&["wchar"], Primitive::IdlWchar),
        (&["float"], Primitive::Float32),
        (&["double"], Primitive::Float64),
        (&["int8"], Primitive::Int8),
        (&["uint8"], Primitive::Uint8),
        (&["short", "int16"], Primitive::Int16),
        (&["unsigned short", "uint16"], Primitive::Uint16),
        (&["long", "int32"], Primitive::Int32),
        (&["unsigned  long", "uint32"], Primitive::Uint32),
        (&["long\tlong", "int64"], Primitive::Int64),
        (
            &["unsigned /* very */ long // and\n long", "uint64"],
            Primitive::Uint64,
        ),
        (&["string"], Primitive::String),
        (&["wstring"], Primitive::Wstring),
    ] {
        for name in names {
            let base = Base::Primitive(primitive);
            assert_eq!(types(&format!("{name} x;")), [(base, None)], "{name}");
        }
    }
}

#[test]
fn sequences_arrays_and_bounds() {
    let int8 = || Base::Primitive(Primitive::Int8);
    let text = |wide, bound| Base::BoundedText { wide, bound };
    for (text, base, array) in [
        ("sequence<int8> x;", int8(), Array::Unbounded),
        ("sequence < int8 , 3 > x;", int8(), Array::AtMost(3)),
        ("int8 x[3];", int8(), Array::Fixed(3)),
        ("sequence<string<3>>x;", text(false, 3), Array::Unbounded),
        (
            "sequence<string<3>, 4> x;",
            text(false, 3),
            Array::AtMost(4),
        ),
        (
            "sequence<wstring<3>, 4> x;",
            text(true, 3),
            Array::AtMost(4),
        ),
        ("string<7> x [2];", text(false, 7), Array::Fixed(2)),
    ] {
        assert_eq!(types(text), [(base, Some(array))], "{text}");
    }
    assert_eq!(
        types("int8 x, y, z[2];"),
        [
            (int8(), None),
            (int8(), None),
            (int8(), Some(Array::Fixed(2)))
        ]
    );
}

#[test]
fn references() {
    for (written, base) in [
        ("q::msg::B", named("q", Kind::Msg, "B")),
        ("::q::msg::B", named("q", Kind::Msg, "B")),
        ("q :: srv :: B_Request", named("q", Kind::Srv, "B_Request")),
        ("q::action::B_Goal", named("q", Kind::Action, "B_Goal")),
    ] {
        assert_eq!(types(&format!("{written} x;")), [(base, None)], "{written}");
    }
    let (message, told) = struct_of("struct A { B x; };");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("without its modules"), "{told:?}");
    assert_eq!(message.fields.len(), 1);
    for written in [
        "q::B",
        "q::B::c::D",
        "q::msg::b",
        "q::xyz::B",
        "Q::msg::B",
        "b",
        "int",
    ] {
        assert!(refusal(&format!("{written} x;")).is_some(), "{written}");
    }
}

#[test]
fn typedefs_stand_for_types_before_and_behind() {
    let message = message(
        "struct A { five x; some y; three z; names n; many m[2]; };
        typedef long five;
        typedef q::msg::B q__msg__B;
        typedef q__msg__B three[3];
        typedef three also_three;
        typedef sequence<five, 2> some;
        typedef sequence<name> names;
        typedef string<4> name;
        typedef five many;
        typedef five many;",
    );
    let types: Vec<_> = message
        .fields
        .into_iter()
        .map(|field| (field.field_type.base, field.field_type.array))
        .collect();
    let int32 = || Base::Primitive(Primitive::Int32);
    let name = Base::BoundedText {
        wide: false,
        bound: 4,
    };
    assert_eq!(
        types,
        [
            (int32(), None),
            (int32(), Some(Array::AtMost(2))),
            (named("q", Kind::Msg, "B"), Some(Array::Fixed(3))),
            (name, Some(Array::Unbounded)),
            (int32(), Some(Array::Fixed(2))),
        ]
    );
    for (text, part) in [
        ("typedef a b; typedef b a; struct A { a x; };", "typedefs"),
        ("typedef a a; struct A { a x; };", "typedefs"),
        (
            "typedef int8 t[2]; struct A { t x[2]; };",
            "arrays of arrays",
        ),
        (
            "typedef int8 t[2]; struct A { sequence<t> x; };",
            "arrays of arrays",
        ),
        (
            "typedef int8 t; typedef int16 t; struct A { t x; };",
            "another type",
        ),
        ("typedef int8 t, u; struct A { t x; };", "several names"),
        (
            "typedef struct B { int8 x; } t; struct A { int8 x; };",
            "`typedef` of a block",
        ),
        ("@key typedef int8 t; struct A { t x; };", "annotations"),
    ] {
        let told = told(text);
        assert!(
            told.len() == 1 && told[0].contains(part),
            "{text}: {told:?}"
        );
    }
}

#[test]
fn names_are_those_of_ros() {
    // ROS 2's own parser has neither keywords nor rules for case.
    let message =
        member("int8 module; int8 camelCase; int8 X; int8 x__y; int8 type; string string;");
    assert_eq!(message.fields.len(), 6);
}

fn default_of(member_text: &str) -> ValueKind {
    member(member_text).fields.remove(0).default.unwrap().kind
}

fn text_value(text: &str) -> ValueKind {
    ValueKind::Text {
        text: text.to_owned(),
        written: text.chars().count(),
    }
}

#[test]
fn default_values() {
    for (text, value) in [
        ("@default(value=5) int8 x;", ValueKind::Integer(5)),
        ("@ default ( value = -5 ) int8 x;", ValueKind::Integer(-5)),
        ("@default(value=+5) char x;", ValueKind::Integer(5)),
        ("@default(value=TRUE) boolean x;", ValueKind::Bool(true)),
        ("@default(value=0) boolean x;", ValueKind::Bool(false)),
        ("@default(value=1) double x;", ValueKind::Float(1.0)),
        ("@default(value=-1.5) double x;", ValueKind::Float(-1.5)),
        ("@default(value=1.) double x;", ValueKind::Float(1.0)),
        ("@default(value=.5) double x;", ValueKind::Float(0.5)),
        ("@default(value=1e+5) float x;", ValueKind::Float(1e5)),
        ("@default(value=1.5d) double x;", ValueKind::Float(1.5)),
        ("@default(value=2D) double x;", ValueKind::Float(2.0)),
        (
            "@default(value=inf) double x;",
            ValueKind::Float(f64::INFINITY),
        ),
        (
            "@default(value=\"a\" \"\\n\" \"b\") string x;",
            text_value("a\nb"),
        ),
        (
            "@default(value=L\"\\u00e9\" L\"b\") wstring x;",
            text_value("éb"),
        ),
        ("@default(value=\"\") string<3> x;", text_value("")),
        (
            "@default(value=\"; } // \\\" /*\") string x;",
            text_value("; } // \" /*"),
        ),
        ("@default(value=1, other=2) int8 x;", ValueKind::Integer(1)),
        (
            "@default(value=\"()\") sequence<int8> x;",
            ValueKind::List(Vec::new()),
        ),
    ] {
        assert_eq!(default_of(text), value, "{text}");
    }
    let nan = default_of("@default(value=nan) float x;");
    assert!(matches!(nan, ValueKind::Float(nan) if nan.is_nan()));
    for (text, items) in [
        (
            "@default(value=\"(1, -2)\") sequence<int8, 4> x;",
            "Integer(1), Integer(-2)",
        ),
        (
            "@default(value=\"[True, 0]\") boolean x[2];",
            "Bool(true), Bool(false)",
        ),
        (
            "@default(value=\"1, nan\") sequence<float> x;",
            "Float(1.0), Float(NaN)",
        ),
        (
            r#"@default(value="('a\\\\tb', \"it's\")") string x[2];"#,
            r#""a\tb", "it's""#,
        ),
    ] {
        let found = value(member(text).fields[0].default.as_ref().unwrap());
        assert_eq!(found, items, "{text}");
    }
    for text in [
        "@default(value=1.5) int8 x;",
        "@default(value=\"5\") int8 x;",
        "@default(value=TRUE) int8 x;",
        "@default(value=2) boolean x;",
        "@default(value=-TRUE) boolean x;",
        "@default(value=N) int8 x;",
        "@default(value=N) string x;",
        "@default(value=5) string x;",
        "@default(value=\"x\") double x;",
        "@default(value=5) sequence<int8> x;",
        "@default(value=\"5\") sequence<int8> x;",
        "@default(value=\"(1.5,)\") sequence<int8> x;",
        "@default(value=\"('1',)\") sequence<int8> x;",
        "@default(value=\"(true,)\") sequence<boolean> x;",
        "@default(value=\"(a,)\") sequence<string> x;",
        "@default(value=1) q::msg::B x;",
        "@default(value=\"\\x4\") string x;",
        "@default(value=09) int8 x;",
        "@default(value=999999999999999999999999999999999999999999) double x;",
    ] {
        assert!(refusal(text).is_some(), "{text}");
    }
    for text in [
        "@default(5) int8 x;",
        "@default int8 x;",
        "@default(valeu=5) int8 x;",
    ] {
        let (_, told) = struct_of(&format!("struct A {{ {text} }};"));
        assert!(
            told[0].contains("does not find a value"),
            "{text}: {told:?}"
        );
    }
}

#[test]
fn annotations_become_comments_and_units() {
    let message = message(
        r#"@verbatim(language="comment", text="one" "\n" "two \"2\"\n\n" "three")
        @verbatim(language="c++", text="not this")
        struct A {
            @key @range(min=1, max=2) @foo::bar("x") @unit(value="m")
            @verbatim(text="before", language="comment")
            @verbatim(language="comment", text="behind")
            int8 x;
            @unit("s") int8 y, z;
        };"#,
    );
    assert_eq!(message.comment.lines, ["one", "two \"2\"", "", "three"]);
    assert_eq!(message.fields[0].comment.lines, ["before", "behind"]);
    let units: Vec<_> = message
        .fields
        .iter()
        .map(|field| field.comment.unit.as_deref())
        .collect();
    assert_eq!(units, [Some("m"), Some("s"), Some("s")]);
    let (_, told) = struct_of("struct A { @default(value=1) @default(value=2) int8 x; };");
    assert!(told[0].contains("already"), "{told:?}");
}

#[test]
fn constants_are_in_their_module() {
    let found = message(
        r#"module A_Constants {
            @verbatim(language="comment", text="c") const long A = -1;
            const float B = 1;
            const boolean C = FALSE;
            const string<2> D = "abc" "d";
            const wstring E = L"w";
            const wstring F = "w";
            const octet G = 255;
            const char lower = 65;
            const unsigned long long I = 18446744073709551615;
        };
        struct A { int8 x; };"#,
    );
    let constants: Vec<_> = found
        .constants
        .iter()
        .map(|constant| (constant.primitive, value(&constant.value)))
        .collect();
    let expected = [
        (Primitive::Int32, "Integer(-1)"),
        (Primitive::Float32, "Float(1.0)"),
        (Primitive::Bool, "Bool(false)"),
        (Primitive::String, "\"abcd\""),
        (Primitive::Wstring, "\"w\""),
        (Primitive::Wstring, "\"w\""),
        (Primitive::Byte, "Integer(255)"),
        (Primitive::IdlChar, "Integer(65)"),
        (Primitive::Uint64, "Integer(18446744073709551615)"),
    ];
    let expected = expected.map(|(primitive, value)| (primitive, value.to_owned()));
    assert_eq!(constants, expected);
    assert_eq!(found.constants[0].comment.lines, ["c"]);
    // ROS 2 asks for the last module alone, and finds it anywhere.
    let text = "module p { module msg { struct A { int8 x; }; }; }; module A_Constants { const int8 B = 1; };";
    let (messages, told) = read(&name("p", Kind::Msg, "A"), text);
    assert_eq!((messages[0].constants.len(), told.len()), (1, 0));

    for constant in [
        "const int8 A = 'a';",
        "const int8 A = B;",
        "const B A = 1;",
        "const fixed A = 1.5d;",
        "const sequence<int8> A = 1;",
        "const int8 A = 1 + 2;",
        "const int8 A = \"x\";",
        "const int8 A;",
        "const int8 A_ = 1;",
        "const long double A = 1.0;",
    ] {
        let text = format!("module A_Constants {{ {constant} }}; struct A {{ int8 x; }};");
        let (_, told) = struct_of(&text);
        assert_eq!(told.len(), 1, "{constant}");
    }
    let (messages, told) = read(
        &name("p", Kind::Msg, "A"),
        "const int8 B = 1; module p { module msg { struct A { int8 x; }; }; };",
    );
    assert_eq!((messages[0].constants.len(), told.len()), (0, 1));
}

#[test]
fn a_struct_without_fields() {
    let message = member("uint8 structure_needs_at_least_one_member;");
    assert!(message.fields.is_empty());
    let message = member("uint8 structure_needs_at_least_one_member; int8 x;");
    assert_eq!(message.fields.len(), 2);
}

#[test]
fn the_two_files_of_ros() {
    let text = "module a {\n    module msg {\n        struct B {\n            // Unbounded sequences\n            sequence<char> char_sequence_unbounded;\n        };\n    };\n};";
    let (messages, told) = read(&name("a", Kind::Msg, "B"), text);
    assert!(told.is_empty(), "{told:?}");
    let field = &messages[0].fields[0];
    assert_eq!(field.field_type.base, Base::Primitive(Primitive::IdlChar));
    assert_eq!(field.field_type.array, Some(Array::Unbounded));
    assert_eq!(&text[field.name.span.clone()], "char_sequence_unbounded");
    assert_eq!(&text[field.field_type.span.clone()], "sequence<char>");
}
