//! Frames of all sizes at one pace. At full rate small frames come sooner after one another than large ones, which are written
//! and compared for longer, and what the host part needs is less warm the more time lies between two frames.

use std::time::Duration;

use crate::round::{Frames, Result};
use crate::warm::{Way, name, run, warm};
use crate::{count, median, quantile};

const MB: usize = 1 << 20;
const SIZES: [usize; 5] = [1, 4, 16, 64, 256];
/// Longer than the largest frames take.
const PERIOD: Duration = Duration::from_micros(600);

pub fn pace() {
    let rounds = count(5, 1);
    println!(
        "\n## A frame every {} µs, whatever its size, lock-step (µs; median of {rounds} runs, range of their p50)\n",
        PERIOD.as_micros()
    );
    println!(
        "| MB | | time of a frame | host part p50 | p99 | after the record p50 | writer's own work p50 | wrong |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for way in [Way::Ours, Way::Floor] {
        let mut results: [Vec<Result>; SIZES.len()] = Default::default();
        for round in 0..rounds {
            for at in 0..SIZES.len() {
                let at = (at + round) % SIZES.len();
                let frames = Frames::new(SIZES[at] * MB, count(1500, 500));
                let period = PERIOD;
                results[at].push(run(way, Frames { period, ..frames }));
            }
        }
        for (mb, results) in SIZES.iter().zip(results) {
            row(way, *mb, &results);
        }
    }
}

fn time(result: &Result) -> Duration {
    Duration::from_secs_f64(result.seconds / result.times.len() as f64)
}

fn row(way: Way, mb: usize, results: &[Result]) {
    let middle = |of: &dyn Fn(&Result) -> f64| median(results.iter().map(of).collect());
    let host = |result: &Result| warm(result, |times| times.host);
    let (p50, low, high) = middle(&|result| quantile(&host(result), 0.5));
    println!(
        "| {mb} | {} | {:.0} | **{p50:.2}** ({low:.2}–{high:.2}) | {:.1} | {:.2} | {:.2} | {} |",
        name(way),
        middle(&|result| time(result).as_secs_f64() * 1e6).0,
        middle(&|result| quantile(&host(result), 0.99)).0,
        middle(&|result| quantile(&warm(result, |times| times.after_record), 0.5)).0,
        middle(&|result| quantile(&warm(result, |times| times.own), 0.5)).0,
        results.iter().map(|result| result.wrong).sum::<u64>(),
    );
}
