//! Type descriptions, hashes, sources and definitions of hand-written structs.

#![forbid(unsafe_code)] // what the derive emits has to pass
#![allow(clippy::unwrap_used)]

mod common;

use common::{Edge, Image, Nothing, Time};
use rosidl_buffer_runtime::type_description::type_id;
use rosidl_buffer_runtime::{BoundedString, BufferMessage, GeneratedMessage, Message, cdr};

#[test]
fn hashes_equal_those_of_ros() {
    let hash = |text: &str| text.parse().unwrap();
    assert_eq!(
        Image::type_hash(),
        hash("RIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47")
    );
    assert_eq!(
        Nothing::type_hash(),
        hash("RIHS01_20b625256f32d5dbc0d04fee44f43c41e51c70d3502f84b4a08e7a9c26a96312")
    );
    assert_eq!(
        Edge::type_hash(),
        hash("RIHS01_4b50af1188f5aac70938240336427026f83fe01ed15858d72c4c5c1d39b20eac")
    );
    assert_eq!(
        Time::TYPE_HASH,
        Time::type_description().type_hash().to_string(),
        "the attribute says the truth"
    );
    let ids: Vec<u8> = Edge::type_description()
        .type_description
        .fields
        .iter()
        .map(|f| f.field_type.type_id)
        .collect();
    assert_eq!(
        ids,
        [
            160,
            147,
            147,
            99,
            51,
            16,
            3,
            21,
            117,
            66,
            22,
            159,
            10,
            17,
            145,
            type_id::NESTED_TYPE
        ]
    );
}

mod std_msgs {
    #[derive(Debug, Clone, PartialEq, rosidl_buffer_runtime::BufferMessage)]
    #[ros2(package = "std_msgs")]
    pub(super) struct String {
        pub(super) data: std::string::String,
    }
}

mod user {
    use super::std_msgs::String;

    #[derive(Debug, Clone, PartialEq, rosidl_buffer_runtime::BufferMessage)]
    #[ros2(package = "demo_msgs")]
    pub(super) struct Note {
        pub(super) text: String,
    }
}

#[test]
fn a_message_named_string_is_a_message() {
    let description = user::Note::type_description();
    assert_eq!(
        description.referenced_type_descriptions[0].type_name,
        "std_msgs/msg/String"
    );
    let note = user::Note {
        text: std_msgs::String { data: "hi".into() },
    };
    assert_eq!(
        cdr::decode::<user::Note>(&cdr::encode(&note).unwrap()).unwrap(),
        note
    );
}

/// The defaults of `test_msgs/msg/Defaults` and some that are rarer, with the texts that rosidl's own generator gives them.
#[derive(Clone, BufferMessage)]
#[ros2(package = "vec_pkg")]
struct Defaults {
    #[ros2(default = true)]
    bool_value: bool,
    #[ros2(byte, default = 50)]
    byte_value: u8,
    #[ros2(default = 1.125)]
    float32_value: f32,
    #[ros2(default = 0.1)]
    tenth: f32,
    #[ros2(default = 1e-7)]
    small: f64,
    #[ros2(default = -50)]
    int8_value: i8,
    #[ros2(default = 18_446_744_073_709_551_615)]
    uint64_value: u64,
    #[ros2(default = "it's")]
    string_value: String,
    #[ros2(default = ["", "max value", "it's"])]
    strings: Vec<String>,
    #[ros2(default = [1])]
    one: [i32; 1],
    #[ros2(default = [0.0, -1.125])]
    two: Vec<f32>,
    #[ros2(default = [false, true])]
    bools: [bool; 2],
    none: i32,
}

