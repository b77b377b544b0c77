//! The messages that ROS 2 itself puts into services and actions, for code that does not know whose struct it has.
//!
//! The derive implements these traits for every struct that has the name and the fields of such a message, so that
//! `builtin_interfaces/msg/Time` may come from any crate. The runtime has small structs of its own for hand-written
//! services and actions.

use rosidl_buffer_derive::BufferMessage;

use crate::message::Message;

/// `builtin_interfaces/msg/Time`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `builtin_interfaces/msg/Time`",
    note = "it has the fields `sec: i32` and `nanosec: u32`"
)]
pub trait TimeMessage: Message {
    /// From seconds since the clock's epoch and nanoseconds on top of them.
    #[must_use]
    fn from_parts(sec: i32, nanosec: u32) -> Self;

    /// Seconds and nanoseconds.
    fn parts(&self) -> (i32, u32);
}

/// `unique_identifier_msgs/msg/UUID`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `unique_identifier_msgs/msg/UUID`",
    note = "it has the field `uuid: [u8; 16]`"
)]
pub trait UuidMessage: Message {
    /// From the 16 bytes.
    #[must_use]
    fn from_bytes(bytes: [u8; 16]) -> Self;

    /// The 16 bytes.
    fn bytes(&self) -> [u8; 16];
}

/// `service_msgs/msg/ServiceEventInfo`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `service_msgs/msg/ServiceEventInfo`",
    note = "it has the fields `event_type: u8`, `stamp`, `client_gid: [u8; 16]` and `sequence_number: i64`"
)]
pub trait ServiceEventInfoMessage: Message {
    /// The type of `stamp`.
    type Time: TimeMessage;

    /// From the fields in their order.
    #[must_use]
    fn from_parts(
        event_type: u8,
        stamp: Self::Time,
        client_gid: [u8; 16],
        sequence_number: i64,
    ) -> Self;

    /// 0 request sent, 1 request received, 2 response sent, 3 response received.
    fn event_type(&self) -> u8;

    /// When the event was.
    fn stamp(&self) -> &Self::Time;

    /// The client's id; the same for all events of one call.
    fn client_gid(&self) -> [u8; 16];

    /// The request's number, counted by the client.
    fn sequence_number(&self) -> i64;
}

/// `builtin_interfaces/msg/Time`, for hand-written actions and services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, BufferMessage)]
#[ros2(
    package = "builtin_interfaces",
    hash = "RIHS01_b106235e25a4c5ed35098aa0a61a3ee9c9b18d197f398b0e4206cea9acf9c197"
)]
#[repr(C)]
pub struct Time {
    /// Seconds since the clock's epoch.
    pub sec: i32,
    /// Nanoseconds on top of them, less than 1,000,000,000.
    pub nanosec: u32,
}
