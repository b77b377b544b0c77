//! Messages of 64 bytes to another process and back, and as fast as they go; over our node, and over bare Zenoh in the same two sessions.

use std::{
    thread,
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::BufferMessage;
use rosidl_buffer_zenoh::{
    Node, Publisher, QosProfile, Subscription,
    zenoh::{
        self, Wait as _, handlers::FifoChannelHandler, qos::CongestionControl, sample::Sample,
    },
};

use crate::process::{Domain, heard, middle, percentile, usage};

const SOON: Duration = Duration::from_secs(20);
const TURNS: usize = 31;
const ROUND_TRIPS: u64 = 1000;
const AT_ONCE: u64 = 200_000;
/// What a message asks for: an answer, or nothing.
const ANSWER: u8 = 1;
const COUNT: u8 = 2;

/// 64 bytes.
#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "bench_msgs")]
struct Small {
    number: u64,
    words: [u8; 56],
}

fn small(number: u64, wish: u8) -> Small {
    Small {
        number,
        words: [wish; 56],
    }
}

/// Waits where another profile drops: all are received.
fn qos() -> QosProfile {
    QosProfile::default().keep_all()
}

/// One way to send and to receive.
trait Side: Send {
    fn send(&mut self, number: u64, wish: u8);
    fn receive(&mut self) -> Option<(u64, u8)>;
    /// Whether the other side's subscriber is known.
    fn is_matched(&self) -> bool;
}

struct Ours(Publisher<Small>, Subscription<Small>);

impl Ours {
    fn new(node: &Node, out: &str, back: &str) -> Self {
        let subscription = node.create_subscription(back, qos()).unwrap();
        let publisher = node.create_publisher(out, qos()).unwrap();
        Self(publisher, subscription)
    }
}

impl Side for Ours {
    fn send(&mut self, number: u64, wish: u8) {
        self.0.publish(&small(number, wish)).unwrap();
    }

    fn receive(&mut self) -> Option<(u64, u8)> {
        let message = self.1.recv().ok()?.message;
        Some((message.number, message.words[55]))
    }

    fn is_matched(&self) -> bool {
        self.0.wait_for_subscription(Duration::ZERO)
    }
}

/// Zenoh with the same reliability and congestion control.
struct Bare {
    publisher: zenoh::pubsub::Publisher<'static>,
    subscriber: zenoh::pubsub::Subscriber<FifoChannelHandler<Sample>>,
    /// With as many bytes beside each message as ROS puts there.
    attachment: bool,
}

impl Bare {
    fn new(node: &Node, out: &str, back: &str, attachment: bool) -> Self {
        let session = node.context().zenoh_session();
        let subscriber = session
            .declare_subscriber(format!("bench/{back}"))
            .wait()
            .unwrap();
        let publisher = session
            .declare_publisher(format!("bench/{out}"))
            .congestion_control(CongestionControl::Block);
        Self {
            publisher: publisher.wait().unwrap(),
            subscriber,
            attachment,
        }
    }
}

impl Side for Bare {
    fn send(&mut self, number: u64, wish: u8) {
        let mut bytes = vec![wish; 64];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        let put = self.publisher.put(bytes);
        if self.attachment {
            put.attachment(vec![7; 33]).wait()
        } else {
            put.wait()
        }
        .unwrap();
    }

    fn receive(&mut self) -> Option<(u64, u8)> {
        let sample = self.subscriber.recv().ok()?;
        let bytes = sample.payload().to_bytes();
        assert_eq!(bytes.len(), 64);
        Some((
            u64::from_le_bytes(bytes[..8].try_into().unwrap()),
            bytes[63],
        ))
    }

    fn is_matched(&self) -> bool {
        self.publisher.matching_status().wait().unwrap().matching()
    }
}

type Sides = [(&'static str, Box<dyn Side>); 3];

fn sides(node: &Node, forth: bool) -> Sides {
    let names = |way: &str| {
        let (out, back) = (format!("{way}_ping"), format!("{way}_pong"));
        if forth { (out, back) } else { (back, out) }
    };
    let ((a, b), (c, d), (e, f)) = (names("ours"), names("bare"), names("attached"));
    [
        ("bare Zenoh", Box::new(Bare::new(node, &c, &d, false))),
        (
            "bare Zenoh, 33 bytes beside each message",
            Box::new(Bare::new(node, &e, &f, true)),
        ),
        ("our node", Box::new(Ours::new(node, &a, &b))),
    ]
}

/// The other process: answers what wants an answer.
pub fn echo() {
    let node = Node::new("echo").unwrap();
    let sides = sides(&node, false);
    wait_for_other(&sides);
    for (_, mut side) in sides {
        thread::spawn(move || {
            while let Some((number, wish)) = side.receive() {
                if wish == ANSWER {
                    side.send(number, ANSWER);
                }
            }
        });
    }
    println!("ready");
    assert_eq!(heard(), None);
    // The threads wait for messages; they end with the process.
    std::process::exit(0);
}

/// Waits until what is sent will arrive.
fn wait_for_other(sides: &Sides) {
    let start = Instant::now();
    while !sides.iter().all(|(_, side)| side.is_matched()) {
        assert!(start.elapsed() < SOON);
        thread::sleep(Duration::from_millis(10));
    }
}

pub fn measure() {
    let domain = Domain::new();
    let node = Node::builder("ping")
        .domain_id(domain.number())
        .build()
        .unwrap();
    let mut sides = sides(&node, true);
    let mut echo = domain.start("echo");
    assert_eq!(echo.line(), "ready");
    wait_for_other(&sides);
    let mut number = 0;
    let mut times: Vec<Vec<u64>> = vec![Vec::new(); sides.len()];
    let mut medians: Vec<Vec<u64>> = vec![Vec::new(); sides.len()];
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); sides.len()];
    let mut processor = vec![0.0; sides.len()];
    let both = [std::process::id(), echo.id()];
    let processor_time = || both.map(|process| usage(process).1).iter().sum::<f64>();
    for _ in 0..TURNS {
        for (index, (_, side)) in sides.iter_mut().enumerate() {
            let turn = (0..ROUND_TRIPS).map(|_| {
                number += 1;
                let start = Instant::now();
                side.send(number, ANSWER);
                assert_eq!(side.receive(), Some((number, ANSWER)));
                start.elapsed().as_nanos() as u64
            });
            let turn: Vec<u64> = turn.collect();
            medians[index].push(middle(turn.clone()));
            times[index].extend(turn);
            let before = processor_time();
            let start = Instant::now();
            for _ in 1..AT_ONCE {
                side.send(number, COUNT);
            }
            number += 1;
            side.send(number, ANSWER);
            assert_eq!(side.receive(), Some((number, ANSWER)));
            rates[index].push(AT_ONCE as f64 / start.elapsed().as_secs_f64());
            processor[index] += processor_time() - before;
        }
    }
    echo.finish();
    println!(
        "| 64 bytes over | there and back, p50 µs | turns' p50 | p99 µs | beside bare | messages/s | turns | bare beside it, median of the turns | half of the turns | CPU of both processes, µs a message | beside bare |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let bare = middle(times[0].clone()) as f64;
    // Within a turn the machine is about the same for all.
    let beside: Vec<Vec<f64>> = rates
        .iter()
        .map(|rates_here| {
            let mut ratios: Vec<f64> = rates[0]
                .iter()
                .zip(rates_here)
                .map(|(bare, here)| bare / here)
                .collect();
            ratios.sort_unstable_by(f64::total_cmp);
            ratios
        })
        .collect();
    for (index, (name, _)) in sides.iter().enumerate() {
        times[index].sort_unstable();
        medians[index].sort_unstable();
        rates[index].sort_unstable_by(f64::total_cmp);
        let (medians, rates) = (&medians[index], &rates[index]);
        let micro = |nanoseconds: u64| nanoseconds as f64 / 1e3;
        let p50 = percentile(&times[index], 0.5);
        println!(
            "| {name} | {:.1} | {:.1}–{:.1} | {:.1} | {:.2} | {:.0} | {:.0}–{:.0} | {:.2} | {:.2}–{:.2} | {:.2} | {:.2} |",
            micro(p50),
            micro(medians[0]),
            micro(medians[TURNS - 1]),
            micro(percentile(&times[index], 0.99)),
            p50 as f64 / bare,
            rates[TURNS / 2],
            rates[0],
            rates[TURNS - 1],
            beside[index][TURNS / 2],
            beside[index][TURNS / 4],
            beside[index][TURNS * 3 / 4],
            processor[index] * 1e6 / (AT_ONCE * TURNS as u64) as f64,
            processor[index] / processor[0],
        );
    }
    println!();
}
