//! Messages and helpers that the tests share.
#![allow(dead_code, reason = "not every test file uses every helper")]

pub(crate) mod device;
pub(crate) mod mailbox;
pub(crate) mod process;
pub(crate) mod srv;

use std::{
    net::TcpListener,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    task::{Context as TaskContext, Poll, Wake, Waker},
    thread::Thread,
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::{BackendRegistry, Buffer, BufferMessage};
use rosidl_buffer_zenoh::{
    Context, ContextBuilder, NodeBuilder,
    zenoh::{self, Session, Wait as _, sample::Sample},
};

pub(crate) const SOON: Duration = Duration::from_secs(10);

/// `std_msgs/msg/String` under another Rust name, with the hash that ROS computes for it.
#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "std_msgs", name = "String")]
pub(crate) struct Text {
    pub(crate) data: String,
}

pub(crate) const TEXT_HASH: &str =
    "RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18";

/// Something large enough to be borrowed from its payload.
#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "demo_msgs")]
pub(crate) struct Frame {
    pub(crate) number: u32,
    pub(crate) data: Buffer<u8>,
}

pub(crate) fn text(data: impl Into<String>) -> Text {
    Text { data: data.into() }
}

/// A ROS domain that no other test and no other run uses.
pub(crate) fn domain(test: u32) -> u32 {
    assert!(test < 64);
    1000 + (std::process::id() % 1_000_000) * 64 + test
}

/// A context of its own domain that ignores whatever the environment says about routers.
pub(crate) fn builder(domain: u32) -> ContextBuilder {
    Context::builder()
        .domain_id(domain)
        .zenoh_setting("connect/endpoints", "[]")
}

/// A node without endpoints of its own, for tests that look at all there are, or at their numbers.
pub(crate) fn bare(node: NodeBuilder) -> NodeBuilder {
    node.start_type_description_service(false)
        .start_parameter_services(false)
        .start_parameter_event_publisher(false)
        .enable_rosout(false)
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A plain Zenoh session: what a node that is not ours looks like from here.
pub(crate) fn foreign_session(mode: &str, listen: Option<u16>, connect: Option<u16>) -> Session {
    let endpoint = |port: Option<u16>| {
        port.map_or("[]".to_owned(), |port| {
            format!(r#"["tcp/127.0.0.1:{port}"]"#)
        })
    };
    let mut config = zenoh::Config::default();
    for (key, value) in [
        ("mode", format!("{mode:?}")),
        ("listen/endpoints", endpoint(listen)),
        ("connect/endpoints", endpoint(connect)),
        ("scouting/multicast/enabled", "false".to_owned()),
        ("timestamping/enabled", "true".to_owned()),
    ] {
        config.insert_json5(key, &value).unwrap();
    }
    zenoh::open(config).wait().unwrap()
}

/// A context of ours and a foreign session that connects to it. Not the other way: a session that closes may be
/// connected to again by whoever is told to connect to it, before it has closed its door.
pub(crate) fn foreign_and_ours(domain: u32) -> (Session, Context) {
    foreign_and_ours_with(domain, BackendRegistry::new())
}

pub(crate) fn foreign_and_ours_with(domain: u32, backends: BackendRegistry) -> (Session, Context) {
    let port = free_port();
    let ours = builder(domain)
        .backends(backends)
        .local_discovery(false)
        .zenoh_setting("listen/endpoints", format!(r#"["tcp/127.0.0.1:{port}"]"#))
        .build()
        .unwrap();
    (foreign_session("peer", None, Some(port)), ours)
}

/// What passes on a key, as a session sees it.
pub(crate) fn watch(session: &Session, key: &str) -> Receiver<Sample> {
    let (heard, inbox) = channel();
    session
        .declare_subscriber(key.to_owned())
        .callback(move |sample| drop(heard.send(sample)))
        .background()
        .wait()
        .unwrap();
    inbox
}

pub(crate) fn eventually(what: &str, holds: impl FnMut() -> bool) {
    eventually_within(SOON, what, holds);
}

pub(crate) fn eventually_within(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The smallest executor there is.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}
