use rosidl_buffer_runtime::{BoundedString, BufferMessage};

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct WrongType {
    #[ros2(default = "text")]
    a: u8,
}

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct TooLong {
    #[ros2(default = "päß")]
    a: BoundedString<2>,
}

fn main() {}
