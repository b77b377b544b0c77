//! The graph as a node sees it: what is there, what goes when a peer goes, and what an endpoint is told of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{collections::HashSet, sync::mpsc::channel, time::Duration};

use common::{
    Frame, SOON, TEXT_HASH, Text, block_on, builder, domain, eventually, eventually_within,
    foreign_and_ours,
    process::{Process, is_other_process},
    text,
};
use rosidl_buffer_zenoh::{
    Event, Node, NodeName, QosPolicy, QosProfile,
    key::EntityKind,
    zenoh::{Session, Wait as _, liveliness::LivelinessToken},
};

/// What a foreign session says of a node's entity; `rest` is what stands behind the node's name.
fn declare(
    session: &Session,
    domain: u32,
    number: usize,
    kind: &str,
    rest: &str,
) -> LivelinessToken {
    let id = session.zid();
    let token = format!("@ros2_lv/{domain}/{id}/7/{number}/{kind}/%/%robot/other{rest}");
    session.liveliness().declare_token(token).wait().unwrap()
}

#[test]
fn what_ros2_node_topic_service_and_action_list_would_print() {
    let domain = domain(1);
    let (foreign, ours) = foreign_and_ours(domain);
    let node = ours.node_builder("talker").namespace("/a").build().unwrap();
    let graph = node.graph();
    let qos = QosProfile::default().keep_last(3).best_effort();
    let publisher = node.create_publisher::<Text>("chatter", qos).unwrap();
    let feedback = "demo::action::dds_::Fly_FeedbackMessage_/RIHS01_00/::,:,:,:,,";
    let service = "std_srvs::srv::dds_::SetBool_/RIHS01_11/::,:,:,:,,";
    let chatter = format!("%a%chatter/std_msgs::msg::dds_::String_/{TEXT_HASH}");
    let tokens: Vec<_> = [
        ("NN", String::new()),
        (
            "MS",
            format!("/{chatter}/:1:,5:,:,:,,/backends:cpu:;shm:x%2Fy"),
        ),
        ("MS", "/%a%chatter/other::T/RIHS01_22/::,:,:,:,,".to_owned()),
        ("MP", format!("/%fly%_action%feedback/{feedback}")),
        ("SS", format!("/%robot%switch/{service}")),
        ("SC", format!("/%robot%switch/{service}")),
    ]
    .iter()
    .enumerate()
    .map(|(number, (kind, rest))| declare(&foreign, domain, number, kind, rest))
    .collect();
    eventually("everything is known", || {
        graph.node_names().len() == 2
            && graph.count_subscriptions("/a/chatter") == 2
            && graph.count_services("/robot/switch") == 1
            && graph.count_clients("/robot/switch") == 1
            && graph.action_names_and_types().len() == 1
    });

    let names: Vec<_> = graph
        .node_names()
        .iter()
        .map(NodeName::fully_qualified_name)
        .collect();
    assert_eq!(names, ["/a/talker", "/robot/other"]);
    assert_eq!(graph.node_names()[1].enclave, "/");
    let topics = graph.topic_names_and_types();
    assert_eq!(topics["/a/chatter"], ["other::T", "std_msgs/msg/String"]);
    assert_eq!(graph.count_publishers("/a/chatter"), 1);
    assert_eq!(graph.count_publishers("a/chatter"), 0);
    assert_eq!(
        graph.service_names_and_types()["/robot/switch"],
        ["std_srvs/srv/SetBool"]
    );
    assert_eq!(graph.action_names_and_types()["/fly"], ["demo/action/Fly"]);

    let [publisher_info] = &graph.publishers_info_by_topic("/a/chatter")[..] else {
        panic!("one publisher is expected");
    };
    assert_eq!(publisher_info.gid, publisher.gid());
    assert_eq!(publisher_info.qos, qos);
    assert_eq!(publisher_info.topic_type, "std_msgs/msg/String");
    assert_eq!(publisher_info.topic_type_hash, TEXT_HASH);
    assert_eq!(publisher_info.kind, EntityKind::Publisher);
    assert_eq!(publisher_info.backends, None);
    let subscriptions = graph.subscriptions_info_by_topic("/a/chatter");
    let theirs = subscriptions
        .iter()
        .find(|info| info.topic_type_hash == TEXT_HASH)
        .unwrap();
    assert_eq!(
        (theirs.node_name.as_str(), theirs.node_namespace.as_str()),
        ("other", "/robot")
    );
    assert_eq!(
        theirs.qos,
        QosProfile::default().transient_local().keep_last(5)
    );
    assert_eq!(theirs.backends.as_ref().unwrap()[1].metadata, "x/y");

    let lists = |name, namespace| {
        [
            graph.publisher_names_and_types_by_node(name, namespace),
            graph.subscription_names_and_types_by_node(name, namespace),
            graph.service_names_and_types_by_node(name, namespace),
            graph.client_names_and_types_by_node(name, namespace),
            graph.action_server_names_and_types_by_node(name, namespace),
            graph.action_client_names_and_types_by_node(name, namespace),
        ]
        .map(|list| list.into_keys().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(
        lists("other", "/robot"),
        [
            "/fly/_action/feedback",
            "/a/chatter",
            "/robot/switch",
            "/robot/switch",
            "/fly",
            ""
        ]
    );
    assert_eq!(lists("other", "/"), [""; 6]);
    assert!(lists("talker", "/a")[0].contains("/a/chatter"));

    drop(tokens);
    eventually("they are gone", || {
        graph.node_names().len() == 1
            && graph.count_subscriptions("/a/chatter") == 0
            && graph.count_services("/robot/switch") + graph.count_clients("/robot/switch") == 0
            && !graph
                .topic_names_and_types()
                .contains_key("/fly/_action/feedback")
    });
    assert_eq!(graph.ignored().total(), 0);
}

#[test]
fn thousands_of_endpoints_come_and_go_with_their_session() {
    let domain = domain(2);
    let (foreign, ours) = foreign_and_ours(domain);
    let node = ours.create_node("watcher").unwrap();
    let graph = node.graph();
    // Half of them on one topic, with a publisher of ours; each of the others on its own.
    let _rosout = node
        .create_publisher::<Text>("rosout", QosProfile::default())
        .unwrap();
    let many = 2000;
    let tokens: Vec<_> = (0..many)
        .map(|number| {
            let topic = if number % 2 == 0 {
                "rosout".to_owned()
            } else {
                format!("t{number}")
            };
            let rest = format!("/%{topic}/std_msgs::msg::dds_::String_/{TEXT_HASH}/::,:,:,:,,");
            declare(&foreign, domain, number, "MS", &rest)
        })
        .collect();
    let last = format!("/t{}", many - 1);
    eventually_within(9 * SOON, "all are known", || {
        graph.count_subscriptions("/rosout") == many / 2 && graph.count_subscriptions(&last) == 1
    });
    assert!(graph.topic_names_and_types().len() > many / 2);
    let infos = graph.subscriptions_info_by_topic("/rosout");
    let gids: HashSet<_> = infos.iter().map(|info| info.gid).collect();
    assert_eq!(gids.len(), many / 2);
    foreign.close().wait().unwrap();
    eventually_within(9 * SOON, "all are gone", || {
        graph.count_subscriptions("/rosout") + graph.count_subscriptions(&last) == 0
    });
    drop(tokens);
}

/// The other process: a node with a publisher and a subscription.
#[test]
#[ignore = "the other process of the test below"]
fn endpoints_process() {
    if !is_other_process() {
        return;
    }
    let node = Node::builder("victim")
        .namespace("/doomed")
        .build()
        .unwrap();
    let _publisher = node
        .create_publisher::<Frame>("frames", QosProfile::default())
        .unwrap();
    let end = node
        .create_subscription::<Text>("end", QosProfile::default())
        .unwrap();
    assert!(end.recv_timeout(3 * SOON).unwrap().is_some());
}

#[test]
fn a_killed_process_leaves_nothing_in_the_graph() {
    let domain = domain(3);
    let node = builder(domain)
        .build()
        .unwrap()
        .create_node("watcher")
        .unwrap();
    let graph = node.graph();
    let is_victim = |name: &NodeName| name.fully_qualified_name() == "/doomed/victim";
    let there = || {
        graph
            .node_names()
            .iter()
            .filter(|name| is_victim(name))
            .count()
            + graph.count_publishers("/doomed/frames")
            + graph.count_subscriptions("/doomed/end")
            + usize::from(graph.topic_names_and_types().contains_key("/doomed/frames"))
            + graph
                .publisher_names_and_types_by_node("victim", "/doomed")
                .len()
                .min(1)
    };
    let victim = Process::start("endpoints_process", domain, &[]);
    eventually("it is there", || there() == 5);
    // The signal is SIGKILL: nothing is said before the end.
    drop(victim);
    eventually("nothing of it is there", || there() == 0);
}

#[test]
fn a_change_ends_waiting() {
    let domain = domain(4);
    let context = builder(domain).build().unwrap();
    let node = context.create_node("watcher").unwrap();
    let graph = node.graph();
    eventually("we see ourselves", || graph.node_names().len() == 1);
    // Other endpoints of the node may still be on their way.
    while graph.wait_for_change(graph.revision(), Duration::from_millis(300)) {}
    let seen = graph.revision();
    assert!(!graph.wait_for_change(seen, Duration::from_millis(20)));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| graph.wait_for_change(seen, SOON));
        let future = scope.spawn(|| block_on(graph.changed(seen)));
        let _publisher = node
            .create_publisher::<Text>("t", QosProfile::default())
            .unwrap();
        assert!(waiting.join().unwrap());
        assert!(future.join().unwrap());
    });
    assert_ne!(graph.revision(), seen);
}

