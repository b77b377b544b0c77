//! An action client: sends goals, hears how they go, asks for their results, wants them canceled.
//!
//! In: goals. Out: one [`ClientGoal`] for each that was accepted. Feedback and states of all goals of all clients arrive on
//! two topics, read on two threads, which pass on what belongs to goals of this client and leave the rest aside. A goal is
//! known here before it is sent, so nothing of it is missed.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rosidl_buffer_interfaces::action_msgs::{
    msg::GoalStatusArray,
    srv::{CancelGoal, CancelGoal_Request, CancelGoal_Response},
};
use rosidl_buffer_runtime::{
    Action, TimeMessage, UuidMessage,
    action::{FeedbackMessage, GetResult, SendGoal, SendGoalRequest, SendGoalResponse},
};

use super::{
    GoalId, GoalStatus, SERVICES, STATUS,
    client_goal::{ClientGoal, Tracked},
    goal::goal_info,
    goals::Id,
    name,
};
use crate::{
    callback::CallbackSubscription,
    client::Client,
    error::{Error, Result},
    info::now,
    key::Gid,
    node::Node,
    qos::QosProfile,
    reply::Call,
    type_descriptions::{TypeUse, UsedType},
};

/// No goal: all are meant.
const NO_GOAL: Id = [0; 16];

impl Node {
    /// A client of the action `name`.
    ///
    /// # Errors
    /// When the name breaks ROS's rules, the session is gone, or a thread cannot be started.
    pub fn create_action_client<A: Action>(&self, name: &str) -> Result<ActionClient<A>> {
        ActionClient::new(self, name)
    }
}

/// A client of an action; made by [`Node::create_action_client`]. Its goals need it no more.
///
/// ```no_run
/// # use rosidl_buffer_runtime::{Action, BufferMessage};
/// # #[derive(Clone, BufferMessage)]
/// # #[ros2(package = "example_interfaces", name = "Fibonacci_Goal", kind = "action")]
/// # struct Goal { order: i32 }
/// # #[derive(Debug, Clone, BufferMessage)]
/// # #[ros2(package = "example_interfaces", name = "Fibonacci_Result", kind = "action")]
/// # struct Outcome { sequence: Vec<i32> }
/// # #[derive(Clone, BufferMessage)]
/// # #[ros2(package = "example_interfaces", name = "Fibonacci_Feedback", kind = "action")]
/// # struct Feedback { sequence: Vec<i32> }
/// # #[derive(Action)]
/// # #[ros2(package = "example_interfaces", goal = Goal, result = Outcome, feedback = Feedback)]
/// # struct Fibonacci;
/// use std::time::Duration;
/// use rosidl_buffer_zenoh::{GoalStatus, Node};
///
/// let node = Node::new("pupil")?;
/// let client = node.create_action_client::<Fibonacci>("fibonacci")?;
/// client.wait_for_server(Duration::from_secs(1));
/// let goal = client.send_goal(&Goal { order: 10 }, Duration::from_secs(1))?;
/// if let Some(feedback) = goal.feedback_timeout(Duration::from_secs(1)) {
///     println!("{} numbers so far", feedback.sequence.len());
/// }
/// let outcome = goal.result(Duration::from_secs(60))?;
/// assert_eq!(outcome.status, GoalStatus::Succeeded);
/// println!("{:?}", outcome.result);
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
pub struct ActionClient<A: Action> {
    inner: Arc<Inner<A>>,
}

/// What a client and its goals share.
pub(super) struct Inner<A: Action> {
    /// The action's full name.
    pub(super) name: String,
    pub(super) goal: Client<SendGoal<A>>,
    pub(super) cancel: Client<CancelGoal>,
    pub(super) result: Client<GetResult<A>>,
    feedback: CallbackSubscription<FeedbackMessage<A>>,
    status: CallbackSubscription<GoalStatusArray>,
    goals: Arc<Table<A>>,
    sent: AtomicU64,
    node: Node,
    _type: TypeUse,
}

/// The goals that somebody still holds.
struct Table<A: Action> {
    goals: Mutex<HashMap<Id, Weak<Tracked<A::Feedback>>>>,
}

