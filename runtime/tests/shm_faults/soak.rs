//! A million frames between two processes: memory, descriptors, mappings and time per frame stay what they are.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::BufferBackend as _;

use crate::{
    counts::{SOON, all_free, alone, held, resident},
    frames,
    other::{Other, Settings, hear, send},
};

/// Whole when optimised; a tenth is the same test in a debug build.
const FRAMES: u64 = if cfg!(debug_assertions) {
    100_000
} else {
    1_000_000
};
/// Handed over before the other process answers once: what is measured is not the pipe.
pub(crate) const BATCH: u64 = 100;
const LEN: usize = 8192;

#[test]
fn a_million_frames_with_flat_memory_descriptors_and_latency() {
    let _turn = alone();
    let settings = Settings {
        max_blocks: usize::try_from(BATCH).unwrap() + 1,
        deadline: SOON,
        ..Settings::default()
    };
    let shm = settings.build().unwrap();
    let mut other = Other::with(&settings);
    assert_eq!(
        other.ask(&format!("connect {}", shm.backend_metadata())),
        "ok"
    );
    assert!(shm.wait_for_reader(&other.metadata, SOON));
    assert!(other.say("soak"));
    let (process, reader) = (other.id(), other.metadata.clone());
    let (mut input, mut output) = other.split();
    let mut number = 0;
    let mut lines = String::new();
    // One batch; the time of it all, there and back.
    let mut batch = || {
        let start = Instant::now();
        lines.clear();
        for _ in 0..BATCH {
            number += 1;
            let (_, descriptor) = send(&shm, &reader, number, LEN).unwrap();
            lines += &frames::to_hex(&descriptor.unwrap());
            lines.push('\n');
        }
        input.write_all(lines.as_bytes()).unwrap();
        assert_eq!(hear(&mut output), Some(format!("at {number}")));
        start.elapsed()
    };
    let mut tenth = || {
        let mut times: Vec<Duration> = (0..FRAMES / BATCH / 10).map(|_| batch()).collect();
        times.sort_unstable();
        // Not the median: what else the machine does meanwhile is not ours.
        times[times.len() / 10]
    };
    let first = tenth();
    let before = (
        held("self"),
        held(&process),
        resident("self"),
        resident(&process),
    );
    let mut last = first;
    for _ in 1..10 {
        last = tenth();
    }
    println!("{BATCH} frames: {first:?} in the first tenth of all, {last:?} in the last");
    assert!(
        last < 2 * first,
        "slower and slower: {first:?}, then {last:?}"
    );
    let after = (
        held("self"),
        held(&process),
        resident("self"),
        resident(&process),
    );
    assert_eq!((after.0, after.1), (before.0, before.1));
    for (before, after) in [(before.2, after.2), (before.3, after.3)] {
        assert!(
            after < before + 1024,
            "KiB of memory: {before}, then {after}"
        );
    }
    let stats = shm.stats();
    assert_eq!(
        (stats.described, stats.exhausted, stats.expired),
        (FRAMES, 0, 0),
        "{stats:?}"
    );
    assert_eq!(stats.blocks_free, stats.blocks);
    drop((input, other));
    all_free(&shm, SOON);
}
