//! Model → type descriptions, from which the type hashes come.
//!
//! Services and actions are described with the types that ROS 2 adds to their parts: the fields, names
//! and their order are those of `rosidl_parser` (`definition.py`), which hashes depend on.

use std::collections::{BTreeMap, BTreeSet};

use rosidl_type_description::{
    Field, FieldType as DescribedType, IndividualTypeDescription, TypeDescription, TypeHash,
    python, type_id,
};

use crate::{
    model::{BasicType, FieldType, Interfaces, Message, Value, ValueType},
    name::{InterfaceName, Kind},
};

/// The member that ROS 2 gives a message without fields.
const EMPTY_MEMBER: &str = "structure_needs_at_least_one_member";

/// The descriptions of all types, those that ROS 2 adds included.
#[derive(Debug, Default)]
pub(crate) struct Descriptions {
    types: BTreeMap<InterfaceName, Described>,
}

#[derive(Debug)]
struct Described {
    own: IndividualTypeDescription,
    /// All that the type refers to, directly or not.
    closure: BTreeSet<InterfaceName>,
}

impl Descriptions {
    pub(crate) fn of(interfaces: &Interfaces) -> Self {
        let mut descriptions = Self::default();
        for name in &interfaces.order {
            if let Some(message) = interfaces.messages.get(name) {
                let references =
                    message
                        .fields
                        .iter()
                        .filter_map(|field| match field.field_type.value_type() {
                            ValueType::Namespaced(target) => Some(target.clone()),
                            _ => None,
                        });
                descriptions.add(name.clone(), fields(message), references.collect());
            }
        }
        for name in interfaces.declarations.keys() {
            match name.kind() {
                Kind::Msg => {}
                Kind::Srv => descriptions.add_service(name),
                Kind::Action => descriptions.add_action(name),
            }
        }
        descriptions
    }

    /// The names of all types.
    pub(crate) fn names(&self) -> impl Iterator<Item = &InterfaceName> {
        self.types.keys()
    }

    /// The description of a type with all that it refers to.
    pub(crate) fn get(&self, name: &InterfaceName) -> Option<TypeDescription> {
        let described = self.types.get(name)?;
        let referenced = described.closure.iter();
        let referenced = referenced.filter_map(|name| Some(self.types.get(name)?.own.clone()));
        Some(TypeDescription::new(described.own.clone(), referenced))
    }

    pub(crate) fn hash(&self, name: &InterfaceName) -> Option<TypeHash> {
        Some(self.get(name)?.type_hash())
    }

    /// All that a type refers to, directly or not.
    pub(crate) fn references(&self, name: &InterfaceName) -> impl Iterator<Item = &InterfaceName> {
        let described = self.types.get(name).into_iter();
        described.flat_map(|described| &described.closure)
    }

    /// Adds a type; what it refers to was added before.
    fn add(&mut self, name: InterfaceName, fields: Vec<Field>, references: Vec<InterfaceName>) {
        let mut closure = BTreeSet::new();
        for target in references {
            if let Some(described) = self.types.get(&target) {
                closure.extend(described.closure.iter().cloned());
            }
            closure.insert(target);
        }
        let own = IndividualTypeDescription {
            type_name: name.to_string(),
            fields,
        };
        self.types.insert(name, Described { own, closure });
    }

    /// Adds a type all of whose fields are of types that have a name.
    fn add_of(&mut self, name: &InterfaceName, fields: &[(&str, Of)]) {
        let references = fields.iter().filter_map(|(_, of)| match of {
            Of::Type(target) | Of::AtMostOne(target) => Some(target.clone()),
            Of::Basic(_) => None,
        });
        let references = references.collect();
        let fields = fields.iter().map(|(name, of)| field(name, of.describe()));
        self.add(name.clone(), fields.collect(), references);
    }

    /// The event of a service and the service itself.
    fn add_service(&mut self, name: &InterfaceName) {
        let [request, response, event] = ["_Request", "_Response", "_Event"].map(|s| name.with(s));
        self.add_of(
            &event,
            &[
                ("info", Of::Type(InterfaceName::event_info())),
                ("request", Of::AtMostOne(request.clone())),
                ("response", Of::AtMostOne(response.clone())),
            ],
        );
        self.add_of(
            name,
            &[
                ("request_message", Of::Type(request)),
                ("response_message", Of::Type(response)),
                ("event_message", Of::Type(event)),
            ],
        );
    }

