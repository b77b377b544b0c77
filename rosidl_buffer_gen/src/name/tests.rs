//! What is a legal name of what, and the Rust names that come of them.

use super::*;

#[test]
fn package_and_field_names() {
    for name in [
        "f",
        "a1",
        "sensor_msgs",
        "a_1_b",
        "for",
        "struct",
        "self",
        "x2y",
    ] {
        assert!(is_lower_name(name), "{name}");
    }
    for name in [
        "", "_a", "a_", "a__b", "1a", "A", "aB", "a-b", "a b", "é", "a\u{e9}", "_",
    ] {
        assert!(!is_lower_name(name), "{name}");
    }
}

#[test]
fn constant_names() {
    for name in ["F", "A1", "FOO_BAR", "A_1_B"] {
        assert!(is_constant_name(name), "{name}");
    }
    for name in ["", "_A", "A_", "A__B", "1A", "a", "Ab", "A-B", "É"] {
        assert!(!is_constant_name(name), "{name}");
    }
    // ROS 2's own rule needs time exponential in the length of such a name.
    assert!(!is_constant_name(&format!("{}!", "A".repeat(1_000_000))));
}

#[test]
fn message_names() {
    for name in [
        "F",
        "PointCloud2",
        "Foo_Request",
        "Foo_Goal_Request",
        "Sample_Foo",
        "Sample_Foo_Result",
    ] {
        assert!(is_message_name(name), "{name}");
    }
    for name in [
        "",
        "f",
        "1F",
        "Foo_Request_Response",
        "Foo_Event",
        "Foo_SendGoal_Request",
        "Foo_Bar",
        "Sample_",
        "_Request",
        "Foo ",
        "Foö",
        "Sample_Sample_Foo",
    ] {
        assert!(!is_message_name(name), "{name}");
    }
}

#[test]
fn names_of_files() {
    let is_legal = |kind, stem| {
        let package = PackageName::new("p").unwrap();
        InterfaceName::of_file(package, kind, stem).is_some()
    };
    assert!(is_legal(Kind::Msg, "Foo_Request"));
    assert!(is_legal(Kind::Srv, "Foo_Goal"));
    assert!(!is_legal(Kind::Srv, "Foo_Request"));
    assert!(!is_legal(Kind::Action, "Foo_Goal"));
    assert!(!is_legal(Kind::Action, "Foo_Request"));
}

#[test]
fn full_names() {
    let name = InterfaceName::parse("a_b/msg/Foo").unwrap();
    assert_eq!(name.to_string(), "a_b/msg/Foo");
    assert_eq!(InterfaceName::parse("a_b/Foo"), Some(name));
    for text in [
        "a/srv/Foo",
        "a/srv/Foo_Request",
        "a/srv/Foo_Request_Event",
        "a/action/Foo_SendGoal_Request",
        "a/action/Foo_FeedbackMessage",
    ] {
        assert_eq!(InterfaceName::parse(text).unwrap().to_string(), text);
    }
    for text in [
        "Foo",
        "a_b/",
        "/Foo",
        "a_b/xyz/Foo",
        "a_b/msg/Foo_Event",
        "a_b/srv/Foo_Bar_Event",
        "a_b/msg/Foo/x",
        "A/msg/Foo",
        "a_b/msg/foo",
    ] {
        assert_eq!(InterfaceName::parse(text), None, "{text}");
    }
}

#[test]
fn keywords_get_an_underscore() {
    assert_eq!(rust_name("type"), "type_");
    assert_eq!(rust_name("Self"), "Self_");
    assert_eq!(rust_name("union"), "union");
    // Whatever is called plain here must be a name that Rust takes.
    for name in ["self", "super", "crate", "gen", "async", "data"] {
        assert!(
            syn::parse_str::<syn::Ident>(&rust_name(name)).is_ok(),
            "{name}"
        );
    }
}

#[test]
fn module_names_are_those_of_headers() {
    let names = [
        "Image",
        "PointCloud2",
        "ABCDef",
        "UInt8MultiArray",
        "ColorRGBA",
        "Float32",
        "Mod",
        "Type",
        "X",
        "IMUData",
        "Foo_Request",
        "TFMessage",
    ];
    assert_eq!(
        module_names(names),
        [
            "image",
            "point_cloud2",
            "abc_def",
            "u_int8_multi_array",
            "color_rgba",
            "float32",
            "mod_",
            "type_",
            "x",
            "imu_data",
            "foo_request",
            "tf_message",
        ]
    );
    assert_eq!(module_names(["ABC", "Abc", "AbC"]), ["abc", "abc_", "ab_c"]);
}
