//! Writes the crates that `compile.py` has compiled: the same interfaces, from this project's generator and from
//! roslibrust_codegen. The argument is the folder to write to.

use std::fs;
use std::path::{Path, PathBuf};

use rosidl_buffer_bench::{common, ours, roslibrust};
use rosidl_buffer_gen::RuntimeSource;

const ROSLIBRUST_MANIFEST: &str = r#"[package]
name = "roslibrust_types"
version = "0.1.0"
edition = "2024"
publish = false

[dependencies]
roslibrust = { version = "=0.26.0", features = ["codegen"] }

[workspace]
"#;

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("a folder to write to"));
    let packages = common(&folder.join("msg"));

    let runtime = RuntimeSource::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime"));
    ours(&packages, &folder.join("ours"))
        .crate_package("ours", runtime)
        .generate()
        .unwrap();

    let source = folder.join("roslibrust/src");
    fs::create_dir_all(&source).unwrap();
    roslibrust(&packages, &source.join("lib.rs"));
    fs::write(folder.join("roslibrust/Cargo.toml"), ROSLIBRUST_MANIFEST).unwrap();
    println!("{}", packages.interfaces);
}
