//! What publishers and subscriptions counted, as a user sees it.

use std::{
    collections::{BTreeMap, HashMap},
    time::SystemTime,
};

use crate::key::Gid;

/// What a subscription counted since it was created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriptionStats {
    /// Samples that arrived. A descriptor whose memory could not be had is one, and so is the copy as bytes that came instead.
    pub received: u64,
    /// Samples that never arrived, by the gaps in the publishers' sequence numbers. Those of `rmw_zenoh_cpp` take a number for
    /// each channel that a message goes to, so with several subscriptions that know buffers this grows with each message of
    /// theirs, and nothing is lost; it can be relied on for publishers of ours, and for theirs while all goes to the topic's key.
    pub lost: u64,
    /// Samples that arrived and were dropped for newer ones, because nobody took them in time.
    pub dropped: u64,
    /// Messages of publishers of the same context, which came as they are; [`received`](Self::received) counts them too.
    pub intra_process: u64,
    /// Samples that had come before on another channel, by GID, sequence number and source timestamp. They are not delivered
    /// and are not among [`received`](Self::received).
    pub duplicates: u64,
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
    /// Backends whose memory could not be taken here and is not asked for any more, each with the error. With one among them that
    /// was not asked for, nothing but bytes is asked for: its publisher did not look at what was.
    pub given_up: BTreeMap<String, String>,
    /// The publishers heard so far; of more than 1024 the one silent longest is forgotten.
    pub publishers: HashMap<Gid, PublisherStats>,
}

/// What a subscription counted about one publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublisherStats {
    /// Samples that arrived.
    pub received: u64,
    /// Samples that never arrived; of whose publishers this holds is said at [`SubscriptionStats::lost`].
    pub lost: u64,
    /// The highest sequence number so far.
    pub last_sequence_number: i64,
    /// When the last sample arrived.
    pub last_received: SystemTime,
}

/// What a publisher counted since it was created.
///
/// Descriptors and fallbacks are counted for each subscription that has a channel of its own or is in the same context, and once for
/// all that share a key, when they leave. Messages whose buffers lie in host memory of this process are bytes by nature, and fall back from nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicationStats {
    /// Messages that were handed to the network, or to a subscription of the same context.
    pub published: u64,
    /// Messages that subscriptions of the same context got as they are, counted for each.
    pub intra_process: u64,
    /// Sendings that Zenoh refused; other sendings of the same message may have left.
    pub refused: u64,
    /// Messages in device memory that went to those who take them as they are, and not to those who need a copy on the host:
    /// newer ones came before the copy was begun, more than the history keeps. See [`Publisher::publish`](crate::Publisher::publish).
    pub dropped: u64,
    /// Messages for which that copy could not be made after `publish` had returned; the next call returns the first error.
    pub failed: u64,
    /// Buffers that were sent as a descriptor, by backend.
    pub described: BTreeMap<String, u64>,
    /// Sendings in which a buffer in memory of a backend went as bytes after all, and why.
    pub fallbacks: BTreeMap<Fallback, u64>,
    /// The last error of a backend that made a sending fall back to bytes.
    pub last_backend_error: Option<String>,
}

impl PublicationStats {
    pub(crate) fn count_described(&mut self, backend: &str) {
        match self.described.get_mut(backend) {
            Some(count) => *count += 1,
            None => drop(self.described.insert(backend.to_owned(), 1)),
        }
    }

    /// It was counted, and did not leave.
    pub(crate) fn discount_described(&mut self, backend: &str) {
        if let Some(count) = self.described.get_mut(backend) {
            *count -= 1;
            self.described.retain(|_, count| *count > 0);
        }
    }

    pub(crate) fn count_fallback(&mut self, reason: Fallback) {
        *self.fallbacks.entry(reason).or_default() += 1;
    }

    /// It was counted, and did not leave.
    pub(crate) fn discount_fallback(&mut self, reason: Fallback) {
        if let Some(count) = self.fallbacks.get_mut(&reason) {
            *count -= 1;
            self.fallbacks.retain(|_, count| *count > 0);
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
    /// The publisher was told to use another backend, or none.
    NotChosen,
    /// The publisher does not have the backend.
    NotOffered,
    /// The subscription does not accept the backend.
    NotAccepted,
    /// The subscription accepts it, but cannot be reached with it, or not yet.
    NotReady,
    /// The backend would not describe the buffer to this subscription.
    Refused,
    /// The backend failed; the error is in [`PublicationStats::last_backend_error`].
    Failed,
}
