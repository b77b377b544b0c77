use rosidl_buffer_runtime::BufferMessage;

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs", color = "red")]
struct Unknown {
    #[ros2(octet)]
    a: u8,
    #[ros2(byte, byte)]
    b: u8,
    #[ros2(byte, char)]
    c: u8,
    #[ros2(bound = 0)]
    d: Vec<u8>,
    #[ros2(bound = "x")]
    e: Vec<u8>,
}

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs", view = "Other")]
struct ViewName {}

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs", view, view = Other)]
struct ViewTwice {}

fn main() {}
