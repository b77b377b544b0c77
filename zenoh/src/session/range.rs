//! How far nodes look for each other: ROS's variables in words of Zenoh's configuration.
//!
//! In: `ROS_AUTOMATIC_DISCOVERY_RANGE`, `ROS_STATIC_PEERS` and the deprecated `ROS_LOCALHOST_ONLY`, or what the context's
//! builder says instead. Out: settings on top of our defaults. A Zenoh configuration that somebody wrote is never changed.

use std::{env, net::Ipv6Addr, str::FromStr};

use crate::error::{Error, Result};

pub(super) const RANGE_VARIABLE: &str = "ROS_AUTOMATIC_DISCOVERY_RANGE";
const PEERS_VARIABLE: &str = "ROS_STATIC_PEERS";
const LOCALHOST_VARIABLE: &str = "ROS_LOCALHOST_ONLY";

/// Where a ROS router listens.
const ROUTER_PORT: u16 = 7447;

/// How far nodes look for each other by themselves.
///
/// In ROS 2 the default is [`DiscoveryRange::Subnet`]. Here it is [`DiscoveryRange::Localhost`]: nothing listens to the
/// network unless asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DiscoveryRange {
    /// Nobody is looked for, not even on this machine, and no static peer.
    Off,
    /// This machine, and the static peers.
    #[default]
    Localhost,
    /// What Zenoh's multicast scouting reaches, and the static peers. The session listens on all interfaces.
    Subnet,
    /// Whatever the Zenoh configuration says; static peers are not looked at.
    SystemDefault,
}

impl FromStr for DiscoveryRange {
    type Err = Error;

    /// Reads the words of `ROS_AUTOMATIC_DISCOVERY_RANGE`.
    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "OFF" => Self::Off,
            "LOCALHOST" => Self::Localhost,
            "SUBNET" => Self::Subnet,
            "SYSTEM_DEFAULT" => Self::SystemDefault,
            _ => {
                return Err(Error::DiscoveryRange {
                    value: text.to_owned(),
                });
            }
        })
    }
}

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) range: Option<DiscoveryRange>,
    pub(super) peers: Option<Vec<String>>,
}

/// How far, and to whom besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Discovery {
    pub(super) range: DiscoveryRange,
    /// Zenoh endpoints.
    peers: Vec<String>,
    /// Whether anybody said so.
    is_asked: bool,
}

impl Discovery {
    /// What the program asks for, else the environment.
    pub(super) fn new(asked: Asked) -> Result<Self> {
        Self::from_variables(asked, |name| {
            let value = env::var_os(name)?;
            let value = value.to_string_lossy().trim().to_owned();
            (!value.is_empty()).then_some(value)
        })
    }

    fn from_variables(asked: Asked, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        // As in ROS: it narrows whatever the other variables say.
        let localhost_only = variable(LOCALHOST_VARIABLE).is_some_and(|value| value == "1");
        let range = match asked.range {
            Some(range) => Some(range),
            None if localhost_only => Some(DiscoveryRange::Localhost),
            None => variable(RANGE_VARIABLE)
                .map(|value| value.parse())
                .transpose()?,
        };
        let peers = match asked.peers {
            Some(peers) => peers,
            None if localhost_only => Vec::new(),
            None => variable(PEERS_VARIABLE)
                .map(|value| value.split(';').map(str::to_owned).collect())
                .unwrap_or_default(),
        };
        let peers = peers.iter().map(|peer| peer.trim());
        let peers: Vec<String> = peers
            .filter(|peer| !peer.is_empty())
            .map(endpoint)
            .collect::<Result<_>>()?;
        Ok(Self {
            is_asked: range.is_some() || !peers.is_empty(),
            range: range.unwrap_or_default(),
            peers,
        })
    }

    /// The settings that make our defaults follow this, in JSON5.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let listed = |endpoints: &[&str]| format!("{endpoints:?}");
        let off = || listed(&[]);
        let mut settings = Vec::new();
        match self.range {
            DiscoveryRange::SystemDefault => return settings,
            DiscoveryRange::Off => {
                settings.extend([
                    ("connect/endpoints", off()),
                    ("listen/endpoints", off()),
                    ("scouting/multicast/enabled", "false".to_owned()),
                    ("scouting/gossip/enabled", "false".to_owned()),
                ]);
                return settings;
            }
            DiscoveryRange::Localhost => {}
            DiscoveryRange::Subnet => settings.extend([
                // The first is for the others on this machine.
                (
                    "listen/endpoints",
                    listed(&["tcp/127.0.0.1:0", "tcp/[::]:0"]),
                ),
                ("scouting/multicast/enabled", "true".to_owned()),
                ("scouting/multicast/interface", "'auto'".to_owned()),
                ("scouting/multicast/ttl", "1".to_owned()),
            ]),
        }
        if !self.peers.is_empty() {
            let router = super::config::LOCAL_ROUTER;
            let peers = std::iter::once(router).chain(self.peers.iter().map(String::as_str));
            let peers: Vec<&str> = peers.collect();
            settings.push(("connect/endpoints", listed(&peers)));
        }
        settings
    }

    /// Says that all this is not looked at.
    pub(super) fn say_ignored(&self) {
        if self.is_asked && self.range != DiscoveryRange::SystemDefault {
            tracing::warn!(
                "the discovery range and static peers are not looked at, because a Zenoh configuration is given; set \
                 {RANGE_VARIABLE}=SYSTEM_DEFAULT to say so"
            );
        }
    }
}

