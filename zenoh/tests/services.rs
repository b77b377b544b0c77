//! Services and clients of ours, and with a bare Zenoh session at either end: the bytes of `rmw_zenoh_cpp`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    sync::{
        Arc, Barrier,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::Duration,
};

use common::{
    SOON, bare, block_on, builder, domain, eventually, foreign_and_ours, free_port,
    srv::{AddTwoInts, Echo, EchoRequest, EchoResponse, HASH, Request, Response},
};
use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_zenoh::{
    Client, Context, Error, Node, QosProfile, WaitSet,
    key::Gid,
    zenoh::{
        Session, Wait as _,
        query::{ConsolidationMode, Query, QueryTarget, Reply},
    },
};

const QOS: QosProfile = QosProfile::services_default();

fn key(domain: u32) -> String {
    format!("{domain}/add/example_interfaces::srv::dds_::AddTwoInts_/{HASH}")
}

fn node(context: &Context, name: &str) -> Node {
    bare(context.node_builder(name)).build().unwrap()
}

fn ours(test: u32) -> Node {
    node(&builder(domain(test)).build().unwrap(), "node")
}

fn client(node: &Node) -> Client<AddTwoInts> {
    node.create_client("add", QOS).unwrap()
}

fn ready_client(node: &Node) -> Client<AddTwoInts> {
    let client = client(node);
    assert!(client.wait_for_service(SOON));
    client
}

/// The attachment as `rmw_zenoh_cpp` serialises it, byte by byte.
fn attachment(number: i64, time: i64, gid: [u8; 16]) -> Vec<u8> {
    [&number.to_le_bytes()[..], &time.to_le_bytes(), &[16], &gid].concat()
}

fn payload(numbers: &[i64]) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0, 0];
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    bytes
}

