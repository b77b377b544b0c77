//! Messages in device memory: who takes them as they are does not wait for those who need a copy on the host. The device is
//! one whose copies wait until a test lets them through.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
mod scene;

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock, Weak, atomic::Ordering},
    thread::spawn,
    time::Duration,
};

use common::{
    Frame, SOON,
    device::{Copies, DEVICE, on_device, on_device_until},
    eventually, eventually_within,
};
use rosidl_buffer_zenoh::{Error, Fallback, Publisher, QosProfile, zenoh::Wait as _};
use scene::{ALL, Scene, Seen, fill, on_host};

#[test]
fn who_takes_device_memory_does_not_wait_for_the_copies_of_others() {
    let mut scene = Scene::new(1, ALL);
    let direct = scene.reader("direct", DEVICE);
    let host = scene.reader("host", "cpu");
    // Neither does the publisher.
    scene.publish(0..8);
    direct.wait_for(0..8, DEVICE);
    assert!(host.numbers().is_empty());
    let described = BTreeMap::from([(DEVICE.to_owned(), 8)]);
    let stats = scene.stats();
    assert_eq!(
        (stats.published, &stats.described),
        (8, &described),
        "{stats:?}"
    );
    assert_eq!(
        stats.fallbacks,
        BTreeMap::new(),
        "nothing has left as bytes"
    );

    scene.gate.let_through(1);
    host.wait_for(0..1, "cpu");
    let fallbacks = |count| BTreeMap::from([(Fallback::NotAccepted, count)]);
    assert!(
        scene.stats().fallbacks[&Fallback::NotAccepted] >= 1,
        "counted before it is seen"
    );
    scene.gate.open();
    host.wait_for(0..8, "cpu");
    let stats = scene.stats();
    assert_eq!((stats.published, stats.described), (8, described));
    assert_eq!(stats.fallbacks, fallbacks(8));
    assert_eq!((stats.dropped, stats.failed, stats.refused), (0, 0, 0));
    for reader in [direct, host] {
        let stats = reader.subscription.stats();
        assert_eq!(
            (stats.received, stats.lost, stats.duplicates),
            (8, 0, 0),
            "{stats:?}"
        );
    }
}

#[test]
fn the_oldest_go_for_those_who_wait_and_are_counted() {
    let mut scene = Scene::new(2, QosProfile::default().keep_last(3));
    let direct = scene.reader("direct", DEVICE);
    let host = scene.reader("host", "cpu");
    scene.publish(0..1);
    scene.gate.wait_for(1);
    scene.publish(1..10);
    assert_eq!(scene.stats().dropped, 6);
    direct.wait_for(0..10, DEVICE);
    scene.gate.open();
    host.wait_for([0, 7, 8, 9], "cpu");
    assert_eq!(host.subscription.stats().lost, 6);
    assert_eq!(direct.subscription.stats().lost, 0);
    let stats = scene.stats();
    assert_eq!(
        (stats.published, stats.dropped, stats.failed),
        (10, 6, 0),
        "{stats:?}"
    );
    assert_eq!(
        stats.fallbacks,
        BTreeMap::from([(Fallback::NotAccepted, 4)])
    );
}

#[test]
fn who_keeps_all_waits_for_room() {
    let mut scene = Scene::new(3, ALL);
    let direct = scene.reader("direct", DEVICE);
    let host = scene.reader("host", "cpu");
    let publishing = scene.publish_beside((0..30).map(|number| scene.frame(number)).collect());
    // One is being copied, ten wait, and the next one is not published.
    for (allowed, published) in [(0, 11), (1, 12)] {
        scene.gate.let_through(allowed);
        eventually("there is no room", || direct.numbers().len() >= published);
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(direct.numbers().len(), published);
    }
    scene.gate.let_through(29);
    publishing.join().unwrap();
    direct.wait_for(0..30, DEVICE);
    host.wait_for(0..30, "cpu");
    assert_eq!(scene.stats().dropped, 0);
}

