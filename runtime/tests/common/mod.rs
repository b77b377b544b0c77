//! Messages that several tests use, written by hand.

#![allow(dead_code, clippy::unwrap_used)] // no test uses all of them

use rosidl_buffer_runtime::{
    BoundedSequence, BoundedString, BoundedWString, Buffer, BufferMessage,
};

#[derive(Debug, Clone, Copy, PartialEq, BufferMessage)]
#[ros2(
    package = "builtin_interfaces",
    hash = "RIHS01_b106235e25a4c5ed35098aa0a61a3ee9c9b18d197f398b0e4206cea9acf9c197"
)]
#[repr(C)]
pub(crate) struct Time {
    pub(crate) sec: i32,
    pub(crate) nanosec: u32,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "std_msgs")]
pub(crate) struct Header {
    pub(crate) stamp: Time,
    pub(crate) frame_id: String,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "sensor_msgs")]
pub(crate) struct Image {
    pub(crate) header: Header,
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) encoding: String,
    pub(crate) is_bigendian: u8,
    pub(crate) step: u32,
    pub(crate) data: Buffer<u8>,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "std_msgs", name = "Empty")]
pub(crate) struct Nothing {}

/// `vec_pkg/msg/Edge`, whose hash and type ids were computed by rosidl's own generator.
#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "vec_pkg")]
pub(crate) struct Edge {
    #[ros2(byte)]
    pub(crate) a: Vec<u8>,
    #[ros2(char)]
    pub(crate) b: Vec<u8>,
    #[ros2(default = [1, 2])]
    pub(crate) c: Buffer<u8>,
    #[ros2(bound = 16)]
    pub(crate) d: Vec<u8>,
    pub(crate) e: [u8; 16],
    #[ros2(byte, default = 5)]
    pub(crate) f: u8,
    #[ros2(char, default = 65)]
    pub(crate) g: u8,
    #[ros2(string_bound = 5)]
    pub(crate) h: String,
    pub(crate) i: BoundedSequence<BoundedString<5>, 3>,
    #[ros2(wstring)]
    pub(crate) j: [String; 2],
    pub(crate) k: BoundedWString<7>,
    #[ros2(default = [true, false])]
    pub(crate) l: Vec<bool>,
    #[ros2(default = 1.0)]
    pub(crate) m: f32,
    #[ros2(default = "x")]
    pub(crate) n: String,
    pub(crate) o: Vec<Time>,
    #[ros2()]
    pub(crate) p: Duration,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "builtin_interfaces")]
pub(crate) struct Duration {
    pub(crate) sec: i32,
    pub(crate) nanosec: u32,
}

/// An [`Edge`] in which something stands in every field.
pub(crate) fn edge() -> Edge {
    Edge {
        a: vec![1, 2, 3],
        d: vec![9; 16],
        h: "päß".into(),
        i: vec!["a".parse().unwrap(), "bcdef".parse().unwrap()]
            .try_into()
            .unwrap(),
        j: ["漢".into(), "😀".into()],
        k: BoundedWString::try_from("é").unwrap(),
        o: vec![
            Time {
                sec: -1,
                nanosec: 2
            };
            3
        ],
        ..Edge::default()
    }
}
