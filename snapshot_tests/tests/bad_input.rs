//! What is wrong with the input is told: all of it, where it is, and what to do; nothing is written.
#![allow(clippy::unwrap_used, clippy::format_collect)]

use std::{fs, path::Path, time::Instant};

use rosidl_buffer_gen::Config;

fn config() -> Config {
    let none: [&str; 0] = [];
    Config::new().ament_prefixes(none).cargo_metadata(false)
}

fn write(folder: &Path, path: &str, text: impl AsRef<[u8]>) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Generates from these files and gives what is told, which must be errors.
fn errors(files: &[(&str, &str)]) -> String {
    errors_with(files, |config| config)
}

fn errors_with(files: &[(&str, &str)], set: impl Fn(Config) -> Config) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        write(folder.path(), &format!("src/{path}"), text);
    }
    errors_in(folder.path(), set)
}

fn errors_in(folder: &Path, set: impl Fn(Config) -> Config) -> String {
    let out = folder.join("out");
    let config = config().search_path(folder.join("src")).out_dir(&out);
    let error = set(config).generate().unwrap_err();
    assert!(!out.exists(), "something was written");
    assert_eq!(format!("{error:?}"), format!("\n{error}"));
    error
        .to_string()
        .replace(&folder.display().to_string(), "[folder]")
}

/// What is told about one line of `p/msg/A.msg`.
fn in_line(line: &str) -> String {
    errors(&[("p/msg/A.msg", &format!("# A\n\n{line}\nint8 z\n"))])
}

#[test]
fn lines() {
    insta::assert_snapshot!("bad_line", in_line("int8"));
    insta::assert_snapshot!("leading_blank", in_line("  int8 x"));
    insta::assert_snapshot!(
        "byte_order_mark",
        errors(&[("p/msg/A.msg", "\u{feff}int8 x")])
    );
    insta::assert_snapshot!("optional_twice", in_line("@optional\n@optional int8 x"));
}

#[test]
fn parts() {
    let service = |text: &str| errors(&[("p/srv/S.srv", text)]);
    insta::assert_snapshot!("no_separator", service("int8 a\n"));
    insta::assert_snapshot!(
        "two_separators",
        service("int8 a\n---\nint8 b\n---\nint8 c\n")
    );
    insta::assert_snapshot!(
        "separator_with_blank",
        service("int8 a\n--- # response\nint8 b\n")
    );
    insta::assert_snapshot!(
        "action_with_one_separator",
        errors(&[("p/action/A.action", "int8 goal\n---\nint8 result\n")])
    );
    insta::assert_snapshot!(
        "error_in_response",
        service("int8 a\n---\nint8 a\nint8 a\n")
    );
    insta::assert_snapshot!(
        "name_of_a_part",
        errors(&[("p/srv/S.srv", "---"), ("p/srv/S_Request.srv", "---")])
    );
    insta::assert_snapshot!(
        "old_service_msgs",
        errors(&[("p/srv/S.srv", "---"), ("service_msgs/msg/Other.msg", "")])
    );
    let misspelt = config().describe(&["std_srvs/srv/SetBol"]).unwrap_err();
    insta::assert_snapshot!("misspelt_service", misspelt);
}

#[test]
fn definitions_are_no_files_of_packages() {
    let text = format!(
        "std_msgs/Header h\n{}\nMSG: std_msgs/Header\nint8 x\n",
        "=".repeat(80)
    );
    insta::assert_snapshot!("sections", errors(&[("p/msg/A.msg", &text)]));
}

#[test]
fn names() {
    insta::assert_snapshot!("field_name", in_line("float64[9] K"));
    insta::assert_snapshot!("field_name_underscores", in_line("float64 a__b"));
    insta::assert_snapshot!("constant_name", in_line("int32 answer=42"));
    insta::assert_snapshot!("bound_in_field", in_line("int32 x <=5"));
    insta::assert_snapshot!("equals_in_default", in_line("string x \"a=b\""));
    insta::assert_snapshot!("file_name", errors(&[("p/msg/lower.msg", "")]));
}

