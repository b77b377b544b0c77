//! What the ament package asks of the program, without ROS 2: arguments as it writes them, prefixes as it
//! installs them.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use rosidl_buffer_gen::{Config, Error, Report, ament};
use serde_json::{Value, json};
use tempfile::TempDir;

const NONE: [&str; 0] = [];

fn file(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// An error without line breaks and drawings.
fn told(error: &Error) -> String {
    error.render_json()
}

/// Installs a package as rosidl does, without the IDL that it makes of the files.
fn install(prefix: &Path, package: &str, files: &[(&str, &str)]) {
    let index = "share/ament_index/resource_index";
    let lines: Vec<_> = files.iter().map(|(path, _)| *path).collect();
    file(prefix, &format!("{index}/packages/{package}"), "");
    let listed = format!("{index}/rosidl_interfaces/{package}");
    file(prefix, &listed, &lines.join("\n"));
    for (path, text) in files {
        file(prefix, &format!("share/{package}/{path}"), text);
    }
    let manifest = format!("<name>{package}</name><version>2.0.1</version><license>BSD</license>");
    file(prefix, &format!("share/{package}/package.xml"), &manifest);
}

/// A prefix with two packages, the sources of a third, and the arguments for it.
struct Build {
    folder: TempDir,
    arguments: Value,
}

impl Build {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("install");
        let time = ("msg/Time.msg", "int32 sec\nuint32 nanosec\n");
        install(&prefix, "builtin_interfaces", &[time]);
        let header = "builtin_interfaces/Time stamp\nstring frame_id\n";
        install(&prefix, "std_msgs", &[("msg/Header.msg", header)]);
        let source = folder.path().join("src/demo_msgs");
        let frame = "# A picture.\nstd_msgs/Header header\nchar[] data # bytes\n";
        file(&source, "msg/Frame.msg", frame);
        file(&source, "srv/Grab.srv", "bool now\n---\nFrame frame\n");
        let idl = "module demo_msgs { module msg { struct Gain { double value; }; }; };";
        file(&source, "msg/Gain.idl", idl);
        let manifest = "<version>1.2.3</version><license>Apache License 2.0</license>";
        file(&source, "package.xml", manifest);
        let at = |path: &str| folder.path().join(path).to_str().unwrap().to_owned();
        let arguments = json!({
            "package_name": "demo_msgs",
            "output_dir": at("build/demo_msgs_buffer"),
            "idl_tuples": [
                at("build/rosidl_adapter/demo_msgs:msg/Frame.idl"),
                at("build/rosidl_adapter/demo_msgs:srv/Grab.idl"),
                at("src/demo_msgs:msg/Gain.idl"),
            ],
            "ros_interface_files": [
                at("src/demo_msgs/msg/Frame.msg"),
                at("src/demo_msgs/srv/Grab.srv"),
                at("build/rosidl_cmake/srv/Grab_Request.msg"),
                at("build/rosidl_cmake/srv/Grab_Response.msg"),
            ],
            "ros_interface_dependencies": [
                format!("std_msgs:{}", at("install/share/std_msgs/msg/Header.idl")),
                format!("builtin_interfaces:{}", at("install/share/builtin_interfaces/msg/Time.idl")),
            ],
            "target_dependencies": [],
        });
        Self { folder, arguments }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn run(&self) -> Result<Report, Error> {
        let arguments = self.path("arguments.json");
        fs::write(&arguments, self.arguments.to_string()).unwrap();
        let manifest = self.path("src/demo_msgs/package.xml");
        ament::generate(&arguments, Some(&manifest), Some(&self.path("build/stamp")))
    }

    /// What was written, by path.
    fn written(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let out = self.path("build/demo_msgs_buffer");
        let mut folders = vec![out.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with(".rosidl_buffer_gen") {
                    let name = path.strip_prefix(&out).unwrap().to_str().unwrap();
                    found.insert(name.to_owned(), fs::read_to_string(&path).unwrap());
                }
            }
        }
        found
    }
}

#[test]
fn the_crate_of_a_package() {
    let build = Build::new();
    let report = build.run().unwrap();
    let written = build.written();
    assert_eq!(report.files_written(), written.len());
    let files = written
        .iter()
        .filter(|(name, _)| *name != "src/msg/gain.rs");
    let files = files.map(|(name, text)| format!("==> {name}\n{text}\n"));
    insta::assert_snapshot!(files.collect::<String>());
    let again = build.run().unwrap();
    assert_eq!(
        (again.files_written(), again.files_unchanged()),
        (0, written.len())
    );
}

