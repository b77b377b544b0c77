use rosidl_buffer_runtime::BufferMessage;

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct Generic<T> {
    value: T,
}

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct Tuple(u8);

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs")]
enum Choice {
    A,
}

#[derive(Clone, BufferMessage)]
struct Homeless {
    value: u8,
}

fn main() {}
