//! Publishers and subscriptions of ours in one process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    sync::mpsc::channel,
    time::{Duration, SystemTime},
};

use common::{Frame, SOON, Text, block_on, builder, domain, eventually, text};
use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_zenoh::{
    CallbackSubscription, Context, Error, Node, Publisher, QosProfile, Subscription,
    zenoh::Wait as _,
};

fn node(test: u32) -> Node {
    builder(domain(test))
        .build()
        .unwrap()
        .create_node("node")
        .unwrap()
}

fn pair(node: &Node, qos: QosProfile) -> (Publisher<Text>, Subscription<Text>) {
    let subscription = node.create_subscription("chatter", qos).unwrap();
    let publisher = node.create_publisher("chatter", qos).unwrap();
    assert!(publisher.wait_for_subscription(SOON));
    (publisher, subscription)
}

#[test]
fn a_message_and_its_info_arrive() {
    let node = node(0);
    let (publisher, subscription) = pair(&node, QosProfile::default());
    let before = SystemTime::now();
    publisher.publish(&text("hello")).unwrap();
    publisher.publish(&text("world")).unwrap();
    let first = subscription.recv_timeout(SOON).unwrap().unwrap();
    assert_eq!(first.message.data, "hello");
    assert_eq!(first.info.publisher_gid, Some(publisher.gid()));
    assert_eq!(first.info.publication_sequence_number, Some(1));
    let sent = first.info.source_timestamp.unwrap();
    let clock_grain = Duration::from_millis(1);
    assert!(sent + clock_grain >= before && sent <= first.info.received_timestamp + clock_grain);
    let second = subscription.recv().unwrap();
    assert_eq!(
        (
            second.message.data.as_str(),
            second.info.publication_sequence_number
        ),
        ("world", Some(2))
    );
    assert_eq!(subscription.try_recv().unwrap(), None);
    assert_eq!(
        subscription
            .recv_timeout(Duration::from_millis(10))
            .unwrap(),
        None
    );
    let stats = subscription.stats();
    assert_eq!(
        (stats.received, stats.lost, stats.dropped, stats.undecodable),
        (2, 0, 0, 0)
    );
    assert_eq!(stats.publishers[&publisher.gid()].received, 2);
}

/// Nobody takes such messages but over the topic's own key, which a publisher remembers; here that changes twice.
#[test]
fn a_subscription_of_the_context_is_noticed_when_it_comes_and_when_it_goes() {
    let node = node(18);
    let qos = QosProfile::default();
    let publisher = node.create_publisher("chatter", qos).unwrap();
    for _ in 0..3 {
        publisher.publish(&text("nobody")).unwrap();
    }
    for round in 1..3 {
        let subscription = node.create_subscription::<Text>("chatter", qos).unwrap();
        publisher.publish(&text("heard")).unwrap();
        let heard = subscription
            .try_recv()
            .unwrap()
            .expect("it is here at once");
        assert_eq!(heard.message, text("heard"));
        drop(subscription);
        publisher.publish(&text("nobody")).unwrap();
        let stats = publisher.stats();
        assert_eq!(
            (stats.published, stats.intra_process),
            (3 + 2 * round, round)
        );
    }
}

#[test]
fn large_messages_arrive_whole() {
    let node = node(1);
    let subscription = node
        .create_subscription::<Frame>("frames", QosProfile::default())
        .unwrap();
    let publisher = node
        .create_publisher::<Frame>("frames", QosProfile::default())
        .unwrap();
    assert!(publisher.wait_for_subscription(SOON));
    let data: Vec<u8> = (0..3_000_000_u32).map(|i| i.to_le_bytes()[0]).collect();
    let frame = Frame {
        number: 1,
        data: Buffer::from(data),
    };
    publisher.publish(&frame).unwrap();
    assert_eq!(
        subscription.recv_timeout(SOON).unwrap().unwrap().message,
        frame
    );
}

