//! One publisher and every kind of subscription at once: bytes, shared memory, the same context, another one in the same process, one
//! that comes late, one that is killed, one that cannot be reached with the memory, one that cannot import it, and one that
//! knows nothing of buffers. Each gets each message once, in order, in the memory that it should come in.
//!
//! The test binary starts itself again; what the other processes do is an ignored test.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use common::{
    Frame, SOON, Text, builder, domain, eventually, eventually_within, foreign_session, free_port,
    mailbox::{MAILBOX, Mailbox, paper},
    process::{Process, is_other_process},
    text,
};
use rosidl_buffer_runtime::{BackendRegistry, Message as _, shm::ShmBackend};
use rosidl_buffer_zenoh::{
    CallbackSubscription, Context, Node, Publisher, QosProfile, SubscriptionOptions,
    zenoh::{Session, Wait as _},
};

const SHM: &str = "shm";
const CPU: &str = "cpu";
/// Nothing is dropped on the way when the machine is busy.
const ALL: QosProfile = QosProfile::system_default().keep_all();
const LEN: usize = 20_000;
/// The number of a frame that asks the viewers to end.
const END: u32 = u32::MAX;
/// What a viewer is called, and what it accepts.
const NAME: &str = "ROSIDL_BUFFER_ZENOH_NAME";
const ACCEPTS: &str = "ROSIDL_BUFFER_ZENOH_ACCEPTS";

/// The other process: says of each frame which memory it came in.
#[test]
#[ignore = "the other processes of the test below"]
fn viewer_process() {
    if !is_other_process() {
        return;
    }
    let name = std::env::var(NAME).unwrap();
    let node = Node::new(&name).unwrap();
    let mut options = SubscriptionOptions::from(ALL);
    if let Ok(names) = std::env::var(ACCEPTS) {
        options = options.acceptable_buffer_backends(&names);
    }
    let answers = node.create_publisher::<Text>("answers", ALL).unwrap();
    assert!(answers.wait_for_subscription(SOON));
    let frames = node
        .create_subscription::<Frame>("frames", options)
        .unwrap();
    while let Some(received) = frames.recv_timeout(3 * SOON).unwrap() {
        let Frame { number, data } = &received.message;
        if *number == END {
            let stats = frames.stats();
            // What is lost is seen by the numbers: a gap is no fault before the publisher knows the channel too.
            let bad = stats.dropped + stats.undecodable + stats.buffers_lost;
            assert_eq!(bad, 0, "{stats:?}");
            return;
        }
        let fine = data == &content(*number);
        let backend = data.backend_type();
        answers
            .publish(&text(format!("{name} {number} {backend} {fine}")))
            .unwrap();
    }
    panic!("nobody asked for the end");
}

fn content(number: u32) -> Vec<u8> {
    (0..LEN)
        .map(|at| number.to_le_bytes()[0].wrapping_add(at.to_le_bytes()[0]))
        .collect()
}

/// In turn: shared memory, memory of the mailbox, the heap.
fn frame(shm: &ShmBackend, number: u32) -> Frame {
    let data = match number % 3 {
        0 => {
            let mut block = shm.allocate(LEN, SOON).unwrap();
            block.copy_from_slice(&content(number));
            block.into_buffer()
        }
        1 => paper(content(number)),
        _ => content(number).into(),
    };
    Frame { number, data }
}

