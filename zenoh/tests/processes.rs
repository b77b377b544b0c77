//! Two real processes on this machine: no router, no configuration, nothing beyond the loopback interface.
//!
//! The test binary starts itself again; what the other process does is an ignored test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{collections::HashSet, fs, time::Duration};

use common::{
    Frame, SOON, Text, domain, eventually, foreign_session, free_port,
    process::{Process, is_other_process},
    text,
};
use rosidl_buffer_zenoh::{Context, Node, QosProfile};

/// The other process: sends back what it inbox, until it inbox "end".
#[test]
#[ignore = "the other process of the tests below"]
fn echo_process() {
    if !is_other_process() {
        return;
    }
    let node = Node::new("echo").unwrap();
    let publisher = node
        .create_publisher::<Text>("pong", QosProfile::default())
        .unwrap();
    let subscription = node
        .create_subscription::<Text>("ping", QosProfile::default())
        .unwrap();
    while let Some(received) = subscription.recv_timeout(3 * SOON).unwrap() {
        publisher.publish(&received.message).unwrap();
        if received.message.data == "end" {
            return;
        }
    }
    panic!("nobody said end");
}

/// The other process: has published before anybody listened.
#[test]
#[ignore = "the other process of the tests below"]
fn map_process() {
    if !is_other_process() {
        return;
    }
    let node = Node::new("map").unwrap();
    let qos = QosProfile::default().transient_local().keep_last(3);
    let publisher = node.create_publisher::<Frame>("map", qos).unwrap();
    for number in 1..=5 {
        publisher
            .publish(&Frame {
                number,
                data: vec![number.to_le_bytes()[0]; 100_000].into(),
            })
            .unwrap();
    }
    // On a line of its own, behind what the test runner wrote.
    println!("\npublished");
    let end = node
        .create_subscription::<Text>("ping", QosProfile::default())
        .unwrap();
    assert!(end.recv_timeout(3 * SOON).unwrap().is_some());
}

fn ping_pong(node: &Node) {
    let asks = node
        .create_publisher::<Text>("ping", QosProfile::default())
        .unwrap();
    let answers = node
        .create_subscription::<Text>("pong", QosProfile::default())
        .unwrap();
    assert!(asks.wait_for_subscription(SOON), "no other process found");
    assert!(answers.wait_for_publisher(SOON));
    eventually("the first answer", || {
        asks.publish(&text("hello?")).unwrap();
        answers
            .recv_timeout(Duration::from_millis(50))
            .unwrap()
            .is_some()
    });
    for number in 0..50 {
        let sent = text(number.to_string());
        asks.publish(&sent).unwrap();
        while answers
            .recv_timeout(SOON)
            .unwrap()
            .expect("an answer")
            .message
            != sent
        {}
    }
    asks.publish(&text("end")).unwrap();
}

#[test]
fn two_processes_find_each_other_with_no_router_and_no_configuration() {
    let domain = domain(30);
    let node = Node::builder("test").domain_id(domain).build().unwrap();
    let other = Process::start("echo_process", domain, &[]);
    ping_pong(&node);
    other.finish();
}

#[test]
fn the_order_of_starting_does_not_matter() {
    let domain = domain(31);
    let other = Process::start("echo_process", domain, &[]);
    std::thread::sleep(Duration::from_millis(300));
    let node = Node::builder("test").domain_id(domain).build().unwrap();
    ping_pong(&node);
    other.finish();
}

#[test]
fn a_late_joiner_in_another_process_gets_the_cached_samples() {
    let domain = domain(32);
    let mut other = Process::start("map_process", domain, &[]);
    // Not before: whoever is there while a sample is sent may also get it directly.
    other.wait_for("published");
    let node = Node::builder("test").domain_id(domain).build().unwrap();
    let qos = QosProfile::default().transient_local().keep_last(3);
    let end = node
        .create_publisher::<Text>("ping", QosProfile::default())
        .unwrap();
    assert!(end.wait_for_subscription(SOON));
    let subscription = node.create_subscription::<Frame>("map", qos).unwrap();
    for number in 3..=5 {
        let received = subscription
            .recv_timeout(SOON)
            .unwrap()
            .expect("a cached sample");
        assert_eq!(received.message.number, number);
        assert_eq!(
            received.message.data.as_slice().unwrap(),
            vec![number.to_le_bytes()[0]; 100_000]
        );
        assert_eq!(
            received.info.publication_sequence_number,
            Some(number.into())
        );
    }
    assert_eq!(subscription.stats().lost, 0);
    end.publish(&text("end")).unwrap();
    other.finish();
}