#[test]
fn defaults_are_described_as_python_writes_them() {
    let fields = Defaults::type_description().type_description.fields;
    let defaults: Vec<_> = fields
        .iter()
        .map(|field| field.default_value.as_str())
        .collect();
    assert_eq!(
        defaults,
        [
            "True",
            "50",
            "1.125",
            "0.1",
            "1e-07",
            "-50",
            "18446744073709551615",
            "it's",
            "('', 'max value', \"it's\")",
            "(1,)",
            "(0.0, -1.125)",
            "(False, True)",
            "",
        ]
    );
    assert_eq!(
        Defaults::definition(),
        r#"bool bool_value true
byte byte_value 50
float32 float32_value 1.125
float32 tenth 0.1
float64 small 1e-07
int8 int8_value -50
uint64 uint64_value 18446744073709551615
string string_value "it's"
string[] strings ["", "max value", "it\x27s"]
int32[1] one [1]
float32[] two [0.0, -1.125]
bool[2] bools [false, true]
int32 none
"#
    );
}

#[test]
fn types_of_idl_that_msg_files_have_not() {
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Characters {
        #[ros2(idl_char, default = 65)]
        a: u8,
        #[ros2(idl_char)]
        b: [u8; 2],
        #[ros2(idl_char, bound = 3)]
        c: Vec<u8>,
        #[ros2(wchar)]
        d: u16,
        #[ros2(wchar)]
        e: Vec<u16>,
    }
    let fields = Characters::type_description().type_description.fields;
    let ids: Vec<_> = fields
        .iter()
        .map(|field| field.field_type.type_id)
        .collect();
    assert_eq!(ids, [13, 61, 109, 14, 158]);
    let characters = Characters {
        b: *b"bc",
        c: b"def".to_vec(),
        d: 0x6F22,
        e: vec![0xD83D, 0xDE00],
        ..Characters::default()
    };
    let bytes = cdr::encode(&characters).unwrap();
    assert_eq!(
        bytes[4..],
        [
            65, b'b', b'c', 0, 3, 0, 0, 0, b'd', b'e', b'f', 0, 0x22, 0x6F, 0, 0, 2, 0, 0, 0, 0x3D,
            0xD8, 0x00, 0xDE
        ]
    );
    assert_eq!(cdr::decode::<Characters>(&bytes).unwrap(), characters);
    assert_eq!(
        Characters::definition(),
        "char a 65\nchar[2] b\nchar[<=3] c\nuint16 d\nuint16[] e\n"
    );
}

#[test]
fn hand_written_messages_have_a_definition_all_the_same() {
    assert_eq!(
        Edge::definition(),
        format!(
            "byte[] a
uint8[] b
uint8[] c [1, 2]
uint8[<=16] d
uint8[16] e
byte f 5
uint8 g 65
string<=5 h
string<=5[<=3] i
wstring[2] j
wstring<=7 k
bool[] l [true, false]
float32 m 1.0
string n \"x\"
builtin_interfaces/Time[] o
builtin_interfaces/Duration p
{0}
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
{0}
MSG: builtin_interfaces/Duration
int32 sec
uint32 nanosec
",
            "=".repeat(80)
        )
    );
    assert_eq!(Nothing::definition(), "");
    #[derive(Clone, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Things {
        nothing: Nothing,
        time: Time,
    }
    let separator = "=".repeat(80);
    assert_eq!(
        Things::definition(),
        format!(
            "std_msgs/Empty nothing\nbuiltin_interfaces/Time time\n{separator}\nMSG: std_msgs/Empty\n{separator}\nMSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n"
        )
    );
}

/// ROS 2 compares the length in the file with the bound, escape sequences and all.
#[test]
fn a_default_that_its_file_could_not_hold_is_left_out() {
    #[derive(Clone, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Bounded {
        #[ros2(default = "#")]
        fits: BoundedString<4>,
        #[ros2(default = "#")]
        grown: BoundedString<3>,
        #[ros2(default = "#", string_bound = 4)]
        attribute: String,
        #[ros2(default = "#", string_bound = 3)]
        grown_attribute: String,
        #[ros2(default = ["", "="])]
        list: [BoundedString<4>; 2],
        #[ros2(default = ["", "="])]
        grown_list: Vec<BoundedString<3>>,
        #[ros2(default = "\"\"")]
        quotes: BoundedString<2>,
    }
    assert_eq!(
        Bounded::definition(),
        r#"string<=4 fits "\x23"
string<=3 grown
string<=4 attribute "\x23"
string<=3 grown_attribute
string<=4[2] list ["", "\x3d"]
string<=3[] grown_list
string<=2 quotes "\"\""
"#
    );
}

