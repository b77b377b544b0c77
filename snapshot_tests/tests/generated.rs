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
            "service_msgs",
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

#[test]
fn services_and_actions() {
    let out = tempfile::tempdir().unwrap();
    let config = config().package("example_interfaces").out_dir(out.path());
    config.generate().unwrap();
    let file = |name: &str| read(out.path(), &format!("example_interfaces/{name}"));
    insta::assert_snapshot!("add_two_ints", file("srv/add_two_ints.rs"));
    insta::assert_snapshot!("fibonacci", file("action/fibonacci.rs"));
    insta::assert_snapshot!("srv_mod", file("srv/mod.rs"));
    assert!(
        out.path()
            .join("service_msgs/msg/service_event_info.rs")
            .is_file()
    );
}

#[test]
fn settings_by_pattern() {
    let out = tempfile::tempdir().unwrap();
    config()
        .package("geometry_msgs")
        .only("geometry_msgs/msg/PoseStamped")
        .only("geometry_msgs/msg/T*")
        .except("geometry_msgs/msg/Transform*")
        .derive("geometry_msgs/msg/*", "Copy, PartialEq")
        .derive("*/msg/Point", "::core::cmp::PartialOrd")
        .type_attribute("**/Pose", "#[must_use]")
        .field_attribute("*/msg/Pose.position", "#[doc(alias = \"xyz\")]")
        .type_names(|name| (name == "geometry_msgs/msg/Pose").then(|| "Pose3".to_owned()))
        .field_names(|name| {
            (name == "geometry_msgs/msg/Pose.orientation").then(|| "turn".to_owned())
        })
        .out_dir(out.path())
        .generate()
        .unwrap();
    insta::assert_snapshot!("by_pattern", read(out.path(), "geometry_msgs/msg/pose.rs"));
    let modules = read(out.path(), "geometry_msgs/msg/mod.rs");
    let modules: Vec<_> = modules
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(
        modules,
        [
            "point",
            "pose",
            "pose_stamped",
            "quaternion",
            "twist",
            "twist_stamped",
            "twist_with_covariance",
            "twist_with_covariance_stamped",
            "vector3"
        ]
    );
    assert!(read(out.path(), "geometry_msgs/msg/pose_stamped.rs").contains("super::Pose3"));
    assert!(read(out.path(), "geometry_msgs/msg/point.rs").contains("::core::cmp::PartialOrd,"));
    // Of std_msgs only the header is left.
    assert_eq!(
        fs::read_dir(out.path().join("std_msgs/msg"))
            .unwrap()
            .count(),
        2
    );
}

#[test]
fn a_view_that_cannot_have_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let msg = folder.path().join("src/p/msg");
    fs::create_dir_all(&msg).unwrap();
    for name in ["Image", "ImageRef", "ImageRefRef"] {
        fs::write(msg.join(format!("{name}.msg")), "int8 x").unwrap();
    }
    let out = folder.path().join("out");
    config()
        .search_path(folder.path().join("src"))
        .out_dir(&out)
        .generate()
        .unwrap();
    let text = |name: &str| read(&out, &format!("p/msg/{name}.rs"));
    assert!(text("image").contains("view = ImageRef_,"));
    assert!(text("image_ref").contains("view = ImageRefRef_,"));
    assert!(text("image_ref_ref").contains(" view,"));
}

