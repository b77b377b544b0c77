//! A goal on the client's side: what comes of it, and how to have it canceled.
//!
//! In: what the client's two topics bring about this goal. Out: feedback, the newest state, the result. Dropping it does
//! nothing to the goal; the server goes on.

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::{
    Action, UuidMessage,
    action::{GetResultRequest, GetResultResponse},
};

use super::{
    GoalId, GoalStatus,
    client::{Inner, cancel_request},
    goals::Id,
};
use crate::{
    error::{Error, Result},
    queue::{Queue, Taken, Wait},
    wakers::wait_in,
};

/// Feedback of one goal that waits to be read; what is older makes way.
const FEEDBACK_DEPTH: usize = 100;
/// After this time [`ClientGoal::result_async`] asks again: no single query lasts for ever.
const RESULT_PERIOD: Duration = Duration::from_secs(3600);

/// What is known of a goal under way.
pub(super) struct Tracked<F> {
    id: Id,
    pub(super) feedback: Queue<F>,
    status: Mutex<GoalStatus>,
}

impl<F> Tracked<F> {
    pub(super) fn new(id: Id) -> Self {
        Self {
            id,
            feedback: Queue::new(Some(FEEDBACK_DEPTH)),
            status: Mutex::default(),
        }
    }

    /// The end is final, whatever comes late, and a state that nobody knows is no news.
    pub(super) fn set_status(&self, status: GoalStatus) {
        let mut known = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.is_terminal() && status != GoalStatus::Unknown {
            *known = status;
        }
    }
}

/// How a goal ended.
#[derive(Debug, Clone, PartialEq)]
pub struct GoalResult<R> {
    /// Succeeded, canceled or aborted.
    pub status: GoalStatus,
    /// The result; how much of it is of use unless the goal succeeded is the action's affair.
    pub result: R,
}

/// A goal that a server has accepted; made by [`ActionClient::send_goal`](super::ActionClient::send_goal).
pub struct ClientGoal<A: Action> {
    tracked: Arc<Tracked<A::Feedback>>,
    stamp: i64,
    inner: Arc<Inner<A>>,
}

impl<A: Action> ClientGoal<A> {
    pub(super) fn new(
        tracked: Arc<Tracked<A::Feedback>>,
        stamp: i64,
        inner: Arc<Inner<A>>,
    ) -> Self {
        let mut status = tracked
            .status
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if *status == GoalStatus::Unknown {
            *status = GoalStatus::Accepted;
        }
        drop(status);
        Self {
            tracked,
            stamp,
            inner,
        }
    }

    /// Its id.
    pub fn goal_id(&self) -> GoalId {
        GoalId(self.tracked.id)
    }

    /// When it was accepted, by the server's clock. Unit: nanoseconds since the Unix epoch.
    pub fn stamp(&self) -> i64 {
        self.stamp
    }

    /// How far it is, as far as it was heard.
    pub fn status(&self) -> GoalStatus {
        *self
            .tracked
            .status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The next feedback, if there is one already. The newest 100 are kept.
    pub fn try_feedback(&self) -> Option<A::Feedback> {
        match self.tracked.feedback.take(Wait::No) {
            Taken::Item(feedback) => Some(feedback),
            Taken::Nothing | Taken::Closed => None,
        }
    }

    /// Waits for feedback, but not longer than `timeout`; `None` when nothing came, as after the goal's end.
    pub fn feedback_timeout(&self, timeout: Duration) -> Option<A::Feedback> {
        let wait = Instant::now()
            .checked_add(timeout)
            .map_or(Wait::Forever, Wait::Until);
        match self.tracked.feedback.take(wait) {
            Taken::Item(feedback) => Some(feedback),
            Taken::Nothing | Taken::Closed => None,
        }
    }

    /// The next feedback, as a future for any executor. There is none after the goal's end: wait for the result beside it.
    pub async fn feedback_async(&self) -> A::Feedback {
        let queue = &self.tracked.feedback;
        wait_in(queue, |waiter, context| {
            match queue.poll_take(waiter, context) {
                Poll::Ready(Taken::Item(feedback)) => Poll::Ready(feedback),
                Poll::Ready(Taken::Nothing | Taken::Closed) | Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Waits for the end of the goal, but not longer than `timeout`.
    ///
    /// # Errors
    /// [`Error::UnknownGoal`] when the server knows nothing of the goal any more; else as for
    /// [`Client::call`](crate::Client::call).
    pub fn result(&self, timeout: Duration) -> Result<GoalResult<A::Result>> {
        let response = self.inner.result.call(&self.result_request(), timeout)?;
        ended::<A>(&self.tracked, &self.inner.name, response)
    }

    /// The end of the goal, asked for now, as a future for any executor, which needs this no more. Each call costs a few hundred
    /// bytes for an hour, also when it was answered.
    ///
    /// # Errors
    /// As for [`ClientGoal::result`].
    pub fn result_async(
        &self,
    ) -> impl Future<Output = Result<GoalResult<A::Result>>> + Send + use<A> {
        let request = self.result_request();
        let (tracked, inner) = (Arc::clone(&self.tracked), Arc::clone(&self.inner));
        let ask = move || inner.result.call_async_timeout(&request, RESULT_PERIOD);
        let mut call = ask();
        let action = self.inner.name.clone();
        async move {
            loop {
                match call.await {
                    Err(Error::CallTimeout { .. }) => call = ask(),
                    response => return ended::<A>(&tracked, &action, response?),
                }
            }
        }
    }

    fn result_request(&self) -> GetResultRequest<A> {
        GetResultRequest {
            goal_id: A::GoalId::from_bytes(self.tracked.id),
        }
    }

    /// Wants the goal canceled. That the server agrees does not end it: the result tells how it ended.
    ///
    /// # Errors
    /// [`Error::CancelRejected`] when the server does not agree; else as for [`Client::call`](crate::Client::call).
    pub fn cancel(&self, timeout: Duration) -> Result<()> {
        let canceling = self.inner.cancel_goals(self.tracked.id, 0, timeout);
        canceling.map(drop)
    }

    /// As [`cancel`](Self::cancel), sent now, as a future for any executor.
    ///
    /// # Errors
    /// As for [`ClientGoal::cancel`].
    pub fn cancel_async(&self) -> impl Future<Output = Result<()>> + Send + use<A> {
        let request = cancel_request(self.tracked.id, 0);
        let call = self.inner.cancel.call_async(&request);
        let inner = Arc::clone(&self.inner);
        async move { inner.canceling(call.await?).map(drop) }
    }
}

fn ended<A: Action>(
    tracked: &Tracked<A::Feedback>,
    action: &str,
    response: GetResultResponse<A>,
) -> Result<GoalResult<A::Result>> {
    let status = GoalStatus::from_code(response.status);
    if !status.is_terminal() {
        return Err(Error::UnknownGoal {
            action: action.to_owned(),
            goal: GoalId(tracked.id),
        });
    }
    tracked.set_status(status);
    Ok(GoalResult {
        status,
        result: response.result,
    })
}

impl<A: Action> std::fmt::Debug for ClientGoal<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientGoal")
            .field("action", &self.inner.name)
            .field("goal_id", &self.goal_id())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
