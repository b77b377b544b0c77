//! Who gets bytes after all, why, and that no message is lost by it.

use std::{sync::atomic::Ordering, time::Duration};

use rosidl_buffer_runtime::BackendRegistry;
use rosidl_buffer_zenoh::{Error, Fallback, QosProfile, key::Channel, zenoh::Wait as _};

use crate::{
    common::{
        Frame, SOON, domain, eventually, foreign_and_ours_with,
        mailbox::{MAILBOX, Mailbox, paper},
        watch,
    },
    scene::{Scene, accepting, frame, is_descriptor, key, next, patient},
    tokens::tokens,
};

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
