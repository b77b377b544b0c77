//! A peer that means no good: tokens, attachments, payloads and descriptors that lie. All of it is counted and left aside,
//! and the node goes on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use common::{
    Frame, SOON, TEXT_HASH, Text, domain, eventually, eventually_within, foreign_and_ours,
    foreign_and_ours_with,
    mailbox::{MAILBOX, Mailbox},
    text,
};
use rosidl_buffer_runtime::{Message as _, cdr};
use rosidl_buffer_zenoh::{
    QosProfile, SubscriptionOptions,
    key::{Channel, ChannelKey, TopicKey},
    zenoh::{Wait as _, qos::CongestionControl},
};

/// As a publisher of ROS writes it.
fn attachment(number: i64) -> Vec<u8> {
    [&number.to_le_bytes()[..], &[0; 8], &[16], &[5; 16]].concat()
}

#[test]
fn thousands_of_tokens_that_make_no_sense_are_counted_and_the_node_goes_on() {
    let domain = domain(1);
    let (foreign, ours) = foreign_and_ours(domain);
    let node = ours.create_node("talker").unwrap();
    let graph = node.graph();
    let publisher = node
        .create_publisher::<Text>("chatter", QosProfile::default())
        .unwrap();
    let id = foreign.zid();
    let tail = format!("std_msgs::msg::dds_::String_/{TEXT_HASH}/::,:,:,:,,");
    let malformed = |number: usize| match number % 6 {
        0 => format!("{number}"),
        1 => format!("{id}/{number}/0/XX/%/%/n"),
        2 => format!("{id}/0/{number}/MP/%/%/n/%t"),
        3 => format!(
            "{id}/0/{number}/MS/%/%/n/%t{number}/{}",
            tail.replace("::,", "9::,")
        ),
        4 => format!("{id}/-1/{number}/NN/%/%/n"),
        _ => format!("{id}/0/{number}/SS/%/%/n/%s/T/h/::,:,:,:,,:{number}"),
    };
    let (bad, long) = (2000, 100);
    let mut tokens = Vec::new();
    for number in 0..bad {
        tokens.push(malformed(number));
    }
    for number in 0..long {
        let name = "x".repeat(4096 + 20 * number);
        tokens.push(format!("{id}/0/{number}/MP/%/%/{name}/%t/{tail}"));
    }
    // Our own session, as anybody may say.
    tokens.push(format!(
        "{}/0/99/MS/%/%/liar/%chatter/{tail}",
        ours.zenoh_session().zid()
    ));
    let declared: Vec<_> = tokens
        .iter()
        .map(|rest| {
            let token = format!("@ros2_lv/{domain}/{rest}");
            foreign.liveliness().declare_token(token).wait().unwrap()
        })
        .collect();
    eventually_within(9 * SOON, "all are counted", || {
        let ignored = graph.ignored();
        (ignored.malformed, ignored.too_long) == (bad as u64, long as u64)
    });
    eventually("the liar is counted", || graph.ignored().not_ours == 1);
    assert_eq!(publisher.subscription_count(), 0);
    assert_eq!(graph.node_names().len(), 1);

    let subscription = ours
        .create_node("listener")
        .unwrap()
        .create_subscription::<Text>("chatter", QosProfile::default())
        .unwrap();
    assert!(subscription.wait_for_publisher(SOON) && publisher.wait_for_subscription(SOON));
    publisher.publish(&text("still here")).unwrap();
    let received = subscription.recv_timeout(SOON).unwrap().unwrap();
    assert_eq!(received.message.data, "still here");
    drop(declared);
    let id = foreign.zid();
    let last = format!("@ros2_lv/{domain}/{id}/0/0/NN/%/%/last");
    let _last = foreign.liveliness().declare_token(last).wait().unwrap();
    eventually("all that went is known", || {
        graph.node_names().iter().any(|node| node.name == "last")
    });
    assert_eq!(publisher.subscription_count(), 1);
    let all = (bad + long + 1) as u64;
    assert_eq!(
        graph.ignored().total(),
        all,
        "what goes is not counted again"
    );
}

