//! Model → type descriptions, from which the type hashes come.
//!
//! Default values are left out: they are not part of the hash, and at run time the types describe
//! themselves.

use std::collections::{BTreeMap, BTreeSet};

use rosidl_type_description::{
    Field, FieldType as DescribedType, IndividualTypeDescription, TypeDescription, TypeHash,
    type_id,
};

use crate::{
    model::{BasicType, FieldType, Interfaces, Message, ValueType},
    name::InterfaceName,
};

/// The member that ROS 2 gives a message without fields.
const EMPTY_MEMBER: &str = "structure_needs_at_least_one_member";

/// The type hash of each message.
pub(crate) fn type_hashes(interfaces: &Interfaces) -> BTreeMap<InterfaceName, TypeHash> {
    let mut individual = BTreeMap::new();
    // All that a message refers to, directly or not.
    let mut closures: BTreeMap<&InterfaceName, BTreeSet<&InterfaceName>> = BTreeMap::new();
    let mut hashes = BTreeMap::new();
    for name in &interfaces.order {
        let Some(message) = interfaces.messages.get(name) else {
            continue;
        };
        let mut closure = BTreeSet::new();
        for field in &message.fields {
            if let ValueType::Namespaced(target) = field.field_type.value_type()
                && closure.insert(target)
            {
                closure.extend(closures.get(target).into_iter().flatten());
            }
        }
        individual.insert(name, describe(message));
        let referenced = closure
            .iter()
            .filter_map(|name| individual.get(name).cloned());
        let top = individual[name].clone();
        hashes.insert(
            name.clone(),
            TypeDescription::new(top, referenced).type_hash(),
        );
        closures.insert(name, closure);
    }
    hashes
}

fn describe(message: &Message) -> IndividualTypeDescription {
    let mut fields: Vec<_> = message
        .fields
        .iter()
        .map(|field| Field {
            name: field.name.clone(),
            field_type: describe_type(&field.field_type),
            default_value: String::new(),
        })
        .collect();
    if fields.is_empty() {
        fields.push(Field {
            name: EMPTY_MEMBER.to_owned(),
            field_type: DescribedType {
                type_id: type_id::UINT8,
                ..DescribedType::default()
            },
            default_value: String::new(),
        });
    }
    IndividualTypeDescription {
        type_name: message.name.to_string(),
        fields,
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
        ValueType::Namespaced(name) => DescribedType {
            nested_type_name: name.to_string(),
            ..plain(type_id::NESTED_TYPE)
        },
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
