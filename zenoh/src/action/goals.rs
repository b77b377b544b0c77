//! The goals of one action server: their states, who waits for their results, and which of them a cancel request means.
//!
//! The rules are those of `rcl_action`. Nothing is sent and no clock is read here. Both tables are bounded: goals and waiting
//! clients come from the network.

use super::GoalStatus;

/// Goals that are known at a time, those that have ended included until their results are forgotten.
const MAX_GOALS: usize = 1024;
/// Requests that wait for the result of one goal.
const MAX_WAITING: usize = 256;

pub(super) type Id = [u8; 16];

/// `R` is a result, `W` somebody who waits for one.
pub(super) struct Goals<R, W> {
    /// In the order in which they were accepted.
    goals: Vec<Goal<R, W>>,
    closed: bool,
}

struct Goal<R, W> {
    id: Id,
    /// When it was accepted. Unit: nanoseconds since the epoch.
    stamp: i64,
    status: GoalStatus,
    /// Whether its execution began.
    is_begun: bool,
    result: Option<R>,
    waiting: Vec<W>,
}

/// Why a goal is not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is one with this id.
    Known,
    TooMany,
    /// The server is going.
    Closed,
}

/// Why no goal is canceled.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Uncancelable {
    Unknown,
    Terminated,
}

/// What becomes of somebody who asks for a result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked<R, W> {
    /// Gets it when the goal ends. Who makes way for that, if there were too many.
    Waits(Option<W>),
    Ended(GoalStatus, R, W),
    Unknown(W),
}

impl<R, W> Default for Goals<R, W> {
    fn default() -> Self {
        Self {
            goals: Vec::new(),
            closed: false,
        }
    }
}

impl<R: Clone, W> Goals<R, W> {
    /// Whether a goal with this id can be accepted.
    pub(super) fn check(&self, id: &Id) -> Result<(), Refusal> {
        if self.closed {
            return Err(Refusal::Closed);
        }
        if self.goals.iter().any(|goal| goal.id == *id) {
            return Err(Refusal::Known);
        }
        if self.goals.len() >= MAX_GOALS {
            return Err(Refusal::TooMany);
        }
        Ok(())
    }

    /// Accepts a goal, which is not executed yet.
    pub(super) fn accept(&mut self, id: Id, stamp: i64) -> Result<(), Refusal> {
        self.check(&id)?;
        self.goals.push(Goal {
            id,
            stamp,
            status: GoalStatus::Accepted,
            is_begun: false,
            result: None,
            waiting: Vec::new(),
        });
        Ok(())
    }

    /// Begins with an accepted goal; the state from which there is no such way.
    pub(super) fn execute(&mut self, id: &Id) -> Result<(), GoalStatus> {
        let goal = self.goals.iter_mut().find(|goal| goal.id == *id);
        let goal = goal.ok_or(GoalStatus::Unknown)?;
        if goal.status != GoalStatus::Accepted {
            return Err(goal.status);
        }
        goal.status = GoalStatus::Executing;
        goal.is_begun = true;
        Ok(())
    }

    /// Whether the execution of the goal began; without that it can only be canceled.
    pub(super) fn is_begun(&self, id: &Id) -> bool {
        let goal = self.goals.iter().find(|goal| goal.id == *id);
        goal.is_some_and(|goal| goal.is_begun)
    }

    pub(super) fn status(&self, id: &Id) -> GoalStatus {
        let goal = self.goals.iter().find(|goal| goal.id == *id);
        goal.map_or(GoalStatus::Unknown, |goal| goal.status)
    }

    /// Id, stamp and status of all.
    pub(super) fn statuses(&self) -> impl Iterator<Item = (Id, i64, GoalStatus)> {
        self.goals
            .iter()
            .map(|goal| (goal.id, goal.stamp, goal.status))
    }

    /// The goals that a request with this id and stamp means, either of them zero when it is not given: the one with the id,
    /// and those that were accepted by then; all, when neither is given.
    pub(super) fn to_cancel(&self, id: &Id, stamp: i64) -> Result<Vec<(Id, i64)>, Uncancelable> {
        let no_id = id.iter().all(|byte| *byte == 0);
        let until = match (no_id, stamp) {
            (false, 0) => {
                let goal = self.goals.iter().find(|goal| goal.id == *id);
                let goal = goal.ok_or(Uncancelable::Unknown)?;
                if !is_cancelable(goal.status) {
                    return Err(Uncancelable::Terminated);
                }
                return Ok(vec![(goal.id, goal.stamp)]);
            }
            (true, 0) => i64::MAX,
            (_, stamp) => stamp,
        };
        let meant = self
            .goals
            .iter()
            .filter(|goal| is_cancelable(goal.status) && (goal.stamp <= until || goal.id == *id));
        Ok(meant.map(|goal| (goal.id, goal.stamp)).collect())
    }

