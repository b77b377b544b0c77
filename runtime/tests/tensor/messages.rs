//! The messages that accessors know, written by hand as users write them; names of Rust may differ.

use rosidl_buffer_runtime::{Buffer, BufferMessage};

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "tensor_msgs", name = "ExperimentalTensor")]
pub(crate) struct Tensor {
    #[ros2(name = "dtype_code")]
    pub(crate) code: u8,
    #[ros2(name = "dtype_bits")]
    pub(crate) bits: u8,
    #[ros2(name = "dtype_lanes")]
    pub(crate) lanes: u16,
    pub(crate) shape: std::vec::Vec<i64>,
    pub(crate) strides: Vec<i64>,
    #[ros2(name = "byte_offset")]
    pub(crate) offset: u64,
    pub(crate) data: Buffer<u8>,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "std_msgs")]
pub(crate) struct Header {
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
#[ros2(package = "sensor_msgs")]
#[allow(dead_code)] // without the feature `image`
pub(crate) struct CompressedImage {
    pub(crate) header: Header,
    pub(crate) format: String,
    #[ros2(name = "data")]
    pub(crate) file: Buffer<u8>,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "sensor_msgs", name = "PointField")]
pub(crate) struct Column {
    pub(crate) name: std::string::String,
    pub(crate) offset: u32,
    pub(crate) datatype: u8,
    pub(crate) count: u32,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "sensor_msgs", name = "PointCloud2")]
pub(crate) struct Cloud {
    pub(crate) header: Header,
    pub(crate) height: u32,
    pub(crate) width: u32,
    #[ros2(name = "fields")]
    pub(crate) columns: Vec<Column>,
    pub(crate) is_bigendian: bool,
    pub(crate) point_step: u32,
    pub(crate) row_step: u32,
    pub(crate) data: Buffer<u8>,
    pub(crate) is_dense: bool,
}

/// The name alone does not make it a tensor: this one compiles without the accessors.
#[derive(Clone, BufferMessage)]
#[ros2(package = "tensor_msgs")]
#[allow(dead_code)]
pub(crate) struct ExperimentalTensor {
    pub(crate) shape: Vec<i32>,
}
