//! One call under way: from the query to the response, or to the reason why there is none.
//!
//! In: Zenoh's replies to one query, and its end. Out: the first response, waited for or as a future. A server's error
//! counts only when the query ends without a response: another server may still have one. Nothing is sent here.

use std::{
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::{Service, cdr};
use zenoh::{bytes::ZBytes, query::Reply};

use crate::{
    error::{Error, Result},
    introspection::{CallEvent, Introspection, Said},
    key::{Attachment, EntityKind, TopicKey},
    later::later,
    payload::contiguous,
    session::Context,
};

/// What Zenoh itself says when a query takes too long.
const ZENOH_TIMEOUT: &[u8] = b"Timeout";
/// The longest reason of a server's that is kept, in bytes.
const MAX_REASON: usize = 1024;

/// How a query ended.
enum Answer {
    Response(ZBytes),
    Refused(String),
    TimedOut,
    Nothing,
}

/// Where Zenoh puts the answer, and the caller finds it.
pub(crate) struct Slot {
    /// Before it nothing is a time-out, whatever a server says.
    deadline: Option<Instant>,
    state: Mutex<State>,
    ready: Condvar,
}

#[derive(Default)]
struct State {
    answer: Option<Answer>,
    /// An answer that a better one may replace until the query ends.
    refusal: Option<Answer>,
    ended: bool,
    waker: Option<Waker>,
}

impl Slot {
    pub(crate) fn new(deadline: Option<Instant>) -> Self {
        Self {
            deadline,
            state: Mutex::default(),
            ready: Condvar::new(),
        }
    }

    /// From Zenoh's thread: a reply.
    pub(crate) fn put(&self, reply: Reply) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        match reply.into_result() {
            Ok(sample) => self.finish(state, Answer::Response(sample.payload().clone())),
            Err(error) => {
                let reason = error.payload().to_bytes();
                let is_over = self.deadline.is_some_and(|end| Instant::now() >= end);
                let refusal = if is_over && *reason == *ZENOH_TIMEOUT {
                    Answer::TimedOut
                } else {
                    let reason = &reason[..reason.len().min(MAX_REASON)];
                    Answer::Refused(String::from_utf8_lossy(reason).into_owned())
                };
                state.refusal.get_or_insert(refusal);
            }
        }
    }

    /// From Zenoh's thread: no more replies.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        if !state.ended {
            let answer = state.refusal.take().unwrap_or(Answer::Nothing);
            self.finish(state, answer);
        }
    }

    fn finish(&self, mut state: MutexGuard<'_, State>, answer: Answer) {
        state.ended = true;
        state.answer = Some(answer);
        let waker = state.waker.take();
        drop(state);
        self.ready.notify_all();
        if let Some(waker) = waker {
            later(move || waker.wake());
        }
    }

    /// Nobody wants the answer any more.
    fn give_up(&self) {
        let mut state = self.lock();
        state.ended = true;
        let gone = (
            state.answer.take(),
            state.refusal.take(),
            state.waker.take(),
        );
        drop(state);
        drop(gone);
    }

    /// `None` when the time is over first.
    fn wait(&self) -> Option<Answer> {
        let mut state = self.lock();
        loop {
            if let Some(answer) = state.answer.take() {
                return Some(answer);
            }
            let left = match self.deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => Duration::MAX,
            };
            if left.is_zero() {
                return None;
            }
            let waited = self.ready.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call of a service under way; made by [`Client::call_async`](crate::Client::call_async).
///
/// A future for any executor, which needs the client no more. The request was sent when this was made; dropping it gives
/// the response up.
#[must_use = "the response comes when this is awaited"]
pub struct Call<S: Service> {
    /// `None` when the result was given.
    pending: Option<Result<Pending<S>>>,
}

pub(crate) struct Pending<S: Service> {
    pub(crate) slot: Arc<Slot>,
    /// What went beside the request.
    pub(crate) request: Attachment,
    /// The client's, if it is still there.
    pub(crate) introspection: Weak<Introspection<S>>,
    pub(crate) key: TopicKey,
    pub(crate) limit: Duration,
    /// To know who is there; also keeps the session open until the answer is there.
    pub(crate) context: Context,
}

impl<S: Service> Call<S> {
    pub(crate) fn new(pending: Result<Pending<S>>) -> Self {
        Self {
            pending: Some(pending),
        }
    }

    /// Waits for the response. Blocks the calling thread.
    ///
    /// # Errors
    /// As for [`Client::call`](crate::Client::call).
    ///
    /// # Panics
    /// When this was polled to its end as a future before.
    #[expect(clippy::expect_used, reason = "as every future after its end")]
    pub fn wait(mut self) -> Result<S::Response> {
        let pending = self
            .pending
            .take()
            .expect("a call gives its response once")?;
        let answer = pending.slot.wait();
        pending.decode(answer.unwrap_or(Answer::TimedOut))
    }
}

impl<S: Service> Pending<S> {
    fn decode(self, answer: Answer) -> Result<S::Response> {
        let Self {
            request,
            introspection,
            key,
            limit,
            context,
            ..
        } = self;
        let service = key.topic.clone();
        match answer {
            Answer::Response(payload) => {
                let response = cdr::decode_payload(contiguous(payload))
                    .map_err(|source| Error::Response { service, source })?;
                if let Some(introspection) = introspection.upgrade() {
                    let said = Said::Response(&response);
                    introspection.tell(CallEvent::ResponseReceived, &request, &said);
                }
                Ok(response)
            }
            Answer::Refused(reason) => Err(Error::ServerError { service, reason }),
            Answer::TimedOut => Err(Error::CallTimeout { service, limit }),
            Answer::Nothing if context.graph().count(EntityKind::Service, &key) == 0 => {
                Err(Error::NoServer { service })
            }
            Answer::Nothing => Err(Error::NoAnswer { service }),
        }
    }
}

impl<S: Service> Future for Call<S> {
    type Output = Result<S::Response>;

    #[expect(clippy::expect_used, reason = "as every future after its end")]
    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let pending = self.pending.take().expect("a call gives its response once");
        let pending = match pending {
            Ok(pending) => pending,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let mut state = pending.slot.lock();
        if let Some(answer) = state.answer.take() {
            drop(state);
            return Poll::Ready(pending.decode(answer));
        }
        let replaced = state.waker.replace(context.waker().clone());
        drop(state);
        drop(replaced);
        self.pending = Some(Ok(pending));
        Poll::Pending
    }
}

impl<S: Service> Drop for Call<S> {
    /// Zenoh keeps the query until its time is over.
    fn drop(&mut self) {
        if let Some(Ok(pending)) = &self.pending {
            pending.slot.give_up();
        }
    }
}

impl<S: Service> std::fmt::Debug for Call<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}