#[test]
fn the_queue_keeps_the_newest_and_counts_the_rest() {
    let node = node(2);
    let (publisher, subscription) = pair(&node, QosProfile::default().keep_last(3));
    for number in 0..10 {
        publisher.publish(&text(number.to_string())).unwrap();
    }
    eventually("all have arrived", || subscription.stats().received == 10);
    let kept: Vec<String> = std::iter::from_fn(|| subscription.try_recv().unwrap())
        .map(|received| received.message.data)
        .collect();
    assert_eq!(kept, ["7", "8", "9"]);
    let stats = subscription.stats();
    assert_eq!((stats.dropped, stats.lost), (7, 0));
}

#[test]
fn keep_all_keeps_all() {
    let node = node(3);
    let (publisher, subscription) = pair(&node, QosProfile::default().keep_all());
    for number in 0..500 {
        publisher.publish(&text(number.to_string())).unwrap();
    }
    for number in 0..500 {
        let received = subscription.recv_timeout(SOON).unwrap().unwrap();
        assert_eq!(received.message.data, number.to_string());
    }
    assert_eq!(subscription.stats().dropped, 0);
}

#[test]
fn callbacks_run_on_a_thread_of_their_own_and_survive_a_panic() {
    let node = node(4);
    let (heard, inbox) = channel();
    let subscription: CallbackSubscription<Text> = node
        .create_subscription_with_callback(
            "chatter",
            QosProfile::default(),
            move |message: Text, info| {
                assert_ne!(message.data, "panic", "as the test wants");
                heard
                    .send((
                        message.data,
                        info.publication_sequence_number,
                        std::thread::current().id(),
                    ))
                    .unwrap();
            },
        )
        .unwrap();
    let publisher = node
        .create_publisher::<Text>("chatter", QosProfile::default())
        .unwrap();
    assert!(publisher.wait_for_subscription(SOON));
    for data in ["a", "panic", "b"] {
        publisher.publish(&text(data)).unwrap();
    }
    let (data, number, thread) = inbox.recv_timeout(SOON).unwrap();
    assert_eq!((data.as_str(), number), ("a", Some(1)));
    assert_ne!(thread, std::thread::current().id());
    assert_eq!(
        inbox.recv_timeout(SOON).unwrap(),
        ("b".to_owned(), Some(3), thread)
    );
    assert_eq!(subscription.publisher_count(), 1);
    drop(subscription);
    eventually("the subscription is gone", || {
        publisher.subscription_count() == 0
    });
    assert!(
        inbox.recv_timeout(SOON).is_err(),
        "the callback is dropped with its subscription"
    );
}

#[test]
fn async_receive_needs_no_executor_of_ours() {
    let node = node(5);
    let (publisher, subscription) = pair(&node, QosProfile::default());
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| block_on(subscription.recv_async()).unwrap());
        std::thread::sleep(Duration::from_millis(50));
        publisher.publish(&text("woken")).unwrap();
        assert_eq!(reader.join().unwrap().message.data, "woken");
    });
    publisher.publish(&text("there already")).unwrap();
    eventually("it has arrived", || subscription.stats().received == 2);
    assert_eq!(
        block_on(subscription.recv_async()).unwrap().message.data,
        "there already"
    );
}

#[test]
fn a_single_threaded_tokio_runtime_minds_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let node = node(6);
        let qos = QosProfile::default().transient_local();
        let (publisher, subscription) = pair(&node, qos);
        publisher.publish(&text("in tokio")).unwrap();
        assert_eq!(
            subscription.recv_async().await.unwrap().message.data,
            "in tokio"
        );
        // Everything is dropped in here, too.
    });
}

