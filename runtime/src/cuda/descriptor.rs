//! What travels in place of the bytes: `cuda_rs_buffer_backend_msgs/msg/CudaRsBufferDescriptor`.

use super::driver::DeviceUuid;
use super::memory::ALIGNMENT;
use crate::BufferMessage;
use crate::error::BackendError;
use crate::ipc::identity::EngineId;
use crate::ipc::ticket::Ticket;

/// Describes bytes in a block of device memory to one subscriber.
///
/// Same fields as `msg/cuda_rs_buffer_backend_msgs/msg/CudaRsBufferDescriptor.msg`, where each is explained.
#[derive(Debug, Clone, PartialEq, Eq, BufferMessage)]
#[ros2(
    package = "cuda_rs_buffer_backend_msgs",
    hash = "RIHS01_a0dc74963faa011032bfc11f559671aaf5bf1934301864ba7e300b6300a7ba46"
)]
pub struct CudaRsBufferDescriptor {
    /// [`VERSION`](Self::VERSION) of the publisher.
    pub version: u8,
    /// The publisher's engine.
    pub engine_id: [u8; 16],
    /// The device that the block is on.
    pub device_uuid: [u8; 16],
    /// The block's cell in the leases of that engine.
    pub cell: u32,
    /// The block; an engine never uses a number twice.
    pub block_id: u64,
    /// Which use of the block.
    pub generation: u64,
    /// Whole size of the block in bytes.
    pub block_size: u64,
    /// Where the data begins, in bytes: a multiple of 256. Other numbers are refused: kernels need aligned addresses.
    pub offset: u64,
    /// Length of the data in bytes.
    pub size: u64,
}

impl CudaRsBufferDescriptor {
    /// Version of this message and of the rules behind it.
    pub const VERSION: u8 = 1;

    pub(super) fn new(ticket: Ticket, device: DeviceUuid) -> Self {
        Self {
            version: Self::VERSION,
            engine_id: ticket.engine.0,
            device_uuid: device.0,
            cell: ticket.cell,
            block_id: ticket.block,
            generation: ticket.generation,
            block_size: ticket.block_size,
            offset: ticket.offset,
            size: ticket.size,
        }
    }

    /// What the engine takes; nothing of it is checked but the version and the alignment.
    pub(super) fn ticket(&self) -> Result<Ticket, BackendError> {
        if self.version != Self::VERSION {
            return Err(BackendError::Malformed(format!(
                "version {} where {} is known",
                self.version,
                Self::VERSION
            )));
        }
        if !self.offset.is_multiple_of(ALIGNMENT) {
            return Err(BackendError::Malformed(format!(
                "data at offset {} of its block, which is no multiple of {ALIGNMENT}",
                self.offset
            )));
        }
        Ok(Ticket {
            engine: EngineId(self.engine_id),
            cell: self.cell,
            block: self.block_id,
            generation: self.generation,
            block_size: self.block_size,
            offset: self.offset,
            size: self.size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GeneratedMessage as _, Message as _};

    /// A kernel that reads whole words at an address that is not aligned takes its context with it.
    #[test]
    fn data_that_is_not_aligned_is_refused() {
        let ticket = Ticket {
            engine: EngineId([1; 16]),
            cell: 0,
            block: 1,
            generation: 1,
            block_size: 4096,
            offset: 0,
            size: 100,
        };
        let mut descriptor = CudaRsBufferDescriptor::new(ticket, DeviceUuid([2; 16]));
        assert_eq!(descriptor.ticket().unwrap(), ticket);
        descriptor.offset = 512;
        assert_eq!(descriptor.ticket().unwrap().offset, 512);
        for offset in [1, 128, 4097, u64::MAX] {
            descriptor.offset = offset;
            let error = descriptor.ticket().unwrap_err().to_string();
            assert!(error.contains(&format!("offset {offset} ")), "{error}");
        }
    }

    #[test]
    fn the_hash_is_that_of_the_fields() {
        let described = CudaRsBufferDescriptor::type_description()
            .type_hash()
            .to_string();
        assert_eq!(described, CudaRsBufferDescriptor::TYPE_HASH);
    }
}
