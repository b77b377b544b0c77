//! What stands between Zenoh's threads and the readers of one subscription: the queue, the counters and the decoder.
//!
//! Samples of bytes come in undecoded, so one that is dropped for a newer one costs nothing. A sample that may
//! describe memory of somebody else is decoded at once: from then on the memory is held, and dropping the message lets
//! it go. What cannot be decoded is counted, logged once for each kind of error, and passed over; a backend or a message
//! type that panics counts as such, and ends neither Zenoh's thread nor the reader's.

use std::{
    collections::HashSet,
    mem::{Discriminant, discriminant},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
};

use bytes::Bytes;
use rosidl_buffer_runtime::{
    BackendError, BackendRegistry, DecodeError, DecodeErrorKind, Message, cdr,
};
use zenoh::{
    bytes::ZBytes,
    sample::{Sample, SampleKind},
};

use crate::{
    error::{Error, Result},
    info::{MessageInfo, Received, SubscriptionStats},
    key::Attachment,
    queue::{Queue, Taken, Wait},
};

type ErrorKind = (
    Discriminant<DecodeErrorKind>,
    Option<Discriminant<BackendError>>,
);

/// Samples that cannot be decoded and are passed over in one go.
const MAX_UNDECODABLE_AT_ONCE: usize = 1000;

type OnLoss = dyn Fn(u64) + Send + Sync;
/// Called with how many messages did not arrive, as long as this is held; must not block.
pub(crate) type LossWatch = Arc<OnLoss>;

/// Between Zenoh's threads and the readers.
pub(crate) struct Inbox<M> {
    topic: String,
    queue: Queue<Waiting<M>>,
    counts: Mutex<Counts>,
}

struct Waiting<M> {
    content: Content<M>,
    info: MessageInfo,
}

enum Content<M> {
    Payload(ZBytes),
    Message(M),
}

#[derive(Default)]
struct Counts {
    stats: SubscriptionStats,
    logged: HashSet<ErrorKind>,
    logged_panic: bool,
    logged_attachment: bool,
    loss_watchers: Vec<Weak<OnLoss>>,
}

impl Counts {
    /// Counts a sample, and gives who has to know how many were lost before it.
    fn count(&mut self, info: &MessageInfo) -> (u64, Vec<LossWatch>) {
        let before = self.stats.lost;
        self.stats.count(info);
        let lost = self.stats.lost.saturating_sub(before);
        if lost == 0 || self.loss_watchers.is_empty() {
            return (lost, Vec::new());
        }
        self.loss_watchers
            .retain(|watcher| watcher.strong_count() > 0);
        let watchers = self.loss_watchers.iter().filter_map(Weak::upgrade);
        (lost, watchers.collect())
    }
}

impl<M: Message> Inbox<M> {
    pub(crate) fn new(topic: &str, depth: Option<usize>) -> Self {
        Self {
            topic: topic.to_owned(),
            queue: Queue::new(depth),
            counts: Mutex::default(),
        }
    }

    /// Calls `watch` with each loss from now on.
    pub(crate) fn watch_losses(&self, watch: &LossWatch) {
        self.counts().loss_watchers.push(Arc::downgrade(watch));
    }

    /// From Zenoh's thread: a sample of bytes.
    pub(crate) fn push(&self, sample: &Sample) {
        if let Some(info) = self.count(sample) {
            let content = Content::Payload(sample.payload().clone());
            self.queue.push(Waiting { content, info });
        }
    }

    /// From Zenoh's thread: a sample that may describe memory of these backends.
    pub(crate) fn push_described(&self, sample: &Sample, backends: &BackendRegistry) {
        let Some(info) = self.count(sample) else {
            return;
        };
        let payload = sample.payload().clone();
        if !may_describe(payload.slices()) {
            let content = Content::Payload(payload);
            return self.queue.push(Waiting { content, info });
        }
        let decode = || cdr::decode_payload_with(contiguous(payload), backends);
        if let Some(message) = self.decode_with(decode, &info) {
            let content = Content::Message(message);
            self.queue.push(Waiting { content, info });
        }
    }

    /// `None` when the sample is no message.
    fn count(&self, sample: &Sample) -> Option<MessageInfo> {
        if sample.kind() != SampleKind::Put {
            return None;
        }
        let attachment = sample
            .attachment()
            .map(ZBytes::to_bytes)
            .unwrap_or_default();
        let attachment = Attachment::from_bytes(&attachment);
        let info = MessageInfo::new(attachment.as_ref().ok());
        let mut counts = self.counts();
        let (lost, watchers) = counts.count(&info);
        let said = attachment.is_err() && std::mem::replace(&mut counts.logged_attachment, true);
        drop(counts);
        for watcher in watchers {
            watcher(lost);
        }
        if let Err(error) = attachment
            && !said
        {
            tracing::warn!(
                "{}: delivered without its source: {error} (said once)",
                self.topic
            );
        }
        Some(info)
    }

    /// The next message; `None` when nothing came in time.
    pub(crate) fn take(&self, wait: Wait) -> Result<Option<Received<M>>> {
        let mut undecodable = 0;
        loop {
            let taken = self.queue.take(wait);
            let nothing = matches!(taken, Taken::Nothing);
            // Whoever sends what cannot be decoded, without a pause, does not make the caller wait longer.
            let enough = wait.is_over()
                || matches!(wait, Wait::No) && undecodable >= MAX_UNDECODABLE_AT_ONCE;
            match self.decode(taken)? {
                None if !nothing && !enough => undecodable += 1,
                received => return Ok(received),
            }
        }
    }

