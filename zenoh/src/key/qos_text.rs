//! The QoS component of a liveliness token.
//!
//! `reliability:durability:history,depth:deadline_s,deadline_ns:lifespan_s,lifespan_ns:liveliness,lease_s,lease_ns`;
//! a part that equals `rmw_zenoh_cpp`'s default (reliable, volatile, keep last 42, no limits, automatic)
//! is left empty. Numbers are those of `rmw/types.h`.

use std::time::Duration;

use crate::qos::{Durability, History, Liveliness, QosProfile, Reliability, SYSTEM_DEFAULT_DEPTH};

/// ROS's infinite duration: the largest number of nanoseconds in an `i64`.
const INFINITE: (u64, u64) = (9_223_372_036, 854_775_807);

/// Why a QoS text could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QosTextError {
    /// Not six components, or a component without its commas.
    #[error("QoS text {0:?} has not the form r:d:h,n:s,ns:s,ns:l,s,ns")]
    Shape(String),
    /// A part that is not a number.
    #[error("QoS text {text:?}: the {part} {value:?} is not a number")]
    Number {
        /// The whole text.
        text: String,
        /// Which part.
        part: &'static str,
        /// What stands there.
        value: String,
    },
    /// A number that `rmw` does not know, or a duration that is too long.
    #[error("QoS text {text:?}: {value} is no {part} that ROS knows")]
    Unknown {
        /// The whole text.
        text: String,
        /// Which part.
        part: &'static str,
        /// What stands there.
        value: u64,
    },
}

/// Writes the QoS component of a token.
///
/// ```
/// use rosidl_buffer_zenoh::{QosProfile, key::format_qos};
///
/// assert_eq!(format_qos(&QosProfile::default()), "::,10:,:,:,,");
/// assert_eq!(format_qos(&QosProfile::system_default()), "::,:,:,:,,");
/// assert_eq!(format_qos(&QosProfile::sensor_data().transient_local()), "2:1:,5:,:,:,,");
/// ```
pub fn format_qos(qos: &QosProfile) -> String {
    let reliability = match qos.reliability {
        Reliability::Reliable => "",
        Reliability::BestEffort => "2",
    };
    let durability = match qos.durability {
        Durability::Volatile => "",
        Durability::TransientLocal => "1",
    };
    let history = match qos.history {
        History::KeepLast(0 | SYSTEM_DEFAULT_DEPTH) => ",".to_owned(),
        History::KeepLast(depth) => format!(",{depth}"),
        History::KeepAll => "2,".to_owned(),
    };
    let liveliness = match qos.liveliness {
        Liveliness::Automatic => "",
        Liveliness::ManualByTopic => "3",
    };
    format!(
        "{reliability}:{durability}:{history}:{}:{}:{liveliness},{}",
        format_duration(qos.deadline),
        format_duration(qos.lifespan),
        format_duration(qos.liveliness_lease),
    )
}

/// Zero stands for "not given" in ROS, so it is written as the default.
fn format_duration(duration: Option<Duration>) -> String {
    let (seconds, nanoseconds) = match duration {
        Some(duration) if !duration.is_zero() => {
            (duration.as_secs(), u64::from(duration.subsec_nanos()))
        }
        _ => INFINITE,
    };
    if (seconds, nanoseconds) >= INFINITE {
        return ",".to_owned();
    }
    let part = |value: u64, default: u64| match value {
        value if value == default => String::new(),
        value => value.to_string(),
    };
    format!(
        "{},{}",
        part(seconds, INFINITE.0),
        part(nanoseconds, INFINITE.1)
    )
}