#[test]
fn a_killed_process_leaves_the_graph() {
    let domain = domain(33);
    let node = Node::builder("test").domain_id(domain).build().unwrap();
    let ping = node
        .create_publisher::<Text>("ping", QosProfile::default())
        .unwrap();
    let other = Process::start("echo_process", domain, &[]);
    assert!(ping.wait_for_subscription(SOON));
    // The signal is SIGKILL: nothing is said before the end.
    drop(other);
    eventually("it is gone", || ping.subscription_count() == 0);
}

#[test]
fn nodes_meet_through_a_router_that_starts_later() {
    let domain = domain(34);
    let port = free_port();
    let endpoint = format!(r#"["tcp/127.0.0.1:{port}"]"#);
    let context = Context::builder()
        .domain_id(domain)
        .local_discovery(false)
        .zenoh_setting("connect/endpoints", endpoint.as_str())
        .build()
        .unwrap();
    let node = context.create_node("test").unwrap();
    // A file in place of the defaults also turns off the finding of each other without a router.
    let file = std::env::temp_dir().join(format!("rosidl_buffer_zenoh_{port}.json5"));
    let text = format!(
        "{{mode: 'peer', listen: {{endpoints: ['tcp/127.0.0.1:0']}}, connect: {{endpoints: {endpoint}}}, scouting: {{multicast: {{enabled: false}}}}}}"
    );
    fs::write(&file, text).unwrap();
    let other = Process::start(
        "echo_process",
        domain,
        &[
            ("ZENOH_SESSION_CONFIG_URI", file.to_str().unwrap()),
            ("ZENOH_CONFIG_OVERRIDE", "scouting/gossip/enabled=true;"),
        ],
    );
    let ping = node
        .create_publisher::<Text>("unused", QosProfile::default())
        .unwrap();
    assert!(!ping.wait_for_subscription(Duration::from_millis(500)));
    let router = foreign_session("router", Some(port), None);
    ping_pong(&node);
    other.finish();
    drop(router);
    fs::remove_file(file).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_listens_beyond_the_loopback_interface() {
    let domain = domain(35);
    let other = Process::start("echo_process", domain, &[]);
    let node = Node::builder("test").domain_id(domain).build().unwrap();
    let ping = node
        .create_publisher::<Text>("ping", QosProfile::default())
        .unwrap();
    assert!(ping.wait_for_subscription(SOON));
    let (mut loopback, mut beyond) = (0, Vec::new());
    for (protocol, address) in bound_sockets(other.0.id()) {
        // 127.0.0.1 in host byte order, ::1, and ::ffff:127.0.0.1.
        let ip = address.split(':').next().unwrap();
        let inside = [
            "0100007F",
            "00000000000000000000000001000000",
            "0000000000000000FFFF00000100007F",
        ];
        if inside.contains(&ip) {
            loopback += 1;
        } else {
            beyond.push((protocol, address));
        }
    }
    assert_eq!(beyond, []);
    assert!(
        loopback > 0,
        "the sockets of the other process were not found"
    );
    ping.publish(&text("end")).unwrap();
    other.finish();
}

/// Protocol and local address of each TCP and UDP socket of a process.
#[cfg(target_os = "linux")]
fn bound_sockets(process: u32) -> Vec<(&'static str, String)> {
    let own: HashSet<String> = fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|target| {
            Some(
                target
                    .to_str()?
                    .strip_prefix("socket:[")?
                    .strip_suffix(']')?
                    .to_owned(),
            )
        })
        .collect();
    let mut found = Vec::new();
    for protocol in ["tcp", "tcp6", "udp", "udp6", "raw"] {
        let table =
            fs::read_to_string(format!("/proc/{process}/net/{protocol}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            if let [_, local, ..] = columns[..]
                && columns.get(9).is_some_and(|inode| own.contains(*inode))
            {
                found.push((protocol, local.to_owned()));
            }
        }
    }
    found
}

#[test]
fn a_wrong_domain_in_the_environment_is_an_error() {
    let other = Process::command("echo_process")
        .env("ROS_DOMAIN_ID", "kitchen")
        .output()
        .unwrap();
    assert!(!other.status.success());
    let said = String::from_utf8_lossy(&other.stderr).into_owned()
        + &String::from_utf8_lossy(&other.stdout);
    assert!(said.contains(r#"DomainId { value: "kitchen" }"#), "{said}");
}
