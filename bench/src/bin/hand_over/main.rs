//! Hand-over of a block between two processes without a middleware: ours, iceoryx2, and one copy of the bytes as a floor.
//!
//! `cargo run --release --manifest-path bench/Cargo.toml --features hand_over --bin hand_over`
//!
//! Writer and reader are processes of their own, each on one core, and both spin: nobody is ever woken up. The time goes from
//! before the hand-over call to the reader's first look at the slice, by the clock that both share. Sides take turns.

mod copy;
mod iceoryx;
mod many;
mod ours;
mod pair;

use std::{
    collections::BTreeMap,
    io::Read as _,
    process::{Child, Command, Stdio},
};

use rosidl_buffer_bench::{Counting, Shared};

#[global_allocator]
static HEAP: Counting = Counting;

const ROUNDS: usize = 5;
const MEGABYTE: usize = 1 << 20;

/// What a started process does; the driver below starts this program again with these words.
fn role(words: &[String]) {
    let number = |index: usize| -> usize { words[index].parse().unwrap() };
    let shared = Shared::inherited(number(2) as i32);
    let (len, frames) = (number(3), number(4) as u64);
    match (words[0].as_str(), words[1].as_str()) {
        ("writer", "ours") => pair::write(&shared, len, frames, ours::Writer::new(&shared)),
        ("reader", "ours") => pair::read(&shared, len, frames, ours::Reader::new(&shared)),
        ("writer", "iceoryx2") => pair::write(&shared, len, frames, iceoryx::Writer::new(len)),
        ("reader", "iceoryx2") => pair::read(&shared, len, frames, iceoryx::Reader::new(len)),
        ("writer", "copy") => pair::write(&shared, len, frames, copy::Writer::new(&shared, len)),
        ("reader", "copy") => pair::read(&shared, len, frames, copy::Reader::new(&shared, len)),
        ("writer", "cold") => ours::write_cold(&shared, len, frames),
        ("reader", "cold") => ours::read_cold(&shared, len, frames),
        ("writer", "many") => many::write(&shared, len, frames, number(5)),
        ("reader", "many") => many::read(&shared, frames, number(5)),
        other => panic!("{other:?}"),
    }
}

/// A process of this program and what it prints at its end: `name value` lines.
struct Started(Child);

impl Started {
    fn new(words: &[&str], shared: &Shared, numbers: &[u64]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(words)
            .arg(shared.number().to_string())
            .args(numbers.iter().map(u64::to_string));
        Self(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    fn finish(mut self) -> BTreeMap<String, f64> {
        let mut text = String::new();
        self.0
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert!(self.0.wait().unwrap().success(), "a side failed");
        text.lines()
            .map(|line| {
                let (name, value) = line.split_once(' ').unwrap();
                (name.to_owned(), value.parse().unwrap())
            })
            .collect()
    }
}

/// One run of one pair.
fn run(side: &str, len: usize, frames: u64) -> BTreeMap<String, f64> {
    let shared = Shared::create(if side == "copy" { len } else { 0 });
    let numbers = [len as u64, frames];
    let writer = Started::new(&["writer", side], &shared, &numbers);
    let reader = Started::new(&["reader", side], &shared, &numbers);
    let mut said = writer.finish();
    said.extend(reader.finish());
    said
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn warm(sides: &[&str], frames: u64) {
    println!(
        "\n| MiB | side | p50 ns | rounds' p50 | p99 ns | max µs | there and back, p50 ns | block got and marked, p50 ns | allocations, writer + reader | system calls, writer + reader |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for len in [MEGABYTE, 64 * MEGABYTE] {
        let mut all: BTreeMap<&str, Vec<BTreeMap<String, f64>>> = BTreeMap::new();
        for _ in 0..ROUNDS {
            for &side in sides {
                let frames = if side == "copy" && len > MEGABYTE {
                    frames / 100
                } else {
                    frames
                };
                all.entry(side).or_default().push(run(side, len, frames));
            }
        }
        for &side in sides {
            let values =
                |name: &str| -> Vec<f64> { all[side].iter().map(|said| said[name]).collect() };
            let p50 = values("p50");
            let spread = (
                p50.iter().copied().fold(f64::MAX, f64::min),
                p50.iter().copied().fold(0.0, f64::max),
            );
            let sum = |name: &str| values(name).iter().sum::<f64>();
            println!(
                "| {} | {side} | {:.0} | {:.0}–{:.0} | {:.0} | {:.1} | {:.0} | {:.0} | {} + {} | {} + {} |",
                len / MEGABYTE,
                middle(p50),
                spread.0,
                spread.1,
                middle(values("p99")),
                values("max").iter().copied().fold(0.0, f64::max) / 1e3,
                middle(values("back")),
                middle(values("got")),
                sum("writer_allocations"),
                sum("reader_allocations"),
                sum("writer_calls"),
                sum("reader_calls"),
            );
        }
    }
}

fn cold() {
    println!("\n| MiB | first use of a block by a process, p50 µs | p99 µs | blocks |");
    println!("|---|---|---|---|");
    const BLOCKS: u64 = 32;
    for len in [MEGABYTE, 64 * MEGABYTE] {
        let said: Vec<_> = (0..10).map(|_| run("cold", len, BLOCKS)).collect();
        let values = |name: &str| middle(said.iter().map(|said| said[name]).collect());
        println!(
            "| {} | {:.1} | {:.1} | {} |",
            len / MEGABYTE,
            values("p50") / 1e3,
            values("p99") / 1e3,
            10 * BLOCKS
        );
    }
}

fn many_readers() {
    println!("\n| readers | writer's cost of a frame, p50 ns | of which for each reader |");
    println!("|---|---|---|");
    const COUNTS: [u64; 4] = [1, 2, 4, 8];
    let mut costs = COUNTS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (&readers, costs) in COUNTS.iter().zip(&mut costs) {
            let shared = Shared::create(0);
            let numbers = [MEGABYTE as u64, 5_000];
            let writer = Started::new(
                &["writer", "many"],
                &shared,
                &[numbers[0], numbers[1], readers],
            );
            let others: Vec<_> = (0..readers)
                .map(|index| {
                    Started::new(
                        &["reader", "many"],
                        &shared,
                        &[numbers[0], numbers[1], index],
                    )
                })
                .collect();
            costs.push(writer.finish()["cost"]);
            others.into_iter().for_each(|other| drop(other.finish()));
        }
    }
    for (readers, costs) in COUNTS.into_iter().zip(costs) {
        let cost = middle(costs);
        println!("| {readers} | {cost:.0} | {:.0} |", cost / readers as f64);
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let frames = || {
        words
            .get(1)
            .map_or(20_000, |frames| frames.parse().unwrap())
    };
    match words.first().map(String::as_str) {
        Some("writer" | "reader") => role(&words),
        Some("warm") => warm(&["ours", "iceoryx2", "copy"], frames()),
        Some("cold") => cold(),
        Some("many") => many_readers(),
        Some(other) => panic!("unknown: {other}; warm [FRAMES], cold, many, or nothing for all"),
        None => {
            warm(&["ours", "iceoryx2", "copy"], frames());
            cold();
            many_readers();
        }
    }
}
