use rosidl_buffer_runtime::{BufferMessage, Service};

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs", kind = "srv", name = "NoResponse_Request")]
struct Request {}

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs", kind = "srv", name = "OtherFields_Request")]
struct OtherRequest {}

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs", kind = "srv", name = "OtherFields_Response")]
struct OtherResponse {}

#[derive(Service)]
#[ros2(package = "demo_msgs", request = Request)]
struct NoResponse;

#[derive(Clone, BufferMessage)]
#[ros2(package = "service_msgs")]
struct ServiceEventInfo {
    event_type: u8,
}

#[derive(Service)]
#[ros2(package = "demo_msgs", request = OtherRequest, response = OtherResponse, event_info = ServiceEventInfo)]
struct OtherFields;

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct Characters {
    #[ros2(wchar)]
    a: u8,
}

fn main() {}
