use rosidl_buffer_runtime::BufferMessage;

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct Computed {
    #[ros2(default = 1 + 1)]
    a: u8,
    #[ros2(bound = 2, default = [1, 2, 3])]
    b: Vec<u8>,
    #[ros2(string_bound = 2, default = "abc")]
    c: String,
    #[ros2(default = --1)]
    d: i32,
    #[ros2(default = -"e")]
    e: String,
}

fn main() {}
