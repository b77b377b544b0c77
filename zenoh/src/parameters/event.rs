//! `/parameter_events`: what changed, told to everybody.

use rosidl_buffer_interfaces::rcl_interfaces::msg;

use super::{Changes, Parameter, ParameterValue, value::to_message};
use crate::publisher::Publisher;

/// The topic, in no namespace.
pub(crate) const TOPIC: &str = "/parameter_events";

impl Changes {
    /// The value that a parameter of type bool has got.
    pub(crate) fn bool_of(&self, name: &str) -> Option<bool> {
        let mut given = self.new.iter().chain(&self.changed).rev();
        match given.find(|parameter| parameter.name == name)?.value {
            Some(ParameterValue::Bool(value)) => Some(value),
            _ => None,
        }
    }
}

/// Tells of changes. What cannot be published is logged: the values hold all the same.
pub(crate) fn publish(publisher: &Publisher<msg::ParameterEvent>, changes: &Changes) {
    let node = publisher.node();
    let event = msg::ParameterEvent {
        // What does not fit is beyond 2038.
        stamp: node.clock().now().to_message().unwrap_or_default(),
        node: node.fully_qualified_name(),
        new_parameters: to_messages(&changes.new),
        changed_parameters: to_messages(&changes.changed),
        deleted_parameters: to_messages(&changes.deleted),
    };
    if let Err(error) = publisher.publish(&event) {
        tracing::warn!("a change of parameters was not published: {error}");
    }
}

fn to_messages(parameters: &[Parameter]) -> Vec<msg::Parameter> {
    let message = |parameter: &Parameter| msg::Parameter {
        name: parameter.name.clone(),
        value: to_message(parameter.value.as_ref()),
    };
    parameters.iter().map(message).collect()
}
