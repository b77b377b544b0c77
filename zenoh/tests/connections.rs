//! Who is at the other end and how messages go there, and a peer that turns out not to be able to take what it asked for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use common::{
    Frame, SOON, builder, domain, eventually, eventually_within, foreign_and_ours_with,
    mailbox::{MAILBOX, Mailbox, paper},
};
use rosidl_buffer_runtime::{Message as _, cdr};
use rosidl_buffer_zenoh::{
    Context, Error, Fallback, Handover, Node, Publisher, PublisherOptions, QosProfile,
    Subscription, SubscriptionOptions,
    key::{Channel, ChannelKey, Gid, TopicKey},
    zenoh::{self, Session, Wait as _},
};

fn context(test: u32, mailbox: &Arc<Mailbox>) -> Context {
    let context = builder(domain(test)).backends(mailbox.registry());
    context.build().unwrap()
}

fn patient(names: &str) -> SubscriptionOptions {
    let qos = QosProfile::default().keep_last(1000);
    SubscriptionOptions::from(qos).acceptable_buffer_backends(names)
}

fn frame(number: u32) -> Frame {
    let data = paper(vec![number.to_le_bytes()[0]; 5000]);
    Frame { number, data }
}

/// Two nodes of different contexts, and a publisher at the one.
fn two_nodes(test: u32, mailbox: &Arc<Mailbox>) -> (Publisher<Frame>, Node) {
    let camera = context(test, mailbox).create_node("camera").unwrap();
    let viewer = context(test, mailbox);
    let viewer = viewer.node_builder("viewer").namespace("/ns").build();
    let qos = QosProfile::default().keep_all();
    (
        camera.create_publisher("/frames", qos).unwrap(),
        viewer.unwrap(),
    )
}

fn because(reason: Fallback) -> BTreeMap<String, Fallback> {
    [(MAILBOX.to_owned(), reason)].into_iter().collect()
}

#[test]
fn who_cannot_take_memory_after_all_gets_bytes_from_then_on() {
    let mailbox = Mailbox::new();
    let (publisher, viewer) = two_nodes(0, &mailbox);
    let subscription: Subscription<Frame> = viewer
        .create_subscription("/frames", patient("mailbox"))
        .unwrap();
    assert!(publisher.wait_for_backend(MAILBOX, SOON));
    let before = subscription.gid();
    publisher.publish(&frame(0)).unwrap();
    let received = subscription.recv_timeout(SOON).unwrap().unwrap().message;
    assert_eq!(received.data.backend_type(), MAILBOX);

    mailbox.unavailable.store(true, Ordering::SeqCst);
    let mut sent = 1;
    eventually("it is known by another name", || {
        publisher.publish(&frame(sent)).unwrap();
        sent += 1;
        std::thread::sleep(std::time::Duration::from_millis(10));
        let peers = publisher.connections();
        peers.len() == 1 && peers[0].gid != before
    });
    let peer = &publisher.connections()[0];
    assert_eq!(peer.gid, subscription.gid());
    assert_eq!(peer.handover, Handover::Bytes);
    assert_eq!(peer.fallbacks, because(Fallback::NotAccepted));
    for _ in 0..5 {
        publisher.publish(&frame(sent)).unwrap();
        sent += 1;
    }
    // Each message that was not lost by the failure came once and in order, the last ones certainly.
    let mut numbers = Vec::new();
    eventually("the last one is here", || {
        while let Some(received) = subscription.try_recv().unwrap() {
            let Frame { number, data } = received.message;
            assert_eq!(data.backend_type(), "cpu");
            assert_eq!(data, vec![number.to_le_bytes()[0]; 5000]);
            numbers.push(number);
        }
        numbers.last() == Some(&(sent - 1))
    });
    assert!(numbers.is_sorted_by(|one, two| one < two), "{numbers:?}");
    let stats = subscription.stats();
    assert!(stats.buffers_lost >= 1);
    // What failed may have come as bytes as well, when both names were known.
    let came = u64::try_from(numbers.len()).unwrap();
    assert!(
        came + stats.buffers_lost >= u64::from(sent) - 1,
        "{stats:?}"
    );
    assert_eq!((stats.undecodable, stats.lost), (0, 0));
    assert!(stats.given_up[MAILBOX].contains("there is no post here"));
    assert_eq!(publisher.subscription_count(), 1);
}

