//! An action server: takes goals, executes each on a thread of its own, answers for their results.
//!
//! In: goals, cancel requests and requests for results, each a service. Out: feedback and the states of all goals, each a
//! topic. The functions that accept goals and cancel requests run on the thread of their service; requests for results need
//! nobody's code and are answered on the context's worker. A result is kept for a while after the goal's end, as in `rcl_action`.

use std::{sync::Arc, time::Duration};

use rosidl_buffer_interfaces::action_msgs::srv::{
    CancelGoal, CancelGoal_Request, CancelGoal_Response,
};
use rosidl_buffer_runtime::{
    Action, TimeMessage, UuidMessage,
    action::{GetResult, SendGoal, SendGoalRequest, SendGoalResponse},
};

use super::{
    GoalId, SERVICES, STATUS,
    goal::{GoalHandle, Shared, goal_info, time_parts},
    goals::{Asked, Refusal, Uncancelable},
    name,
};
use crate::{
    error::Result,
    node::Node,
    qos::QosProfile,
    requests::{Responder, ServiceRequest},
    service::{BuiltinService, Service},
    type_descriptions::{TypeUse, UsedType},
};

/// Whether a goal is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GoalResponse {
    /// It is not.
    Reject,
    /// It is, and its execution starts at once.
    AcceptAndExecute,
    /// It is, and its execution starts with [`GoalHandle::execute`]. The function that executes goals gets it all the same, at once; it
    /// waits for its turn there, or hands it on to whoever has it executed later.
    AcceptAndDefer,
}

/// Whether a goal may be canceled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelResponse {
    /// It goes on.
    Reject,
    /// Its execution is told to end.
    Accept,
}

/// Settings of an action server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct ActionServerOptions {
    result_timeout: Duration,
}

impl Default for ActionServerOptions {
    /// Those of `rcl_action`: results are kept for 10 seconds.
    fn default() -> Self {
        Self {
            result_timeout: Duration::from_secs(10),
        }
    }
}

impl ActionServerOptions {
    /// How long after its end a goal and its result are known to those who ask.
    pub const fn result_timeout(mut self, timeout: Duration) -> Self {
        self.result_timeout = timeout;
        self
    }
}

impl Node {
    /// A server of the action `name`.
    ///
    /// `on_goal` is asked about each goal that comes, `on_cancel` about each goal that somebody wants canceled; they answer
    /// at once. `execute` runs on a thread of its own for each goal that is accepted, several at a time if there are several.
    ///
    /// # Errors
    /// When the name breaks ROS's rules, the session is gone, or a thread cannot be started.
    pub fn create_action_server<A: Action>(
        &self,
        name: &str,
        options: ActionServerOptions,
        on_goal: impl FnMut(GoalId, &A::Goal) -> GoalResponse + Send + 'static,
        on_cancel: impl FnMut(GoalId) -> CancelResponse + Send + 'static,
        execute: impl Fn(GoalHandle<A>) + Send + Sync + 'static,
    ) -> Result<ActionServer<A>>
    where
        A::Result: Default,
    {
        ActionServer::new(self, name, options, on_goal, on_cancel, execute)
    }
}

/// A server of an action; made by [`Node::create_action_server`].
///
/// Dropped, it takes no more goals and cancels those under way; their threads end when their functions do.
///
/// ```no_run
/// # use rosidl_buffer_runtime::{Action, BufferMessage};
/// # #[derive(Clone, BufferMessage)]
/// # #[ros2(package = "example_interfaces", name = "Fibonacci_Goal", kind = "action")]
/// # struct Goal { order: i32 }
/// # #[derive(Clone, BufferMessage)]
/// # #[ros2(package = "example_interfaces", name = "Fibonacci_Result", kind = "action")]
/// # struct Outcome { sequence: Vec<i32> }
/// # #[derive(Clone, BufferMessage)]
/// # #[ros2(package = "example_interfaces", name = "Fibonacci_Feedback", kind = "action")]
/// # struct Feedback { sequence: Vec<i32> }
/// # #[derive(Action)]
/// # #[ros2(package = "example_interfaces", goal = Goal, result = Outcome, feedback = Feedback)]
/// # struct Fibonacci;
/// use rosidl_buffer_zenoh::{ActionServerOptions, CancelResponse, GoalHandle, GoalResponse, Node};
///
/// let node = Node::new("mathematician")?;
/// let _server = node.create_action_server::<Fibonacci>(
///     "fibonacci",
///     ActionServerOptions::default(),
///     |_id, goal| if goal.order < 46 { GoalResponse::AcceptAndExecute } else { GoalResponse::Reject },
///     |_id| CancelResponse::Accept,
///     |handle: GoalHandle<Fibonacci>| {
///         let mut sequence = vec![0, 1];
///         while sequence.len() < usize::try_from(handle.goal().order).unwrap_or(0) {
///             if handle.is_canceling() {
///                 let _ = handle.canceled(Outcome { sequence });
///                 return;
///             }
///             sequence.push(sequence[sequence.len() - 1] + sequence[sequence.len() - 2]);
///             let _ = handle.publish_feedback(Feedback { sequence: sequence.clone() });
///         }
///         let _ = handle.succeed(Outcome { sequence });
///     },
/// )?;
/// std::thread::park();
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
pub struct ActionServer<A: Action> {
    // In the order in which they go: no more goals first.
    _goal: Service<SendGoal<A>>,
    _cancel: Service<CancelGoal>,
    _result: BuiltinService<GetResult<A>>,
    shared: Arc<Shared<A>>,
    node: Node,
    _type: TypeUse,
}

