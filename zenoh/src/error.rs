//! What can go wrong with a node, a publisher or a subscription. Every error says what, where, and what to do.

use std::time::Duration;

use rosidl_buffer_runtime::{DecodeError, EncodeError};

use crate::{
    action::{GoalId, GoalStatus},
    arguments::ArgumentError,
    key::NameError,
    parameters::ParameterError,
};

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An error of a node, publisher or subscription.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name breaks ROS's rules.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A ROS argument cannot be used.
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    /// Something is wrong with a parameter.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A timer that would never stop calling.
    #[error("a timer needs a period of at least a nanosecond")]
    TimerPeriod,
    /// `ROS_DOMAIN_ID` is not a number.
    #[error(
        "ROS_DOMAIN_ID is {value:?}: set it to a whole number from 0 to 4294967295, or unset it for 0"
    )]
    DomainId {
        /// What the variable holds.
        value: String,
    },
    /// `ROS_AUTOMATIC_DISCOVERY_RANGE` is none of ROS's words.
    #[error(
        "ROS_AUTOMATIC_DISCOVERY_RANGE is {value:?}: set it to OFF, LOCALHOST, SUBNET or SYSTEM_DEFAULT, or unset it for LOCALHOST"
    )]
    DiscoveryRange {
        /// What the variable holds.
        value: String,
    },
    /// A static peer has not the form of an address.
    #[error(
        "the static peer {peer:?} (ROS_STATIC_PEERS) is no address: write a name or an IP address, host:port, or a Zenoh \
         endpoint such as tls/host:7448, with semicolons between them"
    )]
    StaticPeer {
        /// The peer as written.
        peer: String,
    },
    /// A node was asked into another domain than its context's.
    #[error(
        "node {node:?} asks for domain {asked}, but its context is in domain {context}: give only one of them"
    )]
    DomainConflict {
        /// The node's name.
        node: String,
        /// What the node's builder says.
        asked: u32,
        /// What the context says.
        context: u32,
    },
    /// A subscription asks for a memory that its context knows nothing of.
    #[error(
        "the subscription to {topic} asks for the buffer backends {asked:?}, but there is no {name:?} in its context: \
         choose from cpu, any and what is there [{known}], or register it with ContextBuilder::backends, GPU memory with \
         ContextBuilder::cuda"
    )]
    UnknownBackend {
        /// The topic.
        topic: String,
        /// The whole option.
        asked: String,
        /// The name that is unknown.
        name: String,
        /// The names that are known, with commas between them.
        known: String,
    },
    /// A publisher is to use a memory that its context knows nothing of.
    #[error(
        "the publisher on {topic} is to use the buffer backend {name:?}, but there is none of that name in its context: choose \
         from auto, cpu and what is there [{known}], or register it with ContextBuilder::backends"
    )]
    UnknownBackendToUse {
        /// The topic.
        topic: String,
        /// The name that is unknown.
        name: String,
        /// The names that are known, with commas between them.
        known: String,
    },
    /// What a backend says about itself cannot be told to other nodes.
    #[error(
        "the metadata {metadata:?} of the buffer backend {name:?} has one of * $ # ? in it, which cannot stand in a \
         liveliness token: change BufferBackend::backend_metadata"
    )]
    BackendMetadata {
        /// The backend.
        name: String,
        /// What it says.
        metadata: String,
    },
    /// A Zenoh configuration file cannot be used.
    #[error("the Zenoh configuration file {path:?} ({origin}) cannot be used: {cause}")]
    ConfigFile {
        /// The file.
        path: String,
        /// Who named it.
        origin: &'static str,
        /// Zenoh's answer.
        cause: Cause,
    },
    /// One setting is not accepted.
    #[error(
        "the Zenoh setting {setting:?} ({origin}) is not accepted: {cause}; write key=value, the value in JSON5"
    )]
    ConfigSetting {
        /// The setting as written.
        setting: String,
        /// Who gave it.
        origin: &'static str,
        /// Zenoh's answer.
        cause: Cause,
    },
    /// The Zenoh session did not open.
    #[error(
        "the Zenoh session did not open: {cause}; look at the listen and connect endpoints of its configuration"
    )]
    Open {
        /// Zenoh's answer.
        cause: Cause,
    },
    /// Something could not be declared on the session.
    #[error("{what} of {name:?} could not be declared on the Zenoh session: {cause}")]
    Declare {
        /// What was to be declared.
        what: &'static str,
        /// The node or topic.
        name: String,
        /// Zenoh's answer.
        cause: Cause,
    },
    /// A message could not be encoded.
    #[error("a message for {topic} could not be encoded: {source}")]
    Encode {
        /// The topic.
        topic: String,
        /// Which field and why.
        source: EncodeError,
    },
    /// A message could not be handed to the network.
    #[error("publishing on {topic} failed: {cause}")]
    Publish {
        /// The topic.
        topic: String,
        /// Zenoh's answer.
        cause: Cause,
    },
    /// A message in device memory went to those who take it as it is, and then not to all others. Said once, by the next call.
    #[error(
        "a message published earlier on {topic} did not reach the subscriptions that need a copy on the host: {cause}; what was \
         published now has gone its way"
    )]
    Earlier {
        /// The topic.
        topic: String,
        /// What went wrong.
        cause: Cause,
    },
    /// The thread that runs a callback could not be started.
    #[error("the thread for the callback on {topic} could not be started: {source}")]
    Thread {
        /// The topic.
        topic: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The session under a subscription, or under the events of an endpoint, was closed.
    #[error("the Zenoh session under {topic} is closed: nothing more will arrive")]
    Closed {
        /// The topic.
        topic: String,
    },
    /// A request could not be handed to the network.
    #[error("calling the service {service} failed: {cause}")]
    Call {
        /// The service.
        service: String,
        /// Zenoh's answer.
        cause: Cause,
    },
    /// Nobody offers the service.
    #[error(
        "there is no server of {service} with this type: start one, and wait for it with Client::wait_for_service"
    )]
    NoServer {
        /// The service.
        service: String,
    },
    /// The response did not come in time.
    #[error(
        "no response of {service} within {limit:?}: the server is busy or gone, or it waits for its own answer"
    )]
    CallTimeout {
        /// The service.
        service: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The call ended without a response.
    #[error(
        "the server of {service} ended the call without a response: look into the server's log"
    )]
    NoAnswer {
        /// The service.
        service: String,
    },
    /// The server refused the request.
    #[error("the server of {service} refused the request: {reason:?}")]
    ServerError {
        /// The service.
        service: String,
        /// The server's words.
        reason: String,
    },
    /// The response could not be decoded.
    #[error("the response of {service} could not be decoded: {source}")]
    Response {
        /// The service.
        service: String,
        /// Where and why.
        source: DecodeError,
    },
    /// A response could not be handed to the network.
    #[error("answering a request to {service} failed: {cause}")]
    Respond {
        /// The service.
        service: String,
        /// Zenoh's answer.
        cause: Cause,
    },
    /// The session under a service was closed.
    #[error(
        "the Zenoh session under the service {service} is closed: no more requests will arrive"
    )]
    ServiceClosed {
        /// The service.
        service: String,
    },
    /// The server of an action does not take a goal.
    #[error("the server of the action {action} rejected the goal")]
    GoalRejected {
        /// The action.
        action: String,
    },
    /// The server of an action cancels nothing.
    #[error("the server of the action {action} cancels nothing: {reason}")]
    CancelRejected {
        /// The action.
        action: String,
        /// The server's reason.
        reason: &'static str,
    },
    /// The server of an action has no result for a goal.
    #[error(
        "the server of the action {action} knows nothing of the goal {goal}: it was restarted, or the goal ended too long \
         ago; ask for the result sooner, or see ActionServerOptions::result_timeout"
    )]
    UnknownGoal {
        /// The action.
        action: String,
        /// The goal.
        goal: GoalId,
    },
    /// A goal cannot change its state in this way.
    #[error(
        "a goal of the action {action} is {from:?} and cannot become {to:?}: only one that is canceling can be canceled"
    )]
    GoalState {
        /// The action.
        action: String,
        /// Its state.
        from: GoalStatus,
        /// The state it was to have.
        to: GoalStatus,
    },
}
