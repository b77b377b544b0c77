//! Loaned messages.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::{Arc, mpsc::channel};

use common::{
    Frame, SOON, builder, domain, eventually,
    mailbox::{MAILBOX, Mailbox, paper},
};
use rosidl_buffer_runtime::{BackendRegistry, Buffer, shm::ShmBackend};
use rosidl_buffer_zenoh::{Node, Publisher, PublisherOptions, QosProfile, SubscriptionOptions};

/// A node with shared memory of its own.
fn node(test: u32, shm: &ShmBackend) -> Node {
    let mut registry = BackendRegistry::new();
    registry.register(Arc::new(shm.clone())).unwrap();
    let context = builder(domain(test)).backends(registry).build().unwrap();
    context.create_node("node").unwrap()
}

fn publish(publisher: &Publisher<Frame>, number: u32, len: usize) {
    let mut loan = publisher.borrow_loaned_message();
    loan.number = number;
    loan.allocate(|frame| &mut frame.data, len)
        .fill(number.to_le_bytes()[0]);
    assert_eq!(loan.number, number);
    loan.publish().unwrap();
}

#[test]
fn loans_lie_where_the_subscriptions_take_them() {
    let limited = || ShmBackend::builder().max_bytes(4 << 20).build().unwrap();
    let (writer, reader) = (limited(), limited());
    let (camera, viewer) = (node(0, &writer), node(0, &reader));
    let publisher = camera
        .create_publisher::<Frame>("frames", QosProfile::default().keep_all())
        .unwrap();
    // Nobody is there who takes it: an ordinary message.
    publish(&publisher, 0, 5000);
    assert_eq!(writer.stats().blocks, 0);

    let all = SubscriptionOptions::from(QosProfile::default().keep_all());
    let subscription = viewer.create_subscription::<Frame>("frames", all).unwrap();
    assert!(publisher.wait_for_backend("shm", SOON));
    for number in 1..20 {
        publish(&publisher, number, 100_000);
    }
    // Several at a time.
    let frames: Vec<Frame> = (1..20)
        .map(|_| subscription.recv_timeout(SOON).unwrap().unwrap().message)
        .collect();
    for (number, frame) in (1..20).zip(&frames) {
        assert_eq!((frame.number, frame.data.backend_type()), (number, "shm"));
        assert_eq!(frame.data, vec![number.to_le_bytes()[0]; 100_000]);
    }
    // More than there is: an ordinary message.
    publish(&publisher, 20, 5 << 20);
    let large = subscription.recv_timeout(SOON).unwrap().unwrap().message;
    assert_eq!((large.number, large.data.len()), (20, 5 << 20));
    assert_eq!(large.data.backend_type(), "cpu");

    // What is not published is given back; the last memory of a field counts.
    let mut loan = publisher.borrow_loaned_message();
    loan.allocate(|frame| &mut frame.data, 10).fill(1);
    loan.allocate(|frame| &mut frame.data, 20).fill(2);
    let message = loan.into_message();
    assert_eq!(message.data, [2; 20]);
    assert_eq!(message.data.backend_type(), "shm");
    publisher.publish(&message).unwrap();
    publisher.publish(&message).unwrap();
    for _ in 0..2 {
        let received = subscription.recv_timeout(SOON).unwrap().unwrap().message;
        assert_eq!(received, message);
    }
    drop((message, frames));
    drop(publisher.borrow_loaned_message());
    eventually("all blocks are free", || {
        let stats = writer.stats();
        (stats.pending, stats.held, stats.blocks_free) == (0, 0, stats.blocks)
    });
}

#[test]
fn a_backend_that_was_asked_for_lends_before_anybody_is_there() {
    let shm = ShmBackend::new().unwrap();
    let node = node(1, &shm);
    for (backend, expected) in [("shm", "shm"), ("cpu", "cpu"), ("auto", "cpu")] {
        let options = PublisherOptions::default().buffer_backend(backend);
        let publisher = node.create_publisher::<Frame>("frames", options).unwrap();
        let mut loan = publisher.borrow_loaned_message();
        loan.allocate(|frame| &mut frame.data, 4).fill(3);
        let message = loan.into_message();
        assert_eq!(message.data.backend_type(), expected);
        assert_eq!(message.data, [3; 4]);
    }
}

#[test]
fn memory_of_the_publishers_own_comes_back_when_nobody_reads_it() {
    let shm = ShmBackend::new().unwrap();
    let node = node(2, &shm);
    let publisher = node
        .create_publisher::<Frame>("frames", QosProfile::default())
        .unwrap();
    let subscription = node
        .create_subscription::<Frame>("frames", QosProfile::default())
        .unwrap();
    let (free, back) = channel();
    let mine = vec![7_u8; 1000];
    let place = mine.as_ptr();
    let data = Buffer::from_owner(mine, move |owner| drop(free.send(owner)));
    publisher.publish(&Frame { number: 1, data }).unwrap();
    let received = subscription.recv_timeout(SOON).unwrap().unwrap().message;
    assert_eq!(received.data.as_slice().unwrap().as_ptr(), place);
    assert!(back.try_recv().is_err(), "it is being read");
    drop(received);
    let mine = back.try_recv().unwrap();
    assert_eq!(mine.as_ptr(), place);
}