#[test]
fn types() {
    insta::assert_snapshot!("unknown_type", in_line("Header header"));
    insta::assert_snapshot!("misspelt_type", in_line("std_msgs/Heder header"));
    insta::assert_snapshot!("unknown_package", in_line("std_msg/Header header"));
    insta::assert_snapshot!("far_package", in_line("some_other_msgs/Header header"));
    insta::assert_snapshot!("ros1_time", in_line("time stamp"));
    insta::assert_snapshot!("three_parts", in_line("std_msgs/msg/Header header"));
    insta::assert_snapshot!("foreign_word", in_line("double x"));
    insta::assert_snapshot!("array_of_arrays", in_line("int8[3][4] x"));
    insta::assert_snapshot!("not_closed", in_line("int8[3 x"));
    insta::assert_snapshot!("bad_bound", in_line("int8[<3] x"));
    insta::assert_snapshot!("zero_bound", in_line("string<=0 x"));
    insta::assert_snapshot!("huge_array", in_line("float64[1000000000] x"));
    insta::assert_snapshot!("constant_type", in_line("int32[] X=[1]"));
}

#[test]
fn values() {
    insta::assert_snapshot!("not_a_number", in_line("int32 x five"));
    insta::assert_snapshot!("out_of_range", in_line("int32 x 1\nuint8[] y [1, 256, -1]"));
    insta::assert_snapshot!("missing_value", in_line("int32 X="));
    insta::assert_snapshot!(
        "wrong_length",
        in_line("int8[3] x [1, 2]\nint8[<=1] y [1, 2]")
    );
    insta::assert_snapshot!("no_brackets", in_line("int8[3] x 1, 2, 3"));
    insta::assert_snapshot!("long_string", in_line("string<=3 x \"abcd\""));
    insta::assert_snapshot!("inner_quote", in_line("string x \"a\"b\""));
    insta::assert_snapshot!("broken_escape", in_line(r#"string x "a\x4""#));
    insta::assert_snapshot!("string_list", in_line("string[] x [\"a\", \"b]"));
    insta::assert_snapshot!("default_of_message", in_line("std_msgs/Header h 5"));
}

#[test]
fn duplicates() {
    insta::assert_snapshot!("duplicate", in_line("int8 a\nint8 B=1\nint16 a\nint16 B=2"));
}

#[test]
fn cycles() {
    insta::assert_snapshot!("cycle_of_one", errors(&[("p/msg/A.msg", "A[] more")]));
    let three = [
        ("p/msg/A.msg", "q/B b"),
        ("q/msg/B.msg", "int8 x\nq/C[] c # here"),
        ("q/msg/C.msg", "p/A a"),
    ];
    insta::assert_snapshot!("cycle_of_three", errors(&three));
}

#[test]
fn a_long_chain_overflows_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let count = 3000;
    for index in 0..count {
        let text = format!("M{} next", (index + 1) % count);
        write(folder.path(), &format!("src/p/msg/M{index}.msg"), text);
    }
    let told = errors_in(folder.path(), |config| config);
    assert!(
        told.contains("p/msg/M0 → p/msg/M1 →") && told.contains('…'),
        "{told}"
    );
    assert!(told.len() < 2000, "{told}");
}

#[test]
fn all_errors_of_a_run_are_told() {
    let told = errors(&[
        (
            "p/msg/A.msg",
            "int8\nFoo f\nint8 x 300\nint8 x\nq/Bar b\nq/Baz c",
        ),
        ("q/msg/Bar.msg", "int8 Y"),
    ]);
    insta::assert_snapshot!("several", told);
}

#[test]
fn files_that_are_no_text() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "src/p/msg/A.msg",
        b"int8 x\nint8 y # caf\xe9\n",
    );
    write(folder.path(), "src/p/msg/B.msg", vec![b'\n'; 50_000_000]);
    fs::create_dir_all(folder.path().join("src/p/msg/C.msg")).unwrap();
    // What refers to them is not wrong for that.
    write(folder.path(), "src/p/msg/D.msg", "A a\nB b\nC c");
    insta::assert_snapshot!("no_text", errors_in(folder.path(), |config| config));
}

#[test]
fn folders_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "src/p/package.xml",
        "<package><name>p</name></package>",
    );
    write(
        folder.path(),
        "src/p/msg",
        "a file in the place of a folder",
    );
    let missing = folder.path().join("missing");
    let told = errors_in(folder.path(), |config| config.search_path(&missing));
    insta::assert_snapshot!("unreadable", told);
}

