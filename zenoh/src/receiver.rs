//! The Zenoh subscriber of a topic's own key, as the quality of service wants it.

use std::sync::Arc;

use rosidl_buffer_runtime::Message;
use zenoh::{Wait as _, handlers::CallbackDrop, sample::Sample};
use zenoh_ext::{
    AdvancedSubscriber, AdvancedSubscriberBuilderExt as _, HistoryConfig, RecoveryConfig,
};

use crate::{
    error::Result,
    inbox::Inbox,
    node::{EndpointName, Node},
    qos::{QosProfile, Reliability},
    session::on_plain_thread,
};

/// Volatile subscriptions need nothing of an advanced one, and look the same to everybody else.
pub(crate) enum Receiver {
    Plain(#[expect(dead_code, reason = "held to be dropped")] zenoh::pubsub::Subscriber<()>),
    /// `None` only while it is dropped.
    Advanced(Option<Box<AdvancedSubscriber<()>>>),
}

impl Receiver {
    pub(crate) fn declare<M: Message>(
        node: &Node,
        name: &EndpointName,
        qos: &QosProfile,
        inbox: &Arc<Inbox<M>>,
    ) -> Result<Self> {
        let (arrived, ended) = (Arc::clone(inbox), Arc::clone(inbox));
        let callback = CallbackDrop {
            callback: move |sample: Sample| arrived.push(&sample),
            drop: move || ended.close(),
        };
        let builder = node
            .context()
            .zenoh_session()
            .declare_subscriber(name.key.to_string())
            .with(callback);
        let failed = |cause| name.declare_error("the subscription", cause);
        if !qos.is_transient_local() {
            return Ok(Self::Plain(builder.wait().map_err(failed)?));
        }
        let mut history = HistoryConfig::default().detect_late_publishers();
        if let Some(depth) = qos.depth() {
            history = history.max_samples(depth);
        }
        let mut builder = builder.history(history);
        if qos.reliability == Reliability::Reliable {
            builder = builder.recovery(RecoveryConfig::default().heartbeat());
        }
        Ok(Self::Advanced(Some(Box::new(
            builder.wait().map_err(failed)?,
        ))))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Self::Advanced(subscriber) = self {
            let subscriber = subscriber.take();
            on_plain_thread(move || drop(subscriber));
        }
    }
}
