//! One topic with everybody who has to do with it, and a look at all that passes on its keys.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, mpsc::Receiver},
    time::Duration,
};

use rosidl_buffer_runtime::{Buffer, Message as _};
use rosidl_buffer_zenoh::{
    Context, Node, Publisher, PublisherOptions, QosProfile, Subscription, SubscriptionOptions,
    key::{Attachment, Channel, ChannelKey, Gid, TopicKey},
    zenoh::{Session, Wait as _, liveliness::LivelinessToken, sample::Sample},
};

use crate::common::{
    Frame, SOON, domain, eventually, foreign_and_ours_with,
    mailbox::{Mailbox, paper},
    watch,
};

/// What begins a descriptor of the mailbox, behind a frame's number.
const MARKER: [u8; 8] = *b"\xff\xff\xff\xff2SOR";

pub(crate) fn frame(number: u32) -> Frame {
    Frame {
        number,
        data: paper(vec![number.to_le_bytes()[0]; 6000]),
    }
}

pub(crate) fn accepting(names: &str) -> SubscriptionOptions {
    SubscriptionOptions::from(QosProfile::default()).acceptable_buffer_backends(names)
}

/// With a queue that nothing falls out of.
pub(crate) fn patient(names: &str) -> SubscriptionOptions {
    let qos = QosProfile::default().keep_last(10_000);
    SubscriptionOptions::from(qos).acceptable_buffer_backends(names)
}

pub(crate) fn key(domain: u32, channel: Channel) -> String {
    let hash = Frame::type_hash().to_string();
    let topic = TopicKey::new(domain, "/frames", Frame::TYPE_NAME, &hash);
    ChannelKey { topic, channel }.to_string()
}

/// One topic, a node of ours with a mailbox, and somebody who sees everything that passes.
pub(crate) struct Scene {
    domain: u32,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) foreign: Session,
    pub(crate) ours: Context,
    node: Node,
    pub(crate) publisher: Publisher<Frame>,
    seen: Receiver<Sample>,
    declared: Mutex<HashMap<Gid, LivelinessToken>>,
}

impl Scene {
    pub(crate) fn new(test: u32) -> Self {
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

    pub(crate) fn subscribe(&self, options: impl Into<SubscriptionOptions>) -> Subscription<Frame> {
        let there = self.publisher.subscription_count();
        let subscription = self.node.create_subscription("frames", options).unwrap();
        self.known(there + 1);
        subscription
    }

    /// A subscription of somebody else, as its token says; what it reads is left to the test.
    pub(crate) fn declare(&self, backends: &str) -> Gid {
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

    pub(crate) fn leave(&self, gid: Gid) {
        let declared = self.declared.lock().unwrap().remove(&gid);
        declared.unwrap().undeclare().wait().unwrap();
    }

    pub(crate) fn known(&self, count: usize) {
        eventually("the subscription is known", || {
            self.publisher.subscription_count() == count
        });
    }

    /// Key and payload of what a message brought about, in the order of the keys.
    pub(crate) fn passed(&self) -> Vec<(String, Vec<u8>)> {
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

    pub(crate) fn on(&self, channel: Channel) -> String {
        key(self.domain, channel)
    }
}

pub(crate) fn is_descriptor(payload: &[u8]) -> bool {
    payload.get(8..16) == Some(&MARKER[..])
}

pub(crate) fn next(subscription: &Subscription<Frame>) -> Frame {
    subscription
        .recv_timeout(SOON)
        .unwrap()
        .expect("a frame")
        .message
}
