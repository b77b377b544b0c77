//! Our nodes and those of hiroz 0.2.1, a Rust implementation of ROS 2 over Zenoh that is not ours: topics in both
//! directions, a service in both directions, and what each sees of the other in its graph. Prints what it saw, or panics.
//!
//! `cargo run --manifest-path bench/hiroz/Cargo.toml`. Both play in this process, each over a Zenoh session of its own.

use std::{
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use hiroz::{
    Builder as _,
    context::{ZContext, ZContextBuilder},
    entity::EndpointKind,
    node::ZNode,
    qos::{QosHistory, QosProfile as TheirQos},
};
use hiroz_msgs::{
    example_interfaces::{
        AddTwoIntsRequest, AddTwoIntsResponse, srv::AddTwoInts as TheirAddTwoInts,
    },
    sensor_msgs::Image as TheirImage,
    std_msgs::String as TheirText,
};
use rosidl_buffer_interfaces::{
    example_interfaces::srv::{AddTwoInts, AddTwoInts_Request, AddTwoInts_Response},
    sensor_msgs::msg::Image,
    std_msgs::msg::String as Text,
};
use rosidl_buffer_runtime::{Message as _, shm::ShmBackend};
use rosidl_buffer_zenoh::{Context, Fallback, Node, QosProfile};

const SOON: Duration = Duration::from_secs(20);
const TEXTS: usize = 1000;
const IMAGES: usize = 20;
const BYTES: usize = 1 << 20;
const CALLS: i64 = 100;

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < SOON, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// We listen, they connect, and so does another context of ours; nobody else is heard.
fn contexts() -> (Context, Context, ZContext) {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let domain = 100 + std::process::id() % 100;
    let endpoint = format!("tcp/127.0.0.1:{port}");
    let here = format!("[{endpoint:?}]");
    let ours = |listen: &str, connect: &str| {
        let builder = Context::builder().domain_id(domain).local_discovery(false);
        builder
            .zenoh_setting("listen/endpoints", listen)
            .zenoh_setting("connect/endpoints", connect)
            .build()
            .unwrap()
    };
    let (first, second) = (ours(&here, "[]"), ours("[]", &here));
    let theirs = ZContextBuilder::default()
        .with_domain_id(domain as usize)
        .disable_multicast_scouting()
        .with_connect_endpoints([endpoint])
        .build();
    (first, second, theirs.unwrap())
}

fn texts_from_us(node: &Node, theirs: &ZNode) {
    let subscription = theirs
        .create_sub::<TheirText>("/from_us")
        .with_qos(their_qos())
        .build()
        .unwrap();
    let publisher = node
        .create_publisher::<Text>("/from_us", QosProfile::default().keep_all())
        .unwrap();
    assert!(publisher.wait_for_subscription(SOON));
    for number in 0..TEXTS {
        publisher
            .publish(&Text {
                data: format!("häll\u{f6} {number}"),
            })
            .unwrap();
    }
    for number in 0..TEXTS {
        let received = subscription.recv_timeout(SOON).unwrap();
        assert_eq!(received.data, format!("häll\u{f6} {number}"));
    }
    println!("| `std_msgs/String`, ours → hiroz | {TEXTS} of {TEXTS}, in order, equal |");
}

fn texts_to_us(node: &Node, theirs: &ZNode) {
    let subscription = node
        .create_subscription::<Text>("/to_us", QosProfile::default().keep_all())
        .unwrap();
    let publisher = theirs
        .create_pub::<TheirText>("/to_us")
        .with_qos(their_qos())
        .build()
        .unwrap();
    assert!(subscription.wait_for_publisher(SOON));
    eventually("hiroz knows our subscription", || {
        theirs.graph().count(EndpointKind::Subscription, "/to_us") == 1
    });
    // Its session may know the token a moment before the subscriber.
    thread::sleep(Duration::from_millis(300));
    for number in 0..TEXTS {
        publisher
            .publish(&TheirText {
                data: format!("häll\u{f6} {number}"),
            })
            .unwrap();
    }
    for number in 0..TEXTS {
        let received = subscription.recv_timeout(SOON).unwrap().expect("a message");
        assert_eq!(received.message.data, format!("häll\u{f6} {number}"));
        // C++ counts from 1.
        assert_eq!(
            received.info.publication_sequence_number,
            Some(number as i64)
        );
        assert!(received.info.publisher_gid.is_some() && received.info.source_timestamp.is_some());
    }
    let stats = subscription.stats();
    assert_eq!((stats.lost, stats.without_source), (0, 0));
    println!(
        "| `std_msgs/String`, hiroz → ours | {TEXTS} of {TEXTS}, in order, equal; sequence numbers from 0, times, GIDs |"
    );
}

fn pixels(number: usize) -> Vec<u8> {
    (0..BYTES).map(|at| (at * 31 + number) as u8).collect()
}

/// Beside one of ours in another context, which takes them where they lie.
fn images_from_us(node: &Node, theirs: &ZNode, other: &Node) {
    let subscription = theirs
        .create_sub::<TheirImage>("/image_from_us")
        .with_qos(their_qos())
        .build()
        .unwrap();
    let qos = QosProfile::default().keep_all();
    let beside = other
        .create_subscription::<Image>("/image_from_us", qos)
        .unwrap();
    let publisher = node
        .create_publisher::<Image>("/image_from_us", qos)
        .unwrap();
    eventually("both are known", || publisher.subscription_count() == 2);
    assert!(publisher.wait_for_backend("shm", SOON));
    // Zenoh may know the token a moment before the channel.
    thread::sleep(Duration::from_millis(300));
    let shm = ShmBackend::shared().unwrap();
    for number in 0..IMAGES {
        let mut block = shm.allocate(BYTES, SOON).unwrap();
        block.copy_from_slice(&pixels(number));
        let image = Image {
            width: number as u32,
            encoding: "mono8".to_owned(),
            data: block.into_buffer(),
            ..Image::default()
        };
        publisher.publish(&image).unwrap();
    }
    for number in 0..IMAGES {
        let received = subscription.recv_timeout(SOON).unwrap();
        assert_eq!(
            (received.width as usize, received.encoding.as_str()),
            (number, "mono8")
        );
        assert!(
            hiroz_bytes(&received) == pixels(number),
            "image {number} differs"
        );
        let ours = beside
            .recv_timeout(SOON)
            .unwrap()
            .expect("an image")
            .message;
        assert_eq!(
            (ours.width as usize, ours.data.backend_type()),
            (number, "shm")
        );
    }
    let said = node.graph().subscriptions_info_by_topic("/image_from_us");
    let backends: Vec<_> = said
        .iter()
        .find(|info| info.node_name == "theirs")
        .unwrap()
        .backends
        .iter()
        .flatten()
        .map(|backend| &backend.name)
        .collect();
    let stats = publisher.stats();
    assert_eq!(
        (
            stats.described["shm"],
            stats.fallbacks.get(&Fallback::NotAccepted)
        ),
        (IMAGES as u64, Some(&(IMAGES as u64))),
        "{stats:?}"
    );
    println!(
        "| `sensor_msgs/Image` of 1 MiB in shared memory, ours → hiroz and one of ours | {IMAGES} of {IMAGES}, equal, as bytes for hiroz, which tells of the backends {backends:?}; in shared memory for ours |"
    );
}

fn hiroz_bytes(image: &TheirImage) -> Vec<u8> {
    image
        .data
        .zslices()
        .flat_map(|slice| slice.as_slice().to_vec())
        .collect()
}

fn images_to_us(node: &Node, theirs: &ZNode) {
    let subscription = node
        .create_subscription::<Image>("/image_to_us", QosProfile::default().keep_all())
        .unwrap();
    let publisher = theirs
        .create_pub::<TheirImage>("/image_to_us")
        .with_qos(their_qos())
        .build()
        .unwrap();
    assert!(subscription.wait_for_publisher(SOON));
    eventually("hiroz knows our subscription", || {
        theirs
            .graph()
            .count(EndpointKind::Subscription, "/image_to_us")
            == 1
    });
    thread::sleep(Duration::from_millis(300));
    for number in 0..IMAGES {
        let image = TheirImage {
            width: number as u32,
            encoding: "mono8".to_owned(),
            data: pixels(number).into(),
            ..Default::default()
        };
        publisher.publish(&image).unwrap();
    }
    for number in 0..IMAGES {
        let received = subscription
            .recv_timeout(SOON)
            .unwrap()
            .expect("an image")
            .message;
        assert_eq!(
            (received.width as usize, received.encoding.as_str()),
            (number, "mono8")
        );
        assert!(received.data == pixels(number), "image {number} differs");
    }
    println!("| `sensor_msgs/Image` of 1 MiB, hiroz → ours | {IMAGES} of {IMAGES}, equal |");
}

fn our_service(node: &Node, theirs: &ZNode, runtime: &tokio::runtime::Runtime) {
    let service =
        node.create_service::<AddTwoInts>("add", QosProfile::services_default(), |request, _| {
            AddTwoInts_Response {
                sum: request.a + request.b,
            }
        });
    let _service = service.unwrap();
    let client = theirs
        .create_client::<TheirAddTwoInts>("/left/add")
        .build()
        .unwrap();
    eventually("hiroz knows our service", || {
        theirs
            .graph()
            .count_by_service(EndpointKind::Service, "/left/add")
            == 1
    });
    thread::sleep(Duration::from_millis(300));
    for number in 0..CALLS {
        let request = AddTwoIntsRequest {
            a: number,
            b: -3 * number,
        };
        let response = runtime
            .block_on(client.call_with_timeout(&request, SOON))
            .unwrap();
        assert_eq!(response.sum, -2 * number);
    }
    println!("| `AddTwoInts`, their client, our server | {CALLS} of {CALLS} answered rightly |");
}

fn their_service(node: &Node, theirs: &ZNode) {
    let mut service = theirs
        .create_service::<TheirAddTwoInts>("/right/add")
        .build()
        .unwrap();
    let server = thread::spawn(move || {
        for _ in 0..CALLS {
            let request = service.take_request().unwrap();
            let sum = request.message().a + request.message().b;
            request.reply_blocking(&AddTwoIntsResponse { sum }).unwrap();
        }
    });
    let client = node
        .create_client::<AddTwoInts>("/right/add", QosProfile::services_default())
        .unwrap();
    assert!(client.wait_for_service(SOON));
    for number in 0..CALLS {
        let request = AddTwoInts_Request {
            a: number,
            b: -3 * number,
        };
        assert_eq!(client.call(&request, SOON).unwrap().sum, -2 * number);
    }
    server.join().unwrap();
    println!("| `AddTwoInts`, our client, their server | {CALLS} of {CALLS} answered rightly |");
}

fn graphs(node: &Node, theirs: &ZNode) {
    let qos = QosProfile::default().keep_last(7);
    let publisher = node.create_publisher::<Text>("seen", qos).unwrap();
    let subscription = theirs.create_sub::<TheirText>("/seen").build().unwrap();
    let graph = theirs.graph();
    eventually("hiroz sees our publisher", || {
        graph.count(EndpointKind::Publisher, "/left/seen") == 1
    });
    assert!(
        graph
            .get_node_names()
            .contains(&("ours".to_owned(), "/left".to_owned()))
    );
    let topics = graph.get_topic_names_and_types();
    let (_, type_name) = topics
        .iter()
        .find(|(name, _)| name == "/left/seen")
        .unwrap();
    assert!(
        type_name.contains("std_msgs") && type_name.contains("String"),
        "{type_name}"
    );
    drop(publisher);
    eventually("hiroz sees that it is gone", || {
        graph.count(EndpointKind::Publisher, "/left/seen") == 0
    });
    println!(
        "| their graph | our node, topic and type (`{type_name}`) are there, and gone when the publisher is |"
    );

    let graph = node.graph();
    eventually("we see their subscription", || {
        graph.count_subscriptions("/seen") == 1
    });
    assert!(
        graph
            .node_names()
            .iter()
            .any(|node| node.fully_qualified_name() == "/right/theirs")
    );
    let infos = graph.subscriptions_info_by_topic("/seen");
    let [info] = &infos[..] else {
        panic!("{infos:?}")
    };
    assert_eq!(
        (info.node_name.as_str(), info.node_namespace.as_str()),
        ("theirs", "/right")
    );
    assert_eq!(info.topic_type, "std_msgs/msg/String");
    assert_eq!(info.topic_type_hash, Text::type_hash().to_string());
    let services = graph.service_names_and_types();
    let parameters = services
        .iter()
        .filter(|(name, _)| name.starts_with("/right/theirs/"))
        .count();
    drop(subscription);
    eventually("we see that it is gone", || {
        graph.count_subscriptions("/seen") == 0
    });
    assert_eq!(
        graph.ignored().total(),
        0,
        "every token of theirs is understood"
    );
    println!(
        "| our graph | their node, subscription, type, hash and {parameters} services of the node's own are there, no token was malformed; gone when the subscription is |"
    );
}

/// Nothing may fall out of a queue.
fn their_qos() -> TheirQos {
    TheirQos {
        history: QosHistory::KeepAll,
        ..TheirQos::default()
    }
}

fn main() {
    // Theirs takes its timers from the runtime around it.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let (ours, second, theirs) = contexts();
    let other = second.create_node("other").unwrap();
    let node = ours
        .node_builder("ours")
        .namespace("/left")
        .build()
        .unwrap();
    let their_node = theirs
        .create_node("theirs")
        .with_namespace("/right")
        .build()
        .unwrap();
    println!("| what | result |\n|---|---|");
    texts_from_us(&node, &their_node);
    texts_to_us(&node, &their_node);
    images_from_us(&node, &their_node, &other);
    images_to_us(&node, &their_node);
    our_service(&node, &their_node, &runtime);
    their_service(&node, &their_node);
    graphs(&node, &their_node);
}
