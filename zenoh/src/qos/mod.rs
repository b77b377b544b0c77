//! Quality of service in ROS's words, and what each word means on Zenoh.
//!
//! Reliability, durability and history shape the Zenoh publisher and subscriber. Deadline, lifespan and
//! liveliness are told to the other nodes, as `rmw_zenoh_cpp` does; nobody enforces them yet.

mod compatibility;

use std::time::Duration;

pub use self::compatibility::{QosPolicy, check_compatible};
use zenoh::qos::CongestionControl;

/// The depth that `rmw_zenoh_cpp` takes when none is given.
pub(crate) const SYSTEM_DEFAULT_DEPTH: u32 = 42;

/// Whether samples may get lost on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reliability {
    /// The transport keeps order and does not lose samples, unless the history is [`KeepLast`](History::KeepLast) and the link does
    /// not keep up: then some are dropped, as in `rmw_zenoh_cpp`, and counted where they do not arrive.
    #[default]
    Reliable,
    /// Samples may be lost on a transport that can lose them.
    BestEffort,
}

/// What a subscription gets that joins after a sample was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// Nothing.
    #[default]
    Volatile,
    /// The last samples, as many as the history keeps.
    TransientLocal,
}

/// How many samples are kept for a reader that is slower than the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum History {
    /// The newest so many; 0 stands for the middleware's default, 42.
    KeepLast(u32),
    /// All of them: a reader that never reads keeps on growing.
    KeepAll,
}

/// Who says that a publisher is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Liveliness {
    /// The middleware.
    #[default]
    Automatic,
    /// The publisher, by publishing.
    ManualByTopic,
}

/// Quality of service of a publisher or subscription.
///
/// ```
/// use rosidl_buffer_zenoh::{Durability, History, QosProfile};
///
/// let map = QosProfile::default().keep_last(1).transient_local();
/// assert_eq!(map.history, History::KeepLast(1));
/// assert_eq!(map.durability, Durability::TransientLocal);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct QosProfile {
    /// Whether samples may get lost.
    pub reliability: Reliability,
    /// What late joiners get.
    pub durability: Durability,
    /// How many samples are kept.
    pub history: History,
    /// The longest time expected between two samples; `None` for no limit.
    pub deadline: Option<Duration>,
    /// How long a sample is of use; `None` for ever.
    pub lifespan: Option<Duration>,
    /// Who says that a publisher is alive.
    pub liveliness: Liveliness,
    /// How long a publisher may be silent about it; `None` for ever.
    pub liveliness_lease: Option<Duration>,
}

