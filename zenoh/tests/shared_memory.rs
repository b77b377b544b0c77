//! Frames in shared memory from one process to another, and what happens when one of them dies, lags or is not to be
//! reached.
//!
//! The test binary starts itself again; what the other process does is an ignored test.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    sync::{Arc, mpsc::Receiver},
    time::Duration,
};

use common::{
    Frame, SOON, Text, builder, domain, eventually, foreign_session, free_port,
    process::{Process, is_other_process},
    text, watch,
};
use rosidl_buffer_runtime::{BackendRegistry, Message as _, shm::ShmBackend};
use rosidl_buffer_zenoh::{
    Context, Fallback, Node, Publisher, QosProfile, Subscription, SubscriptionOptions,
    zenoh::{Session, Wait as _, sample::Sample},
};

const SHM: &str = "shm";
/// Nothing is dropped on the way when the machine is busy.
const ALL: QosProfile = QosProfile::system_default().keep_all();
const LEN: usize = 100_000;
/// The number of a frame that asks the viewer to end.
const END: u32 = u32::MAX;
/// What the viewer accepts.
const ACCEPTS: &str = "ROSIDL_BUFFER_ZENOH_ACCEPTS";

/// The other process: says of each frame which memory it came in, and sends it back.
#[test]
#[ignore = "the other process of the tests below"]
fn viewer_process() {
    if !is_other_process() {
        return;
    }
    let node = Node::new("viewer").unwrap();
    let mut options = SubscriptionOptions::from(ALL);
    if let Ok(names) = std::env::var(ACCEPTS) {
        options = options.acceptable_buffer_backends(&names);
    }
    let answers = node.create_publisher::<Text>("answers", ALL).unwrap();
    let echo = node.create_publisher::<Frame>("echo", ALL).unwrap();
    let frames = node
        .create_subscription::<Frame>("frames", options)
        .unwrap();
    while let Some(received) = frames.recv_timeout(3 * SOON).unwrap() {
        let Frame { number, data } = &received.message;
        if *number == END {
            let stats = frames.stats();
            assert_eq!((stats.undecodable, stats.buffers_lost), (0, 0), "{stats:?}");
            return;
        }
        let fine = data
            .as_slice()
            .is_some_and(|bytes| bytes == content(*number));
        answers
            .publish(&text(format!("{number} {} {fine}", data.backend_type())))
            .unwrap();
        echo.publish(&received.message).unwrap();
    }
    panic!("nobody asked for the end");
}

/// The other process: has a subscription and does not look into it.
#[test]
#[ignore = "the other process of the tests below"]
fn sleeper_process() {
    if !is_other_process() {
        return;
    }
    let node = Node::new("sleeper").unwrap();
    let qos = QosProfile::default().keep_last(2);
    let _frames = node.create_subscription::<Frame>("frames", qos).unwrap();
    std::thread::sleep(6 * SOON);
}

