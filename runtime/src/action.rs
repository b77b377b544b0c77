//! Actions: goal, result and feedback, tied together by `#[derive(Action)]`, and the services and messages that ROS 2
//! derives from them.
//!
//! The derived types are generic structs, so that they cost nothing where they are not used. Their names are constants
//! of the action; their hashes are computed once per action.

use core::marker::PhantomData;

use rosidl_buffer_derive::BufferMessage;
use rosidl_type_description::{TypeDescription, TypeHash, TypeSource};

use crate::description::{Described, DescribedField, Mentions, Source};
use crate::field::Field;
use crate::message::Message;
use crate::service::{Event, Service, service_field_type};
use crate::well_known::{ServiceEventInfoMessage, TimeMessage, UuidMessage};

/// A ROS 2 action; a Rust struct without fields stands for it.
///
/// Implemented by `#[derive(Action)]` only.
///
/// ```
/// use rosidl_buffer_runtime::{Action, BufferMessage, Message, action::FeedbackMessage};
///
/// #[derive(Debug, Clone, BufferMessage)]
/// #[ros2(package = "example_interfaces", name = "Fibonacci_Goal", kind = "action")]
/// struct Goal { order: i32 }
///
/// #[derive(Debug, Clone, BufferMessage)]
/// #[ros2(package = "example_interfaces", name = "Fibonacci_Result", kind = "action")]
/// struct Outcome { sequence: Vec<i32> }
///
/// #[derive(Debug, Clone, BufferMessage)]
/// #[ros2(package = "example_interfaces", name = "Fibonacci_Feedback", kind = "action")]
/// struct Feedback { sequence: Vec<i32> }
///
/// #[derive(Action)]
/// #[ros2(package = "example_interfaces", goal = Goal, result = Outcome, feedback = Feedback)]
/// struct Fibonacci;
///
/// assert_eq!(Fibonacci::TYPE_NAME, "example_interfaces/action/Fibonacci");
/// assert_eq!(
///     FeedbackMessage::<Fibonacci>::TYPE_NAME,
///     "example_interfaces/action/Fibonacci_FeedbackMessage",
/// );
/// assert_eq!(
///     Fibonacci::type_hash().to_string(),
///     "RIHS01_9508051da1ea4658de144b09bd0690ff3de52104683d847aed764d2915906f51",
/// );
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an action",
    note = "a struct without fields stands for an action by `#[derive(Action)]`"
)]
pub trait Action: Sized + Send + Sync + 'static {
    /// What a client asks for.
    type Goal: Message;
    /// What it gets in the end.
    type Result: Message;
    /// What it hears meanwhile.
    type Feedback: Message;
    /// `unique_identifier_msgs/msg/UUID`.
    type GoalId: UuidMessage;
    /// `builtin_interfaces/msg/Time`.
    type Time: TimeMessage;
    /// `service_msgs/msg/ServiceEventInfo`.
    type EventInfo: ServiceEventInfoMessage;

    /// Full name, such as `example_interfaces/action/Fibonacci`.
    const TYPE_NAME: &'static str;
    #[doc(hidden)]
    const NAMES: Names;
    #[doc(hidden)]
    const SOURCE: Source = Source::Implicit;

    /// The action's RIHS01 hash. On the wire stand those of its services and messages.
    fn type_hash() -> TypeHash;

    #[doc(hidden)]
    fn hashes() -> &'static Hashes;

    #[doc(hidden)]
    const DESCRIBED: &'static Described = &Described {
        type_name: Self::TYPE_NAME,
        fields: &[
            DescribedField::new("goal", Self::Goal::field_type),
            DescribedField::new("result", Self::Result::field_type),
            DescribedField::new("feedback", Self::Feedback::field_type),
            DescribedField::new("send_goal_service", service_field_type::<SendGoal<Self>>),
            DescribedField::new("get_result_service", service_field_type::<GetResult<Self>>),
            DescribedField::new("feedback_message", FeedbackMessage::<Self>::field_type),
        ],
        source: Self::SOURCE,
        text: None,
        mentions: Mentions::Two(
            &Mentions::Two(
                &Mentions::One(Self::Goal::MENTION),
                &Mentions::Two(
                    &Mentions::One(Self::Result::MENTION),
                    &Mentions::One(Self::Feedback::MENTION),
                ),
            ),
            &Mentions::Two(
                &Mentions::One(Some(SendGoal::<Self>::DESCRIBED)),
                &Mentions::Two(
                    &Mentions::One(Some(GetResult::<Self>::DESCRIBED)),
                    &Mentions::One(FeedbackMessage::<Self>::MENTION),
                ),
            ),
        ),
    };

    /// The action and all types that it refers to, as `type_description_interfaces/msg/TypeDescription`.
    fn type_description() -> TypeDescription {
        Self::DESCRIBED.type_description()
    }

    /// Where the types of [`type_description`](Self::type_description) come from, in its order: the action first. Only
    /// the action and messages of their own have a text.
    fn type_sources() -> Vec<TypeSource> {
        Self::DESCRIBED.type_sources()
    }
}

/// An action whose type hash the generator wrote into the code.
pub trait GeneratedAction: Action {
    /// As [`Action::type_hash`], in its textual form `RIHS01_…`.
    const TYPE_HASH: &'static str;
}

