use rosidl_buffer_runtime::BufferMessage;

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct Nested {
    a: Vec<Vec<u8>>,
    b: [[u8; 3]; 2],
}

fn main() {}