#[test]
fn packages() {
    let same = "<package><name>same</name></package>";
    let files = [
        ("a/package.xml", same),
        ("a/msg/A.msg", ""),
        ("b/package.xml", same),
        ("b/msg/A.msg", ""),
        ("c/msg/C.msg", "same/A a"),
    ];
    insta::assert_snapshot!(
        "duplicate_package",
        errors_with(&files, |config| config.package("c"))
    );
    insta::assert_snapshot!(
        "missing_package",
        errors_with(&files, |config| config.package("d"))
    );
    insta::assert_snapshot!("no_packages", errors(&[("README.md", "")]));
    insta::assert_snapshot!(
        "package_name",
        errors_with(&files, |config| config.package("C-Msgs"))
    );
}

/// The hashed description of a message with one field, as ROS 2 installs it.
fn installed(path: &str, text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &format!("{path}.msg"), text);
    let name = path.replace("/msg/", "/");
    let (found, _) = config()
        .search_path(folder.path())
        .describe(&[name])
        .unwrap();
    found[path].hashed_json()
}

#[test]
fn installed_hashes() {
    let own = installed("p/msg/A", "int16 x");
    let files = [("p/msg/A.msg", "int8 x"), ("p/msg/A.json", &own)];
    insta::assert_snapshot!("hash_mismatch", errors(&files));
    let time = "builtin_interfaces/msg/Time.msg";
    let of_user = installed("p/msg/A", "builtin_interfaces/Time t");
    let files = [
        ("p/msg/A.msg", "builtin_interfaces/Time t"),
        ("p/msg/A.json", &of_user),
        (time, "int64 nanoseconds"),
    ];
    insta::assert_snapshot!("hash_mismatch_of_a_reference", errors(&files));
    let files = [("p/msg/A.msg", "int8 x"), ("p/msg/A.json", "[1, 2")];
    insta::assert_snapshot!("unreadable_hashes", errors(&files));
}

#[test]
fn what_is_not_asked_for_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "good/msg/A.msg", "int8 x");
    write(folder.path(), "bad/msg/A.msg", "nonsense");
    for place in ["x", "y"] {
        write(
            folder.path(),
            &format!("{place}/package.xml"),
            "<name>same</name>",
        );
    }
    let out = folder.path().join("out");
    let config = config()
        .search_path(folder.path())
        .package("good")
        .out_dir(&out);
    assert_eq!(config.generate().unwrap().interfaces(), 1);
}

#[test]
fn the_first_place_wins() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one/p/msg/A.msg", "int8 first");
    write(folder.path(), "two/p/msg/A.msg", "int8 second");
    write(folder.path(), "three/share/p/msg/A.msg", "int8 third");
    write(
        folder.path(),
        "three/share/q/msg/B.msg",
        "p/A a\nstd_msgs/Header h",
    );
    let [one, two, three] = ["one", "two", "three"].map(|name| folder.path().join(name));
    let out = folder.path().join("out");
    let none: [&str; 0] = [];
    let first_field = |config: Config| {
        let report = config.package("q").out_dir(&out).generate().unwrap();
        let found = report
            .packages()
            .find(|(name, _)| *name == "p")
            .unwrap()
            .1
            .to_owned();
        (fs::read_to_string(out.join("p/msg/a.rs")).unwrap(), found)
    };
    let (text, found) = first_field(
        config()
            .search_path(&one)
            .search_path(&two)
            .ament_prefixes([&three]),
    );
    assert!(text.contains("pub first: i8"), "{text}");
    assert_eq!(found, one.join("p").display().to_string());
    let (text, _) = first_field(
        config()
            .search_path(&two)
            .search_path(&one)
            .search_path(&three)
            .ament_prefixes(none),
    );
    assert!(text.contains("pub second: i8"), "{text}");
    let (text, found) = first_field(config().ament_prefixes([&folder.path().join("no"), &three]));
    assert!(text.contains("pub third: i8"), "{text}");
    assert_eq!(found, three.join("share/p").display().to_string());
}