/// A publisher of somebody else, as one of `rmw_zenoh_cpp` writes to a channel: each with numbers of its own.
struct Stranger(zenoh::pubsub::Publisher<'static>);

impl Stranger {
    fn on(session: &Session, domain: u32, channel: Channel) -> Self {
        let hash = Frame::type_hash().to_string();
        let topic = TopicKey::new(domain, "/frames", Frame::TYPE_NAME, &hash);
        let key = ChannelKey { topic, channel }.to_string();
        let stranger = Self(session.declare_publisher(key).wait().unwrap());
        eventually("the channel is known there", || stranger.is_heard());
        stranger
    }

    fn is_heard(&self) -> bool {
        self.0.matching_status().wait().unwrap().matching()
    }

    fn put(&self, number: i64, payload: Vec<u8>) {
        let attachment = [&number.to_le_bytes()[..], &[0; 8], &[16], &[5; 16]].concat();
        self.0.put(payload).attachment(attachment).wait().unwrap();
    }
}

fn bytes(number: u32) -> Vec<u8> {
    let data = vec![number.to_le_bytes()[0]; 3].into();
    cdr::encode(&Frame { number, data }).unwrap()
}

/// Instead of the elements: memory of this backend, which the stranger invents.
fn descriptor(backend: &str) -> Vec<u8> {
    let length = u32::try_from(backend.len() + 1).unwrap().to_le_bytes();
    let name = [backend.as_bytes(), &[0; 64]].concat();
    [&bytes(0)[..8], &[0xFF; 4], b"2SOR", &length, &name].concat()
}

#[test]
fn who_goes_on_writing_to_the_old_channel_is_heard_once() {
    let (domain, mailbox) = (domain(3), Mailbox::new());
    mailbox.unavailable.store(true, Ordering::SeqCst);
    let (foreign, ours) = foreign_and_ours_with(domain, mailbox.registry());
    let node = ours.create_node("viewer").unwrap();
    let subscription: Subscription<Frame> = node
        .create_subscription("/frames", patient("mailbox"))
        .unwrap();
    let before = subscription.gid();
    let old = Stranger::on(&foreign, domain, Channel::Buffer(before));
    old.put(1, descriptor(MAILBOX));
    eventually("it is announced anew", || subscription.gid() != before);
    let new = Stranger::on(&foreign, domain, Channel::Cpu);
    eventually_within(3 * SOON, "the old channel is left", || !old.is_heard());
    for number in 1..10 {
        old.put(2 * i64::from(number), bytes(number));
        new.put(2 * i64::from(number) + 1, bytes(number));
        let received = subscription.recv_timeout(SOON).unwrap().unwrap();
        assert_eq!(received.message.number, number);
    }
    assert!(subscription.try_recv().unwrap().is_none());
    let stats = subscription.stats();
    assert_eq!((stats.received, stats.duplicates), (10, 0), "{stats:?}");
}

#[test]
fn memory_that_nobody_here_has_is_answered_with_a_wish_for_bytes() {
    let (domain, mailbox) = (domain(4), Mailbox::new());
    let (foreign, ours) = foreign_and_ours_with(domain, mailbox.registry());
    let node = ours.create_node("viewer").unwrap();
    let subscription: Subscription<Frame> = node
        .create_subscription("/frames", patient("mailbox"))
        .unwrap();
    let before = subscription.gid();
    let old = Stranger::on(&foreign, domain, Channel::Buffer(before));
    old.put(1, descriptor(&"x".repeat(10_000)));
    old.put(2, descriptor("tape"));
    eventually("it is announced anew", || subscription.gid() != before);
    let new = Stranger::on(&foreign, domain, Channel::Cpu);
    new.put(3, bytes(3));
    let received = subscription.recv_timeout(SOON).unwrap().unwrap();
    assert_eq!(received.message.number, 3);
    let stats = subscription.stats();
    assert_eq!((stats.undecodable, stats.buffers_lost), (2, 0), "{stats:?}");
    let given_up: Vec<&String> = stats.given_up.keys().collect();
    assert_eq!(given_up, ["tape"]);
    let tokens = format!("@ros2_lv/{domain}/**/MS/**");
    eventually("its token says so", || {
        let known = foreign.liveliness().get(&tokens).wait().unwrap();
        let mut known = known.into_iter().map(|reply| reply.into_result().unwrap());
        known.any(|sample| {
            let token = sample.key_expr().as_str();
            token.contains("%frames") && token.ends_with("/backends:cpu:")
        })
    });
}

#[test]
fn memory_that_is_here_but_was_not_asked_for_is_not_taken() {
    let (domain, mailbox) = (domain(6), Mailbox::new());
    let mut registry = mailbox.registry();
    let shm = rosidl_buffer_runtime::shm::ShmBackend::new().unwrap();
    registry.register(Arc::new(shm)).unwrap();
    let (foreign, ours) = foreign_and_ours_with(domain, registry);
    let node = ours.create_node("viewer").unwrap();
    let subscription: Subscription<Frame> = node
        .create_subscription("/frames", patient("mailbox"))
        .unwrap();
    let before = subscription.gid();
    let stranger = Stranger::on(&foreign, domain, Channel::Buffer(before));
    stranger.put(1, descriptor("shm"));
    eventually("it is announced anew", || subscription.gid() != before);
    let stats = subscription.stats();
    assert_eq!((stats.undecodable, stats.buffers_lost), (1, 0), "{stats:?}");
    assert!(stats.given_up.keys().eq(["shm"]), "{stats:?}");
    let new = Stranger::on(&foreign, domain, Channel::Cpu);
    new.put(2, bytes(2));
    let received = subscription.recv_timeout(SOON).unwrap().unwrap();
    assert_eq!(received.message.number, 2);
}

#[test]
fn what_fails_while_a_subscription_is_being_made_counts_as_well() {
    let (domain, mailbox) = (domain(5), Mailbox::new());
    mailbox.unavailable.store(true, Ordering::SeqCst);
    let (foreign, ours) = foreign_and_ours_with(domain, mailbox.registry());
    let node = ours.create_node("viewer").unwrap();
    let hash = Frame::type_hash();
    let token = format!(
        "@ros2_lv/{domain}/{}/0/7/MP/%/%/other/%frames/demo_msgs::msg::dds_::Frame_/{hash}/::,:,:,:,,/backends:mailbox:x",
        foreign.zid(),
    );
    let _token = foreign.liveliness().declare_token(token).wait().unwrap();
    eventually("the publisher is known", || {
        node.graph().count_publishers("/frames") == 1
    });
    // Held up when the backend is told of the publisher: others know the subscription by then.
    let held_up = mailbox.discovered.lock().unwrap();
    let subscription = std::thread::scope(|scope| {
        let made = scope.spawn(|| node.create_subscription("/frames", patient("mailbox")));
        let mut gid = None;
        eventually("the token is there", || {
            let known = foreign
                .liveliness()
                .get(format!("@ros2_lv/{domain}/**/MS/**"));
            gid = known.wait().unwrap().into_iter().find_map(|reply| {
                let token = reply.into_result().unwrap().key_expr().to_string();
                token.contains("%frames").then(|| Gid::of_token(&token))
            });
            gid.is_some()
        });
        let old = Stranger::on(&foreign, domain, Channel::Buffer(gid.unwrap()));
        old.put(1, descriptor(MAILBOX));
        old.put(2, descriptor(MAILBOX));
        eventually("the first one has failed", || {
            mailbox.refused.load(Ordering::SeqCst) == 2
        });
        drop(held_up);
        let subscription: Subscription<Frame> = made.join().unwrap().unwrap();
        eventually("it is announced anew", || {
            subscription.gid() != gid.unwrap()
        });
        subscription
    });
    let new = Stranger::on(&foreign, domain, Channel::Cpu);
    new.put(3, bytes(3));
    let received = subscription.recv_timeout(SOON).unwrap().unwrap();
    assert_eq!(received.message.number, 3);
}

#[test]
fn connections_say_how_and_why() {
    let mailbox = Mailbox::new();
    let (publisher, viewer) = two_nodes(1, &mailbox);
    let near: Subscription<Frame> = publisher
        .node()
        .create_subscription("/frames", patient("any"))
        .unwrap();
    let memory: Subscription<Frame> = viewer
        .create_subscription("/frames", patient("any"))
        .unwrap();
    let bytes: Subscription<Frame> = viewer
        .create_subscription("/frames", patient("cpu"))
        .unwrap();
    eventually("all are known", || publisher.subscription_count() == 3);
    assert!(publisher.wait_for_backend(MAILBOX, SOON));
    let to = |subscription: &Subscription<Frame>| {
        let peers = publisher.connections();
        assert_eq!(peers.len(), 3);
        let gid = subscription.gid();
        peers.into_iter().find(|peer| peer.gid == gid).unwrap()
    };
    let peer = to(&near);
    assert_eq!((peer.node_name.as_str(), peer.is_local), ("/camera", true));
    assert_eq!(peer.handover, Handover::IntraProcess);
    assert!(peer.fallbacks.is_empty());
    let peer = to(&memory);
    assert_eq!(
        (peer.node_name.as_str(), peer.is_local),
        ("/ns/viewer", false)
    );
    assert_eq!(
        peer.handover,
        Handover::Descriptors(vec![MAILBOX.to_owned()])
    );
    assert!(peer.fallbacks.is_empty());
    let peer = to(&bytes);
    assert_eq!(peer.handover, Handover::Bytes);
    assert_eq!(peer.fallbacks, because(Fallback::NotAccepted));

    let from = |subscription: &Subscription<Frame>| {
        let mut peers = subscription.connections();
        assert_eq!(peers.len(), 1);
        assert_eq!(peers[0].gid, publisher.gid());
        peers.remove(0)
    };
    assert!(memory.wait_for_publisher(SOON) && bytes.wait_for_publisher(SOON));
    assert_eq!(from(&memory).handover, Handover::Unknown);
    publisher.publish(&frame(1)).unwrap();
    for subscription in [&near, &memory, &bytes] {
        assert!(subscription.recv_timeout(SOON).unwrap().is_some());
    }
    assert_eq!(from(&near).handover, Handover::IntraProcess);
    assert!(from(&near).is_local);
    let peer = from(&memory);
    assert_eq!(
        peer.handover,
        Handover::Descriptors(vec![MAILBOX.to_owned()])
    );
    assert_eq!((peer.node_name.as_str(), peer.is_local), ("/camera", false));
    assert!(peer.fallbacks.is_empty());
    let peer = from(&bytes);
    assert_eq!(peer.handover, Handover::Bytes);
    assert_eq!(peer.fallbacks, because(Fallback::NotAccepted));
}

#[test]
fn a_publisher_uses_the_backend_that_it_is_told() {
    let mailbox = Mailbox::new();
    let (_, viewer) = two_nodes(2, &mailbox);
    let camera = context(2, &mailbox).create_node("camera").unwrap();
    for (topic, backend, is_used) in [
        ("/one", "cpu", false),
        ("/two", MAILBOX, true),
        ("/three", "auto", true),
    ] {
        let options = PublisherOptions::default().buffer_backend(backend);
        let publisher = camera.create_publisher::<Frame>(topic, options).unwrap();
        let subscription = viewer
            .create_subscription::<Frame>(topic, patient("any"))
            .unwrap();
        assert!(publisher.wait_for_subscription(SOON));
        if is_used {
            assert!(publisher.wait_for_backend(MAILBOX, SOON));
        }
        publisher.publish(&frame(7)).unwrap();
        let received = subscription.recv_timeout(SOON).unwrap().unwrap().message;
        assert_eq!(received, frame(7));
        let (way, came_in) = if is_used {
            (Handover::Descriptors(vec![MAILBOX.to_owned()]), MAILBOX)
        } else {
            (Handover::Bytes, "cpu")
        };
        assert_eq!(received.data.backend_type(), came_in);
        let peer = &publisher.connections()[0];
        assert_eq!(peer.handover, way);
        if !is_used {
            assert_eq!(peer.fallbacks, because(Fallback::NotChosen));
            assert_eq!(publisher.stats().fallbacks[&Fallback::NotChosen], 1);
            assert!(subscription.wait_for_publisher(SOON));
            let peer = &subscription.connections()[0];
            assert_eq!(peer.fallbacks, because(Fallback::NotOffered));
        }
    }
    let unknown = PublisherOptions::default().buffer_backend("cuda");
    let error = camera.create_publisher::<Frame>("four", unknown);
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::UnknownBackendToUse { .. }),
        "{error}"
    );
    for part in ["publisher on /four", "\"cuda\"", "auto", "there [mailbox]"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}
