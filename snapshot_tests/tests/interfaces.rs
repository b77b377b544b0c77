//! Generated services, actions, views and definitions, as a user's code meets them.
#![allow(clippy::unwrap_used)]

use rosidl_buffer_gen::Config;
use rosidl_buffer_runtime::{
    Action, BoundedSequence, GeneratedAction, GeneratedMessage, GeneratedService, Message, Service,
    UuidMessage, View, cdr,
};
use snapshot_tests::ros::{
    builtin_interfaces, example_interfaces, feature_msgs, sensor_msgs, service_msgs, std_srvs,
    unique_identifier_msgs,
};

/// What code that knows only the traits can do.
fn call<S: Service>(
    request: &S::Request,
    answer: impl Fn(S::Request) -> S::Response,
) -> S::Response {
    let request = cdr::decode(&cdr::encode(request).unwrap()).unwrap();
    cdr::decode(&cdr::encode(&answer(request)).unwrap()).unwrap()
}

#[test]
fn a_service_ties_its_parts_together() {
    use std_srvs::srv::{SetBool, SetBool_Event, SetBool_Request, SetBool_Response};

    let response = call::<SetBool>(&SetBool_Request { data: true }, |request| {
        SetBool_Response {
            success: request.data,
            message: "done".to_owned(),
        }
    });
    assert_eq!(
        (response.success, response.message.as_str()),
        (true, "done")
    );
    assert_eq!(SetBool::TYPE_NAME, "std_srvs/srv/SetBool");
    assert_eq!(
        SetBool::TYPE_HASH,
        "RIHS01_abe9e4bb6b41b40e6789712c00ec8871923e089af3f667a79992a428cff2da0a"
    );
    let event = SetBool_Event {
        info: service_msgs::msg::ServiceEventInfo {
            event_type: service_msgs::msg::ServiceEventInfo::RESPONSE_SENT,
            stamp: builtin_interfaces::msg::Time { sec: 1, nanosec: 2 },
            ..Default::default()
        },
        response: BoundedSequence::try_from(vec![response]).unwrap(),
        ..Default::default()
    };
    assert_eq!(
        cdr::decode::<SetBool_Event>(&cdr::encode(&event).unwrap()).unwrap(),
        event
    );
    let sources = SetBool::type_sources();
    assert_eq!(
        (sources[0].encoding.as_str(), sources[1].type_name.as_str()),
        ("srv", "builtin_interfaces/msg/Time")
    );
    assert!(sources[0].raw_file_contents.starts_with("bool data"));
    let implicit: Vec<_> = sources
        .iter()
        .filter(|source| source.encoding == "implicit")
        .collect();
    assert_eq!(implicit.len(), 3, "{implicit:?}");
}

#[test]
fn an_action_ties_its_parts_together() {
    use example_interfaces::action::{
        Fibonacci, Fibonacci_FeedbackMessage, Fibonacci_GetResult, Fibonacci_Goal,
        Fibonacci_SendGoal, Fibonacci_SendGoal_Request,
    };

    fn request<A: Action>(
        id: [u8; 16],
        goal: A::Goal,
    ) -> rosidl_buffer_runtime::action::SendGoalRequest<A> {
        rosidl_buffer_runtime::action::SendGoalRequest {
            goal_id: A::GoalId::from_bytes(id),
            goal,
        }
    }

    let by_traits = request::<Fibonacci>([7; 16], Fibonacci_Goal { order: 5 });
    let by_names = Fibonacci_SendGoal_Request {
        goal_id: unique_identifier_msgs::msg::UUID { uuid: [7; 16] },
        goal: Fibonacci_Goal { order: 5 },
    };
    assert_eq!(by_traits, by_names);
    let bytes = cdr::encode(&by_names).unwrap();
    assert_eq!(bytes.len(), 4 + 16 + 4);
    assert_eq!(Fibonacci::TYPE_HASH, Fibonacci::type_hash().to_string());
    assert_eq!(
        Fibonacci_SendGoal::TYPE_NAME,
        "example_interfaces/action/Fibonacci_SendGoal"
    );
    assert_eq!(
        Fibonacci_GetResult::TYPE_NAME,
        "example_interfaces/action/Fibonacci_GetResult"
    );
    assert_eq!(
        Fibonacci_FeedbackMessage::type_hash().to_string(),
        "RIHS01_c1de71afd52e49a89c53d8262366884185bc0a02f78ce051c4e46b0a7fe59bb2"
    );
}