    /// As [`Inbox::take`] for a future: the next message that can be decoded.
    pub(crate) fn poll_take(&self, context: &mut Context<'_>) -> Poll<Result<Received<M>>> {
        for _ in 0..MAX_UNDECODABLE_AT_ONCE {
            let Poll::Ready(taken) = self.queue.poll_take(context) else {
                return Poll::Pending;
            };
            if let Some(result) = self.decode(taken).transpose() {
                return Poll::Ready(result);
            }
        }
        // There may be more; other tasks go first.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// `None` when there was nothing or it could not be decoded.
    fn decode(&self, taken: Taken<Waiting<M>>) -> Result<Option<Received<M>>> {
        let Waiting { content, info } = match taken {
            Taken::Item(sample) => sample,
            Taken::Nothing => return Ok(None),
            Taken::Closed => {
                return Err(Error::Closed {
                    topic: self.topic.clone(),
                });
            }
        };
        let payload = match content {
            Content::Message(message) => return Ok(Some(Received { message, info })),
            Content::Payload(payload) => payload,
        };
        let message = self.decode_with(|| cdr::decode_payload(contiguous(payload)), &info);
        Ok(message.map(|message| Received { message, info }))
    }

    /// `None` when it could not be decoded, which is counted.
    fn decode_with(
        &self,
        decode: impl FnOnce() -> std::result::Result<M, DecodeError>,
        info: &MessageInfo,
    ) -> Option<M> {
        let new = match catch_unwind(AssertUnwindSafe(decode)) {
            Ok(Ok(message)) => return Some(message),
            Ok(Err(error)) => self.count_undecodable(&error).then(|| error.to_string()),
            Err(_) => {
                let why = "the decoder or a backend panicked";
                let mut counts = self.counts();
                counts.stats.undecodable += 1;
                counts.stats.last_decode_error = Some(why.to_owned());
                let said = std::mem::replace(&mut counts.logged_panic, true);
                (!said).then(|| why.to_owned())
            }
        };
        if let Some(why) = new {
            let from = info
                .publisher_gid
                .map_or("unknown".to_owned(), |gid| gid.to_string());
            tracing::warn!(
                "{}: a sample of publisher {from} was left out: {why} (this kind of error is said once)",
                self.topic
            );
        }
        None
    }

    /// Whether there was no such error before.
    fn count_undecodable(&self, error: &DecodeError) -> bool {
        let mut counts = self.counts();
        let stats = &mut counts.stats;
        let cause = if let DecodeErrorKind::Backend { cause, .. } = error.kind() {
            stats.buffers_lost += 1;
            stats.last_buffer_loss = Some(error.to_string());
            Some(discriminant(cause))
        } else {
            stats.undecodable += 1;
            stats.last_decode_error = Some(error.to_string());
            None
        };
        counts.logged.insert((discriminant(error.kind()), cause))
    }

    pub(crate) fn stats(&self) -> SubscriptionStats {
        SubscriptionStats {
            dropped: self.queue.dropped(),
            ..self.counts().stats.clone()
        }
    }

    /// No more samples; what waits in the queue is still read.
    pub(crate) fn close(&self) {
        self.queue.close();
    }

    /// The full name of the topic.
    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    /// No more samples; what waits in the queue goes unread.
    pub(crate) fn stop(&self) {
        self.queue.close();
        while let Taken::Item(_) = self.queue.take(Wait::No) {}
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the words that begin a descriptor stand anywhere in a payload where words stand: if not, it is bytes and needs
/// no hurry. That they stand there by chance costs an early decoding, and nothing else.
fn may_describe<'a>(slices: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut marked = false;
    let mut found = |word: [u8; 4]| {
        let magic = marked && (word == *b"2SOR" || word == *b"ROS2");
        marked = word == [0xFF; 4];
        magic
    };
    // A word may lie across the border of two slices.
    let (mut part, mut filled) = ([0; 4], 0);
    for mut slice in slices {
        if filled > 0 {
            let taken = slice.len().min(4 - filled);
            part[filled..filled + taken].copy_from_slice(&slice[..taken]);
            filled += taken;
            slice = &slice[taken..];
            if filled < 4 {
                continue;
            }
            if found(part) {
                return true;
            }
        }
        let (words, rest) = slice.as_chunks();
        if words.iter().any(|word| found(*word)) {
            return true;
        }
        part[..rest.len()].copy_from_slice(rest);
        filled = rest.len();
    }
    false
}

/// The payload as one piece: Zenoh's own memory when it is one already, else copied once.
pub(crate) fn contiguous(payload: ZBytes) -> Bytes {
    struct Owner(ZBytes);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            self.0.slices().next().unwrap_or_default()
        }
    }
    if payload.slices().count() > 1 {
        return Bytes::from(payload.to_bytes().into_owned());
    }
    Bytes::from_owner(Owner(payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_found_wherever_slices_end() {
        let mut payload = vec![7; 20];
        payload.extend(*b"\xff\xff\xff\xff2SOR");
        payload.extend([7; 9]);
        for first in 0..payload.len() {
            for second in first..payload.len() {
                let slices = [
                    &payload[..first],
                    &payload[first..second],
                    &payload[second..],
                ];
                assert!(may_describe(slices.into_iter()), "{first} {second}");
                let misplaced = [&payload[1..=first.max(1)], &payload[first.max(1) + 1..]];
                assert!(!may_describe(misplaced.into_iter()), "{first}");
            }
        }
        let other_order = [&b"\0\0\0\0\xff\xff\xff\xffROS2"[..]];
        assert!(may_describe(other_order.into_iter()));
        for bytes in [&[0xFF; 64][..], b"2SOR2SOR", b"\xff\xff\xff\xff", b""] {
            assert!(!may_describe([bytes].into_iter()), "{bytes:?}");
        }
    }
}
