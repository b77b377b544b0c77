//! A moment of a ROS clock, and the way to and from messages and `std::time`.
//!
//! Nothing here reads a clock. What does not fit is an error, never cut off.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rosidl_buffer_interfaces::builtin_interfaces::msg;

const NANOS_PER_SEC: i64 = 1_000_000_000;

/// A moment on a clock, in nanoseconds since the clock's beginning; for system and ROS time that is 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time {
    nanoseconds: i64,
}

/// A time that does not fit into the type that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{nanoseconds} ns do not fit into {into}")]
pub struct TimeRangeError {
    nanoseconds: i128,
    into: &'static str,
}

impl Time {
    /// That many nanoseconds after the clock's beginning, or before it.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self { nanoseconds }
    }

    /// How many nanoseconds after the clock's beginning it is.
    pub const fn nanoseconds(self) -> i64 {
        self.nanoseconds
    }

    /// The time that long after this; the last one there is when it would be later than that.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let added = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Self::from_nanoseconds(self.nanoseconds.saturating_add(added))
    }

    /// How long this is after `earlier`; nothing when it is before it.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        let since = i128::from(self.nanoseconds) - i128::from(earlier.nanoseconds);
        Duration::from_nanos(u64::try_from(since).unwrap_or(0))
    }

    /// This time in a message.
    ///
    /// # Errors
    /// When it is beyond 2038, the end of 32 bits of seconds, or before 1901.
    pub fn to_message(self) -> Result<msg::Time, TimeRangeError> {
        msg::Time::try_from(self)
    }
}

impl From<msg::Time> for Time {
    fn from(time: msg::Time) -> Self {
        Self::from_nanoseconds(i64::from(time.sec) * NANOS_PER_SEC + i64::from(time.nanosec))
    }
}

impl TryFrom<Time> for msg::Time {
    type Error = TimeRangeError;

    fn try_from(time: Time) -> Result<Self, TimeRangeError> {
        let seconds = time.nanoseconds.div_euclid(NANOS_PER_SEC);
        let rest = time.nanoseconds.rem_euclid(NANOS_PER_SEC);
        match (i32::try_from(seconds), u32::try_from(rest)) {
            (Ok(sec), Ok(nanosec)) => Ok(Self { sec, nanosec }),
            _ => Err(TimeRangeError {
                nanoseconds: time.nanoseconds.into(),
                into: "builtin_interfaces/msg/Time",
            }),
        }
    }
}

impl TryFrom<SystemTime> for Time {
    type Error = TimeRangeError;

    fn try_from(time: SystemTime) -> Result<Self, TimeRangeError> {
        let nanoseconds = match time.duration_since(UNIX_EPOCH) {
            Ok(since) => i128::try_from(since.as_nanos()).unwrap_or(i128::MAX),
            Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
        };
        match i64::try_from(nanoseconds) {
            Ok(nanoseconds) => Ok(Self { nanoseconds }),
            Err(_) => Err(TimeRangeError {
                nanoseconds,
                into: "64 bits of nanoseconds",
            }),
        }
    }
}

impl From<Time> for SystemTime {
    fn from(time: Time) -> Self {
        let since = Duration::from_nanos(time.nanoseconds.unsigned_abs());
        if time.nanoseconds < 0 {
            UNIX_EPOCH - since
        } else {
            UNIX_EPOCH + since
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn messages_there_and_back(sec: i32, nanosec in 0..1_000_000_000_u32) {
            let message = msg::Time { sec, nanosec };
            prop_assert_eq!(Time::from(message.clone()).to_message(), Ok(message));
        }

        #[test]
        fn system_time_there_and_back(nanoseconds: i64) {
            let time = Time::from_nanoseconds(nanoseconds);
            prop_assert_eq!(Time::try_from(SystemTime::from(time)), Ok(time));
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let late = Time::from_nanoseconds((i64::from(i32::MAX) + 1) * NANOS_PER_SEC);
        let error = late.to_message().unwrap_err().to_string();
        assert_eq!(
            error,
            "2147483648000000000 ns do not fit into builtin_interfaces/msg/Time"
        );
        // A message from the network need not be in order.
        let odd = msg::Time {
            sec: -1,
            nanosec: u32::MAX,
        };
        assert_eq!(Time::from(odd).nanoseconds(), 3_294_967_295);
        assert!(Time::try_from(UNIX_EPOCH + Duration::from_secs(10_000_000_000)).is_err());
    }

    #[test]
    fn sums_end_at_the_last_moment() {
        let last = Time::from_nanoseconds(i64::MAX);
        assert_eq!(last.saturating_add(Duration::MAX), last);
        let first = Time::from_nanoseconds(i64::MIN);
        assert_eq!(first.saturating_since(last), Duration::ZERO);
        assert_eq!(last.saturating_since(first), Duration::from_nanos(u64::MAX));
    }
}