    /// Whether the goal is now being canceled.
    pub(super) fn cancel(&mut self, id: &Id) -> bool {
        match self.goals.iter_mut().find(|goal| goal.id == *id) {
            Some(goal) if is_cancelable(goal.status) => {
                goal.status = GoalStatus::Canceling;
                true
            }
            _ => false,
        }
    }

    /// Accepts no goal any more and cancels those under way. Whether there were any.
    pub(super) fn close(&mut self) -> bool {
        self.closed = true;
        let mut any = false;
        for goal in self
            .goals
            .iter_mut()
            .filter(|goal| is_cancelable(goal.status))
        {
            goal.status = GoalStatus::Canceling;
            any = true;
        }
        any
    }

    /// Ends a goal. Gives those who wait for its result, each with it, or the state from which there is no such way.
    pub(super) fn end(
        &mut self,
        id: &Id,
        how: GoalStatus,
        result: R,
    ) -> Result<Vec<(W, R)>, GoalStatus> {
        let goal = self.goals.iter_mut().find(|goal| goal.id == *id);
        let goal = goal.ok_or(GoalStatus::Unknown)?;
        let possible = match how {
            GoalStatus::Succeeded | GoalStatus::Aborted => {
                goal.is_begun
                    && matches!(goal.status, GoalStatus::Executing | GoalStatus::Canceling)
            }
            GoalStatus::Canceled => goal.status == GoalStatus::Canceling,
            _ => false,
        };
        if !possible {
            return Err(goal.status);
        }
        let waiting = std::mem::take(&mut goal.waiting);
        let told = waiting.into_iter().map(|who| (who, result.clone()));
        let told = told.collect();
        goal.status = how;
        goal.result = Some(result);
        Ok(told)
    }

    /// Gives the result, or lets `who` wait for it. When too many wait, the oldest of the same client makes way, else the
    /// oldest of all: a client that gave up is still among them.
    pub(super) fn ask(
        &mut self,
        id: &Id,
        who: W,
        is_same_client: impl Fn(&W, &W) -> bool,
    ) -> Asked<R, W> {
        let Some(goal) = self.goals.iter_mut().find(|goal| goal.id == *id) else {
            return Asked::Unknown(who);
        };
        if let Some(result) = &goal.result {
            return Asked::Ended(goal.status, result.clone(), who);
        }
        let oldest = (goal.waiting.len() >= MAX_WAITING).then(|| {
            let same = |other: &W| is_same_client(other, &who);
            let oldest = goal.waiting.iter().position(same).unwrap_or(0);
            goal.waiting.remove(oldest)
        });
        goal.waiting.push(who);
        Asked::Waits(oldest)
    }

    /// Forgets a goal that has ended.
    pub(super) fn forget(&mut self, id: &Id) {
        self.goals
            .retain(|goal| goal.id != *id || !goal.status.is_terminal());
    }
}

