//! Which key carries what, and in which form, when buffers lie in memory of a backend. A plain Zenoh session listens to
//! all keys of the topic, and the backend is one of the test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::Ordering, mpsc::Receiver},
    time::Duration,
};

use common::{
    Frame, SOON, Text, bare, builder, domain, eventually, foreign_and_ours_with,
    mailbox::{ADDRESS, MAILBOX, Mailbox, paper},
    text, watch,
};
use rosidl_buffer_runtime::{BackendRegistry, Buffer, BufferMessage, Message as _};
use rosidl_buffer_zenoh::{
    Context, Error, Fallback, Node, Publisher, PublisherOptions, QosProfile, Subscription,
    SubscriptionOptions,
    key::{Attachment, Channel, ChannelKey, Gid, TopicKey},
    zenoh::{Session, Wait as _, liveliness::LivelinessToken, sample::Sample},
};

/// What begins a descriptor of the mailbox, behind a frame's number.
const MARKER: [u8; 8] = *b"\xff\xff\xff\xff2SOR";

fn frame(number: u32) -> Frame {
    Frame {
        number,
        data: paper(vec![number.to_le_bytes()[0]; 6000]),
    }
}

fn accepting(names: &str) -> SubscriptionOptions {
    SubscriptionOptions::from(QosProfile::default()).acceptable_buffer_backends(names)
}

/// With a queue that nothing falls out of.
fn patient(names: &str) -> SubscriptionOptions {
    let qos = QosProfile::default().keep_last(10_000);
    SubscriptionOptions::from(qos).acceptable_buffer_backends(names)
}

fn key(domain: u32, channel: Channel) -> String {
    let hash = Frame::type_hash().to_string();
    let topic = TopicKey::new(domain, "/frames", Frame::TYPE_NAME, &hash);
    ChannelKey { topic, channel }.to_string()
}

/// One topic, a node of ours with a mailbox, and somebody who sees everything that passes.
struct Scene {
    domain: u32,
    mailbox: Arc<Mailbox>,
    foreign: Session,
    ours: Context,
    node: Node,
    publisher: Publisher<Frame>,
    seen: Receiver<Sample>,
    declared: Mutex<HashMap<Gid, LivelinessToken>>,
}

impl Scene {
    fn new(test: u32) -> Self {
        let (domain, mailbox) = (domain(test), Mailbox::new());
        let (foreign, ours) = foreign_and_ours_with(domain, mailbox.registry());
        let node = ours.create_node("node").unwrap();
        // What goes to subscriptions of the same context is looked at here, too.
        let over_zenoh = PublisherOptions::default().use_intra_process(false);
        let publisher = node.create_publisher("frames", over_zenoh).unwrap();
        let seen = watch(&foreign, &format!("{domain}/frames/**"));
        let scene = Self {
            domain,
            mailbox,
            foreign,
            ours,
            node,
            publisher,
            seen,
            declared: Mutex::default(),
        };
        // Nobody has a token yet, so these go to the base key.
        let probe = Frame {
            number: u32::MAX,
            data: Buffer::new(),
        };
        eventually("the other session sees samples", || {
            scene.publisher.publish(&probe).unwrap();
            scene.seen.recv_timeout(Duration::from_millis(20)).is_ok()
        });
        while scene.seen.recv_timeout(Duration::from_millis(100)).is_ok() {}
        scene
    }

    fn subscribe(&self, options: impl Into<SubscriptionOptions>) -> Subscription<Frame> {
        let there = self.publisher.subscription_count();
        let subscription = self.node.create_subscription("frames", options).unwrap();
        self.known(there + 1);
        subscription
    }

    /// A subscription of somebody else, as its token says; what it reads is left to the test.
    fn declare(&self, backends: &str) -> Gid {
        let there = self.publisher.subscription_count();
        let hash = Frame::type_hash();
        let token = format!(
            "@ros2_lv/{}/{}/0/7/MS/%/%/other/%frames/demo_msgs::msg::dds_::Frame_/{hash}/::,:,:,:,,{backends}",
            self.domain,
            self.foreign.zid(),
        );
        let declared = self.foreign.liveliness().declare_token(token.clone());
        let gid = Gid::of_token(&token);
        let declared = declared.wait().unwrap();
        self.declared.lock().unwrap().insert(gid, declared);
        self.known(there + 1);
        gid
    }

