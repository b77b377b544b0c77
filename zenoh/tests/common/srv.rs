//! Services that the tests share.

use rosidl_buffer_runtime::{Buffer, BufferMessage, Service};

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(
    package = "example_interfaces",
    name = "AddTwoInts_Request",
    kind = "srv"
)]
pub(crate) struct Request {
    pub(crate) a: i64,
    pub(crate) b: i64,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(
    package = "example_interfaces",
    name = "AddTwoInts_Response",
    kind = "srv"
)]
pub(crate) struct Response {
    pub(crate) sum: i64,
}

#[derive(Service)]
#[ros2(package = "example_interfaces", request = Request, response = Response)]
pub(crate) struct AddTwoInts;

/// What ROS computes for `example_interfaces/srv/AddTwoInts`.
pub(crate) const HASH: &str =
    "RIHS01_e118de6bf5eeb66a2491b5bda11202e7b68f198d6f67922cf30364858239c81a";
#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "demo_msgs", name = "Echo_Request", kind = "srv")]
pub(crate) struct EchoRequest {
    pub(crate) data: Buffer<u8>,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "demo_msgs", name = "Echo_Response", kind = "srv")]
pub(crate) struct EchoResponse {
    pub(crate) data: Buffer<u8>,
}

#[derive(Service)]
#[ros2(package = "demo_msgs", request = EchoRequest, response = EchoResponse)]
pub(crate) struct Echo;
