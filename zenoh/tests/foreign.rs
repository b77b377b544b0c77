//! A plain Zenoh session as a node of somebody else: the exact texts and bytes of `rmw_zenoh_cpp`, and what a
//! stranger may do to us.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{collections::HashSet, sync::mpsc::channel, time::Duration};

use common::{
    Frame, SOON, TEXT_HASH, Text, bare, domain, eventually, foreign_and_ours, text, watch,
};
use rosidl_buffer_zenoh::{QosProfile, key::Gid, zenoh::Wait as _};

/// The attachment as `rmw_zenoh_cpp` serialises it, byte by byte.
fn attachment(number: i64, time: i64, gid: [u8; 16]) -> Vec<u8> {
    [&number.to_le_bytes()[..], &time.to_le_bytes(), &[16], &gid].concat()
}

const HELLO: &[u8] = &[0, 1, 0, 0, 6, 0, 0, 0, b'h', b'e', b'l', b'l', b'o', 0];

#[test]
fn our_publisher_as_others_see_it() {
    let domain = domain(20);
    let (foreign, ours) = foreign_and_ours(domain);
    let (heard, tokens) = channel();
    foreign
        .liveliness()
        .declare_subscriber(format!("@ros2_lv/{domain}/**"))
        .history(true)
        .callback(move |sample| drop(heard.send((sample.kind(), sample.key_expr().to_string()))))
        .background()
        .wait()
        .unwrap();
    let samples = watch(
        &foreign,
        &format!("{domain}/robot/chatter/std_msgs::msg::dds_::String_/{TEXT_HASH}"),
    );
    let node = bare(ours.node_builder("talker").namespace("/robot"))
        .build()
        .unwrap();
    let qos = QosProfile::default().best_effort();
    let publisher = node.create_publisher::<Text>("chatter", qos).unwrap();

    let id = ours.zenoh_session().zid();
    let node_token = format!("@ros2_lv/{domain}/{id}/0/0/NN/%/%robot/talker");
    let token = format!(
        "@ros2_lv/{domain}/{id}/0/1/MP/%/%robot/talker/%robot%chatter/std_msgs::msg::dds_::String_/{TEXT_HASH}/2::,10:,:,:,,"
    );
    let seen: HashSet<String> = (0..2)
        .map(|_| tokens.recv_timeout(SOON).unwrap().1)
        .collect();
    assert_eq!(seen, HashSet::from([node_token, token.clone()]));
    assert_eq!(publisher.gid(), Gid::of_token(&token));

    eventually("the foreign subscriber gets samples", || {
        publisher.publish(&text("hello")).unwrap();
        samples.recv_timeout(Duration::from_millis(20)).is_ok()
    });
    publisher.publish(&text("hello")).unwrap();
    let sample = samples.recv_timeout(SOON).unwrap();
    assert_eq!(&*sample.payload().to_bytes(), HELLO);
    let bytes = sample.attachment().unwrap().to_bytes();
    assert_eq!(bytes.len(), 33);
    assert_eq!(bytes[16], 16);
    assert_eq!(bytes[17..], publisher.gid().0);

    drop(publisher);
    let (kind, gone) = tokens.recv_timeout(SOON).unwrap();
    assert_eq!((kind.to_string().as_str(), gone), ("DELETE", token));
}

