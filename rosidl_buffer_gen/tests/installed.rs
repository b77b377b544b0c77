//! Type hashes that ROS 2 installed beside interface files are compared with ours.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use rosidl_buffer_gen::{Config, Error};

const NONE: [&str; 0] = [];

fn config(search: &Path) -> Config {
    Config::new()
        .ament_prefixes(NONE)
        .cargo_metadata(false)
        .search_path(search)
}

fn file(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The hashed description of a type, as ROS 2 installs it.
fn description(config: &Config, name: &str) -> String {
    let (found, _) = config.describe(&[name]).unwrap();
    found[name].hashed_json()
}

/// What is wrong, in one line each.
fn errors(result: Result<impl Sized, Error>) -> Vec<String> {
    let error = result.err().unwrap();
    let lines = error.render_json();
    let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let text = |value: &serde_json::Value, name: &str| value[name].as_str().unwrap().to_owned();
    let lines = lines.lines().map(|line| {
        let value = value(line);
        let [code, message, help] = ["code", "message", "help"].map(|name| text(&value, name));
        format!("{code}: {message} ({help})")
    });
    lines.collect()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

const ADD_TWO_INTS: &str = "int64 a\nint64 b\n---\nint64 sum\n";

/// Made by ROS 2.
const OFFICIAL: &str = include_str!("../../snapshot_tests/data/installed/AddTwoInts.json");

#[test]
fn what_ros2_installed_is_ours() {
    let folder = folder();
    let srv = "example_interfaces/srv";
    file(
        folder.path(),
        &format!("{srv}/AddTwoInts.srv"),
        ADD_TWO_INTS,
    );
    file(folder.path(), &format!("{srv}/AddTwoInts.json"), OFFICIAL);
    config(folder.path()).type_hashes(&NONE).unwrap();
}

#[test]
fn another_version_of_the_file() {
    let folder = folder();
    let at = folder.path();
    let text = ADD_TWO_INTS.replace("sum", "total");
    file(at, "example_interfaces/srv/AddTwoInts.srv", &text);
    file(at, "example_interfaces/srv/AddTwoInts.json", OFFICIAL);
    let result = config(at).type_hashes(&NONE);
    let text = result.as_ref().err().unwrap().to_string();
    assert!(
        text.contains("AddTwoInts.json:"),
        "a place in the file: {text}"
    );
    let errors = errors(result);
    assert_eq!(errors.len(), 1, "{errors:?}");
    for part in [
        "hash_mismatch: the type hash of `example_interfaces/srv/AddTwoInts` is RIHS01_",
        ", but RIHS01_e118de6bf5eeb66a2491b5bda11202e7b68f198d6f67922cf30364858239c81a is installed (",
        "example_interfaces/srv/AddTwoInts.srv is not what ROS 2 built `example_interfaces` from",
    ] {
        assert!(errors[0].contains(part), "{part}: {errors:?}");
    }
}

#[test]
fn another_version_of_a_type_that_is_referred_to() {
    let folder = folder();
    let at = folder.path();
    for (name, text) in [
        ("A", "builtin_interfaces/Time t\n"),
        ("B", "A a\n"),
        ("C", "B b\nuint8 x\n"),
        ("D", "uint8 x\n"),
    ] {
        file(at, &format!("ws/p/msg/{name}.msg"), text);
    }
    let ws = at.join("ws");
    for name in ["A", "B", "C", "D"] {
        let json = description(&config(&ws), &format!("p/msg/{name}"));
        file(&ws, &format!("p/msg/{name}.json"), &json);
    }
    config(&ws).type_hashes(&NONE).unwrap();
    file(
        at,
        "overlay/builtin_interfaces/msg/Time.msg",
        "int64 nanoseconds\n",
    );
    let overlaid = config(&ws).search_path(at.join("overlay"));
    let found = errors(overlaid.type_hashes(&["p/msg/D"]));
    assert_eq!(found.len(), 1, "one cause: {found:?}");
    for part in [
        "hash_mismatch: the type hash of `p/msg/A`",
        "what differs first is `builtin_interfaces/msg/Time`, read from ",
        "overlay/builtin_interfaces (hides bundled): RIHS01_",
        ", and RIHS01_b106235e25a4c5ed35098aa0a61a3ee9c9b18d197f398b0e4206cea9acf9c197 where `p` was built",
        "It is the same with 2 more files of hashes",
    ] {
        assert!(found[0].contains(part), "{part}: {found:?}");
    }
    file(&ws, "p/msg/A.msg", "builtin_interfaces/Time time\n");
    let found = errors(config(&ws).dump());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("of `p/msg/A`") && found[0].contains("2 more"),
        "{found:?}"
    );
    let found = errors(config(&ws).check(&[ws.join("p")]));
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn only_a_part_of_the_file_is_wrong() {
    let folder = folder();
    let at = folder.path();
    let of_response = "de5c030d4af33cba2749310b249737b631594703f9300495f48bffb2b44dcc2f";
    assert!(OFFICIAL.contains(of_response));
    let json = OFFICIAL.replace(of_response, &"0".repeat(64));
    file(at, "example_interfaces/srv/AddTwoInts.srv", ADD_TWO_INTS);
    file(at, "example_interfaces/srv/AddTwoInts.json", &json);
    let errors = errors(config(at).type_hashes(&NONE));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("of `example_interfaces/srv/AddTwoInts_Response`"),
        "{errors:?}"
    );
}

#[test]
fn files_that_cannot_be_understood() {
    let folder = folder();
    let at = folder.path();
    file(at, "p/msg/A.msg", "uint8 x\n");
    let right = description(&config(at), "p/msg/A");
    let deep = "[".repeat(1_000_000);
    let other = r#"{"type_hashes": [{"type_name": "p/msg/B", "hash_string": "RIHS01_x"}]}"#;
    let without = r#"{"type_hashes": []}"#;
    for (text, why) in [
        ("", "EOF while parsing"),
        ("{", "EOF while parsing"),
        (deep.as_str(), "recursion limit"),
        ("[1, 2]", "no list `type_hashes`"),
        (without, "do not have `p/msg/A`"),
        (other, "the hash of `p/msg/B`: a type hash has 64"),
    ] {
        file(at, "p/msg/A.json", text);
        let errors = errors(config(at).type_hashes(&NONE));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].starts_with("unreadable: cannot read type hashes from "),
            "{errors:?}"
        );
        assert!(
            errors[0].contains(why) && errors[0].contains("or remove the file"),
            "{errors:?}"
        );
    }
    file(at, "p/msg/A.json", &right);
    config(at).type_hashes(&NONE).unwrap();
    fs::remove_file(at.join("p/msg/A.json")).unwrap();
    fs::create_dir(at.join("p/msg/A.json")).unwrap();
    assert!(errors(config(at).type_hashes(&NONE))[0].contains("not a regular file"));
}

#[test]
fn a_file_that_changed_is_compared_again() {
    let folder = folder();
    let at = folder.path();
    file(at, "ws/p/msg/A.msg", "uint8 x\n");
    let config = config(&at.join("ws")).out_dir(at.join("out"));
    let json = description(&config, "p/msg/A");
    assert_ne!(config.generate().unwrap().files_written(), 0);
    file(at, "ws/p/msg/A.json", &json);
    assert_eq!(config.generate().unwrap().files_written(), 0);
    file(at, "ws/p/msg/A.json", &format!("{json}x"));
    assert!(errors(config.generate())[0].starts_with("unreadable: "));
}