/// The other process: sends frames until it is killed.
#[test]
#[ignore = "the other process of the tests below"]
fn camera_process() {
    if !is_other_process() {
        return;
    }
    let node = Node::new("camera").unwrap();
    let shm = ShmBackend::shared().unwrap();
    let publisher = node
        .create_publisher::<Frame>("frames", QosProfile::default())
        .unwrap();
    for number in 0.. {
        publisher.publish(&frame(&shm, number)).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn content(number: u32) -> Vec<u8> {
    (0..LEN)
        .map(|at| number.to_le_bytes()[0].wrapping_add(at.to_le_bytes()[0]))
        .collect()
}

fn frame(shm: &ShmBackend, number: u32) -> Frame {
    let mut block = shm.allocate(LEN, SOON).unwrap();
    block.copy_from_slice(&content(number));
    Frame {
        number,
        data: block.into_buffer(),
    }
}

/// Shared memory of one test's own, so that its numbers are not another's.
fn memory() -> (ShmBackend, BackendRegistry) {
    // A viewer on a busy machine may take longer than the usual second.
    let shm = ShmBackend::builder().pending_deadline(3 * SOON);
    let shm = shm.build().unwrap();
    let mut registry = BackendRegistry::new();
    registry.register(Arc::new(shm.clone())).unwrap();
    (shm, registry)
}

/// This side: a publisher of frames, and what the viewers say.
struct Scene {
    domain: u32,
    shm: ShmBackend,
    publisher: Publisher<Frame>,
    answers: Subscription<Text>,
    /// Somebody else, who sees what passes on all keys of the topic.
    foreign: Session,
    seen: Receiver<Sample>,
}

impl Scene {
    fn new(test: u32) -> Self {
        let (domain, (shm, registry)) = (domain(test), memory());
        let port = free_port();
        let context = Context::builder()
            .domain_id(domain)
            .local_discovery(true)
            .backends(registry)
            .zenoh_setting("connect/endpoints", "[]")
            .zenoh_setting("listen/endpoints", format!(r#"["tcp/127.0.0.1:{port}"]"#))
            .build()
            .unwrap();
        let node = context.create_node("test").unwrap();
        let foreign = foreign_session("peer", None, Some(port));
        let seen = watch(&foreign, &format!("{domain}/frames/**"));
        Self {
            domain,
            shm,
            publisher: node.create_publisher("frames", ALL).unwrap(),
            answers: node.create_subscription("answers", ALL).unwrap(),
            foreign,
            seen,
        }
    }

    fn viewer(&self, accepts: Option<&str>) -> Process {
        let there = self.publisher.subscription_count();
        let variables: Vec<_> = accepts.map(|names| (ACCEPTS, names)).into_iter().collect();
        let viewer = Process::start("viewer_process", self.domain, &variables);
        eventually("the viewer is known", || {
            self.publisher.subscription_count() == there + 1 && self.answers.publisher_count() > 0
        });
        viewer
    }

    /// A subscription of somebody else, as its token says.
    fn declare(&self, id: u32, backends: &str) {
        let there = self.publisher.subscription_count();
        let hash = Frame::type_hash();
        let token = format!(
            "@ros2_lv/{}/{}/0/{id}/MS/%/%/other/%frames/demo_msgs::msg::dds_::Frame_/{hash}/::,:,:,:,,{backends}",
            self.domain,
            self.foreign.zid(),
        );
        let declared = self.foreign.liveliness().declare_token(token);
        std::mem::forget(declared.wait().unwrap());
        eventually("the subscription is known", || {
            self.publisher.subscription_count() == there + 1
        });
    }

    fn publish(&self, number: u32) {
        self.publisher.publish(&frame(&self.shm, number)).unwrap();
    }

    fn answer(&self) -> String {
        let answer = self.answers.recv_timeout(SOON).unwrap();
        let stats = || {
            (
                self.publisher.stats(),
                self.shm.stats(),
                self.answers.stats(),
            )
        };
        answer
            .unwrap_or_else(|| panic!("no answer: {:?}", stats()))
            .message
            .data
    }

    fn end(&self, viewers: impl IntoIterator<Item = Process>) {
        self.publish(END);
        viewers.into_iter().for_each(Process::finish);
    }

    /// Key and whether there is a descriptor, for all that passed.
    fn passed(&self) -> Vec<(String, bool)> {
        let sample = || self.seen.recv_timeout(Duration::from_millis(200)).ok();
        let passed = std::iter::from_fn(sample).map(|sample| {
            let payload = sample.payload().to_bytes();
            (
                sample.key_expr().to_string(),
                payload.get(8..16) == Some(b"\xff\xff\xff\xff2SOR"),
            )
        });
        passed.collect()
    }

    fn blocks_are_free(&self) {
        eventually("all blocks are free again", || {
            let stats = self.shm.stats();
            (stats.pending, stats.held, stats.blocks_free) == (0, 0, stats.blocks)
        });
    }
}

#[test]
fn frames_cross_processes_in_shared_memory_on_their_own_channel() {
    let scene = Scene::new(53);
    let echo = scene
        .publisher
        .node()
        .create_subscription::<Frame>("echo", ALL)
        .unwrap();
    let viewer = scene.viewer(None);
    assert!(scene.publisher.wait_for_backend(SHM, SOON));
    for number in 0..20 {
        scene.publish(number);
        assert_eq!(scene.answer(), format!("{number} shm true"));
        // Memory of a third process is not passed on: what comes back are bytes.
        let back = echo.recv_timeout(SOON).unwrap();
        let back = back
            .unwrap_or_else(|| panic!("{number} {:?}", echo.stats()))
            .message;
        assert_eq!((back.number, back.data.backend_type()), (number, "cpu"));
        assert_eq!(back.data, content(number));
    }
    scene.end([viewer]);
    let passed = scene.passed();
    assert_eq!(passed.len(), 21, "{passed:#?}");
    for (key, described) in &passed {
        assert!(*described && key.contains("/_buf/"), "{key}");
    }
    scene.blocks_are_free();
    let stats = scene.shm.stats();
    assert_eq!((stats.described, stats.expired), (21, 0));
    assert!(stats.blocks <= 4, "{stats:?}");
    assert_eq!(scene.publisher.stats().described[SHM], 21);
}

#[test]
fn who_wants_bytes_gets_them_beside_who_does_not() {
    let scene = Scene::new(54);
    let viewers = [scene.viewer(None), scene.viewer(Some("cpu"))];
    assert!(scene.publisher.wait_for_backend(SHM, SOON));
    for number in 0..5 {
        scene.publish(number);
        let mut answers = [scene.answer(), scene.answer()];
        answers.sort();
        assert_eq!(
            answers,
            [format!("{number} cpu true"), format!("{number} shm true")]
        );
    }
    scene.end(viewers);
    let passed = scene.passed();
    assert_eq!(passed.len(), 12, "{passed:#?}");
    for (key, described) in &passed {
        assert_eq!(*described, key.contains("/_buf/"), "{key}");
        assert_ne!(*described, key.ends_with("/_buf_cpu"), "{key}");
    }
    scene.blocks_are_free();
}

#[test]
fn one_that_knows_no_buffers_makes_it_bytes_for_all_each_once() {
    let scene = Scene::new(55);
    let viewer = scene.viewer(None);
    assert!(scene.publisher.wait_for_backend(SHM, SOON));
    scene.declare(7, "");
    for number in 0..5 {
        scene.publish(number);
        assert_eq!(scene.answer(), format!("{number} cpu true"));
    }
    assert!(
        !scene
            .publisher
            .wait_for_backend(SHM, Duration::from_millis(10))
    );
    scene.end([viewer]);
    let passed = scene.passed();
    assert_eq!(passed.len(), 6, "each once");
    for (key, described) in &passed {
        assert!(!described && !key.contains("/_buf"), "{key}");
    }
    assert_eq!(
        scene.publisher.stats().fallbacks[&Fallback::LegacySubscription],
        6
    );
    scene.blocks_are_free();
}

#[test]
fn addresses_that_lead_nowhere_get_bytes() {
    let scene = Scene::new(56);
    let nowhere = format!("1.{}.{}", "ab".repeat(16), "cd".repeat(16));
    let tokens: [&str; 3] = [&nowhere, "nonsense", ""];
    for (id, metadata) in (1..).zip(tokens) {
        scene.declare(id, &format!("/backends:shm:{metadata}"));
    }
    scene.publish(1);
    let passed = scene.passed();
    assert_eq!(passed.len(), 1, "once for all");
    let (key, described) = &passed[0];
    assert!(!described && !key.contains("/_buf"), "{key}");
    assert_eq!(scene.publisher.stats().fallbacks[&Fallback::NotReady], 3);
    scene.blocks_are_free();
}

#[test]
fn a_killed_viewer_keeps_nothing_and_the_next_one_is_served() {
    let scene = Scene::new(57);
    for round in 0..3 {
        let viewer = scene.viewer(None);
        assert!(scene.publisher.wait_for_backend(SHM, SOON));
        scene.publish(round);
        assert_eq!(scene.answer(), format!("{round} shm true"));
        for number in 0..5 {
            scene.publish(number);
        }
        drop(viewer);
        // Nobody has noticed yet; that costs nothing.
        scene.publish(99);
        eventually("the viewer is gone", || {
            scene.publisher.subscription_count() == 0 && scene.shm.stats().readers == 0
        });
        scene.blocks_are_free();
        while scene
            .answers
            .recv_timeout(Duration::from_millis(50))
            .unwrap()
            .is_some()
        {}
    }
}

#[test]
fn a_killed_camera_leaves_what_was_received() {
    let domain = domain(58);
    let (_, registry) = memory();
    let context = builder(domain).backends(registry).build().unwrap();
    let node = context.create_node("test").unwrap();
    let frames = node
        .create_subscription::<Frame>("frames", QosProfile::default())
        .unwrap();
    for _ in 0..2 {
        let camera = Process::start("camera_process", domain, &[]);
        let mut kept: Vec<Frame> = Vec::new();
        eventually("frames in shared memory arrive", || {
            let received = frames.recv_timeout(SOON).unwrap().unwrap().message;
            if received.data.backend_type() == SHM {
                kept.push(received);
            }
            kept.len() == 5
        });
        drop(camera);
        eventually("the camera is gone", || frames.publisher_count() == 0);
        for frame in &kept {
            assert_eq!(frame.data, content(frame.number));
        }
        let mut left = 0;
        while frames
            .recv_timeout(Duration::from_millis(200))
            .unwrap()
            .is_some()
        {
            left += 1;
        }
        let stats = frames.stats();
        assert_eq!(stats.undecodable, 0, "{stats:?} ({left} were left)");
    }
}

#[test]
fn a_viewer_that_does_not_look_keeps_no_more_than_its_queue() {
    let scene = Scene::new(59);
    let _sleeper = Process::start("sleeper_process", scene.domain, &[]);
    assert!(scene.publisher.wait_for_backend(SHM, SOON));
    for number in 0..50 {
        scene.publish(number);
    }
    eventually("two frames are in its queue", || {
        let stats = scene.shm.stats();
        (stats.pending, stats.held) == (0, 2) && stats.blocks_free == stats.blocks - 2
    });
    assert_eq!(scene.publisher.stats().described[SHM], 50);
}

#[test]
fn one_process_shares_without_a_socket() {
    let domain = domain(60);
    let (shm, registry) = memory();
    let context = || builder(domain).backends(registry.clone()).build().unwrap();
    let (one, two) = (
        context().create_node("one").unwrap(),
        context().create_node("two").unwrap(),
    );
    let qos = QosProfile::default();
    let publisher = one.create_publisher::<Frame>("frames", qos).unwrap();
    let same = one.create_subscription::<Frame>("frames", qos).unwrap();
    let other = two.create_subscription::<Frame>("frames", qos).unwrap();
    eventually("both are known", || publisher.subscription_count() == 2);
    assert!(publisher.wait_for_backend(SHM, SOON));
    eventually("both are reached", || {
        publisher.publish(&frame(&shm, END)).unwrap();
        other
            .recv_timeout(Duration::from_millis(50))
            .unwrap()
            .is_some()
    });
    while same.try_recv().unwrap().is_some() || other.try_recv().unwrap().is_some() {}
    let sent = frame(&shm, 1);
    publisher.publish(&sent).unwrap();
    for subscription in [&same, &other] {
        let received = subscription.recv_timeout(SOON).unwrap().unwrap().message;
        assert_eq!(received.data.backend_type(), SHM);
        let place = |frame: &Frame| frame.data.as_slice().unwrap().as_ptr();
        assert_eq!(
            place(&received),
            place(&sent),
            "the same memory at the same place"
        );
    }
    drop(sent);
    let stats = shm.stats();
    assert_eq!((stats.readers, stats.writers, stats.imports), (0, 0, 0));
    assert_eq!(
        (stats.pending, stats.held, stats.blocks_free),
        (0, 0, stats.blocks)
    );
}

#[test]
fn late_joiners_get_bytes() {
    let (shm, registry) = memory();
    let node = builder(domain(61))
        .backends(registry)
        .build()
        .unwrap()
        .create_node("node")
        .unwrap();
    let qos = QosProfile::default().transient_local().keep_last(1);
    let publisher = node.create_publisher::<Frame>("frames", qos).unwrap();
    publisher.publish(&frame(&shm, 1)).unwrap();
    let late = node.create_subscription::<Frame>("frames", qos).unwrap();
    let received = late.recv_timeout(SOON).unwrap().unwrap().message;
    assert_eq!((received.data.backend_type(), received.number), ("cpu", 1));
    assert_eq!(received.data, content(1));
    assert_eq!((shm.stats().described, shm.stats().blocks_free), (0, 1));
}
