use rosidl_buffer_runtime::{BufferMessage, GeneratedMessage};

#[derive(Clone, BufferMessage)]
#[ros2(
    package = "demo_msgs",
    hash = "RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18"
)]
struct WithoutText {
    a: u8,
}

const DEFINITION: &str = WithoutText::DEFINITION;

fn main() {}