/// The Zenoh endpoint of a static peer: an address, a name, either with a port, or a Zenoh endpoint already.
fn endpoint(peer: &str) -> Result<String> {
    let wrong = || Error::StaticPeer {
        peer: peer.to_owned(),
    };
    let spoils = |c: char| c.is_whitespace() || c.is_control() || "\"'\\#?,".contains(c);
    if peer.contains(spoils) {
        return Err(wrong());
    }
    if peer.contains('/') {
        let locator: zenoh::config::EndPoint = peer.parse().map_err(|_| wrong())?;
        return Ok(locator.to_string());
    }
    if peer.parse::<Ipv6Addr>().is_ok() {
        return Ok(format!("tcp/[{peer}]:{ROUTER_PORT}"));
    }
    let (host, port) = match peer.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !peer.ends_with(']') => {
            (host, port.parse::<u16>().map_err(|_| wrong())?)
        }
        _ => (peer, ROUTER_PORT),
    };
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    if host.contains(':') && !is_bracketed {
        return Err(wrong());
    }
    Ok(format!("tcp/{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discovery(variables: &[(&str, &str)]) -> Result<Discovery> {
        Discovery::from_variables(Asked::default(), |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn setting<'a>(settings: &'a [(&str, String)], key: &str) -> Option<&'a str> {
        let found = settings.iter().find(|(other, _)| *other == key);
        found.map(|(_, value)| value.as_str())
    }

    #[test]
    fn without_variables_nothing_is_changed() {
        let unset = discovery(&[]).unwrap();
        assert_eq!(unset, Discovery::default());
        assert_eq!(unset.settings(), []);
        let localhost = discovery(&[(RANGE_VARIABLE, "LOCALHOST")]).unwrap();
        assert_eq!(localhost.settings(), []);
    }

    #[test]
    fn the_words_of_ros() {
        let off = [(RANGE_VARIABLE, "OFF"), (PEERS_VARIABLE, "192.0.2.1")];
        let off = discovery(&off).unwrap().settings();
        assert_eq!(setting(&off, "connect/endpoints"), Some("[]"));
        assert_eq!(setting(&off, "listen/endpoints"), Some("[]"));
        assert_eq!(setting(&off, "scouting/gossip/enabled"), Some("false"));
        let subnet = discovery(&[(RANGE_VARIABLE, "SUBNET")]).unwrap().settings();
        assert_eq!(setting(&subnet, "scouting/multicast/enabled"), Some("true"));
        assert_eq!(
            setting(&subnet, "listen/endpoints"),
            Some(r#"["tcp/127.0.0.1:0", "tcp/[::]:0"]"#)
        );
        let system = [(RANGE_VARIABLE, "SYSTEM_DEFAULT"), (PEERS_VARIABLE, "a")];
        assert_eq!(discovery(&system).unwrap().settings(), []);
        let only = [
            (LOCALHOST_VARIABLE, "1"),
            (RANGE_VARIABLE, "SUBNET"),
            (PEERS_VARIABLE, "192.0.2.1"),
        ];
        assert_eq!(discovery(&only).unwrap().settings(), []);
        for bad in ["subnet", "ALL", "1"] {
            let error = discovery(&[(RANGE_VARIABLE, bad)]).unwrap_err().to_string();
            assert!(
                error.contains(bad) && error.contains("LOCALHOST"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_the_program_asks_for_wins() {
        let asked = Asked {
            range: Some(DiscoveryRange::Subnet),
            peers: Some(Vec::new()),
        };
        let variable = |name: &str| (name != LOCALHOST_VARIABLE).then(|| "192.0.2.1".to_owned());
        let both = Discovery::from_variables(asked, variable).unwrap();
        assert_eq!((both.range, both.peers.len()), (DiscoveryRange::Subnet, 0));
    }

    #[test]
    fn static_peers_become_endpoints() {
        let peers = "192.0.2.1; robot.local:7450;;fe80::1;[::1]:9;[::1];tls/robot.local:7448;";
        let settings = discovery(&[(PEERS_VARIABLE, peers)]).unwrap().settings();
        assert_eq!(
            setting(&settings, "connect/endpoints"),
            Some(
                "[\"tcp/localhost:7447\", \"tcp/192.0.2.1:7447\", \"tcp/robot.local:7450\", \"tcp/[fe80::1]:7447\", \
                 \"tcp/[::1]:9\", \"tcp/[::1]:7447\", \"tls/robot.local:7448\"]"
            )
        );
        for bad in ["a b", "a:port", "1:2:3:x", "a:70000", "\"", "tcp/", "a,b"] {
            let error = discovery(&[(PEERS_VARIABLE, bad)]).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }
}
