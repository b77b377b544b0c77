//! What one subscription counts while samples arrive, and whether it has had a sample before.
//!
//! In: what came beside each sample. Out: whether it is new, and the counters. A publisher may send one message on two
//! channels that both lead here, while a subscription that knows no buffers comes or goes; all copies have the same GID,
//! sequence number and source timestamp, by which the second is known. `rmw_zenoh_cpp` sends a message to the base key or to the
//! channels and never to both, and its subscriptions deliver whatever comes: copies that it numbers differently are
//! delivered here as well. Publishers are followed in a bounded table: a stranger may invent any number of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::SystemTime,
};

use crate::{
    connections::Handover,
    key::{Attachment, Gid},
    stats::{PublisherStats, SubscriptionStats},
};

/// Publishers that are followed at most.
const MAX_PUBLISHERS: usize = 1024;

/// More samples than this are not lost between two that arrive.
const MAX_GAP: u64 = 1 << 32;

/// Samples of one publisher that are remembered. Copies of one message follow each other closely.
const WINDOW: u8 = 32;

type OnLoss = dyn Fn(u64) + Send + Sync;
/// Called with how many messages did not arrive, as long as this is held; must not block.
pub(crate) type LossWatch = Arc<OnLoss>;

#[derive(Default)]
pub(crate) struct Counts {
    /// Everything but the publishers.
    pub(crate) stats: SubscriptionStats,
    /// Ordered: one publisher is found without hashing, and nobody can choose names that collide.
    publishers: BTreeMap<Gid, Box<Followed>>,
    loss_watchers: Vec<Weak<OnLoss>>,
}

/// What became of a sample that was counted.
#[must_use]
pub(crate) struct Arrival {
    /// Whether it was not there before.
    is_new: bool,
    /// How many were lost before it, and who has to know.
    lost: u64,
    watchers: Vec<LossWatch>,
}

impl Arrival {
    fn new(is_new: bool) -> Self {
        Self {
            is_new,
            lost: 0,
            watchers: Vec::new(),
        }
    }

    /// Tells who has to know; not under the lock. Whether the sample is new.
    pub(crate) fn tell(self) -> bool {
        for watcher in self.watchers {
            watcher(self.lost);
        }
        self.is_new
    }
}

/// What is known about one publisher.
struct Followed {
    stats: PublisherStats,
    /// When the newest sample was published, by the publisher's clock.
    newest: i64,
    window: Window,
    /// How its messages come.
    handover: Handover,
}

/// The last samples of one publisher, each in the place that follows from its number. Numbers that begin anew come with
/// other timestamps, so nothing has to be known about their order.
#[derive(Default)]
struct Window([Option<Sample>; WINDOW as usize]);

/// Sequence number and source timestamp.
type Sample = (i64, i64);

impl Window {
    fn place(&mut self, number: i64) -> &mut Option<Sample> {
        let place = number.rem_euclid(i64::from(WINDOW));
        &mut self.0[usize::try_from(place).unwrap_or_default()]
    }

    /// Whether this sample was not there yet.
    fn insert(&mut self, sample: Sample) -> bool {
        self.place(sample.0).replace(sample) != Some(sample)
    }

    fn forget(&mut self, sample: Sample) {
        let place = self.place(sample.0);
        if *place == Some(sample) {
            *place = None;
        }
    }
}

impl Counts {
    /// Calls `watch` with each loss from now on.
    pub(crate) fn watch_losses(&mut self, watch: &LossWatch) {
        self.loss_watchers
            .retain(|watcher| watcher.strong_count() > 0);
        self.loss_watchers.push(Arc::downgrade(watch));
    }

