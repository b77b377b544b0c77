//! ROS time and timers, with a simulation and without.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use common::{SOON, builder, domain, eventually};
use rosidl_buffer_interfaces::{builtin_interfaces, rosgraph_msgs::msg};
use rosidl_buffer_zenoh::{Clock, Context, Error, Node, Publisher, QosProfile, Time, Timer};

fn context(test: u32) -> Context {
    builder(domain(test)).build().unwrap()
}

fn publish(publisher: &Publisher<msg::Clock>, sec: i32) {
    let clock = builtin_interfaces::msg::Time { sec, nanosec: 5 };
    publisher.publish(&msg::Clock { clock }).unwrap();
}

fn at(seconds: i64) -> Time {
    Time::from_nanoseconds(seconds * 1_000_000_000)
}

fn timer(node: &Node, seconds: u64) -> (Timer, Receiver<Time>) {
    let (ticked, ticks) = channel();
    let clock = node.clock().clone();
    let tick = move || ticked.send(clock.now()).unwrap();
    (
        node.create_timer(Duration::from_secs(seconds), tick)
            .unwrap(),
        ticks,
    )
}

#[test]
fn a_node_in_a_simulation_has_its_time() {
    let context = context(0);
    let simulator = context.create_node("simulator").unwrap();
    let publisher = simulator
        .create_publisher::<msg::Clock>("/clock", QosProfile::default())
        .unwrap();
    let node = context
        .node_builder("robot")
        .parameter_overrides([("use_sim_time", true)]);
    let node = node.build().unwrap();
    let clock = node.clock();
    assert!(clock.is_ros_time_active() && !simulator.clock().is_ros_time_active());
    assert_eq!(clock.now(), at(0), "nothing came yet");
    assert!(publisher.wait_for_subscription(SOON));
    publish(&publisher, 100);
    eventually("the time is there", || {
        clock.now().nanoseconds() == 100_000_000_005
    });
    let sleeping = clock.clone();
    let sleeper = std::thread::spawn(move || sleeping.sleep_until(at(500)));
    publish(&publisher, 400);
    eventually("time goes on", || clock.now() >= at(400));
    assert!(!sleeper.is_finished());
    publish(&publisher, 500);
    assert!(sleeper.join().unwrap());
    // Off, while it runs: the system's time, and nobody listens any more.
    node.set_parameter("use_sim_time", false).unwrap();
    assert!(!clock.is_ros_time_active() && clock.now() > at(1_600_000_000));
    eventually("nobody listens", || publisher.subscription_count() == 0);
    node.set_parameter("use_sim_time", true).unwrap();
    assert!(publisher.wait_for_subscription(SOON));
    publish(&publisher, 7);
    eventually("on again", || clock.now().nanoseconds() == 7_000_000_005);
    // A timer keeps its node, so that time goes on for it.
    let clock = clock.clone();
    let (timer, ticks) = timer(&node, 10);
    drop(node);
    publish(&publisher, 20);
    assert!(ticks.recv_timeout(SOON).is_ok());
    drop(timer);
    eventually("nobody listens", || publisher.subscription_count() == 0);
    eventually("it is the system's time again", || {
        !clock.is_ros_time_active()
    });
}

#[test]
fn timers_follow_the_clock_that_a_test_sets() {
    let (clock, source) = Clock::with_source();
    source.set_ros_time_override(at(1000));
    let node = context(1)
        .node_builder("node")
        .clock(&clock)
        .build()
        .unwrap();
    let (timer, ticks) = timer(&node, 10);
    source.set_ros_time_override(at(1010));
    assert_eq!(ticks.recv_timeout(SOON), Ok(at(1010)));
    // Three periods in one jump are one call, and the rhythm stays.
    source.set_ros_time_override(at(1045));
    assert_eq!(ticks.recv_timeout(SOON), Ok(at(1045)));
    source.set_ros_time_override(at(1050));
    assert_eq!(ticks.recv_timeout(SOON), Ok(at(1050)));
    drop(timer);
    source.set_ros_time_override(at(2000));
    assert!(ticks.recv().is_err(), "the callback is gone");
}

#[test]
fn a_timer_goes_on_when_time_goes_back() {
    let (clock, source) = Clock::with_source();
    source.set_ros_time_override(at(1_000_000));
    let node = context(2)
        .node_builder("node")
        .clock(&clock)
        .build()
        .unwrap();
    let (_timer, ticks) = timer(&node, 10);
    source.set_ros_time_override(at(0));
    // The thread looks at the new time in its own time: go on until it ticks, long before the old time.
    let mut now = 0;
    eventually("a tick after the jump", || {
        now += 10;
        source.set_ros_time_override(at(now));
        ticks.try_recv().is_ok()
    });
}

#[test]
fn wall_timers_run_by_themselves_and_survive_panics() {
    let node = context(3).create_node("node").unwrap();
    let (ticked, ticks) = channel();
    let mut number = 0;
    let tick = move || {
        number += 1;
        ticked.send(number).unwrap();
        assert_ne!(number, 2, "meant to fail");
    };
    let timer = node
        .create_wall_timer(Duration::from_millis(3), tick)
        .unwrap();
    for expected in 1..=4 {
        assert_eq!(ticks.recv_timeout(SOON), Ok(expected));
    }
    drop(timer);
    let refused = node.create_timer(Duration::ZERO, || ());
    assert!(matches!(refused, Err(Error::TimerPeriod)));
}