    fn leave(&self, gid: Gid) {
        let declared = self.declared.lock().unwrap().remove(&gid);
        declared.unwrap().undeclare().wait().unwrap();
    }

    fn known(&self, count: usize) {
        eventually("the subscription is known", || {
            self.publisher.subscription_count() == count
        });
    }

    /// Key and payload of what a message brought about, in the order of the keys.
    fn passed(&self) -> Vec<(String, Vec<u8>)> {
        let first = self.seen.recv_timeout(SOON).unwrap();
        let rest = || self.seen.recv_timeout(Duration::from_millis(100)).ok();
        let all: Vec<Sample> = std::iter::once(first)
            .chain(std::iter::from_fn(rest))
            .collect();
        let attachment = |sample: &Sample| {
            Attachment::from_bytes(&sample.attachment().unwrap().to_bytes()).unwrap()
        };
        for sample in &all {
            assert_eq!(
                attachment(sample),
                attachment(&all[0]),
                "one message, one number"
            );
            assert_eq!(attachment(sample).gid, self.publisher.gid());
        }
        let mut all: Vec<_> = all
            .iter()
            .map(|sample| {
                let payload = sample.payload().to_bytes().into_owned();
                (sample.key_expr().to_string(), payload)
            })
            .collect();
        all.sort();
        all
    }

    fn on(&self, channel: Channel) -> String {
        key(self.domain, channel)
    }
}

fn is_descriptor(payload: &[u8]) -> bool {
    payload.get(8..16) == Some(&MARKER[..])
}

fn next(subscription: &Subscription<Frame>) -> Frame {
    subscription
        .recv_timeout(SOON)
        .unwrap()
        .expect("a frame")
        .message
}

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

#[test]
fn when_the_last_that_knows_no_buffers_goes_descriptors_come_back() {
    let scene = Scene::new(54);
    let (memory, bytes) = (
        scene.subscribe(patient("any")),
        scene.subscribe(patient("cpu")),
    );
    let legacy = scene.declare("");
    let mut number = 0;
    let mut publish = || {
        scene.publisher.publish(&frame(number)).unwrap();
        number += 1;
    };
    publish();
    scene.leave(legacy);
    // While it is on its way out, messages go on.
    eventually("its token is gone", || {
        publish();
        scene.publisher.subscription_count() == 2
    });
    publish();
    for subscription in [&memory, &bytes] {
        let mut last = None;
        for expected in 0..number {
            let received = next(subscription);
            assert_eq!(received, frame(expected));
            last = Some(received.data.backend_type().to_owned());
        }
        let is_memory = subscription.gid() == memory.gid();
        assert_eq!(last.unwrap(), if is_memory { MAILBOX } else { "cpu" });
        let stats = subscription.stats();
        let counts = (stats.received, stats.lost, stats.dropped);
        assert_eq!(counts, (u64::from(number), 0, 0), "no gap, none twice");
    }
}

#[test]
fn one_subscription_that_knows_no_buffers_makes_it_bytes_on_the_base_key_for_all() {
    let scene = Scene::new(42);
    let (memory, bytes) = (
        scene.subscribe(accepting("any")),
        scene.subscribe(accepting("cpu")),
    );
    scene.declare("");
    for number in 0..3 {
        scene.publisher.publish(&frame(number)).unwrap();
        let passed = scene.passed();
        assert_eq!(passed.len(), 1);
        assert_eq!(passed[0].0, scene.on(Channel::Base));
        assert!(!is_descriptor(&passed[0].1));
        for subscription in [&memory, &bytes] {
            let received = next(subscription);
            assert_eq!(
                (received.data.backend_type(), &received),
                ("cpu", &frame(number))
            );
        }
    }
    for subscription in [&memory, &bytes] {
        let stats = subscription.stats();
        assert_eq!(
            (stats.received, stats.lost),
            (3, 0),
            "each message exactly once"
        );
    }
    assert_eq!(scene.mailbox.waiting(), 0, "nothing was described");
    assert_eq!(
        scene.publisher.stats().fallbacks[&Fallback::LegacySubscription],
        3
    );
}

