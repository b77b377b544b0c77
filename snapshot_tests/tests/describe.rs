//! Type descriptions: what the generator says, what generated code says, what ROS 2 installs.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use rosidl_buffer_gen::Config;
use snapshot_tests::{codecs, markers};

fn config() -> Config {
    let none: [&str; 0] = [];
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Config::new()
        .ament_prefixes(none)
        .search_path(here.join("../msg"))
        .search_path(here.join("interfaces"))
}

#[test]
fn generated_code_describes_itself_as_the_generator_does() {
    let none: [&str; 0] = [];
    let (descriptions, _) = config().describe(&none).unwrap();
    let of_codecs = codecs().iter().map(|codec| (codec.name, codec.describe));
    let of_markers = markers()
        .iter()
        .map(|marker| (marker.name, marker.describe));
    let mut with_defaults = 0;
    for (name, describe) in of_codecs.chain(of_markers) {
        let described = describe();
        assert_eq!(Some(&described), descriptions.get(name), "{name}");
        let fields = &described.type_description.fields;
        with_defaults += fields
            .iter()
            .filter(|field| !field.default_value.is_empty())
            .count();
    }
    assert!(
        with_defaults > 50,
        "only {with_defaults} default values were compared"
    );
}

#[test]
fn the_file_that_ros_installs() {
    let (descriptions, _) = config()
        .describe(&["example_interfaces/srv/AddTwoInts"])
        .unwrap();
    let ours = descriptions["example_interfaces/srv/AddTwoInts"].hashed_json();
    assert_eq!(ours, include_str!("../data/installed/AddTwoInts.json"));
}

#[test]
fn default_values_are_written_as_python_prints_them() {
    let (descriptions, _) = config().describe(&["feature_msgs/msg/Everything"]).unwrap();
    let fields = &descriptions["feature_msgs/msg/Everything"]
        .type_description
        .fields;
    let default = |name: &str| {
        let field = fields.iter().find(|field| field.name == name).unwrap();
        field.default_value.as_str()
    };
    for (name, expected) in [
        ("flag", "True"),
        ("i16", "-16"),
        ("u64", "18446744073709551615"),
        ("f32", "1.5"),
        ("f64", "nan"),
        ("text", "it's"),
        ("wide_text", "äöü"),
        ("flags", "(True, False)"),
        ("names", "('a', 'b,c')"),
        ("data", "(1, 2, 3)"),
        ("large", ""),
    ] {
        assert_eq!(default(name), expected, "{name}");
    }
}
