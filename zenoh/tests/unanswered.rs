//! How requests end that get no answer: what the client is told, and where the service counts them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{any::Any, sync::Arc, time::Duration};

use common::{
    SOON, bare, builder, domain,
    srv::{AddTwoInts, Echo, EchoRequest, EchoResponse, Request, Response},
};
use rosidl_buffer_runtime::{Buffer, BufferError, Storage};
use rosidl_buffer_zenoh::{Error, Node, QosProfile};

const QOS: QosProfile = QosProfile::services_default();

fn node(test: u32) -> Node {
    let context = builder(domain(test)).build().unwrap();
    bare(context.node_builder("node")).build().unwrap()
}

#[test]
fn calls_that_are_not_answered_end_with_the_reason() {
    let node = node(0);
    let client = node.create_client::<AddTwoInts>("add", QOS).unwrap();
    let request = Request { a: 1, b: 2 };
    let error = client.call(&request, SOON).unwrap_err();
    assert!(matches!(error, Error::NoServer { .. }), "{error}");

    let service = node.create_polled_service::<AddTwoInts>("add", QOS.keep_last(2));
    let service = service.unwrap();
    assert!(client.wait_for_service(SOON));
    // Dropped unanswered.
    let call = client.call_async(&request);
    drop(service.recv_timeout(SOON).unwrap().unwrap());
    let error = call.wait().unwrap_err();
    assert!(matches!(error, Error::NoAnswer { .. }), "{error}");
    assert_eq!(service.stats().unanswered, 1);
    // Held for too long.
    let error = client
        .call(&request, Duration::from_millis(20))
        .unwrap_err();
    assert!(matches!(error, Error::CallTimeout { .. }), "{error}");
    let late = service.recv_timeout(SOON).unwrap().unwrap();
    let _ = late.responder.respond(&Response { sum: 3 });
    // Too many at a time: the oldest makes way.
    let mut calls: Vec<_> = (0..3).map(|_| client.call_async(&request)).collect();
    let error = calls.remove(0).wait().unwrap_err();
    let Error::ServerError { reason, .. } = error else {
        panic!("{error}");
    };
    assert!(reason.contains("too many"), "{reason}");
    assert_eq!(service.stats().dropped, 1);
    // The server goes while requests wait.
    drop(service);
    for call in calls {
        let error = call.wait().unwrap_err();
        assert!(matches!(error, Error::ServerError { .. }), "{error}");
    }
}

#[test]
fn a_callback_that_panics_fails_one_call() {
    let node = node(1);
    let service = node
        .create_service::<AddTwoInts>("add", QOS, |request, _| Response {
            sum: 10_i64.checked_div(request.a).expect("no zero"),
        })
        .unwrap();
    let client = node.create_client::<AddTwoInts>("add", QOS).unwrap();
    assert!(client.wait_for_service(SOON));
    let error = client.call(&Request { a: 0, b: 0 }, SOON).unwrap_err();
    assert!(
        matches!(&error, Error::ServerError { reason, .. } if reason.contains("panicked")),
        "{error}"
    );
    let response = client.call(&Request { a: 5, b: 0 }, SOON).unwrap();
    assert_eq!(response.sum, 2);
    let stats = service.stats();
    assert_eq!((stats.panicked, stats.failed), (1, 1));
    assert_eq!(stats.received, stats.answered + stats.failed);
}

/// Memory whose device is gone.
struct Gone;

impl Storage for Gone {
    fn backend_type(&self) -> &'static str {
        "gone"
    }
    fn byte_len(&self) -> usize {
        8
    }
    fn host_bytes(&self) -> Option<&[u8]> {
        None
    }
    fn copy_to_host(&self, _out: &mut [u8]) -> Result<(), BufferError> {
        Err(BufferError::Backend {
            backend: "gone".to_owned(),
            operation: "copy 8 bytes to the host".to_owned(),
            cause: "the device fell off the bus".into(),
        })
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn an_answer_that_cannot_be_encoded_is_counted_and_the_client_is_told() {
    let node = node(2);
    let service = node.create_polled_service::<Echo>("echo", QOS).unwrap();
    let client = node.create_client::<Echo>("echo", QOS).unwrap();
    assert!(client.wait_for_service(SOON));
    let data = Buffer::from(vec![1; 8]);
    let call = client.call_async(&EchoRequest { data });
    let asked = service.recv_timeout(SOON).unwrap().unwrap();
    let data = Buffer::from_storage(Arc::new(Gone)).unwrap();
    let error = asked.responder.respond(&EchoResponse { data }).unwrap_err();
    assert!(matches!(error, Error::Encode { .. }), "{error}");
    let error = call.wait().unwrap_err();
    assert!(
        matches!(&error, Error::ServerError { reason, .. } if reason.contains("encoded")),
        "{error}"
    );
    let stats = service.stats();
    assert_eq!(
        (
            stats.received,
            stats.answered,
            stats.unanswered,
            stats.failed
        ),
        (1, 0, 0, 1)
    );
}
