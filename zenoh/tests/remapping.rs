//! Arguments of a command line, as nodes and their peers see them; and what nodes say on `/rosout`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use common::{SOON, Text, builder, domain, foreign_and_ours, text};
use rosidl_buffer_interfaces::rcl_interfaces::msg::Log;
use rosidl_buffer_zenoh::{Arguments, Context, LogSeverity, QosProfile, zenoh::Wait as _};

fn arguments(line: &str) -> Arguments {
    Arguments::from_args(line.split(' ')).unwrap()
}

fn context(test: u32, line: &str) -> Context {
    let builder = builder(domain(test)).arguments(arguments(line));
    builder.build().unwrap()
}

#[test]
fn a_node_gets_the_names_of_the_command_line() {
    let context = context(
        0,
        "p --ros-args -r __node:=left -r __ns:=/arm -r chatter:=/news -r rosservice://ask:=answer",
    );
    let node = context
        .node_builder("camera")
        .namespace("/x")
        .build()
        .unwrap();
    assert_eq!(node.fully_qualified_name(), "/arm/left");
    assert_eq!(node.resolve_topic_name("chatter").unwrap(), "/news");
    assert_eq!(
        node.resolve_topic_name("~/image").unwrap(),
        "/arm/left/image"
    );
    assert_eq!(node.resolve_service_name("ask").unwrap(), "/arm/answer");
    assert_eq!(node.resolve_topic_name("ask").unwrap(), "/arm/ask");
    let publisher = node
        .create_publisher::<Text>("chatter", QosProfile::default())
        .unwrap();
    assert_eq!(publisher.topic_name(), "/news");
    let listener = context.node_builder("listener").use_global_arguments(false);
    let listener = listener.build().unwrap();
    assert_eq!(listener.fully_qualified_name(), "/listener");
    let heard = listener
        .create_subscription::<Text>("/news", QosProfile::default())
        .unwrap();
    assert!(publisher.wait_for_subscription(SOON));
    publisher.publish(&text("here")).unwrap();
    assert_eq!(
        heard.recv_timeout(SOON).unwrap().unwrap().message.data,
        "here"
    );
}

#[test]
fn arguments_of_a_node_go_before_those_of_its_context() {
    let context = context(1, "p --ros-args -r a:=global -r b:=global -r one:__ns:=/n");
    let own = arguments("p --ros-args -r a:=own");
    let node = context.node_builder("one").arguments(own).build().unwrap();
    assert_eq!(node.namespace(), "/n");
    assert_eq!(node.resolve_topic_name("a").unwrap(), "/n/own");
    assert_eq!(node.resolve_topic_name("b").unwrap(), "/n/global");
    let other = context.create_node("two").unwrap();
    assert_eq!(other.resolve_topic_name("a").unwrap(), "/global");
}

#[test]
fn the_enclave_is_in_the_token() {
    let (session, ours) = foreign_and_ours(domain(2));
    drop(ours.create_node("without").unwrap());
    drop(ours);
    let context = context(3, "p --ros-args --enclave /kitchen/robot");
    let _node = context.create_node("node").unwrap();
    let tokens = context
        .zenoh_session()
        .liveliness()
        .get(format!("@ros2_lv/{}/**/NN/**", domain(3)))
        .wait()
        .unwrap();
    let token = tokens.recv().unwrap();
    let token = token.result().unwrap().key_expr().as_str();
    assert!(token.contains("/NN/%kitchen%robot/%/node"), "{token}");
    drop(session);
}

#[test]
fn what_a_node_says_is_on_rosout_also_for_who_comes_late() {
    let context = context(4, "p --ros-args --log-level robot:=warn --log-level info");
    let node = context
        .node_builder("camera")
        .namespace("robot")
        .build()
        .unwrap();
    let logger = node.logger();
    assert_eq!(
        (logger.name(), logger.level()),
        ("robot.camera", LogSeverity::Warn)
    );
    logger.info("not said");
    logger.warn("the lens is dirty");
    let line = line!() - 1;
    let listener = context
        .node_builder("listener")
        .enable_rosout(false)
        .build()
        .unwrap();
    let qos = QosProfile::default().keep_last(10).transient_local();
    let logs = listener.create_subscription::<Log>("/rosout", qos).unwrap();
    let log = logs.recv_timeout(SOON).unwrap().unwrap().message;
    assert_eq!((log.level, log.name.as_str()), (Log::WARN, "robot.camera"));
    assert_eq!((log.msg.as_str(), log.line), ("the lens is dirty", line));
    assert!(log.file.ends_with("remapping.rs") && log.stamp.sec > 1_600_000_000);
    logger.fatal("smoke");
    let log = logs.recv_timeout(SOON).unwrap().unwrap().message;
    assert_eq!((log.level, log.msg.as_str()), (Log::FATAL, "smoke"));
    listener.logger().error("on tracing alone");
    assert_eq!(logs.publisher_count(), 1);
}

#[test]
fn rosout_can_be_turned_off_and_loggers_outlive_their_nodes() {
    let context = context(5, "p --ros-args --disable-rosout-logs");
    let quiet = context.create_node("quiet").unwrap();
    let own = arguments("p --ros-args --enable-rosout-logs");
    let loud = context.node_builder("loud").arguments(own).build().unwrap();
    let listener = context.create_node("listener").unwrap();
    let qos = QosProfile::default().transient_local();
    let logs = listener.create_subscription::<Log>("/rosout", qos).unwrap();
    assert!(logs.wait_for_publisher(SOON));
    let (quiet_logger, loud_logger) = (quiet.logger(), loud.logger());
    quiet_logger.error("nobody hears this");
    loud_logger.error("this is heard");
    assert_eq!(
        logs.recv_timeout(SOON).unwrap().unwrap().message.msg,
        "this is heard"
    );
    assert_eq!(logs.publisher_count(), 1);
    drop(loud);
    common::eventually("the publisher is gone", || logs.publisher_count() == 0);
    loud_logger.error("the node is gone");
}
