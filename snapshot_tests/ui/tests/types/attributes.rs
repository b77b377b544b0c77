use rosidl_buffer_runtime::BufferMessage;

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct WrongAttribute {
    #[ros2(byte)]
    a: f32,
    #[ros2(wstring)]
    b: u8,
    #[ros2(bound = 3)]
    c: String,
    #[ros2(string_bound = 3)]
    d: Vec<u8>,
}

fn main() {}
