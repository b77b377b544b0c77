//! A goal on the server's side: feedback goes out, the way it ended goes out, whether it is to be canceled comes in.
//!
//! Every change of a goal's state is published with the states of all others, in the order of the changes and without a lock
//! held: the context's worker does it. A goal whose handle is dropped without an end is aborted.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use rosidl_buffer_interfaces::{
    action_msgs::msg::{GoalInfo, GoalStatus as GoalStatusMsg, GoalStatusArray},
    builtin_interfaces::msg::Time,
    unique_identifier_msgs::msg::UUID,
};
use rosidl_buffer_runtime::{
    Action, UuidMessage,
    action::{FeedbackMessage, GetResult, GetResultResponse},
};

use super::{
    GoalId, GoalStatus,
    goals::{Goals, Id},
};
use crate::{
    error::{Error, Result},
    publisher::Publisher,
    requests::Responder,
    worker::Jobs,
};

/// What an action server and its goals share.
pub(super) struct Shared<A: Action> {
    /// The action's full name.
    pub(super) name: String,
    goals: Mutex<Goals<A::Result, Responder<GetResult<A>>>>,
    feedback: Publisher<FeedbackMessage<A>>,
    status: Publisher<GoalStatusArray>,
    jobs: Jobs,
    /// How long a result is kept.
    result_timeout: Duration,
    no_result: fn() -> A::Result,
}

impl<A: Action> Shared<A> {
    pub(super) fn new(
        name: String,
        feedback: Publisher<FeedbackMessage<A>>,
        status: Publisher<GoalStatusArray>,
        result_timeout: Duration,
        no_result: fn() -> A::Result,
    ) -> Self {
        let jobs = status.node().context().jobs().clone();
        Self {
            name,
            goals: Mutex::default(),
            feedback,
            status,
            jobs,
            result_timeout,
            no_result,
        }
    }

    pub(super) fn goals(&self) -> MutexGuard<'_, Goals<A::Result, Responder<GetResult<A>>>> {
        self.goals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the states published as they are now. `goals` is held, so that no two of these overtake each other.
    pub(super) fn publish_status(
        self: &Arc<Self>,
        goals: &Goals<A::Result, Responder<GetResult<A>>>,
    ) {
        let status_list = goals.statuses().map(|(id, stamp, status)| GoalStatusMsg {
            goal_info: goal_info(id, stamp),
            status: status.code(),
        });
        let message = GoalStatusArray {
            status_list: status_list.collect(),
        };
        let shared = Arc::clone(self);
        self.jobs.run(move || {
            if let Err(error) = shared.status.publish(&message) {
                tracing::warn!("the state of the goals of {}: {error}", shared.name);
            }
        });
    }

    /// Ends a goal and answers those who wait for its result.
    fn end(self: &Arc<Self>, id: Id, how: GoalStatus, result: A::Result) -> Result<()> {
        let mut goals = self.goals();
        let told = goals
            .end(&id, how, result)
            .map_err(|from| self.state_error(from, how))?;
        self.publish_status(&goals);
        drop(goals);
        for (responder, result) in told {
            self.answer(responder, how, result);
        }
        let kept: Weak<Self> = Arc::downgrade(self);
        self.jobs.run_after(self.result_timeout, move || {
            if let Some(shared) = kept.upgrade() {
                shared.goals().forget(&id);
            }
        });
        Ok(())
    }

    fn state_error(&self, from: GoalStatus, to: GoalStatus) -> Error {
        Error::GoalState {
            action: self.name.clone(),
            from,
            to,
        }
    }

    /// Answers somebody who asked for a goal's result.
    pub(super) fn answer(
        &self,
        responder: Responder<GetResult<A>>,
        status: GoalStatus,
        result: A::Result,
    ) {
        let status = status.code();
        if let Err(error) = responder.respond(&GetResultResponse { status, result }) {
            tracing::warn!("the result of a goal of {}: {error}", self.name);
        }
    }

    pub(super) fn no_result(&self) -> A::Result {
        (self.no_result)()
    }
}

pub(super) fn goal_info(id: Id, stamp: i64) -> GoalInfo {
    let (sec, nanosec) = time_parts(stamp);
    GoalInfo {
        goal_id: UUID { uuid: id },
        stamp: Time { sec, nanosec },
    }
}

/// Seconds and nanoseconds of a time in nanoseconds since the epoch; the end that is nearer when it does not fit.
pub(super) fn time_parts(stamp: i64) -> (i32, u32) {
    let Ok(seconds) = i32::try_from(stamp.div_euclid(1_000_000_000)) else {
        return if stamp < 0 {
            (i32::MIN, 0)
        } else {
            (i32::MAX, 999_999_999)
        };
    };
    let rest = u32::try_from(stamp.rem_euclid(1_000_000_000)).unwrap_or_default();
    (seconds, rest)
}

