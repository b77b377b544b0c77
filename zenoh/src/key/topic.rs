//! Topic keys: `<domain>/<topic>/<type>/<hash>`, with the type as DDS writes it.
//!
//! The topic loses its outer slashes and keeps its inner ones, so a parser reads the first component and
//! the last two; what is between them is the topic.

use std::{fmt, str::FromStr};

/// The key on which the samples of one topic travel.
///
/// ```
/// use rosidl_buffer_zenoh::key::TopicKey;
///
/// let key = TopicKey::new(0, "/camera/image", "sensor_msgs/msg/Image", "RIHS01_d31d");
/// assert_eq!(key.to_string(), "0/camera/image/sensor_msgs::msg::dds_::Image_/RIHS01_d31d");
/// assert_eq!(key.to_string().parse(), Ok(key));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TopicKey {
    /// The ROS domain.
    pub domain: u32,
    /// The full topic name, with its leading slash.
    pub topic: String,
    /// The type as DDS writes it, `sensor_msgs::msg::dds_::Image_`.
    pub dds_type: String,
    /// The type hash, `RIHS01_…`.
    pub type_hash: String,
}

/// Why a topic key could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicKeyError {
    /// Too few components, or an empty one.
    #[error("{0:?} is not a topic key: <domain>/<topic>/<type>/<hash> is expected")]
    Shape(String),
    /// The first component is not a number.
    #[error("{0:?} is not a topic key: {1:?} is not a ROS domain")]
    Domain(String, String),
}

impl TopicKey {
    /// The key of `topic`, a full topic name, with the ROS type `ros_type` (`sensor_msgs/msg/Image`).
    pub fn new(domain: u32, topic: &str, ros_type: &str, type_hash: &str) -> Self {
        Self {
            domain,
            topic: topic.to_owned(),
            dds_type: dds_type_name(ros_type),
            type_hash: type_hash.to_owned(),
        }
    }
}

impl fmt::Display for TopicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topic = self.topic.trim_matches('/');
        write!(
            f,
            "{}/{topic}/{}/{}",
            self.domain, self.dds_type, self.type_hash
        )
    }
}

impl FromStr for TopicKey {
    type Err = TopicKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shape = || TopicKeyError::Shape(text.to_owned());
        let (domain, rest) = text.split_once('/').ok_or_else(shape)?;
        let (rest, type_hash) = rest.rsplit_once('/').ok_or_else(shape)?;
        let (topic, dds_type) = rest.rsplit_once('/').ok_or_else(shape)?;
        if text.split('/').any(str::is_empty) {
            return Err(shape());
        }
        Ok(Self {
            domain: parse_domain(domain)
                .ok_or_else(|| TopicKeyError::Domain(text.to_owned(), domain.to_owned()))?,
            topic: format!("/{topic}"),
            dds_type: dds_type.to_owned(),
            type_hash: type_hash.to_owned(),
        })
    }
}

/// A number as ROS writes it: digits only, no sign, no leading zero.
pub(super) fn parse_domain(text: &str) -> Option<u32> {
    let canonical = text == "0" || (text.starts_with(|c: char| ('1'..='9').contains(&c)));
    text.parse().ok().filter(|_| canonical)
}

/// The type name as DDS writes it: `std_msgs/msg/String` becomes `std_msgs::msg::dds_::String_`.
pub fn dds_type_name(ros_type: &str) -> String {
    match ros_type.rsplit_once('/') {
        Some((package, name)) => format!("{}::dds_::{name}_", package.replace('/', "::")),
        None => ros_type.to_owned(),
    }
}

/// The reverse of [`dds_type_name`]; `None` when the text has not that form.
pub fn ros_type_name(dds_type: &str) -> Option<String> {
    let (package, name) = dds_type.rsplit_once("::dds_::")?;
    let name = name.strip_suffix('_')?;
    if package.is_empty() || name.is_empty() {
        return None;
    }
    Some(format!("{}/{name}", package.replace("::", "/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_as_ros_writes_them() {
        let key = TopicKey::new(7, "/chatter", "std_msgs/msg/String", "RIHS01_df66");
        let text = "7/chatter/std_msgs::msg::dds_::String_/RIHS01_df66";
        assert_eq!(key.to_string(), text);
        assert_eq!(text.parse(), Ok(key));
        let deep: TopicKey = "0/a/b/c/p::msg::dds_::T_/h".parse().unwrap();
        assert_eq!(deep.topic, "/a/b/c");
    }

    #[test]
    fn type_names_there_and_back() {
        for (ros, dds) in [
            ("std_msgs/msg/String", "std_msgs::msg::dds_::String_"),
            ("a/srv/B_Request", "a::srv::dds_::B_Request_"),
        ] {
            assert_eq!(dds_type_name(ros), dds);
            assert_eq!(ros_type_name(dds).as_deref(), Some(ros));
        }
        for bad in [
            "",
            "String",
            "std_msgs::msg::String",
            "::dds_::_",
            "a::dds_::B",
        ] {
            assert_eq!(ros_type_name(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn bad_keys_are_errors() {
        for bad in [
            "",
            "0",
            "0/a",
            "0/a/b",
            "x/a/b/c",
            "-1/a/b/c",
            "+1/a/b/c",
            "01/a/b/c",
            "0//b/c",
            "0/a/b/",
            "4294967296/a/b/c",
        ] {
            assert!(bad.parse::<TopicKey>().is_err(), "{bad:?}");
        }
    }
}
