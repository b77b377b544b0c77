//! How much of what others declare is remembered: anybody in the network may declare any number of tokens.

use std::collections::HashSet;

/// The longest token that is read, in bytes; ROS's own names make some 1,500 at most.
pub(crate) const MAX_TOKEN_LEN: usize = 4096;
/// Topics, services and nodes that are remembered at most, of each.
pub(super) const MAX_NAMES: usize = 65_536;
/// The length of all tokens of others that are remembered, in bytes.
pub(super) const MAX_BYTES: usize = 64 << 20;
/// Different warnings about endpoints that do not suit each other; more are not given.
pub(super) const MAX_WARNINGS: usize = 256;
/// The longest topic name that an endpoint of ours can have.
pub(super) const MAX_TOPIC_LEN: usize = 247;

/// Tokens in the domain that are not in the graph, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IgnoredTokens {
    /// Not of the form that ROS nodes write.
    pub malformed: u64,
    /// Longer than 4,096 bytes.
    pub too_long: u64,
    /// In this session's name, but not declared by it.
    pub not_ours: u64,
    /// More than a graph remembers: 65,536 topics, services and nodes each, 64 types and 16,384 endpoints for each name,
    /// 64 MiB of tokens in all.
    pub beyond_limits: u64,
}

impl IgnoredTokens {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.malformed + self.too_long + self.not_ours + self.beyond_limits
    }
}

/// The topics with subscriptions that were not remembered. A topic never loses that mark: nobody says when the
/// subscription is gone.
#[derive(Default)]
pub(super) struct Incomplete {
    topics: HashSet<String>,
    /// There are more than we remember.
    all: bool,
}

impl Incomplete {
    /// Whether that was not known before.
    pub(super) fn mark(&mut self, topic: String) -> bool {
        // No publisher of ours is on a topic with a longer name.
        if topic.len() > MAX_TOPIC_LEN || self.contains(&topic) {
            return false;
        }
        if self.topics.len() < MAX_NAMES {
            self.topics.insert(topic);
        } else {
            self.all = true;
        }
        true
    }

    pub(super) fn contains(&self, topic: &str) -> bool {
        self.all || self.topics.contains(topic)
    }
}

/// What was said already.
#[derive(Default)]
pub(super) struct Said(HashSet<String>);

impl Said {
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MAX_WARNINGS
    }

    /// The line, if it was not said yet and there is room for more.
    pub(super) fn once(&mut self, line: String) -> Option<String> {
        (!self.is_full() && self.0.insert(line.clone())).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_too_many_topics_none_is_complete() {
        let mut incomplete = Incomplete::default();
        assert!(!incomplete.mark("/".repeat(MAX_TOPIC_LEN + 1)));
        for number in 0..=MAX_NAMES {
            assert!(!incomplete.contains("any"));
            assert!(incomplete.mark(format!("t{number}")));
        }
        assert!(incomplete.contains("any"));
        assert_eq!(incomplete.topics.len(), MAX_NAMES);
    }

    #[test]
    fn lines_are_said_once_and_end() {
        let mut said = Said::default();
        assert!(said.once("a".to_owned()).is_some());
        assert!(said.once("a".to_owned()).is_none());
        let more = (0..1000).filter_map(|number| said.once(number.to_string()));
        assert_eq!(more.count(), MAX_WARNINGS - 1);
        assert!(said.is_full());
    }
}