#[test]
fn a_message_that_is_dropped_may_publish_on_its_publisher() {
    let shm = ShmBackend::new().unwrap();
    let node = node(3, &shm);
    let publisher = node
        .create_publisher::<Frame>("frames", QosProfile::default())
        .unwrap();
    let publisher = Arc::new(publisher);
    let last = node
        .create_subscription::<Frame>("frames", QosProfile::default().keep_last(1))
        .unwrap();
    let again = Arc::clone(&publisher);
    let data = Buffer::from_owner(vec![1; 10], move |_| {
        let data = vec![3; 10].into();
        again.publish(&Frame { number: 3, data }).unwrap();
    });
    publisher.publish(&Frame { number: 1, data }).unwrap();
    let data = vec![2; 10].into();
    // The first falls out of the queue here.
    publisher.publish(&Frame { number: 2, data }).unwrap();
    let received = last.recv_timeout(SOON).unwrap().unwrap().message;
    assert_eq!(received.number, 3);
    assert_eq!(last.stats().dropped, 2);
}

#[test]
fn memory_that_the_host_does_not_lend_is_made_only_where_somebody_takes_it() {
    let mailbox = Mailbox::new();
    let domain = domain(4);
    let node = |name| {
        let context = builder(domain).backends(mailbox.registry()).build();
        context.unwrap().create_node(name).unwrap()
    };
    let (camera, viewer) = (node("camera"), node("viewer"));
    let qos = QosProfile::default();
    let accepting = |names| SubscriptionOptions::from(qos).acceptable_buffer_backends(names);
    let publisher = camera.create_publisher::<Frame>("frames", qos).unwrap();
    let is_lent = |publisher: &Publisher<Frame>, backend| {
        let mut loan = publisher.borrow_loaned_message();
        let make = || Ok::<_, ()>((paper(vec![1; 5000]), "written here"));
        let lent = loan.allocate_with(|frame| &mut frame.data, backend, make);
        let written = lent.unwrap();
        let message = loan.into_message();
        let expected = if written.is_some() { MAILBOX } else { "cpu" };
        assert_eq!(message.data.backend_type(), expected);
        written == Some("written here")
    };
    assert!(!is_lent(&publisher, MAILBOX), "nobody is there");

    let bytes = viewer.create_subscription::<Frame>("frames", accepting("cpu"));
    let bytes = bytes.unwrap();
    assert!(publisher.wait_for_subscription(SOON));
    assert!(!is_lent(&publisher, MAILBOX), "it takes bytes only");

    // Here and elsewhere.
    let mine = camera.create_subscription::<Frame>("frames", accepting(MAILBOX));
    assert!(is_lent(&publisher, MAILBOX));
    drop(mine);
    assert!(!is_lent(&publisher, MAILBOX), "it is gone");
    let theirs = viewer
        .create_subscription::<Frame>("frames", accepting(MAILBOX))
        .unwrap();
    assert!(publisher.wait_for_backend(MAILBOX, SOON));
    assert!(is_lent(&publisher, MAILBOX));
    assert!(!is_lent(&publisher, "shm"), "the context does not have it");

    // What was lent is what is published, after whatever was there before.
    let mut loan = publisher.borrow_loaned_message();
    let data: fn(&mut Frame) -> &mut Buffer<u8> = |frame| &mut frame.data;
    loan.allocate(data, 7).fill(7);
    let failed = loan.allocate_with(data, MAILBOX, || Err::<(_, ()), _>("no paper"));
    assert_eq!(failed, Err("no paper"));
    let make = || Ok::<_, ()>((paper(vec![2; 5000]), ()));
    assert_eq!(loan.allocate_with(data, MAILBOX, make), Ok(Some(())));
    loan.publish().unwrap();
    for (subscription, backend) in [(&bytes, "cpu"), (&theirs, MAILBOX)] {
        let received = subscription.recv_timeout(SOON).unwrap().unwrap().message;
        assert_eq!(received.data.backend_type(), backend);
        assert_eq!(received.data, vec![2; 5000]);
    }

    let named = PublisherOptions::from(qos).buffer_backend(MAILBOX);
    let named = camera.create_publisher::<Frame>("others", named).unwrap();
    assert!(is_lent(&named, MAILBOX), "it was asked for");
    let cpu = PublisherOptions::from(qos).buffer_backend("cpu");
    let cpu = camera.create_publisher::<Frame>("frames", cpu).unwrap();
    assert!(cpu.wait_for_subscription(SOON));
    assert!(!is_lent(&cpu, MAILBOX), "it sends bytes only");
}