#[test]
fn late_joiners_of_transient_local_get_the_last_samples() {
    for (test, qos) in [
        (7, QosProfile::default()),
        (8, QosProfile::default().best_effort()),
    ] {
        let qos = qos.transient_local().keep_last(2);
        let node = node(test);
        let publisher = node.create_publisher::<Text>("map", qos).unwrap();
        for data in ["one", "two", "three"] {
            publisher.publish(&text(data)).unwrap();
        }
        let late = node.create_subscription::<Text>("map", qos).unwrap();
        for data in ["two", "three"] {
            assert_eq!(late.recv_timeout(SOON).unwrap().unwrap().message.data, data);
        }
        publisher.publish(&text("four")).unwrap();
        let fourth = late.recv_timeout(SOON).unwrap().unwrap();
        assert_eq!(
            (
                fourth.message.data.as_str(),
                fourth.info.publication_sequence_number
            ),
            ("four", Some(4))
        );
        assert_eq!(late.stats().lost, 0);
        let volatile = node
            .create_subscription::<Text>("map", qos.volatile())
            .unwrap();
        assert_eq!(
            volatile.recv_timeout(Duration::from_millis(100)).unwrap(),
            None
        );
    }
}

#[test]
fn counts_follow_endpoints_and_types() {
    let context = builder(domain(9)).build().unwrap();
    let node = context.create_node("node").unwrap();
    let publisher = node
        .create_publisher::<Text>("chatter", QosProfile::default())
        .unwrap();
    assert_eq!(publisher.subscription_count(), 0);
    assert!(!publisher.wait_for_subscription(Duration::from_millis(10)));
    let other = context
        .node_builder("other")
        .namespace("ns")
        .build()
        .unwrap();
    let matching = other
        .create_subscription::<Text>("/chatter", QosProfile::sensor_data())
        .unwrap();
    let wrong_topic = other
        .create_subscription::<Text>("chatter", QosProfile::default())
        .unwrap();
    let wrong_type = other
        .create_subscription::<Frame>("/chatter", QosProfile::default())
        .unwrap();
    assert_eq!(wrong_topic.topic_name(), "/ns/chatter");
    assert!(publisher.wait_for_subscription(SOON));
    eventually("the count is right", || publisher.subscription_count() == 1);
    assert_eq!(
        (
            matching.publisher_count(),
            wrong_topic.publisher_count(),
            wrong_type.publisher_count()
        ),
        (1, 0, 0)
    );
    drop(matching);
    eventually("it is gone", || publisher.subscription_count() == 0);
}

#[test]
fn domains_do_not_hear_each_other() {
    let here = node(10);
    let there = node(11);
    let (publisher, subscription) = pair(&here, QosProfile::default());
    let elsewhere = there
        .create_subscription::<Text>("chatter", QosProfile::default())
        .unwrap();
    publisher.publish(&text("here")).unwrap();
    assert_eq!(
        subscription
            .recv_timeout(SOON)
            .unwrap()
            .unwrap()
            .message
            .data,
        "here"
    );
    assert_eq!(publisher.subscription_count(), 1);
    assert_eq!(elsewhere.publisher_count(), 0);
    assert_eq!(
        elsewhere.recv_timeout(Duration::from_millis(100)).unwrap(),
        None
    );
}

#[test]
fn two_contexts_of_one_process_find_each_other() {
    let (one, two) = (node(12), node(12));
    let subscription = two
        .create_subscription::<Text>("chatter", QosProfile::default())
        .unwrap();
    let publisher = one
        .create_publisher::<Text>("chatter", QosProfile::default())
        .unwrap();
    assert!(publisher.wait_for_subscription(SOON));
    publisher.publish(&text("hello")).unwrap();
    assert_eq!(
        subscription
            .recv_timeout(SOON)
            .unwrap()
            .unwrap()
            .message
            .data,
        "hello"
    );
}

