//! Liveliness tokens: how a node, publisher, subscription, service or client says that it is there.
//!
//! `@ros2_lv/<domain>/<session>/<node id>/<entity id>/<kind>/<enclave>/<namespace>/<node>` and, unless it
//! is a node, `/<topic>/<type>/<hash>/<qos>[/backends:…]`. Inside a component `/` is written `%`.
//! Components after the QoS that we do not know are left aside, as ROS does.

use std::{fmt, str::FromStr};

use super::{
    backend::{BACKENDS, Backend, format_backends, parse_backends},
    qos_text::{QosTextError, format_qos, parse_qos},
    topic::parse_domain,
};
use crate::qos::QosProfile;

/// The first component of every token.
pub const GRAPH_PREFIX: &str = "@ros2_lv";

/// The key expression that matches every token of a ROS domain.
pub fn discovery_key(domain: u32) -> String {
    format!("{GRAPH_PREFIX}/{domain}/**")
}

/// What a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntityKind {
    /// A node, `NN`.
    Node,
    /// A publisher, `MP`.
    Publisher,
    /// A subscription, `MS`.
    Subscription,
    /// A service, `SS`.
    Service,
    /// A client, `SC`.
    Client,
}

impl EntityKind {
    const ALL: [Self; 5] = [
        Self::Node,
        Self::Publisher,
        Self::Subscription,
        Self::Service,
        Self::Client,
    ];

    /// The two letters in the token.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Node => "NN",
            Self::Publisher => "MP",
            Self::Subscription => "MS",
            Self::Service => "SS",
            Self::Client => "SC",
        }
    }
}

/// What a token of a publisher, subscription, service or client adds to its node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The full topic or service name.
    pub topic: String,
    /// The type as DDS writes it.
    pub dds_type: String,
    /// The type hash, `RIHS01_…`.
    pub type_hash: String,
    /// Its quality of service.
    pub qos: QosProfile,
    /// The memories it names, `None` when the token says nothing about them.
    pub backends: Option<Vec<Backend>>,
}

/// What is there: a node, or an endpoint of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entity {
    /// A node.
    Node,
    /// A publisher.
    Publisher(Endpoint),
    /// A subscription.
    Subscription(Endpoint),
    /// A service.
    Service(Endpoint),
    /// A client.
    Client(Endpoint),
}

impl Entity {
    /// Which kind it is.
    pub const fn kind(&self) -> EntityKind {
        match self {
            Self::Node => EntityKind::Node,
            Self::Publisher(_) => EntityKind::Publisher,
            Self::Subscription(_) => EntityKind::Subscription,
            Self::Service(_) => EntityKind::Service,
            Self::Client(_) => EntityKind::Client,
        }
    }

    /// The endpoint, unless it is a node.
    pub const fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Node => None,
            Self::Publisher(endpoint)
            | Self::Subscription(endpoint)
            | Self::Service(endpoint)
            | Self::Client(endpoint) => Some(endpoint),
        }
    }
}

/// One liveliness token.
///
/// ```
/// use rosidl_buffer_zenoh::key::{EntityKind, Token};
///
/// let text = "@ros2_lv/0/1a2b/0/10/MP/%/%/talker/%chatter/std_msgs::msg::dds_::String_/RIHS01_df66/::,10:,:,:,,";
/// let token: Token = text.parse().unwrap();
/// assert_eq!(token.entity.kind(), EntityKind::Publisher);
/// assert_eq!(token.entity.endpoint().unwrap().topic, "/chatter");
/// assert_eq!(token.to_string(), text);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The ROS domain.
    pub domain: u32,
    /// The Zenoh id of the session, lower-case hexadecimal.
    pub session_id: String,
    /// The number of the node within the session.
    pub node_id: u64,
    /// The number of the entity within the session; a node's own number for a node.
    pub entity_id: u64,
    /// The security enclave, `/` when there is none.
    pub enclave: String,
    /// The namespace of the node, `/` when there is none.
    pub namespace: String,
    /// The name of the node.
    pub node_name: String,
    /// What is there.
    pub entity: Entity,
}