/// Reads the QoS component of a token. The depth beside keep-all is not kept.
///
/// # Errors
/// When the text has not the form above, or a number that ROS does not know.
pub fn parse_qos(text: &str) -> Result<QosProfile, QosTextError> {
    let shape = || QosTextError::Shape(text.to_owned());
    let [
        reliability,
        durability,
        history,
        deadline,
        lifespan,
        liveliness,
    ] = split::<6>(text, ':').ok_or_else(shape)?;
    let [history, depth] = split::<2>(history, ',').ok_or_else(shape)?;
    let (liveliness, lease) = liveliness.split_once(',').ok_or_else(shape)?;
    let number = |part, value: &str, default| match value {
        "" => Ok(default),
        digits => digits.parse::<u64>().map_err(|_| QosTextError::Number {
            text: text.to_owned(),
            part,
            value: value.to_owned(),
        }),
    };
    let unknown = |part, value| QosTextError::Unknown {
        text: text.to_owned(),
        part,
        value,
    };
    // 0 is "system default" and, where there is one, 4 "best available": both mean the default here.
    let reliability = match number("reliability", reliability, 1)? {
        0 | 1 | 4 => Reliability::Reliable,
        2 => Reliability::BestEffort,
        value => return Err(unknown("reliability", value)),
    };
    let durability = match number("durability", durability, 2)? {
        0 | 2 | 4 => Durability::Volatile,
        1 => Durability::TransientLocal,
        value => return Err(unknown("durability", value)),
    };
    let depth = number("depth", depth, SYSTEM_DEFAULT_DEPTH.into())?;
    let history = match number("history", history, 1)? {
        0 | 1 => History::KeepLast(u32::try_from(depth).unwrap_or(u32::MAX)),
        2 => History::KeepAll,
        value => return Err(unknown("history", value)),
    };
    // 2 is "manual by node", which ROS gave up for "manual by topic".
    let liveliness = match number("liveliness", liveliness, 1)? {
        0 | 1 | 5 => Liveliness::Automatic,
        2 | 3 => Liveliness::ManualByTopic,
        value => return Err(unknown("liveliness", value)),
    };
    let duration = |part, text| {
        let [seconds, nanoseconds] = split::<2>(text, ',').ok_or_else(shape)?;
        let seconds = number(part, seconds, INFINITE.0)?;
        let nanoseconds = number(part, nanoseconds, INFINITE.1)?;
        if (seconds, nanoseconds) >= INFINITE || (seconds, nanoseconds) == (0, 0) {
            return Ok(None);
        }
        Duration::from_secs(seconds)
            .checked_add(Duration::from_nanos(nanoseconds))
            .map(Some)
            .ok_or_else(|| unknown(part, seconds))
    };
    Ok(QosProfile {
        reliability,
        durability,
        history,
        deadline: duration("deadline", deadline)?,
        lifespan: duration("lifespan", lifespan)?,
        liveliness,
        liveliness_lease: duration("lease", lease)?,
    })
}

/// Exactly `N` parts, or `None`.
fn split<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    let mut parts = text.split(separator);
    let mut out = [""; N];
    for slot in &mut out {
        *slot = parts.next()?;
    }
    parts.next().is_none().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_as_ros_writes_them() {
        let qos = QosProfile::default();
        for (qos, text) in [
            (qos.keep_last(42), "::,:,:,:,,"),
            (
                qos.keep_last(10).best_effort().transient_local(),
                "2:1:,10:,:,:,,",
            ),
            (qos.keep_all(), "::2,:,:,:,,"),
            (
                qos.keep_last(42)
                    .deadline_duration(Duration::from_millis(1500))
                    .lifespan_duration(Duration::from_secs(3))
                    .liveliness(Liveliness::ManualByTopic, Some(Duration::from_nanos(7))),
                "::,:1,500000000:3,0:3,0,7",
            ),
            // Each number is left out by itself, even when only one of a pair is the default's.
            (
                qos.keep_last(42)
                    .deadline_duration(Duration::new(9_223_372_036, 5)),
                "::,:,5:,:,,",
            ),
        ] {
            assert_eq!(format_qos(&qos), text);
            assert_eq!(parse_qos(text), Ok(qos));
        }
    }

    #[test]
    fn written_out_defaults_are_read() {
        let parsed = parse_qos("2:1:1,10:9223372036,854775807:0,0:1,,").unwrap();
        assert_eq!(
            parsed,
            QosProfile::default().best_effort().transient_local()
        );
        assert_eq!(
            parse_qos("4:4:0,42:,:,:0,,").unwrap(),
            QosProfile::system_default()
        );
    }

    #[test]
    fn bad_texts_are_errors() {
        for bad in [
            "",
            "::",
            "::,:,:,:,",
            "::,:,:,:,,,",
            "::,:,:,:,,:",
            "::::::",
            "x::,:,:,:,,",
            "3::,:,:,:,,",
            ":9:,:,:,:,,",
            "::3,:,:,:,,",
            "::,-1:,:,:,,",
            "::,:,:,:4,,",
            "::,:1,99999999999999999999:,:,,",
            "::,:,:,:,x,",
        ] {
            assert!(parse_qos(bad).is_err(), "{bad:?}");
        }
        let huge = format!("::,:{},5:,:,,", u64::MAX);
        assert_eq!(parse_qos(&huge).unwrap().deadline, None);
    }
}
