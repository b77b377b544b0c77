//! Fifty topics with two subscriptions each at 100 Hz for a minute, reliable: what gets lost, what it costs, what grows.

use std::{
    thread,
    time::{Duration, Instant},
};

use rosidl_buffer_interfaces::sensor_msgs::msg::Imu;
use rosidl_buffer_zenoh::{CallbackSubscription, Node, Publisher, QosProfile};

use crate::process::{Domain, Process, heard, usage};

const SOON: Duration = Duration::from_secs(20);
const TOPICS: usize = 50;
const SUBSCRIBERS: usize = 2;
const PERIOD: Duration = Duration::from_millis(10);
const MESSAGES: u64 = 6000;
/// How often memory is looked at.
const LOOKS: u64 = 6;

fn topic(index: usize) -> String {
    format!("imu_{index}")
}

/// Reliable both: ROS's default, with which Zenoh drops what the link does not take in time, and the one that waits.
fn qos(history: &str) -> QosProfile {
    match history {
        "ten" => QosProfile::default(),
        "all" => QosProfile::default().keep_all(),
        _ => panic!("{history}"),
    }
}

/// One process publishes on all topics.
pub fn publisher(history: &str) {
    let node = Node::new("publisher").unwrap();
    let publishers: Vec<Publisher<Imu>> = (0..TOPICS)
        .map(|index| node.create_publisher(&topic(index), qos(history)).unwrap())
        .collect();
    println!("ready");
    assert_eq!(heard().as_deref(), Some("go"));
    let start = Instant::now();
    while publishers
        .iter()
        .any(|publisher| publisher.subscription_count() < SUBSCRIBERS)
    {
        assert!(start.elapsed() < SOON);
        thread::sleep(Duration::from_millis(10));
    }
    // The routes too.
    thread::sleep(Duration::from_secs(1));
    println!("matched");
    let mut message = Imu::default();
    message.header.frame_id = "imu_link".to_owned();
    let start = Instant::now();
    let mut late = Duration::ZERO;
    for round in 0..MESSAGES {
        let due = start + PERIOD * u32::try_from(round).unwrap();
        match due.checked_duration_since(Instant::now()) {
            Some(left) => thread::sleep(left),
            None => late = late.max(due.elapsed()),
        }
        message.linear_acceleration.x = round as f64;
        for publisher in &publishers {
            publisher.publish(&message).unwrap();
        }
    }
    println!(
        "done {:.3} {}",
        start.elapsed().as_secs_f64(),
        late.as_micros()
    );
    assert_eq!(heard(), None);
}

/// Two processes subscribe to all.
pub fn subscriber(history: &str) {
    let node = Node::new("subscriber").unwrap();
    let subscriptions: Vec<CallbackSubscription<Imu>> = (0..TOPICS)
        .map(|index| {
            let mut next = 0.0;
            let callback = move |message: Imu, _| {
                assert!(
                    message.linear_acceleration.x >= next,
                    "out of order or twice"
                );
                next = message.linear_acceleration.x + 1.0;
            };
            node.create_subscription_with_callback(&topic(index), qos(history), callback)
                .unwrap()
        })
        .collect();
    println!("ready");
    assert_eq!(heard().as_deref(), Some("stats"));
    let sum = |count: fn(&rosidl_buffer_zenoh::SubscriptionStats) -> u64| -> u64 {
        subscriptions
            .iter()
            .map(|subscription| count(&subscription.stats()))
            .sum()
    };
    println!(
        "{} {} {}",
        sum(|stats| stats.received),
        sum(|stats| stats.lost),
        sum(|stats| stats.dropped + stats.undecodable)
    );
    assert_eq!(heard(), None);
}

pub fn measure() {
    for (history, what) in [
        ("ten", "the last 10 kept (ROS's default)"),
        ("all", "all kept"),
    ] {
        println!("Reliable, {what}:");
        run(history);
    }
}

fn run(history: &str) {
    let domain = Domain::new();
    let mut publisher = domain.start(&format!("publisher {history}"));
    let mut subscribers: Vec<Process> = (0..SUBSCRIBERS)
        .map(|_| domain.start(&format!("subscriber {history}")))
        .collect();
    for process in subscribers.iter_mut().chain([&mut publisher]) {
        assert_eq!(process.line(), "ready");
    }
    publisher.say("go");
    assert_eq!(publisher.line(), "matched");
    let ids: Vec<u32> = [publisher.id()]
        .into_iter()
        .chain(subscribers.iter().map(Process::id))
        .collect();
    let start = Instant::now();
    let total = PERIOD * u32::try_from(MESSAGES).unwrap();
    // A second after the start everything has been used once.
    let first = Duration::from_secs(1);
    let mut looks: Vec<Vec<(u64, f64)>> = Vec::new();
    for look in 0..=LOOKS {
        let due =
            first + (total - first) * u32::try_from(look).unwrap() / u32::try_from(LOOKS).unwrap();
        thread::sleep(due.saturating_sub(start.elapsed()));
        looks.push(ids.iter().map(|id| usage(*id)).collect());
    }
    let done = publisher.line();
    // What is on its way arrives.
    thread::sleep(Duration::from_secs(1));
    let (seconds, late) = done.strip_prefix("done ").unwrap().split_once(' ').unwrap();
    println!(
        "{TOPICS} topics, {SUBSCRIBERS} subscribing processes, {} messages for each of them in {seconds} s; the publisher was late by at most {late} µs.\n",
        MESSAGES * TOPICS as u64
    );
    println!(
        "| process | received | lost | dropped or undecodable | CPU, % of a core | resident MiB, every {} s from the first |",
        total.as_secs() / LOOKS
    );
    println!("|---|---|---|---|---|---|");
    for (index, process) in subscribers.iter_mut().enumerate() {
        process.say("stats");
        let said = process.line();
        row(
            &format!("subscriber {}", index + 1),
            &said.replace(' ', " | "),
            &looks,
            index + 1,
            total - first,
        );
    }
    row("publisher", "| |", &looks, 0, total - first);
    println!();
    subscribers
        .into_iter()
        .chain([publisher])
        .for_each(Process::finish);
}

fn row(name: &str, counts: &str, looks: &[Vec<(u64, f64)>], process: usize, time: Duration) {
    let memory: Vec<String> = looks
        .iter()
        .map(|look| format!("{:.1}", look[process].0 as f64 / 1024.0))
        .collect();
    let cpu = looks[looks.len() - 1][process].1 - looks[0][process].1;
    println!(
        "| {name} | {counts} | {:.1} | {} |",
        100.0 * cpu / time.as_secs_f64(),
        memory.join(", ")
    );
}