/// Why a token could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not begin with `@ros2_lv/`.
    #[error("liveliness token {0:?} does not begin with {GRAPH_PREFIX}/")]
    Prefix(String),
    /// A component is not there or empty.
    #[error("liveliness token {token:?} has no {part}")]
    Missing {
        /// The whole token.
        token: String,
        /// What is missing.
        part: &'static str,
    },
    /// A component that must be a number is none.
    #[error("liveliness token {token:?}: the {part} {value:?} is not a number")]
    Number {
        /// The whole token.
        token: String,
        /// Which component.
        part: &'static str,
        /// What stands there.
        value: String,
    },
    /// A kind that we do not know.
    #[error("liveliness token {token:?}: {kind:?} is none of NN, MP, MS, SS, SC")]
    Kind {
        /// The whole token.
        token: String,
        /// What stands there.
        kind: String,
    },
    /// The QoS component is wrong.
    #[error("liveliness token {token:?}: {source}")]
    Qos {
        /// The whole token.
        token: String,
        /// What is wrong with it.
        source: QosTextError,
    },
    /// It names more buffer backends than anybody has.
    #[error("liveliness token {0:?} names more than 16 buffer backends")]
    TooManyBackends(String),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{GRAPH_PREFIX}/{}/{}/{}/{}/{}/{}/{}/{}",
            self.domain,
            self.session_id,
            self.node_id,
            self.entity_id,
            self.entity.kind().code(),
            mangle(&self.enclave),
            mangle(&self.namespace),
            mangle(&self.node_name),
        )?;
        let Some(endpoint) = self.entity.endpoint() else {
            return Ok(());
        };
        write!(
            f,
            "/{}/{}/{}/{}",
            mangle(&endpoint.topic),
            mangle(&endpoint.dds_type),
            mangle(&endpoint.type_hash),
            format_qos(&endpoint.qos),
        )?;
        match &endpoint.backends {
            Some(backends) => write!(f, "/{}", format_backends(backends)),
            None => Ok(()),
        }
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(token: &str) -> Result<Self, Self::Err> {
        let mut parts = token.split('/');
        if parts.next() != Some(GRAPH_PREFIX) {
            return Err(TokenError::Prefix(token.to_owned()));
        }
        let mut next = |part| match parts.next() {
            None | Some("") => Err(TokenError::Missing {
                token: token.to_owned(),
                part,
            }),
            Some(text) => Ok(text),
        };
        let number = |part, value: &str| TokenError::Number {
            token: token.to_owned(),
            part,
            value: value.to_owned(),
        };
        let domain = next("domain")?;
        let domain = parse_domain(domain).ok_or_else(|| number("domain", domain))?;
        let session_id = next("session id")?.to_owned();
        let node_id = next("node id")?;
        let node_id = node_id.parse().map_err(|_| number("node id", node_id))?;
        let entity_id = next("entity id")?;
        let entity_id = entity_id
            .parse()
            .map_err(|_| number("entity id", entity_id))?;
        let kind = next("kind")?;
        let kind = EntityKind::ALL
            .into_iter()
            .find(|known| known.code() == kind)
            .ok_or_else(|| TokenError::Kind {
                token: token.to_owned(),
                kind: kind.to_owned(),
            })?;
        let enclave = demangle(next("enclave")?);
        let namespace = demangle(next("namespace")?);
        let node_name = demangle(next("node name")?);
        let mut endpoint = || {
            Ok(Endpoint {
                topic: demangle(next("topic")?),
                dds_type: demangle(next("type")?),
                type_hash: demangle(next("type hash")?),
                qos: parse_qos(next("QoS")?).map_err(|source| TokenError::Qos {
                    token: token.to_owned(),
                    source,
                })?,
                backends: None,
            })
        };
        let mut entity = match kind {
            EntityKind::Node => Entity::Node,
            EntityKind::Publisher => Entity::Publisher(endpoint()?),
            EntityKind::Subscription => Entity::Subscription(endpoint()?),
            EntityKind::Service => Entity::Service(endpoint()?),
            EntityKind::Client => Entity::Client(endpoint()?),
        };
        let backends = parts.find_map(|part| part.strip_prefix(BACKENDS));
        let too_many = || TokenError::TooManyBackends(token.to_owned());
        let backends = backends
            .map(|text| parse_backends(text).ok_or_else(too_many))
            .transpose()?;
        if let Entity::Publisher(endpoint) | Entity::Subscription(endpoint) = &mut entity {
            endpoint.backends = backends;
        }
        Ok(Self {
            domain,
            session_id,
            node_id,
            entity_id,
            enclave,
            namespace,
            node_name,
            entity,
        })
    }
}

/// The topic of a subscription's token, even if the rest of it cannot be read.
pub(crate) fn subscribed_topic(token: &str) -> Option<String> {
    let mut parts = token.split('/').skip(5);
    if parts.next() != Some(EntityKind::Subscription.code()) {
        return None;
    }
    // Between them stand enclave, namespace and node.
    parts.nth(3).map(demangle)
}

