//! Services and actions from hand-written structs: names, hashes, bytes, sources, accessors of what is in them.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::upper_case_acronyms, non_camel_case_types)]

use rosidl_buffer_runtime::action::{
    FeedbackMessage, GetResult, GetResultResponse, SendGoal, SendGoalRequest, SendGoalResponse,
};
use rosidl_buffer_runtime::service::{Event, EventInfo};
use rosidl_buffer_runtime::{
    Action, Buffer, BufferMessage, GeneratedAction, GeneratedService, Message, Service,
    ServiceEventInfoMessage, Time, TimeMessage, TypeDescription, TypeHash, UuidMessage, cdr, part,
};

const ADD_TWO_INTS: &str = "int64 a\nint64 b\n---\nint64 sum\n";

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "example_interfaces", kind = "srv", definition = part(ADD_TWO_INTS, 0))]
struct AddTwoInts_Request {
    a: i64,
    b: i64,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "example_interfaces", kind = "srv", definition = part(ADD_TWO_INTS, 1))]
struct AddTwoInts_Response {
    sum: i64,
}

#[derive(Service)]
#[ros2(
    package = "example_interfaces",
    hash = "RIHS01_e118de6bf5eeb66a2491b5bda11202e7b68f198d6f67922cf30364858239c81a",
    source = ADD_TWO_INTS
)]
struct AddTwoInts;

/// What rosidl's own generator computed.
const HASHES: &str = "
example_interfaces/srv/AddTwoInts e118de6bf5eeb66a2491b5bda11202e7b68f198d6f67922cf30364858239c81a
example_interfaces/srv/AddTwoInts_Request 000c5fd92d6b2e1a05949348f584d6d652adea1e92d691792011ac2273508302
example_interfaces/srv/AddTwoInts_Response de5c030d4af33cba2749310b249737b631594703f9300495f48bffb2b44dcc2f
example_interfaces/srv/AddTwoInts_Event 32c1d140259c71e5c355115942bcb31df98b4330e4d906b1b75ccb1c9b3ce6c8
std_srvs/srv/SetBool abe9e4bb6b41b40e6789712c00ec8871923e089af3f667a79992a428cff2da0a
std_srvs/srv/SetBool_Request c62fbb99d94e1b25e8ef9e109f9581956bb1b3361a45a4e5810c36a90d29932e
std_srvs/srv/SetBool_Response d0814e7f7b4880ab77e9c57426c7aa1562ab69f11eef8e2e968812f9cbd0b059
std_srvs/srv/SetBool_Event 3c4c20015afb4303eafd347b1d6a786f171a89c814726961a9593ef10df878cf
vec_pkg/srv/Nothing 60af908d15ef21d66def171b862126af712708368f1d1119db41187e627cf710
example_interfaces/action/Fibonacci 9508051da1ea4658de144b09bd0690ff3de52104683d847aed764d2915906f51
example_interfaces/action/Fibonacci_Goal 226cb437e4355dcd3e914f930382a3b0cc1da81545bd319ed554e95a03255f51
example_interfaces/action/Fibonacci_Result fea81394f25aa4502217953f1a021fb750e79c10bbd43f13dd94632da6569649
example_interfaces/action/Fibonacci_Feedback 2b12e37361da6f408d4c85bc24a18de64333f29082f2ca34b5ee33dc4c8b42a9
example_interfaces/action/Fibonacci_SendGoal d1a57fb2a4afe8c21e34fb10db206f16ce6729b28531141472df92277c55b557
example_interfaces/action/Fibonacci_SendGoal_Request 3d088942b413247db536576f0286768c6be8fcd5d0c9a5d544f359fba090a238
example_interfaces/action/Fibonacci_SendGoal_Response d8c07bb3d5b766fe4b43159c9a5222af5214e2fcc29229b991d826166c512be1
example_interfaces/action/Fibonacci_SendGoal_Event d5e5b312dbf847307b0e876c2ecc9d80258e95b0d17f8f7bfc581c4a29c83484
example_interfaces/action/Fibonacci_GetResult 1b0de0d5d29dc955d92f546706568428632771db13ec84c15ec1c1a59f424a57
example_interfaces/action/Fibonacci_GetResult_Request c8a4f5e7d13b81286ee1043e2ecd084281cecf1ff06aaa799464f5f15479f003
example_interfaces/action/Fibonacci_GetResult_Response 6021dc98ab9b4bbe395e48aa4de81ee5f68eb570f88358affcc648146668b24f
example_interfaces/action/Fibonacci_GetResult_Event ac4e9cdb954c2e192c9f0753d46f59ab6f0101d5fb5b9542fd8ab2906e40c4d9
example_interfaces/action/Fibonacci_FeedbackMessage c1de71afd52e49a89c53d8262366884185bc0a02f78ce051c4e46b0a7fe59bb2
vec_pkg/action/Nil ebee2986edd5cea4d0458a462083b1defe7791289dd9d7198d2f2ef14265431a
test_msgs/srv/Empty 9737679d04950fecab59b9e82ec2bf285f58446ce8e48d287e13b8a9f19f0823
test_msgs/action/NestedMessage edd4bac361b0ee01c5e228d7c065f1d64e1b11aa55c5c6efb4e5e10e40fde40a
";