#[test]
fn in_one_context_copies_are_waited_for_by_nobody_else() {
    let mut scene = Scene::new(4, ALL);
    let node = scene.node.clone();
    let direct = scene.reader_of(&node, DEVICE);
    let host = scene.reader_of(&node, "cpu");
    scene.publish(0..5);
    direct.wait_for(0..5, DEVICE);
    assert_eq!((host.numbers(), scene.stats().intra_process), (vec![], 5));
    scene.gate.open();
    host.wait_for(0..5, "cpu");
    let stats = scene.stats();
    assert_eq!((stats.published, stats.intra_process), (5, 10), "{stats:?}");
    assert_eq!(
        stats.fallbacks,
        BTreeMap::from([(Fallback::NotAccepted, 5)])
    );
}

#[test]
fn whoever_reads_where_gets_all_in_order_whatever_memory_it_is_in() {
    let mut scene = Scene::new(5, ALL);
    let node = scene.node.clone();
    let readers = [
        scene.reader("direct", DEVICE),
        scene.reader("host", "cpu"),
        scene.reader_of(&node, DEVICE),
        scene.reader_of(&node, "cpu"),
    ];
    let frame = |number| {
        if number % 4 == 3 {
            on_host(number)
        } else {
            scene.frame(number)
        }
    };
    let publishing = scene.publish_beside((0..40).map(frame).collect());
    scene.gate.wait_for(1);
    // Time for a message that does not wait for those before it.
    std::thread::sleep(Duration::from_millis(50));
    scene.gate.open();
    publishing.join().unwrap();
    for reader in &readers {
        eventually("all are there", || reader.numbers().len() == 40);
        assert_eq!(reader.numbers(), (0..40).collect::<Vec<_>>());
        let stats = reader.subscription.stats();
        assert_eq!((stats.lost, stats.duplicates), (0, 0), "{stats:?}");
        assert!(reader.seen.lock().unwrap().iter().all(|seen| seen.fine));
    }
    assert_eq!((scene.stats().published, scene.stats().dropped), (40, 0));
}

#[test]
fn who_is_ready_and_cannot_be_told_holds_nobody_up() {
    let mut scene = Scene::new(15, ALL);
    let direct = scene.reader("direct", DEVICE);
    let untold = scene.reader("untold", DEVICE);
    *scene.desks.untold.lock().unwrap() = Some("untold".to_owned());
    scene.publish(0..5);
    direct.wait_for(0..5, DEVICE);
    assert!(untold.numbers().is_empty());
    scene.gate.open();
    untold.wait_for(0..5, "cpu");
    let stats = scene.stats();
    assert_eq!(stats.fallbacks, BTreeMap::from([(Fallback::Refused, 5)]));
    assert_eq!((stats.published, stats.dropped), (5, 0), "{stats:?}");
}

#[test]
fn who_comes_within_reach_gets_nothing_before_what_waits_for_it() {
    let mut scene = Scene::new(6, ALL);
    let direct = scene.reader("direct", DEVICE);
    let moves = scene.reader("moves", DEVICE);
    scene.desks.reach("moves", false);
    scene.publish(0..3);
    scene.gate.wait_for(1);
    scene.desks.reach("moves", true);
    let publishing = scene.publish_beside(vec![scene.frame(3), scene.frame(4)]);
    std::thread::sleep(Duration::from_millis(50));
    scene.gate.open();
    publishing.join().unwrap();
    direct.wait_for(0..5, DEVICE);
    eventually("all are there", || moves.numbers().len() == 5);
    // The copy of the first had begun; what waited for that needs none any more.
    let memory = |seen: &Seen| (seen.number, seen.memory.clone());
    let came: Vec<_> = moves.seen.lock().unwrap().iter().map(memory).collect();
    let expected = ["cpu", DEVICE, DEVICE, DEVICE, DEVICE].map(str::to_owned);
    assert_eq!(came, (0..).zip(expected).collect::<Vec<_>>());
    // And out of reach again, behind nobody.
    scene.desks.reach("moves", false);
    scene.publish(5..7);
    eventually("all are there", || {
        moves.numbers() == (0..7).collect::<Vec<_>>()
    });
    assert_eq!(
        scene.stats().fallbacks,
        BTreeMap::from([(Fallback::NotReady, 3)])
    );
}

