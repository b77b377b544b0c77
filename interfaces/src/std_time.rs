//! Between `builtin_interfaces` and `std::time`.
//!
//! A message whose nanoseconds are a second or more, which only somebody else's program makes, means the sum of both. What does not
//! fit is an error, never cut off.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::builtin_interfaces::msg;

/// A time or duration that the other type cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeError {
    /// More seconds than the message's 32 bits hold; a time after January 2038 or before December 1901.
    OutOfRange,
    /// A negative duration, which `std::time::Duration` cannot be.
    Negative,
}

impl std::fmt::Display for TimeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "the seconds do not fit into the message's 32 bits",
            Self::Negative => "a negative duration is no std::time::Duration",
        })
    }
}

impl std::error::Error for TimeError {}

/// Nanoseconds of the time that a message holds.
fn nanoseconds(sec: i32, nanosec: u32) -> i128 {
    i128::from(sec) * 1_000_000_000 + i128::from(nanosec)
}

/// Seconds, rounded down, and the nanoseconds that are left.
fn split(nanoseconds: i128) -> Result<(i32, u32), TimeError> {
    let sec = nanoseconds.div_euclid(1_000_000_000);
    let nanosec = nanoseconds.rem_euclid(1_000_000_000);
    match (i32::try_from(sec), u32::try_from(nanosec)) {
        (Ok(sec), Ok(nanosec)) => Ok((sec, nanosec)),
        _ => Err(TimeError::OutOfRange),
    }
}

fn duration(nanoseconds: u128) -> Duration {
    // At most 33 bits of seconds and 32 of nanoseconds.
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

impl From<msg::Time> for SystemTime {
    fn from(time: msg::Time) -> Self {
        let nanoseconds = nanoseconds(time.sec, time.nanosec);
        let from_epoch = duration(nanoseconds.unsigned_abs());
        if nanoseconds < 0 {
            UNIX_EPOCH - from_epoch
        } else {
            UNIX_EPOCH + from_epoch
        }
    }
}

impl TryFrom<SystemTime> for msg::Time {
    type Error = TimeError;

    /// # Errors
    /// When the seconds do not fit.
    fn try_from(time: SystemTime) -> Result<Self, TimeError> {
        let (after, from_epoch) = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => (true, after),
            Err(before) => (false, before.duration()),
        };
        let from_epoch =
            i128::try_from(from_epoch.as_nanos()).map_err(|_| TimeError::OutOfRange)?;
        let (sec, nanosec) = split(if after { from_epoch } else { -from_epoch })?;
        Ok(Self { sec, nanosec })
    }
}

impl TryFrom<msg::Duration> for Duration {
    type Error = TimeError;

    /// # Errors
    /// When it is negative.
    fn try_from(of: msg::Duration) -> Result<Self, TimeError> {
        let nanoseconds = u128::try_from(nanoseconds(of.sec, of.nanosec));
        nanoseconds.map(duration).map_err(|_| TimeError::Negative)
    }
}

impl TryFrom<Duration> for msg::Duration {
    type Error = TimeError;

    /// # Errors
    /// When the seconds do not fit.
    fn try_from(of: Duration) -> Result<Self, TimeError> {
        let nanoseconds = i128::try_from(of.as_nanos()).map_err(|_| TimeError::OutOfRange)?;
        let (sec, nanosec) = split(nanoseconds)?;
        Ok(Self { sec, nanosec })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_there_and_back() {
        for (sec, nanosec) in [
            (0, 0),
            (1, 5),
            (-1, 999_999_999),
            (i32::MAX, 999_999_999),
            (i32::MIN, 0),
        ] {
            let message = msg::Time { sec, nanosec };
            let time = SystemTime::from(message.clone());
            assert_eq!(msg::Time::try_from(time), Ok(message));
        }
        let before = UNIX_EPOCH - Duration::from_millis(250);
        let message = msg::Time::try_from(before);
        assert_eq!(
            message,
            Ok(msg::Time {
                sec: -1,
                nanosec: 750_000_000
            })
        );
    }

    #[test]
    fn durations_there_and_back() {
        let half = Duration::from_millis(1500);
        let message = msg::Duration::try_from(half).unwrap();
        assert_eq!((message.sec, message.nanosec), (1, 500_000_000));
        assert_eq!(Duration::try_from(message), Ok(half));
        let odd = msg::Duration {
            sec: -1,
            nanosec: u32::MAX,
        };
        assert_eq!(
            Duration::try_from(odd),
            Ok(Duration::from_nanos(3_294_967_295))
        );
        let negative = msg::Duration {
            sec: -1,
            nanosec: 999_999_999,
        };
        assert_eq!(Duration::try_from(negative), Err(TimeError::Negative));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let late = UNIX_EPOCH + Duration::from_secs(1 << 31);
        assert_eq!(msg::Time::try_from(late), Err(TimeError::OutOfRange));
        let early = UNIX_EPOCH - Duration::from_secs((1 << 31) + 1);
        assert_eq!(msg::Time::try_from(early), Err(TimeError::OutOfRange));
        let long = msg::Duration::try_from(Duration::MAX);
        assert_eq!(long, Err(TimeError::OutOfRange));
    }
}
