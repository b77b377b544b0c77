//! What one call of `publish` costs the caller when the frame goes to one, two, four and eight subscribers in shared memory, each a process.

use std::{
    thread,
    time::{Duration, Instant},
};

use rosidl_buffer_interfaces::sensor_msgs::msg::Image;
use rosidl_buffer_runtime::{BackendRegistry, shm::ShmBackend};
use rosidl_buffer_zenoh::{Context, Node, QosProfile};

use crate::process::{Domain, Process, heard, percentile, usage};

const SOON: Duration = Duration::from_secs(20);
const LEN: usize = 1 << 20;
const FRAMES: u64 = 2000;
const TURNS: usize = 5;
const COUNTS: [usize; 4] = [1, 2, 4, 8];

/// The other process: looks at each frame and drops it.
pub fn viewer() {
    let node = Node::new("viewer").unwrap();
    let qos = QosProfile::default().keep_all();
    let subscription =
        node.create_subscription_with_callback("bench/image", qos, |image: Image, _| {
            let bytes = image.data.as_slice().unwrap();
            assert_eq!(
                (image.data.backend_type(), bytes[0]),
                ("shm", bytes[LEN - 1])
            );
        });
    println!("ready");
    assert_eq!(heard(), None);
    let stats = subscription.unwrap().stats();
    assert_eq!(
        stats.lost + stats.dropped + stats.undecodable + stats.buffers_lost,
        0,
        "{stats:?}"
    );
}

/// Nanoseconds that each call took, sorted, and the CPU time of this process for one frame in µs.
fn run(readers: usize) -> (Vec<u64>, f64) {
    let domain = Domain::new();
    let shm = ShmBackend::new().unwrap();
    let mut registry = BackendRegistry::new();
    registry.register(shm.clone().into()).unwrap();
    let context = Context::builder()
        .domain_id(domain.number())
        .backends(registry)
        .build()
        .unwrap();
    let node = context.create_node("camera").unwrap();
    let qos = QosProfile::default().keep_all();
    let publisher = node.create_publisher::<Image>("bench/image", qos).unwrap();
    let mut viewers: Vec<Process> = (0..readers).map(|_| domain.start("viewer")).collect();
    for viewer in &mut viewers {
        assert_eq!(viewer.line(), "ready");
    }
    let start = Instant::now();
    while publisher.subscription_count() < readers || shm.stats().readers < readers {
        assert!(start.elapsed() < SOON, "{:?}", shm.stats());
        thread::sleep(Duration::from_millis(10));
    }
    // Zenoh knows the channels, too.
    thread::sleep(Duration::from_millis(500));
    let mut message = Image::default();
    let mut publish = |number: u64| {
        let mut block = shm.allocate(LEN, SOON).unwrap();
        block[0] = number as u8;
        block[LEN - 1] = number as u8;
        message.data = block.into_buffer();
        let start = Instant::now();
        publisher.publish(&message).unwrap();
        let time = start.elapsed();
        // Time enough for everybody: what is measured is the call and not a full queue.
        thread::sleep(Duration::from_micros(500 + 200 * readers as u64));
        time.as_nanos() as u64
    };
    for number in 0..100 {
        publish(number);
    }
    let (_, before) = usage(std::process::id());
    let mut times: Vec<u64> = (0..FRAMES).map(&mut publish).collect();
    let (_, after) = usage(std::process::id());
    let described = publisher.stats().described["shm"];
    assert_eq!(described, (FRAMES + 100) * readers as u64);
    viewers.into_iter().for_each(Process::finish);
    times.sort_unstable();
    (times, (after - before) * 1e6 / FRAMES as f64)
}

pub fn measure() {
    let mut all: Vec<Vec<(u64, u64, f64)>> = vec![Vec::new(); COUNTS.len()];
    for _ in 0..TURNS {
        for (readers, all) in COUNTS.into_iter().zip(&mut all) {
            let (times, cpu) = run(readers);
            all.push((percentile(&times, 0.5), percentile(&times, 0.9), cpu));
        }
    }
    println!(
        "| zero-copy subscribers | one `publish`, p50 µs | turns' p50 | p90 µs | beside one | CPU of the publisher's process for a frame, µs | beside one |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut one = None;
    for (readers, mut turns) in COUNTS.into_iter().zip(all) {
        let mut cpu: Vec<f64> = turns.iter().map(|turn| turn.2).collect();
        let mut high: Vec<u64> = turns.iter().map(|turn| turn.1).collect();
        cpu.sort_unstable_by(f64::total_cmp);
        high.sort_unstable();
        turns.sort_unstable_by_key(|turn| turn.0);
        let micro = |nanoseconds: u64| nanoseconds as f64 / 1e3;
        let (p50, cpu) = (micro(turns[TURNS / 2].0), cpu[TURNS / 2]);
        let (first, first_cpu) = *one.get_or_insert((p50, cpu));
        println!(
            "| {readers} | {p50:.1} | {:.1}–{:.1} | {:.1} | {:.2} | {cpu:.0} | {:.2} |",
            micro(turns[0].0),
            micro(turns[TURNS - 1].0),
            micro(high[TURNS / 2]),
            p50 / first,
            cpu / first_cpu,
        );
    }
    println!();
}