#[test]
fn a_reader_that_comes_and_one_that_goes_hold_up_nobody_for_good() {
    let mut scene = Scene::new(7, ALL);
    let direct = scene.reader("direct", DEVICE);
    let host = scene.reader("host", "cpu");
    scene.publish(0..3);
    scene.gate.wait_for(1);
    let late = scene.reader("late", DEVICE);
    let publishing = scene.publish_beside(vec![scene.frame(3)]);
    scene.gate.open();
    publishing.join().unwrap();
    late.wait_for([3], DEVICE);
    direct.wait_for(0..4, DEVICE);
    host.wait_for(0..4, "cpu");
    drop((late, direct));
    eventually("they are gone", || {
        scene.publisher.subscription_count() == 1
    });
    scene.publish(4..6);
    host.wait_for(0..6, "cpu");
}

#[test]
fn what_comes_twice_comes_close_together_and_is_known() {
    let mut scene = Scene::new(14, QosProfile::default().keep_last(100));
    let node = scene.node.clone();
    let direct = scene.reader_of(&node, DEVICE);
    // It has to be reached by the topic's own key, which the other one reads too.
    let other = scene.reader_with(&node, "cpu", false);
    let publishing = scene.publish_beside((0..50).map(|number| scene.frame(number)).collect());
    scene.gate.wait_for(1);
    std::thread::sleep(Duration::from_millis(50));
    scene.gate.open();
    publishing.join().unwrap();
    other.wait_for(0..50, "cpu");
    direct.wait_for(0..50, DEVICE);
}

#[test]
fn what_fails_on_the_way_is_counted_and_said_with_the_next_message() {
    let mut scene = Scene::new(8, ALL);
    let direct = scene.reader("direct", DEVICE);
    let host = scene.reader("host", "cpu");
    scene.gate.open();
    for (number, copies) in [(0, Copies::Fail), (10, Copies::Panic)] {
        let failed = scene.stats().failed;
        scene
            .publisher
            .publish(&scene.frame_that(number, copies))
            .unwrap();
        eventually("it has failed", || scene.stats().failed == failed + 1);
        let error = scene.publisher.publish(&scene.frame(number + 1));
        let error = error.expect_err("the one before failed");
        assert!(matches!(error, Error::Earlier { .. }), "{error}");
        let said = error.to_string();
        assert!(
            said.contains("/frames") && said.contains("published earlier"),
            "{said}"
        );
        scene.publish([number + 2]);
    }
    direct.wait_for([0, 1, 2, 10, 11, 12], DEVICE);
    host.wait_for([1, 2, 11, 12], "cpu");
    let stats = scene.stats();
    assert_eq!(
        (stats.published, stats.failed, stats.dropped),
        (6, 2, 0),
        "{stats:?}"
    );
}

#[test]
fn what_the_lane_drops_may_publish_in_turn() {
    let mut scene = Scene::new(9, ALL);
    let host = scene.reader("host", "cpu");
    let node = scene.node.clone();
    let direct = scene.reader_of(&node, DEVICE);
    let weak: Arc<OnceLock<Weak<Publisher<Frame>>>> = Arc::default();
    weak.set(Arc::downgrade(&scene.publisher)).unwrap();
    let publisher = Arc::clone(&weak);
    let data = on_device_until(&scene.gate, fill(0), move || {
        let publisher = publisher.get().unwrap().upgrade().unwrap();
        publisher.publish(&on_host(1)).unwrap();
    });
    scene.publisher.publish(&Frame { number: 0, data }).unwrap();
    direct.wait_for([0], DEVICE);
    // Only the lane has it now, and somebody waits for it.
    let publishing = scene.publish_beside(vec![on_host(2)]);
    scene.gate.open();
    publishing.join().unwrap();
    for reader in [host, direct] {
        eventually("all are there", || reader.numbers().len() == 3);
        assert_eq!(reader.numbers()[0], 0);
        assert!(reader.numbers().contains(&1) && reader.numbers().contains(&2));
    }
}