#[test]
fn a_closed_session_ends_waiting() {
    let domain = domain(11);
    let context = builder(domain).build().unwrap();
    let node = context.create_node("watcher").unwrap();
    let publisher = node
        .create_publisher::<Text>("t", QosProfile::default())
        .unwrap();
    let graph = node.graph();
    while graph.wait_for_change(graph.revision(), Duration::from_millis(300)) {}
    let seen = graph.revision();
    std::thread::scope(|scope| {
        let subscribed = scope.spawn(|| publisher.wait_for_subscription(Duration::MAX));
        let future = scope.spawn(|| block_on(graph.changed(seen)));
        context.zenoh_session().close().wait().unwrap();
        assert!(!subscribed.join().unwrap());
        future.join().unwrap();
    });
    assert!(!graph.wait_for_change(graph.revision(), Duration::MAX));
    assert!(!block_on(graph.changed(graph.revision())));
}

#[test]
fn endpoints_are_told_who_comes_who_goes_and_what_does_not_suit() {
    let domain = domain(5);
    let (foreign, ours) = foreign_and_ours(domain);
    let node = ours.create_node("talker").unwrap();
    let publisher = node
        .create_publisher::<Text>("chatter", QosProfile::default())
        .unwrap();
    let early = node
        .create_subscription::<Text>("chatter", QosProfile::default())
        .unwrap();
    assert!(early.wait_for_publisher(SOON) && publisher.wait_for_subscription(SOON));
    let events = publisher.events();
    let Some(Event::Matched(status)) = events.try_recv().unwrap() else {
        panic!("those that are there come first");
    };
    assert_eq!(
        (
            status.total_count,
            status.current_count,
            status.current_count_change
        ),
        (1, 1, 1)
    );
    assert_eq!(events.try_recv().unwrap(), None);

    let (called, calls) = channel();
    let callback = early
        .on_event(move |event| called.send(event).unwrap_or_default())
        .unwrap();
    assert!(
        matches!(calls.recv_timeout(SOON).unwrap(), Event::Matched(status) if status.current_count == 1)
    );

    let kind = format!("/%chatter/std_msgs::msg::dds_::String_/{TEXT_HASH}");
    let late = declare(&foreign, domain, 1, "MS", &format!("{kind}/:1:,:,:,:,,"));
    let Some(Event::Matched(status)) = events.recv_timeout(SOON).unwrap() else {
        panic!("somebody came");
    };
    assert_eq!((status.total_count_change, status.current_count), (1, 2));
    let Ok(Event::IncompatibleQos(status)) = block_on(events.recv_async()) else {
        panic!("it asks for what we do not offer");
    };
    assert_eq!(
        (status.total_count, status.last_policy),
        (1, QosPolicy::Durability)
    );
    let other_type = declare(
        &foreign,
        domain,
        2,
        "MS",
        "/%chatter/a::msg::dds_::B_/h/::,:,:,:,,",
    );
    let Some(Event::IncompatibleType(status)) = events.recv_timeout(SOON).unwrap() else {
        panic!("it has another type");
    };
    assert_eq!((status.total_count, status.total_count_change), (1, 1));
    drop((late, other_type));
    let Some(Event::Matched(status)) = events.recv_timeout(SOON).unwrap() else {
        panic!("one went");
    };
    assert_eq!(
        (status.total_count_change, status.current_count_change),
        (0, -1)
    );

    let foreign_publisher = declare(&foreign, domain, 3, "MP", &format!("{kind}/2::,:,:,:,,"));
    assert!(
        matches!(calls.recv_timeout(SOON).unwrap(), Event::Matched(status) if status.current_count == 2)
    );
    let Event::IncompatibleQos(status) = calls.recv_timeout(SOON).unwrap() else {
        panic!("it may lose messages");
    };
    assert_eq!(status.last_policy, QosPolicy::Reliability);
    drop((foreign_publisher, callback));
    assert!(
        calls
            .into_iter()
            .all(|event| matches!(event, Event::Matched(_)))
    );
}

