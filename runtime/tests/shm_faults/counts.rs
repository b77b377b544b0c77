//! What a process holds: file descriptors, mappings of memfds, names of sockets, memory. Tests that count take turns, as all
//! threads of a process share what is counted.

use std::{
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::shm::ShmBackend;

/// Long enough for anything that should happen at all, on a machine that is busy with something else.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Nobody else counts, makes or kills anything meanwhile.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a process holds of what can leak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) fds: usize,
    pub(crate) mappings: usize,
}

impl Held {
    /// Nothing was left behind since. Less is possible: what an earlier test had may go late.
    pub(crate) fn no_more_than(self, before: Self) -> bool {
        self.fds <= before.fds && self.mappings <= before.mappings
    }
}

/// Of a process by its id, or of `self`.
pub(crate) fn held(process: &str) -> Held {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    Held {
        // The folder's own descriptor is among them, for everybody alike.
        fds: fs::read_dir(format!("/proc/{process}/fd")).unwrap().count(),
        mappings: maps.lines().filter(|line| line.contains("memfd:")).count(),
    }
}

/// Resident memory in KiB, of a process by its id or of `self`.
pub(crate) fn resident(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok())
        .unwrap()
}

/// Whether the socket that this metadata names exists; metadata is `1.<engine>.<socket>`.
pub(crate) fn name_exists(metadata: &str) -> bool {
    let name = metadata.rsplit('.').next().unwrap();
    assert_eq!(name.len(), 32, "{metadata}");
    fs::read_to_string("/proc/net/unix").unwrap().contains(name)
}

/// Waits until it is so; how long that took.
#[track_caller]
pub(crate) fn within(limit: Duration, what: &str, mut so: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
    start.elapsed()
}

/// Every block is free again, or will be once what is on its way has had its time: nothing is left of the pool at all.
#[track_caller]
pub(crate) fn all_free(shm: &ShmBackend, limit: Duration) -> Duration {
    within(limit, "all blocks are free", || {
        shm.trim(Duration::ZERO);
        let stats = shm.stats();
        (stats.blocks, stats.bytes) == (0, 0)
    })
}

/// A row of numbers that its seed repeats.
pub(crate) struct Random(u64);

impl Random {
    /// The seed comes from `SHM_FAULTS_SEED`, else from the clock, and is printed.
    pub(crate) fn new() -> Self {
        let seed = std::env::var("SHM_FAULTS_SEED").map_or_else(
            |_| {
                std::time::UNIX_EPOCH
                    .elapsed()
                    .unwrap()
                    .subsec_nanos()
                    .into()
            },
            |seed| seed.parse().unwrap(),
        );
        println!("SHM_FAULTS_SEED={seed}");
        Self(seed)
    }

    /// Another row, for a thread of its own.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn millis(&mut self, below: u64) -> Duration {
        Duration::from_micros(self.below(below * 1000))
    }
}