#[test]
fn a_foreign_publisher_is_counted_and_heard() {
    let domain = domain(21);
    let (foreign, ours) = foreign_and_ours(domain);
    let node = ours.create_node("listener").unwrap();
    let subscription = node
        .create_subscription::<Text>("chatter", QosProfile::default())
        .unwrap();
    let key = format!("{domain}/chatter/std_msgs::msg::dds_::String_/{TEXT_HASH}");
    let publisher = foreign.declare_publisher(key).wait().unwrap();
    let token_text = format!(
        "@ros2_lv/{domain}/{}/0/10/MP/%/%/talker/%chatter/std_msgs::msg::dds_::String_/{TEXT_HASH}/::,:,:,:,,/backends:cpu:",
        foreign.zid(),
    );
    let token = foreign
        .liveliness()
        .declare_token(token_text.clone())
        .wait()
        .unwrap();
    assert!(subscription.wait_for_publisher(SOON));
    eventually("our subscription is known there", || {
        publisher.matching_status().wait().unwrap().matching()
    });

    let gid = Gid::of_token(&token_text);
    // Fast CDR leaves what the heap held behind the message.
    let with_tail = [HELLO, &[0xEE; 6]].concat();
    for (number, payload) in [(4, HELLO), (7, &with_tail[..])] {
        publisher
            .put(payload)
            .attachment(attachment(number, 1_500_000_000_000_000_000, gid.0))
            .wait()
            .unwrap();
        let received = subscription.recv_timeout(SOON).unwrap().unwrap();
        assert_eq!(received.message.data, "hello");
        assert_eq!(received.info.publisher_gid, Some(gid));
        assert_eq!(received.info.publication_sequence_number, Some(number));
        let since = received
            .info
            .source_timestamp
            .unwrap()
            .duration_since(std::time::UNIX_EPOCH);
        assert_eq!(since.unwrap().as_secs(), 1_500_000_000);
    }
    assert_eq!(subscription.stats().publishers[&gid].lost, 2);

    token.undeclare().wait().unwrap();
    eventually("it is gone", || subscription.publisher_count() == 0);
}

#[test]
fn samples_without_their_source_are_delivered_and_counted() {
    let domain = domain(22);
    let (foreign, ours) = foreign_and_ours(domain);
    let node = ours.create_node("listener").unwrap();
    let subscription = node
        .create_subscription::<Text>("chatter", QosProfile::default())
        .unwrap();
    let key = format!("{domain}/chatter/std_msgs::msg::dds_::String_/{TEXT_HASH}");
    let publisher = foreign.declare_publisher(key).wait().unwrap();
    eventually("our subscription is known there", || {
        publisher.matching_status().wait().unwrap().matching()
    });
    let mut named = vec![15];
    named.extend(b"sequence_number");
    named.extend([0; 61]);
    publisher.put(HELLO).wait().unwrap();
    publisher.put(HELLO).attachment(named).wait().unwrap();
    publisher
        .put(HELLO)
        .attachment(&attachment(1, 2, [3; 16])[..32])
        .wait()
        .unwrap();
    for _ in 0..3 {
        let received = subscription.recv_timeout(SOON).unwrap().unwrap();
        assert_eq!(received.message.data, "hello");
        let info = received.info;
        assert_eq!(
            (
                info.publisher_gid,
                info.source_timestamp,
                info.publication_sequence_number
            ),
            (None, None, None)
        );
    }
    let stats = subscription.stats();
    assert_eq!(
        (stats.received, stats.without_source, stats.publishers.len()),
        (3, 3, 0)
    );
}

#[test]
fn payloads_that_make_no_sense_are_counted_and_passed_over() {
    let domain = domain(23);
    let (foreign, ours) = foreign_and_ours(domain);
    let node = ours.create_node("listener").unwrap();
    let subscription = node
        .create_subscription::<Text>("chatter", QosProfile::default())
        .unwrap();
    let key = format!("{domain}/chatter/std_msgs::msg::dds_::String_/{TEXT_HASH}");
    let publisher = foreign.declare_publisher(key).wait().unwrap();
    eventually("our subscription is known there", || {
        publisher.matching_status().wait().unwrap().matching()
    });
    let huge = [0, 1, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0];
    let bad: [&[u8]; 5] = [
        &[],
        &[0, 1],
        &HELLO[..9],
        &huge,
        &[9, 9, 9, 9, 1, 0, 0, 0, 0],
    ];
    for (number, payload) in (1..).zip(bad.into_iter().chain([HELLO])) {
        publisher
            .put(payload)
            .attachment(attachment(number, 0, [1; 16]))
            .wait()
            .unwrap();
    }
    let received = subscription.recv_timeout(SOON).unwrap().unwrap();
    assert_eq!(
        (
            received.message.data.as_str(),
            received.info.publication_sequence_number
        ),
        ("hello", Some(6))
    );
    let stats = subscription.stats();
    assert_eq!((stats.received, stats.undecodable, stats.lost), (6, 5, 0));
    assert!(stats.last_decode_error.is_some());
}

