//! Samples that reach one subscription more than once: a plain Zenoh session sends each on two of the topic's keys, as a
//! publisher does while a subscription that knows no buffers comes or goes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use common::{
    Frame, SOON, domain, eventually, foreign_and_ours_with,
    mailbox::{Mailbox, paper},
};
use rosidl_buffer_runtime::{Message as _, cdr};
use rosidl_buffer_zenoh::{
    Context, QosProfile, Subscription, SubscriptionOptions,
    key::{Attachment, Channel, ChannelKey, Gid, TopicKey},
    zenoh::{Session, Wait as _},
};

struct Scene {
    domain: u32,
    mailbox: std::sync::Arc<Mailbox>,
    foreign: Session,
    subscription: Subscription<Frame>,
    _ours: Context,
}

impl Scene {
    fn new(test: u32) -> Self {
        let (domain, mailbox) = (domain(test), Mailbox::new());
        let (foreign, ours) = foreign_and_ours_with(domain, mailbox.registry());
        let node = ours.create_node("node").unwrap();
        let all = SubscriptionOptions::from(QosProfile::default().keep_last(1000));
        let subscription = node.create_subscription("frames", all).unwrap();
        let scene = Self {
            domain,
            mailbox,
            foreign,
            subscription,
            _ours: ours,
        };
        for channel in [Channel::Base, Channel::Buffer(scene.subscription.gid())] {
            let publisher = scene.foreign.declare_publisher(scene.on(channel));
            let publisher = publisher.wait().unwrap();
            eventually("our subscription is known there", || {
                publisher.matching_status().wait().unwrap().matching()
            });
        }
        scene
    }

    fn on(&self, channel: Channel) -> String {
        let hash = Frame::type_hash().to_string();
        let topic = TopicKey::new(self.domain, "/frames", Frame::TYPE_NAME, &hash);
        ChannelKey { topic, channel }.to_string()
    }

    fn put(&self, channel: Channel, payload: &[u8], number: i64, time: i64) {
        let attachment = Attachment {
            sequence_number: number,
            source_timestamp: time,
            gid: Gid([7; 16]),
        };
        let put = self.foreign.put(self.on(channel), payload.to_vec());
        put.attachment(attachment.to_bytes()).wait().unwrap();
    }

    fn both(&self) -> [Channel; 2] {
        [Channel::Base, Channel::Buffer(self.subscription.gid())]
    }

    fn numbers(&self, count: usize) -> Vec<i64> {
        let number = || {
            let received = self.subscription.recv_timeout(SOON).unwrap();
            let info = received.expect("a frame").info;
            info.publication_sequence_number.unwrap()
        };
        (0..count).map(|_| number()).collect()
    }
}

fn bytes(number: u32) -> Vec<u8> {
    let data = vec![7; 100].into();
    cdr::encode(&Frame { number, data }).unwrap()
}

#[test]
fn each_message_is_delivered_once() {
    let scene = Scene::new(0);
    let [one, two] = scene.both();
    for number in 1..=100 {
        let (first, second) = if number % 2 == 0 {
            (one, two)
        } else {
            (two, one)
        };
        scene.put(first, &bytes(1), number, 1000 + number);
        scene.put(second, &bytes(1), number, 1000 + number);
    }
    // The publisher begins anew under its old name.
    for number in 1..=10 {
        scene.put(one, &bytes(2), number, 2000 + number);
        scene.put(two, &bytes(2), number, 2000 + number);
    }
    assert_eq!(
        scene.numbers(110),
        (1..=100).chain(1..=10).collect::<Vec<_>>()
    );
    eventually("the last copy is counted", || {
        scene.subscription.stats().duplicates == 110
    });
    assert!(scene.subscription.try_recv().unwrap().is_none());
    let stats = scene.subscription.stats();
    assert_eq!((stats.received, stats.lost, stats.dropped), (110, 0, 0));
}

#[test]
fn a_copy_that_is_a_descriptor_is_taken_and_one_that_fails_stands_for_nothing() {
    let scene = Scene::new(1);
    let [base, own] = scene.both();
    let described = |number: u32| {
        let mut payload = Vec::new();
        let registry = scene.mailbox.registry();
        let metadata = (
            common::mailbox::MAILBOX.to_owned(),
            common::mailbox::ADDRESS.to_owned(),
        );
        let peer = [metadata].into_iter().collect();
        let data = paper(vec![1; 100]);
        let frame = Frame { number, data };
        let described = cdr::encode_for(&frame, &registry, &peer, &mut payload).unwrap();
        assert_eq!(described.count(), 1);
        described.sent();
        payload
    };
    scene.put(base, &bytes(1), 1, 1);
    scene.put(own, &described(1), 1, 1);
    assert_eq!(scene.numbers(1), [1]);
    eventually("nobody waits for the copy", || scene.mailbox.waiting() == 0);

    let gone = described(2);
    scene.mailbox.burn();
    scene.put(own, &gone, 2, 2);
    scene.put(base, &bytes(2), 2, 2);
    assert_eq!(scene.numbers(1), [2]);
    let stats = scene.subscription.stats();
    assert_eq!((stats.buffers_lost, stats.duplicates), (1, 1));
}