/// In what memory a frame comes to whom `accepts` these.
fn expected(number: u32, accepts: &[&'static str]) -> &'static str {
    let memory = [SHM, MAILBOX, CPU][number as usize % 3];
    accepts
        .iter()
        .find(|name| **name == memory)
        .map_or(CPU, |name| name)
}

/// Number, memory, and whether the content is right, of each frame, by who got it and in that order.
type Log = Arc<Mutex<BTreeMap<String, Vec<(u32, String, bool)>>>>;

struct Scene {
    domain: u32,
    shm: ShmBackend,
    mailbox: Arc<Mailbox>,
    publisher: Publisher<Frame>,
    foreign: Session,
    log: Log,
    next: u32,
    _answers: CallbackSubscription<Text>,
}

impl Scene {
    fn new(test: u32) -> Self {
        let (domain, port) = (domain(test), free_port());
        // A viewer on a busy machine may take longer than the usual second.
        let shm = ShmBackend::builder().pending_deadline(3 * SOON);
        let (shm, mailbox) = (shm.build().unwrap(), Mailbox::new());
        let context = Context::builder()
            .domain_id(domain)
            .local_discovery(true)
            .backends(registry(&shm, &mailbox))
            .zenoh_setting("connect/endpoints", "[]")
            .zenoh_setting("listen/endpoints", format!(r#"["tcp/127.0.0.1:{port}"]"#))
            .build()
            .unwrap();
        let node = context.create_node("camera").unwrap();
        let log = Log::default();
        let heard = Arc::clone(&log);
        let answers =
            node.create_subscription_with_callback("answers", ALL, move |said: Text, _| {
                let words: Vec<&str> = said.data.split(' ').collect();
                let [name, number, backend, fine] = words[..] else {
                    panic!("{said:?}");
                };
                let seen = (number.parse().unwrap(), backend.to_owned(), fine == "true");
                heard
                    .lock()
                    .unwrap()
                    .entry(name.to_owned())
                    .or_default()
                    .push(seen);
            });
        Self {
            domain,
            shm,
            mailbox,
            publisher: node.create_publisher("frames", ALL).unwrap(),
            foreign: foreign_session("peer", None, Some(port)),
            log,
            next: 0,
            _answers: answers.unwrap(),
        }
    }

    fn process(&self, name: &str, accepts: Option<&str>) -> Process {
        let mut variables = vec![(NAME, name)];
        variables.extend(accepts.map(|names| (ACCEPTS, names)));
        Process::start("viewer_process", self.domain, &variables)
    }

    /// A subscription in this process, in a context with these backends.
    fn beside(&self, name: &'static str, backends: BackendRegistry) -> CallbackSubscription<Frame> {
        let context = builder(self.domain).backends(backends).build().unwrap();
        self.here(name, &context.create_node(name).unwrap())
    }

    fn here(&self, name: &'static str, node: &Node) -> CallbackSubscription<Frame> {
        let log = Arc::clone(&self.log);
        let options = SubscriptionOptions::from(ALL).acceptable_buffer_backends("any");
        let callback = move |frame: Frame, _| {
            let fine = frame.number == END || frame.data == content(frame.number);
            let seen = (frame.number, frame.data.backend_type().to_owned(), fine);
            log.lock()
                .unwrap()
                .entry(name.to_owned())
                .or_default()
                .push(seen);
        };
        node.create_subscription_with_callback("frames", options, callback)
            .unwrap()
    }

    fn publish(&mut self, count: u32) {
        for number in self.next..self.next + count {
            self.publisher.publish(&frame(&self.shm, number)).unwrap();
        }
        self.next += count;
    }

    /// Goes on publishing until all of them get what they accept in the memory that it lies in.
    fn settle(&mut self, who: &[(&str, &[&'static str])]) {
        eventually_within(
            Duration::from_secs(60),
            "all are there and connected",
            || {
                self.publish(3);
                let log = self.log.lock().unwrap();
                who.iter().all(|(name, accepts)| {
                    let seen = log.get(*name).map_or(&[][..], Vec::as_slice);
                    (0..3).all(|rest| {
                        seen.iter().any(|(number, backend, _)| {
                            number % 3 == rest && *backend == expected(*number, accepts)
                        })
                    })
                })
            },
        );
        self.caught_up(who);
    }

    /// Waits until all of them have got all that was published.
    fn caught_up(&self, who: &[(&str, &[&'static str])]) {
        eventually("all have got everything", || {
            let log = self.log.lock().unwrap();
            who.iter()
                .all(|(name, _)| log[*name].last().unwrap().0 + 1 == self.next)
        });
    }
}

fn registry(shm: &ShmBackend, mailbox: &Arc<Mailbox>) -> BackendRegistry {
    let mut registry = mailbox.registry();
    registry.register(Arc::new(shm.clone())).unwrap();
    registry
}

#[test]
fn every_kind_of_subscription_gets_every_message_once() {
    let mut scene = Scene::new(1);
    let broken = Mailbox::new();
    broken.unavailable.store(true, Ordering::SeqCst);
    let here = [
        scene.here("same_context", scene.publisher.node()),
        scene.beside("same_process", registry(&scene.shm, &scene.mailbox)),
        // What the mailbox describes cannot be had in another house, and its publisher knows.
        scene.beside("unreachable", Mailbox::at("elsewhere").registry()),
        // And here nobody knows before the first attempt.
        scene.beside("cannot_import", broken.registry()),
    ];
    let bytes = scene.process("bytes", Some(CPU));
    let memory = scene.process("memory", None);
    let doomed = scene.process("doomed", None);
    let stay: [(&str, &[&'static str]); 6] = [
        ("same_context", &[SHM, MAILBOX]),
        ("same_process", &[SHM, MAILBOX]),
        ("unreachable", &[]),
        ("cannot_import", &[]),
        ("bytes", &[]),
        ("memory", &[SHM]),
    ];
    let doomed_accepts: (&str, &[&'static str]) = ("doomed", &[SHM]);
    let late_accepts: (&str, &[&'static str]) = ("late", &[SHM]);

    scene.settle(&[&stay[..], &[doomed_accepts]].concat());
    let settled = scene.next;
    scene.publish(30);

    // One comes while another goes without a word.
    let late = scene.process("late", None);
    scene.publish(15);
    drop(doomed);
    let killed = scene.next;
    scene.publish(15);
    let all = [&stay[..], &[late_accepts]].concat();
    scene.settle(&all);
    let late_settled = scene.next;
    scene.publish(30);

    // One that knows nothing of buffers makes it bytes for all, as in ROS, until it goes again.
    eventually("the dead one is forgotten", || {
        scene.publisher.subscription_count() == all.len()
    });
    let legacy = Legacy::join(&scene);
    let legacy_from = scene.next;
    scene.publish(30);
    let legacy_to = scene.next;
    let legacy_saw = legacy.leave(&scene);
    scene.publish(30);
    scene.caught_up(&all);

    let end = Frame {
        number: END,
        data: Vec::new().into(),
    };
    scene.publisher.publish(&end).unwrap();
    [bytes, memory, late].into_iter().for_each(Process::finish);

    let log = scene.log.lock().unwrap();
    for (name, accepts) in &all {
        let from = if *name == "late" {
            late_settled
        } else {
            settled
        };
        let seen = || log[*name].iter().filter(|(number, ..)| *number != END);
        // Before that, the topic's own key may have been known and the channel not yet.
        let (early, late): (Vec<_>, Vec<_>) = seen().partition(|(number, ..)| *number < from);
        let early: Vec<u32> = early.into_iter().map(|(number, ..)| *number).collect();
        assert!(early.is_sorted_by(|a, b| a < b), "{name}: {early:?}");
        let numbers: Vec<u32> = late.iter().map(|(number, ..)| *number).collect();
        let all: Vec<u32> = (from..scene.next).collect();
        assert_eq!(numbers, all, "{name}: each once and in order");
        for (number, backend, fine) in seen() {
            assert!(fine, "{name}: {number} has another content");
            // The message itself is nothing that anybody could misread.
            let same_context = *name == "same_context";
            if (legacy_from..legacy_to).contains(number) && !same_context {
                assert_eq!(backend, CPU, "{name}: {number}");
            } else if *number >= from {
                assert_eq!(backend, expected(*number, accepts), "{name}: {number}");
            }
        }
    }
    assert!(log["late"][0].0 >= settled + 30, "it was not late");
    let doomed: Vec<u32> = log["doomed"].iter().map(|(number, ..)| *number).collect();
    let last = *doomed.last().unwrap();
    let settled_on: Vec<u32> = doomed
        .into_iter()
        .filter(|number| *number >= settled)
        .collect();
    assert_eq!(settled_on, (settled..=last).collect::<Vec<_>>());
    assert!((settled - 1..killed).contains(&last), "{last}");
    let window: Vec<u32> = (legacy_from..legacy_to).collect();
    assert_eq!(legacy_saw, window, "the one that knows nothing of buffers");

    let stats = here.each_ref().map(CallbackSubscription::stats);
    let [same_context, .., cannot_import] = &stats;
    assert_eq!(same_context.intra_process, same_context.received);
    assert!(cannot_import.given_up.contains_key(MAILBOX));
    for stats in &stats {
        let has_given_up = stats.given_up.contains_key(MAILBOX);
        assert_eq!(stats.buffers_lost > 0, has_given_up, "{stats:?}");
        assert_eq!((stats.dropped, stats.undecodable), (0, 0), "{stats:?}");
    }

    eventually("all blocks are free again", || {
        let stats = scene.shm.stats();
        (stats.pending, stats.held, stats.blocks_free) == (0, 0, stats.blocks)
    });
}

/// A node of before there were buffers: it reads the topic's own key.
struct Legacy {
    token: rosidl_buffer_zenoh::zenoh::liveliness::LivelinessToken,
    samples: std::sync::mpsc::Receiver<rosidl_buffer_zenoh::zenoh::sample::Sample>,
    from: u32,
}

impl Legacy {
    fn join(scene: &Scene) -> Self {
        let there = scene.publisher.subscription_count();
        let hash = Frame::type_hash();
        let tail = format!("demo_msgs::msg::dds_::Frame_/{hash}");
        let samples = common::watch(&scene.foreign, &format!("{}/frames/{tail}", scene.domain));
        let token = format!(
            "@ros2_lv/{}/{}/0/7/MS/%/%/legacy/%frames/{tail}/::,:,:,:,,",
            scene.domain,
            scene.foreign.zid(),
        );
        let token = scene.foreign.liveliness().declare_token(token).wait();
        eventually("it is known", || {
            scene.publisher.subscription_count() == there + 1
        });
        Self {
            token: token.unwrap(),
            samples,
            from: scene.next,
        }
    }

    /// The numbers of the frames that came while it was there.
    fn leave(self, scene: &Scene) -> Vec<u32> {
        let numbers = (self.from..scene.next)
            .map(|_| {
                let sample = self.samples.recv_timeout(SOON).unwrap();
                let payload = sample.payload().to_bytes();
                u32::from_le_bytes(payload[4..8].try_into().unwrap())
            })
            .collect();
        let there = scene.publisher.subscription_count();
        self.token.undeclare().wait().unwrap();
        eventually("it is gone", || {
            scene.publisher.subscription_count() == there - 1
        });
        numbers
    }
}
