//! Frames whose blocks the reader knows already: at full rate, at cameras' rates; and frames that all need a new block.

use std::time::Duration;

use crate::floor::FloorPublisher;
use crate::gpu::Gpu;
use crate::other::{Other, WRITER_CORE, pin, unpin};
use crate::ours::OurPublisher;
use crate::round::{Frames, Result, Times, publish};
use crate::side::Side;
use crate::{count, median, quantile, sorted};

const MB: usize = 1 << 20;

#[derive(Clone, Copy, PartialEq)]
pub enum Way {
    Ours,
    Floor,
}

pub fn run(way: Way, frames: Frames) -> Result {
    unpin();
    let result = match way {
        Way::Ours => {
            let other = Other::start("ours");
            let mut publisher = OurPublisher::new(Side::new().unwrap(), &other.link);
            let gpu = Gpu::new();
            other.wait_until_ready();
            pin(WRITER_CORE);
            let result = publish(&mut publisher, &gpu, &other.link, frames);
            assert!(other.end().success());
            result
        }
        Way::Floor => {
            let mut other = Other::start("floor");
            let gpu = Gpu::new();
            let mut publisher = FloorPublisher::new(other.socket.take().unwrap(), frames.len);
            publisher.fill_up();
            other.wait_until_ready();
            pin(WRITER_CORE);
            let result = publish(&mut publisher, &gpu, &other.link, frames);
            assert!(other.end().success());
            result
        }
    };
    unpin();
    result
}

/// Warm frames only: not the first tenth, and no first use of a block.
pub fn warm(result: &Result, of: impl Fn(&Times) -> u64) -> Vec<u64> {
    let skip = result.times.len() / 10;
    sorted(
        result
            .times
            .iter()
            .skip(skip)
            .filter(|times| !times.first)
            .map(of),
    )
}

pub fn name(way: Way) -> &'static str {
    match way {
        Way::Ours => "ours",
        Way::Floor => "floor",
    }
}

/// Both ways at all sizes, one after the other, three times.
pub fn full_rate() {
    let rounds = count(3, 1);
    println!(
        "\n## Warm hand-over, lock-step at full rate (µs; median of {rounds} runs, range of their p50)\n"
    );
    println!(
        "| MB | | host part p50 | p99 | max | after the record p50 / p99 | writer's own work p50 / p99 | verified p50 | calls per frame | blocks | frames/s | wrong |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for mb in [1, 4, 16, 64, 256] {
        let frames = count(if mb == 256 { 1800 } else { 3500 }, 1500);
        let mut results: Vec<(Way, Result)> = Vec::new();
        for round in 0..rounds {
            let mut ways = [Way::Ours, Way::Floor];
            if round % 2 == 1 {
                ways.reverse();
            }
            for way in ways {
                results.push((way, run(way, Frames::new(mb * MB, frames))));
            }
        }
        for way in [Way::Ours, Way::Floor] {
            let of_way: Vec<&Result> = results
                .iter()
                .filter(|(other, _)| *other == way)
                .map(|(_, r)| r)
                .collect();
            let middle = |share: f64, of: fn(&Times) -> u64| {
                median(
                    of_way
                        .iter()
                        .map(|result| quantile(&warm(result, of), share))
                        .collect(),
                )
            };
            let host: fn(&Times) -> u64 = |times| times.host;
            let (p50, low, high) = middle(0.5, host);
            let (_, _, max) = middle(1.0, host);
            println!(
                "| {mb} | {} | **{p50:.2}** ({low:.2}–{high:.2}) | {:.1} | {max:.0} | {:.2} / {:.1} | {:.2} / {:.1} | {:.0} | {:.2} | {} | {:.0} | {} |",
                name(way),
                middle(0.99, host).0,
                middle(0.5, |times| times.after_record).0,
                middle(0.99, |times| times.after_record).0,
                middle(0.5, |times| times.own).0,
                middle(0.99, |times| times.own).0,
                middle(0.5, |times| times.verified).0,
                median(of_way.iter().map(|result| result.calls).collect()).0,
                of_way.iter().map(|result| result.blocks).max().unwrap(),
                median(
                    of_way
                        .iter()
                        .map(|result| result.times.len() as f64 / result.seconds)
                        .collect()
                )
                .0,
                of_way.iter().map(|result| result.wrong).sum::<u64>(),
            );
        }
    }
}

/// 16 MB at rates at which caches and cores go cold.
pub fn rates() {
    println!("\n## Warm hand-over of 16 MB at lower rates (µs)\n");
    println!(
        "| Hz | | host part p50 / p99 | after the record p50 / p99 | writer's own work p50 | calls per frame | blocks | wrong |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (hz, frames) in [(1000, 2000), (100, 400), (30, 270)] {
        for way in [Way::Ours, Way::Floor] {
            let frames = Frames::new(16 * MB, count(frames, frames / 3));
            let period = Duration::from_secs(1) / hz;
            let result = run(way, Frames { period, ..frames });
            let (host, after) = (
                warm(&result, |times| times.host),
                warm(&result, |times| times.after_record),
            );
            println!(
                "| {hz} | {} | **{:.1}** / {:.1} | {:.1} / {:.1} | {:.1} | {:.2} | {} | {} |",
                name(way),
                quantile(&host, 0.5),
                quantile(&host, 0.99),
                quantile(&after, 0.5),
                quantile(&after, 0.99),
                quantile(&warm(&result, |times| times.own), 0.5),
                result.calls,
                result.blocks,
                result.wrong,
            );
        }
    }
}

/// Every frame needs a block that the reader does not know.
pub fn growth() {
    println!("\n## First use of a block: 320 blocks of 2 MB, none given back (µs)\n");
    println!(
        "| run | making the block p50 / p99 / max | host part p50 / p99 / max | frames with the three largest | wrong |"
    );
    println!("|---|---|---|---|---|");
    for run in 1..=3 {
        unpin();
        let other = Other::start("ours");
        let mut publisher = OurPublisher::new(Side::new().unwrap(), &other.link).keeping();
        let gpu = Gpu::new();
        other.wait_until_ready();
        let result = publish(&mut publisher, &gpu, &other.link, Frames::new(2 * MB, 320));
        assert!(other.end().success());
        let three = |of: fn(&Times) -> u64| {
            let values = sorted(result.times.iter().map(of));
            let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| quantile(&values, share));
            format!("{p50:.0} / {p99:.0} / **{max:.0}**")
        };
        let mut largest: Vec<(u64, usize)> = result
            .times
            .iter()
            .enumerate()
            .map(|(n, times)| (times.host.max(times.allocate), n))
            .collect();
        largest.sort_unstable();
        let largest: Vec<String> = largest
            .iter()
            .rev()
            .take(3)
            .map(|(time, n)| format!("{n}: {:.0}", *time as f64 / 1e3))
            .collect();
        println!(
            "| {run} | {} | {} | {} | {} |",
            three(|t| t.allocate),
            three(|t| t.host),
            largest.join(", "),
            result.wrong
        );
    }
}
