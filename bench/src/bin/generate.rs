//! Generating ROS 2's common messages and services, and made-up ones in growing numbers, beside hiroz-codegen and
//! roslibrust_codegen on the same files: CPU time on one core, and wall time on all.
//!
//! `TMPDIR=/dev/shm cargo run --release --manifest-path bench/Cargo.toml --bin generate | grep -v ^cargo:`

use std::fs;
use std::path::Path;

use rosidl_buffer_bench::{
    Packages, Side, Time, common, hiroz, on_one_core, ours, roslibrust, synthetic, take_turns,
};

/// How often each side is measured; with the made-up messages less often.
const RUNS: usize = 31;
const SYNTHETIC_RUNS: usize = 11;

/// The file that is edited where one file changed.
const EDITED: &str = "sensor_msgs/msg/Image.msg";

fn empty(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).unwrap();
}

/// How much code there is, in KiB.
fn size(path: &Path) -> u64 {
    fn bytes(path: &Path) -> u64 {
        match fs::read_dir(path) {
            Ok(entries) => entries.map(|entry| bytes(&entry.unwrap().path())).sum(),
            Err(_) if path.extension().is_some_and(|extension| extension == "rs") => {
                path.metadata().unwrap().len()
            }
            Err(_) => 0,
        }
    }
    bytes(path) / 1024
}

/// Generates everything.
fn run_fresh(packages: &Packages, out: &Path, format: bool) {
    let report = ours(packages, out).format(format).generate().unwrap();
    assert_eq!(report.interfaces(), packages.interfaces);
    assert_eq!(report.files_unchanged(), 0);
}

/// Generates again, after `changed` files changed.
fn run_again(packages: &Packages, out: &Path, changed: usize) {
    let report = ours(packages, out).generate().unwrap();
    assert_eq!(report.files_written(), changed);
}

fn on_one(folder: &Path) {
    let packages = &common(&folder.join("common"));
    // Of its own, so that the others have nothing to notice.
    let edited = &common(&folder.join("edited"));
    let text = fs::read_to_string(edited.folder.join(EDITED)).unwrap();
    let mut edits = 0;
    let edit = || {
        edits += 1;
        let text = format!("# Edit {edits}.\n{text}");
        fs::write(edited.folder.join(EDITED), text).unwrap();
    };
    let [laid_out, plain, again, one, hiroz_out] =
        &["formatted", "plain", "again", "one", "hiroz"].map(|name| folder.join(name));
    let roslibrust_out = &folder.join("roslibrust.rs");
    run_fresh(packages, again, true);
    run_fresh(edited, one, true);

    let sides = [
        Side::new(|| empty(laid_out), || run_fresh(packages, laid_out, true)),
        Side::new(|| empty(hiroz_out), || hiroz(packages, hiroz_out)),
        Side::new(|| empty(plain), || run_fresh(packages, plain, false)),
        Side::new(|| (), || roslibrust(packages, roslibrust_out)),
        Side::new(edit, || run_again(edited, one, 1)),
        Side::new(|| (), || run_again(packages, again, 0)),
    ];
    let times = on_one_core(|| take_turns(RUNS, sides));
    println!(
        "\n{} messages and services in {} packages, one core, {RUNS} runs\n",
        packages.interfaces,
        packages.packages.len()
    );
    println!("| what | CPU ms, median | least | code | ratio to the first row |");
    println!("|---|---|---|---|---|");
    let row = |what: &str, time: Time, code: &str| {
        let ratio = time.cpu / times[0].cpu;
        let (cpu, least) = (time.cpu, time.least_cpu);
        println!("| {what} | {cpu:.1} | {least:.1} | {code} | {ratio:.2} |");
    };
    let kib = |path: &Path| format!("{} KiB", size(path));
    row("rosidl_buffer_gen, formatted", times[0], &kib(laid_out));
    row("hiroz-codegen 0.2.1, formatted", times[1], &kib(hiroz_out));
    row("rosidl_buffer_gen, unformatted", times[2], &kib(plain));
    row(
        "roslibrust_codegen 0.26.0, unformatted",
        times[3],
        &kib(roslibrust_out),
    );
    row("rosidl_buffer_gen, one file changed", times[4], "1 file");
    row("rosidl_buffer_gen, nothing changed", times[5], "none");
    println!(
        "\nhiroz-codegen takes {:.1} times as long, formatted; roslibrust_codegen {:.1} times, unformatted.",
        times[1].cpu / times[0].cpu,
        times[3].cpu / times[2].cpu,
    );
}

fn on_all(folder: &Path) {
    let packages = &common(&folder.join("common"));
    let [laid_out, plain, again] =
        &["formatted", "plain", "again"].map(|name| folder.join("all").join(name));
    run_fresh(packages, again, true);
    let sides = [
        Side::new(|| empty(laid_out), || run_fresh(packages, laid_out, true)),
        Side::new(|| empty(plain), || run_fresh(packages, plain, false)),
        Side::new(|| (), || run_again(packages, again, 0)),
    ];
    let times = take_turns(RUNS, sides);
    let cores = std::thread::available_parallelism().unwrap();
    println!("\nThe same on all {cores} cores\n");
    println!("| what | wall ms | CPU ms |\n|---|---|---|");
    for (what, time) in ["formatted", "unformatted", "nothing changed"]
        .iter()
        .zip(times)
    {
        let Time { wall, cpu, .. } = time;
        println!("| rosidl_buffer_gen, {what} | {wall:.1} | {cpu:.1} |");
    }
}

fn growing(folder: &Path) {
    let counts = [450, 900, 1800];
    let packages = counts.map(|count| synthetic(&folder.join(format!("synthetic_{count}")), count));
    let (out, single) = (&folder.join("synthetic_out"), &folder.join("synthetic.rs"));
    println!("\nMessages of 20 fields, one core, {SYNTHETIC_RUNS} runs\n");
    println!(
        "| what | messages | CPU ms | µs each | ratio to {} messages |\n|---|---|---|---|---|",
        counts[0]
    );
    let whole = |format: bool| {
        let side = |packages| Side::new(|| empty(out), move || run_fresh(packages, out, format));
        on_one_core(|| take_turns(SYNTHETIC_RUNS, packages.each_ref().map(side)))
    };
    let rows = [
        ("rosidl_buffer_gen, formatted", whole(true)),
        ("rosidl_buffer_gen, unformatted", whole(false)),
        (
            "roslibrust_codegen 0.26.0, unformatted",
            on_one_core(|| {
                let side = |packages| Side::new(|| (), move || roslibrust(packages, single));
                take_turns(SYNTHETIC_RUNS, packages.each_ref().map(side))
            }),
        ),
    ];
    for (what, times) in rows {
        let each = |index: usize| times[index].cpu / counts[index] as f64;
        for (index, count) in counts.iter().enumerate() {
            println!(
                "| {what} | {count} | {:.1} | {:.0} | {:.2} |",
                times[index].cpu,
                each(index) * 1e3,
                each(index) / each(0)
            );
        }
    }
}

fn main() {
    let folder = std::env::temp_dir().join(format!("rosidl_buffer_bench_{}", std::process::id()));
    empty(&folder);
    on_one(&folder);
    on_all(&folder);
    growing(&folder);
    fs::remove_dir_all(&folder).unwrap();
}
