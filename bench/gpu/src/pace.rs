//! Why large frames take longer to hand over, although none of their bytes is touched: small frames at the pace of large ones,
//! with the host waiting in between, and with the device busy in between.

use std::time::Duration;

use crate::round::{Frames, Result};
use crate::warm::{Way, name, run, warm};
use crate::{count, median, quantile};

const MB: usize = 1 << 20;

pub fn pace() {
    let rounds = count(3, 1);
    println!(
        "\n## Frames of 1 MB at the pace of 256 MB, lock-step (µs; median of {rounds} runs, range of their p50)\n"
    );
    println!(
        "| | | time of a frame | host part p50 | p99 | after the record p50 | writer's own work p50 | wrong |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for way in [Way::Ours, Way::Floor] {
        let frames = |mb: usize| Frames::new(mb * MB, count(2000, 500));
        // A first run warms what stays; how long frames take comes from it.
        let [small, large] = [frames(1), frames(256)].map(|frames| time(&run(way, frames)));
        let waits = Frames {
            period: large,
            ..frames(1)
        };
        let busy = Frames {
            busy: large.saturating_sub(small),
            ..frames(1)
        };
        let kinds = [
            ("1 MB", frames(1)),
            ("1 MB, the host waits between frames", waits),
            ("1 MB, the device spins before it writes", busy),
            ("256 MB", frames(256)),
        ];
        let mut results: [Vec<Result>; 4] = Default::default();
        for round in 0..rounds {
            for at in 0..4 {
                let at = (at + round) % 4;
                results[at].push(run(way, kinds[at].1));
            }
        }
        for ((what, _), results) in kinds.iter().zip(results) {
            row(way, what, &results);
        }
    }
}

fn time(result: &Result) -> Duration {
    Duration::from_secs_f64(result.seconds / result.times.len() as f64)
}

fn row(way: Way, what: &str, results: &[Result]) {
    let middle = |of: &dyn Fn(&Result) -> f64| median(results.iter().map(of).collect());
    let host = |result: &Result| warm(result, |times| times.host);
    let (p50, low, high) = middle(&|result| quantile(&host(result), 0.5));
    println!(
        "| {} | {what} | {:.0} | **{p50:.2}** ({low:.2}–{high:.2}) | {:.1} | {:.2} | {:.2} | {} |",
        name(way),
        middle(&|result| time(result).as_secs_f64() * 1e6).0,
        middle(&|result| quantile(&host(result), 0.99)).0,
        middle(&|result| quantile(&warm(result, |times| times.after_record), 0.5)).0,
        middle(&|result| quantile(&warm(result, |times| times.own), 0.5)).0,
        results.iter().map(|result| result.wrong).sum::<u64>(),
    );
}
