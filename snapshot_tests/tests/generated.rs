//! What the generated code looks like.
#![allow(clippy::unwrap_used, clippy::format_collect)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use rosidl_buffer_gen::{Config, RuntimeSource};

/// The package `feature_msgs`, which the library of this crate compiles too.
fn feature_msgs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interfaces/feature_msgs")
}

fn config() -> Config {
    let none: [&str; 0] = [];
    Config::new().ament_prefixes(none).cargo_metadata(false)
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap()
}

#[test]
fn a_message_with_every_feature() {
    let out = tempfile::tempdir().unwrap();
    config()
        .search_path(feature_msgs())
        .buffer_fields("feature_msgs/msg/Everything.*samples")
        .buffer_fields("*/msg/*.some_data")
        .buffer_fields("feature_msgs/msg/Everything.some_octets")
        .out_dir(out.path())
        .generate()
        .unwrap();
    let file = |name: &str| read(out.path(), &format!("feature_msgs/{name}"));
    insta::assert_snapshot!("everything", file("msg/everything.rs"));
    insta::assert_snapshot!("part", file("msg/part.rs"));
    insta::assert_snapshot!("self", file("msg/self_.rs"));
    insta::assert_snapshot!("nothing", file("msg/nothing.rs"));
    insta::assert_snapshot!("msg_mod", file("msg/mod.rs"));
    insta::assert_snapshot!("package_mod", file("mod.rs"));
    insta::assert_snapshot!("interfaces", read(out.path(), "interfaces.rs"));
}

#[test]
fn bundled_image() {
    let out = tempfile::tempdir().unwrap();
    let generate = |config: Config| {
        config
            .package("sensor_msgs")
            .out_dir(out.path())
            .generate()
            .unwrap()
    };
    let report = generate(config());
    let packages: Vec<_> = report.packages().collect();
    assert_eq!(
        packages,
        [
            "builtin_interfaces",
            "geometry_msgs",
            "sensor_msgs",
            "std_msgs"
        ]
        .map(|name| (name, "bundled"))
    );
    insta::assert_snapshot!("image", read(out.path(), "sensor_msgs/msg/image.rs"));
    let again = generate(config());
    assert_eq!(
        (again.files_written(), again.files_unchanged()),
        (0, report.files_written())
    );
}

#[test]
fn types_from_other_crates() {
    let out = tempfile::tempdir().unwrap();
    config()
        .search_path(feature_msgs())
        .extern_bundled()
        .extern_path("std_msgs", "crate::ros::std_msgs")
        .out_dir(out.path())
        .generate()
        .unwrap();
    let everything = read(out.path(), "feature_msgs/msg/everything.rs");
    assert!(
        everything.contains("pub header: crate::ros::std_msgs::msg::Header,"),
        "{everything}"
    );
    assert!(
        everything.contains("::rosidl_buffer_interfaces::builtin_interfaces::msg::Time,"),
        "{everything}"
    );
    let mut folders: Vec<_> = fs::read_dir(out.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    folders.sort();
    assert_eq!(folders, ["feature_msgs", "interfaces.rs"]);
}

#[test]
fn a_cargo_package() {
    let out = tempfile::tempdir().unwrap();
    let generate = |runtime| {
        let config = config().search_path(feature_msgs()).out_dir(out.path());
        config.crate_package("my-msgs", runtime).generate().unwrap();
        read(out.path(), "Cargo.toml")
    };
    insta::assert_snapshot!(
        "cargo_toml",
        generate(RuntimeSource::Version("0.1".to_owned()))
    );
    insta::assert_snapshot!("lib", read(out.path(), "src/lib.rs"));
    assert!(out.path().join("src/std_msgs/msg/header.rs").is_file());
    let by_path = generate(RuntimeSource::Path("/a \"b\"/runtime".into()));
    assert!(
        by_path.contains(r#"rosidl_buffer_runtime = { path = "/a \"b\"/runtime" }"#),
        "{by_path}"
    );
}
