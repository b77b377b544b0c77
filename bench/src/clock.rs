//! Medians of wall time and of the CPU time of the whole process, its threads included; on one core or on all.

use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// The median time of one call, over `runs` runs of as many calls as fill about a millisecond.
pub fn median(runs: usize, mut call: impl FnMut()) -> Duration {
    let start = Instant::now();
    call();
    let once = start.elapsed().max(Duration::from_nanos(1));
    let calls = u32::try_from(1 + Duration::from_millis(1).as_nanos() / once.as_nanos())
        .unwrap_or(u32::MAX);
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

/// One side of a comparison.
pub struct Side<'a> {
    prepare: Box<dyn FnMut() + 'a>,
    work: Box<dyn FnMut() + 'a>,
}

impl<'a> Side<'a> {
    /// What `prepare` does before each run of `work` is not counted.
    pub fn new(prepare: impl FnMut() + 'a, work: impl FnMut() + 'a) -> Self {
        Self {
            prepare: Box::new(prepare),
            work: Box::new(work),
        }
    }
}

/// What one side took, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    /// User and system time of all threads, median.
    pub cpu: f64,
    /// The same, of the run that took least.
    pub least_cpu: f64,
    /// Wall time, median.
    pub wall: f64,
}

/// Measures several sides. They take turns, so that a slow phase of the machine is one for all.
pub fn take_turns<const N: usize>(runs: usize, mut sides: [Side<'_>; N]) -> [Time; N] {
    let mut times: [_; N] = std::array::from_fn(|_| (Vec::new(), Vec::new()));
    for _ in 0..runs {
        for (side, (cpu, wall)) in sides.iter_mut().zip(&mut times) {
            (side.prepare)();
            let (cpu_before, start) = (cpu_time(), Instant::now());
            (side.work)();
            wall.push(start.elapsed());
            cpu.push(cpu_time() - cpu_before);
        }
    }
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    times.map(|(mut cpu, mut wall)| {
        cpu.sort_unstable();
        wall.sort_unstable();
        Time {
            cpu: milliseconds(cpu[runs / 2]),
            least_cpu: milliseconds(cpu[0]),
            wall: milliseconds(wall[runs / 2]),
        }
    })
}

/// Calls on one core, where a program that asks how many there are is told one.
pub fn on_one_core<R>(call: impl FnOnce() -> R) -> R {
    let all = sched_getaffinity(None).unwrap();
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).find(|&core| all.is_set(core)).unwrap());
    sched_setaffinity(None, &one).unwrap();
    let result = call();
    sched_setaffinity(None, &all).unwrap();
    result
}

/// CPU time of this process so far, user and system, of all its threads.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}
