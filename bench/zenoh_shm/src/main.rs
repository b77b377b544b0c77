//! Zenoh's own shared memory, and Zenoh without it: the sides that `bench/src/bin/zenoh.rs` starts beside ours.

#[path = "../../src/end_to_end.rs"]
mod end_to_end;
#[allow(dead_code)]
#[path = "../../src/shared.rs"]
mod shared;

use std::{borrow::Cow, thread, time::Duration};

use end_to_end::{look, mark};
use shared::Shared;
use zenoh::{
    Config, Session, Wait as _,
    handlers::FifoChannelHandler,
    pubsub::{Publisher, Subscriber},
    qos::CongestionControl,
    sample::Sample,
    shm::{BlockOn, GarbageCollect, PosixShmProviderBackend, ShmProvider, ShmProviderBuilder},
};

const KEY: &str = "bench/image";

/// One side listens, the other connects; nothing is looked for.
fn session(writer: bool, mode: &str, port: &str) -> Session {
    let mut config = Config::default();
    let endpoint = format!(r#"["tcp/127.0.0.1:{port}"]"#);
    let (listen, connect) = if writer {
        ("[]", endpoint.as_str())
    } else {
        (endpoint.as_str(), "[]")
    };
    for (name, value) in [
        ("scouting/multicast/enabled", "false"),
        ("scouting/gossip/enabled", "false"),
        ("listen/endpoints", listen),
        ("connect/endpoints", connect),
        ("connect/timeout_ms", "10000"),
        (
            "transport/shared_memory/enabled",
            if mode == "plain" { "false" } else { "true" },
        ),
    ] {
        config.insert_json5(name, value).unwrap();
    }
    zenoh::open(config).wait().unwrap()
}

struct Sender {
    publisher: Publisher<'static>,
    provider: Option<ShmProvider<PosixShmProviderBackend>>,
    frame: Vec<u8>,
    _session: Session,
}

impl Sender {
    fn new(mode: &str, len: usize, port: &str) -> Self {
        let session = session(true, mode, port);
        let publisher = session
            .declare_publisher(KEY)
            .congestion_control(CongestionControl::Block)
            .wait()
            .unwrap();
        while !publisher.matching_status().wait().unwrap().matching() {
            thread::sleep(Duration::from_millis(5));
        }
        let provider = (mode == "loan").then(|| {
            ShmProviderBuilder::default_backend(8 * len + (1 << 20))
                .wait()
                .unwrap()
        });
        Self {
            publisher,
            provider,
            frame: vec![0; len],
            _session: session,
        }
    }
}

impl end_to_end::Sender for Sender {
    fn send(&mut self, number: u64) {
        match &self.provider {
            Some(provider) => {
                let mut block = provider
                    .alloc(self.frame.len())
                    .with_policy::<BlockOn<GarbageCollect>>()
                    .wait()
                    .unwrap();
                mark(&mut block, number);
                self.publisher.put(block).wait().unwrap();
            }
            None => {
                mark(&mut self.frame, number);
                self.publisher.put(self.frame.as_slice()).wait().unwrap();
            }
        }
    }
}

struct Receiver {
    subscriber: Subscriber<FifoChannelHandler<Sample>>,
    _session: Session,
}

impl end_to_end::Receiver for Receiver {
    fn receive(&mut self, timeout: Duration) -> Option<(u64, u64, usize)> {
        let sample = self.subscriber.recv_timeout(timeout).unwrap()?;
        // Borrowed where it lies in one piece.
        let bytes: Cow<'_, [u8]> = sample.payload().to_bytes();
        Some(look(&bytes))
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [role, mode, number, len, port] = &words[..] else {
        panic!("this is started by `zenoh`");
    };
    let shared = Shared::inherited(number.parse().unwrap());
    let len = len.parse().unwrap();
    if role == "writer" {
        end_to_end::write(&shared, Sender::new(mode, len, port));
    } else {
        let session = session(false, mode, port);
        let subscriber = session.declare_subscriber(KEY).wait().unwrap();
        end_to_end::read(
            &shared,
            len,
            Receiver {
                subscriber,
                _session: session,
            },
        );
    }
}
