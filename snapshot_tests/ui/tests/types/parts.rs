use rosidl_buffer_runtime::{Action, BufferMessage, Service};

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs", kind = "srv", name = "Fill_Request")]
struct Request {}

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs", kind = "srv", name = "Fill_Response")]
struct Response {}

#[derive(Service)]
#[ros2(package = "demo_msgs", request = Response, response = Request)]
struct Fill;

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs")]
#[allow(non_camel_case_types)]
struct Pour_Goal {}

#[derive(Clone, BufferMessage)]
#[ros2(package = "other_msgs", kind = "action")]
#[allow(non_camel_case_types)]
struct Pour_Result {}

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs", kind = "action")]
#[allow(non_camel_case_types)]
struct Pour_Feedback {}

#[derive(Action)]
#[ros2(package = "demo_msgs")]
struct Pour;

fn main() {}
