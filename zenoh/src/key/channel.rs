//! The keys of one topic: the base key for everybody, and beside it the channels of those that know about buffers.
//!
//! `<base>/_buf_cpu` carries bytes for all subscriptions that want nothing else; `<base>/_buf/<gid>` carries
//! bytes or descriptors for the one subscription with that GID. Its 32 digits are lower case, as in `Gid`.

use std::{fmt, str::FromStr};

use super::{Gid, TopicKey, TopicKeyError};

const CPU: &str = "_buf_cpu";
const BUFFER: &str = "_buf";

/// Which of a topic's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The topic's own key: bytes, read by every subscription.
    Base,
    /// Bytes, for the subscriptions that know about buffers and want them in host memory.
    Cpu,
    /// Bytes or descriptors, for one subscription.
    Buffer(Gid),
}

/// A topic's key with the channel on it.
///
/// ```
/// use rosidl_buffer_zenoh::key::{Channel, ChannelKey, Gid, TopicKey};
///
/// let topic = TopicKey::new(0, "/camera/image", "sensor_msgs/msg/Image", "RIHS01_d31d");
/// let key = ChannelKey { topic, channel: Channel::Buffer(Gid([0xab; 16])) };
/// let text = key.to_string();
/// assert!(text.ends_with("/RIHS01_d31d/_buf/abababababababababababababababab"));
/// assert_eq!(text.parse(), Ok(key));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChannelKey {
    /// The topic.
    pub topic: TopicKey,
    /// Which of its keys.
    pub channel: Channel,
}

impl fmt::Display for ChannelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topic = &self.topic;
        match self.channel {
            Channel::Base => write!(f, "{topic}"),
            Channel::Cpu => write!(f, "{topic}/{CPU}"),
            Channel::Buffer(gid) => write!(f, "{topic}/{BUFFER}/{gid}"),
        }
    }
}

impl FromStr for ChannelKey {
    type Err = TopicKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (head, last) = text.rsplit_once('/').unwrap_or_default();
        let (topic, channel) = match (head.rsplit_once('/'), last, last.parse()) {
            (_, CPU, _) => (head, Channel::Cpu),
            (Some((topic, BUFFER)), _, Ok(gid)) => (topic, Channel::Buffer(gid)),
            _ => (text, Channel::Base),
        };
        Ok(Self {
            topic: topic.parse()?,
            channel,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_as_ros_writes_them() {
        let topic = TopicKey::new(7, "/a/image", "sensor_msgs/msg/Image", "RIHS01_d31d");
        let base = "7/a/image/sensor_msgs::msg::dds_::Image_/RIHS01_d31d";
        let gid = Gid(std::array::from_fn(|i| u8::try_from(i * 17).unwrap()));
        for (channel, tail) in [
            (Channel::Base, ""),
            (Channel::Cpu, "/_buf_cpu"),
            (
                Channel::Buffer(gid),
                "/_buf/00112233445566778899aabbccddeeff",
            ),
        ] {
            let key = ChannelKey {
                topic: topic.clone(),
                channel,
            };
            let text = format!("{base}{tail}");
            assert_eq!(key.to_string(), text);
            assert_eq!(text.parse(), Ok(key));
        }
    }

    #[test]
    fn what_is_no_channel_is_read_as_a_base_key_or_refused() {
        let other: ChannelKey = "0/t/p::msg::dds_::T_/_buf/00".parse().unwrap();
        assert_eq!(
            (other.channel, other.topic.type_hash.as_str()),
            (Channel::Base, "00")
        );
        for bad in [
            "",
            "_buf_cpu",
            "0/a/_buf_cpu",
            "0/a/b/_buf_cpu",
            "0//b/c/_buf_cpu",
        ] {
            assert!(bad.parse::<ChannelKey>().is_err(), "{bad:?}");
        }
        let upper = format!("0/t/T/h/_buf/{}", "AB".repeat(16));
        assert_eq!(upper.parse::<ChannelKey>().unwrap().channel, Channel::Base);
    }
}
