//! Names that structs and fields may have: those of Rust's prelude, those that Rust's style does not like, those of a field
//! that is called otherwise in ROS.

#![forbid(unsafe_code)] // what the derive emits has to pass
#![deny(warnings)] // and brings no warning of its own
#![allow(clippy::unwrap_used)]

use rosidl_buffer_runtime::{
    BufferMessage, Message, ServiceEventInfoMessage, Time, TimeMessage, UuidMessage, cdr,
};

/// Messages and services that hide what every Rust module sees.
mod prelude {
    macro_rules! messages {
        ($($name:ident)*) => {$(
            #[derive(Debug, Clone, PartialEq, rosidl_buffer_runtime::BufferMessage)]
            #[ros2(package = "vec_pkg", view)]
            #[allow(dead_code)]
            pub(super) struct $name {
                #[ros2(default = [1, 2])]
                pub(super) data: ::rosidl_buffer_runtime::Buffer<u8>,
                #[ros2(default = "a", string_bound = 3)]
                pub(super) text: ::std::string::String,
                #[ros2(bound = 3)]
                pub(super) words: ::std::vec::Vec<::std::string::String>,
            }
        )*};
    }
    messages! {
        FnMut Fn FnOnce Box Default Drop Sized Iterator IntoIterator Option Some Result Err Vec String ToString Clone Copy
        Into From TryFrom Send Sync PartialEq Eq Debug AsRef
    }

    #[derive(Debug, Clone, Copy, PartialEq, rosidl_buffer_runtime::BufferMessage)]
    #[ros2(package = "vec_pkg")]
    #[repr(C)]
    pub(super) struct Extend {
        pub(super) number: u32,
    }

    #[derive(Debug, Clone, rosidl_buffer_runtime::BufferMessage)]
    #[ros2(package = "vec_pkg", kind = "srv", name = "Ok_Request")]
    pub(super) struct Request {}
    #[derive(Debug, Clone, rosidl_buffer_runtime::BufferMessage)]
    #[ros2(package = "vec_pkg", kind = "srv", name = "Ok_Response")]
    pub(super) struct Response {}
    #[derive(rosidl_buffer_runtime::Service)]
    #[ros2(package = "vec_pkg", request = Request, response = Response)]
    pub(super) struct Ok;

    #[derive(Debug, Clone, rosidl_buffer_runtime::BufferMessage)]
    #[ros2(package = "vec_pkg", kind = "action", name = "None_Goal")]
    pub(super) struct Goal {}
    #[derive(Debug, Clone, rosidl_buffer_runtime::BufferMessage)]
    #[ros2(package = "vec_pkg", kind = "action", name = "None_Result")]
    pub(super) struct Outcome {}
    #[derive(Debug, Clone, rosidl_buffer_runtime::BufferMessage)]
    #[ros2(package = "vec_pkg", kind = "action", name = "None_Feedback")]
    pub(super) struct Feedback {}
    #[derive(rosidl_buffer_runtime::Action)]
    #[ros2(package = "vec_pkg", goal = Goal, result = Outcome, feedback = Feedback)]
    pub(super) struct None;
}

#[test]
fn a_message_may_be_called_as_something_of_the_prelude() {
    fn check<M: Message + Default + PartialEq>(name: &str) {
        assert_eq!(M::TYPE_NAME, name);
        let message = M::default();
        assert!(cdr::decode::<M>(&cdr::encode(&message).unwrap()).unwrap() == message);
        let mut names = Vec::new();
        message.for_each_buffer(&mut |name, buffer| names.push((name, buffer.byte_len())));
        assert_eq!(names, [("data", 2)]);
    }
    check::<prelude::FnMut>("vec_pkg/msg/FnMut");
    check::<prelude::Some>("vec_pkg/msg/Some");
    check::<prelude::Default>("vec_pkg/msg/Default");
    let number = prelude::Extend { number: 7 };
    let bytes = cdr::encode(&number).unwrap();
    assert_eq!(cdr::decode::<prelude::Extend>(&bytes).unwrap(), number);
    use rosidl_buffer_runtime::{Action as _, Service as _};
    assert_eq!(prelude::Ok::TYPE_NAME, "vec_pkg/srv/Ok");
    assert_eq!(prelude::None::TYPE_NAME, "vec_pkg/action/None");
}

/// What is allowed at the struct holds for its view, be it hidden or beside it.
#[test]
fn a_view_brings_no_warning_of_its_own() {
    #[derive(Clone, BufferMessage)]
    #[ros2(package = "vec_pkg", kind = "srv")]
    #[allow(non_camel_case_types, non_snake_case)]
    struct Foo_Request {
        #[ros2(name = "frameId")]
        frameId: u8,
    }
    #[derive(Clone, BufferMessage)]
    #[ros2(package = "vec_pkg", kind = "srv", view)]
    #[allow(non_camel_case_types, non_snake_case)]
    struct Foo_Response {
        #[ros2(name = "frameId")]
        frameId: u8,
    }
    let bytes = cdr::encode(&Foo_Request { frameId: 3 }).unwrap();
    assert_eq!(cdr::view::<Foo_Request>(&bytes).unwrap().frameId, 3);
    let view: Foo_ResponseRef<'_> = cdr::view::<Foo_Response>(&bytes).unwrap();
    assert_eq!(view.frameId, 3);
}

#[test]
fn well_known_messages_may_rename_their_fields() {
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "builtin_interfaces", name = "Time")]
    struct Instant {
        #[ros2(name = "sec")]
        seconds: i32,
        #[ros2(name = "nanosec")]
        nanoseconds: u32,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "unique_identifier_msgs", name = "UUID")]
    struct Id {
        #[ros2(name = "uuid")]
        bytes: [u8; 16],
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "service_msgs", name = "ServiceEventInfo")]
    struct Info {
        #[ros2(name = "event_type")]
        kind: u8,
        #[ros2(name = "stamp")]
        at: Instant,
        #[ros2(name = "client_gid")]
        client: [u8; 16],
        #[ros2(name = "sequence_number")]
        number: i64,
    }
    assert_eq!(Instant::type_hash(), Time::type_hash());
    let at = Instant::from_parts(1, 2);
    assert_eq!((at.seconds, at.nanoseconds), (1, 2));
    assert_eq!(at.parts(), (1, 2));
    assert_eq!(UuidMessage::bytes(&Id::from_bytes([3; 16])), [3; 16]);
    let info = Info::from_parts(4, at.clone(), [5; 16], 6);
    assert_eq!((info.kind, info.number), (4, 6));
    assert_eq!((info.event_type(), info.sequence_number()), (4, 6));
    assert_eq!((info.stamp(), info.client_gid()), (&at, [5; 16]));
}
