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
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll},
};

use rosidl_buffer_runtime::{
    BackendError, BackendRegistry, DecodeError, DecodeErrorKind, Message, cdr,
};
use zenoh::{
    bytes::ZBytes,
    sample::{Sample, SampleKind},
};

use crate::{
    connections::Handover,
    counts::{Counts, LossWatch},
    error::{Error, Result},
    failures::{Failures, GiveUp},
    info::{MessageInfo, Received},
    key::{Attachment, Gid},
    options::CPU,
    payload::{contiguous, may_describe},
    queue::{Queue, Taken, Wait},
    stats::SubscriptionStats,
    wait_set::Ready,
    wakers::{WaitPlace, Waiter},
};

type ErrorKind = (
    Discriminant<DecodeErrorKind>,
    Option<Discriminant<BackendError>>,
);

/// Samples that cannot be decoded and are passed over in one go.
const MAX_UNDECODABLE_AT_ONCE: usize = 1000;

/// Longer is no backend's name, and nothing to remember.
const MAX_BACKEND_NAME: usize = 64;

/// Between Zenoh's threads and the readers.
pub(crate) struct Inbox<M> {
    topic: String,
    queue: Queue<Waiting<M>>,
    counts: Mutex<Counts>,
    logged: Mutex<Logged>,
    failures: Mutex<Failures>,
    on_lasting_failure: OnceLock<Box<OnLastingFailure>>,
}

/// Called with memory that will never be taken here; must not block.
type OnLastingFailure = dyn Fn(&GiveUp) + Send + Sync;

struct Waiting<M> {
    content: Content<M>,
    info: MessageInfo,
}

enum Content<M> {
    Payload(ZBytes),
    Message(M),
}

/// What was logged already.
#[derive(Default)]
struct Logged {
    errors: HashSet<ErrorKind>,
    panic: bool,
    attachment: bool,
}

/// A sample, and what came beside it.
struct Arrived {
    attachment: Option<Attachment>,
    info: MessageInfo,
    /// It was here before, by another channel.
    again: bool,
}

impl<M: Message> Inbox<M> {
    pub(crate) fn new(topic: &str, depth: Option<usize>) -> Self {
        Self {
            topic: topic.to_owned(),
            queue: Queue::new(depth),
            counts: Mutex::default(),
            logged: Mutex::default(),
            failures: Mutex::default(),
            on_lasting_failure: OnceLock::new(),
        }
    }

    /// Calls `give_up` for all memory that turns out to be out of reach here, or did before; to be said once. The same memory may
    /// be named twice.
    pub(crate) fn on_lasting_failure(&self, give_up: impl Fn(&GiveUp) + Send + Sync + 'static) {
        if self.on_lasting_failure.set(Box::new(give_up)).is_ok() {
            let before = self.failures().given_up();
            for what in &before {
                self.give_up(what);
            }
        }
    }

    /// Publishers could not be told; the next failure is a reason to try again.
    pub(crate) fn still_asks_for(&self, what: &GiveUp) {
        self.failures().take_back(what);
        self.counts().stats.given_up.remove(&what.backend);
    }

    /// Calls `watch` with each loss from now on.
    pub(crate) fn watch_losses(&self, watch: &LossWatch) {
        self.counts().watch_losses(watch);
    }

    /// From a publisher of the same context: the message itself.
    pub(crate) fn deliver(&self, message: M, attachment: &Attachment) {
        let info = MessageInfo::new(Some(attachment));
        let mut counts = self.counts();
        let (handover, now) = (Handover::IntraProcess, info.received_timestamp);
        let arrival = counts.arrived(Some(attachment), handover, now);
        counts.stats.intra_process += 1;
        drop(counts);
        if arrival.tell() {
            let content = Content::Message(message);
            self.queue.push(Waiting { content, info });
        }
    }

    /// From Zenoh's thread: a sample of bytes.
    pub(crate) fn push(&self, sample: &Sample) {
        if let Some(Arrived { info, again, .. }) = self.count(sample)
            && !again
        {
            let content = Content::Payload(sample.payload().clone());
            self.queue.push(Waiting { content, info });
        }
    }

    /// From Zenoh's thread: a sample that may describe memory of these backends.
    pub(crate) fn push_described(&self, sample: &Sample, backends: &BackendRegistry) {
        let Some(arrived) = self.count(sample) else {
            return;
        };
        let Arrived { info, again, .. } = arrived;
        let payload = sample.payload().clone();
        if !may_describe(payload.slices()) {
            if !again {
                let content = Content::Payload(payload);
                self.queue.push(Waiting { content, info });
            }
            return;
        }
        let decode = || cdr::decode_payload_with(contiguous(payload), backends);
        if again {
            // Taken and let go at once: its publisher need not wait for it.
            drop(catch_unwind(AssertUnwindSafe(|| drop(decode()))));
            return;
        }
        let decode = || decode().inspect_err(|error| self.not_had(info.publisher_gid, error));
        match self.decode_with(decode, &info) {
            Some(message) => {
                self.took(&message, info.publisher_gid);
                let content = Content::Message(message);
                self.queue.push(Waiting { content, info });
            }
            None => {
                if let Some(attachment) = arrived.attachment {
                    self.counts().forget(&attachment);
                }
            }
        }
    }