#[test]
fn who_cannot_be_reached_with_the_memory_gets_bytes_on_its_channel() {
    let scene = Scene::new(43);
    let ours = scene.subscribe(accepting("any"));
    let lost = scene.declare("/backends:mailbox:nowhere");
    scene.publisher.publish(&frame(1)).unwrap();
    let passed = scene.passed();
    let found = |channel| {
        let key = scene.on(channel);
        let mut on_it = passed.iter().filter(move |(on, _)| *on == key);
        (
            on_it.next().map(|(_, payload)| is_descriptor(payload)),
            on_it.next().is_none(),
        )
    };
    assert_eq!(found(Channel::Buffer(ours.gid())), (Some(true), true));
    assert_eq!(found(Channel::Buffer(lost)), (Some(false), true));
    assert_eq!(passed.len(), 2);
    assert_eq!(next(&ours), frame(1));
    assert_eq!(scene.publisher.stats().fallbacks[&Fallback::NotReady], 1);
    assert!(scene.publisher.wait_for_backend(MAILBOX, SOON));
    assert!(
        !scene
            .publisher
            .wait_for_backend("cuda", Duration::from_millis(10))
    );
}

#[test]
fn a_backend_that_will_not_or_cannot_costs_no_message() {
    let scene = Scene::new(44);
    let subscription = scene.subscribe(accepting("any"));
    scene.mailbox.broken.store(true, Ordering::SeqCst);
    scene.publisher.publish(&frame(1)).unwrap();
    scene.mailbox.broken.store(false, Ordering::SeqCst);
    let nothing_to_describe = Frame {
        number: 2,
        data: paper(Vec::new()),
    };
    scene.publisher.publish(&nothing_to_describe).unwrap();
    for sent in [frame(1), nothing_to_describe] {
        let received = next(&subscription);
        assert_eq!((received.data.backend_type(), &received), ("cpu", &sent));
    }
    let stats = scene.publisher.stats();
    assert_eq!(stats.fallbacks[&Fallback::Failed], 1);
    assert_eq!(stats.fallbacks[&Fallback::Refused], 1);
    assert!(stats.last_backend_error.unwrap().contains("no stamps"));
}

#[test]
fn what_the_network_refuses_is_taken_back() {
    let scene = Scene::new(45);
    let _subscription = scene.subscribe(accepting("any"));
    scene.publisher.publish(&frame(1)).unwrap();
    assert_eq!(scene.mailbox.retracted.load(Ordering::SeqCst), 0);
    scene.ours.zenoh_session().close().wait().unwrap();
    assert!(matches!(
        scene.publisher.publish(&frame(2)),
        Err(Error::Publish { .. })
    ));
    assert_eq!(scene.mailbox.retracted.load(Ordering::SeqCst), 1);
    assert_eq!(scene.publisher.stats().described[MAILBOX], 1);
}