fn check(type_name: &str, hash: TypeHash, description: &TypeDescription) {
    let line = format!("{type_name} {}", &hash.to_string()["RIHS01_".len()..]);
    assert!(HASHES.lines().any(|known| known == line), "{line}");
    assert_eq!(description.type_description.type_name, type_name);
    assert_eq!(description.type_hash(), hash);
}

fn check_message<M: Message>() {
    check(M::TYPE_NAME, M::type_hash(), &M::type_description());
}

fn check_service<S: Service>() {
    check(S::TYPE_NAME, S::type_hash(), &S::type_description());
    check_message::<Event<S>>();
    check_message::<S::Request>();
    check_message::<S::Response>();
}

fn check_action<A: Action>() {
    check(A::TYPE_NAME, A::type_hash(), &A::type_description());
    check_message::<A::Goal>();
    check_message::<A::Result>();
    check_message::<A::Feedback>();
    check_service::<SendGoal<A>>();
    check_service::<GetResult<A>>();
    check_message::<FeedbackMessage<A>>();
}

#[test]
fn the_types_of_a_service_have_the_hashes_of_ros() {
    assert_eq!(AddTwoInts::TYPE_HASH, AddTwoInts::type_hash().to_string());
    check_service::<AddTwoInts>();

    #[derive(Clone, BufferMessage)]
    #[ros2(package = "std_srvs", kind = "srv")]
    struct SetBool_Request {
        data: bool,
    }
    #[derive(Clone, BufferMessage)]
    #[ros2(package = "std_srvs", kind = "srv")]
    struct SetBool_Response {
        success: bool,
        message: String,
    }
    #[derive(Service)]
    #[ros2(package = "std_srvs")]
    struct SetBool;
    check_service::<SetBool>();

    #[derive(Clone, BufferMessage)]
    #[ros2(package = "vec_pkg", kind = "srv")]
    struct Nothing_Request {}
    #[derive(Clone, BufferMessage)]
    #[ros2(package = "vec_pkg", kind = "srv")]
    struct Nothing_Response {}
    #[derive(Service)]
    #[ros2(package = "vec_pkg")]
    struct Nothing;
    check(
        Nothing::TYPE_NAME,
        Nothing::type_hash(),
        &Nothing::type_description(),
    );
}

const FIBONACCI: &str = "int32 order\n---\nint32[] sequence\n---\nint32[] sequence\n";

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "example_interfaces", kind = "action", definition = part(FIBONACCI, 0))]
struct Fibonacci_Goal {
    order: i32,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "example_interfaces", kind = "action", definition = part(FIBONACCI, 1))]
struct Fibonacci_Result {
    sequence: Buffer<i32>,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "example_interfaces", kind = "action", definition = part(FIBONACCI, 2))]
struct Fibonacci_Feedback {
    sequence: Vec<i32>,
}

/// A name that Rust might have taken: the `_` is not part of it.
#[derive(Action)]
#[ros2(
    package = "example_interfaces",
    hash = "RIHS01_9508051da1ea4658de144b09bd0690ff3de52104683d847aed764d2915906f51",
    source = FIBONACCI
)]
struct Fibonacci_;

