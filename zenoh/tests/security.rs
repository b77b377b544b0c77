//! The configurations and commands of `docs/security.md`, as they stand there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{fs, path::PathBuf, time::Duration};

use common::{SOON, Text, domain, eventually, foreign_session, free_port, text, watch};
use rosidl_buffer_runtime::Message as _;
use rosidl_buffer_zenoh::{
    Context, DiscoveryRange, QosProfile,
    key::TopicKey,
    zenoh::{Wait as _, qos::CongestionControl},
};

/// The block of the page that begins with a comment of this name, written into a folder of this run.
fn from_the_page(name: &str, folder: &str, changes: &[(&str, String)]) -> PathBuf {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md");
    let page = fs::read_to_string(page).unwrap();
    let mut blocks = page.split("```json5\n// ").skip(1);
    let mut block = blocks
        .find_map(|block| block.split("```").next()?.strip_prefix(name))
        .expect("the block is on the page")
        .to_owned();
    for (before, after) in changes {
        assert!(block.contains(before), "{before}");
        block = block.replace(before, after);
    }
    let folder = std::env::temp_dir().join(format!("{folder}_{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    fs::write(&file, block).unwrap();
    file
}

#[test]
fn access_control_lets_others_see_one_topic_and_publish_nothing() {
    let domain = domain(1);
    let port = free_port();
    let changes = [
        ("7450", port.to_string()),
        ("@ros2_lv/7/", format!("@ros2_lv/{domain}/")),
        ("\"7/", format!("\"{domain}/")),
    ];
    let file = from_the_page("camera.json5", "rosidl_buffer_zenoh_access", &changes);
    let context = Context::builder()
        .domain_id(domain)
        .zenoh_config_file(file.to_str().unwrap())
        .build()
        .unwrap();
    let node = context.create_node("camera").unwrap();
    let qos = QosProfile::default();
    let image = node.create_publisher::<Text>("camera/image", qos).unwrap();
    let secret = node.create_publisher::<Text>("secret", qos).unwrap();
    let ours = node
        .create_subscription::<Text>("camera/image", qos)
        .unwrap();

    let foreign = foreign_session("peer", None, Some(port));
    let key = |topic| {
        let hash = Text::type_hash().to_string();
        TopicKey::new(domain, topic, Text::TYPE_NAME, &hash).to_string()
    };
    let (images, secrets) = (
        watch(&foreign, &key("/camera/image")),
        watch(&foreign, &key("/secret")),
    );
    let tokens = || {
        let key = format!("@ros2_lv/{domain}/**");
        foreign
            .liveliness()
            .get(key)
            .wait()
            .unwrap()
            .into_iter()
            .count()
    };
    eventually("the graph is seen", || tokens() >= 4);
    eventually("the image arrives", || {
        secret.publish(&text("secret")).unwrap();
        image.publish(&text("image")).unwrap();
        images.recv_timeout(Duration::from_millis(50)).is_ok()
    });
    assert!(
        secrets.try_recv().is_err(),
        "what comes before the image did not pass"
    );

    let writer = foreign.declare_publisher(key("/camera/image"));
    let writer = writer
        .congestion_control(CongestionControl::Block)
        .wait()
        .unwrap();
    let payload = rosidl_buffer_runtime::cdr::encode(&text("forged")).unwrap();
    writer.put(payload).wait().unwrap();
    // A token behind it on the same link says when it would have been there.
    let token = format!("@ros2_lv/{domain}/{}/0/0/NN/%/%/other", foreign.zid());
    let _token = foreign.liveliness().declare_token(token).wait().unwrap();
    let graph = node.graph();
    eventually("the token is there", || graph.node_names().len() == 2);
    while let Some(received) = ours.try_recv().unwrap() {
        assert_eq!(received.message.data, "image");
    }
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
}

#[test]
fn who_is_off_finds_nobody_and_is_not_found() {
    let domain = domain(2);
    let off = Context::builder()
        .domain_id(domain)
        .discovery_range(DiscoveryRange::Off);
    let off = off.build().unwrap();
    let here = Context::builder()
        .domain_id(domain)
        .zenoh_setting("connect/endpoints", "[]")
        .build()
        .unwrap();
    let locators = off.zenoh_session().info().locators().wait();
    assert_eq!(locators, [], "it listens nowhere");
    let node = off.create_node("hermit").unwrap();
    let publisher = node
        .create_publisher::<Text>("t", QosProfile::default())
        .unwrap();
    let subscription = node
        .create_subscription::<Text>("t", QosProfile::default())
        .unwrap();
    assert!(subscription.wait_for_publisher(SOON) && publisher.wait_for_subscription(SOON));
    publisher.publish(&text("to myself")).unwrap();
    assert!(subscription.recv_timeout(SOON).unwrap().is_some());
    let there = here.create_node("there").unwrap();
    assert!(
        !there
            .graph()
            .node_names()
            .iter()
            .any(|node| node.name == "hermit")
    );
}

#[test]
fn a_static_peer_is_connected_to() {
    let domain = domain(3);
    let port = free_port();
    let settled = |builder: rosidl_buffer_zenoh::ContextBuilder| {
        builder.domain_id(domain).local_discovery(false)
    };
    let listening = settled(Context::builder())
        .zenoh_setting("connect/endpoints", "[]")
        .zenoh_setting("listen/endpoints", format!("['tcp/127.0.0.1:{port}']"))
        .build()
        .unwrap();
    let connecting = settled(Context::builder())
        .static_peers([format!("127.0.0.1:{port}")])
        .build()
        .unwrap();
    let _there = listening.create_node("there").unwrap();
    let here = connecting.create_node("here").unwrap();
    let graph = here.graph();
    eventually("they see each other", || graph.node_names().len() == 2);
}

/// With `--features tls`, and `openssl` on this machine.
#[test]
#[cfg(feature = "tls")]
fn tls_lets_in_who_has_a_certificate_and_nobody_else() {
    let domain = domain(4);
    let port = free_port();
    let changes = [("7448", port.to_string())];
    let folder = "rosidl_buffer_zenoh_tls";
    let robot = from_the_page("robot.json5", folder, &changes);
    let viewer = from_the_page("viewer.json5", folder, &changes);
    let folder = robot.parent().unwrap();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md");
    let page = fs::read_to_string(page).unwrap();
    let commands = page
        .split("```sh\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let made = std::process::Command::new("sh")
        .args(["-ec", commands])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let open = |file: &PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        let absolute = ["authority", "robot", "viewer"]
            .iter()
            .fold(text, |text, name| {
                text.replace(
                    &format!("\"{name}."),
                    &format!("\"{}/{name}.", folder.display()),
                )
            });
        fs::write(file, absolute).unwrap();
        let builder = Context::builder().domain_id(domain);
        builder
            .zenoh_config_file(file.to_str().unwrap())
            .build()
            .unwrap()
    };
    let robot = open(&robot).create_node("robot").unwrap();
    // They knock at the same door, both before the publication; one has no certificate.
    let stranger = Context::builder()
        .domain_id(domain)
        .local_discovery(false)
        .zenoh_setting("connect/endpoints", format!("['tls/localhost:{port}']"))
        .build();
    let stranger = stranger.map(|context| context.create_node("stranger").unwrap());
    let viewer = open(&viewer).create_node("viewer").unwrap();
    let publisher = robot
        .create_publisher::<Text>("t", QosProfile::default())
        .unwrap();
    let subscription = viewer
        .create_subscription::<Text>("t", QosProfile::default())
        .unwrap();
    assert!(publisher.wait_for_subscription(SOON));
    publisher.publish(&text("hello")).unwrap();
    assert_eq!(
        subscription
            .recv_timeout(SOON)
            .unwrap()
            .unwrap()
            .message
            .data,
        "hello"
    );
    let graph = viewer.graph();
    eventually("the viewer sees the robot", || {
        graph.node_names().len() == 2
    });
    if let Ok(stranger) = stranger {
        let graph = stranger.graph();
        assert!(
            graph
                .node_names()
                .iter()
                .all(|node| node.name == "stranger")
        );
        assert_eq!(robot.graph().node_names().len(), 2);
    }
    fs::remove_dir_all(folder).unwrap();
}
