//! Declaring a parameter step by step, and the handles that read and change it.

use std::{marker::PhantomData, ops::RangeInclusive, sync::Arc};

use rosidl_buffer_interfaces::rcl_interfaces::msg::{
    FloatingPointRange, IntegerRange, ParameterDescriptor,
};

use rosidl_buffer_runtime::BoundedSequence;

use super::{
    Parameter, ParameterError, ParameterType, ParameterValue, ParameterVariant, Parameters,
    store::Declaration,
};

/// A parameter before it is declared; made by [`Node::declare_parameter`](crate::Node::declare_parameter).
#[must_use = "nothing is declared before `mandatory`, `optional` or `read_only`"]
pub struct ParameterBuilder<'a, T> {
    parameters: &'a Arc<Parameters>,
    descriptor: ParameterDescriptor,
    default: Option<T>,
    ignore_override: bool,
}

impl<'a, T: ParameterVariant> ParameterBuilder<'a, T> {
    pub(super) fn new(parameters: &'a Arc<Parameters>, name: &str) -> Self {
        let descriptor = ParameterDescriptor {
            name: name.to_owned(),
            type_: T::TYPE.map_or(0, ParameterType::to_u8),
            dynamic_typing: T::TYPE.is_none(),
            ..ParameterDescriptor::default()
        };
        Self {
            parameters,
            descriptor,
            default: None,
            ignore_override: false,
        }
    }

    /// The value when none comes from outside.
    pub fn default(mut self, value: impl Into<T>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// What the parameter is for, in words that `ros2 param describe` shows.
    pub fn description(mut self, text: &str) -> Self {
        text.clone_into(&mut self.descriptor.description);
        self
    }

    /// What else holds for values, in words. A callback has to check it:
    /// [`Node::add_on_set_parameters_callback`](crate::Node::add_on_set_parameters_callback).
    pub fn constraints(mut self, text: &str) -> Self {
        text.clone_into(&mut self.descriptor.additional_constraints);
        self
    }

    /// Takes no value from the command line, from files or from the node's builder.
    pub fn ignore_override(mut self) -> Self {
        self.ignore_override = true;
        self
    }

    /// Declares a parameter that always has a value.
    ///
    /// # Errors
    /// When it has no value, is declared already, or its value is of another type, out of range or refused.
    pub fn mandatory(self) -> Result<MandatoryParameter<T>, ParameterError> {
        let (handle, value) = self.declare(true)?;
        let declared = value.ok_or_else(|| handle.no_value())?;
        Ok(MandatoryParameter { handle, declared })
    }

    /// Declares a parameter that may be without a value until it is set.
    ///
    /// # Errors
    /// As for [`ParameterBuilder::mandatory`], but it needs no value.
    pub fn optional(self) -> Result<OptionalParameter<T>, ParameterError> {
        let (handle, _) = self.declare(false)?;
        Ok(OptionalParameter { handle })
    }

    /// Declares a parameter whose value never changes after this.
    ///
    /// # Errors
    /// As for [`ParameterBuilder::mandatory`].
    pub fn read_only(mut self) -> Result<ReadOnlyParameter<T>, ParameterError> {
        self.descriptor.read_only = true;
        let (handle, value) = self.declare(true)?;
        let value = value.ok_or_else(|| handle.no_value())?;
        let name = handle.name;
        Ok(ReadOnlyParameter { name, value })
    }

    fn declare(self, needs_value: bool) -> Result<(Handle<T>, Option<T>), ParameterError> {
        let declaration = Declaration {
            ignore_override: self.ignore_override,
            needs_value,
        };
        let name = self.descriptor.name.clone();
        let default = self.default.map(Into::into);
        let value = self
            .parameters
            .declare(self.descriptor, default, declaration)?;
        let handle = Handle {
            parameters: Arc::clone(self.parameters),
            name,
            variant: PhantomData,
        };
        Ok((handle, value.and_then(|value| T::try_from(value).ok())))
    }
}

impl ParameterBuilder<'_, i64> {
    /// The smallest and the largest value.
    pub fn range(self, range: RangeInclusive<i64>) -> Self {
        self.range_with_step(range, 0)
    }