#[test]
fn the_stamp_has_the_time_of_the_last_run_that_went_well() {
    let build = Build::new();
    let stamp = build.path("build/stamp");
    let message = build.path("src/demo_msgs/msg/Frame.msg");
    let right = fs::read_to_string(&message).unwrap();
    fs::write(&message, "uint8 Wrong\n").unwrap();
    build.run().unwrap_err();
    assert!(!stamp.exists());
    fs::write(&message, right).unwrap();
    build.run().unwrap();
    // As if the files had been touched since: nothing is written, and the next run has nothing to do.
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    let old = fs::File::options().write(true).open(&stamp).unwrap();
    old.set_modified(long_ago).unwrap();
    assert_eq!(build.run().unwrap().files_written(), 0);
    let time = fs::metadata(&stamp).unwrap().modified().unwrap();
    assert!(time >= fs::metadata(&message).unwrap().modified().unwrap());
    fs::remove_file(&stamp).unwrap();
    fs::create_dir(&stamp).unwrap();
    let error = told(&build.run().unwrap_err());
    assert!(
        error.contains("cannot write") && error.contains("stamp"),
        "{error}"
    );
}

#[test]
fn the_package_of_service_events() {
    // Since Iron it is among the packages below every one with a service.
    let mut build = Build::new();
    let text = "uint8 event_type\nbuiltin_interfaces/Time stamp\nchar[16] client_gid\nint64 sequence_number\n";
    let file = ("msg/ServiceEventInfo.msg", text);
    install(&build.path("install"), "service_msgs", &[file]);
    let idl = build.path("install/share/service_msgs/msg/ServiceEventInfo.idl");
    let dependencies = build.arguments["ros_interface_dependencies"]
        .as_array_mut()
        .unwrap();
    dependencies.push(json!(format!("service_msgs:{}", idl.display())));
    build.run().unwrap();
    let written = build.written();
    let service = &written["src/srv/grab.rs"];
    assert!(
        service.contains("event_info = ::service_msgs_buffer::msg::ServiceEventInfo"),
        "{service}"
    );
    let manifest = &written["Cargo.toml"];
    assert!(
        manifest.contains("\nservice_msgs_buffer = \"*\"\n"),
        "{manifest}"
    );
    assert!(
        manifest.contains("\n    \"service_msgs_buffer/serde\",\n"),
        "{manifest}"
    );
}

