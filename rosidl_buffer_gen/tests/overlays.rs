//! Where packages are found when there are several places: as ROS 2 finds them.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use rosidl_buffer_gen::Config;

/// The program, with these prefixes in `AMENT_PREFIX_PATH`.
fn run(prefixes: &[&Path], args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rosidl_buffer_gen"))
        .args(args)
        .env("AMENT_PREFIX_PATH", std::env::join_paths(prefixes).unwrap())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A message without the places at which it was broken into lines.
fn joined(text: &str) -> String {
    text.split([' ', '\n', '│']).collect()
}

fn file(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Installs a package with these interface files, as ROS 2 does; files named `.idl` are empty.
fn install(prefix: &Path, package: &str, files: &[(&str, &str)]) {
    let index = "share/ament_index/resource_index";
    file(prefix, &format!("{index}/packages/{package}"), "");
    let lines: Vec<_> = files.iter().map(|(path, _)| *path).collect();
    file(
        prefix,
        &format!("{index}/rosidl_interfaces/{package}"),
        &lines.join("\n"),
    );
    for (path, text) in files {
        file(prefix, &format!("share/{package}/{path}"), text);
    }
    let manifest = format!("<package><name>{package}</name></package>");
    file(prefix, &format!("share/{package}/package.xml"), &manifest);
}

/// Prefixes with a few packages of ROS 2's distributions, the definitions and hashes of which differ.
fn distribution(name: &str) -> PathBuf {
    let prefixes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../snapshot_tests/data/prefixes");
    prefixes.join(name).canonicalize().unwrap()
}

fn hash_of(prefixes: &[&Path], type_name: &str) -> String {
    let line = stdout(&run(prefixes, &["hash", type_name]));
    line.trim().split_once('\t').unwrap().1.to_owned()
}

const TRANSITION_EVENT: &str = "lifecycle_msgs/msg/TransitionEvent";
const TRANSITION_EVENT_JAZZY: &str =
    "RIHS01_d5f8873a2f0146498f812d7885c7327ce27e463d36811d8792f35ee38c0d6c38";
const TRANSITION_EVENT_LYRICAL: &str =
    "RIHS01_78b19e2be41a797fc009c96bda68944182edabec7852cccd928a40bc06f6f9d7";

#[test]
fn definitions_are_those_of_the_distribution() {
    for (name, type_name, hash) in [
        (
            "humble",
            "sensor_msgs/msg/Range",
            "RIHS01_9430b1915b94d4268ff903679e8ecd09b6a67d331bd028738ec1eeb592891ebd",
        ),
        ("jazzy", TRANSITION_EVENT, TRANSITION_EVENT_JAZZY),
        ("lyrical", TRANSITION_EVENT, TRANSITION_EVENT_LYRICAL),
        (
            "kilted",
            "nav_msgs/msg/Goals",
            "RIHS01_02305a51633b5c04d8979b878a7577cafd422f8a07465c878b17a920af3759e9",
        ),
    ] {
        let prefix = distribution(name);
        assert_eq!(hash_of(&[&prefix], type_name), hash, "{name}: {type_name}");
        let path = prefix.to_str().unwrap();
        let line = stdout(&run(&[], &["hash", "--search-path", path, type_name]));
        assert_eq!(line, format!("{type_name}\t{hash}\n"), "{name}");
    }
}

#[test]
fn all_of_a_distribution_is_generated() {
    for (name, packages, interfaces) in [
        ("humble", ["sensor_msgs", "std_srvs"], ["range", "set_bool"]),
        (
            "jazzy",
            ["lifecycle_msgs", "lifecycle_msgs"],
            ["transition_event", "state"],
        ),
        (
            "lyrical",
            ["lifecycle_msgs", "lifecycle_msgs"],
            ["transition_event", "state"],
        ),
        ("kilted", ["nav_msgs", "geometry_msgs"], ["goals", "pose"]),
    ] {
        let out = tempfile::tempdir().unwrap();
        let path = distribution(name);
        let (path, out_path) = (path.to_str().unwrap(), out.path().to_str().unwrap());
        stdout(&run(
            &[],
            &["generate", "--search-path", path, "--out", out_path],
        ));
        for (package, interface) in packages.iter().zip(interfaces) {
            let written = ["msg", "srv"].iter().any(|kind| {
                let file = format!("{package}/{kind}/{interface}.rs");
                out.path().join(file).is_file()
            });
            assert!(written, "{name}: {package} {interface}");
        }
    }
}

#[test]
fn what_ros2_made_of_a_service_is_no_message() {
    let prefix = distribution("humble");
    let args = ["hash", "--search-path", prefix.to_str().unwrap()];
    let all = stdout(&run(&[], &args));
    let types = all.lines().filter(|line| line.starts_with("std_srvs/"));
    let types: Vec<_> = types.map(|line| line.split_once('\t').unwrap().0).collect();
    let kinds = ["", "_Event", "_Request", "_Response"];
    assert_eq!(
        types,
        kinds.map(|kind| format!("std_srvs/srv/SetBool{kind}"))
    );
}

#[test]
fn an_overlay_hides_the_underlay_and_both_the_bundled() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    file(
        at,
        "ws/my_msgs/msg/Mine.msg",
        "std_msgs/Header header\nlifecycle_msgs/State state\nnav_msgs/Goals goals\n",
    );
    let overlay = at.join("overlay");
    install(
        &overlay,
        "lifecycle_msgs",
        &[
            ("msg/State.idl", ""),
            ("msg/State.msg", "uint8 id\nstring label\nuint64 overlaid\n"),
        ],
    );
    let (underlay, lowest) = (distribution("jazzy"), distribution("kilted"));
    let missing = at.join("missing");
    let out = at.join("out");
    let ws = at.join("ws");
    let output = run(
        &[&missing, &overlay, &underlay, &lowest],
        &[
            "generate",
            "-v",
            "--search-path",
            ws.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ],
    );
    stdout(&output);
    let places = [
        format!("prefix {}: not there, passed over", missing.display()),
        "package builtin_interfaces: bundled".to_owned(),
        "package geometry_msgs: bundled".to_owned(),
        format!(
            "package lifecycle_msgs: {} (hides {}, bundled)",
            overlay.join("share/lifecycle_msgs").display(),
            underlay.join("share/lifecycle_msgs").display()
        ),
        format!("package my_msgs: {}", ws.join("my_msgs").display()),
        format!(
            "package nav_msgs: {} (hides bundled)",
            lowest.join("share/nav_msgs").display()
        ),
        "package std_msgs: bundled".to_owned(),
    ];
    assert_eq!(stderr(&output).lines().collect::<Vec<_>>(), places);
    let state = fs::read_to_string(out.join("lifecycle_msgs/msg/state.rs")).unwrap();
    assert!(state.contains("overlaid"), "{state}");
    let mine = fs::read_to_string(out.join("my_msgs/msg/mine.rs")).unwrap();
    assert!(mine.contains("lifecycle_msgs::msg::State"), "{mine}");
    assert!(
        !out.join("lifecycle_msgs/msg/transition_event.rs").exists(),
        "files of two places are not mixed"
    );

    let hash = |prefixes: &[&Path]| {
        let args = [
            "hash",
            "--search-path",
            ws.to_str().unwrap(),
            "my_msgs/msg/Mine",
        ];
        stdout(&run(prefixes, &args))
    };
    let with_overlay = hash(&[&overlay, &underlay, &lowest]);
    let flat = at.join("flat");
    let copy = |text: &str| file(&flat, "lifecycle_msgs/msg/State.msg", text);
    copy("uint8 id\nstring label\nuint64 overlaid\n");
    let flat = flat.to_str().unwrap();
    let args = [
        "hash",
        "--search-path",
        ws.to_str().unwrap(),
        "--search-path",
        flat,
    ];
    let same = stdout(&run(&[&underlay, &lowest], &args));
    assert!(same.contains(&with_overlay), "{same} {with_overlay}");
    let turned = hash(&[&underlay, &overlay, &lowest]);
    assert_ne!(with_overlay, turned, "the order of the prefixes counts");
}

#[test]
fn what_the_index_does_not_have_is_left_over() {
    let folder = tempfile::tempdir().unwrap();
    let (overlay, underlay) = (
        folder.path().join("overlay"),
        folder.path().join("underlay"),
    );
    install(&overlay, "other_msgs", &[("msg/O.msg", "uint8 x\n")]);
    file(
        &overlay,
        "share/some_msgs/package.xml",
        "<name>some_msgs</name>",
    );
    file(&overlay, "share/some_msgs/msg/A.msg", "uint8 x\n");
    let lost = run(&[&overlay, &underlay], &["hash", "some_msgs/msg/A"]);
    let place = overlay.join("share/some_msgs");
    let help = format!("{} is there, but the index", place.display());
    assert!(
        joined(&stderr(&lost)).contains(&joined(&help)),
        "{}",
        stderr(&lost)
    );

    install(&underlay, "some_msgs", &[("msg/A.msg", "uint16 x\n")]);
    file(&underlay, "share/some_msgs/msg/Left.msg", "not a message");
    let output = run(&[&overlay, &underlay], &["hash", "-v", "some_msgs/msg/A"]);
    let place = underlay.join("share/some_msgs");
    let line = format!("package some_msgs: {}\n", place.display());
    assert_eq!((stderr(&output), output.status.code()), (line, Some(0)));
    for path in ["share", "share/some_msgs"] {
        let path = underlay.join(path);
        let all = stdout(&run(
            &[],
            &["hash", "--search-path", path.to_str().unwrap()],
        ));
        assert_eq!(all.lines().count(), 1, "{all}");
    }
}

#[test]
fn what_the_index_has_and_is_not_there_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    install(
        at,
        "some_msgs",
        &[("msg/A.msg", "uint16 x\n"), ("msg/B.msg", "")],
    );
    fs::remove_file(at.join("share/some_msgs/msg/B.msg")).unwrap();
    let output = run(&[at], &["hash", "some_msgs/msg/A"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("B.msg: No such file"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_package_without_interfaces_hides_the_underlay_too() {
    let folder = tempfile::tempdir().unwrap();
    let (overlay, underlay) = (
        folder.path().join("overlay"),
        folder.path().join("underlay"),
    );
    install(&underlay, "some_msgs", &[("msg/A.msg", "uint16 x\n")]);
    install(&overlay, "some_msgs", &[]);
    fs::remove_file(overlay.join("share/ament_index/resource_index/rosidl_interfaces/some_msgs"))
        .unwrap();
    let output = run(&[&overlay, &underlay], &["hash", "some_msgs/msg/A"]);
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    let hides = format!("(hides {}", underlay.join("share/some_msgs").display());
    assert!(
        error.contains("there is no message `A`") && joined(&error).contains(&joined(&hides)),
        "{error}"
    );
}

#[test]
fn installations_of_colcon_are_search_paths() {
    let folder = tempfile::tempdir().unwrap();
    let (merged, isolated) = (folder.path().join("merged"), folder.path().join("isolated"));
    for package in ["a_msgs", "b_msgs"] {
        let files = [("msg/A.msg", "uint8 x\n"), ("msg/A.idl", "")];
        install(&merged, package, &files);
        install(&isolated.join(package), package, &files);
    }
    file(
        &isolated,
        "no_index_msgs/share/no_index_msgs/msg/A.msg",
        "uint8 x\n",
    );
    file(&isolated, "tools/share/doc/README", "");
    file(&isolated, "setup.bash", "");
    for (path, count) in [(&merged, 2), (&isolated, 3), (&isolated.join("a_msgs"), 1)] {
        let all = stdout(&run(
            &[],
            &["hash", "--search-path", path.to_str().unwrap()],
        ));
        assert_eq!(all.lines().count(), count, "{all}");
    }
    // A workspace that was built where its packages are.
    let ws = folder.path().join("ws");
    file(&ws, "a_msgs/msg/A.msg", "uint8 x\n");
    file(&ws, "off_msgs/msg/A.msg", "uint8 x\n");
    file(&ws, "off_msgs/COLCON_IGNORE", "");
    install(&ws.join("install"), "a_msgs", &[("msg/A.msg", "uint8 x\n")]);
    let found_twice = run(&[], &["hash", "--search-path", ws.to_str().unwrap()]);
    assert!(stderr(&found_twice).contains("more than one package called `a_msgs`"));
    file(&ws, "install/COLCON_IGNORE", "");
    let all = stdout(&run(&[], &["hash", "--search-path", ws.to_str().unwrap()]));
    assert_eq!(all.lines().count(), 1, "{all}");
    let prefixes = [isolated.join("a_msgs"), isolated.join("b_msgs")];
    let prefixes: Vec<_> = prefixes.iter().map(PathBuf::as_path).collect();
    hash_of(&prefixes, "b_msgs/msg/A");
}

#[test]
#[cfg(unix)]
fn installations_may_be_links() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let prefix = at.join("install/a_msgs");
    install(&prefix, "a_msgs", &[("msg/A.msg", "")]);
    file(at, "src/a_msgs/msg/A.msg", "uint8 x\n");
    let installed = prefix.join("share/a_msgs/msg/A.msg");
    fs::remove_file(&installed).unwrap();
    std::os::unix::fs::symlink(at.join("src/a_msgs/msg/A.msg"), &installed).unwrap();
    let linked = hash_of(&[&prefix], "a_msgs/msg/A");
    let source = at.join("src");
    let line = stdout(&run(
        &[],
        &["hash", "--search-path", source.to_str().unwrap()],
    ));
    assert_eq!(line, format!("a_msgs/msg/A\t{linked}\n"));
}

/// The part of the next test that is a build script: it prints to its own standard output.
#[test]
fn build_script() {
    if let Some(out) = std::env::var_os("OVERLAYS_OUT") {
        let search = PathBuf::from(std::env::var_os("OVERLAYS_SEARCH").unwrap());
        let report = Config::new().search_path(search).out_dir(out).generate();
        let report = report.unwrap();
        let hidden: Vec<_> = report.hidden().collect();
        assert_eq!(hidden, [("lifecycle_msgs", "bundled")]);
        assert_eq!(report.missing_prefixes().count(), 1);
    }
}

#[test]
fn cargo_watches_the_indexes() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    file(
        at,
        "ws/my_msgs/msg/Mine.msg",
        "lifecycle_msgs/State state\n",
    );
    let prefix = distribution("jazzy");
    let prefixes = std::env::join_paths([&prefix, &at.join("missing")]).unwrap();
    let build = || {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "build_script", "--nocapture"])
            .env("AMENT_PREFIX_PATH", &prefixes)
            .env("OVERLAYS_OUT", at.join("out"))
            .env("OVERLAYS_SEARCH", at.join("ws"))
            .output();
        let text = stdout(&output.unwrap());
        let lines = text.lines().filter_map(|line| line.split_once("cargo::"));
        let mut lines: Vec<_> = lines.map(|(_, line)| line.to_owned()).collect();
        lines.sort();
        lines
    };
    let changed = |path: PathBuf| format!("rerun-if-changed={}", path.display());
    let share = prefix.join("share");
    let index = share.join("ament_index/resource_index");
    let mut expected = vec![
        changed(index.join("packages")),
        changed(index.join("rosidl_interfaces")),
        changed(index.join("rosidl_interfaces/lifecycle_msgs")),
        changed(share.join("lifecycle_msgs/msg")),
        changed(share.join("lifecycle_msgs/msg/State.msg")),
        changed(share.join("lifecycle_msgs/msg/Transition.msg")),
        changed(share.join("lifecycle_msgs/msg/TransitionEvent.json")),
        changed(share.join("lifecycle_msgs/msg/TransitionEvent.msg")),
        changed(at.join("ws/my_msgs/msg")),
        changed(at.join("ws/my_msgs/msg/Mine.msg")),
        "rerun-if-env-changed=AMENT_PREFIX_PATH".to_owned(),
    ];
    expected.sort();
    assert_eq!(build(), expected, "but not the folder `ws`");
    assert_eq!(build(), expected, "also when nothing changed");
}
