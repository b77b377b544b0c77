//! Services: a request and a response, tied together by `#[derive(Service)]`, and the event type that ROS 2 derives from
//! them for introspection.
//!
//! [`Event`] is one generic struct, so that it costs nothing where it is not used.

use rosidl_buffer_derive::BufferMessage;
use rosidl_type_description::{FieldType, TypeDescription, TypeHash, TypeSource};

use crate::bounded::BoundedSequence;
use crate::description::{Described, DescribedField, Mentions, Source, nested_field_type};
use crate::field::Field;
use crate::message::Message;
use crate::well_known::{ServiceEventInfoMessage, Time};

/// A ROS 2 service; a Rust struct without fields stands for it.
///
/// Implemented by `#[derive(Service)]` and by the runtime for the services inside actions.
///
/// ```
/// use rosidl_buffer_runtime::{BufferMessage, Service};
///
/// #[derive(Debug, Clone, BufferMessage)]
/// #[ros2(package = "example_interfaces", name = "AddTwoInts_Request", kind = "srv")]
/// struct Request { a: i64, b: i64 }
///
/// #[derive(Debug, Clone, BufferMessage)]
/// #[ros2(package = "example_interfaces", name = "AddTwoInts_Response", kind = "srv")]
/// struct Response { sum: i64 }
///
/// #[derive(Service)]
/// #[ros2(package = "example_interfaces", request = Request, response = Response)]
/// struct AddTwoInts;
///
/// assert_eq!(AddTwoInts::TYPE_NAME, "example_interfaces/srv/AddTwoInts");
/// assert_eq!(
///     AddTwoInts::type_hash().to_string(),
///     "RIHS01_e118de6bf5eeb66a2491b5bda11202e7b68f198d6f67922cf30364858239c81a",
/// );
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service",
    note = "a struct without fields stands for a service by `#[derive(Service)]`"
)]
pub trait Service: Sized + Send + Sync + 'static {
    /// What a client sends.
    type Request: Message;
    /// What it gets back.
    type Response: Message;
    /// `service_msgs/msg/ServiceEventInfo`, the first field of [`Event`].
    type EventInfo: ServiceEventInfoMessage;

    /// Full name, such as `std_srvs/srv/SetBool`.
    const TYPE_NAME: &'static str;
    #[doc(hidden)]
    const EVENT_TYPE_NAME: &'static str;
    #[doc(hidden)]
    const SOURCE: Source = Source::Implicit;

    /// The service's RIHS01 hash: what stands on the wire for requests and responses alike.
    fn type_hash() -> TypeHash;

    #[doc(hidden)]
    fn event_type_hash() -> TypeHash;

    #[doc(hidden)]
    const DESCRIBED: &'static Described = &Described {
        type_name: Self::TYPE_NAME,
        fields: &[
            DescribedField::new("request_message", Self::Request::field_type),
            DescribedField::new("response_message", Self::Response::field_type),
            DescribedField::new("event_message", Event::<Self>::field_type),
        ],
        source: Self::SOURCE,
        text: None,
        mentions: Mentions::Two(
            &Mentions::One(Self::Request::MENTION),
            &Mentions::Two(
                &Mentions::One(Self::Response::MENTION),
                &Mentions::One(Event::<Self>::MENTION),
            ),
        ),
    };

    /// The service and all types that it refers to, as `type_description_interfaces/msg/TypeDescription`.
    fn type_description() -> TypeDescription {
        Self::DESCRIBED.type_description()
    }

    /// Where the types of [`type_description`](Self::type_description) come from, in its order: the service first. Only
    /// the service and messages of their own have a text.
    fn type_sources() -> Vec<TypeSource> {
        Self::DESCRIBED.type_sources()
    }
}

/// A service as a field of its action.
pub(crate) fn service_field_type<S: Service>() -> FieldType {
    nested_field_type(S::TYPE_NAME)
}

/// A service whose type hash the generator wrote into the code.
pub trait GeneratedService: Service {
    /// As [`Service::type_hash`], in its textual form `RIHS01_…`.
    const TYPE_HASH: &'static str;
}

/// What service introspection publishes about a call: `pkg/srv/Name_Event`.
///
/// ```
/// use rosidl_buffer_runtime::{Message, Service, service::Event};
/// # use rosidl_buffer_runtime::BufferMessage;
/// # #[derive(Clone, BufferMessage)]
/// # #[ros2(package = "std_srvs", kind = "srv")]
/// # #[allow(non_camel_case_types)]
/// # struct SetBool_Request { data: bool }
/// # #[derive(Clone, BufferMessage)]
/// # #[ros2(package = "std_srvs", kind = "srv")]
/// # #[allow(non_camel_case_types)]
/// # struct SetBool_Response { success: bool, message: String }
/// # #[derive(Service)]
/// # #[ros2(package = "std_srvs")]
/// # struct SetBool;
///
/// let mut event = Event::<SetBool>::default();
/// event.request.push(SetBool_Request { data: true })?;
/// assert_eq!(Event::<SetBool>::TYPE_NAME, "std_srvs/srv/SetBool_Event");
/// # Ok::<(), rosidl_buffer_runtime::BoundError>(())
/// ```
#[derive(BufferMessage)]
#[ros2(__type_name = S::EVENT_TYPE_NAME, __type_hash = S::event_type_hash())]
pub struct Event<S: Service> {
    /// What happened, when, and to which call.
    pub info: S::EventInfo,
    /// The request, if content is published.
    pub request: BoundedSequence<S::Request, 1>,
    /// The response, likewise.
    pub response: BoundedSequence<S::Response, 1>,
}

/// `service_msgs/msg/ServiceEventInfo`, for hand-written services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BufferMessage)]
#[ros2(
    package = "service_msgs",
    name = "ServiceEventInfo",
    hash = "RIHS01_41bcbbe07a75c9b52bc96bfd5c24d7f0fc0a08c0cb7921b3373c5732345a6f45"
)]
pub struct EventInfo {
    /// 0 request sent, 1 request received, 2 response sent, 3 response received.
    pub event_type: u8,
    /// When the event was.
    pub stamp: Time,
    /// The client's id; the same for all events of one call.
    pub client_gid: [u8; 16],
    /// The request's number, counted by the client.
    pub sequence_number: i64,
}
