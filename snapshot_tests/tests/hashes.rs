//! The type hashes of all interface files we have equal those that ROS 2 computes.
#![allow(clippy::unwrap_used, clippy::format_collect)]

use std::{collections::BTreeMap, fs, path::Path};

use rosidl_buffer_gen::Config;

fn here(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Packages and files of our own, which ROS 2 never saw, and a file that the table leaves out.
const OURS: [&str; 4] = [
    "feature_msgs/",
    "cuda_rs_buffer_backend_msgs/",
    "shm_buffer_backend_msgs/",
    "rosidl_generator_py/msg/BuiltinTypeSequencesIdl",
];

/// The types of the table and their hashes.
fn golden() -> BTreeMap<String, String> {
    let table = fs::read_to_string(here("data/rihs01.tsv")).unwrap();
    let lines = table.lines().map(|line| line.split_once('\t').unwrap());
    lines
        .map(|(name, hash)| (name.to_owned(), hash.to_owned()))
        .collect()
}

#[test]
fn hashes_are_those_of_ros2() {
    let none: [&str; 0] = [];
    let (hashes, _) = Config::new()
        .ament_prefixes(none)
        .search_path(here("../msg"))
        .search_path(here("interfaces"))
        .type_hashes(&none)
        .unwrap();
    let ours: BTreeMap<_, _> = hashes
        .into_iter()
        .map(|(name, hash)| (name, hash.to_string()))
        .collect();
    let golden = golden();
    assert!(golden.len() >= 520, "the table has {} types", golden.len());
    for (name, hash) in &golden {
        assert_eq!(ours.get(name), Some(hash), "{name}");
    }
    let extra: Vec<_> = ours
        .keys()
        .filter(|name| {
            !OURS.iter().any(|ours| name.starts_with(ours)) && !golden.contains_key(*name)
        })
        .collect();
    assert!(extra.is_empty(), "not in the table: {extra:?}");
}

/// Writes a package of messages and gives the hashes of all its types.
fn hashes_of(package: &str, messages: &[(&str, &str)]) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let msg = folder.path().join(package).join("msg");
    fs::create_dir_all(&msg).unwrap();
    for (name, text) in messages {
        fs::write(msg.join(format!("{name}.msg")), text).unwrap();
    }
    let none: [&str; 0] = [];
    let (hashes, _) = Config::new()
        .ament_prefixes(none)
        .search_path(folder.path())
        .type_hashes(&none)
        .unwrap();
    let of_package = hashes
        .into_iter()
        .filter(|(name, _)| name.starts_with(package));
    of_package
        .map(|(name, hash)| (name, hash.to_string().replace("RIHS01_", "")))
        .collect()
}

#[test]
fn small_messages() {
    let edge = "byte[] a\nchar[] b\nuint8[] c [1,2]\nuint8[<=16] d\nuint8[16] e\nbyte f 5\n\
        char g 65\nstring<=5 h\nstring<=5[<=3] i\nwstring[2] j\nwstring<=7 k\nbool[] l [true,false]\n\
        float32 m 1.0\nstring n \"x\"\nbuiltin_interfaces/Time[] o\nbuiltin_interfaces/Duration p\n";
    let tests = hashes_of(
        "ros2_test_msgs",
        &[
            ("BoundedInt", "uint8[<=5] data"),
            ("BoundedReferenced", "BoundedInt[<=3] data"),
            (
                "BoundedString",
                "string<=5 data\nstring<=5[] data_list\nstring<=5[<=3] data_matrix",
            ),
            (
                "Char",
                "char data\nchar[] data_array\nchar[<=11] data_bounded_array",
            ),
            (
                "Stamped",
                "builtin_interfaces/Time stamp\nbuiltin_interfaces/Duration duration",
            ),
        ],
    );
    let edges = hashes_of("vec_pkg", &[("Edge", edge), ("OnlyConst", "int32 X=5")]);
    let headers = hashes_of(
        "test_messages",
        &[("MsgWithHeader", "std_msgs/Header header\nfloat64 member_1")],
    );
    for (found, name, hash) in [
        (
            &tests,
            "ros2_test_msgs/msg/BoundedInt",
            "82105d57673153229ad6f8aa943ead090bc9756da35c9b73cf919a64bf902d6c",
        ),
        (
            &tests,
            "ros2_test_msgs/msg/BoundedReferenced",
            "f6a7e6732d79d9bfff7abc475f2dda336233f75d3b1984537d2acb07054c3975",
        ),
        (
            &tests,
            "ros2_test_msgs/msg/BoundedString",
            "e9965b1be42dce770d8936688f88b2f79cc1a828daa2295f1224186fd3c85b70",
        ),
        (
            &tests,
            "ros2_test_msgs/msg/Char",
            "7398a047b7ae995eeb12bd58e9884a30f25968d9c19a79b929778bebde4e678a",
        ),
        (
            &tests,
            "ros2_test_msgs/msg/Stamped",
            "d568324df43c14673c2d014c1c568d399b42e793d32050a4f396fd3cbd2f50cc",
        ),
        (
            &edges,
            "vec_pkg/msg/Edge",
            "4b50af1188f5aac70938240336427026f83fe01ed15858d72c4c5c1d39b20eac",
        ),
        (
            &edges,
            "vec_pkg/msg/OnlyConst",
            "dadac871c899d1810ba32e8b068983c752f1056e2c7166896841ac8a791ea62c",
        ),
        (
            &headers,
            "test_messages/msg/MsgWithHeader",
            "0be811aef59cf675e4afdd9dca7f4e5d70fc4a8dee741e2e8ada6003e46a966c",
        ),
    ] {
        assert_eq!(found.get(name).map(String::as_str), Some(hash), "{name}");
    }
}
