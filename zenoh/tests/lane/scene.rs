//! A camera whose frames lie on the device, and readers of all kinds, each in a context of its own or in the camera's.

use std::{
    sync::{Arc, Mutex},
    thread::{JoinHandle, spawn},
};

use rosidl_buffer_zenoh::{
    CallbackSubscription, Node, PublicationStats, Publisher, QosProfile, SubscriptionOptions,
};

use crate::common::{
    Frame, SOON, builder,
    device::{Copies, DEVICE, Desks, Gate, LEN, on_device},
    domain, eventually,
};

/// Nothing is dropped on the way to a reader when the machine is busy.
pub(crate) const ALL: QosProfile = QosProfile::system_default().keep_all();

/// What a reader got: number, memory, and whether the content is right.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) number: u32,
    pub(crate) memory: String,
    pub(crate) fine: bool,
}

pub(crate) struct Reader {
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    pub(crate) subscription: CallbackSubscription<Frame>,
}

impl Reader {
    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .map(|seen| seen.number)
            .collect()
    }

    /// Waits until it has so many, which are all right and in that memory.
    pub(crate) fn wait_for(&self, numbers: impl IntoIterator<Item = u32>, memory: &str) {
        let numbers: Vec<u32> = numbers.into_iter().collect();
        eventually("all are there", || self.numbers().len() >= numbers.len());
        assert_eq!(self.numbers(), numbers);
        for seen in self.seen.lock().unwrap().iter() {
            assert_eq!(
                (seen.memory.as_str(), seen.fine),
                (memory, true),
                "{seen:?}"
            );
        }
    }
}

pub(crate) struct Scene {
    pub(crate) domain: u32,
    pub(crate) desks: Arc<Desks>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) node: Node,
    pub(crate) publisher: Arc<Publisher<Frame>>,
    pub(crate) readers: usize,
}

impl Scene {
    pub(crate) fn new(test: u32, qos: QosProfile) -> Self {
        let (domain, desks) = (domain(test), Arc::new(Desks::default()));
        let context = builder(domain)
            .backends(desks.at("camera"))
            .build()
            .unwrap();
        let node = context.create_node("camera").unwrap();
        let publisher = node.create_publisher::<Frame>("frames", qos).unwrap();
        Self {
            domain,
            desks,
            gate: Arc::default(),
            node,
            publisher: Arc::new(publisher),
            readers: 0,
        }
    }

    /// In a context of its own, as if it were another process.
    pub(crate) fn reader(&mut self, name: &str, accepts: &str) -> Reader {
        let context = builder(self.domain).backends(self.desks.at(name)).build();
        let node = context.unwrap().create_node(name).unwrap();
        self.reader_of(&node, accepts)
    }

    pub(crate) fn reader_of(&mut self, node: &Node, accepts: &str) -> Reader {
        self.reader_with(node, accepts, true)
    }

    pub(crate) fn reader_with(&mut self, node: &Node, accepts: &str, intra: bool) -> Reader {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&seen);
        let options = SubscriptionOptions::from(ALL)
            .acceptable_buffer_backends(accepts)
            .use_intra_process(intra);
        let subscription =
            node.create_subscription_with_callback("frames", options, move |frame: Frame, _| {
                let memory = frame.data.backend_type().to_owned();
                let expected = vec![fill(frame.number); LEN];
                let fine = memory == DEVICE || frame.data == expected;
                let mut heard = heard.lock().unwrap();
                heard.push(Seen {
                    number: frame.number,
                    memory,
                    fine,
                });
            });
        self.readers += 1;
        let publisher = &self.publisher;
        eventually("it is known", || {
            publisher.subscription_count() == self.readers
        });
        assert!(publisher.wait_for_subscription(SOON));
        let is_elsewhere =
            node.context().zenoh_session().zid() != self.node.context().zenoh_session().zid();
        if accepts == DEVICE && is_elsewhere {
            assert!(publisher.wait_for_backend(DEVICE, SOON));
        }
        Reader {
            seen,
            subscription: subscription.unwrap(),
        }
    }

    pub(crate) fn frame(&self, number: u32) -> Frame {
        self.frame_that(number, Copies::Work)
    }

    pub(crate) fn frame_that(&self, number: u32, copies: Copies) -> Frame {
        Frame {
            number,
            data: on_device(&self.gate, fill(number), copies),
        }
    }

    pub(crate) fn publish(&self, numbers: impl IntoIterator<Item = u32>) {
        for number in numbers {
            self.publisher.publish(&self.frame(number)).unwrap();
        }
    }

    /// On another thread, because it may have to wait.
    pub(crate) fn publish_beside(&self, frames: Vec<Frame>) -> JoinHandle<()> {
        let publisher = Arc::clone(&self.publisher);
        spawn(move || {
            for frame in &frames {
                publisher.publish(frame).unwrap();
            }
        })
    }

    pub(crate) fn stats(&self) -> PublicationStats {
        self.publisher.stats()
    }
}

pub(crate) fn fill(number: u32) -> u8 {
    number.to_le_bytes()[0] | 1
}

/// A frame that the host can read.
pub(crate) fn on_host(number: u32) -> Frame {
    Frame {
        number,
        data: vec![fill(number); LEN].into(),
    }
}