mod generated {
    use super::BufferMessage;

    const POINT: &str = "# A point\r\nfloat64 x 0.5";
    const POSE: &str = "Point position\n";
    const LINE: &str = "Pose[<=2] ends\nPoint middle\nuint8 kind\n";

    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(
        package = "vec_pkg",
        hash = "RIHS01_0000000000000000000000000000000000000000000000000000000000000000",
        source = "struct Point { @default(value=0.5) double x; };",
        encoding = "idl",
        definition = POINT
    )]
    pub(super) struct Point {
        #[ros2(default = 0.5)]
        pub(super) x: f64,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(
        package = "vec_pkg",
        hash = "RIHS01_0000000000000000000000000000000000000000000000000000000000000000",
        source = POSE
    )]
    pub(super) struct Pose {
        pub(super) position: Point,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(
        package = "vec_pkg",
        hash = "RIHS01_0000000000000000000000000000000000000000000000000000000000000000",
        source = LINE
    )]
    pub(super) struct Line {
        #[ros2(bound = 2)]
        pub(super) ends: Vec<Pose>,
        pub(super) middle: Point,
        pub(super) kind: u8,
    }
}

#[test]
fn definitions_are_constants() {
    use generated::{Line, Point};
    const DEFINITION: &str = Line::DEFINITION;
    let separator = "=".repeat(80);
    assert_eq!(
        DEFINITION,
        format!(
            "Pose[<=2] ends\nPoint middle\nuint8 kind\n{separator}\nMSG: vec_pkg/Pose\nPoint position\n{separator}\nMSG: vec_pkg/Point\n# A point\r\nfloat64 x 0.5"
        ),
        "in the order of first mention, each once, each on lines of its own"
    );
    assert_eq!(DEFINITION, Line::definition());
    assert_eq!(Point::DEFINITION, "# A point\r\nfloat64 x 0.5");

    let sources: Vec<_> = Line::type_sources()
        .into_iter()
        .map(|source| (source.type_name, source.encoding, source.raw_file_contents))
        .collect();
    let source = |name: &str, encoding: &str, text: &str| {
        (
            format!("vec_pkg/msg/{name}"),
            encoding.to_owned(),
            text.to_owned(),
        )
    };
    assert_eq!(
        sources,
        [
            source("Line", "msg", "Pose[<=2] ends\nPoint middle\nuint8 kind\n"),
            source(
                "Point",
                "idl",
                "struct Point { @default(value=0.5) double x; };"
            ),
            source("Pose", "msg", "Point position\n"),
        ]
    );
    assert_eq!(
        Image::type_sources()[0].raw_file_contents.lines().count(),
        7
    );
}

/// This compiles only because no text is looked at before somebody asks for it.
#[test]
fn texts_that_nobody_asks_for_are_not_evaluated() {
    const fn text() -> &'static str {
        panic!("evaluated")
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(
        package = "vec_pkg",
        hash = "RIHS01_0000000000000000000000000000000000000000000000000000000000000000",
        source = text()
    )]
    struct Inner {
        a: u8,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(
        package = "vec_pkg",
        hash = "RIHS01_0000000000000000000000000000000000000000000000000000000000000000",
        source = text()
    )]
    struct Outer {
        items: Vec<Inner>,
        other: Inner,
    }
    let outer = Outer {
        items: vec![Inner { a: 1 }],
        other: Inner { a: 2 },
    };
    assert_eq!(cdr::encode(&outer).unwrap()[4..], [1, 0, 0, 0, 1, 2]);
}