#[test]
fn a_publisher_that_goes_sends_what_waits() {
    let mut scene = Scene::new(10, ALL);
    let direct = scene.reader("direct", DEVICE);
    let host = scene.reader("host", "cpu");
    scene.publish(0..6);
    scene.gate.wait_for(1);
    let (gate, publisher) = (Arc::clone(&scene.gate), scene.publisher);
    let going = spawn(move || drop(publisher));
    gate.open();
    going.join().unwrap();
    host.wait_for(0..6, "cpu");
    direct.wait_for(0..6, DEVICE);
}

#[test]
fn a_publisher_goes_although_a_copy_does_not_end() {
    let mut scene = Scene::new(11, ALL);
    let direct = scene.reader("direct", DEVICE);
    let host = scene.reader("host", "cpu");
    scene.publish(0..6);
    scene.gate.wait_for(1);
    direct.wait_for(0..6, DEVICE);
    let (gate, publisher) = (Arc::clone(&scene.gate), scene.publisher);
    let going = spawn(move || drop(publisher));
    eventually_within(6 * SOON, "it is gone", || going.is_finished());
    going.join().unwrap();
    // Whenever it ends, nothing else is begun.
    gate.open();
    // The test and its scene have the gate, and every frame that is left.
    eventually("the memory is given up", || Arc::strong_count(&gate) == 2);
    assert!(host.numbers().len() <= 1, "{:?}", host.numbers());
}

#[test]
fn nothing_hangs_when_the_session_is_gone() {
    let mut scene = Scene::new(12, ALL);
    let direct = scene.reader("direct", DEVICE);
    let _host = scene.reader("host", "cpu");
    scene.publish(0..3);
    direct.wait_for(0..3, DEVICE);
    scene.gate.wait_for(1);
    let session = scene.node.context().zenoh_session().clone();
    session.close().wait().unwrap();
    scene.gate.open();
    eventually("all are refused", || scene.stats().refused == 3);
    assert!(scene.publisher.publish(&scene.frame(3)).is_err());
    drop(scene);
}

#[test]
fn where_everybody_needs_the_copy_publishing_waits_for_it() {
    let mut scene = Scene::new(13, ALL);
    let host = scene.reader("host", "cpu");
    scene.gate.let_through(3);
    // Everybody waits for the copy, the publisher too.
    scene.publish(0..3);
    let stats = scene.stats();
    assert_eq!(
        (stats.published, &stats.fallbacks),
        (3, &BTreeMap::from([(Fallback::NotAccepted, 3)]))
    );
    host.wait_for(0..3, "cpu");
    let data = on_device(&scene.gate, 1, Copies::Fail);
    scene.gate.open();
    let error = scene
        .publisher
        .publish(&Frame { number: 3, data })
        .unwrap_err();
    assert!(matches!(error, Error::Encode { .. }), "{error}");

    // Who would take it as it is cannot be told where it is.
    let direct = scene.reader("direct", DEVICE);
    scene.desks.broken.store(true, Ordering::SeqCst);
    scene.publish(4..6);
    let stats = scene.stats();
    assert_eq!(stats.fallbacks[&Fallback::Failed], 2, "{stats:?}");
    direct.wait_for(4..6, "cpu");
    host.wait_for([0, 1, 2, 4, 5], "cpu");
    let error = scene.publisher.publish(&scene.frame_that(6, Copies::Fail));
    assert!(matches!(error, Err(Error::Encode { .. })), "{error:?}");
}
