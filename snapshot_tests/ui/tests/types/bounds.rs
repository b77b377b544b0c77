use rosidl_buffer_runtime::{
    BoundedBuffer, BoundedSequence, BoundedString, BoundedWString, BufferMessage,
};

const MANY: usize = u32::MAX as usize + 1;

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct Bounds {
    a: BoundedSequence<u8, 0>,
    b: ::rosidl_buffer_runtime::BoundedString<0>,
    c: BoundedWString<MANY>,
    d: ::rosidl_buffer_runtime::BoundedSequence<u8, 4294967296>,
    e: Vec<BoundedString<0>>,
    f: BoundedBuffer<u8, 0>,
    g: ::rosidl_buffer_runtime::BoundedSequence<u8, 4294967295>,
}

fn main() {}
