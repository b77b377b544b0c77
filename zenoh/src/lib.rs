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
//! # Memory that processes share
//!
//! A buffer in shared memory (`rosidl_buffer_runtime::shm`) reaches a subscription on the same host where it lies: what travels is
//! a descriptor, on a channel of that subscription's own. Every other subscription gets the bytes. A message that nobody takes as a
//! descriptor goes under the topic's own key, once for all; one that somebody does goes under the channels' keys only, so a plain
//! Zenoh program without a ROS token, which reads the topic's own key alone, does not see it. Nothing has to be set for this;
//! [`SubscriptionOptions::acceptable_buffer_backends`] and [`ContextBuilder::backends`] set something else,
//! [`Publisher::stats`] and [`Subscription::stats`] count, and [`Fallback`] lists the reasons for bytes.
//!
//! With the feature `cuda` a context that asks for it (`ContextBuilder::cuda`) hands over memory of NVIDIA's GPUs in the same
//! way: subscriptions that accept it get the frame where it lies, and before all others; these get one copy in shared host memory, or
//! its bytes. A program with that feature also works without a GPU.
//!
//! # What every node has
//!
//! As other ROS 2 nodes: parameters, with the six services for them and `/parameter_events`; a [`Logger`] that speaks on `/rosout`;
//! a [`Clock`] that follows `/clock` when the parameter `use_sim_time` is true; and `get_type_description`. [`NodeBuilder`]
//! leaves each of it out.
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
//! Deadline, lifespan and liveliness are told to the other nodes but not enforced, as in `rmw_zenoh_cpp`. Events of service
//! introspection (`_service_event`) are not published. Of the logging services
//! (`get_logger_levels`, `set_logger_levels`), which ROS turns off by default, there are none; wildcards in remap rules are
//! refused, as in `rcl`.
#![forbid(unsafe_code)]

mod action;
mod arguments;
mod builtin;
mod client;
mod clock;
mod error;
mod events;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod graph;
mod inbox;
mod info;
pub mod key;
mod later;
mod node;
mod node_builder;
mod options;
mod parameters;
mod publisher;
mod qos;
mod queue;
mod reply;
mod requests;
mod rosout;
mod routes;
mod routing;
mod sender;
mod service;
mod session;
mod sim_time;
mod subscription;
mod time;
mod timer;
mod type_descriptions;
mod worker;

pub use action::{
    ActionClient, ActionServer, ActionServerOptions, CancelResponse, ClientGoal, GoalHandle,
    GoalId, GoalResponse, GoalResult, GoalStatus,
};
pub use arguments::{ArgumentError, Arguments};
pub use client::Client;
pub use clock::{Clock, ClockSource, ClockType};
pub use error::{Error, Result};
pub use events::{CountStatus, Event, EventCallback, Events, IncompatibleQosStatus, MatchedStatus};
pub use graph::{EndpointInfo, Graph, IgnoredTokens, NamesAndTypes, NodeName};
pub use info::{
    Fallback, MessageInfo, PublicationStats, PublisherStats, Received, SubscriptionStats,
};
pub use node::Node;
pub use node_builder::NodeBuilder;
pub use options::SubscriptionOptions;
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
pub use subscription::{CallbackSubscription, Subscription};
pub use time::{Time, TimeRangeError};
pub use timer::Timer;

pub use zenoh;