#[test]
fn multicast_on_the_loopback_interface_is_a_fallback_that_works() {
    let context = || {
        builder(domain(16))
            .local_discovery(false)
            .zenoh_setting("scouting/multicast/enabled", "true")
            .build()
            .unwrap()
    };
    let (one, two) = (
        context().create_node("one").unwrap(),
        context().create_node("two").unwrap(),
    );
    let subscription = two
        .create_subscription::<Text>("chatter", QosProfile::default())
        .unwrap();
    let publisher = one
        .create_publisher::<Text>("chatter", QosProfile::default())
        .unwrap();
    assert!(publisher.wait_for_subscription(SOON));
    publisher.publish(&text("hello")).unwrap();
    assert_eq!(
        subscription
            .recv_timeout(SOON)
            .unwrap()
            .unwrap()
            .message
            .data,
        "hello"
    );
}

#[test]
fn without_discovery_nobody_is_found() {
    let context = || builder(domain(17)).local_discovery(false).build().unwrap();
    let (one, two) = (
        context().create_node("one").unwrap(),
        context().create_node("two").unwrap(),
    );
    let _subscription = two
        .create_subscription::<Text>("chatter", QosProfile::default())
        .unwrap();
    let publisher = one
        .create_publisher::<Text>("chatter", QosProfile::default())
        .unwrap();
    assert!(!publisher.wait_for_subscription(Duration::from_millis(300)));
}

#[test]
fn publishing_from_many_threads_keeps_order_and_numbers() {
    let node = node(13);
    let (publisher, subscription) = pair(&node, QosProfile::default().keep_all());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..100).for_each(|_| publisher.publish(&text("x")).unwrap()));
        }
    });
    for number in 1..=400 {
        let received = subscription.recv_timeout(SOON).unwrap().unwrap();
        assert_eq!(received.info.publication_sequence_number, Some(number));
    }
    assert_eq!(subscription.stats().lost, 0);
}

#[test]
fn wrong_names_and_settings_are_refused() {
    let context = builder(domain(14)).build().unwrap();
    assert!(matches!(
        context.create_node("bad name"),
        Err(Error::Name(_))
    ));
    assert!(matches!(
        context.node_builder("n").namespace("/a//b").build(),
        Err(Error::Name(_))
    ));
    let conflict = context.node_builder("n").domain_id(3).build().unwrap_err();
    assert!(
        conflict.to_string().contains("asks for domain 3"),
        "{conflict}"
    );
    let node = context.create_node("n").unwrap();
    assert!(
        node.create_publisher::<Text>("/a/", QosProfile::default())
            .is_err()
    );
    let error = builder(domain(14))
        .zenoh_setting("listen/endpoints", r#"["tcp/203.0.113.1:9"]"#)
        .build()
        .unwrap_err();
    assert!(
        error.to_string().contains("session did not open"),
        "{error}"
    );
}

#[test]
fn handles_can_be_sent_and_shared() {
    fn check<T: Send + Sync>() {}
    check::<Context>();
    check::<Node>();
    check::<Publisher<Text>>();
    check::<Subscription<Text>>();
    check::<CallbackSubscription<Text>>();
    fn check_future(_: impl Future + Send) {}
    #[allow(dead_code, reason = "it only has to compile")]
    fn receiving(subscription: &Subscription<Text>) {
        check_future(subscription.recv_async());
    }
}

#[test]
fn readers_are_told_when_the_session_is_closed() {
    let node = node(15);
    let (publisher, subscription) = pair(&node, QosProfile::default());
    publisher.publish(&text("before")).unwrap();
    eventually("it has arrived", || subscription.stats().received == 1);
    std::thread::scope(|scope| {
        scope.spawn(|| node.context().zenoh_session().close().wait().unwrap());
        assert_eq!(subscription.recv().unwrap().message.data, "before");
        let closed = subscription.recv().unwrap_err();
        assert!(
            closed.to_string().contains("/chatter is closed"),
            "{closed}"
        );
        assert!(matches!(
            block_on(subscription.recv_async()),
            Err(Error::Closed { .. })
        ));
    });
    assert!(matches!(
        publisher.publish(&text("after")),
        Err(Error::Publish { .. })
    ));
}
