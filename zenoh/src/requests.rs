//! What stands between Zenoh's threads and whoever answers the requests to one service.
//!
//! In: queries on the service's key. Out: decoded requests, each with the means to answer it once. A query that is not a
//! request is answered with an error and counted; so is a request that has to make way for a newer one, so no client waits
//! for what never comes. A request that nobody answers ends without an answer, counted. As in `rmw_zenoh_cpp` the reply
//! goes under the service's own key, with the request's number and the client's GID beside it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
    time::SystemTime,
};

use rosidl_buffer_runtime::{Service, cdr};
use zenoh::{Wait as _, bytes::ZBytes, key_expr::KeyExpr, query::Query};

use crate::{
    error::{Error, Result},
    info::{now, time},
    introspection::{CallEvent, Introspection, Said},
    key::{Attachment, Gid},
    payload::contiguous,
    queue::{Queue, Taken, Wait},
    wait_set::Ready,
    wakers::{WaitPlace, Waiter},
};

/// Queries that are no requests and are passed over in one go.
const MAX_MALFORMED_AT_ONCE: usize = 1000;

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestInfo {
    /// The client.
    pub client_gid: Gid,
    /// Counted by the client, from 1.
    pub sequence_number: i64,
    /// When it was sent, by the client's clock; `None` when that is no time.
    pub source_timestamp: Option<SystemTime>,
    /// When it arrived here.
    pub received_timestamp: SystemTime,
}

/// What a service counted since it was created.
///
/// Each request that was received is among `answered`, `failed`, `unanswered`, `dropped` and `malformed` once, or is still waiting or
/// in somebody's hands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceStats {
    /// Requests that arrived, those that could not be read included.
    pub received: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Requests whose answer could not be made or sent, or that were given up with a reason that the client is told.
    pub failed: u64,
    /// Requests that were taken, and whose [`Responder`] was dropped without an answer.
    pub unanswered: u64,
    /// Requests that made way for newer ones: the queue was full.
    pub dropped: u64,
    /// Queries that were no requests of this service.
    pub malformed: u64,
    /// The last reason for that.
    pub last_malformed: Option<String>,
    /// Calls of the service's function that panicked; they are among `failed`.
    pub panicked: u64,
}

/// A request with what is known about its way, and the means to answer it.
pub struct ServiceRequest<S: Service> {
    /// The request.
    pub request: S::Request,
    /// Where it comes from.
    pub info: RequestInfo,
    /// Answers it, from any thread and at any time.
    pub responder: Responder<S>,
}

impl<S: Service> std::fmt::Debug for ServiceRequest<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceRequest")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// Answers one request. Dropped without an answer, it leaves the client without one, which is counted and logged; the
/// client is told at once.
#[must_use = "the client waits for an answer"]
pub struct Responder<S: Service> {
    /// `None` when it was answered.
    query: Option<Query>,
    request: Attachment,
    desk: Arc<Desk>,
    introspection: Weak<Introspection<S>>,
}

impl<S: Service> Responder<S> {
    /// Sends the answer.
    ///
    /// # Errors
    /// When the response cannot be encoded, which the client is told, or the session is gone.
    pub fn respond(mut self, response: &S::Response) -> Result<()> {
        let Some(query) = self.query.take() else {
            return Ok(());
        };
        let payload = cdr::encode(response).map_err(|source| {
            self.desk.stats().failed += 1;
            refuse(&query, "the response could not be encoded");
            let topic = self.desk.name.clone();
            Error::Encode { topic, source }
        })?;
        let attachment = Attachment {
            source_timestamp: now(),
            ..self.request
        };
        // First, so that whoever has the answer finds it counted.
        self.desk.stats().answered += 1;
        let sent = query
            .reply(&self.desk.key, payload)
            .attachment(attachment.to_bytes())
            .wait();
        sent.map_err(|cause| {
            let mut stats = self.desk.stats();
            stats.answered -= 1;
            stats.failed += 1;
            drop(stats);
            Error::Respond {
                service: self.desk.name.clone(),
                cause,
            }
        })?;
        if let Some(introspection) = self.introspection.upgrade() {
            let said = Said::Response(response);
            introspection.tell(CallEvent::ResponseSent, &self.request, &said);
        }
        Ok(())
    }