/// A goal that was accepted and is to be reached, given to the function that executes it.
///
/// It ends with [`succeed`](Self::succeed), [`abort`](Self::abort) or [`canceled`](Self::canceled). Dropped before, also by a
/// panic, the goal is aborted with an empty result; canceled, if its execution was deferred and did not start.
pub struct GoalHandle<A: Action> {
    id: Id,
    goal: A::Goal,
    shared: Arc<Shared<A>>,
    ended: bool,
}

impl<A: Action> GoalHandle<A> {
    pub(super) fn new(id: Id, goal: A::Goal, shared: &Arc<Shared<A>>) -> Self {
        Self {
            id,
            goal,
            shared: Arc::clone(shared),
            ended: false,
        }
    }

    /// Its id.
    pub fn goal_id(&self) -> GoalId {
        GoalId(self.id)
    }

    /// What the client asks for.
    pub fn goal(&self) -> &A::Goal {
        &self.goal
    }

    /// How far it is.
    pub fn status(&self) -> GoalStatus {
        self.shared.goals().status(&self.id)
    }

    /// Whether somebody wants it canceled and the server agreed, or the server is gone: then it is time for
    /// [`canceled`](Self::canceled).
    pub fn is_canceling(&self) -> bool {
        self.status() == GoalStatus::Canceling
    }

    /// Starts the execution of a goal that was [deferred](super::GoalResponse::AcceptAndDefer).
    ///
    /// # Errors
    /// [`Error::GoalState`] when it was started before, or is being canceled.
    pub fn execute(&self) -> Result<()> {
        let mut goals = self.shared.goals();
        let started = goals.execute(&self.id);
        started.map_err(|from| self.shared.state_error(from, GoalStatus::Executing))?;
        self.shared.publish_status(&goals);
        Ok(())
    }

    /// Tells whoever listens how it goes.
    ///
    /// # Errors
    /// As for [`Publisher::publish`].
    pub fn publish_feedback(&self, feedback: A::Feedback) -> Result<()> {
        self.shared.feedback.publish(&FeedbackMessage {
            goal_id: A::GoalId::from_bytes(self.id),
            feedback,
        })
    }

    /// The goal is reached.
    ///
    /// # Errors
    /// [`Error::GoalState`] when its execution was deferred and did not start. The goal is canceled then.
    pub fn succeed(mut self, result: A::Result) -> Result<()> {
        self.end(GoalStatus::Succeeded, result)
    }

    /// The goal will not be reached.
    ///
    /// # Errors
    /// As for [`GoalHandle::succeed`].
    pub fn abort(mut self, result: A::Result) -> Result<()> {
        self.end(GoalStatus::Aborted, result)
    }

    /// The goal is given up because that was asked for.
    ///
    /// # Errors
    /// [`Error::GoalState`] when [`is_canceling`](Self::is_canceling) is false: nobody asked for it. The goal is aborted then.
    pub fn canceled(mut self, result: A::Result) -> Result<()> {
        self.end(GoalStatus::Canceled, result)
    }

    fn end(&mut self, how: GoalStatus, result: A::Result) -> Result<()> {
        self.shared.end(self.id, how, result)?;
        self.ended = true;
        Ok(())
    }
}

impl<A: Action> Drop for GoalHandle<A> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // One that is not executed has no way to be aborted.
        let mut goals = self.shared.goals();
        let (how, done) = if goals.is_begun(&self.id) {
            (GoalStatus::Aborted, "aborted")
        } else {
            goals.cancel(&self.id); // a client may have done so before
            (GoalStatus::Canceled, "canceled")
        };
        drop(goals);
        tracing::warn!(
            "the goal {} of {} was left without an end and is {done}",
            self.goal_id(),
            self.shared.name
        );
        let empty = self.shared.no_result();
        if let Err(error) = self.end(how, empty) {
            tracing::error!("{error}");
        }
    }
}

impl<A: Action> std::fmt::Debug for GoalHandle<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GoalHandle")
            .field("action", &self.shared.name)
            .field("goal_id", &self.goal_id())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_does_not_fit_becomes_the_nearest() {
        for (stamp, parts) in [
            (0, (0, 0)),
            (1_500_000_000, (1, 500_000_000)),
            (-1, (-1, 999_999_999)),
            (i64::MAX, (i32::MAX, 999_999_999)),
            (i64::MIN, (i32::MIN, 0)),
        ] {
            assert_eq!(time_parts(stamp), parts, "{stamp}");
        }
    }
}