    /// The smallest and the largest value, and the distance between values, counted from the smallest; 0 for any.
    pub fn range_with_step(mut self, range: RangeInclusive<i64>, step: u64) -> Self {
        let (from_value, to_value) = range.into_inner();
        let range = IntegerRange {
            from_value,
            to_value,
            step,
        };
        self.descriptor.integer_range = BoundedSequence::try_from(vec![range]).unwrap_or_default();
        self
    }
}

impl ParameterBuilder<'_, f64> {
    /// The smallest and the largest value.
    pub fn range(self, range: RangeInclusive<f64>) -> Self {
        self.range_with_step(range, 0.0)
    }

    /// The smallest and the largest value, and the distance between values, counted from the smallest; 0 for any.
    pub fn range_with_step(mut self, range: RangeInclusive<f64>, step: f64) -> Self {
        let (from_value, to_value) = range.into_inner();
        let range = FloatingPointRange {
            from_value,
            to_value,
            step,
        };
        self.descriptor.floating_point_range =
            BoundedSequence::try_from(vec![range]).unwrap_or_default();
        self
    }
}

struct Handle<T> {
    parameters: Arc<Parameters>,
    name: String,
    variant: PhantomData<fn() -> T>,
}

impl<T: ParameterVariant> Handle<T> {
    fn get(&self) -> Option<T> {
        let value: ParameterValue = self.parameters.get(&self.name).ok()??;
        T::try_from(value).ok()
    }

    fn set(&self, value: T) -> Result<(), ParameterError> {
        let parameter = Parameter::new(&self.name, value);
        self.parameters.set_atomically(&[parameter])
    }
}

impl<T> Handle<T> {
    fn no_value(&self) -> ParameterError {
        ParameterError::NoValue {
            name: self.name.clone(),
        }
    }
}

/// A declared parameter that always has a value. It stays declared when the handle is dropped.
pub struct MandatoryParameter<T> {
    handle: Handle<T>,
    declared: T,
}

impl<T: ParameterVariant> MandatoryParameter<T> {
    /// The value now. After a parameter of dynamic type was removed, the value that it was declared with.
    pub fn get(&self) -> T {
        self.handle.get().unwrap_or_else(|| self.declared.clone())
    }

    /// Changes the value, and tells the other nodes.
    ///
    /// # Errors
    /// When it is out of range, or a callback refuses it.
    pub fn set(&self, value: impl Into<T>) -> Result<(), ParameterError> {
        self.handle.set(value.into())
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.handle.name
    }
}

/// A declared parameter that may be without a value. It stays declared when the handle is dropped.
pub struct OptionalParameter<T> {
    handle: Handle<T>,
}

impl<T: ParameterVariant> OptionalParameter<T> {
    /// The value now, if there is one.
    pub fn get(&self) -> Option<T> {
        self.handle.get()
    }

    /// Changes the value, and tells the other nodes.
    ///
    /// # Errors
    /// When it is out of range, or a callback refuses it.
    pub fn set(&self, value: impl Into<T>) -> Result<(), ParameterError> {
        self.handle.set(value.into())
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.handle.name
    }
}

/// A declared parameter whose value cannot change.
pub struct ReadOnlyParameter<T> {
    name: String,
    value: T,
}

impl<T: ParameterVariant> ReadOnlyParameter<T> {
    /// The value.
    pub fn get(&self) -> T {
        self.value.clone()
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<T: ParameterVariant + std::fmt::Debug> std::fmt::Debug for MandatoryParameter<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("MandatoryParameter");
        debug.field(self.name(), &self.get()).finish()
    }
}

impl<T: ParameterVariant + std::fmt::Debug> std::fmt::Debug for OptionalParameter<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("OptionalParameter");
        debug.field(self.name(), &self.get()).finish()
    }
}

impl<T: ParameterVariant + std::fmt::Debug> std::fmt::Debug for ReadOnlyParameter<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("ReadOnlyParameter");
        debug.field(&self.name, &self.value).finish()
    }
}