#[test]
fn the_types_of_an_action_have_the_hashes_of_ros() {
    assert_eq!(Fibonacci_::TYPE_HASH, Fibonacci_::type_hash().to_string());
    check_action::<Fibonacci_>();

    #[derive(Clone, BufferMessage)]
    #[ros2(package = "vec_pkg", kind = "action")]
    struct Nil_Goal {}
    #[derive(Clone, BufferMessage)]
    #[ros2(package = "vec_pkg", kind = "action")]
    struct Nil_Result {}
    #[derive(Clone, BufferMessage)]
    #[ros2(package = "vec_pkg", kind = "action")]
    struct Nil_Feedback {}
    #[derive(Action)]
    #[ros2(package = "vec_pkg")]
    struct Nil;
    check(Nil::TYPE_NAME, Nil::type_hash(), &Nil::type_description());
}

/// `test_msgs/action/NestedMessage` and `test_msgs/srv/Empty`: fields of messages of other packages, in the packages' own
/// structs for what ROS adds.
mod test_msgs {
    use super::{Action, BufferMessage, Service};

    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "builtin_interfaces")]
    pub(super) struct Time {
        pub(super) sec: i32,
        pub(super) nanosec: u32,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "unique_identifier_msgs")]
    pub(super) struct UUID {
        pub(super) uuid: [u8; 16],
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "service_msgs")]
    pub(super) struct ServiceEventInfo {
        pub(super) event_type: u8,
        pub(super) stamp: Time,
        pub(super) client_gid: [u8; 16],
        pub(super) sequence_number: i64,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "test_msgs")]
    pub(super) struct Builtins {
        duration_value: Duration,
        time_value: Time,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "builtin_interfaces")]
    pub(super) struct Duration {
        sec: i32,
        nanosec: u32,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "test_msgs")]
    pub(super) struct BasicTypes {
        bool_value: bool,
        #[ros2(byte)]
        byte_value: u8,
        #[ros2(char)]
        char_value: u8,
        float32_value: f32,
        float64_value: f64,
        int8_value: i8,
        uint8_value: u8,
        int16_value: i16,
        uint16_value: u16,
        int32_value: i32,
        uint32_value: u32,
        int64_value: i64,
        uint64_value: u64,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "test_msgs", kind = "action", name = "NestedMessage_Goal")]
    pub(super) struct Goal {
        nested_field_no_pkg: Builtins,
        nested_field: BasicTypes,
        nested_different_pkg: Time,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "test_msgs", kind = "action", name = "NestedMessage_Result")]
    pub(super) struct Outcome {
        nested_field_no_pkg: Builtins,
        nested_field: BasicTypes,
        nested_different_pkg: Time,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(
        package = "test_msgs",
        kind = "action",
        name = "NestedMessage_Feedback"
    )]
    pub(super) struct Feedback {
        nested_field_no_pkg: Builtins,
        nested_field: BasicTypes,
        nested_different_pkg: Time,
    }
    #[derive(Action)]
    #[ros2(
        package = "test_msgs",
        goal = Goal,
        result = Outcome,
        feedback = Feedback,
        goal_id = UUID,
        time = Time,
        event_info = ServiceEventInfo
    )]
    pub(super) struct NestedMessage;

    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "test_msgs", kind = "srv", name = "Empty_Request")]
    pub(super) struct Request {}
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "test_msgs", kind = "srv", name = "Empty_Response")]
    pub(super) struct Response {}
    #[derive(Service)]
    #[ros2(package = "test_msgs", request = Request, response = Response, event_info = ServiceEventInfo)]
    pub(super) struct Empty;
}

#[test]
fn messages_of_other_packages_may_be_any_structs_of_that_name() {
    use test_msgs::{Empty, NestedMessage};
    check(
        Empty::TYPE_NAME,
        Empty::type_hash(),
        &Empty::type_description(),
    );
    check(
        NestedMessage::TYPE_NAME,
        NestedMessage::type_hash(),
        &NestedMessage::type_description(),
    );

    // As an implementation of actions would: it knows the traits and nothing else.
    fn accept<A: Action>(goal: &SendGoalRequest<A>, now: (i32, u32)) -> SendGoalResponse<A> {
        SendGoalResponse {
            accepted: goal.goal_id.bytes() == [7; 16],
            stamp: A::Time::from_parts(now.0, now.1),
        }
    }
    let request = SendGoalRequest::<NestedMessage> {
        goal_id: UuidMessage::from_bytes([7; 16]),
        ..SendGoalRequest::default()
    };
    let response = accept(&request, (1, 2));
    assert!(response.accepted);
    assert_eq!(response.stamp, test_msgs::Time { sec: 1, nanosec: 2 });
    assert_eq!(response.stamp.parts(), (1, 2));

    fn info<S: Service>(sequence_number: i64) -> S::EventInfo {
        let stamp = <S::EventInfo as ServiceEventInfoMessage>::Time::from_parts(3, 4);
        S::EventInfo::from_parts(1, stamp, [9; 16], sequence_number)
    }
    let info = info::<Empty>(5);
    assert_eq!((info.event_type(), info.sequence_number()), (1, 5));
    assert_eq!((info.stamp().parts(), info.client_gid()), ((3, 4), [9; 16]));
    assert_eq!(info.client_gid, [9; 16]);
}

