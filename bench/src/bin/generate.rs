//! Generating all bundled messages, formatted, on one thread: CPU time, beside hiroz-codegen on the same files.
//!
//! `TMPDIR=/dev/shm cargo run --release --manifest-path bench/Cargo.toml --bin generate | grep -v ^cargo:`

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hiroz_codegen::{GeneratorConfig, MessageGenerator};
use rosidl_buffer_bench::cpu_time;

const RUNS: usize = 21;

/// What `prepare` does before each run is not counted.
fn median(mut prepare: impl FnMut(), mut run: impl FnMut()) -> f64 {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            prepare();
            let start = cpu_time();
            run();
            cpu_time() - start
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2].as_secs_f64() * 1e3
}

/// Copies the `.msg` files of all packages, so that both sides read the same and nothing else.
fn copy_messages(from: &Path, to: &Path) -> Vec<PathBuf> {
    let mut packages = Vec::new();
    for package in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let Ok(files) = fs::read_dir(package.path().join("msg")) else {
            continue;
        };
        let target = to.join(package.file_name());
        fs::create_dir_all(target.join("msg")).unwrap();
        for file in files.map(|entry| entry.unwrap()) {
            fs::copy(file.path(), target.join("msg").join(file.file_name())).unwrap();
        }
        packages.push(target);
    }
    packages.sort();
    packages
}

fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            if entry.path().is_dir() {
                bytes(&entry.path())
            } else {
                entry.metadata().unwrap().len()
            }
        })
        .sum()
}

fn main() {
    let folder = std::env::temp_dir().join(format!("rosidl_buffer_bench_{}", std::process::id()));
    let (msg, out, theirs) = (
        folder.join("msg"),
        folder.join("ours"),
        folder.join("theirs"),
    );
    let packages = copy_messages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../msg"), &msg);

    let none: [PathBuf; 0] = [];
    let config = || {
        rosidl_buffer_gen::Config::new()
            .ament_prefixes(none.clone())
            .search_path(&msg)
            .cargo_metadata(false)
            .out_dir(&out)
    };
    let report = config().generate().unwrap();
    let empty = |folder: &Path| {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).unwrap();
    };
    let fresh = median(
        || empty(&out),
        || assert_eq!(config().generate().unwrap().files_unchanged(), 0),
    );
    let again = median(
        || (),
        || assert_eq!(config().generate().unwrap().files_written(), 0),
    );

    let packages: Vec<&Path> = packages.iter().map(PathBuf::as_path).collect();
    let hiroz = median(
        || empty(&theirs),
        || {
            let config = GeneratorConfig {
                generate_cdr: true,
                generate_protobuf: false,
                generate_type_info: true,
                is_humble: false,
                output_dir: theirs.clone(),
                external_crate: None,
                local_packages: HashSet::new(),
                json_out: None,
            };
            MessageGenerator::new(config)
                .generate_from_msg_files(&packages)
                .unwrap();
        },
    );

    println!(
        "{} messages in {} packages, median of {RUNS} runs\n",
        report.interfaces(),
        packages.len()
    );
    println!("| what | CPU ms | written |\n|---|---|---|");
    println!(
        "| rosidl_buffer_gen, into an empty folder | {fresh:.1} | {} KiB |",
        bytes(&out) / 1024
    );
    println!("| rosidl_buffer_gen, nothing changed | {again:.1} | 0 |");
    println!(
        "| hiroz-codegen 0.2.1, into an empty folder | {hiroz:.1} | {} KiB |",
        bytes(&theirs) / 1024
    );
    fs::remove_dir_all(&folder).unwrap();
}