/// As in `rcl_action` a goal that is being canceled already counts as one that has ended.
const fn is_cancelable(status: GoalStatus) -> bool {
    matches!(status, GoalStatus::Accepted | GoalStatus::Executing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Id = [1; 16];
    const TWO: Id = [2; 16];
    const THREE: Id = [3; 16];
    const NO_ID: Id = [0; 16];

    fn goals() -> Goals<&'static str, u32> {
        let mut goals = Goals::default();
        for (id, stamp) in [(ONE, 10), (TWO, 20), (THREE, 30)] {
            goals.accept(id, stamp).unwrap();
            goals.execute(&id).unwrap();
        }
        goals
    }

    fn meant(goals: &Goals<&'static str, u32>, id: Id, stamp: i64) -> Vec<Id> {
        let meant = goals.to_cancel(&id, stamp).unwrap();
        meant.into_iter().map(|(id, _)| id).collect()
    }

    fn ask(goals: &mut Goals<&'static str, u32>, id: Id, who: u32) -> Asked<&'static str, u32> {
        goals.ask(&id, who, |_, _| false)
    }

    #[test]
    fn a_cancel_request_means_what_rcl_takes_it_for() {
        let mut goals = goals();
        assert_eq!(meant(&goals, NO_ID, 0), [ONE, TWO, THREE]);
        assert_eq!(meant(&goals, NO_ID, 20), [ONE, TWO]);
        assert_eq!(meant(&goals, NO_ID, 5), [NO_ID; 0]);
        assert_eq!(meant(&goals, THREE, 0), [THREE]);
        assert_eq!(meant(&goals, THREE, 10), [ONE, THREE]);
        assert_eq!(goals.to_cancel(&[9; 16], 0), Err(Uncancelable::Unknown));
        assert!(goals.cancel(&ONE) && !goals.cancel(&ONE));
        assert_eq!(goals.to_cancel(&ONE, 0), Err(Uncancelable::Terminated));
        goals.end(&TWO, GoalStatus::Succeeded, "two").unwrap();
        assert_eq!(goals.to_cancel(&TWO, 0), Err(Uncancelable::Terminated));
        assert_eq!(meant(&goals, NO_ID, 0), [THREE]);
    }

    #[test]
    fn states_change_as_in_rcl_and_only_so() {
        use GoalStatus::{Aborted, Canceled, Canceling, Executing, Succeeded, Unknown};
        for (canceling, how, allowed) in [
            (false, Succeeded, true),
            (false, Aborted, true),
            (false, Canceled, false),
            (true, Succeeded, true),
            (true, Aborted, true),
            (true, Canceled, true),
            (false, Executing, false),
        ] {
            let mut goals = goals();
            if canceling {
                assert!(goals.cancel(&ONE));
            }
            let before = if canceling { Canceling } else { Executing };
            let ended = goals.end(&ONE, how, "one");
            assert_eq!(ended, if allowed { Ok(vec![]) } else { Err(before) });
            if allowed {
                assert_eq!(goals.end(&ONE, Succeeded, "again"), Err(how));
                assert!(!goals.cancel(&ONE));
            }
        }
        assert_eq!(goals().end(&[9; 16], Succeeded, ""), Err(Unknown));
        assert_eq!(goals().accept(ONE, 1), Err(Refusal::Known));
    }

    #[test]
    fn a_goal_that_was_only_accepted_is_begun_with_or_canceled() {
        use GoalStatus::{Aborted, Accepted, Canceled, Canceling, Executing, Succeeded, Unknown};
        let mut goals = Goals::default();
        goals.accept(ONE, 10).unwrap();
        for how in [Succeeded, Aborted, Canceled] {
            assert_eq!(goals.end(&ONE, how, "one"), Err(Accepted));
        }
        assert_eq!(goals.execute(&TWO), Err(Unknown));
        assert_eq!(goals.execute(&ONE), Ok(()));
        assert_eq!(goals.execute(&ONE), Err(Executing));
        goals.accept(TWO, 20).unwrap();
        assert_eq!(meant(&goals, TWO, 0), [TWO]);
        assert!(goals.cancel(&TWO));
        assert_eq!(goals.execute(&TWO), Err(Canceling));
        assert!(goals.is_begun(&ONE) && !goals.is_begun(&TWO));
        assert_eq!(goals.end(&TWO, Succeeded, "two"), Err(Canceling));
        assert_eq!(ask(&mut goals, TWO, 1), Asked::Waits(None));
        assert_eq!(goals.end(&TWO, Canceled, "two"), Ok(vec![(1, "two")]));
    }

    #[test]
    fn results_reach_those_who_wait_and_those_who_come_in_time() {
        let mut goals = goals();
        assert_eq!(ask(&mut goals, ONE, 1), Asked::Waits(None));
        assert_eq!(ask(&mut goals, ONE, 2), Asked::Waits(None));
        assert_eq!(
            goals.end(&ONE, GoalStatus::Aborted, "one"),
            Ok(vec![(1, "one"), (2, "one")])
        );
        let ended = Asked::Ended(GoalStatus::Aborted, "one", 3);
        assert_eq!(ask(&mut goals, ONE, 3), ended);
        assert_eq!(goals.status(&ONE), GoalStatus::Aborted);
        goals.forget(&ONE);
        goals.forget(&TWO);
        assert_eq!(ask(&mut goals, ONE, 4), Asked::Unknown(4));
        assert_eq!(
            ask(&mut goals, TWO, 5),
            Asked::Waits(None),
            "it has not ended"
        );
    }

    #[test]
    fn a_closed_table_takes_nothing_and_cancels_what_is_there() {
        let mut goals = goals();
        goals.end(&TWO, GoalStatus::Succeeded, "two").unwrap();
        assert!(goals.close());
        assert_eq!(goals.accept([7; 16], 40), Err(Refusal::Closed));
        let states: Vec<_> = goals
            .statuses()
            .map(|(_, _, status)| status.code())
            .collect();
        assert_eq!(states, [3, 4, 3]);
        assert!(!goals.close());
    }

    #[test]
    fn the_tables_are_bounded() {
        let mut goals = goals();
        for who in 0..300_u32 {
            let oldest = who.checked_sub(256);
            assert_eq!(ask(&mut goals, ONE, who), Asked::Waits(oldest));
        }
        // 280 and its kin wait already; they are not the oldest.
        let is_same = |one: &u32, _: &u32| *one == 280;
        assert_eq!(goals.ask(&ONE, 1000, is_same), Asked::Waits(Some(280)));
        assert_eq!(ask(&mut goals, ONE, 1001), Asked::Waits(Some(44)));
        let refused = (0..2000_u128)
            .filter(|number| {
                goals
                    .accept((number + (1 << 100)).to_le_bytes(), 0)
                    .is_err()
            })
            .count();
        assert_eq!(refused, 2003 - MAX_GOALS);
    }
}
