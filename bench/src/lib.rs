//! What the measuring programs share: medians of repeated runs, all sides in one run.

use std::time::{Duration, Instant};

/// The median time of one call, over `runs` runs of as many calls as fill about a millisecond.
pub fn median(runs: usize, mut call: impl FnMut()) -> Duration {
    let start = Instant::now();
    call();
    let once = start.elapsed().max(Duration::from_nanos(1));
    let calls = u32::try_from(1 + Duration::from_millis(1).as_nanos() / once.as_nanos()).unwrap_or(u32::MAX);
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            (0..calls).for_each(|_| call());
            start.elapsed() / calls
        })
        .collect();
    times.sort_unstable();
    times[runs / 2]
}

/// CPU time of this process so far.
pub fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split_whitespace().next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}