#[test]
fn a_message_a_service_and_an_action_of_one_name() {
    use feature_msgs::{action, msg, srv};

    assert_eq!(msg::Everything::TYPE_NAME, "feature_msgs/msg/Everything");
    assert_eq!(
        <srv::Everything as Service>::TYPE_NAME,
        "feature_msgs/srv/Everything"
    );
    assert_eq!(
        <action::Everything as Action>::TYPE_NAME,
        "feature_msgs/action/Everything"
    );
    assert_eq!(
        (
            srv::Everything_Request::LIMIT,
            srv::Everything_Response::LIMIT
        ),
        (3, 4)
    );
    let request = srv::Everything_Request::default();
    assert_eq!(request.name.as_str(), "who");
    assert!(srv::Everything_Response::default().success);
    let feedback = action::Everything_Feedback::default();
    assert_eq!(cdr::encode(&feedback).unwrap()[4..], 0.5f32.to_le_bytes());
    assert_eq!(<srv::Self_ as Service>::TYPE_NAME, "feature_msgs/srv/Self");
    assert_eq!(
        srv::Self_Response { type_: 1 },
        cdr::decode(&[0, 1, 0, 0, 1]).unwrap()
    );
}

#[test]
fn a_message_from_an_idl_file() {
    use feature_msgs::msg::Typed;

    let typed = Typed {
        letter: b'a',
        wideLetter: 0x00e4,
        wideLetters: vec![0xd83d, 0xde00],
        letters: BoundedSequence::try_from(vec![b'b', b'c']).unwrap(),
        ..Typed::default()
    };
    assert_eq!(
        (typed.speed, typed.text.as_str(), Typed::MASK, Typed::NAME),
        (1.5, "a=#b's", 255, "typed\tname")
    );
    assert_eq!(typed.numbers, [1, 2]);
    assert_eq!(
        cdr::decode::<Typed>(&cdr::encode(&typed).unwrap()).unwrap(),
        typed
    );
    let sources = Typed::type_sources();
    assert_eq!(sources[0].encoding, "idl");
    assert!(sources[0].raw_file_contents.contains("module feature_msgs"));
}

#[test]
fn a_view_allocates_nothing_and_reads_everything() {
    use sensor_msgs::msg::{Image, ImageRef};

    let image = Image {
        height: 2,
        encoding: "rgb8".to_owned(),
        data: vec![1, 2, 3, 4, 5, 6].into(),
        ..Image::default()
    };
    let bytes = cdr::encode(&image).unwrap();
    let view: ImageRef<'_> = cdr::view::<Image>(&bytes).unwrap();
    let ImageRef {
        header,
        height,
        encoding,
        data,
        ..
    } = view;
    assert_eq!((height, encoding, header.frame_id), (2, "rgb8", ""));
    assert_eq!(data.as_slice(), Some(&[1, 2, 3, 4, 5, 6][..]));
    assert!(
        bytes
            .as_ptr_range()
            .contains(&data.as_slice().unwrap().as_ptr())
    );
    let of_service: View<'_, std_srvs::srv::SetBool_Request> =
        cdr::view::<std_srvs::srv::SetBool_Request>(&[0, 1, 0, 0, 1]).unwrap();
    assert!(of_service.data);
}

/// The schema of a recording says what the types are: read back, it has the same hash.
#[test]
fn definitions_have_the_hash_of_the_type() {
    let hash_of = |name: &str, definition: &str| {
        let none: [&str; 0] = [];
        let config = Config::new()
            .ament_prefixes(none)
            .definition(name, definition);
        config.type_hashes(&none).unwrap().0[name].to_string()
    };
    assert!(
        sensor_msgs::msg::Image::DEFINITION
            .contains(&format!("{}\nMSG: std_msgs/Header\n", "=".repeat(80)))
    );
    for (name, definition, hash) in [
        definition::<sensor_msgs::msg::Image>(),
        definition::<sensor_msgs::msg::PointCloud2>(),
        definition::<feature_msgs::msg::Everything>(),
        definition::<snapshot_tests::ros::test_msgs::msg::Arrays>(),
        definition::<snapshot_tests::ros::test_msgs::msg::Defaults>(),
        definition::<snapshot_tests::ros::nav_msgs::msg::Odometry>(),
        definition::<snapshot_tests::ros::visualization_msgs::msg::InteractiveMarker>(),
    ] {
        assert_eq!(hash_of(name, definition), hash, "{name}");
    }
    let (_, typed, _) = definition::<feature_msgs::msg::Typed>();
    assert!(typed.starts_with("uint32 MASK=255\n"), "{typed}");
    // But for IDL's `char` and for names that `.msg` files may not give, the text says all of it.
    let typed = typed
        .replace("lowerCase", "LOWER_CASE")
        .replace("isReady", "is_ready")
        .replace("wideLetter", "wide_letter");
    let none: [&str; 0] = [];
    let config = Config::new()
        .ament_prefixes(none)
        .definition("feature_msgs/msg/Typed", typed);
    let (lines, _) = config.dump().unwrap();
    let line = lines
        .lines()
        .find(|line| line.contains("feature_msgs/msg/Typed"))
        .unwrap();
    let dumped: serde_json::Value = serde_json::from_str(line).unwrap();
    let text = dumped["fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|field| field["name"] == "text")
        .unwrap();
    assert_eq!(text["default"], "a=#b's");
    assert_eq!(
        dumped["constants"]
            .as_array()
            .unwrap()
            .iter()
            .find(|found| found["name"] == "NAME")
            .unwrap()["value"],
        "typed\tname"
    );
}

fn definition<M: GeneratedMessage>() -> (&'static str, &'static str, &'static str) {
    (M::TYPE_NAME, M::DEFINITION, M::TYPE_HASH)
}

/// A recording is read as it was written, whatever the types are now.
#[test]
fn definitions_come_before_what_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let line = "=".repeat(80);
    let schema =
        format!("std_msgs/Header header\nint8 old\n{line}\nMSG: std_msgs/Header\nuint32 seq\n");
    let none: [&str; 0] = [];
    let config = || {
        let config = Config::new().ament_prefixes(none).cargo_metadata(false);
        config
            .definition("sensor_msgs/msg/Image", &schema)
            .out_dir(folder.path())
    };
    let report = config().generate().unwrap();
    let packages: Vec<_> = report.packages().collect();
    assert_eq!(
        packages,
        ["sensor_msgs", "std_msgs"].map(|name| (name, "definition of sensor_msgs/msg/Image"))
    );
    assert_eq!(
        config().generate().unwrap().files_unchanged(),
        report.files_written()
    );
    let header = std::fs::read_to_string(folder.path().join("std_msgs/msg/header.rs")).unwrap();
    assert!(header.contains("pub seq: u32"), "{header}");
    assert!(header.contains("r\"uint32 seq\n\""), "{header}");
    let twice = config().definition(
        "p/msg/A",
        format!("{line}\nMSG: std_msgs/Header\nint8 other\n"),
    );
    let error = twice.generate().unwrap_err().to_string();
    assert!(
        error.contains("there is another definition of std_msgs/msg/Header"),
        "{error}"
    );
    let error = config()
        .definition("p/srv/A", "")
        .generate()
        .unwrap_err()
        .to_string();
    assert!(error.contains("is no message"), "{error}");
}