#[test]
fn attachments_payloads_and_descriptors_that_lie_are_counted_on_every_channel() {
    let domain = domain(2);
    let mailbox = Mailbox::new();
    let (foreign, ours) = foreign_and_ours_with(domain, mailbox.registry());
    let node = ours.create_node("listener").unwrap();
    let hash = Frame::type_hash().to_string();
    let good = cdr::encode(&Frame {
        number: 7,
        data: vec![1, 2, 3].into(),
    })
    .unwrap();
    // A descriptor of each kind of lie: of nobody's memory, of a backend that is not there, cut off.
    let descriptor = |name: &[u8], rest: &[u8]| {
        let length = u32::try_from(name.len()).unwrap().to_le_bytes();
        [&good[..8], &[0xFF; 4], b"2SOR", &length, name, rest].concat()
    };
    let lies = [
        descriptor(b"mailbox\0", &[0, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0]),
        descriptor(b"nobody\0", &[0; 40]),
        descriptor(b"mailbox\0", &[]),
        descriptor(&[0xFF; 300], &[0; 300]),
        good[..7].to_vec(),
        vec![],
        vec![0xFF; 100_000],
    ];
    for (topic, accepted) in [("/base", MAILBOX), ("/cpu", "cpu"), ("/own", MAILBOX)] {
        let options = SubscriptionOptions::from(QosProfile::default().keep_all());
        let options = options.acceptable_buffer_backends(accepted);
        let subscription = node.create_subscription::<Frame>(topic, options).unwrap();
        let key = ChannelKey {
            topic: TopicKey::new(domain, topic, Frame::TYPE_NAME, &hash),
            channel: match topic {
                "/base" => Channel::Base,
                "/cpu" => Channel::Cpu,
                _ => Channel::Buffer(subscription.gid()),
            },
        };
        let publisher = foreign
            .declare_publisher(key.to_string())
            .congestion_control(CongestionControl::Block)
            .wait()
            .unwrap();
        eventually("the channel is known there", || {
            publisher.matching_status().wait().unwrap().matching()
        });
        let put = |payload: &[u8], attachment: Vec<u8>| {
            publisher
                .put(payload)
                .attachment(attachment)
                .wait()
                .unwrap();
        };
        for (number, lie) in (1..).zip(&lies) {
            put(lie, attachment(number));
        }
        let lengths = [0, 1, 16, 32, 34, 100, 10_000];
        for length in lengths {
            put(&[0; 3], vec![0xFF; length]);
        }
        publisher.delete().wait().unwrap();
        put(&good, attachment(i64::MAX));
        let received = subscription.recv_timeout(SOON).unwrap();
        let stats = subscription.stats();
        let message = received
            .unwrap_or_else(|| panic!("the good one: {stats:?}"))
            .message;
        assert_eq!((message.number, message.data.len()), (7, 3));
        assert_eq!(stats.without_source, lengths.len() as u64, "{topic}");
        let left_out = stats.undecodable + stats.buffers_lost;
        assert_eq!(
            left_out,
            (lies.len() + lengths.len()) as u64,
            "{topic}: {stats:?}"
        );
        assert_eq!((stats.publishers.len(), stats.lost), (1, 0), "{topic}");
    }
}

#[test]
fn a_token_that_is_declared_by_somebody_else_too_does_not_go_with_him() {
    let domain = domain(3);
    let (foreign, ours) = foreign_and_ours(domain);
    let node = ours.create_node("talker").unwrap();
    let graph = node.graph();
    let publisher = node
        .create_publisher::<Text>("chatter", QosProfile::default())
        .unwrap();
    let there = || graph.count_publishers("/chatter");
    assert_eq!(there(), 1, "we know ourselves at once");
    let key = format!("@ros2_lv/{domain}/**/MP/**");
    let mut own = None;
    eventually("the others know us", || {
        let known = foreign.liveliness().get(key.as_str()).wait().unwrap();
        own = known
            .into_iter()
            .filter_map(|reply| reply.into_result().ok())
            .map(|sample| sample.key_expr().to_string())
            .find(|token| token.contains("%chatter"));
        own.is_some()
    });
    let copy = foreign.liveliness().declare_token(own.unwrap());
    let copy = copy.wait().unwrap();
    let marker = |number: u32| {
        let id = foreign.zid();
        let token = format!("@ros2_lv/{domain}/{id}/0/{number}/NN/%/%/marker{number}");
        let token = foreign.liveliness().declare_token(token).wait().unwrap();
        eventually("what was declared before is known", || {
            let nodes = graph.node_names();
            nodes
                .iter()
                .any(|node| node.name == format!("marker{number}"))
        });
        token
    };
    let first = marker(1);
    copy.undeclare().wait().unwrap();
    let second = marker(2);
    assert_eq!(there(), 1);
    drop((first, second, publisher));
    eventually("it goes with us", || there() == 0);
}
