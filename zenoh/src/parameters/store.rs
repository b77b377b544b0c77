//! The parameters of one node, without a network: what is declared, which values hold, and who may change them how.
//!
//! Changes happen one at a time, in the order in which [`Parameters::when_changed`] tells of them. Callbacks of the user's run
//! without the lock on the values, so they may read; a callback that wants to change something gets an error, not a deadlock.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    thread::ThreadId,
};

use rosidl_buffer_interfaces::rcl_interfaces::msg::{ListParametersResult, ParameterDescriptor};

use super::{ParameterError, ParameterType, ParameterValue, range};

/// A parameter by name, with the value that it has or shall have.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// The name, dots between its parts.
    pub name: String,
    /// The value; `None` when it is not set.
    pub value: Option<ParameterValue>,
}

impl Parameter {
    /// A parameter with a value.
    pub fn new(name: &str, value: impl Into<ParameterValue>) -> Self {
        Self {
            name: name.to_owned(),
            value: Some(value.into()),
        }
    }
}

/// What happened, as `/parameter_events` tells it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Changes {
    pub(crate) new: Vec<Parameter>,
    pub(crate) changed: Vec<Parameter>,
    pub(crate) deleted: Vec<Parameter>,
}

/// Looks at values before they hold, and refuses them by saying why.
type Check = Arc<dyn Fn(&[Parameter]) -> Result<(), String> + Send + Sync>;

type Listener = Box<dyn Fn(&Changes) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Parameters {
    entries: Mutex<BTreeMap<String, Entry>>,
    overrides: BTreeMap<String, ParameterValue>,
    checks: Mutex<Checks>,
    listener: OnceLock<Listener>,
    /// Held through a change, callbacks included.
    changing: Mutex<()>,
    changer: Mutex<Option<ThreadId>>,
}

#[derive(Clone)]
struct Entry {
    descriptor: ParameterDescriptor,
    value: Option<ParameterValue>,
}

#[derive(Default)]
struct Checks {
    next: u64,
    by_id: BTreeMap<u64, Check>,
}

/// How a parameter is declared, besides its descriptor.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Declaration {
    pub(super) ignore_override: bool,
    pub(super) needs_value: bool,
}

impl Parameters {
    /// No parameters yet; `overrides` are values from outside for those that will be declared.
    pub(crate) fn new(overrides: BTreeMap<String, ParameterValue>) -> Self {
        Self {
            overrides,
            ..Self::default()
        }
    }

    /// Says who is told of changes, once.
    pub(crate) fn when_changed(&self, listener: impl Fn(&Changes) + Send + Sync + 'static) {
        // Set by the one who makes the node; nobody else can.
        let _ = self.listener.set(Box::new(listener));
    }

    /// Declares a parameter. The value is the one from outside, else `default`.
    pub(super) fn declare(
        &self,
        descriptor: ParameterDescriptor,
        default: Option<ParameterValue>,
        declaration: Declaration,
    ) -> Result<Option<ParameterValue>, ParameterError> {
        let name = descriptor.name.clone();
        if name.is_empty() {
            return Err(ParameterError::EmptyName);
        }
        let change = self.begin()?;
        if lock(&self.entries).contains_key(&name) {
            return Err(ParameterError::AlreadyDeclared { name });
        }
        let from_outside = self.overrides.get(&name).cloned();
        let value = from_outside
            .filter(|_| !declaration.ignore_override)
            .or(default);
        if value.is_none() && declaration.needs_value {
            return Err(ParameterError::NoValue { name });
        }
        range::check_descriptor(&descriptor)?;
        let mut entry = Entry {
            descriptor,
            value: None,
        };
        let parameter = Parameter { name, value };
        if let Some(value) = &parameter.value {
            entry.check(value)?;
            self.ask(std::slice::from_ref(&parameter))?;
        }
        entry.put(parameter.value.clone());
        lock(&self.entries).insert(parameter.name.clone(), entry);
        let value = parameter.value.clone();
        change.end(&Changes {
            new: vec![parameter],
            ..Changes::default()
        });
        Ok(value)
    }

    /// Removes a parameter that is neither read-only nor of a fixed type.
    pub(super) fn undeclare(&self, name: &str) -> Result<(), ParameterError> {
        let change = self.begin()?;
        let mut entries = lock(&self.entries);
        let entry = entries.get(name).ok_or_else(|| not_declared(name))?;
        entry.check_removal()?;
        entries.remove(name);
        drop(entries);
        change.end(&Changes {
            deleted: vec![unset(name)],
            ..Changes::default()
        });
        Ok(())
    }

    /// Changes all these parameters or none of them. A parameter of dynamic type that gets no value is removed.
    pub(super) fn set_atomically(&self, parameters: &[Parameter]) -> Result<(), ParameterError> {
        let change = self.begin()?;
        {
            let entries = lock(&self.entries);
            for parameter in parameters {
                let name = &parameter.name;
                let entry = entries.get(name).ok_or_else(|| not_declared(name))?;
                if entry.descriptor.read_only {
                    return Err(ParameterError::ReadOnly { name: name.clone() });
                }
                match &parameter.value {
                    Some(value) => entry.check(value)?,
                    None => entry.check_removal()?,
                }
            }
        }
        self.ask(parameters)?;
        let mut changes = Changes::default();
        let mut entries = lock(&self.entries);
        for parameter in parameters {
            if parameter.value.is_none() {
                entries.remove(&parameter.name);
                changes.deleted.push(parameter.clone());
            } else if let Some(entry) = entries.get_mut(&parameter.name) {
                entry.put(parameter.value.clone());
                changes.changed.push(parameter.clone());
            }
        }
        drop(entries);
        if !parameters.is_empty() {
            change.end(&changes);
        }
        Ok(())
    }