#[test]
fn what_ros2_computed_in_the_same_build() {
    let mut build = Build::new();
    let none = Config::new().ament_prefixes(NONE).cargo_metadata(false);
    let config = none
        .search_path(build.path("src/demo_msgs"))
        .search_path(build.path("install"));
    let (descriptions, _) = config.describe(&["demo_msgs/msg/Frame"]).unwrap();
    let right = descriptions["demo_msgs/msg/Frame"].hashed_json();
    let json = build.path("build/types/msg/Frame.json");
    file(&build.path("build"), "types/msg/Frame.json", &right);
    build.arguments["type_description_tuples"] =
        json!([format!("msg/Frame.idl:{}", json.display())]);
    build.run().unwrap();

    let written = build.written();
    let hash = descriptions["demo_msgs/msg/Frame"].type_hash().to_string();
    let other = format!("RIHS01_{}", "0".repeat(64));
    fs::write(&json, right.replace(&hash, &other)).unwrap();
    let error = told(&build.run().unwrap_err());
    for part in [
        &format!(
            "the type hash of `demo_msgs/msg/Frame` is {hash}, but {other} is what ROS 2 computed"
        ),
        json.to_str().unwrap(),
        build.path("src/demo_msgs/msg/Frame.msg").to_str().unwrap(),
        "remove the package's build folder and build again",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(build.written(), written, "what was there is left alone");
}

#[test]
fn nothing_is_written_if_something_is_wrong() {
    let mut build = Build::new();
    build.arguments["ros_interface_dependencies"] = json!([]);
    let error = told(&build.run().unwrap_err());
    for part in [
        "there is no package `std_msgs`",
        "Frame.msg",
        "DEPENDENCIES of rosidl_generate_interfaces()",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let build = Build::new();
    file(
        &build.path("src/demo_msgs"),
        "msg/Frame.msg",
        "uint8 Wrong\n",
    );
    let error = told(&build.run().unwrap_err());
    assert!(
        error.contains("Frame.msg") && error.contains("field names are lower case"),
        "{error}"
    );
    fs::write(
        build.path("src/demo_msgs/package.xml"),
        "<version>1</version>",
    )
    .unwrap();
    let error = told(&build.run().unwrap_err());
    assert!(
        error.contains("package.xml has no version like 1.2.3"),
        "{error}"
    );
    assert!(build.written().is_empty());
    let missing = build.path("missing.json");
    let error = told(&ament::generate(&missing, None, None).unwrap_err());
    assert!(
        error.contains("missing.json") && error.contains("configure the package again"),
        "{error}"
    );
}

#[test]
fn crates_for_packages_that_were_built_without_us() {
    let build = Build::new();
    let prefix = build.path("install");
    let image = [("msg/Image.msg", "std_msgs/Header header\nuint8[] data\n")];
    install(&prefix, "sensor_msgs", &image);
    install(&prefix, "other_msgs", &[("msg/Other.msg", "int8 x\n")]);
    let other = build.path("with_us");
    file(
        &other,
        "share/ament_index/resource_index/rust_packages/builtin_interfaces_buffer",
        "",
    );
    file(
        &other,
        "share/builtin_interfaces_buffer/rust/Cargo.toml",
        "",
    );
    let out = build.path("out");
    let prefixes = [out.clone(), other, prefix];
    let generate = |packages: &[&str]| {
        let packages: Vec<_> = packages.iter().map(|&name| name.to_owned()).collect();
        ament::generate_underlay(&prefixes, &out, &packages)
    };
    let done = generate(&["sensor_msgs"]).unwrap();
    assert_eq!(done.packages, ["sensor_msgs", "std_msgs"]);
    assert_eq!(done.present, 1);
    let rust = out.join("share/sensor_msgs_buffer/rust");
    let manifest = fs::read_to_string(rust.join("Cargo.toml")).unwrap();
    for line in [
        "version = \"2.0.1\"",
        "license = \"BSD\"",
        "std_msgs_buffer = \"*\"",
    ] {
        assert!(manifest.contains(line), "{manifest}");
    }
    let code = fs::read_to_string(rust.join("src/msg/image.rs")).unwrap();
    assert!(code.contains("::std_msgs_buffer::msg::Header"), "{code}");
    let done = generate(&[]).unwrap();
    assert_eq!(done.packages, ["other_msgs", "sensor_msgs", "std_msgs"]);
    let config = ament::cargo_config(&prefixes, &["sensor_msgs".to_owned()], &out).unwrap();
    let names: Vec<_> = config
        .lines()
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .collect();
    assert_eq!(
        names,
        [
            "builtin_interfaces_buffer",
            "sensor_msgs_buffer",
            "std_msgs_buffer"
        ]
    );
    let error = told(&generate(&["sensor_msg"]).unwrap_err());
    assert!(error.contains("did you mean `sensor_msgs`?"), "{error}");
}

#[test]
fn the_package_has_the_version_of_the_program() {
    // Its CMakeLists.txt takes no other.
    let version = env!("CARGO_PKG_VERSION");
    let manifest = include_str!("../../colcon/rosidl_generator_buffer_rs/package.xml");
    assert!(manifest.contains(&format!("<version>{version}</version>")));
}

#[test]
fn the_crates_of_the_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let names = ament::write_runtime_crates(&repository, folder.path()).unwrap();
    for name in &names {
        let rust = folder.path().join("share").join(name).join("rust");
        let manifest = fs::read_to_string(rust.join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some(*name));
        assert_eq!(
            manifest["package"]["version"].as_str(),
            Some(env!("CARGO_PKG_VERSION"))
        );
        for own in names
            .iter()
            .filter_map(|own| manifest["dependencies"].get(own))
        {
            assert_eq!(own.as_table().unwrap().len(), 1, "only a version: {own:?}");
        }
        assert!(rust.join("src/lib.rs").is_file() && !rust.join("tests").exists());
    }
    let error = ament::write_runtime_crates(folder.path(), folder.path()).unwrap_err();
    assert!(
        error.to_string().contains("is built inside of it"),
        "{error}"
    );
}
