//! Service introspection: what clients and services tell of their calls on `<service>/_service_event`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use common::{
    SOON, bare, builder, domain, eventually,
    srv::{AddTwoInts, Request, Response},
};
use rosidl_buffer_runtime::service::Event;
use rosidl_buffer_zenoh::{
    Client, Clock, Node, QosProfile, ServiceIntrospection, Subscription, Time,
};

const QOS: QosProfile = QosProfile::services_default();
const EVENTS: QosProfile = QosProfile::system_default().keep_all();
const TOPIC: &str = "/add/_service_event";

fn node(test: u32) -> Node {
    let context = builder(domain(test)).build().unwrap();
    bare(context.node_builder("node")).build().unwrap()
}

fn client(node: &Node) -> Client<AddTwoInts> {
    let client = node.create_client("add", QOS).unwrap();
    assert!(client.wait_for_service(SOON));
    client
}

/// The next events of calls after the first `skipped`, in the order of a call: those of client and service come on two publishers.
///
/// A service sends a response and then tells of it, so that of an earlier call may be told of as it was asked for since.
fn next(
    events: &Subscription<Event<AddTwoInts>>,
    count: usize,
    skipped: i64,
) -> Vec<Event<AddTwoInts>> {
    let mut next = Vec::new();
    while next.len() < count {
        let received = events.recv_timeout(SOON).unwrap();
        let event = received.expect("an event").message;
        if event.info.sequence_number > skipped {
            next.push(event);
        }
    }
    next.sort_by_key(|event| (event.info.sequence_number, event.info.event_type));
    next
}

#[test]
fn each_call_is_told_of_by_both_ends_as_far_as_they_were_asked_to() {
    let node = node(0);
    let service = node
        .create_service::<AddTwoInts>("add", QOS, |request, _| Response {
            sum: request.a + request.b,
        })
        .unwrap();
    let client = client(&node);
    let events = node
        .create_subscription::<Event<AddTwoInts>>(TOPIC, EVENTS)
        .unwrap();
    let graph = node.graph();
    let request = Request { a: 1, b: 2 };
    let call = || assert_eq!(client.call(&request, SOON).unwrap().sum, 3);
    // Nothing unless it is asked for.
    call();
    assert_eq!(graph.count_publishers(TOPIC), 0);

    let contents = ServiceIntrospection::Contents;
    client.configure_introspection(contents, EVENTS).unwrap();
    service
        .configure_introspection(ServiceIntrospection::Metadata, EVENTS)
        .unwrap();
    let told_by = graph.publishers_info_by_topic(TOPIC);
    assert_eq!(told_by.len(), 2);
    for publisher in told_by {
        assert_eq!(
            publisher.topic_type,
            "example_interfaces/srv/AddTwoInts_Event"
        );
    }
    let before = Clock::system().now();
    call();
    let told = next(&events, 4, 1);
    let after = Clock::system().now();
    for (event, kind) in told.iter().zip(0..) {
        assert_eq!(event.info.event_type, kind);
        assert_eq!(event.info.client_gid, client.gid().0);
        assert_eq!(event.info.sequence_number, 2);
        let stamp = Time::from_nanoseconds(
            i64::from(event.info.stamp.sec) * 1_000_000_000 + i64::from(event.info.stamp.nanosec),
        );
        assert!(before <= stamp && stamp <= after);
    }
    let contents_of = |event: &Event<AddTwoInts>| (event.request.to_vec(), event.response.to_vec());
    let answer = Response { sum: 3 };
    assert_eq!(contents_of(&told[0]), (vec![request.clone()], vec![]));
    assert_eq!(contents_of(&told[1]), (vec![], vec![]));
    assert_eq!(contents_of(&told[2]), (vec![], vec![]));
    assert_eq!(contents_of(&told[3]), (vec![], vec![answer.clone()]));

    // The other way round, and then nothing.
    service.configure_introspection(contents, EVENTS).unwrap();
    client
        .configure_introspection(ServiceIntrospection::Off, EVENTS)
        .unwrap();
    assert_eq!(graph.count_publishers(TOPIC), 1);
    call();
    let told = next(&events, 2, 2);
    assert_eq!(told[0].info.event_type, 1);
    assert_eq!(contents_of(&told[0]), (vec![request.clone()], vec![]));
    assert_eq!(told[1].info.event_type, 2);
    assert_eq!(contents_of(&told[1]), (vec![], vec![answer]));
    drop(service);
    assert_eq!(graph.count_publishers(TOPIC), 0);
    assert!(events.try_recv().unwrap().is_none());
}

#[test]
fn calls_and_requests_that_are_taken_as_futures_are_told_of_too() {
    let node = node(1);
    let service = node
        .create_polled_service::<AddTwoInts>("add", QOS)
        .unwrap();
    let client = client(&node);
    let events = node
        .create_subscription::<Event<AddTwoInts>>(TOPIC, EVENTS)
        .unwrap();
    let metadata = ServiceIntrospection::Metadata;
    client.configure_introspection(metadata, EVENTS).unwrap();
    service.configure_introspection(metadata, EVENTS).unwrap();
    let call = client.call_async(&Request { a: 1, b: 2 });
    // Left without an answer: what did not happen is not told.
    drop(common::block_on(service.recv_async()).unwrap());
    assert!(common::block_on(call).is_err());
    let call = client.call_async(&Request { a: 1, b: 2 });
    let asked = common::block_on(service.recv_async()).unwrap();
    asked.responder.respond(&Response { sum: 3 }).unwrap();
    common::block_on(call).unwrap();
    let told: Vec<_> = next(&events, 6, 0)
        .iter()
        .map(|event| (event.info.sequence_number, event.info.event_type))
        .collect();
    assert_eq!(told, [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (2, 3)]);
    // Whoever answers later does so without the service.
    let call = client.call_async(&Request { a: 1, b: 2 });
    let asked = service.recv_timeout(SOON).unwrap().unwrap();
    drop(client);
    let graph = node.graph();
    eventually("the client tells nothing any more", || {
        graph.count_publishers(TOPIC) == 1
    });
    asked.responder.respond(&Response { sum: 3 }).unwrap();
    call.wait().unwrap();
    let told = next(&events, 3, 0);
    assert_eq!(told[2].info.event_type, 2);
    assert!(events.try_recv().unwrap().is_none());
}
