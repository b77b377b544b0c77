//! What endpoints say of their memory, and whom they hear.

use rosidl_buffer_runtime::Message as _;
use rosidl_buffer_zenoh::{
    Error, QosProfile, SubscriptionOptions,
    zenoh::{Session, Wait as _},
};

use crate::{
    common::{
        Frame, SOON, Text, bare, builder, domain, eventually, foreign_and_ours_with,
        mailbox::Mailbox,
    },
    scene::accepting,
};

/// All tokens of a domain.
pub(crate) fn tokens(foreign: &Session, domain: u32) -> Vec<String> {
    let replies = foreign.liveliness().get(format!("@ros2_lv/{domain}/**"));
    let replies = replies.timeout(SOON).wait().unwrap();
    let key = |reply: rosidl_buffer_zenoh::zenoh::query::Reply| {
        reply.into_result().unwrap().key_expr().to_string()
    };
    replies.into_iter().map(key).collect()
}

#[test]
fn tokens_name_backends_as_ros_does() {
    let (domain, mailbox) = (domain(49), Mailbox::new());
    let (foreign, ours) = foreign_and_ours_with(domain, mailbox.registry());
    let node = bare(ours.node_builder("node")).build().unwrap();
    let escaped = "mailbox:house%3A1%3B50%25";
    let _publisher = node
        .create_publisher::<Frame>("frames", QosProfile::default())
        .unwrap();
    let _text = node
        .create_publisher::<Text>("text", QosProfile::default())
        .unwrap();
    let mut expected = vec![
        ("MP", "frames", format!("/backends:cpu:;{escaped}")),
        ("MP", "text", String::new()),
    ];
    let mut subscriptions = Vec::new();
    for (options, says) in [
        (SubscriptionOptions::default(), escaped),
        (accepting("any"), escaped),
        (accepting(" cpu ,\tmailbox,,mailbox"), escaped),
        (accepting("cpu"), "cpu:"),
        (accepting(" "), "cpu:"),
    ] {
        subscriptions.push(
            node.create_subscription::<Frame>("frames", options)
                .unwrap(),
        );
        expected.push(("MS", "frames", format!("/backends:{says}")));
    }
    let mut said = Vec::new();
    eventually("all tokens are there", || {
        said = tokens(&foreign, domain);
        said.len() == expected.len() + 1
    });
    for (kind, topic, tail) in expected {
        let at = said.iter().position(|token| {
            let rest = token.split_once(":,:,:,,");
            token.contains(&format!("/{kind}/"))
                && token.contains(&format!("/%{topic}/"))
                && rest.unwrap().1 == tail
        });
        said.swap_remove(at.unwrap_or_else(|| panic!("{kind} {topic} {tail:?} in {said:#?}")));
    }
    let error = node
        .create_subscription::<Frame>("frames", accepting("mailbox,cuda"))
        .unwrap_err();
    let text = error.to_string();
    for part in ["/frames", "\"mailbox,cuda\"", "\"cuda\"", "there [mailbox]"] {
        assert!(text.contains(part), "{text}");
    }
    // As in ROS: `any` is looked for first, and nobody asks where there are no buffers.
    let all = node.create_subscription::<Frame>("frames", accepting("cuda,any"));
    assert!(all.is_ok());
    let text = node.create_subscription::<Text>("text", accepting("cuda"));
    assert!(text.is_ok());
}

#[test]
fn subscriptions_tell_the_backend_of_publishers_of_their_topic_and_nobody_else() {
    let (domain, mailbox) = (domain(52), Mailbox::new());
    let (foreign, ours) = foreign_and_ours_with(domain, mailbox.registry());
    let node = ours.create_node("node").unwrap();
    let hash = Frame::type_hash();
    let declare = |id: u32, kind: &str, topic: &str, hash: &str, address: &str| {
        let token = format!(
            "@ros2_lv/{domain}/{}/0/{id}/{kind}/%/%/other/%{topic}/demo_msgs::msg::dds_::Frame_/{hash}/::,:,:,:,,/backends:cpu:;cuda:x;mailbox:{address}",
            foreign.zid(),
        );
        std::mem::forget(foreign.liveliness().declare_token(token).wait().unwrap());
    };
    let hash = hash.to_string();
    declare(1, "MP", "frames", &hash, "before");
    let publishers = || {
        node.create_subscription::<Frame>("frames", accepting("cpu"))
            .unwrap()
    };
    let bytes_only = publishers();
    assert!(bytes_only.wait_for_publisher(SOON));
    let subscription = node
        .create_subscription::<Frame>("frames", QosProfile::default())
        .unwrap();
    declare(2, "MS", "frames", &hash, "a%2Fsubscription");
    declare(3, "MP", "other", &hash, "another%2Ftopic");
    declare(4, "MP", "frames", "RIHS01_00", "another%2Ftype");
    declare(5, "MP", "frames", &hash, "after");
    eventually("both publishers are known", || {
        subscription.publisher_count() == 2
    });
    let mut discovered: Vec<String> = Vec::new();
    eventually("the backend was told", || {
        discovered = mailbox.discovered.lock().unwrap().iter().cloned().collect();
        discovered.sort();
        discovered.len() >= 2
    });
    assert_eq!(discovered, ["after", "before"]);
    drop(subscription);
    declare(6, "MP", "frames", &hash, "too%2Flate");
    eventually("it is known", || bytes_only.publisher_count() == 3);
    assert!(!mailbox.discovered.lock().unwrap().contains("too/late"));
}

#[test]
fn metadata_that_would_break_a_key_is_refused() {
    let mailbox = Mailbox::at("house*1");
    let context = builder(domain(55)).backends(mailbox.registry());
    let node = context.build().unwrap().create_node("node").unwrap();
    let qos = QosProfile::default();
    let error = node.create_publisher::<Frame>("frames", qos).unwrap_err();
    assert!(matches!(error, Error::BackendMetadata { .. }), "{error}");
    assert!(error.to_string().contains("\"house*1\""), "{error}");
    let bytes_only = node.create_subscription::<Frame>("frames", accepting("cpu"));
    assert!(bytes_only.is_ok());
    assert!(node.create_publisher::<Text>("text", qos).is_ok());
}
