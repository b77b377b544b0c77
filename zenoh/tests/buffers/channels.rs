//! What each subscription gets, and on which key, while all can be reached.

use std::sync::Arc;

use rosidl_buffer_runtime::{Buffer, BufferMessage, Message as _};
use rosidl_buffer_zenoh::{Fallback, QosProfile, key::Channel};

use crate::{
    common::{
        Frame, SOON, Text, builder, domain,
        mailbox::{MAILBOX, Mailbox, paper},
        text,
    },
    scene::{Scene, accepting, frame, is_descriptor, next, patient},
};

#[test]
fn each_subscription_gets_what_it_accepts_on_its_own_channel() {
    let scene = Scene::new(40);
    let (one, two) = (
        scene.subscribe(accepting(MAILBOX)),
        scene.subscribe(accepting("any")),
    );
    let (bytes, also_bytes) = (
        scene.subscribe(accepting("cpu")),
        scene.subscribe(accepting("")),
    );
    let sent = frame(3);
    scene.publisher.publish(&sent).unwrap();

    let passed = scene.passed();
    let mut keys = vec![
        scene.on(Channel::Buffer(one.gid())),
        scene.on(Channel::Buffer(two.gid())),
        scene.on(Channel::Cpu),
    ];
    keys.sort();
    assert_eq!(
        passed
            .iter()
            .map(|(key, _)| key.clone())
            .collect::<Vec<_>>(),
        keys
    );
    for (key, payload) in &passed {
        assert_eq!(is_descriptor(payload), key.contains("/_buf/"), "{key}");
        assert_eq!(payload[..4], [0, 1, 0, 0], "every payload has its header");
    }
    for subscription in [&one, &two] {
        let frame = next(subscription);
        assert_eq!(frame, sent);
        assert_eq!(frame.data.backend_type(), MAILBOX);
        let same = Arc::ptr_eq(frame.data.storage().unwrap(), sent.data.storage().unwrap());
        assert!(same, "handed over, not copied");
    }
    for subscription in [&bytes, &also_bytes] {
        let frame = next(subscription);
        assert_eq!((frame.data.backend_type(), &frame), ("cpu", &sent));
    }
    for subscription in [&one, &two, &bytes, &also_bytes] {
        let stats = subscription.stats();
        assert_eq!((stats.received, stats.lost, stats.undecodable), (1, 0, 0));
    }
    let stats = scene.publisher.stats();
    assert_eq!(
        stats.described.iter().collect::<Vec<_>>(),
        [(&MAILBOX.to_owned(), &2)]
    );
    assert_eq!(
        stats.fallbacks.iter().collect::<Vec<_>>(),
        [(&Fallback::NotAccepted, &1)]
    );
}

#[test]
fn host_memory_goes_as_bytes_once_to_all_on_the_base_key() {
    let scene = Scene::new(41);
    let subscriptions = [
        scene.subscribe(accepting("any")),
        scene.subscribe(accepting("cpu")),
    ];
    let sent = Frame {
        number: 1,
        data: vec![5; 5000].into(),
    };
    scene.publisher.publish(&sent).unwrap();
    let passed = scene.passed();
    assert_eq!(passed.len(), 1, "once for all");
    assert_eq!(passed[0].0, scene.on(Channel::Base));
    assert_eq!(passed[0].1.len(), 5012);
    for subscription in &subscriptions {
        assert_eq!(next(subscription), sent);
        assert_eq!(subscription.stats().received, 1);
    }
    let stats = scene.publisher.stats();
    assert!(
        stats.described.is_empty() && stats.fallbacks.is_empty(),
        "{stats:?}"
    );
}

#[test]
fn bytes_and_descriptors_take_turns_and_stay_in_order() {
    let scene = Scene::new(53);
    let (memory, bytes) = (
        scene.subscribe(patient("any")),
        scene.subscribe(patient("cpu")),
    );
    let sent: Vec<Frame> = (0..40)
        .map(|number| Frame {
            data: match number % 3 {
                0 => vec![1; 9000].into(),
                _ => frame(number).data,
            },
            number,
        })
        .collect();
    for frame in &sent {
        scene.publisher.publish(frame).unwrap();
    }
    for subscription in [&memory, &bytes] {
        for frame in &sent {
            assert_eq!(&next(subscription), frame);
        }
        let stats = subscription.stats();
        assert_eq!((stats.received, stats.lost), (40, 0), "each once");
    }
}

/// Buffers here and there, one of them no buffer in ROS.
#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct Album {
    title: String,
    frames: Vec<Frame>,
    scale: Buffer<f32>,
    cover: Buffer<u8>,
}

#[test]
fn several_buffers_of_one_message_and_several_topics() {
    let mailbox = Mailbox::new();
    let context = || {
        builder(domain(51))
            .backends(mailbox.registry())
            .build()
            .unwrap()
    };
    let (here, there) = (
        context().create_node("here").unwrap(),
        context().create_node("there").unwrap(),
    );
    let qos = QosProfile::default();
    let topics = ["left", "right"].map(|topic| {
        let publisher = here.create_publisher::<Album>(topic, qos).unwrap();
        let subscription = there.create_subscription::<Album>(topic, qos).unwrap();
        (publisher, subscription)
    });
    let texts = there.create_subscription::<Text>("text", qos).unwrap();
    let talker = here.create_publisher::<Text>("text", qos).unwrap();
    let album = |title: &str| Album {
        title: title.to_owned(),
        frames: vec![
            frame(1),
            Frame {
                number: 2,
                data: vec![2; 7].into(),
            },
            frame(3),
        ],
        scale: vec![1.5; 3].into(),
        cover: paper(title.as_bytes().to_vec()),
    };
    for (publisher, _) in &topics {
        assert!(publisher.wait_for_backend(MAILBOX, SOON));
        let title = publisher.topic_name();
        publisher.publish(&album(title)).unwrap();
    }
    assert!(talker.wait_for_subscription(SOON));
    talker.publish(&text("hello")).unwrap();
    for (publisher, subscription) in &topics {
        let received = subscription.recv_timeout(SOON).unwrap().unwrap().message;
        assert_eq!(received, album(publisher.topic_name()));
        let mut backends = Vec::new();
        received.for_each_buffer(&mut |_, buffer| backends.push(buffer.backend_type().to_owned()));
        assert_eq!(backends, [MAILBOX, "cpu", MAILBOX, "cpu", MAILBOX]);
        assert_eq!(publisher.stats().described[MAILBOX], 3);
    }
    assert_eq!(
        texts.recv_timeout(SOON).unwrap().unwrap().message,
        text("hello")
    );
}