    /// The value of a declared parameter; `None` when it has none.
    pub(super) fn get(&self, name: &str) -> Result<Option<ParameterValue>, ParameterError> {
        let entries = lock(&self.entries);
        let entry = entries.get(name).ok_or_else(|| not_declared(name))?;
        Ok(entry.value.clone())
    }

    pub(super) fn describe(&self, name: &str) -> Result<ParameterDescriptor, ParameterError> {
        let entries = lock(&self.entries);
        let entry = entries.get(name).ok_or_else(|| not_declared(name))?;
        Ok(entry.descriptor.clone())
    }

    /// The names that begin with one of `prefixes`, or all when there are none, with at most `depth` parts after the prefix; 0 for
    /// any number.
    pub(super) fn list(&self, prefixes: &[String], depth: u64) -> ListParametersResult {
        let is_near = |rest: &str| {
            let dots = rest.bytes().filter(|byte| *byte == b'.').count();
            depth == 0 || u64::try_from(dots).is_ok_and(|dots| dots < depth)
        };
        let below = |name: &str, prefix: &String| {
            let rest = name.strip_prefix(prefix.as_str());
            name == prefix
                || rest
                    .and_then(|rest| rest.strip_prefix('.'))
                    .is_some_and(is_near)
        };
        let mut result = ListParametersResult::default();
        for name in lock(&self.entries).keys() {
            let wanted = if prefixes.is_empty() {
                is_near(name)
            } else {
                prefixes.iter().any(|prefix| below(name, prefix))
            };
            if !wanted {
                continue;
            }
            result.names.push(name.clone());
            if let Some((prefix, _)) = name.rsplit_once('.')
                && !result.prefixes.iter().any(|known| known == prefix)
            {
                result.prefixes.push(prefix.to_owned());
            }
        }
        result
    }

    pub(super) fn add_check(&self, check: Check) -> u64 {
        let mut checks = lock(&self.checks);
        checks.next += 1;
        let id = checks.next;
        checks.by_id.insert(id, check);
        id
    }

    pub(super) fn remove_check(&self, id: u64) {
        let removed = lock(&self.checks).by_id.remove(&id);
        // What the callback owns goes without the lock.
        drop(removed);
    }

    /// Asks the callbacks, the newest first as in rclcpp; the first refusal holds.
    fn ask(&self, parameters: &[Parameter]) -> Result<(), ParameterError> {
        let checks: Vec<Check> = lock(&self.checks).by_id.values().rev().cloned().collect();
        for check in checks {
            check(parameters).map_err(|reason| ParameterError::Refused { reason })?;
        }
        Ok(())
    }

    fn begin(&self) -> Result<Change<'_>, ParameterError> {
        let this = std::thread::current().id();
        if *lock(&self.changer) == Some(this) {
            return Err(ParameterError::InCallback);
        }
        let guard = lock(&self.changing);
        *lock(&self.changer) = Some(this);
        Ok(Change {
            parameters: self,
            _guard: guard,
        })
    }
}

/// A change on its way, by this thread alone.
struct Change<'a> {
    parameters: &'a Parameters,
    _guard: MutexGuard<'a, ()>,
}

impl Change<'_> {
    fn end(self, changes: &Changes) {
        if let Some(listener) = self.parameters.listener.get() {
            listener(changes);
        }
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        *lock(&self.parameters.changer) = None;
    }
}

impl Entry {
    fn check(&self, value: &ParameterValue) -> Result<(), ParameterError> {
        let descriptor = &self.descriptor;
        let given = value.parameter_type();
        if !descriptor.dynamic_typing
            && let Some(expected) = ParameterType::from_u8(descriptor.type_)
            && expected != given
        {
            return Err(ParameterError::WrongType {
                name: descriptor.name.clone(),
                expected,
                given: value.clone(),
            });
        }
        range::check_value(descriptor, value)
    }

    fn check_removal(&self) -> Result<(), ParameterError> {
        let name = || self.descriptor.name.clone();
        if self.descriptor.read_only {
            Err(ParameterError::ReadOnly { name: name() })
        } else if !self.descriptor.dynamic_typing {
            Err(ParameterError::StaticallyTyped { name: name() })
        } else {
            Ok(())
        }
    }

    fn put(&mut self, value: Option<ParameterValue>) {
        if self.descriptor.dynamic_typing {
            let given = value.as_ref().map(ParameterValue::parameter_type);
            self.descriptor.type_ = given.map_or(0, ParameterType::to_u8);
        }
        self.value = value;
    }
}

fn not_declared(name: &str) -> ParameterError {
    let name = name.to_owned();
    ParameterError::NotDeclared { name }
}

fn unset(name: &str) -> Parameter {
    Parameter {
        name: name.to_owned(),
        value: None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
