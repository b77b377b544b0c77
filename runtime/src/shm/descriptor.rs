//! What travels in place of the bytes: `shm_buffer_backend_msgs/msg/ShmBufferDescriptor`.

use crate::BufferMessage;

/// Describes bytes in a block of shared memory to one subscriber.
///
/// Same fields as `msg/shm_buffer_backend_msgs/msg/ShmBufferDescriptor.msg`, where each is explained.
#[derive(Debug, Clone, PartialEq, Eq, BufferMessage)]
#[ros2(package = "shm_buffer_backend_msgs")]
pub struct ShmBufferDescriptor {
    /// [`VERSION`](Self::VERSION) of the publisher.
    pub version: u8,
    /// The publisher's engine.
    pub engine_id: [u8; 16],
    /// The block's cell in the leases of that engine.
    pub cell: u32,
    /// The block; an engine never uses a number twice.
    pub block_id: u64,
    /// Which use of the block.
    pub generation: u64,
    /// Whole size of the block in bytes.
    pub block_size: u64,
    /// Where the data begins, in bytes.
    pub offset: u64,
    /// Length of the data in bytes.
    pub size: u64,
}

impl ShmBufferDescriptor {
    /// Version of this message and of the rules behind it.
    pub const VERSION: u8 = 1;
}