impl<A: Action> Table<A> {
    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Weak<Tracked<A::Feedback>>>> {
        self.goals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: &Id) -> Option<Arc<Tracked<A::Feedback>>> {
        self.lock().get(id).and_then(Weak::upgrade)
    }
}

impl<A: Action> ActionClient<A> {
    fn new(node: &Node, action: &str) -> Result<Self> {
        let action = node.resolve_topic_name(action)?;
        let goals = Arc::new(Table::<A> {
            goals: Mutex::default(),
        });
        let heard = Arc::clone(&goals);
        let feedback = node.create_subscription_with_callback(
            &name(&action, "feedback"),
            QosProfile::default(),
            move |message: FeedbackMessage<A>, _| {
                if let Some(goal) = heard.find(&message.goal_id.bytes()) {
                    goal.feedback.push(message.feedback);
                }
            },
        )?;
        let heard = Arc::clone(&goals);
        let status = node.create_subscription_with_callback(
            &name(&action, "status"),
            STATUS,
            move |message: GoalStatusArray, _| {
                for goal in message.status_list {
                    if let Some(known) = heard.find(&goal.goal_info.goal_id.uuid) {
                        known.set_status(GoalStatus::from_code(goal.status));
                    }
                }
            },
        )?;
        let inner = Inner {
            goal: node.create_client(&name(&action, "send_goal"), SERVICES)?,
            cancel: node.create_client(&name(&action, "cancel_goal"), SERVICES)?,
            result: node.create_client(&name(&action, "get_result"), SERVICES)?,
            name: action,
            feedback,
            status,
            goals,
            sent: AtomicU64::new(0),
            node: node.clone(),
            _type: node.types().register(UsedType::of_action::<A>()),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Sends a goal and waits until the server has decided on it, but not longer than `timeout`.
    ///
    /// # Errors
    /// [`Error::GoalRejected`] when the server does not take it; else as for [`Client::call`].
    pub fn send_goal(&self, goal: &A::Goal, timeout: Duration) -> Result<ClientGoal<A>> {
        let sending = self.send(goal, |request| {
            self.inner.goal.call_async_timeout(request, timeout)
        });
        sending.goal.accept(&sending.call.wait()?)
    }

    /// Sends a goal now; the future for any executor ends when the server has decided on it.
    ///
    /// # Errors
    /// As for [`ActionClient::send_goal`].
    pub fn send_goal_async(
        &self,
        goal: &A::Goal,
    ) -> impl Future<Output = Result<ClientGoal<A>>> + Send + use<A> {
        let sending = self.send(goal, |request| self.inner.goal.call_async(request));
        async move { sending.goal.accept(&sending.call.await?) }
    }

    fn send(
        &self,
        goal: &A::Goal,
        send: impl FnOnce(&SendGoalRequest<A>) -> Call<SendGoal<A>>,
    ) -> Sending<A> {
        let id = self.new_id();
        let tracked = Arc::new(Tracked::new(id));
        let mut goals = self.inner.goals.lock();
        // Those that nobody holds any more are cleared away where the next one comes.
        goals.retain(|_, goal| goal.strong_count() > 0);
        goals.insert(id, Arc::downgrade(&tracked));
        drop(goals);
        let request = SendGoalRequest {
            goal_id: A::GoalId::from_bytes(id),
            goal: goal.clone(),
        };
        Sending {
            call: send(&request),
            goal: Proposed {
                tracked,
                inner: Arc::clone(&self.inner),
            },
        }
    }

    /// Different from all others: the client's GID is, and it counts.
    fn new_id(&self) -> Id {
        let number = self.inner.sent.fetch_add(1, Ordering::Relaxed);
        Gid::of_token(&format!("{}/{number}/{}", self.inner.goal.gid(), now())).0
    }

    /// Wants all goals of the action canceled, also those of other clients. Gives those that are being canceled now.
    ///
    /// # Errors
    /// [`Error::CancelRejected`] when the server does not agree to any; else as for [`Client::call`].
    pub fn cancel_all_goals(&self, timeout: Duration) -> Result<Vec<GoalId>> {
        self.inner.cancel_goals(NO_GOAL, 0, timeout)
    }

    /// As [`cancel_all_goals`](Self::cancel_all_goals), for goals that were accepted at `stamp` or before it. Unit:
    /// nanoseconds since the Unix epoch, as in [`ClientGoal::stamp`]. No goal is meant by one that is not positive: on its way 0
    /// would mean all of them.
    ///
    /// # Errors
    /// As for [`ActionClient::cancel_all_goals`].
    pub fn cancel_goals_before(&self, stamp: i64, timeout: Duration) -> Result<Vec<GoalId>> {
        if stamp <= 0 {
            return Ok(Vec::new());
        }
        self.inner.cancel_goals(NO_GOAL, stamp, timeout)
    }

    /// Whether there is a server that a goal sent next will reach, and whose feedback will reach this client.
    pub fn server_is_ready(&self) -> bool {
        self.wait_for_server(Duration::ZERO)
    }

    /// Waits until [`server_is_ready`](Self::server_is_ready). Returns whether it is before `timeout` is over. Blocks the calling thread.
    pub fn wait_for_server(&self, timeout: Duration) -> bool {
        let start = Instant::now();
        let left = || timeout.saturating_sub(start.elapsed());
        let inner = &self.inner;
        inner.goal.wait_for_service(left())
            && inner.cancel.wait_for_service(left())
            && inner.result.wait_for_service(left())
            && inner.feedback.wait_for_publisher(left())
            && inner.status.wait_for_publisher(left())
    }

    /// The full name of the action.
    pub fn action_name(&self) -> &str {
        &self.inner.name
    }

    /// The node that made this client.
    pub fn node(&self) -> &Node {
        &self.inner.node
    }
}

/// A goal on its way to the server.
struct Sending<A: Action> {
    call: Call<SendGoal<A>>,
    goal: Proposed<A>,
}

/// A goal that the server has not decided on.
struct Proposed<A: Action> {
    tracked: Arc<Tracked<A::Feedback>>,
    inner: Arc<Inner<A>>,
}

impl<A: Action> Proposed<A> {
    fn accept(self, response: &SendGoalResponse<A>) -> Result<ClientGoal<A>> {
        if !response.accepted {
            return Err(Error::GoalRejected {
                action: self.inner.name.clone(),
            });
        }
        let (sec, nanosec) = response.stamp.parts();
        let stamp = i64::from(sec) * 1_000_000_000 + i64::from(nanosec);
        Ok(ClientGoal::new(self.tracked, stamp, self.inner))
    }
}

impl<A: Action> Inner<A> {
    pub(super) fn cancel_goals(
        &self,
        id: Id,
        stamp: i64,
        timeout: Duration,
    ) -> Result<Vec<GoalId>> {
        let request = cancel_request(id, stamp);
        self.canceling(self.cancel.call(&request, timeout)?)
    }

    /// The goals that are being canceled, by the server's answer.
    pub(super) fn canceling(&self, response: CancelGoal_Response) -> Result<Vec<GoalId>> {
        let reason = match response.return_code {
            CancelGoal_Response::ERROR_NONE => {
                let goals = response.goals_canceling.into_iter();
                return Ok(goals.map(|goal| GoalId(goal.goal_id.uuid)).collect());
            }
            CancelGoal_Response::ERROR_REJECTED => "the server does not agree",
            CancelGoal_Response::ERROR_UNKNOWN_GOAL_ID => "the server does not know the goal",
            CancelGoal_Response::ERROR_GOAL_TERMINATED => {
                "the goal has ended or is being canceled already"
            }
            _ => "the server gives no reason that is known",
        };
        Err(Error::CancelRejected {
            action: self.name.clone(),
            reason,
        })
    }
}

pub(super) fn cancel_request(id: Id, stamp: i64) -> CancelGoal_Request {
    CancelGoal_Request {
        goal_info: goal_info(id, stamp),
    }
}

impl<A: Action> std::fmt::Debug for ActionClient<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActionClient")
            .field("action", &self.inner.name)
            .finish_non_exhaustive()
    }
}