#[test]
fn only_what_changed_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let msg = folder.path().join("src/p/msg");
    fs::create_dir_all(&msg).unwrap();
    let write = |name: &str, text: &str| fs::write(msg.join(name), text).unwrap();
    write("A.msg", "int8 x");
    write("B.msg", "A a");
    write("C.msg", "");
    let out = folder.path().join("out");
    let run = || {
        let config = config()
            .search_path(folder.path().join("src"))
            .out_dir(&out);
        let report = config.generate().unwrap();
        (report.files_written(), report.files_unchanged())
    };
    let times = || -> Vec<_> {
        let files = [
            "interfaces.rs",
            "p/mod.rs",
            "p/msg/mod.rs",
            "p/msg/a.rs",
            "p/msg/b.rs",
        ];
        files
            .map(|file| fs::metadata(out.join(file)).unwrap().modified().unwrap())
            .to_vec()
    };
    assert_eq!(run(), (6, 0));
    let before = times();
    assert_eq!(run(), (0, 6));
    assert_eq!(times(), before);
    // A comment changes one file.
    write("A.msg", "int8 x # a number");
    assert_eq!(run(), (1, 5));
    assert_eq!(run(), (0, 6));
    // What somebody did to the output is put right.
    fs::write(out.join("p/msg/b.rs"), "nonsense").unwrap();
    assert_eq!(run(), (1, 5));
    fs::remove_file(out.join("p/msg/b.rs")).unwrap();
    assert_eq!(run(), (1, 5));
    // A package in front of another, and an interface less.
    fs::remove_file(msg.join("C.msg")).unwrap();
    assert_eq!(run(), (1, 4));
    assert!(!out.join("p/msg/c.rs").exists());
    // Errors are told every time, and what was generated before does not count as right.
    write("A.msg", "int8");
    let failing = config()
        .search_path(folder.path().join("src"))
        .out_dir(&out);
    assert!(failing.generate().is_err() && failing.generate().is_err());
    write("A.msg", "int8 x # a number");
    assert_eq!(run(), (0, 5));
}

#[test]
fn what_the_files_mean() {
    let (lines, _) = config().search_path(feature_msgs()).dump().unwrap();
    let pretty = lines.lines().map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        serde_json::to_string_pretty(&value).unwrap() + "\n"
    });
    insta::assert_snapshot!("model", pretty.collect::<String>());
}

/// Generates from these files.
fn generated(files: &[(&str, &str)], set: impl Fn(Config) -> Config) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join("src").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let config = config().search_path(folder.path().join("src"));
    set(config)
        .out_dir(folder.path().join("out"))
        .generate()
        .unwrap();
    folder
}

#[test]
fn packages_called_like_files() {
    let files = [
        ("interfaces/msg/A.msg", ""),
        ("lib/msg/A.msg", "interfaces/A a"),
        ("bin/msg/A.msg", ""),
    ];
    let folder = generated(&files, |config| config);
    let root = read(folder.path(), "out/interfaces.rs");
    for name in ["interfaces", "lib", "bin"] {
        assert!(
            root.contains(&format!("#[path = \"{name}_/mod.rs\"]\npub mod {name};")),
            "{root}"
        );
        assert!(
            folder
                .path()
                .join(format!("out/{name}_/msg/a.rs"))
                .is_file()
        );
    }
    let text = read(folder.path(), "out/lib_/msg/a.rs");
    assert!(
        text.contains("super::super::super::interfaces::msg::A"),
        "{text}"
    );
}

#[test]
fn what_idl_files_may_call_things_and_refer_to() {
    let constants = "module p { module msg { module K_Constants { const int32 type = 5; const int32 Self = 3; }; struct K { int32 structure_needs_at_least_one_member; }; }; };";
    let service = "#include <x>\nmodule p { module srv { struct S_Request { p::srv::Q_Request q; }; struct S_Response { int8 x; }; }; };";
    let files = [
        ("p/msg/K.idl", constants),
        ("p/srv/S.idl", service),
        ("p/srv/Q.srv", "Part part\n---\n"),
        ("p/msg/Part.msg", "int8 x"),
        ("p/msg/Other.msg", ""),
    ];
    let all = generated(&files, |config| config);
    let text = read(all.path(), "out/p/msg/k.rs");
    for part in [
        "pub const type_: i32 = 5;",
        "pub const Self_: i32 = 3;",
        "pub structure_needs_at_least_one_member: i32",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let only = generated(&files, |config| config.package("p").only("p/srv/S"));
    assert_eq!(
        read(only.path(), "out/p/srv/s.rs"),
        read(all.path(), "out/p/srv/s.rs")
    );
    assert!(
        only.path().join("out/p/srv/q.rs").is_file()
            && only.path().join("out/p/msg/part.rs").is_file()
    );
    assert!(!only.path().join("out/p/msg/other.rs").exists());
}
