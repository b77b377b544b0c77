//! Frames of a 4K camera from the GPU of one node to the GPU of another, over Zenoh, as `bench/results/cuda_nodes.md` says: where they
//! lie, by way of shared host memory, and as the bytes of a message.
//!
//! `bench/gpu/build` builds it, `bench/gpu/run` runs it. The program starts itself again for each node.

#[path = "../../../../runtime/tests/cuda_handover/gpu.rs"]
#[allow(dead_code)]
mod gpu;
#[path = "../../../../runtime/tests/cuda_handover/link.rs"]
#[allow(dead_code)]
mod link;

mod memory;
mod reader;
mod writer;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use link::Link;
use rosidl_buffer_runtime::BackendRegistry;
use rosidl_buffer_runtime::cuda::CudaBackend;
use rosidl_buffer_zenoh::{Context, Node, QosProfile};

/// RGBA, 3840 × 2160.
const LEN: usize = 3840 * 2160 * 4;
const TOPIC: &str = "bench/image";
const ROLE: &str = "GPU_BENCH_ROLE";

/// Marks of the reader whose frames are waited for: when it had seen that the last one is right, how many were not.
const VERIFIED: usize = 0;
const WRONG: usize = 1;
/// Frames that a reader beside it has seen.
const WATCHED: usize = 2;

/// What is measured: the writer's way, the reader's way, and who else reads.
struct Row {
    name: &'static str,
    writer: &'static str,
    reader: &'static str,
    watcher: Option<&'static str>,
}

const ROWS: [Row; 5] = [
    Row {
        name: "GPU memory, by descriptor",
        writer: "cuda_rs",
        reader: "cuda_rs",
        watcher: None,
    },
    Row {
        name: "beside it a reader of shared host memory",
        writer: "cuda_rs",
        reader: "cuda_rs",
        watcher: Some("shm"),
    },
    Row {
        name: "beside it a reader of bytes",
        writer: "cuda_rs",
        reader: "cuda_rs",
        watcher: Some("cpu"),
    },
    Row {
        name: "copied to shared host memory and back",
        writer: "cuda_rs",
        reader: "shm",
        watcher: None,
    },
    Row {
        name: "copied to bytes in the message and back",
        writer: "cpu",
        reader: "cpu",
        watcher: None,
    },
];

fn qos() -> QosProfile {
    QosProfile::default()
}

/// A node that has the memory `best`, and those that are less.
fn node(name: &str, best: &str) -> Node {
    let context = match best {
        "cpu" => Context::builder().backends(BackendRegistry::new()),
        "shm" => Context::builder(),
        _ => Context::builder().cuda(),
    };
    context.build().unwrap().create_node(name).unwrap()
}

fn start(role: &str, link: &Link, domain: u32) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    link.pass(&mut command)
        .env(ROLE, role)
        .env("ROS_DOMAIN_ID", domain.to_string());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// All nodes of one row; what the writer says, by name.
fn run(row: &Row, domain: u32) -> BTreeMap<String, Vec<u64>> {
    let link = Link::new();
    let mut readers = vec![start(&format!("reader {}", row.reader), &link, domain)];
    readers.extend(
        row.watcher
            .map(|accepts| start(&format!("watcher {accepts}"), &link, domain)),
    );
    let role = format!(
        "writer {} {} {}",
        row.writer,
        row.reader,
        row.watcher.unwrap_or("none")
    );
    let mut writer = start(&role, &link, domain);
    let mut said = String::new();
    writer
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(
        writer.wait().unwrap().success(),
        "{}: the writer failed",
        row.name
    );
    link.stop.set(1);
    for mut reader in readers {
        assert!(
            reader.wait().unwrap().success(),
            "{}: a reader failed",
            row.name
        );
    }
    let lines = said.lines().map(|line| {
        let (name, values) = line.split_once(' ').unwrap_or((line, ""));
        let values = values.split(' ').filter_map(|value| value.parse().ok());
        (name.to_owned(), values.collect())
    });
    lines.collect()
}

fn quantile(sorted: &[u64], share: f64) -> f64 {
    let at = ((sorted.len() - 1) as f64 * share).round() as usize;
    sorted[at] as f64 / 1e3
}

fn main() {
    if let Ok(role) = std::env::var(ROLE) {
        let (link, words) = (
            Link::inherited().unwrap(),
            role.split(' ').collect::<Vec<_>>(),
        );
        return match words[0] {
            "writer" => writer::write(words[1], words[2], words[3], &link),
            "reader" => reader::read(words[1], &link),
            "watcher" => reader::watch(words[1], &link),
            other => panic!("what is {other:?}?"),
        };
    }
    if let Err(why) = CudaBackend::new() {
        return println!("skipped: {why}");
    }
    let rounds: u32 = std::env::args()
        .nth(1)
        .map_or(5, |rounds| rounds.parse().unwrap());
    println!(
        "| frames of {LEN} bytes | frames/s, median (range) | `publish` at that rate p50 µs | p99 | latency at 60 Hz p50 µs | p99 | max | wrong | frames/s seen by the other | dropped for it |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (number, row) in (0..).zip(&ROWS) {
        let [mut rates, mut times, mut calls, mut watched] = [const { Vec::<u64>::new() }; 4];
        let (mut wrong, mut dropped) = (0, 0);
        for round in 0..rounds {
            let said = run(
                row,
                40_000 + std::process::id() % 1_000 * 64 + number * 8 + round % 8,
            );
            rates.extend(&said["rate"]);
            times.extend(&said["times"]);
            calls.extend(&said["calls"]);
            watched.extend(&said["watched"]);
            wrong += said["wrong"][0];
            dropped += said["dropped"][0];
        }
        for values in [&mut rates, &mut times, &mut calls, &mut watched] {
            values.sort_unstable();
        }
        let rate = |at: usize| rates[at] as f64 / 1e3;
        let (seen, dropped) = if row.watcher.is_some() {
            (
                format!("{:.0}", watched[watched.len() / 2] as f64 / 1e3),
                dropped.to_string(),
            )
        } else {
            ("–".to_owned(), "–".to_owned())
        };
        println!(
            "| {} | **{:.0}** ({:.0}–{:.0}) | {:.1} | {:.1} | **{:.0}** | {:.0} | {:.0} | {wrong} | {seen} | {dropped} |",
            row.name,
            rate(rates.len() / 2),
            rate(0),
            rate(rates.len() - 1),
            quantile(&calls, 0.5),
            quantile(&calls, 0.99),
            quantile(&times, 0.5),
            quantile(&times, 0.99),
            quantile(&times, 1.0),
        );
    }
}
