//! Publishers and subscriptions of one context: messages go as they are, beside those that go to others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{any::Any, sync::Arc};

use common::{
    Frame, SOON, builder, domain, eventually, foreign_and_ours_with,
    mailbox::{MAILBOX, Mailbox, paper},
    watch,
};
use rosidl_buffer_runtime::{Buffer, BufferError, BufferMessage, Storage};
use rosidl_buffer_zenoh::{
    Context, Error, Fallback, Node, PublisherOptions, QosProfile, Subscription,
    SubscriptionOptions, zenoh::Wait as _,
};

/// Memory of the mailbox that nobody can read.
struct Sealed;

impl Storage for Sealed {
    fn backend_type(&self) -> &str {
        MAILBOX
    }
    fn byte_len(&self) -> usize {
        10
    }
    fn host_bytes(&self) -> Option<&[u8]> {
        None
    }
    fn copy_to_host(&self, _out: &mut [u8]) -> Result<(), BufferError> {
        Err(BufferError::Backend {
            backend: MAILBOX.to_owned(),
            operation: "copy".to_owned(),
            cause: "sealed".into(),
        })
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The ROS type of `Frame`, in another Rust type.
#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "demo_msgs", name = "Frame")]
struct Picture {
    number: u32,
    data: Buffer<u8>,
}

fn context(test: u32, mailbox: &Arc<Mailbox>) -> Context {
    let context = builder(domain(test)).backends(mailbox.registry());
    context.build().unwrap()
}

fn patient() -> SubscriptionOptions {
    SubscriptionOptions::from(QosProfile::default().keep_last(1000))
}

fn frames(node: &Node, options: SubscriptionOptions) -> Subscription<Frame> {
    node.create_subscription("frames", options).unwrap()
}

fn next(subscription: &Subscription<Frame>) -> Frame {
    let received = subscription.recv_timeout(SOON).unwrap();
    received.expect("a frame").message
}

#[test]
fn the_message_itself_arrives_and_nothing_is_encoded() {
    let mailbox = Mailbox::new();
    let node = context(0, &mailbox).create_node("node").unwrap();
    let publisher = node
        .create_publisher("frames", QosProfile::default())
        .unwrap();
    let subscriptions = [frames(&node, patient()), frames(&node, patient())];
    // Encoding would fail, and nobody has to wait for discovery.
    for number in 0..5 {
        let data = Buffer::from_storage(Arc::new(Sealed)).unwrap();
        let sent = Frame { number, data };
        publisher.publish(&sent).unwrap();
        for subscription in &subscriptions {
            let received = subscription.try_recv().unwrap().expect("it is there");
            assert_eq!(received.message.number, number);
            let same = Arc::ptr_eq(
                received.message.data.storage().unwrap(),
                sent.data.storage().unwrap(),
            );
            assert!(same, "shared, not copied");
            assert_eq!(received.info.publisher_gid, Some(publisher.gid()));
            let sequence_number = received.info.publication_sequence_number;
            assert_eq!(sequence_number, Some(i64::from(number) + 1));
        }
    }
    let stats = publisher.stats();
    assert_eq!((stats.published, stats.intra_process), (5, 10));
    assert!(
        stats.described.is_empty() && stats.fallbacks.is_empty(),
        "{stats:?}"
    );
    let stats = subscriptions[0].stats();
    assert_eq!((stats.received, stats.intra_process, stats.lost), (5, 5, 0));
    assert_eq!(mailbox.waiting(), 0);
}

#[test]
fn memory_that_is_not_accepted_comes_as_host_memory() {
    let mailbox = Mailbox::new();
    let node = context(1, &mailbox).create_node("node").unwrap();
    let publisher = node
        .create_publisher("frames", QosProfile::default())
        .unwrap();
    let taking = frames(&node, patient());
    let bytes = frames(&node, patient().acceptable_buffer_backends("cpu"));
    let data = paper(vec![5; 6000]);
    publisher.publish(&Frame { number: 1, data }).unwrap();
    assert_eq!(next(&taking).data.backend_type(), MAILBOX);
    let copied = next(&bytes);
    assert_eq!(copied.data.backend_type(), "cpu");
    assert_eq!(copied.data, vec![5; 6000]);
    let stats = publisher.stats();
    assert_eq!(stats.fallbacks[&Fallback::NotAccepted], 1);

    // What cannot be copied is an error of the next message, because the others need not wait for that.
    let data = Buffer::from_storage(Arc::new(Sealed)).unwrap();
    publisher.publish(&Frame { number: 2, data }).unwrap();
    assert_eq!(next(&taking).number, 2);
    eventually("it has failed", || publisher.stats().failed == 1);
    let data = paper(vec![5; 6000]);
    let error = publisher.publish(&Frame { number: 3, data }).unwrap_err();
    assert!(matches!(error, Error::Earlier { .. }), "{error}");
    assert!(error.to_string().contains("could not copy"), "{error}");
    assert_eq!((next(&taking).number, next(&bytes).number), (3, 3));

    // Nobody else takes it.
    drop(taking);
    let data = Buffer::from_storage(Arc::new(Sealed)).unwrap();
    let error = publisher.publish(&Frame { number: 4, data }).unwrap_err();
    assert!(matches!(error, Error::Encode { .. }), "{error}");
    assert!(bytes.try_recv().unwrap().is_none());
}

#[test]
fn all_kinds_of_subscriptions_get_each_message_once_and_in_order() {
    let mailbox = Mailbox::new();
    let (here, there) = (context(2, &mailbox), context(2, &mailbox));
    let (node, other) = (
        here.create_node("here").unwrap(),
        there.create_node("there").unwrap(),
    );
    let publisher = node
        .create_publisher("frames", QosProfile::default().keep_all())
        .unwrap();
    let subscriptions = [
        frames(&node, patient()),
        frames(&node, patient().acceptable_buffer_backends("cpu")),
        frames(&node, patient().use_intra_process(false)),
        frames(&other, patient()),
        frames(&other, patient().acceptable_buffer_backends("cpu")),
    ];
    let picture = node
        .create_subscription::<Picture>("frames", patient())
        .unwrap();
    eventually("all are known", || publisher.subscription_count() == 6);
    assert!(publisher.wait_for_backend(MAILBOX, SOON));
    let probe = Frame {
        number: u32::MAX,
        data: Buffer::new(),
    };
    eventually("all are reached", || {
        publisher.publish(&probe).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        picture.stats().received > 0 && subscriptions.iter().all(|it| it.stats().received > 0)
    });
    for number in 0..60 {
        let data = match number % 3 {
            0 => vec![1; 5000].into(),
            _ => paper(vec![2; 5000]),
        };
        publisher.publish(&Frame { number, data }).unwrap();
    }
    let numbers = |next: &dyn Fn() -> u32| -> Vec<u32> {
        let mut number = next();
        while number == u32::MAX {
            number = next();
        }
        std::iter::once(number)
            .chain((1..60).map(|_| next()))
            .collect()
    };
    let expected: Vec<u32> = (0..60).collect();
    for subscription in &subscriptions {
        assert_eq!(numbers(&|| next(subscription).number), expected);
        assert!(subscription.try_recv().unwrap().is_none());
        let stats = subscription.stats();
        assert_eq!((stats.lost, stats.dropped, stats.buffers_lost), (0, 0, 0));
    }
    let next_picture = || picture.recv_timeout(SOON).unwrap().unwrap().message.number;
    assert_eq!(numbers(&next_picture), expected);
    let ways = [true, true, false, false, false];
    for (subscription, is_intra_process) in subscriptions.iter().zip(ways) {
        let stats = subscription.stats();
        assert_eq!(stats.intra_process > 0, is_intra_process, "{stats:?}");
    }
    assert_eq!(picture.stats().intra_process, 0);
    eventually("no descriptor is left over", || mailbox.waiting() == 0);
}

#[test]
fn a_plain_zenoh_program_sees_what_goes_to_the_same_context_too() {
    let (domain, mailbox) = (domain(3), Mailbox::new());
    let (foreign, ours) = foreign_and_ours_with(domain, mailbox.registry());
    let node = ours.create_node("node").unwrap();
    let publisher = node
        .create_publisher("frames", QosProfile::default())
        .unwrap();
    let subscription = frames(&node, patient());
    let seen = watch(&foreign, &format!("{domain}/frames/**"));
    let mut count = 0;
    eventually("it is seen", || {
        let data = vec![3; 100].into();
        let number = count;
        publisher.publish(&Frame { number, data }).unwrap();
        count += 1;
        seen.recv_timeout(std::time::Duration::from_millis(20))
            .is_ok()
    });
    for number in 0..count {
        assert_eq!(next(&subscription).number, number);
    }
    let stats = subscription.stats();
    let counts = (stats.received, stats.intra_process, stats.duplicates);
    assert_eq!(counts, (u64::from(count), u64::from(count), 0));
    // Without Zenoh there is nobody any more.
    ours.zenoh_session().close().wait().unwrap();
    let data = Buffer::new();
    let after = publisher.publish(&Frame { number: 0, data });
    assert!(matches!(after, Err(Error::Publish { .. })), "{after:?}");
}

#[test]
fn a_publisher_that_is_told_so_goes_over_zenoh() {
    let mailbox = Mailbox::new();
    let node = context(4, &mailbox).create_node("node").unwrap();
    let options = PublisherOptions::default().use_intra_process(false);
    let publisher = node.create_publisher("frames", options).unwrap();
    let subscription = frames(&node, patient());
    assert!(publisher.wait_for_subscription(SOON));
    let data = vec![9; 100].into();
    publisher.publish(&Frame { number: 1, data }).unwrap();
    assert_eq!(next(&subscription).number, 1);
    assert_eq!(publisher.stats().intra_process, 0);
    assert_eq!(subscription.stats().intra_process, 0);
}

#[test]
fn what_a_dropped_subscription_had_is_free() {
    let mailbox = Mailbox::new();
    let node = context(5, &mailbox).create_node("node").unwrap();
    let publisher = node
        .create_publisher("frames", QosProfile::default())
        .unwrap();
    let subscription = frames(&node, patient());
    let sent = Frame {
        number: 1,
        data: paper(vec![1; 10]),
    };
    publisher.publish(&sent).unwrap();
    let storage = sent.data.storage().unwrap();
    assert_eq!(Arc::strong_count(storage), 2);
    drop(subscription);
    assert_eq!(Arc::strong_count(storage), 1);
    publisher.publish(&sent).unwrap();
    assert_eq!(publisher.stats().intra_process, 1);
}
