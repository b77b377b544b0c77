//! Whether a publisher offers what a subscription asks for, by the table of ROS 2.

use std::{fmt, time::Duration};

use super::{Durability, Liveliness, QosProfile, Reliability};

/// A part of the quality of service in which a publisher offers less than a subscription asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum QosPolicy {
    /// Best effort is offered, reliable is asked for.
    Reliability,
    /// Volatile is offered, transient local is asked for.
    Durability,
    /// A longer deadline is offered than is asked for, or none.
    Deadline,
    /// Automatic liveliness is offered, manual is asked for.
    Liveliness,
    /// A longer lease is offered than is asked for, or none.
    LivelinessLease,
}

impl fmt::Display for QosPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reliability => "reliability: best effort is offered, reliable is asked for",
            Self::Durability => "durability: volatile is offered, transient local is asked for",
            Self::Deadline => "deadline: a longer one is offered than is asked for, or none",
            Self::Liveliness => "liveliness: automatic is offered, manual is asked for",
            Self::LivelinessLease => {
                "liveliness lease: a longer one is offered than is asked for, or none"
            }
        })
    }
}

/// Whether `offered`, of a publisher, is enough for `requested`, of a subscription.
///
/// In DDS two endpoints that are not compatible never meet. On Zenoh, and so with `rmw_zenoh_cpp`, messages arrive all the
/// same; what is missing is told by [`Event::IncompatibleQos`](crate::Event) and in the log.
///
/// ```
/// use rosidl_buffer_zenoh::{QosPolicy, QosProfile, check_compatible};
///
/// let late = QosProfile::default().transient_local();
/// assert_eq!(check_compatible(&late, &QosProfile::default()), Ok(()));
/// assert_eq!(check_compatible(&QosProfile::default(), &late), Err(QosPolicy::Durability));
/// ```
///
/// # Errors
/// The first policy that is not met.
pub fn check_compatible(offered: &QosProfile, requested: &QosProfile) -> Result<(), QosPolicy> {
    let unmet = [
        (
            offered.reliability == Reliability::BestEffort
                && requested.reliability == Reliability::Reliable,
            QosPolicy::Reliability,
        ),
        (
            offered.durability == Durability::Volatile
                && requested.durability == Durability::TransientLocal,
            QosPolicy::Durability,
        ),
        (
            is_longer(offered.deadline, requested.deadline),
            QosPolicy::Deadline,
        ),
        (
            offered.liveliness == Liveliness::Automatic
                && requested.liveliness == Liveliness::ManualByTopic,
            QosPolicy::Liveliness,
        ),
        (
            is_longer(offered.liveliness_lease, requested.liveliness_lease),
            QosPolicy::LivelinessLease,
        ),
    ];
    match unmet.into_iter().find(|(unmet, _)| *unmet) {
        Some((_, policy)) => Err(policy),
        None => Ok(()),
    }
}

/// `None` and zero have no end, as in ROS.
fn is_longer(offered: Option<Duration>, requested: Option<Duration>) -> bool {
    let given = |duration: Option<Duration>| duration.filter(|duration| !duration.is_zero());
    match (given(offered), given(requested)) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(offered), Some(requested)) => offered > requested,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_ros() {
        let qos = QosProfile::default();
        let second = Duration::from_secs(1);
        let manual = qos.liveliness(Liveliness::ManualByTopic, None);
        let leased = qos.liveliness(Liveliness::Automatic, Some(second));
        for (offered, requested, expected) in [
            (qos, qos.best_effort(), Ok(())),
            (qos.best_effort(), qos.best_effort(), Ok(())),
            (qos.best_effort(), qos, Err(QosPolicy::Reliability)),
            (qos.transient_local(), qos, Ok(())),
            (qos, qos.transient_local(), Err(QosPolicy::Durability)),
            (qos, qos.deadline_duration(second), Err(QosPolicy::Deadline)),
            (qos, qos.deadline_duration(Duration::ZERO), Ok(())),
            (
                qos.deadline_duration(second),
                qos.deadline_duration(second),
                Ok(()),
            ),
            (
                qos.deadline_duration(2 * second),
                qos.deadline_duration(second),
                Err(QosPolicy::Deadline),
            ),
            (qos.deadline_duration(second), qos, Ok(())),
            (manual, qos, Ok(())),
            (qos, manual, Err(QosPolicy::Liveliness)),
            (leased, qos, Ok(())),
            (qos, leased, Err(QosPolicy::LivelinessLease)),
            (qos.keep_all(), qos.keep_last(1), Ok(())),
            (qos.lifespan_duration(second), qos, Ok(())),
            // Of several the first is named.
            (
                qos.best_effort(),
                qos.transient_local(),
                Err(QosPolicy::Reliability),
            ),
        ] {
            assert_eq!(
                check_compatible(&offered, &requested),
                expected,
                "{offered:?} {requested:?}"
            );
        }
    }
}
