//! What `#[derive(BufferMessage)]` implements: a message is a [`Field`] that has a name of its own.

use rosidl_type_description::{IndividualTypeDescription, TypeDescription, TypeHash};

use crate::buffer::AnyBuffer;
use crate::field::{Descriptions, Field};

/// A ROS 2 message (or one part of a service or action) as a Rust struct.
///
/// Implemented by `#[derive(BufferMessage)]` only.
pub trait Message: Field + Clone + Send + Sync + 'static {
    /// Full name, such as `sensor_msgs/msg/Image`.
    const TYPE_NAME: &'static str;

    /// The type's RIHS01 hash (REP-2016): part of the topic's name on the wire, so only equal hashes meet.
    ///
    /// Known at compile time for generated types, computed once and kept for the others.
    fn type_hash() -> TypeHash;

    /// The message's own fields, as its interface file declares them.
    #[doc(hidden)]
    fn describe_own() -> IndividualTypeDescription;

    /// Adds the messages that this one refers to.
    #[doc(hidden)]
    fn describe_nested(nested: &mut Descriptions);

    /// The message and all types that it refers to, as `type_description_interfaces/msg/TypeDescription`.
    fn type_description() -> TypeDescription {
        let mut nested = Descriptions::default();
        Self::describe_nested(&mut nested);
        nested.into_type_description(Self::describe_own())
    }

    /// Calls `visit` with the field name of each [`Buffer`](crate::Buffer) in the message, nested ones included.
    ///
    /// ```
    /// use rosidl_buffer_runtime::{Buffer, BufferMessage, Message};
    ///
    /// #[derive(Clone, BufferMessage)]
    /// #[ros2(package = "demo_msgs")]
    /// struct Pair { left: Buffer<u8>, right: Buffer<f32> }
    ///
    /// let mut bytes = 0;
    /// Pair { left: vec![1].into(), right: vec![1.0].into() }
    ///     .for_each_buffer(&mut |_, buffer| bytes += buffer.byte_len());
    /// assert_eq!(bytes, 5);
    /// ```
    fn for_each_buffer(&self, visit: &mut dyn FnMut(&'static str, &dyn AnyBuffer)) {
        self.visit_buffers("", visit);
    }

    /// As [`for_each_buffer`](Self::for_each_buffer), with buffers that may be replaced.
    fn for_each_buffer_mut(&mut self, visit: &mut dyn FnMut(&'static str, &mut dyn AnyBuffer)) {
        self.visit_buffers_mut("", visit);
    }
}

/// A message whose type hash the generator wrote into the code.
pub trait GeneratedMessage: Message {
    /// As [`Message::type_hash`], in its textual form `RIHS01_…`.
    const TYPE_HASH: &'static str;
}
