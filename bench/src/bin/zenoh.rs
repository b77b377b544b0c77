//! Images over Zenoh from one process to another: as bytes, as blocks of `shm`, and with Zenoh's own shared memory.
//!
//! `cargo build --release --manifest-path bench/zenoh_shm/Cargo.toml --target-dir bench/target`, then
//! `cargo run --release --manifest-path bench/Cargo.toml --features zenoh --bin zenoh`. Zenoh's own is another program,
//! because its features would change ours. Sides take turns; everything runs over TCP on the loopback interface.

use std::{
    collections::BTreeMap,
    io::Read as _,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use rosidl_buffer_bench::{
    Shared,
    end_to_end::{self, look, mark},
};
use rosidl_buffer_interfaces::sensor_msgs::msg::Image;
use rosidl_buffer_runtime::{BackendRegistry, shm::ShmBackend};
use rosidl_buffer_zenoh::{Context, Node, Publisher, QosProfile, Subscription};

const SOON: Duration = Duration::from_secs(20);
const ROUNDS: usize = 5;
const SIZES: [usize; 5] = [4096, 65_536, 1 << 20, 6_220_800, 24_883_200];

/// How a side sends, and which program plays it.
const SIDES: [(&str, &str, bool); 5] = [
    ("bytes", "ours, bytes", true),
    ("shm", "ours, `shm`", true),
    ("plain", "Zenoh alone, bytes", false),
    ("implicit", "Zenoh's shared memory, `put` of bytes", false),
    (
        "loan",
        "Zenoh's shared memory, allocated by the sender",
        false,
    ),
];

fn node(shm: bool) -> (Node, Option<ShmBackend>) {
    let backend = shm.then(|| ShmBackend::new().unwrap());
    let mut registry = BackendRegistry::new();
    if let Some(backend) = &backend {
        registry.register(backend.clone().into()).unwrap();
    }
    let context = Context::builder().backends(registry).build().unwrap();
    (context.create_node("bench").unwrap(), backend)
}

/// Waits where another profile drops: all sides send all frames.
fn qos() -> QosProfile {
    QosProfile::default().keep_all()
}

struct Sender {
    publisher: Publisher<Image>,
    message: Image,
    backend: Option<ShmBackend>,
    len: usize,
}

impl Sender {
    fn new(shm: bool, len: usize) -> Self {
        let (node, backend) = node(shm);
        let publisher = node.create_publisher("bench/image", qos()).unwrap();
        assert!(publisher.wait_for_subscription(SOON));
        assert!(!shm || publisher.wait_for_backend("shm", SOON));
        let message = Image {
            data: vec![0; len].into(),
            ..Image::default()
        };
        Self {
            publisher,
            message,
            backend,
            len,
        }
    }
}

impl end_to_end::Sender for Sender {
    fn send(&mut self, number: u64) {
        match &self.backend {
            Some(backend) => {
                let mut block = backend.allocate(self.len, SOON).unwrap();
                mark(&mut block, number);
                self.message.data = block.into_buffer();
            }
            None => mark(self.message.data.as_mut_slice().unwrap(), number),
        }
        self.publisher.publish(&self.message).unwrap();
    }
}

struct Receiver(Subscription<Image>);

impl Receiver {
    fn new(shm: bool) -> Self {
        let (node, _) = node(shm);
        Self(node.create_subscription("bench/image", qos()).unwrap())
    }
}

impl end_to_end::Receiver for Receiver {
    fn receive(&mut self, timeout: Duration) -> Option<(u64, u64, usize)> {
        let received = self.0.recv_timeout(timeout).unwrap()?;
        Some(look(received.message.data.as_slice().unwrap()))
    }
}

fn role(words: &[String]) {
    let shared = Shared::inherited(words[2].parse().unwrap());
    let len = words[3].parse().unwrap();
    let shm = words[1] == "shm";
    match words[0].as_str() {
        "writer" => {
            let sender = Sender::new(shm, len);
            let published = sender.publisher.node().context().backends().contains("shm");
            assert_eq!(published, shm);
            end_to_end::write(&shared, sender);
        }
        "reader" => end_to_end::read(&shared, len, Receiver::new(shm)),
        other => panic!("{other}"),
    }
}

/// One pair of processes; what both print.
fn run(program: &PathBuf, mode: &str, len: usize) -> BTreeMap<String, f64> {
    let shared = Shared::create(0);
    // A domain for ours, a port for the other program; another pair's must not be heard.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let start = |role: &str| {
        let mut command = Command::new(program);
        command.args([
            role,
            mode,
            &shared.number().to_string(),
            &len.to_string(),
            &port.to_string(),
        ]);
        command.env("ROS_DOMAIN_ID", (port % 100 + 100).to_string());
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let children = [start("reader"), start("writer")];
    let mut said = BTreeMap::new();
    for mut child in children {
        let mut text = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert!(child.wait().unwrap().success(), "{mode} failed");
        said.extend(text.lines().map(|line| {
            let (name, value) = line.split_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        }));
    }
    said
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some("writer" | "reader") = words.first().map(String::as_str) {
        return role(&words);
    }
    let rounds = words
        .first()
        .map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let ours = std::env::current_exe().unwrap();
    let theirs = ours.with_file_name("rosidl_buffer_bench_zenoh_shm");
    println!(
        "| bytes | side | frames/s | rounds | latency p50 µs | p99 µs | rate beside our bytes |"
    );
    println!("|---|---|---|---|---|---|---|");
    for len in SIZES {
        let mut all: BTreeMap<&str, Vec<BTreeMap<String, f64>>> = BTreeMap::new();
        for _ in 0..rounds {
            for (mode, _, is_ours) in SIDES {
                let program = if is_ours { &ours } else { &theirs };
                all.entry(mode).or_default().push(run(program, mode, len));
            }
        }
        let values = |mode: &str, name: &str| -> Vec<f64> {
            all[mode].iter().map(|said| said[name]).collect()
        };
        let value = |mode: &str, name: &str| middle(values(mode, name));
        for (mode, what, _) in SIDES {
            let rate = value(mode, "rate");
            let least = values(mode, "rate").into_iter().fold(f64::MAX, f64::min);
            let most = values(mode, "rate").into_iter().fold(0.0, f64::max);
            println!(
                "| {len} | {what} | {rate:.0} | {least:.0}–{most:.0} | {:.0} | {:.0} | {:.1} |",
                value(mode, "p50") / 1e3,
                value(mode, "p99") / 1e3,
                rate / value("bytes", "rate"),
            );
        }
    }
}
