//! What a subscription does with what comes: descriptors at once, bytes when they are taken, nonsense never.

use std::sync::{Arc, atomic::Ordering};

use rosidl_buffer_zenoh::{QosProfile, key::Channel, zenoh::Wait as _};

use crate::{
    common::{Frame, eventually},
    scene::{Scene, accepting, frame, is_descriptor, next},
};

#[test]
fn descriptors_are_read_on_the_own_channel_only() {
    let scene = Scene::new(46);
    let memory = scene.subscribe(accepting("any"));
    let bytes = scene.subscribe(accepting("cpu"));
    scene.publisher.publish(&frame(1)).unwrap();
    let passed = scene.passed();
    let (_, descriptor) = passed
        .iter()
        .find(|(_, payload)| is_descriptor(payload))
        .unwrap();
    assert_eq!((next(&memory), next(&bytes)), (frame(1), frame(1)));

    for channel in [Channel::Base, Channel::Cpu] {
        let put = scene.foreign.put(scene.on(channel), descriptor.clone());
        put.wait().unwrap();
    }
    eventually("all have arrived", || {
        (memory.stats().received, bytes.stats().received) == (2, 3)
    });
    for subscription in [&memory, &bytes] {
        assert!(subscription.try_recv().unwrap().is_none());
        assert_eq!(subscription.stats().buffers_lost, 0);
    }
    assert_eq!(
        (memory.stats().undecodable, bytes.stats().undecodable),
        (1, 2)
    );

    // On its channel it is read, and too late: that is another thing, and counted as such.
    let own = scene.on(Channel::Buffer(memory.gid()));
    scene.foreign.put(&own, descriptor.clone()).wait().unwrap();
    eventually("the loss is counted", || memory.stats().buffers_lost == 1);
    let stats = memory.stats();
    assert!(
        stats.last_buffer_loss.unwrap().contains("Frame.data"),
        "it says which field"
    );
    assert_eq!(stats.undecodable, 1);
    scene.foreign.put(own, vec![0, 1, 0, 0, 1]).wait().unwrap();
    eventually("nonsense is no loss of memory", || {
        assert!(memory.try_recv().unwrap().is_none());
        memory.stats().undecodable == 2
    });
}

#[test]
fn memory_is_taken_when_it_arrives_and_let_go_when_the_queue_drops_it() {
    let scene = Scene::new(47);
    let qos = QosProfile::default().keep_last(2);
    let subscription = scene.subscribe(qos);
    let frames: Vec<Frame> = (0..6).map(frame).collect();
    for frame in &frames {
        scene.publisher.publish(frame).unwrap();
    }
    eventually("all have arrived", || subscription.stats().received == 6);
    assert_eq!(
        scene.mailbox.waiting(),
        0,
        "taken before anybody asked for them"
    );
    scene.mailbox.burn();
    let held: Vec<usize> = frames
        .iter()
        .map(|frame| Arc::strong_count(frame.data.storage().unwrap()) - 1)
        .collect();
    assert_eq!(held, [0, 0, 0, 0, 1, 1]);
    assert_eq!(
        (next(&subscription), next(&subscription)),
        (frame(4), frame(5))
    );
    drop(subscription);
    assert!(
        frames
            .iter()
            .all(|frame| Arc::strong_count(frame.data.storage().unwrap()) == 1)
    );
}

#[test]
fn a_backend_that_panics_ends_no_thread_and_bytes_wait_undecoded() {
    let scene = Scene::new(56);
    let subscription = scene.subscribe(accepting("any"));
    let other = scene.declare("/backends:mailbox:house%3A1%3B50%25");
    scene.mailbox.panics.store(true, Ordering::SeqCst);
    scene.publisher.publish(&frame(1)).unwrap();
    eventually("the panic is counted", || {
        subscription.stats().undecodable == 1
    });
    let stats = subscription.stats();
    assert!(stats.last_decode_error.unwrap().contains("panicked"));
    scene.mailbox.panics.store(false, Ordering::SeqCst);
    scene.publisher.publish(&frame(2)).unwrap();
    assert_eq!(next(&subscription), frame(2));

    // Bytes on the own channel are looked at when they are taken.
    let own = scene.on(Channel::Buffer(subscription.gid()));
    scene.foreign.put(own, vec![0, 1, 0, 0, 1]).wait().unwrap();
    eventually("it has arrived", || subscription.stats().received == 3);
    assert_eq!(subscription.stats().undecodable, 1);
    assert!(subscription.try_recv().unwrap().is_none());
    assert_eq!(subscription.stats().undecodable, 2);
    scene.leave(other);
}