    /// Counts a sample that arrived in this way. What was published before the first one is not a loss.
    pub(crate) fn arrived(
        &mut self,
        attachment: Option<&Attachment>,
        handover: Handover,
        now: SystemTime,
    ) -> Arrival {
        let Some(attachment) = attachment else {
            self.stats.received += 1;
            self.stats.without_source += 1;
            return Arrival::new(true);
        };
        let (number, time) = (attachment.sequence_number, attachment.source_timestamp);
        let publisher = self.follow(attachment.gid, number, now);
        publisher.stats.last_received = now;
        if !publisher.window.insert((number, time)) {
            self.stats.duplicates += 1;
            return Arrival::new(false);
        }
        publisher.handover = handover;
        publisher.stats.received += 1;
        let lost = publisher.count_lost(number, time);
        self.stats.received += 1;
        self.stats.lost = self.stats.lost.saturating_add_signed(lost);
        let mut arrival = Arrival::new(true);
        if lost > 0 && !self.loss_watchers.is_empty() {
            arrival.lost = lost.unsigned_abs();
            self.loss_watchers
                .retain(|watcher| watcher.strong_count() > 0);
            let watchers = self.loss_watchers.iter().filter_map(Weak::upgrade);
            arrival.watchers = watchers.collect();
        }
        arrival
    }

    /// A sample turned out to be worth nothing: a copy of it, should there be one, is delivered.
    pub(crate) fn forget(&mut self, attachment: &Attachment) {
        if let Some(publisher) = self.publishers.get_mut(&attachment.gid) {
            let (number, time) = (attachment.sequence_number, attachment.source_timestamp);
            publisher.window.forget((number, time));
        }
    }

    /// The last sample of this publisher turned out to have come in another way.
    pub(crate) fn came_as(&mut self, publisher: Gid, handover: Handover) {
        if let Some(followed) = self.publishers.get_mut(&publisher) {
            followed.handover = handover;
        }
    }

    /// How the last sample of this publisher came.
    pub(crate) fn handover(&self, publisher: &Gid) -> Handover {
        let followed = self.publishers.get(publisher);
        followed.map_or(Handover::Unknown, |followed| followed.handover.clone())
    }

    pub(crate) fn stats(&self) -> SubscriptionStats {
        let publishers = self.publishers.iter();
        SubscriptionStats {
            publishers: publishers
                .map(|(gid, followed)| (*gid, followed.stats))
                .collect(),
            ..self.stats.clone()
        }
    }

    /// The publisher, which may have to take the place of the one silent longest.
    fn follow(&mut self, gid: Gid, number: i64, now: SystemTime) -> &mut Followed {
        if self.publishers.len() >= MAX_PUBLISHERS && !self.publishers.contains_key(&gid) {
            let all = self.publishers.iter();
            let by_age = all.map(|(gid, followed)| (followed.stats.last_received, *gid));
            let oldest = by_age.min_by_key(|(received, _)| *received);
            oldest.and_then(|(_, gid)| self.publishers.remove(&gid));
        }
        self.publishers.entry(gid).or_insert_with(|| {
            let stats = PublisherStats {
                received: 0,
                lost: 0,
                last_sequence_number: number.saturating_sub(1),
                last_received: now,
            };
            Box::new(Followed {
                stats,
                newest: i64::MIN,
                window: Window::default(),
                handover: Handover::Unknown,
            })
        })
    }
}

