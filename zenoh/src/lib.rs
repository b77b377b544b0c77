//! ROS 2 nodes over Zenoh, compatible with `rmw_zenoh_cpp`: nodes, publishers, subscriptions, services, actions and
//! their clients for the messages of `rosidl_buffer_runtime`.
//!
//! A message travels under the key, with the attachment and the liveliness tokens that
//! ROS's own nodes use, so they see ours and ours see them. Nodes on one machine find each other without
//! a router and without configuration; a `rmw_zenohd` on `tcp/localhost:7447` is joined when there is one;
//! nothing listens beyond the loopback interface unless asked.
//!
//! ```no_run
//! use rosidl_buffer_runtime::BufferMessage;
//! use rosidl_buffer_zenoh::{Context, QosProfile};
//!
//! #[derive(Debug, Clone, PartialEq, BufferMessage)]
//! #[ros2(package = "std_msgs", name = "String")]
//! struct Text {
//!     data: String,
//! }
//!
//! let context = Context::new()?;
//! let talker = context.create_node("talker")?;
//! let listener = context.create_node("listener")?;
//! let publisher = talker.create_publisher::<Text>("chatter", QosProfile::default())?;
//! let subscription = listener.create_subscription::<Text>("chatter", QosProfile::default())?;
//! publisher.publish(&Text { data: "hello".to_owned() })?;
//! assert_eq!(subscription.recv()?.message.data, "hello");
//! # Ok::<(), rosidl_buffer_zenoh::Error>(())
//! ```
//!
//! # Within one context
//!
//! Subscriptions in the [`Context`] of the publisher get a clone of the message: no encoding, no copy of its buffers, no Zenoh, and
//! still in order with everything else and as deep a queue as the quality of service says. When nobody else is there,
//! nothing is encoded. [`PublisherOptions::use_intra_process`] and [`SubscriptionOptions::use_intra_process`] turn it off.
//! Messages with `transient_local` always go over Zenoh, which keeps them for late joiners.
//!
//! # Memory that processes share
//!
//! A buffer in shared memory (`rosidl_buffer_runtime::shm`) reaches a subscription on the same host where it lies: what travels is
//! a descriptor, on a channel of that subscription's own. Every other subscription gets the bytes. A message that nobody takes as a
//! descriptor goes under the topic's own key, once for all; one that somebody does goes under the channels' keys only, so a plain
//! Zenoh program without a ROS token, which reads the topic's own key alone, does not see it. Nothing has to be set for this;
//! [`SubscriptionOptions::acceptable_buffer_backends`], [`PublisherOptions::buffer_backend`] and [`ContextBuilder::backends`] set
//! something else. [`Publisher::connections`] and [`Subscription::connections`] tell how messages go to and come from each peer,
//! [`Publisher::stats`] and [`Subscription::stats`] count, and [`Fallback`] lists the reasons for bytes. A subscription that
//! turns out not to be able to take a memory is announced anew without it, and one that is sent memory which it did not ask for
//! asks for bytes alone; what it lost until then is counted and logged.
//!
//! [`Publisher::borrow_loaned_message`] lends memory to write a message into that the current subscriptions take as it is.
//!
//! With the feature `cuda` a context that asks for it (`ContextBuilder::cuda`) hands over memory of NVIDIA's GPUs in the same
//! way: subscriptions that accept it get the frame where it lies, and before all others; these get one copy in shared host memory, or
//! its bytes. A program with that feature also works without a GPU.
//!
//! # What every node has
//!
//! As other ROS 2 nodes: parameters, with the six services for them and `/parameter_events`; a [`Logger`] that speaks on `/rosout`;
//! a [`Clock`] that follows `/clock` when the parameter `use_sim_time` is true; and `get_type_description`. [`NodeBuilder`]
//! leaves out `/rosout`, the services for parameters, `/parameter_events` and `get_type_description`, each by itself.
//!
//! # Configuration
//!
//! - `--ros-args`: names, parameters and log levels, for a program that asks for them with [`Context::default_from_env`] or
//!   [`ContextBuilder::arguments`]; [`Arguments`] lists them. Without that a command line means nothing here.
//! - `ROS_DOMAIN_ID`, or [`NodeBuilder::domain_id`].
//! - `ZENOH_SESSION_CONFIG_URI`, or [`ContextBuilder::zenoh_config_file`]: a Zenoh configuration file in place of all
//!   defaults, so also of finding each other without a router, unless [`ContextBuilder::local_discovery`] is set.
//! - `ZENOH_CONFIG_OVERRIDE="key=value;key=value"`, or [`ContextBuilder::zenoh_setting`]: single settings.
//! - `ROS_AUTOMATIC_DISCOVERY_RANGE`, `ROS_STATIC_PEERS` and `ROS_LOCALHOST_ONLY`, or [`ContextBuilder::discovery_range`] and
//!   [`ContextBuilder::static_peers`]: see [`DiscoveryRange`]. `docs/security.md` in the repository says what is reachable
//!   with which, and how to ask for TLS and access control.
//!
//! # What is not here
//!
//! Deadline, lifespan and liveliness are told to the other nodes but not enforced, as in `rmw_zenoh_cpp`. The services inside
//! actions have no introspection; [`Client`] and [`Service`] do, by `configure_introspection`. Of the logging services (`get_logger_levels`, `set_logger_levels`), which ROS turns off by default,
//! there are none; wildcards in remap rules are refused, as in `rcl`.
#![forbid(unsafe_code)]

