use super::{
    endpoints::{MAX_PER_TOPIC, MAX_TYPES},
    limits::{MAX_NAMES, MAX_TOKEN_LEN},
    state::{News, State},
    watch::{Change, Watched},
};
use crate::{
    key::{EntityKind, TopicKey},
    qos::{QosPolicy, QosProfile},
};

fn token(session: &str, kind: &str, topic: &str, hash: &str) -> String {
    format!(
        "@ros2_lv/0/{session}/0/1/{kind}/%/%/n/%{topic}/std_msgs::msg::dds_::String_/{hash}/::,:,:,:,,"
    )
}

fn key(topic: &str) -> TopicKey {
    TopicKey::new(0, topic, "std_msgs/msg/String", "h")
}

/// The session `a` is ours.
fn add(state: &mut State, text: &str) -> News {
    if text.contains("/0/a/") {
        state.insert_own(text)
    } else {
        state.insert(text)
    }
}

fn take_out(state: &mut State, text: &str) -> News {
    if text.contains("/0/a/") {
        state.remove_own(text)
    } else {
        state.remove(text)
    }
}

fn readers(state: &State, topic: &str) -> Option<usize> {
    let key = key(topic);
    state.readers(&key).map(Iterator::count)
}

fn state() -> State {
    State::new(0, "a".to_owned())
}

#[test]
fn endpoints_come_and_go() {
    let mut state = state();
    let texts = [
        token("a", "MP", "chatter", "h"),
        token("b", "MP", "chatter", "h"),
        token("b", "MP", "chatter", "other"),
        token("b", "MP", "elsewhere", "h"),
        token("b", "MS", "chatter", "h"),
        token("b", "SS", "chatter", "h"),
        token("b", "SC", "chatter", "h"),
        "@ros2_lv/0/b/0/0/NN/%/%/n".to_owned(),
    ];
    for text in &texts {
        assert!(add(&mut state, text).changed);
        assert!(!add(&mut state, text).changed, "it is there already");
    }
    for (kind, count) in [
        (EntityKind::Publisher, 2),
        (EntityKind::Subscription, 1),
        (EntityKind::Service, 1),
        (EntityKind::Client, 1),
    ] {
        assert_eq!(state.count(kind, &key("/chatter")), count, "{kind:?}");
    }
    assert_eq!((state.nodes.len(), state.services.len()), (1, 1));
    state.insert("@ros2_lv/0/x/nonsense");
    state.remove("@ros2_lv/0/x/nonsense");
    assert_eq!(state.ignored.malformed, 1);
    assert!(readers(&state, "/chatter").is_some());
    // In our name, by somebody else: neither takes anything away nor adds anything.
    assert!(!state.remove(&texts[0]).changed && !state.insert(&texts[0]).changed);
    assert_eq!(state.ignored.not_ours, 0);
    assert!(!state.insert(&token("a", "MP", "lie", "h")).changed);
    assert_eq!(state.ignored.not_ours, 1);
    for text in &texts {
        assert!(take_out(&mut state, text).changed);
        assert!(!take_out(&mut state, text).changed, "it is gone already");
    }
    assert!(state.is_empty());
}

#[test]
fn what_is_one_too_many_is_counted_and_a_subscription_makes_its_topic_incomplete() {
    let mut state = state();
    for number in 0..MAX_PER_TOPIC {
        state.insert(&token(&format!("b{number}"), "MS", "full", "h"));
    }
    assert_eq!(readers(&state, "/full"), Some(MAX_PER_TOPIC));
    let one_more = token("c", "MS", "full", "h");
    let news = state.insert(&one_more);
    assert!(news.subscriptions_changed && !news.changed && !news.warnings.is_empty());
    assert_eq!(readers(&state, "/full"), None);
    assert!(!state.remove(&one_more).changed);
    assert_eq!(readers(&state, "/full"), None);
    // Whoever fills a topic leaves room for what is ours.
    assert!(state.insert_own(&token("a", "MS", "full", "h")).changed);
    assert_eq!(state.ignored.beyond_limits, 1);

    for number in 0..=MAX_TYPES {
        state.insert(&token("b", "MP", "types", &format!("h{number}")));
    }
    assert_eq!(state.ignored.beyond_limits, 2);
    assert_eq!(readers(&state, "/types"), Some(0));
}

#[test]
fn a_subscription_that_cannot_be_read_makes_its_topic_incomplete() {
    let mut state = state();
    let bad_qos = token("b", "MS", "chatter", "h").replace("::,", "9::,");
    assert!(state.insert(&bad_qos).subscriptions_changed);
    assert_eq!(readers(&state, "/chatter"), None);
    let bad_publisher = token("b", "MP", "elsewhere", "h").replace("::,", "9::,");
    assert!(!state.insert(&bad_publisher).subscriptions_changed);
    assert_eq!(readers(&state, "/elsewhere"), Some(0));
    let known = token("b", "MS", "elsewhere", "h");
    assert!(state.insert(&known).subscriptions_changed);
    assert_eq!(readers(&state, "/elsewhere"), Some(1));
    assert!(state.remove(&known).subscriptions_changed);
    assert!(!state.remove(&known).subscriptions_changed);

    let long = token("b", "MS", "long", &"h".repeat(MAX_TOKEN_LEN));
    let news = state.insert(&long);
    assert!(news.subscriptions_changed && news.warnings[0].len() < 1000);
    assert_eq!(readers(&state, "/long"), None);
    assert_eq!((state.ignored.malformed, state.ignored.too_long), (2, 1));
    // No publisher of ours has such a name.
    let name = "n".repeat(MAX_TOKEN_LEN);
    assert!(
        !state
            .insert(&token("b", "MS", &name, "h"))
            .subscriptions_changed
    );
}

