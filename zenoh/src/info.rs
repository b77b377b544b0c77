//! What comes beside a message: who published it, when, and as which of its messages.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::key::{Attachment, Gid};

/// A message with what is known about its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Received<M> {
    /// The message.
    pub message: M,
    /// Where it comes from.
    pub info: MessageInfo,
}

/// Where a message comes from.
///
/// What the publisher says is `None` when the sample carried no attachment that we can read: a plain
/// Zenoh program, or an `rmw_zenoh` of 2024. Its type is checked all the same, by the topic's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageInfo {
    /// When it was published, by the publisher's clock.
    pub source_timestamp: Option<SystemTime>,
    /// When it arrived here.
    pub received_timestamp: SystemTime,
    /// Counted by the publisher, from 1.
    pub publication_sequence_number: Option<i64>,
    /// The publisher.
    pub publisher_gid: Option<Gid>,
}

impl MessageInfo {
    pub(crate) fn new(attachment: Option<&Attachment>) -> Self {
        Self {
            source_timestamp: attachment.and_then(|attachment| time(attachment.source_timestamp)),
            received_timestamp: SystemTime::now(),
            publication_sequence_number: attachment.map(|attachment| attachment.sequence_number),
            publisher_gid: attachment.map(|attachment| attachment.gid),
        }
    }
}

/// A time from nanoseconds since the epoch, before it if negative.
pub(crate) fn time(nanoseconds: i64) -> Option<SystemTime> {
    let distance = Duration::from_nanos(nanoseconds.unsigned_abs());
    if nanoseconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    }
}

/// Nanoseconds since the epoch.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_times() {
        for nanoseconds in [i64::MIN, i64::MAX, 0, -1] {
            let _ = time(nanoseconds);
        }
    }

    #[test]
    fn times_come_back() {
        let attachment = Attachment {
            sequence_number: 1,
            source_timestamp: 1_500_000_001,
            gid: Gid([0; 16]),
        };
        let time = MessageInfo::new(Some(&attachment))
            .source_timestamp
            .unwrap();
        assert_eq!(
            time.duration_since(UNIX_EPOCH).unwrap().as_nanos(),
            1_500_000_001
        );
    }
}
