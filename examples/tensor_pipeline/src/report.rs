//! What was received, as one line that a person and a program can read.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Counts tensors and times them.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) frames: u32,
    pub(crate) lost: u32,
    pub(crate) wrong: u32,
    latencies: Vec<Duration>,
    computations: Vec<Duration>,
    /// Tensors by the memory that they came in.
    backends: BTreeMap<String, u32>,
}

impl Report {
    /// A tensor that arrived.
    pub(crate) fn arrived(&mut self, latency: Duration, backend: &str) {
        self.frames += 1;
        self.latencies.push(latency);
        *self.backends.entry(backend.to_owned()).or_default() += 1;
    }

    /// A tensor that was computed with and compared.
    pub(crate) fn computed(&mut self, took: Duration) {
        self.computations.push(took);
    }

    /// Whether every tensor that arrived came in this memory.
    pub(crate) fn is_all_in(&self, backend: &str) -> bool {
        self.backends.keys().all(|name| name == backend)
    }

    /// The memory that all tensors came in, or how many in which.
    fn backends(&self) -> String {
        match self.backends.len() {
            0 => "none".to_owned(),
            1 => self.backends.keys().cloned().collect(),
            _ => {
                let each = self
                    .backends
                    .iter()
                    .map(|(name, count)| format!("{name}:{count}"));
                each.collect::<Vec<_>>().join(",")
            }
        }
    }
}

/// The time that so many hundredths stayed within, in microseconds.
fn percentile(times: &[Duration], hundredths: usize) -> u128 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let index = (sorted.len().saturating_sub(1) * hundredths).div_ceil(100);
    sorted.get(index).map_or(0, Duration::as_micros)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "tensor_pipeline: frames={} lost={} wrong={} backend={} p50_us={} p99_us={} compute_p50_us={}",
            self.frames,
            self.lost,
            self.wrong,
            self.backends(),
            percentile(&self.latencies, 50),
            percentile(&self.latencies, 99),
            percentile(&self.computations, 50)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_arrived() {
        let mut report = Report::default();
        let line = report.to_string();
        assert!(
            line.starts_with("tensor_pipeline: frames=0 lost=0 wrong=0 backend=none p50_us=0"),
            "{line}"
        );
        for micros in [30, 10, 20] {
            report.arrived(Duration::from_micros(micros), "shm");
        }
        report.computed(Duration::from_micros(7));
        report.lost = 2;
        assert_eq!(
            report.to_string(),
            "tensor_pipeline: frames=3 lost=2 wrong=0 backend=shm p50_us=20 p99_us=30 compute_p50_us=7"
        );
        assert!(report.is_all_in("shm"));
        report.arrived(Duration::ZERO, "cpu");
        assert!(
            report.to_string().contains(" backend=cpu:1,shm:3 "),
            "{report}"
        );
    }
}