impl<A: Action> ActionServer<A> {
    fn new(
        node: &Node,
        action: &str,
        options: ActionServerOptions,
        mut on_goal: impl FnMut(GoalId, &A::Goal) -> GoalResponse + Send + 'static,
        mut on_cancel: impl FnMut(GoalId) -> CancelResponse + Send + 'static,
        execute: impl Fn(GoalHandle<A>) + Send + Sync + 'static,
    ) -> Result<Self>
    where
        A::Result: Default,
    {
        let action = node.resolve_topic_name(action)?;
        let feedback = node.create_publisher(&name(&action, "feedback"), QosProfile::default())?;
        let status = node.create_publisher(&name(&action, "status"), STATUS)?;
        let shared = Arc::new(Shared::new(
            action.clone(),
            feedback,
            status,
            options.result_timeout,
            A::Result::default,
        ));
        let asked = Arc::clone(&shared);
        let result = BuiltinService::deferred(
            node,
            &name(&action, "get_result"),
            SERVICES,
            move |request| {
                answer_result(&asked, request);
            },
        )?;
        let asked = Arc::clone(&shared);
        let cancel = node.create_service(
            &name(&action, "cancel_goal"),
            SERVICES,
            move |request, _| cancel(&asked, &request, &mut on_cancel),
        )?;
        let asked = Arc::clone(&shared);
        let clock = node.clock().clone();
        let execute: Arc<dyn Fn(GoalHandle<A>) + Send + Sync> = Arc::new(execute);
        let goal = node.create_polled_service(&name(&action, "send_goal"), SERVICES)?;
        let goal = Service::new(goal, move |inbox, request| {
            let mut accepted = None;
            inbox.answer(request, &mut |request, _| {
                let stamp = || clock.now().nanoseconds();
                accept(&asked, request, stamp, &mut on_goal, &mut accepted)
            });
            // After the answer: a client has no use for the feedback and the states of a goal that it does not know yet.
            if let Some(handle) = accepted {
                asked.publish_status(&asked.goals());
                start(handle, &execute);
            }
        })?;
        Ok(Self {
            _goal: goal,
            _cancel: cancel,
            _result: result,
            shared,
            node: node.clone(),
            _type: node.types().register(UsedType::of_action::<A>()),
        })
    }

    /// The full name of the action.
    pub fn action_name(&self) -> &str {
        &self.shared.name
    }

    /// The node that made this server.
    pub fn node(&self) -> &Node {
        &self.node
    }
}

impl<A: Action> Drop for ActionServer<A> {
    fn drop(&mut self) {
        let mut goals = self.shared.goals();
        if goals.close() {
            self.shared.publish_status(&goals);
        }
    }
}

impl<A: Action> std::fmt::Debug for ActionServer<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActionServer")
            .field("action", &self.shared.name)
            .finish_non_exhaustive()
    }
}