    /// Whether both answer the same client.
    pub(crate) fn is_same_client(&self, other: &Self) -> bool {
        self.request.gid == other.request.gid
    }

    /// Tells the client that there is no answer, and why.
    pub(crate) fn fail(mut self, why: &str) {
        if let Some(query) = self.query.take() {
            // First, so that whoever is told finds it counted.
            self.desk.stats().failed += 1;
            refuse(&query, why);
        }
    }
}

impl<S: Service> Drop for Responder<S> {
    fn drop(&mut self) {
        let Some(query) = self.query.take() else {
            return;
        };
        let mut stats = self.desk.stats();
        stats.unanswered += 1;
        let first = stats.unanswered == 1;
        drop(stats);
        // The client hears of it now, and finds it counted.
        drop(query);
        if first {
            tracing::warn!(
                "{}: a request was left without an answer (said once)",
                self.desk.name
            );
        }
    }
}

impl<S: Service> std::fmt::Debug for Responder<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Responder")
            .field("service", &self.desk.name)
            .field("client", &self.request.gid)
            .field("sequence_number", &self.request.sequence_number)
            .finish_non_exhaustive()
    }
}

/// What inbox and responders of one service share.
struct Desk {
    /// The full name of the service.
    name: String,
    key: KeyExpr<'static>,
    stats: Mutex<ServiceStats>,
}

impl Desk {
    fn stats(&self) -> MutexGuard<'_, ServiceStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A query that nobody has taken yet. Dropped, it is answered with an error.
struct Waiting {
    query: Option<Query>,
    received: SystemTime,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(query) = self.query.take() {
            refuse(
                &query,
                "the server dropped the request: too many are waiting, or it is going",
            );
        }
    }
}

/// Between Zenoh's threads and those who answer.
pub(crate) struct RequestInbox<S: Service> {
    desk: Arc<Desk>,
    queue: Queue<Waiting>,
    introspection: Weak<Introspection<S>>,
}

impl<S: Service> RequestInbox<S> {
    pub(crate) fn new(
        name: &str,
        key: KeyExpr<'static>,
        depth: Option<usize>,
        introspection: &Arc<Introspection<S>>,
    ) -> Self {
        let desk = Desk {
            name: name.to_owned(),
            key,
            stats: Mutex::default(),
        };
        Self {
            desk: Arc::new(desk),
            queue: Queue::new(depth),
            introspection: Arc::downgrade(introspection),
        }
    }

    /// From Zenoh's thread.
    pub(crate) fn push(&self, query: Query) {
        self.desk.stats().received += 1;
        self.queue.push(Waiting {
            query: Some(query),
            received: SystemTime::now(),
        });
    }

    /// The next request; `None` when nothing came in time.
    pub(crate) fn take(&self, wait: Wait) -> Result<Option<ServiceRequest<S>>> {
        let mut malformed = 0;
        loop {
            let taken = self.queue.take(wait);
            let nothing = matches!(taken, Taken::Nothing);
            let enough =
                wait.is_over() || matches!(wait, Wait::No) && malformed >= MAX_MALFORMED_AT_ONCE;
            match self.read(taken)? {
                None if !nothing && !enough => malformed += 1,
                request => return Ok(request),
            }
        }
    }