#[test]
fn a_subscription_is_told_what_got_lost() {
    let domain = domain(6);
    let (foreign, ours) = foreign_and_ours(domain);
    let node = ours.create_node("listener").unwrap();
    let subscription = node
        .create_subscription::<Text>("chatter", QosProfile::default())
        .unwrap();
    let events = subscription.events();
    let key = format!("{domain}/chatter/std_msgs::msg::dds_::String_/{TEXT_HASH}");
    let publisher = foreign.declare_publisher(key).wait().unwrap();
    eventually("our subscription is known there", || {
        publisher.matching_status().wait().unwrap().matching()
    });
    let payload = rosidl_buffer_runtime::cdr::encode(&text("hello")).unwrap();
    for number in [1_i64, 2, 6] {
        let attachment = [&number.to_le_bytes()[..], &[0; 8], &[16], &[9; 16]].concat();
        publisher
            .put(payload.clone())
            .attachment(attachment)
            .wait()
            .unwrap();
        assert!(subscription.recv_timeout(SOON).unwrap().is_some());
    }
    let Some(Event::MessageLost(status)) = events.recv_timeout(SOON).unwrap() else {
        panic!("three are missing");
    };
    assert_eq!((status.total_count, status.total_count_change), (3, 3));
    assert_eq!(events.try_recv().unwrap(), None);
}
