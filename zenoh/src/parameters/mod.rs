//! Parameters of a node: declared with a type and a default, read and changed here and by other nodes.
//!
//! In: declarations, values from the command line, changes from here and from the network. Out: values, `/parameter_events`, and
//! the answers of six services. What may be changed how is as in rclcpp: a parameter has to be declared, keeps its type unless
//! declared otherwise, and a callback may refuse a value before it holds. `store` knows no network.

mod error;
pub(crate) mod event;
mod handle;
mod range;
mod services;
mod store;
mod value;

use std::sync::Arc;

use rosidl_buffer_interfaces::rcl_interfaces::msg::{ListParametersResult, ParameterDescriptor};

pub use self::{
    error::ParameterError,
    handle::{MandatoryParameter, OptionalParameter, ParameterBuilder, ReadOnlyParameter},
    store::Parameter,
    value::{ParameterType, ParameterValue, ParameterVariant},
};
pub(crate) use self::{
    services::ParameterServices,
    store::{Changes, Parameters},
};
use crate::node::Node;

/// Declared by every node: whether its clock shows the time of `/clock`.
pub(crate) const USE_SIM_TIME: &str = "use_sim_time";

impl Node {
    /// A parameter of this node, to be declared.
    ///
    /// ```no_run
    /// use rosidl_buffer_zenoh::Node;
    ///
    /// let node = Node::new("camera")?;
    /// let rate = node.declare_parameter::<f64>("rate").default(30.0).range(1.0..=120.0).mandatory()?;
    /// println!("{} frames a second", rate.get());
    /// # Ok::<(), rosidl_buffer_zenoh::Error>(())
    /// ```
    pub fn declare_parameter<T: ParameterVariant>(&self, name: &str) -> ParameterBuilder<'_, T> {
        ParameterBuilder::new(self.parameters(), name)
    }

    /// Removes a parameter of dynamic type.
    ///
    /// # Errors
    /// When it is not declared, read-only, or of a fixed type.
    pub fn undeclare_parameter(&self, name: &str) -> Result<(), ParameterError> {
        self.parameters().undeclare(name)
    }

    /// Whether a parameter is declared.
    pub fn has_parameter(&self, name: &str) -> bool {
        self.parameters().get(name).is_ok()
    }

    /// The value of a declared parameter; `None` when it has none.
    ///
    /// # Errors
    /// When it is not declared.
    pub fn get_parameter(&self, name: &str) -> Result<Option<ParameterValue>, ParameterError> {
        self.parameters().get(name)
    }

    /// Changes one parameter, and tells the other nodes.
    ///
    /// # Errors
    /// When it is not declared or read-only, or the value is of another type, out of range or refused by a callback.
    pub fn set_parameter(
        &self,
        name: &str,
        value: impl Into<ParameterValue>,
    ) -> Result<(), ParameterError> {
        let parameter = Parameter::new(name, value);
        self.parameters().set_atomically(&[parameter])
    }

    /// Changes each parameter on its own; one result for each, in their order.
    pub fn set_parameters(&self, parameters: &[Parameter]) -> Vec<Result<(), ParameterError>> {
        let each = parameters.chunks(1);
        each.map(|one| self.parameters().set_atomically(one))
            .collect()
    }

    /// Changes all these parameters or none of them.
    ///
    /// # Errors
    /// As for [`Node::set_parameter`], for the first that cannot be changed.
    pub fn set_parameters_atomically(
        &self,
        parameters: &[Parameter],
    ) -> Result<(), ParameterError> {
        self.parameters().set_atomically(parameters)
    }

    /// What is known of a parameter besides its value.
    ///
    /// # Errors
    /// When it is not declared.
    pub fn describe_parameter(&self, name: &str) -> Result<ParameterDescriptor, ParameterError> {
        self.parameters().describe(name)
    }

    /// The names of the parameters that begin with one of `prefixes`, or of all when there are none; with at most `depth`
    /// parts after the prefix, 0 for any number.
    pub fn list_parameters(&self, prefixes: &[&str], depth: u64) -> ListParametersResult {
        let prefixes: Vec<String> = prefixes.iter().map(|&prefix| prefix.to_owned()).collect();
        self.parameters().list(&prefixes, depth)
    }

    /// Calls `callback` with values before they hold, from wherever they come, and refuses them when it returns an error: the
    /// reason, which the one who wanted the change is told. It ends when what is returned is dropped.
    ///
    /// The callback may read parameters, but not change any, and should be quick: while it looks at a change from another node, changes from
    /// other nodes wait, in all nodes of the context. So it waits in vain for one.
    ///
    /// ```no_run
    /// use rosidl_buffer_zenoh::Node;
    ///
    /// let node = Node::new("camera")?;
    /// let _check = node.add_on_set_parameters_callback(|parameters| {
    ///     match parameters.iter().find(|parameter| parameter.name == "serial") {
    ///         Some(_) => Err("the serial number is engraved".to_owned()),
    ///         None => Ok(()),
    ///     }
    /// });
    /// # Ok::<(), rosidl_buffer_zenoh::Error>(())
    /// ```
    #[must_use = "the callback ends when this is dropped"]
    pub fn add_on_set_parameters_callback(
        &self,
        callback: impl Fn(&[Parameter]) -> Result<(), String> + Send + Sync + 'static,
    ) -> OnSetParametersCallback {
        let parameters = Arc::clone(self.parameters());
        let id = parameters.add_check(Arc::new(callback));
        OnSetParametersCallback { parameters, id }
    }
}

/// A callback that looks at values before they hold; it ends when this is dropped.
pub struct OnSetParametersCallback {
    parameters: Arc<Parameters>,
    id: u64,
}

impl Drop for OnSetParametersCallback {
    fn drop(&mut self) {
        self.parameters.remove_check(self.id);
    }
}

impl std::fmt::Debug for OnSetParametersCallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnSetParametersCallback")
            .finish_non_exhaustive()
    }
}
