use rosidl_buffer_runtime::{Action, BufferMessage, Service};

#[derive(Service)]
#[ros2(package = "demo_msgs", goal = Goal)]
struct OfAnAction;

#[derive(Service)]
#[ros2(package = "demo_msgs", request = A, request = B)]
struct Twice;

#[derive(Service)]
#[ros2(package = "Demo", encoding = "idl", hash = "RIHS01_xyz")]
struct NoSource;

#[derive(Action)]
#[ros2(package = "demo_msgs")]
struct WithFields {
    goal: u8,
}

#[derive(Action)]
struct Generic<T>;

#[derive(Action)]
#[ros2(package = "demo_msgs", source = "", encoding = "yaml")]
#[allow(non_camel_case_types)]
struct Part_Goal;

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs", view, view = Other)]
struct Views {
    #[ros2(wchar, idl_char)]
    a: u16,
}

fn main() {}
