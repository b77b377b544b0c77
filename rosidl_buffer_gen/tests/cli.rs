//! The program as a user calls it: what it prints, where, and how it ends.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rosidl_buffer_gen"))
        .args(args)
        .env_remove("AMENT_PREFIX_PATH")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A package `p` with one message.
fn package(folder: &Path, text: &str) -> String {
    let msg = folder.join("p/msg");
    fs::create_dir_all(&msg).unwrap();
    fs::write(msg.join("A.msg"), text).unwrap();
    folder.to_str().unwrap().to_owned()
}

#[test]
fn hash_prints_a_line_for_each_type() {
    let output = run(&["hash", "std_msgs/msg/String", "sensor_msgs/msg/Image"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "sensor_msgs/msg/Image\tRIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47\n\
         std_msgs/msg/String\tRIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18\n"
    );
    let all = stdout(&run(&["hash"]));
    assert!(all.lines().count() > 150, "all that are bundled");
    assert!(all.lines().is_sorted());
}

#[test]
fn hash_of_all_that_a_search_path_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = package(folder.path(), "std_msgs/Header header\n");
    let all = stdout(&run(&["hash", "--search-path", &path]));
    let packages: Vec<&str> = all
        .lines()
        .filter_map(|line| Some(line.split_once('/')?.0))
        .collect();
    assert!(packages.contains(&"p"), "{all}");
    assert!(packages.contains(&"std_msgs"), "what it refers to: {all}");
    assert!(!packages.contains(&"sensor_msgs"), "nothing else: {all}");
}

#[test]
fn unknown_types_are_errors() {
    let output = run(&["hash", "std_msgs/msg/Strin"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("did you mean `std_msgs/String`?"),
        "{}",
        stderr(&output)
    );
    assert_eq!(stdout(&output), "");
}

#[test]
fn generate_writes_once_and_says_where_things_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = package(folder.path(), "std_msgs/Header header\nuint8[] data\n");
    let out = folder.path().join("out");
    let args = [
        "generate",
        "--out",
        out.to_str().unwrap(),
        "--search-path",
        &path,
        "-v",
    ];
    let first = run(&args);
    assert!(first.status.success(), "{}", stderr(&first));
    assert!(
        stderr(&first).contains("package std_msgs: bundled"),
        "{}",
        stderr(&first)
    );
    assert!(
        stderr(&first).contains(&format!("package p: {path}")),
        "{}",
        stderr(&first)
    );
    assert!(out.join("interfaces.rs").is_file() && out.join("p/msg/a.rs").is_file());
    let again = stdout(&run(&args));
    assert!(again.contains("files written: 0"), "{again}");
}

#[test]
fn nothing_is_written_when_something_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = package(folder.path(), "int8 x 300\nNowhere y\n");
    let out = folder.path().join("out");
    let output = run(&[
        "generate",
        "--out",
        out.to_str().unwrap(),
        "--search-path",
        &path,
    ]);
    assert_eq!(output.status.code(), Some(1));
    let errors = stderr(&output);
    assert!(
        errors.contains("A.msg:1:8") && errors.contains("A.msg:2:1"),
        "both errors: {errors}"
    );
    assert!(
        !errors.contains('\u{1b}'),
        "no colours but on a terminal: {errors}"
    );
    assert!(!out.exists());
}

#[test]
fn check_takes_files_and_folders() {
    let folder = tempfile::tempdir().unwrap();
    let path = package(folder.path(), "int8 x\n");
    let file = folder.path().join("p/msg/A.msg");
    for target in [path.as_str(), file.to_str().unwrap()] {
        let output = run(&["check", target]);
        assert_eq!(
            stdout(&output),
            "no errors, interfaces: 1\n",
            "{target}: {}",
            stderr(&output)
        );
    }
    fs::write(&file, "int8[ x\n").unwrap();
    assert_eq!(
        run(&["check", file.to_str().unwrap()]).status.code(),
        Some(1)
    );
    assert_eq!(run(&["check", "/nowhere"]).status.code(), Some(1));
}

#[test]
#[cfg(unix)]
fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = package(folder.path(), "int8 x\n");
    let pipe = folder.path().join("p/msg/F.msg");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let output = run(&["check", &path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("F.msg: it is not a regular file"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_folder_without_a_package_name_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = package(folder.path(), "int8 x\n");
    let odd = folder.path().join("Bad-Name/msg");
    fs::create_dir_all(&odd).unwrap();
    fs::write(odd.join("X.msg"), "garbage").unwrap();
    let output = run(&["check", &path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("Bad-Name has no name that a package may have"),
        "{}",
        stderr(&output)
    );
    let named = run(&["hash", "--search-path", &path, "p/msg/A"]);
    assert!(
        named.status.success(),
        "it does no harm to what is asked for: {}",
        stderr(&named)
    );
}

#[test]
fn a_wrong_call_is_2() {
    assert_eq!(run(&["generate"]).status.code(), Some(2));
    assert_eq!(
        run(&[
            "generate",
            "--out",
            "x",
            "--crate",
            "x",
            "--runtime",
            "/nowhere"
        ])
        .status
        .code(),
        Some(2)
    );
    assert_eq!(run(&["frobnicate"]).status.code(), Some(2));
}

#[test]
fn commands_for_ament_tell_what_is_missing() {
    for (args, what) in [
        (&["cargo-config"][..], "AMENT_PREFIX_PATH names no prefix"),
        (
            &["ament", "--generator-arguments-file", "no/such.json"],
            "cannot read no/such.json",
        ),
        (
            &["ament-runtime", "--repository", "/no/such", "--out", "/"],
            "cannot read /no/such/Cargo.toml",
        ),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(stderr(&output).contains(what), "{}", stderr(&output));
        assert!(stdout(&output).is_empty(), "{}", stdout(&output));
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let output = run(&["ament-underlay", "--out", out.to_str().unwrap()]);
    assert_eq!(stdout(&output), "crates written: 0, already there: 0\n");
    assert!(!out.exists(), "nothing is written for nothing");
}
