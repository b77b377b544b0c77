//! How long it takes until 200 endpoints of one process are known in another: those made while the other looks on, and those
//! that were there before it came.

use std::{
    thread,
    time::{Duration, Instant},
};

use rosidl_buffer_bench::now;
use rosidl_buffer_interfaces::std_msgs::msg::String as Text;
use rosidl_buffer_zenoh::{Node, Publisher, QosProfile, Subscription};

use crate::process::{Domain, heard, middle};

const SOON: Duration = Duration::from_secs(60);
const TURNS: usize = 7;
const ENDPOINTS: usize = 200;

type Half = Vec<(Publisher<Text>, Subscription<Text>)>;

/// A publisher and a subscription on each of half as many topics; whom they meet has them the other way round.
fn endpoints(node: &Node, out: &str, back: &str) -> Half {
    let qos = QosProfile::default();
    let pair = |index: usize| {
        let publisher = node
            .create_publisher(&format!("{out}_{index}"), qos)
            .unwrap();
        (
            publisher,
            node.create_subscription(&format!("{back}_{index}"), qos)
                .unwrap(),
        )
    };
    (0..ENDPOINTS / 2).map(pair).collect()
}

/// The other process: says when it began to make its endpoints, and when it was done.
pub fn crowd() {
    let node = Node::new("crowd").unwrap();
    println!("ready");
    assert_eq!(heard().as_deref(), Some("go"));
    let began = now();
    let all = endpoints(&node, "out", "back");
    println!("{began}");
    println!("{}", now());
    assert_eq!(heard(), None);
    drop(all);
}

/// When each of ours has found its counterpart.
fn all_known(ours: &Half) -> u64 {
    let start = Instant::now();
    loop {
        let known = |(publisher, subscription): &(Publisher<Text>, Subscription<Text>)| {
            publisher.subscription_count() == 1 && subscription.publisher_count() == 1
        };
        if ours.iter().all(known) {
            return now();
        }
        assert!(start.elapsed() < SOON);
        thread::sleep(Duration::from_millis(1));
    }
}

pub fn measure() {
    let (mut create, mut live, mut late, mut gone) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let domain = Domain::new();
        let node = || {
            Node::builder("observer")
                .domain_id(domain.number())
                .build()
                .unwrap()
        };
        let observer = node();
        let ours = endpoints(&observer, "back", "out");
        let mut crowd = domain.start("crowd");
        assert_eq!(crowd.line(), "ready");
        // Found each other; only the endpoints are missing.
        thread::sleep(Duration::from_secs(2));
        crowd.say("go");
        let began: u64 = crowd.line().parse().unwrap();
        let known = all_known(&ours);
        let made: u64 = crowd.line().parse().unwrap();
        create.push(made - began);
        live.push(known - began);
        drop((ours, observer));

        let began = now();
        let observer = node();
        let ours = endpoints(&observer, "back", "out");
        late.push(all_known(&ours) - began);
        // SIGKILL: nothing is said before the end.
        let began = now();
        drop(crowd);
        let start = Instant::now();
        while ours.iter().any(|(publisher, subscription)| {
            publisher.subscription_count() + subscription.publisher_count() > 0
        }) {
            assert!(start.elapsed() < SOON);
            thread::sleep(Duration::from_millis(1));
        }
        gone.push(now() - began);
    }
    println!("| {ENDPOINTS} endpoints of another process | p50 ms | turns |");
    println!("|---|---|---|");
    for (what, mut times) in [
        ("made there", create),
        ("made there and known here, since the first was begun", live),
        (
            "there before: known since this process's context was begun, its own 200 endpoints included",
            late,
        ),
        ("gone here after SIGKILL there", gone),
    ] {
        times.sort_unstable();
        let milli = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        println!(
            "| {what} | {:.0} | {:.0}–{:.0} |",
            milli(middle(times.clone())),
            milli(times[0]),
            milli(times[TURNS - 1])
        );
    }
    println!();
}
