//! The types that a node uses, and the service `~/get_type_description` that tells others of them.
//!
//! In: the type of each endpoint of the node, as long as there is one. Out: descriptions and sources, made when somebody
//! asks. As in ROS, a type is found by its hash and known only while it is used; types that it merely mentions are part of its
//! description and not found by themselves.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub(crate) use rosidl_buffer_interfaces::type_description_interfaces::srv::GetTypeDescription;
use rosidl_buffer_interfaces::type_description_interfaces::{
    msg,
    srv::{GetTypeDescription_Request, GetTypeDescription_Response},
};
use rosidl_buffer_runtime::{
    Action, BoundError, Message, Service, TypeDescription, TypeHash, TypeSource,
    type_description::{Field, FieldType, IndividualTypeDescription},
};

use crate::{error::Result, node::Node, qos::QosProfile, service::BuiltinService};

/// A type, and how to describe it.
#[derive(Clone, Copy)]
pub(crate) struct UsedType {
    pub(crate) name: &'static str,
    pub(crate) hash: TypeHash,
    describe: fn() -> (TypeDescription, Vec<TypeSource>),
}

impl UsedType {
    pub(crate) fn of_message<M: Message>() -> Self {
        Self {
            name: M::TYPE_NAME,
            hash: M::type_hash(),
            describe: || (M::type_description(), M::type_sources()),
        }
    }

    pub(crate) fn of_service<S: Service>() -> Self {
        Self {
            name: S::TYPE_NAME,
            hash: S::type_hash(),
            describe: || (S::type_description(), S::type_sources()),
        }
    }

    pub(crate) fn of_action<A: Action>() -> Self {
        Self {
            name: A::TYPE_NAME,
            hash: A::type_hash(),
            describe: || (A::type_description(), A::type_sources()),
        }
    }
}

/// The types that one node uses.
#[derive(Default)]
pub(crate) struct UsedTypes {
    types: Mutex<HashMap<TypeHash, (UsedType, usize)>>,
}

/// One use of a type.
pub(crate) struct TypeUse {
    types: Arc<UsedTypes>,
    hash: TypeHash,
}

impl UsedTypes {
    pub(crate) fn register(self: &Arc<Self>, used: UsedType) -> TypeUse {
        self.lock().entry(used.hash).or_insert((used, 0)).1 += 1;
        TypeUse {
            types: Arc::clone(self),
            hash: used.hash,
        }
    }

    fn find(&self, name: &str, hash: &str) -> Result<UsedType, String> {
        let hash: TypeHash = hash
            .parse()
            .map_err(|_| format!("{hash:?} is not a type hash: RIHS01_ and 64 digits"))?;
        match self.lock().get(&hash) {
            // ROS itself looks at the hash only.
            Some((used, _)) if name.is_empty() || name == used.name => Ok(*used),
            Some((used, _)) => Err(format!("the type with this hash is {}", used.name)),
            None => Err("this node uses no type with this hash".to_owned()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TypeHash, (UsedType, usize)>> {
        self.types.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TypeUse {
    fn drop(&mut self) {
        let mut types = self.types.lock();
        if let Some((_, uses)) = types.get_mut(&self.hash) {
            *uses -= 1;
            if *uses == 0 {
                types.remove(&self.hash);
            }
        }
    }
}

/// Starts the service.
pub(crate) fn serve(node: &Node) -> Result<BuiltinService<GetTypeDescription>> {
    let types = Arc::clone(node.types());
    let qos = QosProfile::services_default();
    BuiltinService::new(node, "~/get_type_description", qos, move |request, _| {
        answer(&types, &request)
    })
}

fn answer(types: &UsedTypes, request: &GetTypeDescription_Request) -> GetTypeDescription_Response {
    let described = types
        .find(&request.type_name, &request.type_hash)
        .and_then(|used| describe(used, request.include_type_sources).map_err(|e| e.to_string()));
    described.unwrap_or_else(|failure_reason| GetTypeDescription_Response {
        failure_reason,
        ..GetTypeDescription_Response::default()
    })
}

fn describe(used: UsedType, sources: bool) -> Result<GetTypeDescription_Response, BoundError> {
    let (description, all_sources) = (used.describe)();
    let referenced = description.referenced_type_descriptions.into_iter();
    Ok(GetTypeDescription_Response {
        successful: true,
        type_description: msg::TypeDescription {
            type_description: individual(description.type_description)?,
            referenced_type_descriptions: referenced.map(individual).collect::<Result<_, _>>()?,
        },
        type_sources: if sources {
            all_sources.into_iter().map(source).collect()
        } else {
            Vec::new()
        },
        ..GetTypeDescription_Response::default()
    })
}

fn source(source: TypeSource) -> msg::TypeSource {
    msg::TypeSource {
        type_name: source.type_name,
        encoding: source.encoding,
        raw_file_contents: source.raw_file_contents,
    }
}

/// Fails on names longer than the 255 bytes that the interface has room for.
fn individual(
    described: IndividualTypeDescription,
) -> Result<msg::IndividualTypeDescription, BoundError> {
    let fields = described.fields.into_iter();
    Ok(msg::IndividualTypeDescription {
        type_name: described.type_name.try_into()?,
        fields: fields.map(field).collect::<Result<_, _>>()?,
    })
}

fn field(field: Field) -> Result<msg::Field, BoundError> {
    let FieldType {
        type_id,
        capacity,
        string_capacity,
        nested_type_name,
    } = field.field_type;
    Ok(msg::Field {
        name: field.name,
        type_: msg::FieldType {
            type_id,
            capacity,
            string_capacity,
            nested_type_name: nested_type_name.try_into()?,
        },
        default_value: field.default_value,
    })
}
