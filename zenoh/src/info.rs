//! What comes beside a message, and what a subscription counted.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::key::{Attachment, Gid};

/// Publishers whose sequence numbers are followed at most; a stranger may invent any number of them.
const MAX_PUBLISHERS: usize = 1024;

/// More samples than this are not lost between two that arrive.
const MAX_GAP: u64 = 1 << 32;

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

/// What a subscription counted since it was created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriptionStats {
    /// Samples that arrived.
    pub received: u64,
    /// Samples that never arrived, by the gaps in the publishers' sequence numbers. Of publishers that are not ours, this is
    /// right as far as they number each message once for all channels of its topic, and only those that they send.
    pub lost: u64,
    /// Samples that arrived and were dropped for newer ones, because nobody took them in time.
    pub dropped: u64,
    /// Samples that could not be decoded.
    pub undecodable: u64,
    /// Samples that were delivered without their source, because the attachment was missing or unknown.
    pub without_source: u64,
    /// The last thing that was wrong with a payload.
    pub last_decode_error: Option<String>,
    /// Samples that arrived whole, but the memory that they described could not be had: it was gone, or its owner was.
    pub buffers_lost: u64,
    /// The last reason why such memory could not be had.
    pub last_buffer_loss: Option<String>,
    /// The publishers heard so far; of more than 1024 the one silent longest is forgotten.
    pub publishers: HashMap<Gid, PublisherStats>,
}

/// What a subscription counted about one publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublisherStats {
    /// Samples that arrived.
    pub received: u64,
    /// Samples that never arrived.
    pub lost: u64,
    /// The highest sequence number so far.
    pub last_sequence_number: i64,
    /// When the last sample arrived.
    pub last_received: SystemTime,
}

/// What a publisher counted since it was created.
///
/// Descriptors and fallbacks are counted for each subscription that has a channel of its own, and once for all that share a
/// key, when they have left. Messages whose buffers lie in host memory of this process are bytes by nature, and fall back from nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicationStats {
    /// Messages that were handed to the network, for one subscription at least.
    pub published: u64,
    /// Sendings that Zenoh refused; other sendings of the same message may have left.
    pub refused: u64,
    /// Buffers that were sent as a descriptor, by backend.
    pub described: BTreeMap<String, u64>,
    /// Sendings in which a buffer in memory of a backend went as bytes after all, and why.
    pub fallbacks: BTreeMap<Fallback, u64>,
    /// The last error of a backend that made a sending fall back to bytes.
    pub last_backend_error: Option<String>,
}

impl PublicationStats {
    /// Adds the counts of one message.
    pub(crate) fn add(&mut self, message: Self) {
        self.published += message.published;
        self.refused += message.refused;
        for (backend, count) in message.described {
            *self.described.entry(backend).or_default() += count;
        }
    }

    pub(crate) fn count_described(&mut self, backend: &str) {
        match self.described.get_mut(backend) {
            Some(count) => *count += 1,
            None => drop(self.described.insert(backend.to_owned(), 1)),
        }
    }
}

/// Why a buffer in memory of a backend was sent as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fallback {
    /// A subscription of the topic knows nothing of buffers, so everybody gets bytes under the topic's own key.
    LegacySubscription,
    /// More subscriptions of the topic take descriptors than the 64 that get a channel each.
    TooManySubscriptions,
    /// A channel could not be declared on the Zenoh session; the error was logged.
    NoChannel,
    /// The publisher keeps samples for late joiners, and memory cannot be kept for those.
    TransientLocal,
    /// The context does not have the backend.
    NotRegistered,
    /// The subscription does not accept the backend.
    NotAccepted,
    /// The subscription accepts it, but cannot be reached with it, or not yet.
    NotReady,
    /// The backend would not describe the buffer to this subscription.
    Refused,
    /// The backend failed; the error is in [`PublicationStats::last_backend_error`].
    Failed,
}

impl SubscriptionStats {
    /// Counts a sample that arrived. What was published before the first one is not a loss.
    pub(crate) fn count(&mut self, info: &MessageInfo) {
        self.received += 1;
        let (Some(gid), Some(number)) = (info.publisher_gid, info.publication_sequence_number)
        else {
            self.without_source += 1;
            return;
        };
        let now = info.received_timestamp;
        if !self.publishers.contains_key(&gid) && self.publishers.len() >= MAX_PUBLISHERS {
            let by_age = |(_, stats): &(&Gid, &PublisherStats)| stats.last_received;
            let oldest = self
                .publishers
                .iter()
                .min_by_key(by_age)
                .map(|(gid, _)| *gid);
            oldest.and_then(|gid| self.publishers.remove(&gid));
        }
        let fresh = PublisherStats {
            received: 0,
            lost: 0,
            last_sequence_number: number.saturating_sub(1),
            last_received: now,
        };
        let stats = self.publishers.entry(gid).or_insert(fresh);
        stats.received += 1;
        stats.last_received = now;
        let last = stats.last_sequence_number;
        if number > last {
            let gap = number.abs_diff(last) - 1;
            if gap > MAX_GAP {
                return; // somebody makes numbers up; the next real one is compared with the last real one
            }
            stats.lost = stats.lost.saturating_add(gap);
            self.lost = self.lost.saturating_add(gap);
            stats.last_sequence_number = number;
        } else if stats.lost > 0 && number < last {
            // It was counted as lost and is only late.
            stats.lost -= 1;
            self.lost = self.lost.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(gid: u8, sequence_number: i64) -> MessageInfo {
        let gid = Gid([gid; 16]);
        MessageInfo::new(Some(&Attachment {
            sequence_number,
            source_timestamp: 1,
            gid,
        }))
    }

    #[test]
    fn made_up_numbers_spoil_nothing() {
        let mut stats = SubscriptionStats::default();
        for number in [1, 2, i64::MAX, 3, i64::MIN, 5] {
            stats.count(&info(1, number));
        }
        assert_eq!((stats.received, stats.lost), (6, 1));
        assert_eq!(stats.publishers[&Gid([1; 16])].last_sequence_number, 5);
    }

    #[test]
    fn gaps_are_losses_until_the_late_arrive() {
        let mut stats = SubscriptionStats::default();
        for number in [5, 6, 9] {
            stats.count(&info(1, number));
        }
        assert_eq!((stats.received, stats.lost), (3, 2));
        stats.count(&info(2, 1));
        assert_eq!(stats.lost, 2);
        stats.count(&info(1, 7));
        assert_eq!(stats.lost, 1);
        assert_eq!(stats.publishers[&Gid([1; 16])].lost, 1);
        assert_eq!(stats.publishers[&Gid([1; 16])].last_sequence_number, 9);
    }

    #[test]
    fn hostile_numbers_and_times() {
        let mut stats = SubscriptionStats::default();
        for number in [i64::MIN, i64::MAX, i64::MIN, 0, i64::MAX] {
            stats.count(&info(1, number));
        }
        for nanoseconds in [i64::MIN, i64::MAX, 0, -1] {
            let _ = time(nanoseconds);
        }
        for gid in 0..2000_u16 {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&gid.to_le_bytes());
            let attachment = Attachment {
                sequence_number: 1,
                source_timestamp: 0,
                gid: Gid(bytes),
            };
            stats.count(&MessageInfo::new(Some(&attachment)));
        }
        assert_eq!(stats.publishers.len(), MAX_PUBLISHERS);
        stats.count(&MessageInfo::new(None));
        assert_eq!(stats.without_source, 1);
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
