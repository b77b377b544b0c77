//! Generating all bundled packages, formatted, on one thread: CPU time, beside hiroz-codegen on the same files.
//!
//! `cargo run --release --manifest-path bench/Cargo.toml --bin generate`

use std::path::{Path, PathBuf};
use std::time::Duration;

use rosidl_buffer_bench::cpu_time;

const RUNS: usize = 21;

fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = cpu_time();
            run();
            cpu_time() - start
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2]
}

fn main() {
    let msg = Path::new(env!("CARGO_MANIFEST_DIR")).join("../msg");
    let out = std::env::temp_dir().join(format!("rosidl_buffer_bench_{}", std::process::id()));
    let none: [PathBuf; 0] = [];
    let config = || {
        rosidl_buffer_gen::Config::new().ament_prefixes(none.clone()).search_path(&msg).cargo_metadata(false).out_dir(&out)
    };
    let report = config().generate().unwrap();
    println!("{} interfaces, {} files, median CPU time of {RUNS} runs", report.interfaces(), report.files_written());
    let fresh = median(|| {
        let _ = std::fs::remove_dir_all(&out);
        config().generate().unwrap();
    });
    let again = median(|| {
        assert_eq!(config().generate().unwrap().files_written(), 0);
    });
    println!("| what | CPU ms |\n|---|---|");
    println!("| everything, into an empty folder | {:.1} |", fresh.as_secs_f64() * 1e3);
    println!("| again, nothing changed | {:.1} |", again.as_secs_f64() * 1e3);
    std::fs::remove_dir_all(&out).unwrap();
}