#[test]
fn malformed_tokens_and_other_hashes_do_not_count() {
    let domain = domain(24);
    let (foreign, ours) = foreign_and_ours(domain);
    let node = ours.create_node("talker").unwrap();
    let publisher = node
        .create_publisher::<Text>("chatter", QosProfile::default())
        .unwrap();
    let tail = "MS/%/%/listener/%chatter/std_msgs::msg::dds_::String_";
    let tokens: Vec<_> = [
        "x".to_owned(),
        "not/a/number/MS/%/%/n/%chatter".to_owned(),
        format!("{}/0/5/{tail}/{TEXT_HASH}/nonsense", foreign.zid()),
        format!("{}/0/6/{tail}/RIHS01_00/::,:,:,:,,", foreign.zid()),
        format!("{}/0/7/{tail}/{TEXT_HASH}/::,:,:,:,,", foreign.zid()),
    ]
    .iter()
    .map(|rest| {
        foreign
            .liveliness()
            .declare_token(format!("@ros2_lv/{domain}/{rest}"))
            .wait()
            .unwrap()
    })
    .collect();
    eventually("the good one is there", || {
        publisher.subscription_count() == 1
    });
    drop(tokens);
    eventually("the good one is gone", || {
        publisher.subscription_count() == 0
    });
}

#[test]
fn a_peer_that_dies_leaves_the_graph() {
    let domain = domain(25);
    let (foreign, ours) = foreign_and_ours(domain);
    let node = ours.create_node("talker").unwrap();
    let publisher = node
        .create_publisher::<Text>("chatter", QosProfile::default())
        .unwrap();
    let token = format!(
        "@ros2_lv/{domain}/{}/0/7/MS/%/%/listener/%chatter/std_msgs::msg::dds_::String_/{TEXT_HASH}/::,:,:,:,,",
        foreign.zid(),
    );
    let token = foreign.liveliness().declare_token(token).wait().unwrap();
    eventually("it is there", || publisher.subscription_count() == 1);
    foreign.close().wait().unwrap();
    eventually("it is gone", || publisher.subscription_count() == 0);
    drop(token);
}

#[test]
fn large_payloads_in_pieces_are_put_together() {
    let domain = domain(26);
    let (foreign, ours) = foreign_and_ours(domain);
    let node = ours.create_node("talker").unwrap();
    let publisher = node
        .create_publisher::<Frame>("frames", QosProfile::default())
        .unwrap();
    let subscription = node
        .create_subscription::<Frame>("echo", QosProfile::default())
        .unwrap();
    // What arrives in pieces there is sent back in the same pieces.
    let hash = "*";
    let back = foreign.clone();
    let echo = format!("{domain}/echo/demo_msgs::msg::dds_::Frame_");
    foreign
        .declare_subscriber(format!(
            "{domain}/frames/demo_msgs::msg::dds_::Frame_/{hash}"
        ))
        .callback(move |sample| {
            let (_, hash) = sample.key_expr().as_str().rsplit_once('/').unwrap();
            let attachment = sample.attachment().unwrap().clone();
            back.put(format!("{echo}/{hash}"), sample.payload().clone())
                .attachment(attachment)
                .wait()
                .unwrap();
        })
        .background()
        .wait()
        .unwrap();
    let data: Vec<u8> = (0..1_000_003_u32).map(|i| i.to_be_bytes()[3]).collect();
    let frame = Frame {
        number: 7,
        data: data.into(),
    };
    let mut received = None;
    eventually("the frame came back", || {
        publisher.publish(&frame).unwrap();
        received = subscription
            .recv_timeout(Duration::from_millis(200))
            .unwrap();
        received.is_some()
    });
    assert_eq!(received.unwrap().message, frame);
}