#[test]
fn settings() {
    let files = [(
        "p/msg/A.msg",
        "float32[] samples\nstring text\nbool[] flags\nfloat32[3] three",
    )];
    let pattern = |pattern: &str| errors_with(&files, |config| config.buffer_fields(pattern));
    insta::assert_snapshot!("pattern_without_match", pattern("p/msg/A.sample"));
    for useless in [
        "p/msg/A.text",
        "p/msg/A.flags",
        "p/msg/A.three",
        "p/msg/B.*",
        "std_msgs/**",
        "",
    ] {
        assert!(pattern(useless).contains("bad_pattern"), "{useless}");
    }
    let twice = errors_with(&files, |config| {
        config.package("p").extern_path("p", "::other::p")
    });
    insta::assert_snapshot!("generated_and_extern", twice);
    let relative = errors_with(&files, |config| {
        config.extern_path("std_msgs", "other::std_msgs")
    });
    insta::assert_snapshot!("relative_extern_path", relative);
    let name = errors_with(&files, |config| {
        config.crate_package(
            "my msgs",
            rosidl_buffer_gen::RuntimeSource::Version("0.1".to_owned()),
        )
    });
    insta::assert_snapshot!("crate_name", name);
    let misspelt = errors_with(&files, |config| {
        config.extern_path("std_msg", "::other::std_msgs")
    });
    insta::assert_snapshot!("misspelt_extern_path", misspelt);
    for (traits, chosen) in [
        ("", "Name"),
        ("a::B<C, D>", "Name"),
        ("Eq", "lower"),
        ("Eq", "SOURCE_"),
        ("Eq", "r#Name"),
    ] {
        let told = errors_with(&files, |config| {
            config
                .derive("**", traits)
                .type_names(move |_| Some(chosen.to_owned()))
        });
        assert!(told.contains("bad_config"), "{traits} {chosen}: {told}");
    }
    let with = |set: fn(Config) -> Config| errors_with(&files, set);
    insta::assert_snapshot!(
        "bad_derive",
        with(|config| config.derive("**", "not a path"))
    );
    insta::assert_snapshot!(
        "bad_attribute",
        with(|config| config
            .type_attribute("**", "derive(Hash)")
            .field_attribute("**", "#[x"))
    );
    insta::assert_snapshot!(
        "attribute_without_match",
        with(|config| config.field_attribute("p/msg/A.none", "#[cfg(all())]"))
    );
    insta::assert_snapshot!(
        "filter_without_match",
        with(|config| config.only("p/msg/B").except("q/**"))
    );
    insta::assert_snapshot!(
        "bad_names",
        with(|config| config
            .type_names(|_| Some("fn".to_owned()))
            .field_names(|_| Some("same".to_owned())))
    );
}

#[test]
fn what_other_tools_get_wrong_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let text = "float32 a -inf\nfloat32 b 1e39\nfloat64 c 1e999\nstring d \"a\\\\b\"\nstring e \"a#b\"\n\
        # a \\n in a comment\nint8 f\nstring g \"a\\nb\"\n@optional int8 h\n";
    write(folder.path(), "p/msg/A.msg", text);
    let out = folder.path().join("out");
    let report = config()
        .search_path(folder.path())
        .out_dir(&out)
        .generate()
        .unwrap();
    assert!(report.has_warnings());
    let told = report.render_warnings(false);
    insta::assert_snapshot!(
        "warnings",
        told.replace(&folder.path().display().to_string(), "[folder]")
    );
    let code = fs::read_to_string(out.join("p/msg/a.rs")).unwrap();
    assert!(
        code.contains("default = -::core::primitive::f32::INFINITY"),
        "{code}"
    );
    assert!(code.contains(r#"default = "a\\b""#), "{code}");
}

#[test]
fn terminals_are_not_commanded() {
    let told = in_line("int8 \u{1b}[31mred\u{7}");
    assert!(!told.contains(['\u{1b}', '\u{7}']), "{told:?}");
}

/// In a debug build, so with room: quadratic would take minutes.
#[test]
fn large_files_take_no_time() {
    let many = 100_000;
    let constants: String = (0..many)
        .map(|index| format!("int32 C{index}={index}\n"))
        .collect();
    let unknown: String = (0..many)
        .map(|index| format!("Unknown{index} x{index}\n"))
        .collect();
    let long = format!("string x {}", "a".repeat(1_000_000));
    let started = Instant::now();
    let told = errors(&[
        ("p/msg/Constants.msg", &constants),
        ("p/msg/Unknown.msg", &unknown),
        ("p/msg/Long.msg", &long),
        (
            "p/msg/LongError.msg",
            &format!("int8 {}", "A".repeat(1_000_000)),
        ),
        ("p/msg/Empty.msg", ""),
    ]);
    assert!(
        told.contains("more errors") && told.len() < 100_000,
        "{}",
        told.len()
    );
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
