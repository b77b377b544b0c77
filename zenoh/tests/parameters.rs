//! Parameters of a node, from here and from other nodes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::Arc;

use common::{SOON, builder, domain, eventually};
use rosidl_buffer_interfaces::rcl_interfaces::{
    msg::{self, ParameterEvent},
    srv::{
        DescribeParameters, DescribeParameters_Request, GetParameterTypes,
        GetParameterTypes_Request, GetParameters, GetParameters_Request, ListParameters,
        ListParameters_Request, SetParameters, SetParameters_Request, SetParametersAtomically,
        SetParametersAtomically_Request,
    },
};
use rosidl_buffer_runtime::Service;
use rosidl_buffer_zenoh::{
    Arguments, Context, Error, Node, Parameter, ParameterError, ParameterType, ParameterValue,
    QosProfile,
};

fn context(test: u32) -> Context {
    builder(domain(test)).build().unwrap()
}

/// Calls a service of the node `server`.
fn call<S: Service>(node: &Node, name: &str, request: &S::Request) -> S::Response {
    let name = format!("/server/{name}");
    let client = node
        .create_client::<S>(&name, QosProfile::parameters())
        .unwrap();
    assert!(client.wait_for_service(SOON), "{name}");
    client.call(request, SOON).unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn integer(name: &str, value: i64) -> msg::Parameter {
    msg::Parameter {
        name: name.to_owned(),
        value: msg::ParameterValue {
            type_: ParameterType::Integer.to_u8(),
            integer_value: value,
            ..msg::ParameterValue::default()
        },
    }
}

#[test]
fn values_come_from_the_builder_before_arguments_before_defaults() {
    let line = "p --ros-args -p a:=1 -p b:=1 -p c:=1 -p other:a:=9 -p wrong:=1.5";
    let global = Arguments::from_args(line.split(' ')).unwrap();
    let context = builder(domain(0)).arguments(global).build().unwrap();
    let own = Arguments::from_args("p --ros-args -p b:=2 -p c:=2".split(' ')).unwrap();
    let node = context.node_builder("node").arguments(own);
    let node = node.parameter_overrides([("c", 3)]).build().unwrap();
    let declare = |name| node.declare_parameter::<i64>(name).default(0);
    assert_eq!(declare("a").mandatory().unwrap().get(), 1);
    assert_eq!(declare("b").mandatory().unwrap().get(), 2);
    assert_eq!(declare("c").mandatory().unwrap().get(), 3);
    assert_eq!(declare("d").mandatory().unwrap().get(), 0);
    let wrong = declare("wrong").mandatory().unwrap_err();
    assert!(matches!(wrong, ParameterError::WrongType { .. }), "{wrong}");
    let empty = node
        .declare_parameter::<String>("empty")
        .optional()
        .unwrap();
    assert_eq!(empty.get(), None);
    empty.set("full").unwrap();
    assert_eq!(empty.get().as_deref(), Some("full"));
    let fixed = node
        .declare_parameter::<bool>("fixed")
        .default(true)
        .read_only()
        .unwrap();
    assert!(fixed.get() && node.set_parameter("fixed", false).is_err());
}

#[test]
fn an_argument_that_use_sim_time_cannot_take_is_an_error() {
    let own = Arguments::from_args("p --ros-args -p use_sim_time:=1".split(' ')).unwrap();
    let node = context(1).node_builder("node").arguments(own).build();
    let error = node.unwrap_err();
    assert!(
        matches!(error, Error::Parameter(ParameterError::WrongType { .. })),
        "{error}"
    );
}

#[test]
fn other_nodes_read_and_describe() {
    let context = context(2);
    let server = context.create_node("server").unwrap();
    let rate = server.declare_parameter::<i64>("camera.rate").default(30);
    let _rate = rate
        .range_with_step(0..=60, 10)
        .description("frames a second")
        .mandatory()
        .unwrap();
    let _unset = server
        .declare_parameter::<f64>("camera.gain")
        .optional()
        .unwrap();
    let peer = context.create_node("peer").unwrap();
    let asked = names(&["camera.rate", "nobody", "camera.gain", "use_sim_time"]);
    let request = GetParameters_Request {
        names: asked.clone(),
    };
    let values = call::<GetParameters>(&peer, "get_parameters", &request).values;
    let types: Vec<u8> = values.iter().map(|value| value.type_).collect();
    assert_eq!((types, values[0].integer_value), (vec![2, 0, 0, 1], 30));
    let request = GetParameterTypes_Request {
        names: asked.clone(),
    };
    let types = call::<GetParameterTypes>(&peer, "get_parameter_types", &request).types;
    assert_eq!(types.as_slice(), Some(&[2, 0, 0, 1][..]));
    let request = DescribeParameters_Request { names: asked };
    let described = call::<DescribeParameters>(&peer, "describe_parameters", &request).descriptors;
    assert_eq!(described.len(), 4);
    assert_eq!(described[0].description, "frames a second");
    assert_eq!(described[0].integer_range[0].step, 10);
    assert_eq!(
        (described[1].name.as_str(), described[1].type_),
        ("nobody", 0)
    );
    let request = ListParameters_Request {
        prefixes: names(&["camera"]),
        depth: 0,
    };
    let listed = call::<ListParameters>(&peer, "list_parameters", &request).result;
    assert_eq!(listed.names, ["camera.gain", "camera.rate"]);
    assert_eq!(listed.prefixes, ["camera"]);
}

#[test]
fn other_nodes_change_what_they_may() {
    let context = context(3);
    let server = context.create_node("server").unwrap();
    let a = server
        .declare_parameter::<i64>("a")
        .default(1)
        .range(0..=9)
        .mandatory()
        .unwrap();
    let b = server
        .declare_parameter::<i64>("b")
        .default(1)
        .mandatory()
        .unwrap();
    let check = server.add_on_set_parameters_callback(|wanted| {
        let seven = Some(ParameterValue::Integer(7));
        let wants_seven = wanted.iter().any(|one| one.value == seven);
        if wants_seven {
            Err("not 7".to_owned())
        } else {
            Ok(())
        }
    });
    let peer = context.create_node("peer").unwrap();
    let mut odd = integer("a", 2);
    odd.value.type_ = 200;
    let parameters = vec![
        integer("a", 3),
        integer("a", 10),
        integer("b", 7),
        integer("nobody", 1),
        odd,
        msg::Parameter {
            name: "b".to_owned(),
            ..msg::Parameter::default()
        },
        integer("b", 2),
    ];
    let request = SetParameters_Request { parameters };
    let results = call::<SetParameters>(&peer, "set_parameters", &request).results;
    let reasons: Vec<&str> = results
        .iter()
        .map(|result| result.reason.as_str())
        .collect();
    let successful: Vec<bool> = results.iter().map(|result| result.successful).collect();
    assert_eq!(
        successful,
        [true, false, false, false, false, false, true],
        "{reasons:?}"
    );
    for (reason, said) in reasons.iter().zip([
        "",
        "from 0 to 9",
        "not 7",
        "not declared",
        "no parameter type 200",
        "fixed",
        "",
    ]) {
        assert!(
            reason.contains(said) && reason.is_empty() == said.is_empty(),
            "{reasons:?}"
        );
    }
    assert_eq!((a.get(), b.get()), (3, 2));
    let atomically = |parameters| {
        let request = SetParametersAtomically_Request { parameters };
        call::<SetParametersAtomically>(&peer, "set_parameters_atomically", &request).result
    };
    assert!(!atomically(vec![integer("a", 4), integer("b", 7)]).successful);
    assert_eq!((a.get(), b.get()), (3, 2));
    drop(check);
    assert!(atomically(vec![integer("a", 4), integer("b", 7)]).successful);
    assert_eq!((a.get(), b.get()), (4, 7));
}

#[test]
fn changes_are_told_to_everybody() {
    let context = context(4);
    let listener = context.create_node("listener").unwrap();
    let events = listener
        .create_subscription::<ParameterEvent>("/parameter_events", QosProfile::parameter_events())
        .unwrap();
    let node = context
        .node_builder("server")
        .namespace("ns")
        .build()
        .unwrap();
    let next = || loop {
        let event = events.recv_timeout(SOON).unwrap().unwrap().message;
        // What a node declares by itself may come before.
        if !event
            .new_parameters
            .iter()
            .any(|one| one.name == "use_sim_time")
        {
            return event;
        }
    };
    eventually("both publishers are known", || {
        events.publisher_count() == 2
    });
    let any = node
        .declare_parameter::<ParameterValue>("any")
        .default(1)
        .mandatory()
        .unwrap();
    let event = next();
    assert_eq!(event.node, "/ns/server");
    assert_eq!(event.new_parameters, [integer("any", 1)]);
    any.set("text").unwrap();
    let event = next();
    assert_eq!(event.changed_parameters[0].value.string_value, "text");
    assert!(event.new_parameters.is_empty() && event.stamp.sec > 1_600_000_000);
    let unset = Parameter {
        name: "any".to_owned(),
        value: None,
    };
    node.set_parameters_atomically(&[unset]).unwrap();
    assert_eq!(next().deleted_parameters[0].name, "any");
    assert!(!node.has_parameter("any"));
}

#[test]
fn services_and_events_end_with_the_node_and_can_be_left_out() {
    let context = context(5);
    let peer = context.create_node("peer").unwrap();
    let without = context
        .node_builder("server")
        .start_parameter_services(false);
    let without = without
        .start_parameter_event_publisher(false)
        .build()
        .unwrap();
    let client =
        peer.create_client::<ListParameters>("/server/list_parameters", QosProfile::parameters());
    let client = client.unwrap();
    assert!(!client.service_is_ready());
    drop(without);
    let server = context.create_node("server").unwrap();
    // A handle of a parameter does not keep the node.
    let parameter = server
        .declare_parameter::<i64>("a")
        .default(1)
        .mandatory()
        .unwrap();
    let second = server.clone();
    drop(server);
    assert!(client.wait_for_service(SOON));
    drop(second);
    eventually("the service is gone", || !client.service_is_ready());
    parameter.set(2).unwrap();
    assert_eq!(parameter.get(), 2);
}

#[test]
fn many_threads_change_at_once() {
    let node = Arc::new(context(6).create_node("server").unwrap());
    let count = node
        .declare_parameter::<i64>("count")
        .default(0)
        .mandatory()
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let node = &node;
            scope.spawn(move || {
                for step in 0..50 {
                    node.set_parameter("count", thread * 100 + step).unwrap();
                }
            });
        }
    });
    assert_eq!(count.get() % 100, 49);
}