mod action;
mod announcement;
mod arguments;
mod builtin;
mod callback;
mod client;
mod clock;
mod connections;
mod counts;
mod error;
mod events;
mod failures;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod graph;
mod inbox;
mod info;
mod introspection;
pub mod key;
mod lane;
mod later;
mod ledger;
mod loan;
mod local;
mod node;
mod node_builder;
mod options;
mod parameters;
mod parcel;
mod payload;
mod publisher;
mod qos;
mod queue;
mod receiver;
mod reply;
mod requests;
mod rosout;
mod routes;
mod routing;
mod sender;
mod sending;
mod service;
mod session;
mod sim_time;
mod stats;
mod subscription;
mod time;
mod timer;
mod type_descriptions;
mod wait_set;
mod wakers;
mod worker;

pub use action::{
    ActionClient, ActionServer, ActionServerOptions, CancelResponse, ClientGoal, GoalHandle,
    GoalId, GoalResponse, GoalResult, GoalStatus,
};
pub use arguments::{ArgumentError, Arguments};
pub use callback::CallbackSubscription;
pub use client::Client;
pub use clock::{Clock, ClockSource, ClockType};
pub use connections::{Connection, Handover};
pub use error::{Error, Result};
pub use events::{CountStatus, Event, EventCallback, Events, IncompatibleQosStatus, MatchedStatus};
pub use graph::{EndpointInfo, Graph, IgnoredTokens, NamesAndTypes, NodeName};
pub use info::{MessageInfo, Received};
pub use introspection::ServiceIntrospection;
pub use loan::LoanedMessage;
pub use node::Node;
pub use node_builder::NodeBuilder;
pub use options::{PublisherOptions, SubscriptionOptions};
pub use parameters::{
    MandatoryParameter, OnSetParametersCallback, OptionalParameter, Parameter, ParameterBuilder,
    ParameterError, ParameterType, ParameterValue, ParameterVariant, ReadOnlyParameter,
};
pub use publisher::Publisher;
pub use qos::{
    Durability, History, Liveliness, QosPolicy, QosProfile, Reliability, check_compatible,
};
pub use reply::Call;
pub use requests::{RequestInfo, Responder, ServiceRequest, ServiceStats};
pub use rosout::{LogSeverity, Logger};
pub use service::{PolledService, Service};
pub use session::{Context, ContextBuilder, DiscoveryRange};
pub use stats::{Fallback, PublicationStats, PublisherStats, SubscriptionStats};
pub use subscription::Subscription;
pub use time::{Time, TimeRangeError};
pub use timer::Timer;
#[doc(hidden)]
pub use wait_set::Source;
pub use wait_set::{GuardCondition, WaitKey, WaitSet, Waitable};

pub use zenoh;