#[test]
fn descriptors_are_read_on_the_own_channel_only() {
    let scene = Scene::new(46);
    let memory = scene.subscribe(accepting("any"));
    let bytes = scene.subscribe(accepting("cpu"));
    scene.publisher.publish(&frame(1)).unwrap();
    let passed = scene.passed();
    let (_, descriptor) = passed
        .iter()
        .find(|(_, payload)| is_descriptor(payload))
        .unwrap();
    assert_eq!((next(&memory), next(&bytes)), (frame(1), frame(1)));

    for channel in [Channel::Base, Channel::Cpu] {
        let put = scene.foreign.put(scene.on(channel), descriptor.clone());
        put.wait().unwrap();
    }
    eventually("all have arrived", || {
        (memory.stats().received, bytes.stats().received) == (2, 3)
    });
    for subscription in [&memory, &bytes] {
        assert!(subscription.try_recv().unwrap().is_none());
        assert_eq!(subscription.stats().buffers_lost, 0);
    }
    assert_eq!(
        (memory.stats().undecodable, bytes.stats().undecodable),
        (1, 2)
    );

    // On its channel it is read, and too late: that is another thing, and counted as such.
    let own = scene.on(Channel::Buffer(memory.gid()));
    scene.foreign.put(&own, descriptor.clone()).wait().unwrap();
    eventually("the loss is counted", || memory.stats().buffers_lost == 1);
    let stats = memory.stats();
    assert!(
        stats.last_buffer_loss.unwrap().contains("Frame.data"),
        "it says which field"
    );
    assert_eq!(stats.undecodable, 1);
    scene.foreign.put(own, vec![0, 1, 0, 0, 1]).wait().unwrap();
    eventually("nonsense is no loss of memory", || {
        assert!(memory.try_recv().unwrap().is_none());
        memory.stats().undecodable == 2
    });
}

#[test]
fn memory_is_taken_when_it_arrives_and_let_go_when_the_queue_drops_it() {
    let scene = Scene::new(47);
    let qos = QosProfile::default().keep_last(2);
    let subscription = scene.subscribe(qos);
    let frames: Vec<Frame> = (0..6).map(frame).collect();
    for frame in &frames {
        scene.publisher.publish(frame).unwrap();
    }
    eventually("all have arrived", || subscription.stats().received == 6);
    assert_eq!(
        scene.mailbox.waiting(),
        0,
        "taken before anybody asked for them"
    );
    scene.mailbox.burn();
    let held: Vec<usize> = frames
        .iter()
        .map(|frame| Arc::strong_count(frame.data.storage().unwrap()) - 1)
        .collect();
    assert_eq!(held, [0, 0, 0, 0, 1, 1]);
    assert_eq!(
        (next(&subscription), next(&subscription)),
        (frame(4), frame(5))
    );
    drop(subscription);
    assert!(
        frames
            .iter()
            .all(|frame| Arc::strong_count(frame.data.storage().unwrap()) == 1)
    );
}

#[test]
fn late_joiners_get_bytes_and_nobody_is_told_of_backends() {
    let (domain, mailbox) = (domain(48), Mailbox::new());
    let (foreign, ours) = foreign_and_ours_with(domain, mailbox.registry());
    let seen = watch(&foreign, &format!("{domain}/frames/**"));
    let node = ours.create_node("node").unwrap();
    let qos = QosProfile::default().transient_local();
    let publisher = node.create_publisher::<Frame>("frames", qos).unwrap();
    let there = node.create_subscription::<Frame>("frames", qos).unwrap();
    assert!(publisher.wait_for_subscription(SOON));
    publisher.publish(&frame(1)).unwrap();
    let late = node.create_subscription::<Frame>("frames", qos).unwrap();
    for subscription in [&there, &late] {
        let received = next(subscription);
        assert_eq!(
            (received.data.backend_type(), &received),
            ("cpu", &frame(1))
        );
    }
    assert_eq!(publisher.stats().fallbacks[&Fallback::TransientLocal], 1);
    assert!(!publisher.wait_for_backend(MAILBOX, Duration::from_millis(10)));
    while let Ok(sample) = seen.recv_timeout(Duration::from_millis(100)) {
        assert!(!sample.key_expr().as_str().contains("/_buf"), "{sample:?}");
        assert!(!is_descriptor(&sample.payload().to_bytes()));
    }
    assert!(
        !tokens(&foreign, domain)
            .iter()
            .any(|token| token.contains("backends"))
    );
}

fn tokens(foreign: &Session, domain: u32) -> Vec<String> {
    let replies = foreign.liveliness().get(format!("@ros2_lv/{domain}/**"));
    let replies = replies.timeout(SOON).wait().unwrap();
    let key = |reply: rosidl_buffer_zenoh::zenoh::query::Reply| {
        reply.into_result().unwrap().key_expr().to_string()
    };
    replies.into_iter().map(key).collect()
}