#[test]
fn there_is_an_end_to_topics_and_to_bytes() {
    let mut state = state();
    for number in 0..=MAX_NAMES {
        state.insert(&token("b", "MS", &format!("t{number}"), "h"));
    }
    assert_eq!(state.topics.len(), MAX_NAMES);
    assert_eq!(readers(&state, &format!("/t{MAX_NAMES}")), None);
    assert_eq!(readers(&state, "/t0"), Some(1));

    for number in 0..=MAX_NAMES {
        state.insert(&format!("@ros2_lv/0/b/{number}/0/NN/%/%/n"));
    }
    assert_eq!(state.nodes.len(), MAX_NAMES);
    assert_eq!(state.ignored.beyond_limits, 2);
    state.nodes.clear();

    let long = "x".repeat(MAX_TOKEN_LEN - 100);
    let number = (0..20_000).find(|number| {
        let node = format!("@ros2_lv/0/b/{number}/0/NN/%/%/{long}");
        !state.insert(&node).changed
    });
    assert!(number.is_some(), "there is no end");
    assert!(state.insert_own("@ros2_lv/0/a/0/0/NN/%/%/ours").changed);
    assert_eq!(state.ignored.beyond_limits, 3);
}

#[test]
fn disagreeing_endpoints_are_reported_once_and_only_ours() {
    let ours = token("a", "MP", "chatter", "RIHS01_1");
    let theirs = token("b", "MS", "chatter", "RIHS01_2");
    let mut first = state();
    assert_eq!(first.insert_own(&ours).warnings, [""; 0]);
    let warnings = first.insert(&theirs).warnings;
    for part in [
        "/chatter",
        "std_msgs/msg/String",
        "RIHS01_1 but",
        "expects RIHS01_2",
    ] {
        assert!(warnings[0].contains(part), "{warnings:?}");
    }
    // Said once, whichever comes again.
    first.remove_own(&ours);
    assert_eq!(first.insert_own(&ours).warnings, [""; 0]);
    let mut other_order = state();
    other_order.insert(&theirs);
    assert_eq!(other_order.insert_own(&ours).warnings, warnings);
    let same = token("b", "MS", "chatter", "RIHS01_1");
    let publisher = token("b", "MP", "chatter", "RIHS01_2");
    for quiet in [same, publisher] {
        assert_eq!(other_order.insert(&quiet).warnings, [""; 0]);
    }
    let other_type = token("b", "MS", "chatter", "h").replace("String_", "Int8_");
    let warnings = other_order.insert(&other_type).warnings;
    assert!(warnings[0].contains("subscribes to std_msgs/msg/Int8"));

    let mut nobody = State::new(0, "c".to_owned());
    nobody.insert(&ours);
    assert_eq!(nobody.insert(&theirs).warnings, [""; 0]);
}

#[test]
fn what_does_not_suit_is_told_and_said() {
    let mut state = state();
    let late = token("b", "MS", "chatter", "h").replace("::,", ":1:,");
    state.insert_own(&token("a", "MP", "chatter", "h"));
    let warnings = state.insert(&late).warnings;
    assert!(warnings[0].contains("durability"), "{warnings:?}");
    let watched = Watched {
        kind: EntityKind::Publisher,
        dds_type: "std_msgs::msg::dds_::String_".to_owned(),
        type_hash: "h".to_owned(),
        qos: QosProfile::default(),
    };
    let came = Change::Matched { came: true };
    let unsuitable = Change::IncompatibleQos(QosPolicy::Durability);
    let there = state.topics.get("/chatter");
    assert_eq!(watched.all_changes(there), [came, unsuitable]);
    let number = state.change_watchers.insert(
        "/chatter".to_owned(),
        (watched, std::sync::Arc::new(|_| ())),
    );
    let changes = |state: &mut State, text: &str, comes: bool| -> Vec<Change> {
        let news = if comes {
            state.insert(text)
        } else {
            state.remove(text)
        };
        news.changes.iter().map(|(_, change)| *change).collect()
    };
    assert_eq!(
        changes(&mut state, &late, false),
        [Change::Matched { came: false }]
    );
    assert_eq!(changes(&mut state, &late, true), [came, unsuitable]);
    let other = token("b", "MS", "chatter", "other");
    assert_eq!(
        changes(&mut state, &other, true),
        [Change::IncompatibleType]
    );
    assert_eq!(changes(&mut state, &other, false), []);
    for not_opposite in ["MP", "SS"] {
        let other = token("c", not_opposite, "chatter", "h");
        assert_eq!(changes(&mut state, &other, true), []);
    }
    let gone = state.change_watchers.remove(&"/chatter".to_owned(), number);
    assert!(gone.is_some());
    assert_eq!(changes(&mut state, &late, false), []);
}