/// `/` may not stand inside a component. An empty name is written like the root.
fn mangle(name: &str) -> String {
    if name.is_empty() {
        "%".to_owned()
    } else {
        name.replace('/', "%")
    }
}

fn demangle(text: &str) -> String {
    text.replace('%', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        Endpoint {
            topic: "/chatter".to_owned(),
            dds_type: "std_msgs::msg::dds_::String_".to_owned(),
            type_hash: "RIHS01_df66".to_owned(),
            qos: QosProfile::system_default(),
            backends: None,
        }
    }

    fn token(entity: Entity) -> Token {
        Token {
            domain: 0,
            session_id: "1a2b".to_owned(),
            node_id: 3,
            entity_id: 10,
            enclave: "/".to_owned(),
            namespace: "/".to_owned(),
            node_name: "talker".to_owned(),
            entity,
        }
    }

    #[test]
    fn tokens_as_ros_writes_them() {
        let mut namespaced = token(Entity::Node);
        namespaced.namespace = "/robot/left".to_owned();
        namespaced.entity_id = 3;
        let mut image = endpoint();
        image.topic = "/robot/image".to_owned();
        image.qos = QosProfile::default().best_effort().transient_local();
        image.backends = Some(vec![
            Backend {
                name: "cuda".to_owned(),
                metadata: "a/b:c;d%".to_owned(),
            },
            Backend {
                name: "cpu".to_owned(),
                metadata: String::new(),
            },
        ]);
        for (written, text) in [
            (
                token(Entity::Publisher(endpoint())),
                "@ros2_lv/0/1a2b/3/10/MP/%/%/talker/%chatter/std_msgs::msg::dds_::String_/RIHS01_df66/::,:,:,:,,",
            ),
            (namespaced, "@ros2_lv/0/1a2b/3/3/NN/%/%robot%left/talker"),
            (
                token(Entity::Subscription(image)),
                "@ros2_lv/0/1a2b/3/10/MS/%/%/talker/%robot%image/std_msgs::msg::dds_::String_/RIHS01_df66/2:1:,10:,:,:,,/backends:cpu:;cuda:a%2Fb%3Ac%3Bd%25",
            ),
            (
                token(Entity::Service(endpoint())),
                "@ros2_lv/0/1a2b/3/10/SS/%/%/talker/%chatter/std_msgs::msg::dds_::String_/RIHS01_df66/::,:,:,:,,",
            ),
        ] {
            assert_eq!(written.to_string(), text);
            assert_eq!(text.parse::<Token>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn unknown_last_components_are_left_aside() {
        let base = token(Entity::Publisher(endpoint())).to_string();
        let parsed: Token = format!("{base}/future:1/more").parse().unwrap();
        assert_eq!(parsed.to_string(), base);
        let parsed: Token = format!("{base}/backends:cpu;cuda:x%zz;;").parse().unwrap();
        let backends = parsed.entity.endpoint().unwrap().backends.clone().unwrap();
        assert_eq!(backends.len(), 2);
        assert_eq!(
            backends[0],
            Backend {
                name: "cpu".to_owned(),
                metadata: String::new()
            }
        );
        assert_eq!(backends[1].metadata, "x%zz");
    }

    #[test]
    fn bad_tokens_name_the_part() {
        for (bad, says) in [
            ("", "does not begin"),
            ("@ros2_lv", "no domain"),
            ("@ros2/0/a", "does not begin"),
            ("@ros2_lv/x/a/0/0/NN/%/%/n", "domain \"x\" is not a number"),
            (
                "@ros2_lv/0/a/-1/0/NN/%/%/n",
                "node id \"-1\" is not a number",
            ),
            ("@ros2_lv/0/a/0/0/XX/%/%/n", "\"XX\" is none of"),
            ("@ros2_lv/0/a/0/0/NN/%/%", "no node name"),
            ("@ros2_lv/0/a/0/0/MP/%/%/n", "no topic"),
            ("@ros2_lv/0/a/0/0/MP/%/%/n/%t/T/h", "no QoS"),
            ("@ros2_lv/0/a/0/0/MP/%/%/n/%t/T/h/", "no QoS"),
            (
                "@ros2_lv/0/a/0/0/MP/%/%/n/%t/T/h/9::,:,:,:,,",
                "9 is no reliability",
            ),
        ] {
            let error = bad.parse::<Token>().unwrap_err().to_string();
            assert!(error.contains(says), "{bad:?}: {error}");
        }
    }
}
