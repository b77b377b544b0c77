//! What to say when a publisher and a subscription of one topic do not suit each other and one of them is ours.

use super::endpoints::Known;
use crate::{
    key::{Endpoint, EntityKind, ros_type_name},
    qos::{QosPolicy, check_compatible},
};

/// The sentence for `one` and `other`, which stand on opposite sides; `None` when they suit each other.
pub(super) fn mismatch(one: &Known, other: &Known) -> Option<String> {
    let (from, to) = match one.kind {
        EntityKind::Publisher => (one, other),
        _ => (other, one),
    };
    let (publisher, subscription) = (&from.endpoint, &to.endpoint);
    let (topic, from, to) = (&publisher.topic, from.node(), to.node());
    let name = |endpoint: &Endpoint| {
        ros_type_name(&endpoint.dds_type).unwrap_or_else(|| endpoint.dds_type.clone())
    };
    if publisher.dds_type != subscription.dds_type {
        return Some(format!(
            "topic {topic}: {from} publishes {} but {to} subscribes to {}; nothing will arrive",
            name(publisher),
            name(subscription),
        ));
    }
    if publisher.type_hash != subscription.type_hash {
        return Some(format!(
            "topic {topic}: {from} publishes {} with the type hash {} but {to} expects {}; nothing will arrive. Build \
             both from the same definition of the message and of the messages in it",
            name(publisher),
            publisher.type_hash,
            subscription.type_hash,
        ));
    }
    let policy = check_compatible(&publisher.qos, &subscription.qos).err()?;
    let consequence = match policy {
        QosPolicy::Reliability => "messages may get lost on the way",
        QosPolicy::Durability => "messages from before the subscription came do not arrive",
        QosPolicy::Deadline | QosPolicy::Liveliness | QosPolicy::LivelinessLease => {
            "nobody watches over it"
        }
    };
    Some(format!(
        "topic {topic}: {to} asks for another quality of service than {from} offers ({policy}). Messages arrive all the \
         same, but {consequence}; use the same profile on both sides"
    ))
}
