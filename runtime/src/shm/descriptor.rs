//! What stands in a message for a block of shared host memory.
//!
//! The same as `msg/shm_buffer_backend_msgs/msg/ShmBufferDescriptor.msg`, from which the crate `rosidl_buffer_interfaces`
//! has its own struct; written out here because the runtime does not depend on generated code. Nothing is checked here:
//! every field is a stranger's word until the backend compared it.

use crate::BufferMessage;

/// Where the bytes of a `uint8[]` lie, in host memory that processes share (`shm_buffer_backend_msgs/msg/ShmBufferDescriptor`).
///
/// It has a meaning only for a process that is connected to the writer, and for one taking.
#[derive(Debug, Clone, PartialEq, Eq, BufferMessage)]
#[ros2(
    package = "shm_buffer_backend_msgs",
    hash = "RIHS01_9dfed902931688385c15884179736e3b276538da1134e549dc52427a1a07ccaa"
)]
#[repr(C)]
pub struct ShmBufferDescriptor {
    /// Version of this descriptor; a reader takes no other than [`VERSION`](Self::VERSION).
    pub version: u8,
    /// Random number of the writer's engine, as in the metadata of its endpoints.
    pub engine_id: [u8; 16],
    /// Number of the block's cell in the lease that the writer shares with the reader.
    pub cell: u32,
    /// Number of the block; the engine never uses it again for another one.
    pub block_id: u64,
    /// How often the block was written; the cell has to be at the same generation, or the data is gone.
    pub generation: u64,
    /// Size of the block in bytes.
    pub block_size: u64,
    /// Where the data starts, in bytes from the start of the block.
    pub offset: u64,
    /// Length of the data in bytes.
    pub size: u64,
}

impl ShmBufferDescriptor {
    /// The version that this struct describes.
    pub const VERSION: u8 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GeneratedMessage as _, Message as _, cdr};

    #[test]
    fn the_hash_is_that_of_the_fields() {
        let described = ShmBufferDescriptor::type_description()
            .type_hash()
            .to_string();
        assert_eq!(described, ShmBufferDescriptor::TYPE_HASH);
    }

    #[test]
    fn every_field_has_its_place() {
        let descriptor = ShmBufferDescriptor {
            version: ShmBufferDescriptor::VERSION,
            engine_id: [0xEE; 16],
            cell: 2,
            block_id: 3,
            generation: 4,
            block_size: 5,
            offset: 6,
            size: 7,
        };
        let mut body = vec![1];
        body.extend([0xEE; 16]);
        body.extend([0, 0, 0, 2, 0, 0, 0]);
        for number in 3..=7u64 {
            body.extend(number.to_le_bytes());
        }
        let bytes = cdr::encode(&descriptor).unwrap();
        assert_eq!(bytes[cdr::HEADER_LEN..], body);
        assert_eq!(
            cdr::decode::<ShmBufferDescriptor>(&bytes).unwrap(),
            descriptor
        );
    }
}