/// Decides on a goal, and puts it into `accepted` when it is taken.
fn accept<A: Action>(
    shared: &Arc<Shared<A>>,
    request: SendGoalRequest<A>,
    now: impl Fn() -> i64,
    on_goal: &mut impl FnMut(GoalId, &A::Goal) -> GoalResponse,
    accepted: &mut Option<GoalHandle<A>>,
) -> SendGoalResponse<A> {
    let id = request.goal_id.bytes();
    let answer = |accepted, stamp| {
        let (sec, nanosec) = time_parts(stamp);
        SendGoalResponse {
            accepted,
            stamp: A::Time::from_parts(sec, nanosec),
        }
    };
    let refused = |refusal| {
        let why = match refusal {
            Refusal::Known => "there is one with this id",
            Refusal::TooMany => "too many are known",
            Refusal::Closed => "the server is going",
        };
        tracing::warn!("{}: the goal {} is refused: {why}", shared.name, GoalId(id));
        answer(false, 0)
    };
    let known = shared.goals().check(&id);
    if let Err(refusal) = known {
        return refused(refusal);
    }
    let response = on_goal(GoalId(id), &request.goal);
    if response == GoalResponse::Reject {
        return answer(false, 0);
    }
    let stamp = now();
    let mut goals = shared.goals();
    if let Err(refusal) = goals.accept(id, stamp) {
        drop(goals);
        return refused(refusal);
    }
    if response == GoalResponse::AcceptAndExecute {
        let _ = goals.execute(&id); // always possible: it was accepted above, under the same lock
    }
    drop(goals);
    *accepted = Some(GoalHandle::new(id, request.goal, shared));
    answer(true, stamp)
}

/// Starts the execution of a goal that was accepted.
fn start<A: Action>(handle: GoalHandle<A>, execute: &Arc<dyn Fn(GoalHandle<A>) + Send + Sync>) {
    let (id, execute) = (handle.goal_id(), Arc::clone(execute));
    let thread = std::thread::Builder::new().name("ros_goal".to_owned());
    // A handle that no thread gets is dropped, and its goal aborted.
    if let Err(error) = thread.spawn(move || execute(handle)) {
        tracing::error!("no thread for the goal {id}: {error}");
    }
}

/// Decides on the goals that a cancel request means.
fn cancel<A: Action>(
    shared: &Arc<Shared<A>>,
    request: &CancelGoal_Request,
    on_cancel: &mut impl FnMut(GoalId) -> CancelResponse,
) -> CancelGoal_Response {
    let info = &request.goal_info;
    let stamp = i64::from(info.stamp.sec) * 1_000_000_000 + i64::from(info.stamp.nanosec);
    let answer = |return_code, goals_canceling| CancelGoal_Response {
        return_code,
        goals_canceling,
    };
    let meant = shared.goals().to_cancel(&info.goal_id.uuid, stamp);
    let meant = match meant {
        Ok(meant) => meant,
        Err(Uncancelable::Unknown) => {
            return answer(CancelGoal_Response::ERROR_UNKNOWN_GOAL_ID, Vec::new());
        }
        Err(Uncancelable::Terminated) => {
            return answer(CancelGoal_Response::ERROR_GOAL_TERMINATED, Vec::new());
        }
    };
    let asked = meant.len();
    let mut agreed = meant;
    agreed.retain(|(id, _)| on_cancel(GoalId(*id)) == CancelResponse::Accept);
    if agreed.is_empty() && asked > 0 {
        return answer(CancelGoal_Response::ERROR_REJECTED, Vec::new());
    }
    let mut goals = shared.goals();
    let had_agreed = !agreed.is_empty();
    // Some may have ended meanwhile.
    agreed.retain(|(id, _)| goals.cancel(id));
    if agreed.is_empty() && had_agreed {
        return answer(CancelGoal_Response::ERROR_GOAL_TERMINATED, Vec::new());
    }
    if had_agreed {
        shared.publish_status(&goals);
    }
    let canceling = agreed.into_iter().map(|(id, stamp)| goal_info(id, stamp));
    answer(CancelGoal_Response::ERROR_NONE, canceling.collect())
}

/// Answers a request for a result, now or when the goal ends.
fn answer_result<A: Action>(shared: &Shared<A>, asked: ServiceRequest<GetResult<A>>) {
    let id = asked.request.goal_id.bytes();
    let known = shared
        .goals()
        .ask(&id, asked.responder, Responder::is_same_client);
    match known {
        Asked::Waits(None) => {}
        Asked::Waits(Some(oldest)) => oldest.fail("too many wait for the result of this goal"),
        Asked::Ended(status, result, responder) => shared.answer(responder, status, result),
        Asked::Unknown(responder) => {
            shared.answer(responder, super::GoalStatus::Unknown, shared.no_result());
        }
    }
}
