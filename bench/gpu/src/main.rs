//! Measures the hand-over of GPU memory between two processes, as `bench/results/cuda.md` says, beside the least that a program can do.
//!
//! `bench/gpu/build` builds it, `bench/gpu/run` runs it on a machine with a GPU. Without arguments all tables are made; words select.
//! With `GPU_BENCH_QUICK` in the environment fewer and shorter runs are made, to see whether all works.

#[path = "../../../runtime/tests/cuda_handover/gpu.rs"]
#[allow(dead_code)]
mod gpu;
#[path = "../../../runtime/tests/cuda_handover/link.rs"]
#[allow(dead_code)]
mod link;
#[path = "../../../runtime/tests/cuda_handover/queue.rs"]
#[allow(dead_code)]
mod queue;
#[path = "../../../runtime/tests/cuda_handover/side.rs"]
#[allow(dead_code)]
mod side;

mod bytes;
mod cold;
mod deaths;
mod floor;
mod other;
mod ours;
mod pace;
mod peers;
mod round;
mod slow;
#[cfg(feature = "tensors")]
mod tensors;
mod warm;

fn main() {
    if other::is_started() {
        return other::act();
    }
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let tables: &[(&str, fn())] = &[
        ("warm", warm::full_rate),
        ("pace", pace::pace),
        ("rates", warm::rates),
        ("growth", warm::growth),
        ("cold", cold::cold),
        ("slow", slow::slow),
        ("deaths", deaths::deaths),
        ("bytes", bytes::bytes),
        ("peers", peers::peers),
        #[cfg(feature = "tensors")]
        ("tensors", tensors::hop),
        #[cfg(feature = "tensors")]
        ("copies", tensors::copies),
    ];
    // The driver and its context are there before anything is measured.
    let Some(side) = side::Side::new() else {
        return;
    };
    for (name, table) in tables {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == *name) {
            table();
        }
    }
    drop(side);
}

/// How many of something to do: `all`, or `few` to see whether it works.
fn count<T>(all: T, few: T) -> T {
    if std::env::var_os("GPU_BENCH_QUICK").is_some() {
        few
    } else {
        all
    }
}

/// Value at a share of the sorted values, in microseconds.
fn quantile(sorted: &[u64], share: f64) -> f64 {
    let last = sorted.len() - 1;
    let at = (last as f64 * share).round() as usize;
    sorted[at.min(last)] as f64 / 1e3
}

fn sorted(values: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values
}

/// Median of the three and how far they lie apart.
fn median(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    (
        values[values.len() / 2],
        values[0],
        values[values.len() - 1],
    )
}