#[test]
fn tokens_name_backends_as_ros_does() {
    let (domain, mailbox) = (domain(49), Mailbox::new());
    let (foreign, ours) = foreign_and_ours_with(domain, mailbox.registry());
    let node = bare(ours.node_builder("node")).build().unwrap();
    let escaped = "mailbox:house%3A1%3B50%25";
    let _publisher = node
        .create_publisher::<Frame>("frames", QosProfile::default())
        .unwrap();
    let _text = node
        .create_publisher::<Text>("text", QosProfile::default())
        .unwrap();
    let mut expected = vec![
        ("MP", "frames", format!("/backends:cpu:;{escaped}")),
        ("MP", "text", String::new()),
    ];
    let mut subscriptions = Vec::new();
    for (options, says) in [
        (SubscriptionOptions::default(), escaped),
        (accepting("any"), escaped),
        (accepting(" cpu ,\tmailbox,,mailbox"), escaped),
        (accepting("cpu"), "cpu:"),
        (accepting(" "), "cpu:"),
    ] {
        subscriptions.push(
            node.create_subscription::<Frame>("frames", options)
                .unwrap(),
        );
        expected.push(("MS", "frames", format!("/backends:{says}")));
    }
    let mut said = Vec::new();
    eventually("all tokens are there", || {
        said = tokens(&foreign, domain);
        said.len() == expected.len() + 1
    });
    for (kind, topic, tail) in expected {
        let at = said.iter().position(|token| {
            let rest = token.split_once(":,:,:,,");
            token.contains(&format!("/{kind}/"))
                && token.contains(&format!("/%{topic}/"))
                && rest.unwrap().1 == tail
        });
        said.swap_remove(at.unwrap_or_else(|| panic!("{kind} {topic} {tail:?} in {said:#?}")));
    }
    let error = node
        .create_subscription::<Frame>("frames", accepting("mailbox,cuda"))
        .unwrap_err();
    let text = error.to_string();
    for part in ["/frames", "\"mailbox,cuda\"", "\"cuda\"", "there [mailbox]"] {
        assert!(text.contains(part), "{text}");
    }
    // As in ROS: `any` is looked for first, and nobody asks where there are no buffers.
    let all = node.create_subscription::<Frame>("frames", accepting("cuda,any"));
    assert!(all.is_ok());
    let text = node.create_subscription::<Text>("text", accepting("cuda"));
    assert!(text.is_ok());
}

