//! What `#[derive(BufferMessage)]` implements: a message is a [`Field`] that has a name of its own.

use rosidl_type_description::{TypeDescription, TypeHash, TypeSource};

use crate::buffer::AnyBuffer;
use crate::definition::Composed;
use crate::description::{Described, DescribedField, MentionTree, Source};
use crate::field::Field;

/// A ROS 2 message (or one part of a service or action) as a Rust struct.
///
/// Implemented by `#[derive(BufferMessage)]` only.
pub trait Message: Field + Clone + Send + Sync + 'static {
    /// Full name, such as `sensor_msgs/msg/Image`.
    const TYPE_NAME: &'static str;

    /// The fields that may mention messages.
    #[doc(hidden)]
    type Mentions: MentionTree;
    #[doc(hidden)]
    const FIELDS: &'static [DescribedField];
    #[doc(hidden)]
    const SOURCE: Source;
    #[doc(hidden)]
    const TEXT: Option<&'static str> = None;
    #[doc(hidden)]
    const DESCRIBED: &'static Described = &Described {
        type_name: Self::TYPE_NAME,
        fields: Self::FIELDS,
        source: Self::SOURCE,
        text: Self::TEXT,
        mentions: Self::Mentions::MENTIONS,
    };

    /// The type's RIHS01 hash (REP-2016): part of the topic's name on the wire, so only equal hashes meet.
    ///
    /// Known at compile time for generated types, computed once and kept for the others.
    fn type_hash() -> TypeHash;

    /// The message and all types that it refers to, as `type_description_interfaces/msg/TypeDescription`.
    fn type_description() -> TypeDescription {
        Self::DESCRIBED.type_description()
    }

    /// Where the types of [`type_description`](Self::type_description) come from, in its order: the message first, then
    /// those that it refers to. Together they are the answer of a `get_type_description` service.
    ///
    /// A part of a service or action is `implicit` and has no text, as in ROS 2; a struct that was not given its
    /// `source` has the text of [`definition`](Self::definition).
    ///
    /// ```
    /// use rosidl_buffer_runtime::{BufferMessage, Message};
    ///
    /// #[derive(Clone, BufferMessage)]
    /// #[ros2(package = "demo_msgs", source = "float64 x  # metres\n")]
    /// struct Point { x: f64 }
    ///
    /// let sources = Point::type_sources();
    /// assert_eq!(sources[0].encoding, "msg");
    /// assert_eq!(sources[0].raw_file_contents, "float64 x  # metres\n");
    /// ```
    fn type_sources() -> Vec<TypeSource> {
        Self::DESCRIBED.type_sources()
    }

    /// The message's text and those of all messages that it refers to, as recordings carry them (`ros2msg`): each but the
    /// first behind a line of 80 `=` and a line `MSG: package/Name`, in the order of first mention.
    ///
    /// Where a struct was not given its `source`, the text is made from its fields. Left out is then the default value of a
    /// bounded string that is longer than its bound when `#`, `=`, backslashes or control characters are written as escape
    /// sequences: ROS 2 refuses such a text.
    ///
    /// Generated types have the same text as a constant, [`GeneratedMessage::DEFINITION`]. The types that ROS 2 derives
    /// from services and actions, such as [`Event`](crate::service::Event) and
    /// [`FeedbackMessage`](crate::action::FeedbackMessage), have no such constant, but this function.
    ///
    /// ```
    /// use rosidl_buffer_runtime::{BufferMessage, Message};
    ///
    /// #[derive(Clone, BufferMessage)]
    /// #[ros2(package = "demo_msgs")]
    /// struct Point { x: f64 }
    ///
    /// #[derive(Clone, BufferMessage)]
    /// #[ros2(package = "demo_msgs")]
    /// struct Path {
    ///     points: Vec<Point>,
    ///     #[ros2(default = "path")]
    ///     name: String,
    /// }
    ///
    /// let separator = "=".repeat(80);
    /// assert_eq!(
    ///     Path::definition(),
    ///     format!("demo_msgs/Point[] points\nstring name \"path\"\n{separator}\nMSG: demo_msgs/Point\nfloat64 x\n"),
    /// );
    /// ```
    fn definition() -> String {
        Self::DESCRIBED.definition()
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

    /// As [`Message::definition`], put together while the program compiles, if it is used.
    ///
    /// It takes a `source` or `definition` attribute on the message and on all that it refers to; a program that uses the
    /// constant of another message does not compile.
    ///
    /// ```
    /// use rosidl_buffer_runtime::{BufferMessage, GeneratedMessage};
    ///
    /// #[derive(Clone, BufferMessage)]
    /// #[ros2(
    ///     package = "std_msgs",
    ///     hash = "RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18",
    ///     source = "string data\n"
    /// )]
    /// struct String { data: std::string::String }
    ///
    /// const SCHEMA: &str = String::DEFINITION;
    /// assert_eq!(SCHEMA, "string data\n");
    /// ```
    const DEFINITION: &'static str = Composed::<Self>::TEXT;
}