#[test]
fn implicit_types_are_messages() {
    let event = Event::<AddTwoInts> {
        info: EventInfo {
            event_type: 2,
            stamp: Time { sec: 1, nanosec: 2 },
            client_gid: [3; 16],
            sequence_number: 4,
        },
        request: vec![AddTwoInts_Request { a: 1, b: 2 }].try_into().unwrap(),
        ..Event::default()
    };
    let bytes = cdr::encode(&event).unwrap();
    assert_eq!(bytes.len(), 4 + 68, "sequences at 40 and 64");
    assert_eq!(bytes[4 + 40..4 + 44], 1u32.to_le_bytes());
    assert_eq!(cdr::decode::<Event<AddTwoInts>>(&bytes).unwrap(), event);
    assert_eq!(event.clone(), event);
    assert_ne!(event, Event::default());
    assert!(format!("{event:?}").starts_with("Event { info: EventInfo { event_type: 2"));
    let mut two = bytes.clone();
    two[4 + 40] = 2;
    assert_eq!(
        cdr::decode::<Event<AddTwoInts>>(&two).unwrap_err().field(),
        "example_interfaces/srv/AddTwoInts_Event.request"
    );

    let mut response = GetResultResponse::<Fibonacci_> {
        status: 4,
        result: Fibonacci_Result {
            sequence: vec![0, 1, 1].into(),
        },
    };
    let bytes = cdr::encode(&response).unwrap();
    assert_eq!(
        bytes[4..],
        [4, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]
    );
    assert_eq!(
        cdr::decode::<GetResultResponse<Fibonacci_>>(&bytes).unwrap(),
        response
    );
    let mut visited = Vec::new();
    response.for_each_buffer_mut(&mut |name, buffer| visited.push((name, buffer.byte_len())));
    assert_eq!(visited, [("sequence", 12)]);
}

#[test]
fn sources_are_the_file_and_nothing_twice() {
    let sources = AddTwoInts::type_sources();
    let description = AddTwoInts::type_description();
    let names: Vec<_> = sources
        .iter()
        .map(|source| (source.type_name.as_str(), source.encoding.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            ("example_interfaces/srv/AddTwoInts", "srv"),
            ("builtin_interfaces/msg/Time", "msg"),
            ("example_interfaces/srv/AddTwoInts_Event", "implicit"),
            ("example_interfaces/srv/AddTwoInts_Request", "implicit"),
            ("example_interfaces/srv/AddTwoInts_Response", "implicit"),
            ("service_msgs/msg/ServiceEventInfo", "msg"),
        ]
    );
    assert_eq!(sources[0].raw_file_contents, ADD_TWO_INTS);
    assert_eq!(sources[1].raw_file_contents, "int32 sec\nuint32 nanosec\n");
    assert_eq!(sources[3].raw_file_contents, "");
    let described: Vec<_> = description
        .referenced_type_descriptions
        .iter()
        .map(|referenced| referenced.type_name.as_str())
        .collect();
    assert_eq!(
        names[1..].iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        described
    );

    let encodings: Vec<_> = Fibonacci_::type_sources()
        .into_iter()
        .map(|source| source.encoding)
        .collect();
    assert_eq!(
        encodings
            .iter()
            .filter(|encoding| *encoding == "implicit")
            .count(),
        12
    );
    assert_eq!(encodings[0], "action");
    assert_eq!(encodings.len(), 16);

    let parts = GetResult::<Fibonacci_>::type_sources();
    assert_eq!(parts[0].encoding, "implicit");
    assert_eq!(AddTwoInts_Request::definition(), "int64 a\nint64 b\n");
    assert_eq!(Fibonacci_Feedback::definition(), "int32[] sequence\n");
    assert_eq!(
        SendGoalResponse::<Fibonacci_>::definition(),
        format!(
            "bool accepted\nbuiltin_interfaces/Time stamp\n{}\nMSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n",
            "=".repeat(80)
        )
    );
}
