use rosidl_buffer_runtime::{Buffer, BufferMessage};

#[derive(Clone)]
struct Plain;

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct NotAField {
    a: Plain,
}

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct NotAnElement {
    a: Buffer<bool>,
}

fn main() {}