impl Followed {
    /// How many more samples are lost than before; less than none when one was only late.
    fn count_lost(&mut self, number: i64, time: i64) -> i64 {
        let stats = &mut self.stats;
        let last = stats.last_sequence_number;
        if number > last {
            let gap = number.abs_diff(last) - 1;
            if gap > MAX_GAP {
                return 0; // somebody makes numbers up; the next real one is compared with the last real one
            }
            stats.last_sequence_number = number;
            self.newest = self.newest.max(time);
            stats.lost = stats.lost.saturating_add(gap);
            return gap.cast_signed();
        }
        if number > 0 && time > self.newest {
            // A lower number, published later: they began anew.
            stats.last_sequence_number = number;
            self.newest = time;
        } else if stats.lost > 0 && number < last {
            // It was counted as lost and is only late.
            stats.lost -= 1;
            return -1;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(gid: u8, sequence_number: i64, source_timestamp: i64) -> Attachment {
        let gid = Gid([gid; 16]);
        Attachment {
            sequence_number,
            source_timestamp,
            gid,
        }
    }

    fn arrived(counts: &mut Counts, sample: &Attachment) -> bool {
        let arrival = counts.arrived(Some(sample), Handover::Bytes, SystemTime::now());
        arrival.tell()
    }

    fn count(counts: &mut Counts, gid: u8, numbers: impl IntoIterator<Item = i64>) -> u64 {
        let new = numbers
            .into_iter()
            .filter(|number| arrived(counts, &sample(gid, *number, 1)));
        u64::try_from(new.count()).unwrap()
    }

    #[test]
    fn made_up_numbers_spoil_nothing() {
        let mut counts = Counts::default();
        count(&mut counts, 1, [1, 2, i64::MAX, 3, i64::MIN, 5]);
        let stats = counts.stats();
        assert_eq!((stats.received, stats.lost), (6, 1));
        assert_eq!(stats.publishers[&Gid([1; 16])].last_sequence_number, 5);
    }

    #[test]
    fn gaps_are_losses_until_the_late_arrive() {
        let mut counts = Counts::default();
        count(&mut counts, 1, [5, 6, 9]);
        assert_eq!((counts.stats().received, counts.stats().lost), (3, 2));
        count(&mut counts, 2, [1]);
        assert_eq!(counts.stats().lost, 2);
        count(&mut counts, 1, [7]);
        let stats = counts.stats();
        assert_eq!(stats.lost, 1);
        assert_eq!(stats.publishers[&Gid([1; 16])].lost, 1);
        assert_eq!(stats.publishers[&Gid([1; 16])].last_sequence_number, 9);
    }

    #[test]
    fn copies_are_known_whichever_order_they_come_in() {
        let mut counts = Counts::default();
        assert_eq!(count(&mut counts, 1, [1, 1, 3, 2, 3, 2, 4]), 4);
        assert_eq!(count(&mut counts, 2, [1, 2]), 2, "somebody else's");
        let stats = counts.stats();
        assert_eq!((stats.received, stats.duplicates, stats.lost), (6, 3, 0));
        counts.forget(&sample(1, 4, 1));
        counts.forget(&sample(1, 3, 0));
        assert_eq!(count(&mut counts, 1, [3, 4, 4]), 1);
    }

    #[test]
    fn numbers_that_begin_anew_or_wrap_are_new() {
        let mut counts = Counts::default();
        let mut new = |number, time| arrived(&mut counts, &sample(1, number, time));
        for time in 0..3 {
            for number in 1..=5 {
                assert!(new(number, 10 * time + number));
                assert!(!new(number, 10 * time + number));
            }
        }
        for (time, number) in (100..).zip([i64::MAX - 1, i64::MAX, i64::MIN, i64::MIN + 1, 0, 1]) {
            assert!(new(number, time), "{number}");
            assert!(!new(number, time), "{number}");
        }
        let stats = counts.stats();
        assert_eq!((stats.received, stats.duplicates, stats.lost), (21, 21, 0));
    }

    #[test]
    fn hostile_numbers_and_many_publishers() {
        let mut counts = Counts::default();
        count(&mut counts, 1, [i64::MIN, i64::MAX, i64::MIN, 0, i64::MAX]);
        for gid in 0..2000_u16 {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&gid.to_le_bytes());
            let attachment = Attachment {
                gid: Gid(bytes),
                ..sample(0, 1, 0)
            };
            assert!(arrived(&mut counts, &attachment));
        }
        assert_eq!(counts.stats().publishers.len(), MAX_PUBLISHERS);
        let unknown = counts.arrived(None, Handover::Bytes, SystemTime::now());
        assert!(unknown.tell());
        assert_eq!(counts.stats().without_source, 1);
    }
}
