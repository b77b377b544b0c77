//! A subscription whose messages are handed to a function, on a thread of its own.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use rosidl_buffer_runtime::Message;

use crate::{
    connections::Connection,
    error::{Error, Result},
    info::{MessageInfo, Received},
    key::Gid,
    node::Node,
    qos::QosProfile,
    queue::Wait,
    stats::SubscriptionStats,
    subscription::Subscription,
};

/// A subscription that calls a function with each message; made by
/// [`Node::create_subscription_with_callback`]. The calls end when it is dropped.
///
/// ```no_run
/// # use rosidl_buffer_runtime::BufferMessage;
/// use rosidl_buffer_zenoh::{Node, QosProfile};
///
/// #[derive(Debug, Clone, PartialEq, BufferMessage)]
/// #[ros2(package = "std_msgs", name = "String")]
/// struct Text {
///     data: String,
/// }
///
/// let node = Node::new("listener")?;
/// let _subscription = node.create_subscription_with_callback(
///     "chatter",
///     QosProfile::sensor_data(),
///     |message: Text, _info| println!("{}", message.data),
/// )?;
/// std::thread::park();
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
#[derive(Debug)]
pub struct CallbackSubscription<M: Message> {
    subscription: Subscription<M>,
    worker: Option<JoinHandle<()>>,
}

impl<M: Message> CallbackSubscription<M> {
    pub(crate) fn new(
        subscription: Subscription<M>,
        mut callback: impl FnMut(M, MessageInfo) + Send + 'static,
    ) -> Result<Self> {
        let inbox = Arc::clone(subscription.inbox());
        let topic = subscription.topic_name().to_owned();
        let work = move || {
            loop {
                let received: Received<M> = match inbox.take(Wait::Forever) {
                    Ok(Some(received)) => received,
                    Ok(None) => continue,
                    Err(_) => return,
                };
                let call = AssertUnwindSafe(|| callback(received.message, received.info));
                if catch_unwind(call).is_err() {
                    tracing::error!(
                        "the callback on {} panicked; the next message is taken",
                        inbox.topic()
                    );
                }
            }
        };
        let name = "ros_callback".to_owned();
        let worker = std::thread::Builder::new().name(name).spawn(work);
        let worker = worker.map_err(|source| Error::Thread { topic, source })?;
        Ok(Self {
            subscription,
            worker: Some(worker),
        })
    }

    pub(crate) fn subscription(&self) -> &Subscription<M> {
        &self.subscription
    }

    /// What was counted since the subscription was created.
    pub fn stats(&self) -> SubscriptionStats {
        self.subscription.stats()
    }

    /// The full name of the topic.
    pub fn topic_name(&self) -> &str {
        self.subscription.topic_name()
    }

    /// The node that made this subscription.
    pub fn node(&self) -> &Node {
        self.subscription.node()
    }

    /// The quality of service as asked for.
    pub fn qos(&self) -> QosProfile {
        self.subscription.qos()
    }

    /// The identifier under which other nodes know this subscription.
    pub fn gid(&self) -> Gid {
        self.subscription.gid()
    }

    /// As [`Subscription::connections`].
    pub fn connections(&self) -> Vec<Connection> {
        self.subscription.connections()
    }

    /// How many publishers there are with this topic, type and type hash.
    pub fn publisher_count(&self) -> usize {
        self.subscription.publisher_count()
    }

    /// As [`Subscription::wait_for_publisher`].
    pub fn wait_for_publisher(&self, timeout: Duration) -> bool {
        self.subscription.wait_for_publisher(timeout)
    }
}

impl<M: Message> Drop for CallbackSubscription<M> {
    fn drop(&mut self) {
        self.subscription.inbox().stop();
        if let Some(worker) = self.worker.take()
            // Dropped by its own callback: the thread ends by itself after this call.
            && worker.thread().id() != std::thread::current().id()
            && worker.join().is_err()
        {
            tracing::error!("the callback thread on {} panicked", self.topic_name());
        }
    }
}
