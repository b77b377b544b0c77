//! Generates every interface of `msg/` and `interfaces/`, and a list of the messages for the tests that visit them all.

use std::fmt::Write as _;
use std::path::Path;

/// Shipped as IDL only; the tests take `.msg` files.
const FROM_IDL: [&str; 2] = [
    "rosidl_generator_tests/msg/BasicIdl",
    "rosidl_generator_py/msg/BuiltinTypeSequencesIdl",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let here = std::env::var("CARGO_MANIFEST_DIR")?;
    let out = std::env::var("OUT_DIR")?;
    rosidl_buffer_gen::Config::new()
        .search_path(format!("{here}/../msg"))
        .search_path(format!("{here}/interfaces"))
        .buffer_fields("feature_msgs/msg/Everything.*samples")
        .buffer_fields("feature_msgs/msg/Everything.some_data")
        .buffer_fields("feature_msgs/msg/Everything.some_octets")
        .generate()?;

    let table = format!("{here}/data/rihs01.tsv");
    println!("cargo::rerun-if-changed={table}");
    let mut list = String::from("pub(crate) const CODECS: &[Codec] = &[\n");
    for line in std::fs::read_to_string(&table)?.lines() {
        let (name, hash) = line.split_once('\t').ok_or("a line without a tab")?;
        if name.contains("/msg/") && !FROM_IDL.contains(&name) {
            let path = name.replace('/', "::");
            writeln!(list, "    codec::<crate::ros::{path}>(\"{hash}\"),")?;
        }
    }
    list.push_str("];\n");
    std::fs::write(Path::new(&out).join("codecs.rs"), list)?;
    Ok(())
}