impl Default for QosProfile {
    /// ROS's default profile: reliable, volatile, the last 10 samples.
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl QosProfile {
    const DEFAULT: Self = Self {
        reliability: Reliability::Reliable,
        durability: Durability::Volatile,
        history: History::KeepLast(10),
        deadline: None,
        lifespan: None,
        liveliness: Liveliness::Automatic,
        liveliness_lease: None,
    };

    /// For sensor streams: best effort, the last 5 samples.
    pub const fn sensor_data() -> Self {
        Self::DEFAULT.best_effort().keep_last(5)
    }

    /// For `/clock`: best effort, the last sample.
    pub const fn clock() -> Self {
        Self::DEFAULT.best_effort().keep_last(1)
    }

    /// For parameters: reliable, the last 1000 samples.
    pub const fn parameters() -> Self {
        Self::DEFAULT.keep_last(1000)
    }

    /// For `/parameter_events`: reliable, the last 1000 samples.
    pub const fn parameter_events() -> Self {
        Self::DEFAULT.keep_last(1000)
    }

    /// For `/rosout`: reliable, the last 1000 samples also for late joiners, of use for 10 seconds.
    pub const fn rosout() -> Self {
        Self::DEFAULT
            .keep_last(1000)
            .transient_local()
            .lifespan_duration(Duration::from_secs(10))
    }

    /// For the status of an action's goals: reliable, the last sample also for late joiners.
    pub const fn action_status() -> Self {
        Self::DEFAULT.keep_last(1).transient_local()
    }

    /// For services: reliable, the last 10 samples.
    pub const fn services_default() -> Self {
        Self::DEFAULT
    }

    /// What the middleware takes by itself: reliable, volatile, the last 42 samples.
    pub const fn system_default() -> Self {
        Self::DEFAULT.keep_last(SYSTEM_DEFAULT_DEPTH)
    }

    /// Samples must not get lost on the way.
    #[must_use]
    pub const fn reliable(mut self) -> Self {
        self.reliability = Reliability::Reliable;
        self
    }

    /// Samples may get lost on the way.
    #[must_use]
    pub const fn best_effort(mut self) -> Self {
        self.reliability = Reliability::BestEffort;
        self
    }

    /// Late joiners get nothing of what was sent before.
    #[must_use]
    pub const fn volatile(mut self) -> Self {
        self.durability = Durability::Volatile;
        self
    }

    /// Late joiners get the last samples.
    #[must_use]
    pub const fn transient_local(mut self) -> Self {
        self.durability = Durability::TransientLocal;
        self
    }

    /// Keep the newest `depth` samples; 0 stands for the middleware's default, 42.
    #[must_use]
    pub const fn keep_last(mut self, depth: u32) -> Self {
        self.history = History::KeepLast(depth);
        self
    }

    /// Keep every sample; publishing waits for a slow network instead of dropping.
    #[must_use]
    pub const fn keep_all(mut self) -> Self {
        self.history = History::KeepAll;
        self
    }

    /// The longest time expected between two samples.
    #[must_use]
    pub const fn deadline_duration(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How long a sample is of use.
    #[must_use]
    pub const fn lifespan_duration(mut self, lifespan: Duration) -> Self {
        self.lifespan = Some(lifespan);
        self
    }

    /// Who says that a publisher is alive, and how long it may be silent about it.
    #[must_use]
    pub const fn liveliness(mut self, liveliness: Liveliness, lease: Option<Duration>) -> Self {
        self.liveliness = liveliness;
        self.liveliness_lease = lease;
        self
    }

    /// How many samples are kept; `None` for all.
    pub(crate) fn depth(&self) -> Option<usize> {
        match self.history {
            History::KeepLast(0) => usize::try_from(SYSTEM_DEFAULT_DEPTH).ok(),
            History::KeepLast(depth) => Some(usize::try_from(depth).unwrap_or(usize::MAX)),
            History::KeepAll => None,
        }
    }

    pub(crate) fn is_transient_local(&self) -> bool {
        self.durability == Durability::TransientLocal
    }

    pub(crate) fn zenoh_reliability(&self) -> zenoh::qos::Reliability {
        match self.reliability {
            Reliability::Reliable => zenoh::qos::Reliability::Reliable,
            Reliability::BestEffort => zenoh::qos::Reliability::BestEffort,
        }
    }

    /// A reliable publisher that must keep all waits for the network; every other one drops.
    pub(crate) fn zenoh_congestion_control(&self) -> CongestionControl {
        match (self.reliability, self.history) {
            (Reliability::Reliable, History::KeepAll) => CongestionControl::Block,
            _ => CongestionControl::Drop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zenoh_mapping() {
        let reliable = QosProfile::default();
        assert_eq!(
            reliable.zenoh_reliability(),
            zenoh::qos::Reliability::Reliable
        );
        assert_eq!(reliable.zenoh_congestion_control(), CongestionControl::Drop);
        assert_eq!(
            reliable.keep_all().zenoh_congestion_control(),
            CongestionControl::Block
        );
        let sensor = QosProfile::sensor_data();
        assert_eq!(
            sensor.zenoh_reliability(),
            zenoh::qos::Reliability::BestEffort
        );
        assert_eq!(
            sensor.keep_all().zenoh_congestion_control(),
            CongestionControl::Drop
        );
        assert_eq!(sensor.depth(), Some(5));
        assert_eq!(sensor.keep_last(0).depth(), Some(42));
        assert_eq!(sensor.keep_all().depth(), None);
    }
}
