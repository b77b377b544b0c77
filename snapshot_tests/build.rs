//! Generates every interface of `msg/` and `interfaces/`, and a list of the messages for the tests that visit them all.

use std::fmt::Write as _;
use std::path::Path;

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
    let text = std::fs::read_to_string(&table)?;
    let rows: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect();
    let has = |name: &str, part: &str| {
        rows.iter()
            .any(|(other, _)| *other == format!("{name}{part}"))
    };
    let (mut codecs, mut markers) = (String::new(), String::new());
    for (name, hash) in &rows {
        let path = format!("crate::ros::{}", name.replace('/', "::"));
        if has(name, "_Event") {
            writeln!(markers, "    service::<{path}>(\"{hash}\"),")?;
        } else if has(name, "_FeedbackMessage") {
            writeln!(markers, "    action::<{path}>(\"{hash}\"),")?;
        } else {
            writeln!(codecs, "    codec::<{path}>(\"{hash}\"),")?;
        }
    }
    let list = format!(
        "pub(crate) const CODECS: &[Codec] = &[\n{codecs}];\npub(crate) const MARKERS: &[Marker] = &[\n{markers}];\n"
    );
    std::fs::write(Path::new(&out).join("codecs.rs"), list)?;
    Ok(())
}
