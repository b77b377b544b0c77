//! The text that is made of a struct, read back by the generator: the same fields with the same default values.
#![allow(clippy::unwrap_used)]

use std::fs;

use rosidl_buffer_gen::Config;
use rosidl_buffer_runtime::{BoundedString, BufferMessage, Message};

/// What comments, constants, escape sequences, quotes and the ends of lines are made of.
#[derive(Clone, BufferMessage)]
#[ros2(package = "p")]
struct A {
    #[ros2(default = "a # b")]
    comment: String,
    #[ros2(default = "a=b")]
    constant: String,
    #[ros2(default = "=")]
    only_constant: String,
    #[ros2(default = "it's \"it\"")]
    quotes: String,
    #[ros2(default = "'it'")]
    quoted: String,
    #[ros2(default = "C:\\new\\")]
    backslashes: String,
    #[ros2(default = "\\\"")]
    backslash_quote: String,
    #[ros2(default = "\\x41")]
    no_escape: String,
    #[ros2(default = " a\tb ")]
    blanks: String,
    #[ros2(default = "a\nb\rc\u{b}\u{c}\u{1c}d\0")]
    controls: String,
    #[ros2(default = "ä\u{85}日")]
    next_line: String,
    #[ros2(default = "ä\u{2028}日\u{2029}")]
    separators: String,
    #[ros2(default = "Ã\u{85}")]
    nearly_utf8: String,
    #[ros2(default = "ö")]
    bounded: BoundedString<1>,
    #[ros2(default = ["a # b", "a=b", "it's \"it\"", "'it'", "\"it\"", "a, b]", "C:\\new\\", "\\\"", "\\x41"])]
    list: Vec<String>,
    #[ros2(default = ["", " ", " a\t", "\u{3000}b\u{a0}", "a\nb", "\u{85}\u{2028}", "ä", "\\", "'", "\""])]
    blanks_in_list: Vec<String>,
    #[ros2(default = -0)]
    zero: i32,
    #[ros2(default = [-1, 0x10])]
    numbers: [i16; 2],
    #[ros2(default = -0.5)]
    half: f64,
    #[ros2(default = true)]
    truth: bool,
    #[ros2(idl_char, default = 65)]
    letter: u8,
}

#[test]
fn defaults_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p/msg/A.msg");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, A::definition()).unwrap();
    let none: [&str; 0] = [];
    let dump = Config::new()
        .ament_prefixes(none)
        .search_path(folder.path())
        .dump();
    let (lines, _) = dump.unwrap_or_else(|error| panic!("{}", error.render_json()));
    let read: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let defaults = serde_json::to_value(A::default()).unwrap();
    let fields = read["fields"].as_array().unwrap();
    assert_eq!(fields.len(), defaults.as_object().unwrap().len());
    for field in fields {
        let name = field["name"].as_str().unwrap();
        assert_eq!(field["default"], defaults[name], "{name}");
    }
}
