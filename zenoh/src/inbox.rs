//! What stands between Zenoh's threads and the readers of one subscription: the queue, the counters and the decoder.
//!
//! Samples of bytes come in undecoded, so one that is dropped for a newer one costs nothing. A sample that may
//! describe memory of somebody else is decoded at once: from then on the memory is held, and dropping the message lets
//! it go. What cannot be decoded is counted, logged once for each cause, and passed over.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use rosidl_buffer_runtime::{BackendRegistry, DecodeError, DecodeErrorKind, Message, cdr};
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

/// Different decode errors that are logged; after so many only the counter goes on.
const MAX_LOGGED_CAUSES: usize = 16;

/// Samples that cannot be decoded and are passed over in one go.
const MAX_UNDECODABLE_AT_ONCE: usize = 1000;

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
    logged: HashSet<String>,
    logged_attachment: bool,
}

impl<M: Message> Inbox<M> {
    pub(crate) fn new(topic: &str, depth: Option<usize>) -> Self {
        Self {
            topic: topic.to_owned(),
            queue: Queue::new(depth),
            counts: Mutex::default(),
        }
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
        let payload = contiguous(sample.payload().clone());
        match cdr::decode_payload_with(payload, backends) {
            Ok(message) => {
                let content = Content::Message(message);
                self.queue.push(Waiting { content, info });
            }
            Err(error) => self.count_undecodable(&error, &info),
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
        counts.stats.count(&info);
        if let Err(error) = attachment
            && !std::mem::replace(&mut counts.logged_attachment, true)
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
        match cdr::decode_payload(contiguous(payload)) {
            Ok(message) => Ok(Some(Received { message, info })),
            Err(error) => {
                self.count_undecodable(&error, &info);
                Ok(None)
            }
        }
    }

    fn count_undecodable(&self, error: &DecodeError, info: &MessageInfo) {
        let mut counts = self.counts();
        let stats = &mut counts.stats;
        let cause = if let DecodeErrorKind::Backend { cause, .. } = error.kind() {
            stats.buffers_lost += 1;
            stats.last_buffer_loss = Some(error.to_string());
            // Where in the message it stood makes no other cause of it.
            cause.to_string()
        } else {
            stats.undecodable += 1;
            stats.last_decode_error = Some(error.to_string());
            error.to_string()
        };
        if counts.logged.len() < MAX_LOGGED_CAUSES && counts.logged.insert(cause) {
            let from = info
                .publisher_gid
                .map_or("unknown".to_owned(), |gid| gid.to_string());
            tracing::warn!(
                "{}: a sample of publisher {from} was left out: {error} (said once)",
                self.topic
            );
        }
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

/// The payload as one piece: Zenoh's own memory when it is one already, else copied once.
fn contiguous(payload: ZBytes) -> Bytes {
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