/// The types that ROS 2 derives from an action, and what is known of each.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Implicit<T> {
    pub send_goal: T,
    pub send_goal_request: T,
    pub send_goal_response: T,
    pub send_goal_event: T,
    pub get_result: T,
    pub get_result_request: T,
    pub get_result_response: T,
    pub get_result_event: T,
    pub feedback_message: T,
}

/// Their full names.
#[doc(hidden)]
pub type Names = Implicit<&'static str>;

/// Their type hashes.
#[doc(hidden)]
pub type Hashes = Implicit<TypeHash>;

impl Hashes {
    /// Computes all of them.
    pub fn of<A: Action>() -> Self {
        fn message<M: Message>() -> TypeHash {
            M::type_description().type_hash()
        }
        Self {
            send_goal: SendGoal::<A>::type_description().type_hash(),
            send_goal_request: message::<SendGoalRequest<A>>(),
            send_goal_response: message::<SendGoalResponse<A>>(),
            send_goal_event: message::<Event<SendGoal<A>>>(),
            get_result: GetResult::<A>::type_description().type_hash(),
            get_result_request: message::<GetResultRequest<A>>(),
            get_result_response: message::<GetResultResponse<A>>(),
            get_result_event: message::<Event<GetResult<A>>>(),
            feedback_message: message::<FeedbackMessage<A>>(),
        }
    }
}

/// The service by which a goal is sent: `pkg/action/Name_SendGoal`.
#[derive(Debug)]
pub struct SendGoal<A>(PhantomData<fn() -> A>);

impl<A: Action> Service for SendGoal<A> {
    type Request = SendGoalRequest<A>;
    type Response = SendGoalResponse<A>;
    type EventInfo = A::EventInfo;
    const TYPE_NAME: &'static str = A::NAMES.send_goal;
    const EVENT_TYPE_NAME: &'static str = A::NAMES.send_goal_event;
    fn type_hash() -> TypeHash {
        A::hashes().send_goal
    }
    fn event_type_hash() -> TypeHash {
        A::hashes().send_goal_event
    }
}

/// A goal and the id that the client chose for it.
#[derive(BufferMessage)]
#[ros2(__type_name = A::NAMES.send_goal_request, __type_hash = A::hashes().send_goal_request)]
pub struct SendGoalRequest<A: Action> {
    /// Unique among all goals.
    pub goal_id: A::GoalId,
    /// What is asked for.
    pub goal: A::Goal,
}

/// Whether the server takes the goal.
#[derive(BufferMessage)]
#[ros2(__type_name = A::NAMES.send_goal_response, __type_hash = A::hashes().send_goal_response)]
pub struct SendGoalResponse<A: Action> {
    /// Whether it does.
    pub accepted: bool,
    /// When it was accepted.
    pub stamp: A::Time,
}

/// The service that answers when a goal has ended: `pkg/action/Name_GetResult`.
#[derive(Debug)]
pub struct GetResult<A>(PhantomData<fn() -> A>);

impl<A: Action> Service for GetResult<A> {
    type Request = GetResultRequest<A>;
    type Response = GetResultResponse<A>;
    type EventInfo = A::EventInfo;
    const TYPE_NAME: &'static str = A::NAMES.get_result;
    const EVENT_TYPE_NAME: &'static str = A::NAMES.get_result_event;
    fn type_hash() -> TypeHash {
        A::hashes().get_result
    }
    fn event_type_hash() -> TypeHash {
        A::hashes().get_result_event
    }
}

/// Which goal's result is asked for.
#[derive(BufferMessage)]
#[ros2(__type_name = A::NAMES.get_result_request, __type_hash = A::hashes().get_result_request)]
pub struct GetResultRequest<A: Action> {
    /// The id that the goal was sent with.
    pub goal_id: A::GoalId,
}

/// How a goal ended.
#[derive(BufferMessage)]
#[ros2(__type_name = A::NAMES.get_result_response, __type_hash = A::hashes().get_result_response)]
pub struct GetResultResponse<A: Action> {
    /// A constant of `action_msgs/msg/GoalStatus`: 4 succeeded, 5 canceled, 6 aborted.
    pub status: i8,
    /// The result; of no meaning unless the goal got as far as that.
    pub result: A::Result,
}

/// Feedback on its way to the client: `pkg/action/Name_FeedbackMessage`.
#[derive(BufferMessage)]
#[ros2(__type_name = A::NAMES.feedback_message, __type_hash = A::hashes().feedback_message)]
pub struct FeedbackMessage<A: Action> {
    /// The goal that it is about.
    pub goal_id: A::GoalId,
    /// The feedback.
    pub feedback: A::Feedback,
}

/// `unique_identifier_msgs/msg/UUID`, for hand-written actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, BufferMessage)]
#[ros2(
    package = "unique_identifier_msgs",
    name = "UUID",
    hash = "RIHS01_1b8e8aca958cbea28fe6ef60bf6c19b683c97a9ef60bb34752067d0f2f7ab437"
)]
#[repr(C)]
pub struct GoalId {
    /// The 16 bytes.
    pub uuid: [u8; 16],
}
