//! What was received, as one line that a person and a program can read.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// Counts frames and times them.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) frames: u32,
    pub(crate) lost: u32,
    pub(crate) corrupt: u32,
    bytes: usize,
    latencies: Vec<Duration>,
    first: Option<Instant>,
    last: Option<Instant>,
    /// Frames by the memory that they came in.
    backends: BTreeMap<String, u32>,
}

impl Report {
    /// A frame that arrived.
    pub(crate) fn arrived(&mut self, bytes: usize, latency: Duration, backend: &str) {
        let now = Instant::now();
        self.frames += 1;
        self.bytes += bytes;
        self.latencies.push(latency);
        self.first.get_or_insert(now);
        self.last = Some(now);
        *self.backends.entry(backend.to_owned()).or_default() += 1;
    }

    /// Whether every frame that arrived came in this memory.
    pub(crate) fn is_all_in(&self, backend: &str) -> bool {
        self.backends.keys().all(|name| name == backend)
    }

    /// The latency that `share` of all frames stayed within, in microseconds.
    fn percentile(&self, share: f64) -> u128 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a length is an index"
        )]
        let index = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
        sorted.get(index).map_or(0, Duration::as_micros)
    }

    /// The memory that all frames came in, or how many in which.
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

    /// Megabytes (10⁶ bytes) a second between the first frame and the last.
    fn rate(&self) -> f64 {
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return 0.0;
        };
        let seconds = (last - first).as_secs_f64();
        if self.frames < 2 || seconds <= 0.0 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "printed with one digit")]
        let bytes = self.bytes as f64 * f64::from(self.frames - 1) / f64::from(self.frames);
        bytes / seconds / 1e6
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "camera: frames={} lost={} corrupt={} backend={} p50_us={} p99_us={} mb_per_s={:.1}",
            self.frames,
            self.lost,
            self.corrupt,
            self.backends(),
            self.percentile(0.5),
            self.percentile(0.99),
            self.rate()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_arrived() {
        let mut report = Report::default();
        assert!(
            report
                .to_string()
                .starts_with("camera: frames=0 lost=0 corrupt=0 backend=none p50_us=0")
        );
        for micros in [30, 10, 20] {
            report.arrived(100, Duration::from_micros(micros), "cpu");
        }
        report.lost = 2;
        let line = report.to_string();
        assert!(
            line.starts_with(
                "camera: frames=3 lost=2 corrupt=0 backend=cpu p50_us=20 p99_us=30 mb_per_s="
            ),
            "{line}"
        );
        assert!(report.is_all_in("cpu"));
        report.arrived(100, Duration::ZERO, "shm");
        assert!(!report.is_all_in("cpu") && !report.is_all_in("shm"));
        assert!(
            report.to_string().contains(" backend=cpu:3,shm:1 "),
            "{report}"
        );
    }
}