    /// As [`RequestInbox::take`] for a future.
    pub(crate) fn poll_take(
        &self,
        waiter: Waiter,
        context: &mut Context<'_>,
    ) -> Poll<Result<ServiceRequest<S>>> {
        for _ in 0..MAX_MALFORMED_AT_ONCE {
            let Poll::Ready(taken) = self.queue.poll_take(waiter, context) else {
                return Poll::Pending;
            };
            if let Some(result) = self.read(taken).transpose() {
                return Poll::Ready(result);
            }
        }
        // There may be more; other tasks go first.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Answers a request with `callback`, whose panic is the client's error.
    pub(crate) fn answer(
        &self,
        taken: ServiceRequest<S>,
        callback: &mut dyn FnMut(S::Request, RequestInfo) -> S::Response,
    ) {
        let ServiceRequest {
            request,
            info,
            responder,
        } = taken;
        let Ok(response) = catch_unwind(AssertUnwindSafe(|| callback(request, info))) else {
            self.desk.stats().panicked += 1;
            tracing::error!("the callback of {} panicked", self.desk.name);
            responder.fail("the server's callback panicked");
            return;
        };
        if let Err(error) = responder.respond(&response) {
            tracing::error!("{error}");
        }
    }

    /// `None` when there was nothing or it was no request.
    fn read(&self, taken: Taken<Waiting>) -> Result<Option<ServiceRequest<S>>> {
        let mut waiting = match taken {
            Taken::Item(waiting) => waiting,
            Taken::Nothing => return Ok(None),
            Taken::Closed => {
                return Err(Error::ServiceClosed {
                    service: self.desk.name.clone(),
                });
            }
        };
        let Some(query) = waiting.query.take() else {
            return Ok(None);
        };
        match decode::<S>(&query, waiting.received) {
            Ok((request, info, attachment)) => {
                if let Some(introspection) = self.introspection.upgrade() {
                    let said = Said::Request(&request);
                    introspection.tell(CallEvent::RequestReceived, &attachment, &said);
                }
                let responder = Responder {
                    query: Some(query),
                    request: attachment,
                    desk: Arc::clone(&self.desk),
                    introspection: Weak::clone(&self.introspection),
                };
                Ok(Some(ServiceRequest {
                    request,
                    info,
                    responder,
                }))
            }
            Err(why) => {
                let mut stats = self.desk.stats();
                stats.malformed += 1;
                let first = stats.malformed == 1;
                stats.last_malformed = Some(why.clone());
                drop(stats);
                refuse(&query, &why);
                if first {
                    tracing::warn!("{}: refused: {why} (said once)", self.desk.name);
                }
                Ok(None)
            }
        }
    }

    pub(crate) fn stats(&self) -> ServiceStats {
        ServiceStats {
            dropped: self.queue.dropped(),
            ..self.desk.stats().clone()
        }
    }

    /// No more requests; those that wait are still taken.
    pub(crate) fn close(&self) {
        self.queue.close();
    }

    /// No more requests; those that wait are refused.
    pub(crate) fn stop(&self) {
        self.queue.close();
        while let Taken::Item(_) = self.queue.take(Wait::No) {}
    }
}

impl<S: Service> WaitPlace for RequestInbox<S> {
    fn forget(&self, waiter: Waiter) {
        self.queue.forget(waiter);
    }
}

impl<S: Service> Ready for RequestInbox<S> {
    fn poll_ready(&self, waiter: Waiter, context: &mut Context<'_>) -> Poll<()> {
        self.queue.poll_ready(waiter, context)
    }
}

fn decode<S: Service>(
    query: &Query,
    received: SystemTime,
) -> std::result::Result<(S::Request, RequestInfo, Attachment), String> {
    let attachment = query.attachment().map(ZBytes::to_bytes).unwrap_or_default();
    let attachment = Attachment::from_bytes(&attachment).map_err(|error| error.to_string())?;
    let payload = query.payload().ok_or("the request has no payload")?;
    let decode = || cdr::decode_payload::<S::Request>(contiguous(payload.clone()));
    let request = match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(decoded) => decoded.map_err(|error| error.to_string())?,
        Err(_) => return Err("the request's decoder panicked".to_owned()),
    };
    let info = RequestInfo {
        client_gid: attachment.gid,
        sequence_number: attachment.sequence_number,
        source_timestamp: time(attachment.source_timestamp),
        received_timestamp: received,
    };
    Ok((request, info, attachment))
}

/// Tells the client why there is no answer. That this does not reach it is no news: it may be gone.
fn refuse(query: &Query, why: &str) {
    if let Err(error) = query.reply_err(why).wait() {
        tracing::debug!("a client was not told that there is no answer ({why}): {error}");
    }
}