#[test]
fn definitions_can_be_named_and_refer_to_what_is_found() {
    let none: [&str; 0] = [];
    let place = format!(
        "Point p\n{}\nMSG: demo_msgs/Point\nint8 x\n",
        "=".repeat(80)
    );
    let config = || {
        Config::new()
            .ament_prefixes(none)
            .definition("demo_msgs/msg/Place", &place)
    };
    let (named, _) = config().type_hashes(&["demo_msgs/msg/Place"]).unwrap();
    let (all, _) = config().type_hashes(&none).unwrap();
    assert_eq!(named["demo_msgs/msg/Place"], all["demo_msgs/msg/Place"]);
    let (_, report) = config().package("demo_msgs").type_hashes(&none).unwrap();
    assert_eq!(report.interfaces(), 2);
    // `Point` is in the package of the definition, but not in its text.
    let own = Config::new()
        .ament_prefixes(none)
        .definition("geometry_msgs/msg/Near", "Point p");
    let (hashes, _) = own.type_hashes(&["geometry_msgs/msg/Near"]).unwrap();
    assert_eq!(hashes.len(), 1);
    let both = config()
        .extern_path("demo_msgs", "::other::demo_msgs")
        .type_hashes(&none);
    assert!(
        both.unwrap_err()
            .to_string()
            .contains("to be generated and to be taken")
    );
}

/// The runtime has this descriptor as a struct of its own.
#[cfg(target_os = "linux")]
#[test]
fn the_descriptor_of_shared_memory_is_that_of_its_file() {
    use rosidl_buffer_runtime::shm::ShmBufferDescriptor as Own;
    use snapshot_tests::ros::shm_buffer_backend_msgs::msg::ShmBufferDescriptor as Generated;

    assert_eq!(Own::TYPE_NAME, Generated::TYPE_NAME);
    assert_eq!(Own::TYPE_HASH, Generated::TYPE_HASH);
    assert_eq!(Own::VERSION, Generated::VERSION);
    let own = Own {
        version: Own::VERSION,
        engine_id: std::array::from_fn(|at| at.to_le_bytes()[0]),
        cell: 2,
        block_id: 3,
        generation: 4,
        block_size: 5,
        offset: 6,
        size: 7,
    };
    let bytes = cdr::encode(&own).unwrap();
    let generated: Generated = cdr::decode(&bytes).unwrap();
    assert_eq!((generated.cell, generated.size), (own.cell, own.size));
    assert_eq!(cdr::encode(&generated).unwrap(), bytes);
}

/// The runtime's own struct, which takes its feature `cuda`, says this hash and checks it against its fields.
#[test]
fn the_descriptor_of_gpu_memory_is_that_of_its_file() {
    use snapshot_tests::ros::cuda_rs_buffer_backend_msgs::msg::CudaRsBufferDescriptor as Generated;

    assert_eq!(
        Generated::TYPE_HASH,
        "RIHS01_a0dc74963faa011032bfc11f559671aaf5bf1934301864ba7e300b6300a7ba46"
    );
    assert_eq!(Generated::VERSION, 1);
}