    /// The services and the message of an action, and the action itself.
    fn add_action(&mut self, name: &InterfaceName) {
        let [goal, result, feedback] = ["_Goal", "_Result", "_Feedback"].map(|s| name.with(s));
        let (send_goal, get_result) = (name.with("_SendGoal"), name.with("_GetResult"));
        let message = name.with("_FeedbackMessage");
        let goal_id = || ("goal_id", Of::Type(InterfaceName::goal_id()));
        self.add_of(
            &send_goal.with("_Request"),
            &[goal_id(), ("goal", Of::Type(goal.clone()))],
        );
        self.add_of(
            &send_goal.with("_Response"),
            &[
                ("accepted", Of::Basic(type_id::BOOLEAN)),
                ("stamp", Of::Type(InterfaceName::time())),
            ],
        );
        self.add_service(&send_goal);
        self.add_of(&get_result.with("_Request"), &[goal_id()]);
        self.add_of(
            &get_result.with("_Response"),
            &[
                ("status", Of::Basic(type_id::INT8)),
                ("result", Of::Type(result.clone())),
            ],
        );
        self.add_service(&get_result);
        self.add_of(
            &message,
            &[goal_id(), ("feedback", Of::Type(feedback.clone()))],
        );
        self.add_of(
            name,
            &[
                ("goal", Of::Type(goal)),
                ("result", Of::Type(result)),
                ("feedback", Of::Type(feedback)),
                ("send_goal_service", Of::Type(send_goal)),
                ("get_result_service", Of::Type(get_result)),
                ("feedback_message", Of::Type(message)),
            ],
        );
    }
}

/// The type of a field that ROS 2 adds.
enum Of {
    Basic(u8),
    Type(InterfaceName),
    /// A sequence that is empty or holds one.
    AtMostOne(InterfaceName),
}

impl Of {
    fn describe(&self) -> DescribedType {
        match self {
            Self::Basic(id) => plain(*id),
            Self::Type(name) => nested(name),
            Self::AtMostOne(name) => DescribedType {
                type_id: type_id::NESTED_TYPE + type_id::BOUNDED_SEQUENCE_OFFSET,
                capacity: 1,
                ..nested(name)
            },
        }
    }
}

fn fields(message: &Message) -> Vec<Field> {
    if message.fields.is_empty() {
        return vec![field(EMPTY_MEMBER, plain(type_id::UINT8))];
    }
    let fields = message.fields.iter();
    fields
        .map(|described| Field {
            default_value: described
                .default
                .as_ref()
                .map_or_else(String::new, default_value),
            ..field(&described.name, describe_type(&described.field_type))
        })
        .collect()
}

/// A default value as Python prints it.
fn default_value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => python::tuple(items.iter().map(|item| match item {
            Value::String(text) => python::string_repr(text),
            other => default_value(other),
        })),
        Value::Boolean(truth) => python::boolean(*truth).to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => python::float(*number),
    }
}

fn field(name: &str, field_type: DescribedType) -> Field {
    Field {
        name: name.to_owned(),
        field_type,
        default_value: String::new(),
    }
}

fn describe_type(field_type: &FieldType) -> DescribedType {
    let mut described = match field_type.value_type() {
        ValueType::Basic(basic) => plain(basic_id(*basic)),
        ValueType::String => plain(type_id::STRING),
        ValueType::WString => plain(type_id::WSTRING),
        ValueType::BoundedString(bound) => DescribedType {
            string_capacity: *bound,
            ..plain(type_id::BOUNDED_STRING)
        },
        ValueType::BoundedWString(bound) => DescribedType {
            string_capacity: *bound,
            ..plain(type_id::BOUNDED_WSTRING)
        },
        ValueType::Namespaced(name) => nested(name),
    };
    let (offset, capacity) = match field_type {
        FieldType::Single(_) => (0, 0),
        FieldType::Array(_, length) => (type_id::ARRAY_OFFSET, *length),
        FieldType::BoundedSequence(_, bound) => (type_id::BOUNDED_SEQUENCE_OFFSET, *bound),
        FieldType::UnboundedSequence(_) => (type_id::UNBOUNDED_SEQUENCE_OFFSET, 0),
    };
    described.type_id += offset;
    described.capacity = capacity;
    described
}

fn nested(name: &InterfaceName) -> DescribedType {
    DescribedType {
        nested_type_name: name.to_string(),
        ..plain(type_id::NESTED_TYPE)
    }
}

fn plain(type_id: u8) -> DescribedType {
    DescribedType {
        type_id,
        ..DescribedType::default()
    }
}

fn basic_id(basic: BasicType) -> u8 {
    match basic {
        BasicType::Boolean => type_id::BOOLEAN,
        BasicType::IdlChar => type_id::CHAR,
        BasicType::IdlWchar => type_id::WCHAR,
        BasicType::Byte => type_id::BYTE,
        // A `char` of ROS 1 is an old word for `uint8`.
        BasicType::Char | BasicType::Uint8 => type_id::UINT8,
        BasicType::Int8 => type_id::INT8,
        BasicType::Int16 => type_id::INT16,
        BasicType::Uint16 => type_id::UINT16,
        BasicType::Int32 => type_id::INT32,
        BasicType::Uint32 => type_id::UINT32,
        BasicType::Int64 => type_id::INT64,
        BasicType::Uint64 => type_id::UINT64,
        BasicType::Float => type_id::FLOAT,
        BasicType::Double => type_id::DOUBLE,
    }
}
