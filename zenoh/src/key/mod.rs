//! The texts and bytes by which nodes know each other: key expressions, liveliness tokens, QoS text, attachments, GIDs.
//!
//! Text in, text out: nothing here knows a Zenoh session, and every parser takes what a stranger may
//! have sent, so it answers with an error that names the part that is wrong and never panics. The forms
//! are those of `rmw_zenoh_cpp` 0.10.

mod attachment;
mod backend;
mod channel;
mod gid;
#[cfg(test)]
mod hostile;
mod name;
mod qos_text;
mod token;
mod topic;

pub use attachment::{ATTACHMENT_LEN, Attachment, AttachmentError};
pub use backend::Backend;
pub use channel::{Channel, ChannelKey};
pub use gid::{Gid, GidError};
pub use name::{NameError, check_namespace, check_node_name, expand_topic_name};
pub use qos_text::{QosTextError, format_qos, parse_qos};
pub(crate) use token::subscribed_topic;
pub use token::{Endpoint, Entity, EntityKind, GRAPH_PREFIX, Token, TokenError, discovery_key};
pub use topic::{TopicKey, TopicKeyError, dds_type_name, ros_type_name};
