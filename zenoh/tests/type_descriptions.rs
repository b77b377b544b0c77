//! `~/get_type_description`: what every node says of the types that it uses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use common::{SOON, TEXT_HASH, Text, builder, domain, eventually};
use rosidl_buffer_interfaces::type_description_interfaces::srv::{
    GetTypeDescription, GetTypeDescription_Request,
};
use rosidl_buffer_runtime::Service as _;
use rosidl_buffer_zenoh::QosProfile;

fn request(type_name: &str, type_hash: &str) -> GetTypeDescription_Request {
    GetTypeDescription_Request {
        type_name: type_name.to_owned(),
        type_hash: type_hash.to_owned(),
        include_type_sources: true,
    }
}

#[test]
fn types_are_described_while_they_are_used() {
    let context = builder(domain(58)).build().unwrap();
    let node = context.create_node("talker").unwrap();
    let asker = context.create_node("asker").unwrap();
    let client = asker
        .create_client::<GetTypeDescription>(
            "/talker/get_type_description",
            QosProfile::services_default(),
        )
        .unwrap();
    assert!(client.wait_for_service(SOON));
    let ask = |request: &GetTypeDescription_Request| client.call(request, SOON).unwrap();
    let text = request("std_msgs/msg/String", TEXT_HASH);
    let unknown = ask(&text);
    assert!(!unknown.successful);
    assert!(unknown.failure_reason.contains("uses no type"));

    let qos = QosProfile::default();
    let publisher = node.create_publisher::<Text>("chatter", qos).unwrap();
    let subscription = node.create_subscription::<Text>("chatter", qos).unwrap();
    let known = ask(&text);
    assert!(known.successful, "{}", known.failure_reason);
    assert_eq!(known.failure_reason, "");
    let described = &known.type_description.type_description;
    assert_eq!(described.type_name.as_str(), "std_msgs/msg/String");
    assert_eq!(described.fields.len(), 1);
    assert_eq!(
        (
            described.fields[0].name.as_str(),
            described.fields[0].type_.type_id
        ),
        ("data", 17)
    );
    assert_eq!(known.type_sources.len(), 1);
    assert_eq!(known.type_sources[0].raw_file_contents, "string data\n");
    let without = GetTypeDescription_Request {
        include_type_sources: false,
        ..text.clone()
    };
    assert_eq!(ask(&without).type_sources, []);

    let other_name = ask(&request("std_msgs/msg/Header", TEXT_HASH));
    assert!(other_name.failure_reason.contains("std_msgs/msg/String"));
    let no_hash = ask(&request("std_msgs/msg/String", "RIHS01_12"));
    assert!(no_hash.failure_reason.contains("not a type hash"));
    // A service is described by its own hash, with all that it refers to.
    let service = GetTypeDescription::type_hash().to_string();
    let own = ask(&request(GetTypeDescription::TYPE_NAME, &service));
    assert!(own.successful, "{}", own.failure_reason);
    let referenced = &own.type_description.referenced_type_descriptions;
    let names: Vec<_> = referenced
        .iter()
        .map(|part| part.type_name.as_str())
        .collect();
    assert!(
        names.contains(&"type_description_interfaces/srv/GetTypeDescription_Request"),
        "{names:?}"
    );
    assert_eq!(own.type_sources[0].encoding, "srv");

    drop(publisher);
    assert!(ask(&text).successful, "the subscription still uses it");
    drop(subscription);
    assert!(!ask(&text).successful);
}

#[test]
fn the_service_goes_with_its_node_and_can_be_left_out() {
    let context = builder(domain(59)).build().unwrap();
    let asker = context.node_builder("asker");
    let asker = asker.start_type_description_service(false);
    let asker = asker.build().unwrap();
    let node = context.create_node("talker").unwrap();
    let qos = QosProfile::services_default();
    let client = |name: &str| {
        asker
            .create_client::<GetTypeDescription>(name, qos)
            .unwrap()
    };
    let theirs = client("/talker/get_type_description");
    assert!(theirs.wait_for_service(SOON));
    assert_eq!(client("/asker/get_type_description").server_count(), 0);
    // A publisher keeps its node, and the node its service.
    let publisher = node.create_publisher::<Text>("chatter", QosProfile::default());
    drop(node);
    assert!(theirs.service_is_ready());
    drop(publisher);
    eventually("the service is gone", || theirs.server_count() == 0);
}
