//! Waiting for several things at a time, by wait sets and by futures, and what is left of those that were given up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    pin::pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use common::{SOON, Text, bare, block_on, builder, domain, text};
use rosidl_buffer_interfaces::rcl_interfaces::srv::{
    ListParameters, ListParameters_Request, ListParameters_Response,
};
use rosidl_buffer_zenoh::{
    Error, Event, GuardCondition, Node, QosProfile, WaitSet, zenoh::Wait as _,
};

const QOS: QosProfile = QosProfile::system_default();

fn node(test: u32) -> Node {
    let context = builder(domain(test)).build().unwrap();
    bare(context.node_builder("node")).build().unwrap()
}

#[test]
fn a_wait_set_tells_which_subscriptions_have_something() {
    let node = node(0);
    let qos = QosProfile::default();
    let publishers = ["a", "b"].map(|topic| node.create_publisher(topic, qos).unwrap());
    let subscriptions = ["a", "b"].map(|topic| {
        let subscription = node.create_subscription::<Text>(topic, qos);
        subscription.unwrap()
    });
    let guard = GuardCondition::new();
    let mut set = WaitSet::new();
    let keys = subscriptions.each_ref().map(|it| set.add(it));
    let stop = set.add(&guard);
    assert_eq!(set.wait(Duration::from_millis(1)), []);
    publishers[1].publish(&text("b")).unwrap();
    assert_eq!(set.wait(Duration::ZERO), [keys[1]]);
    assert_eq!(set.wait(SOON), [keys[1]], "until it is taken");
    assert_eq!(
        subscriptions[1].try_recv().unwrap().unwrap().message,
        text("b")
    );
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| set.wait(3 * SOON));
        publishers[0].publish(&text("a")).unwrap();
        assert_eq!(waiting.join().unwrap(), [keys[0]]);
        assert!(subscriptions[0].try_recv().unwrap().is_some());
    });
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| set.wait(3 * SOON));
        guard.trigger();
        assert_eq!(waiting.join().unwrap(), [stop]);
    });
    let [one, _two] = subscriptions;
    drop(one);
    publishers[0].publish(&text("a")).unwrap();
    assert_eq!(set.wait(Duration::from_millis(1)), []);
    node.context().zenoh_session().close().wait().unwrap();
    assert_eq!(
        set.wait(SOON),
        [keys[1]],
        "who looks is told that it is closed"
    );
}

#[test]
fn a_wait_set_tells_of_events_and_all_that_waits_ends_with_the_session() {
    let node = node(1);
    let publisher = node.create_publisher::<Text>("chatter", QOS).unwrap();
    let [events, others] = [(); 2].map(|()| publisher.events());
    let mut set = WaitSet::new();
    let key = set.add(&events);
    assert_eq!(set.wait(Duration::ZERO), []);
    let subscription = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| set.wait(3 * SOON));
        let subscription = node.create_subscription::<Text>("chatter", QOS).unwrap();
        assert_eq!(waiting.join().unwrap(), [key]);
        subscription
    });
    let matched = |event| matches!(event, Ok(Some(Event::Matched(_))));
    assert!(matched(events.try_recv()));
    assert_eq!(set.wait(Duration::ZERO), []);

    let losses = subscription.events();
    assert!(matched(losses.try_recv()));
    let callback = publisher.on_event(|_| ()).unwrap();
    std::thread::scope(|scope| {
        let blocking = scope.spawn(|| losses.recv_timeout(3 * SOON));
        let waiting = scope.spawn(|| set.wait(3 * SOON));
        node.context().zenoh_session().close().wait().unwrap();
        assert!(matches!(
            blocking.join().unwrap(),
            Err(Error::Closed { topic }) if topic == "/chatter"
        ));
        assert_eq!(waiting.join().unwrap(), [key]);
    });
    assert!(matches!(events.try_recv(), Err(Error::Closed { .. })));
    assert!(matched(others.recv_timeout(SOON)), "what waits comes first");
    let closed = block_on(others.recv_async());
    assert!(matches!(closed, Err(Error::Closed { .. })));
    let late = publisher.events();
    assert!(matched(late.try_recv()));
    assert!(matches!(late.try_recv(), Err(Error::Closed { .. })));
    drop(callback);
}

/// A task of which one can tell whether anybody would still wake it.
struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

/// Polls the future once, as a task of its own, and gives it up.
fn give_up<F: Future>(future: F) -> Weak<Task> {
    let task = Arc::new(Task);
    let waker = Waker::from(Arc::clone(&task));
    let mut future = pin!(future);
    let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    drop(waker);
    assert_eq!(Arc::strong_count(&task), 2, "it waits to be woken");
    Arc::downgrade(&task)
}

#[test]
fn futures_that_are_given_up_leave_nothing_behind() {
    let node = node(2);
    let subscription = node.create_subscription::<Text>("chatter", QOS).unwrap();
    let service = node
        .create_polled_service::<ListParameters>("list", QOS)
        .unwrap();
    let client = node.create_client::<ListParameters>("list", QOS).unwrap();
    let (events, graph) = (subscription.events(), node.graph());
    assert!(client.wait_for_service(SOON));
    // Held, so that its request is there and never answered.
    let call = client.call_async(&ListParameters_Request::default());
    let asked = service.recv_timeout(SOON).unwrap().unwrap();
    for _ in 0..100 {
        for task in [
            give_up(subscription.recv_async()),
            give_up(service.recv_async()),
            give_up(events.recv_async()),
            give_up(graph.changed(graph.revision())),
        ] {
            assert_eq!(task.strong_count(), 0);
        }
    }
    let unanswered = client.call_async(&ListParameters_Request::default());
    let asked_again = service.recv_timeout(SOON).unwrap().unwrap();
    assert_eq!(give_up(unanswered).strong_count(), 0);
    asked_again
        .responder
        .respond(&ListParameters_Response::default())
        .unwrap();
    asked
        .responder
        .respond(&ListParameters_Response::default())
        .unwrap();
    call.wait().unwrap();
}

#[test]
fn of_two_futures_of_one_task_one_is_given_up_and_the_other_is_woken() {
    let node = node(3);
    let publisher = node.create_publisher::<Text>("chatter", QOS).unwrap();
    let subscription = node.create_subscription::<Text>("chatter", QOS).unwrap();
    let mut given_up = Some(Box::pin(subscription.recv_async()));
    let mut stays = Box::pin(subscription.recv_async());
    let received = block_on(std::future::poll_fn(|context| {
        if let Some(future) = &mut given_up {
            assert!(future.as_mut().poll(context).is_pending());
            assert!(stays.as_mut().poll(context).is_pending());
            given_up = None;
            publisher.publish(&text("hello")).unwrap();
            return Poll::Pending;
        }
        stays.as_mut().poll(context)
    }));
    assert_eq!(received.unwrap().message, text("hello"));
}
