//! What the generated code looks like.

use std::{fs, path::Path};

use rosidl_buffer_gen::{Config, RuntimeSource};

const EVERYTHING: &str = r#"# Everything that a message can have.
#
# A second paragraph, [m/s].

# The answer
int32 ANSWER=42
uint8 HEX=0xff # comment behind
int64 LEAST=-9223372036854775808
float32 HUGE=1e39
float64 TINY=-1e-9
bool YES=TRUE
char LETTER=65
byte OCTET=7
string NAME="a \"name\"\twith # no comment"
wstring WIDE='日本'

bool flag true
byte octet 5
char letter 65
int8 i8 -8
uint8 u8 8
int16 i16 -0x10
uint16 u16 16
int32 i32 -32
uint32 u32 32
int64 i64 -9223372036854775808
uint64 u64 18446744073709551615
float32 f32 1.5       # a speed [m/s]
                      # over two lines
float64 f64 nan
string text "it's"
wstring wide_text "äöü"
string<=5 short_text abc
wstring<=5 short_wide_text

# arrays
bool[2] flags [true, false]
float64[36] matrix
uint8[65537] large
string[2] names ["a", 'b,c']
byte[<=4] some_octets [1, 2]
char[] letters
uint8[] data [1, 2, 3]
uint8[<=16] some_data
float32[] samples
int16[<=3] some_samples
string<=3[<=2] codes
string[] more_names

# messages
Part part
Part[3] parts
std_msgs/Header header
std_msgs/Header[] headers
builtin_interfaces/Time[<=2] times

# words of Rust
int32 type
int32 self
Self own

# code in comments:
#     let x = 1;
# ```
# and after
int32 last
"#;

/// A folder with a package `feature_msgs`.
fn feature_msgs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let msg = folder.path().join("feature_msgs/msg");
    fs::create_dir_all(&msg).unwrap();
    for (name, text) in [
        ("Everything", EVERYTHING),
        ("Part", "float32 x\nfloat32[2] y\nbyte z\n"),
        ("Self", "# Named like a word of Rust.\nbool b"),
        ("Nothing", "# Empty\nint8 ONLY=1"),
    ] {
        fs::write(msg.join(format!("{name}.msg")), text).unwrap();
    }
    folder
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
    let (source, out) = (feature_msgs(), tempfile::tempdir().unwrap());
    config()
        .search_path(source.path())
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
    let (source, out) = (feature_msgs(), tempfile::tempdir().unwrap());
    config()
        .search_path(source.path())
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
    let (source, out) = (feature_msgs(), tempfile::tempdir().unwrap());
    let generate = |runtime| {
        let config = config().search_path(source.path()).out_dir(out.path());
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
