//! The six services by which other nodes read and change a node's parameters.
//!
//! In: requests. Out: one answer for each name, in their order, as the definitions of the services say: a parameter that is not
//! declared is one that is not set. Nothing from outside declares a parameter, so nobody can make the table grow.

use std::sync::Arc;

use rosidl_buffer_interfaces::rcl_interfaces::{
    msg,
    srv::{
        DescribeParameters, DescribeParameters_Response, GetParameterTypes,
        GetParameterTypes_Response, GetParameters, GetParameters_Response, ListParameters,
        ListParameters_Response, SetParameters, SetParameters_Response, SetParametersAtomically,
        SetParametersAtomically_Response,
    },
};
use rosidl_buffer_runtime::Service;

use super::{Parameter, ParameterError, ParameterValue, Parameters, value::to_message};
use crate::{error::Result, node::Node, qos::QosProfile, service::BuiltinService};

/// The services of one node; they end when this is dropped.
pub(crate) struct ParameterServices {
    _get: BuiltinService<GetParameters>,
    _get_types: BuiltinService<GetParameterTypes>,
    _set: BuiltinService<SetParameters>,
    _set_atomically: BuiltinService<SetParametersAtomically>,
    _describe: BuiltinService<DescribeParameters>,
    _list: BuiltinService<ListParameters>,
}

impl ParameterServices {
    pub(crate) fn new(bare: &Node) -> Result<Self> {
        Ok(Self {
            _get: serve::<GetParameters>(bare, "~/get_parameters", |parameters, request| {
                let names = request.names.into_iter();
                let values = names.map(|name| to_message(value(parameters, &name).as_ref()));
                GetParameters_Response {
                    values: values.collect(),
                }
            })?,
            _get_types: serve::<GetParameterTypes>(
                bare,
                "~/get_parameter_types",
                |parameters, request| {
                    let number = |name: String| {
                        value(parameters, &name).map_or(0, |value| value.parameter_type().to_u8())
                    };
                    GetParameterTypes_Response {
                        types: request.names.into_iter().map(number).collect(),
                    }
                },
            )?,
            _set: serve_checked::<SetParameters>(
                bare,
                "~/set_parameters",
                |parameters, request| {
                    let set = |wanted: msg::Parameter| {
                        result(
                            from_message(wanted).and_then(|one| parameters.set_atomically(&[one])),
                        )
                    };
                    SetParameters_Response {
                        results: request.parameters.into_iter().map(set).collect(),
                    }
                },
            )?,
            _set_atomically: serve_checked::<SetParametersAtomically>(
                bare,
                "~/set_parameters_atomically",
                |parameters, request| {
                    let wanted = request.parameters.into_iter().map(from_message);
                    let wanted: std::result::Result<Vec<_>, _> = wanted.collect();
                    SetParametersAtomically_Response {
                        result: result(
                            wanted.and_then(|wanted| parameters.set_atomically(&wanted)),
                        ),
                    }
                },
            )?,
            _describe: serve::<DescribeParameters>(
                bare,
                "~/describe_parameters",
                |parameters, request| {
                    let describe = |name: String| {
                        parameters
                            .describe(&name)
                            .unwrap_or_else(|_| msg::ParameterDescriptor {
                                name,
                                ..msg::ParameterDescriptor::default()
                            })
                    };
                    DescribeParameters_Response {
                        descriptors: request.names.into_iter().map(describe).collect(),
                    }
                },
            )?,
            _list: serve::<ListParameters>(bare, "~/list_parameters", |parameters, request| {
                ListParameters_Response {
                    result: parameters.list(&request.prefixes, request.depth),
                }
            })?,
        })
    }
}

fn serve<S: Service>(
    bare: &Node,
    name: &str,
    answer: impl Fn(&Parameters, S::Request) -> S::Response + Send + 'static,
) -> Result<BuiltinService<S>> {
    let parameters = Arc::clone(bare.parameters());
    let qos = QosProfile::parameters();
    BuiltinService::new(bare, name, qos, move |request, _| {
        answer(&parameters, request)
    })
}

/// As [`serve`], for what calls functions of the user's.
fn serve_checked<S: Service>(
    bare: &Node,
    name: &str,
    answer: impl Fn(&Parameters, S::Request) -> S::Response + Send + 'static,
) -> Result<BuiltinService<S>> {
    let parameters = Arc::clone(bare.parameters());
    let qos = QosProfile::parameters();
    BuiltinService::with_callbacks(bare, name, qos, move |request, _| {
        answer(&parameters, request)
    })
}

fn value(parameters: &Parameters, name: &str) -> Option<ParameterValue> {
    parameters.get(name).ok().flatten()
}

fn from_message(parameter: msg::Parameter) -> std::result::Result<Parameter, ParameterError> {
    let name = parameter.name;
    match ParameterValue::from_message(parameter.value) {
        Ok(value) => Ok(Parameter { name, value }),
        Err(number) => Err(ParameterError::UnknownType { name, number }),
    }
}

fn result(done: std::result::Result<(), ParameterError>) -> msg::SetParametersResult {
    msg::SetParametersResult {
        successful: done.is_ok(),
        reason: match done {
            Ok(()) => String::new(),
            // What the node's author wrote, without our words around it.
            Err(ParameterError::Refused { reason }) => reason,
            Err(error) => error.to_string(),
        },
    }
}