#[test]
fn two_contexts_call_each_other() {
    let domain = domain(48);
    let port = free_port();
    let serving = builder(domain)
        .local_discovery(false)
        .zenoh_setting("listen/endpoints", format!(r#"["tcp/127.0.0.1:{port}"]"#))
        .build()
        .unwrap();
    let asking = builder(domain)
        .local_discovery(false)
        .zenoh_setting("connect/endpoints", format!(r#"["tcp/127.0.0.1:{port}"]"#))
        .build()
        .unwrap();
    let client = client(&node(&asking, "asker"));
    assert!(!client.service_is_ready());
    assert!(!client.wait_for_service(Duration::from_millis(10)));
    let (seen, infos) = channel();
    let service = node(&serving, "adder")
        .create_service::<AddTwoInts>("add", QOS, move |request, info| {
            seen.send(info).unwrap();
            Response {
                sum: request.a + request.b,
            }
        })
        .unwrap();
    assert!(client.wait_for_service(SOON));
    assert!(client.service_is_ready());
    assert_eq!(client.server_count(), 1);
    for number in 1..=3 {
        let request = Request { a: number, b: 40 };
        let response = client.call(&request, SOON).unwrap();
        assert_eq!(response.sum, 40 + number);
        let info = infos.recv_timeout(SOON).unwrap();
        assert_eq!(
            (info.sequence_number, info.client_gid),
            (number, client.gid())
        );
        assert!(info.source_timestamp.is_some());
    }
    let asynchronous = client.call_async_timeout(&Request { a: 1, b: 2 }, SOON);
    assert_eq!(block_on(asynchronous).unwrap().sum, 3);
    eventually("all are counted", || service.stats().answered == 4);
    let stats = service.stats();
    assert_eq!((stats.received, stats.unanswered), (4, 0));
    assert_eq!((stats.malformed, stats.dropped), (0, 0));
    drop(service);
    eventually("the service is gone", || !client.service_is_ready());
    let error = client.call(&Request { a: 1, b: 2 }, SOON).unwrap_err();
    assert!(matches!(error, Error::NoServer { .. }), "{error}");
}

#[test]
fn many_calls_are_under_way_and_answered_in_any_order() {
    let node = ours(49);
    let service = node.create_polled_service::<AddTwoInts>("add", QosProfile::default().keep_all());
    let service = service.unwrap();
    let client = ready_client(&node);
    let calls: Vec<_> = (0..50)
        .map(|a| client.call_async(&Request { a, b: 1000 }))
        .collect();
    let mut requests: Vec<_> = (0..50)
        .map(|_| service.recv_timeout(SOON).unwrap().unwrap())
        .collect();
    assert!(service.try_recv().unwrap().is_none());
    requests.reverse();
    // Answers come from other threads than the one that took the requests.
    std::thread::spawn(move || {
        for asked in requests {
            let sum = asked.request.a + asked.request.b;
            asked.responder.respond(&Response { sum }).unwrap();
        }
    });
    for (call, expected) in calls.into_iter().zip(1000..) {
        assert_eq!(call.wait().unwrap().sum, expected);
    }
}

#[test]
fn an_asynchronous_server_takes_requests_as_futures() {
    let node = ours(50);
    let service = node
        .create_polled_service::<AddTwoInts>("add", QOS)
        .unwrap();
    let client = ready_client(&node);
    let server = std::thread::spawn(move || {
        block_on(async {
            let asked = service.recv_async().await.unwrap();
            asked.responder.respond(&Response { sum: 7 }).unwrap();
        });
    });
    let response = client.call(&Request { a: 3, b: 4 }, SOON).unwrap();
    assert_eq!(response.sum, 7);
    server.join().unwrap();
}

#[test]
fn a_wait_set_tells_of_requests() {
    let node = ours(61);
    let service = node
        .create_polled_service::<AddTwoInts>("add", QOS)
        .unwrap();
    let client = ready_client(&node);
    let mut set = WaitSet::new();
    let key = set.add(&service);
    assert_eq!(set.wait(Duration::ZERO), []);
    let call = client.call_async(&Request { a: 1, b: 2 });
    assert_eq!(set.wait(SOON), [key]);
    let asked = service.try_recv().unwrap().expect("it is there");
    asked.responder.respond(&Response { sum: 3 }).unwrap();
    assert_eq!(block_on(call).unwrap().sum, 3);
    assert_eq!(set.wait(Duration::ZERO), []);
}

#[test]
fn callbacks_may_call_other_services() {
    let node = ours(51);
    let inner = node.create_service::<AddTwoInts>("inner", QOS, |request, _| Response {
        sum: request.a + request.b,
    });
    let _inner = inner.unwrap();
    let asker = node.create_client::<AddTwoInts>("inner", QOS).unwrap();
    assert!(asker.wait_for_service(SOON));
    let _outer = node
        .create_service::<AddTwoInts>("add", QOS, move |request, _| {
            let inner = asker.call(&request, SOON).unwrap();
            Response { sum: inner.sum * 2 }
        })
        .unwrap();
    let client = ready_client(&node);
    let response = client.call(&Request { a: 2, b: 3 }, SOON).unwrap();
    assert_eq!(response.sum, 10);
}

#[test]
fn callbacks_run_side_by_side_and_end_with_their_service() {
    let node = ours(54);
    let meet = Arc::new(Barrier::new(2));
    let services: Vec<_> = ["one", "two"]
        .into_iter()
        .map(|name| {
            let meet = Arc::clone(&meet);
            node.create_service::<AddTwoInts>(name, QOS, move |_, _| {
                meet.wait();
                Response { sum: 0 }
            })
            .unwrap()
        })
        .collect();
    let calls: Vec<_> = ["one", "two"]
        .into_iter()
        .map(|name| {
            let client = node.create_client::<AddTwoInts>(name, QOS).unwrap();
            assert!(client.wait_for_service(SOON));
            client.call_async(&Request { a: 0, b: 0 })
        })
        .collect();
    for call in calls {
        assert_eq!(block_on(call).unwrap().sum, 0);
    }
    drop(services);
    assert_eq!(Arc::strong_count(&meet), 1);
}

#[test]
fn buffers_in_services_are_bytes() {
    let node = ours(55);
    let service = node.create_service::<Echo>("echo", QOS, |request, _| EchoResponse {
        data: request.data,
    });
    let _service = service.unwrap();
    let client = node.create_client::<Echo>("echo", QOS).unwrap();
    assert!(client.wait_for_service(SOON));
    let request = EchoRequest {
        data: Buffer::from(vec![7; 100_000]),
    };
    let response = client.call(&request, SOON).unwrap();
    assert_eq!(response.data, request.data);
    assert_eq!(response.data.backend_type(), "cpu");
}

fn ask(
    session: &Session,
    domain: u32,
    payload: Option<Vec<u8>>,
    beside: Option<Vec<u8>>,
) -> Receiver<Reply> {
    let (heard, replies) = channel();
    let mut query = session
        .get(key(domain))
        .target(QueryTarget::AllComplete)
        .consolidation(ConsolidationMode::None)
        .timeout(Duration::from_secs(600))
        .callback(move |reply| drop(heard.send(reply)));
    if let Some(payload) = payload {
        query = query.payload(payload);
    }
    query.attachment(beside).wait().unwrap();
    replies
}

#[test]
fn our_server_as_a_client_in_cpp_sees_it() {
    let domain = domain(56);
    let (foreign, context) = foreign_and_ours(domain);
    let (told, tokens) = channel();
    foreign
        .liveliness()
        .declare_subscriber(format!("@ros2_lv/{domain}/*/*/*/SS/**"))
        .history(true)
        .callback(move |sample| drop(told.send(sample.key_expr().to_string())))
        .background()
        .wait()
        .unwrap();
    let service = node(&context, "adder")
        .create_service::<AddTwoInts>("add", QOS, |request, _| Response {
            sum: request.a + request.b,
        })
        .unwrap();
    let id = context.zenoh_session().zid();
    assert_eq!(
        tokens.recv_timeout(SOON).unwrap(),
        format!(
            "@ros2_lv/{domain}/{id}/0/1/SS/%/%/adder/%add/example_interfaces::srv::dds_::AddTwoInts_/{HASH}/::,10:,:,:,,"
        )
    );
    let gid = [0xA5; 16];
    let request = payload(&[2, 3]);
    let mut replies = None;
    eventually("the server is reached", || {
        let asked = ask(
            &foreign,
            domain,
            Some(request.clone()),
            Some(attachment(17, 99, gid)),
        );
        let reply = asked.recv_timeout(Duration::from_millis(500)).ok();
        replies = reply.map(|reply| (reply, asked));
        replies.is_some()
    });
    let (reply, rest) = replies.unwrap();
    let sample = reply.into_result().unwrap();
    assert_eq!(sample.key_expr().as_str(), key(domain));
    assert_eq!(*sample.payload().to_bytes(), payload(&[5]));
    let beside = sample.attachment().unwrap().to_bytes();
    assert_eq!(beside.len(), 33);
    assert_eq!(beside[..8], 17_i64.to_le_bytes());
    assert_ne!(beside[8..16], 99_i64.to_le_bytes(), "the answer's own time");
    assert_eq!(beside[16], 16);
    assert_eq!(beside[17..], gid);
    assert!(
        matches!(rest.recv_timeout(SOON), Err(RecvTimeoutError::Disconnected)),
        "one answer, then the end"
    );

    let received = service.stats().received;
    for (bad, payload, beside) in [
        ("no payload", None, Some(attachment(1, 1, gid))),
        (
            "cut off",
            Some(request[..19].to_vec()),
            Some(attachment(2, 1, gid)),
        ),
        ("no attachment", Some(request.clone()), None),
        ("short", Some(request.clone()), Some(vec![0; 32])),
    ] {
        let replies = ask(&foreign, domain, payload, beside);
        let reply = replies.recv_timeout(SOON).unwrap();
        assert!(reply.into_result().is_err(), "{bad}");
    }
    let stats = service.stats();
    assert_eq!((stats.received - received, stats.malformed), (4, 4));
    assert!(stats.last_malformed.unwrap().contains("32 bytes"));
}

#[test]
fn our_client_as_a_server_in_cpp_sees_it() {
    let domain = domain(57);
    let (foreign, context) = foreign_and_ours(domain);
    let client = client(&node(&context, "asker"));
    let (heard, queries) = channel::<Query>();
    let _queryable = foreign
        .declare_queryable(key(domain))
        .complete(true)
        .callback(move |query| drop(heard.send(query)))
        .wait()
        .unwrap();
    let token = format!(
        "@ros2_lv/{domain}/{}/0/10/SS/%/%/adder/%add/example_interfaces::srv::dds_::AddTwoInts_/{HASH}/::,10:,:,:,,",
        foreign.zid(),
    );
    let _token = foreign.liveliness().declare_token(token).wait().unwrap();
    assert!(client.wait_for_service(SOON));
    let own = format!(
        "@ros2_lv/{domain}/{}/0/1/SC/%/%/asker/%add/example_interfaces::srv::dds_::AddTwoInts_/{HASH}/::,10:,:,:,,",
        context.zenoh_session().zid(),
    );
    assert_eq!(client.gid(), Gid::of_token(&own));

    let answer = |call: &dyn Fn(&Query)| {
        let under_way = client.call_async(&Request { a: 2, b: -3 });
        let query = queries.recv_timeout(SOON).unwrap();
        assert_eq!(query.key_expr().as_str(), key(domain));
        assert_eq!(*query.payload().unwrap().to_bytes(), payload(&[2, -3]));
        let beside = query.attachment().unwrap().to_bytes();
        assert_eq!((beside.len(), beside[16]), (33, 16));
        assert_eq!(beside[17..], client.gid().0);
        call(&query);
        let number = i64::from_le_bytes(beside[..8].try_into().unwrap());
        drop(query);
        (number, under_way.wait())
    };
    // Fast CDR leaves what the heap held behind the message.
    let with_tail = [payload(&[-1]), vec![0xEE; 4]].concat();
    let (number, response) = answer(&|query| {
        let beside = attachment(1, 5, client.gid().0);
        let reply = query.reply(key(domain), with_tail.clone());
        reply.attachment(beside).wait().unwrap();
    });
    assert_eq!((number, response.unwrap().sum), (1, -1));
    let (number, response) =
        answer(&|query| query.reply(key(domain), vec![0, 1, 0]).wait().unwrap());
    assert_eq!(number, 2);
    assert!(
        matches!(response, Err(Error::Response { .. })),
        "{response:?}"
    );
    let (_, response) = answer(&|query| query.reply_err("not today").wait().unwrap());
    assert!(
        matches!(&response, Err(Error::ServerError { reason, .. }) if reason == "not today"),
        "{response:?}"
    );
    // Zenoh's word for a query that took too long, long before it did.
    let (_, response) = answer(&|query| query.reply_err("Timeout").wait().unwrap());
    assert!(
        matches!(&response, Err(Error::ServerError { reason, .. }) if reason == "Timeout"),
        "{response:?}"
    );
    let (_, response) = answer(&|_| {});
    assert!(
        matches!(response, Err(Error::NoAnswer { .. })),
        "{response:?}"
    );

    // The server dies with the request in its hands.
    let under_way = client.call_async_timeout(&Request { a: 0, b: 0 }, SOON);
    let query = queries.recv_timeout(SOON).unwrap();
    foreign.close().wait().unwrap();
    let response = under_way.wait();
    assert!(
        matches!(
            response,
            Err(Error::NoAnswer { .. } | Error::NoServer { .. })
        ),
        "{response:?}"
    );
    drop(query);
}

#[test]
fn a_single_threaded_tokio_runtime_minds_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let node = ours(60);
        let service = node.create_polled_service::<AddTwoInts>("add", QOS);
        let service = service.unwrap();
        let client = ready_client(&node);
        let server = tokio::spawn(async move {
            let asked = service.recv_async().await.unwrap();
            let sum = asked.request.a + asked.request.b;
            asked.responder.respond(&Response { sum }).unwrap();
            service.stats().answered
        });
        let response = client.call_async(&Request { a: 1, b: 2 }).await;
        assert_eq!(response.unwrap().sum, 3);
        assert_eq!(server.await.unwrap(), 1);
        let called_back = node.create_service::<AddTwoInts>("add", QOS, |_, _| Response { sum: 4 });
        let _called_back = called_back.unwrap();
        assert!(client.wait_for_service(SOON));
        let response = client.call(&Request { a: 1, b: 2 }, SOON);
        assert_eq!(response.unwrap().sum, 4);
    });
}
