use rosidl_buffer_runtime::BufferMessage;

#[derive(Clone, BufferMessage)]
#[ros2(package = "Demo-Msgs", kind = "idl", hash = "RIHS01_xyz")]
#[allow(non_camel_case_types)]
struct lower_case {
    #[allow(non_snake_case)]
    CamelCase: u8,
    double__underscore: u8,
}

#[derive(Clone, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct Twice {
    r#type: u8,
    type_: u8,
}

fn main() {}
