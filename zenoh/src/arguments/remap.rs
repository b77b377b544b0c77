//! Remap rules: other names for nodes, topics and services than the program gives them.
//!
//! As in `rcl`: of the rules that fit, the first holds, and its result is not remapped again. A rule that names a node means
//! the name that the node has after remapping. Wildcards and references back are of ROS's design, but `rcl` refuses them, and so do
//! we.

use super::text::{split_node, split_rule};
use crate::key::{NameError, check_namespace, check_node_name, expand_topic_name};

/// What a name stands for, where topics and services differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameKind {
    Topic,
    Service,
}

/// One rule of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemapRule {
    /// The only node that it is for.
    node: Option<String>,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    NodeName(String),
    Namespace(String),
    /// `only` is `None` for topics and services both.
    Name {
        only: Option<NameKind>,
        from: String,
        to: String,
    },
}

impl RemapRule {
    /// Reads `[node:][rostopic://|rosservice://]from:=to`, `[node:]__node:=name` or `[node:]__ns:=/namespace`.
    pub(super) fn parse(rule: &str) -> Result<Self, String> {
        let (left, to) = split_rule(rule)?;
        let (node, from) = split_node(left)?;
        let what = match from {
            "__node" | "__name" => {
                check_node_name(to).map_err(|error| error.to_string())?;
                What::NodeName(to.to_owned())
            }
            "__ns" => {
                if !to.starts_with('/') {
                    return Err("a namespace begins with a slash".to_owned());
                }
                What::Namespace(check_namespace(to).map_err(|error| error.to_string())?)
            }
            _ => {
                let (only, from) = split_scheme(from);
                check_side(from)?;
                check_side(to)?;
                What::Name {
                    only,
                    from: from.to_owned(),
                    to: to.to_owned(),
                }
            }
        };
        let node = node.map(str::to_owned);
        Ok(Self { node, what })
    }

    fn is_for(&self, node: &str) -> bool {
        self.node.as_deref().is_none_or(|only| only == node)
    }
}

fn split_scheme(from: &str) -> (Option<NameKind>, &str) {
    if let Some(topic) = from.strip_prefix("rostopic://") {
        (Some(NameKind::Topic), topic)
    } else if let Some(service) = from.strip_prefix("rosservice://") {
        (Some(NameKind::Service), service)
    } else {
        (None, from)
    }
}

fn check_side(name: &str) -> Result<(), String> {
    if name.contains(['*', '\\']) {
        return Err(format!(
            "{name:?}: wildcards and references back are not supported, as in rcl"
        ));
    }
    match expand_topic_name(name, "/", "node") {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// The rules that hold for one node, those of its own before those of the process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remapping {
    rules: Vec<RemapRule>,
}

impl Remapping {
    pub(crate) fn new(own: &[RemapRule], global: &[RemapRule]) -> Self {
        let rules = own.iter().chain(global).cloned().collect();
        Self { rules }
    }

    /// The name that a node gets which the program calls `name`.
    pub(crate) fn node_name(&self, name: &str) -> Option<&str> {
        self.of_node(name, |what| match what {
            What::NodeName(name) => Some(name),
            _ => None,
        })
    }

    /// The namespace for the node of that name, remapped already.
    pub(crate) fn namespace(&self, node: &str) -> Option<&str> {
        self.of_node(node, |what| match what {
            What::Namespace(namespace) => Some(namespace),
            _ => None,
        })
    }

    fn of_node<'a>(
        &'a self,
        node: &str,
        wanted: impl Fn(&'a What) -> Option<&'a String>,
    ) -> Option<&'a str> {
        let mut rules = self.rules.iter().filter(|rule| rule.is_for(node));
        rules.find_map(|rule| wanted(&rule.what).map(String::as_str))
    }

    /// The full name of a topic or service that a node calls `name`.
    pub(crate) fn resolve(
        &self,
        name: &str,
        kind: NameKind,
        namespace: &str,
        node: &str,
    ) -> Result<String, NameError> {
        let full = expand_topic_name(name, namespace, node)?;
        let to = self.rules.iter().filter(|rule| rule.is_for(node));
        let to = to.filter_map(|rule| match &rule.what {
            What::Name { only, from, to } if only.is_none_or(|only| only == kind) => {
                Some((from, to))
            }
            _ => None,
        });
        let is_meant = |from: &str| {
            expand_topic_name(from, namespace, node).is_ok_and(|expanded| expanded == full)
        };
        match to.into_iter().find(|(from, _)| is_meant(from)) {
            Some((_, to)) => expand_topic_name(to, namespace, node),
            None => Ok(full),
        }
    }
}
