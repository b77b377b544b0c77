//! What is said of a node before it is there: its name, its context, its arguments, and what it shall have by itself.
//!
//! In: what the program says, and the ROS arguments of its command line, which win. Out: a node that is announced.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    arguments::{Arguments, Remapping},
    builtin::{Builtin, Wanted},
    clock::Clock,
    error::{Error, Result},
    key::{check_namespace, check_node_name},
    node::{Node, Settings},
    parameters::{ParameterValue, Parameters},
    rosout::LogLevels,
    session::Context,
};

/// Settings of a [`Node`] before it is made.
#[derive(Debug, Clone, Default)]
pub struct NodeBuilder {
    name: String,
    namespace: String,
    domain: Option<u32>,
    context: Option<Context>,
    arguments: Arguments,
    parameter_overrides: BTreeMap<String, ParameterValue>,
    clock: Option<Clock>,
    ignores_global_arguments: bool,
    wanted: Wanted,
}

impl NodeBuilder {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// The namespace, with or without its leading slash.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.namespace);
        self
    }

    /// The ROS domain, instead of `ROS_DOMAIN_ID`.
    #[must_use]
    pub fn domain_id(mut self, domain: u32) -> Self {
        self.domain = Some(domain);
        self
    }

    /// The context to live in, instead of one of its own.
    #[must_use]
    pub fn context(mut self, context: &Context) -> Self {
        self.context = Some(context.clone());
        self
    }

    /// Whether the node has the service `~/get_type_description`, by which others learn the types that it uses. By default
    /// it has, as every ROS 2 node.
    #[must_use]
    pub fn start_type_description_service(mut self, on: bool) -> Self {
        self.wanted.type_descriptions = on;
        self
    }

    /// Arguments of the node's own, which go before those of the context. An enclave among them has no effect, which is logged:
    /// it is the context's.
    #[must_use]
    pub fn arguments(mut self, arguments: Arguments) -> Self {
        self.arguments = arguments;
        self
    }

    /// Whether the context's arguments hold for this node too. By default they do.
    #[must_use]
    pub fn use_global_arguments(mut self, on: bool) -> Self {
        self.ignores_global_arguments = !on;
        self
    }

    /// Values for parameters that the node will declare, before those of all arguments.
    #[must_use]
    pub fn parameter_overrides<N: Into<String>, V: Into<ParameterValue>>(
        mut self,
        overrides: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let overrides = overrides.into_iter();
        let overrides = overrides.map(|(name, value)| (name.into(), value.into()));
        self.parameter_overrides.extend(overrides);
        self
    }

    /// The clock of ROS time, instead of one of the node's own: what a test has that says itself what time it is. A clock of another type
    /// is never set by a simulation.
    #[must_use]
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// Whether the node's logs are published on `/rosout`. By default they are, unless `--disable-rosout-logs` was given.
    #[must_use]
    pub fn enable_rosout(mut self, on: bool) -> Self {
        self.wanted.rosout = on;
        self
    }

    /// Whether other nodes can read and change this node's parameters. By default they can.
    #[must_use]
    pub fn start_parameter_services(mut self, on: bool) -> Self {
        self.wanted.parameter_services = on;
        self
    }

    /// Whether changes of parameters are published on `/parameter_events`. By default they are.
    #[must_use]
    pub fn start_parameter_event_publisher(mut self, on: bool) -> Self {
        self.wanted.parameter_events = on;
        self
    }

    /// Makes the node and announces it.
    ///
    /// # Errors
    /// When a name breaks ROS's rules, the domain contradicts the context's, the session does not open, or an argument
    /// gives `use_sim_time` something else than a bool.
    pub fn build(self) -> Result<Node> {
        check_node_name(&self.name)?;
        let namespace = check_namespace(&self.namespace)?;
        let context = match (self.context, self.domain) {
            (Some(context), Some(asked)) if asked != context.domain_id() => {
                let context = context.domain_id();
                return Err(Error::DomainConflict {
                    node: self.name,
                    asked,
                    context,
                });
            }
            (Some(context), _) => context,
            (None, Some(domain)) => Context::builder().domain_id(domain).build()?,
            (None, None) => Context::new()?,
        };
        let none = Arguments::default();
        let global = if self.ignores_global_arguments {
            &none
        } else {
            context.arguments()
        };
        let own = &self.arguments;
        if let Some(enclave) = &own.enclave {
            tracing::warn!(
                "{}: the enclave {enclave} among the node's own arguments has no effect: give it to the context",
                self.name
            );
        }
        let remapping = Remapping::new(&own.remap, &global.remap);
        let name = remapping
            .node_name(&self.name)
            .unwrap_or(&self.name)
            .to_owned();
        let namespace = remapping.namespace(&name).map_or(namespace, str::to_owned);
        let mut overrides = BTreeMap::new();
        let full_name = format!("{namespace}/{name}");
        let rules = global.parameters.iter().chain(&own.parameters);
        for rule in rules.filter(|rule| rule.nodes.matches(&full_name)) {
            overrides.insert(rule.name.clone(), rule.value.clone());
        }
        overrides.extend(self.parameter_overrides);
        let wanted = Wanted {
            rosout: self.wanted.rosout && own.rosout.or(global.rosout).unwrap_or(true),
            ..self.wanted
        };
        let log_levels = LogLevels::new([global, own]);
        let settings = Settings {
            name,
            namespace,
            remapping,
            parameters: Arc::new(Parameters::new(overrides)),
            clock: self.clock.unwrap_or_else(|| Clock::with_source().0),
            log_levels,
        };
        let bare = Node::announce(context, settings)?;
        let builtin = Builtin::start(&bare, wanted)?;
        Ok(bare.with_builtin(builtin))
    }
}