#[test]
fn with_no_backends_all_is_bytes_on_the_base_key() {
    let domain = domain(50);
    let (foreign, ours) = foreign_and_ours_with(domain, BackendRegistry::new());
    let seen = watch(&foreign, &format!("{domain}/frames/**"));
    let node = ours.create_node("node").unwrap();
    let subscription = node
        .create_subscription::<Frame>("frames", QosProfile::default())
        .unwrap();
    let publisher = node
        .create_publisher::<Frame>("frames", QosProfile::default())
        .unwrap();
    assert!(publisher.wait_for_subscription(SOON));
    let mut heard = Vec::new();
    // A plain program has no token; Zenoh knows of it after a while.
    eventually("the foreign session hears something", || {
        publisher.publish(&frame(1)).unwrap();
        assert_eq!(next(&subscription).data.backend_type(), "cpu");
        heard.extend(seen.recv_timeout(Duration::from_millis(50)));
        !heard.is_empty()
    });
    for sample in heard.into_iter().chain(seen.try_iter()) {
        assert_eq!(sample.key_expr().as_str(), key(domain, Channel::Base));
    }
    let stats = publisher.stats();
    assert_eq!(stats.fallbacks[&Fallback::NotAccepted], stats.intra_process);
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

#[test]
fn subscriptions_tell_the_backend_of_publishers_of_their_topic_and_nobody_else() {
    let (domain, mailbox) = (domain(52), Mailbox::new());
    let (foreign, ours) = foreign_and_ours_with(domain, mailbox.registry());
    let node = ours.create_node("node").unwrap();
    let hash = Frame::type_hash();
    let declare = |id: u32, kind: &str, topic: &str, hash: &str, address: &str| {
        let token = format!(
            "@ros2_lv/{domain}/{}/0/{id}/{kind}/%/%/other/%{topic}/demo_msgs::msg::dds_::Frame_/{hash}/::,:,:,:,,/backends:cpu:;cuda:x;mailbox:{address}",
            foreign.zid(),
        );
        std::mem::forget(foreign.liveliness().declare_token(token).wait().unwrap());
    };
    let hash = hash.to_string();
    declare(1, "MP", "frames", &hash, "before");
    let publishers = || {
        node.create_subscription::<Frame>("frames", accepting("cpu"))
            .unwrap()
    };
    let bytes_only = publishers();
    assert!(bytes_only.wait_for_publisher(SOON));
    let subscription = node
        .create_subscription::<Frame>("frames", QosProfile::default())
        .unwrap();
    declare(2, "MS", "frames", &hash, "a%2Fsubscription");
    declare(3, "MP", "other", &hash, "another%2Ftopic");
    declare(4, "MP", "frames", "RIHS01_00", "another%2Ftype");
    declare(5, "MP", "frames", &hash, "after");
    eventually("both publishers are known", || {
        subscription.publisher_count() == 2
    });
    let mut discovered: Vec<String> = Vec::new();
    eventually("the backend was told", || {
        discovered = mailbox.discovered.lock().unwrap().iter().cloned().collect();
        discovered.sort();
        discovered.len() >= 2
    });
    assert_eq!(discovered, ["after", "before"]);
    drop(subscription);
    declare(6, "MP", "frames", &hash, "too%2Flate");
    eventually("it is known", || bytes_only.publisher_count() == 3);
    assert!(!mailbox.discovered.lock().unwrap().contains("too/late"));
    assert!(!ADDRESS.is_empty());
}

#[test]
fn metadata_that_would_break_a_key_is_refused() {
    let mailbox = Mailbox::at("house*1");
    let context = builder(domain(55)).backends(mailbox.registry());
    let node = context.build().unwrap().create_node("node").unwrap();
    let qos = QosProfile::default();
    let error = node.create_publisher::<Frame>("frames", qos).unwrap_err();
    assert!(matches!(error, Error::BackendMetadata { .. }), "{error}");
    assert!(error.to_string().contains("\"house*1\""), "{error}");
    let bytes_only = node.create_subscription::<Frame>("frames", accepting("cpu"));
    assert!(bytes_only.is_ok());
    assert!(node.create_publisher::<Text>("text", qos).is_ok());
}

#[test]
fn a_backend_that_panics_ends_no_thread_and_bytes_wait_undecoded() {
    let scene = Scene::new(56);
    let subscription = scene.subscribe(accepting("any"));
    let other = scene.declare("/backends:mailbox:house%3A1%3B50%25");
    scene.mailbox.panics.store(true, Ordering::SeqCst);
    scene.publisher.publish(&frame(1)).unwrap();
    eventually("the panic is counted", || {
        subscription.stats().undecodable == 1
    });
    let stats = subscription.stats();
    assert!(stats.last_decode_error.unwrap().contains("panicked"));
    scene.mailbox.panics.store(false, Ordering::SeqCst);
    scene.publisher.publish(&frame(2)).unwrap();
    assert_eq!(next(&subscription), frame(2));

    // Bytes on the own channel are looked at when they are taken.
    let own = scene.on(Channel::Buffer(subscription.gid()));
    scene.foreign.put(own, vec![0, 1, 0, 0, 1]).wait().unwrap();
    eventually("it has arrived", || subscription.stats().received == 3);
    assert_eq!(subscription.stats().undecodable, 1);
    assert!(subscription.try_recv().unwrap().is_none());
    assert_eq!(subscription.stats().undecodable, 2);
    scene.leave(other);
}