    /// `None` when the sample is no message.
    fn count(&self, sample: &Sample) -> Option<Arrived> {
        if sample.kind() != SampleKind::Put {
            return None;
        }
        let attachment = sample
            .attachment()
            .map(ZBytes::to_bytes)
            .unwrap_or_default();
        let attachment = Attachment::from_bytes(&attachment)
            .inspect_err(|error| {
                if !std::mem::replace(&mut self.logged().attachment, true) {
                    tracing::warn!(
                        "{}: delivered without its source: {error} (said once)",
                        self.topic
                    );
                }
            })
            .ok();
        let info = MessageInfo::new(attachment.as_ref());
        // A descriptor is told from it later.
        let (handover, now) = (Handover::Bytes, info.received_timestamp);
        let arrival = self.counts().arrived(attachment.as_ref(), handover, now);
        let again = !arrival.tell();
        Some(Arrived {
            attachment,
            info,
            again,
        })
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
    pub(crate) fn poll_take(
        &self,
        waiter: Waiter,
        context: &mut Context<'_>,
    ) -> Poll<Result<Received<M>>> {
        for _ in 0..MAX_UNDECODABLE_AT_ONCE {
            let Poll::Ready(taken) = self.queue.poll_take(waiter, context) else {
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
        let decode = || {
            // Nothing is borrowed from such a small one, which need not be made shareable then.
            if payload.len() < cdr::BORROW_MIN {
                cdr::decode(&payload.to_bytes())
            } else {
                cdr::decode_payload(contiguous(payload))
            }
        };
        let message = self.decode_with(decode, &info);
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
                drop(counts);
                let said = std::mem::replace(&mut self.logged().panic, true);
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

    /// A message came with descriptors, and its memory was taken.
    fn took(&self, message: &M, publisher: Option<Gid>) {
        let mut backends: Vec<String> = Vec::new();
        message.for_each_buffer(&mut |_, buffer| {
            let name = buffer.backend_type();
            if name != CPU && !backends.iter().any(|known| known == name) {
                backends.push(name.to_owned());
            }
        });
        let mut failures = self.failures();
        for name in &backends {
            failures.worked(publisher, name);
        }
        drop(failures);
        if let Some(gid) = publisher {
            let handover = Handover::Descriptors(backends);
            self.counts().came_as(gid, handover);
        }
    }

    /// A sample came with a descriptor, and was not decoded; if that is going to stay so, publishers have to know.
    fn not_had(&self, publisher: Option<Gid>, error: &DecodeError) {
        let what = match error.kind() {
            DecodeErrorKind::Backend { backend, cause } => {
                self.failures().failed(publisher, backend, cause)
            }
            DecodeErrorKind::UnknownBackend(backend) if backend.len() <= MAX_BACKEND_NAME => {
                self.failures().unknown(backend)
            }
            _ => None,
        };
        if let Some(what) = what {
            let mut counts = self.counts();
            let given_up = &mut counts.stats.given_up;
            given_up.insert(what.backend.clone(), error.to_string());
            drop(counts);
            self.give_up(&what);
        }
    }

    fn give_up(&self, what: &GiveUp) {
        let Some(announce) = self.on_lasting_failure.get() else {
            return;
        };
        let GiveUp { backend, all } = what;
        let without = if *all {
            "any buffer backend, because of"
        } else {
            "the buffer backend"
        };
        tracing::warn!(
            "{}: announced anew without {without} {}, so that publishers send bytes instead",
            self.topic,
            backend.escape_debug()
        );
        announce(what);
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
        drop(counts);
        let kind = (discriminant(error.kind()), cause);
        self.logged().errors.insert(kind)
    }

    /// How the last sample of this publisher came.
    pub(crate) fn handover(&self, publisher: &Gid) -> Handover {
        self.counts().handover(publisher)
    }

    pub(crate) fn stats(&self) -> SubscriptionStats {
        SubscriptionStats {
            dropped: self.queue.dropped(),
            ..self.counts().stats()
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

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn logged(&self) -> MutexGuard<'_, Logged> {
        self.logged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Message> WaitPlace for Inbox<M> {
    fn forget(&self, waiter: Waiter) {
        self.queue.forget(waiter);
    }
}

impl<M: Message> Ready for Inbox<M> {
    fn poll_ready(&self, waiter: Waiter, context: &mut Context<'_>) -> Poll<()> {
        self.queue.poll_ready(waiter, context)
    }
}
