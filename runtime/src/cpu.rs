//! Host memory of this process: the payload of a received message, kept alive and read in place.
//!
//! Vectors need no storage of their own: [`Buffer`](crate::Buffer) holds them directly, so that they go in and out
//! without a copy.

use core::any::Any;

use bytes::Bytes;

use crate::backend::Storage;
use crate::error::BufferError;

/// Name of the backend whose bytes every process can read.
pub(crate) const CPU: &str = "cpu";

/// A part of a received payload, borrowed by reference count.
#[derive(Debug, Clone)]
pub(crate) struct Payload(pub(crate) Bytes);

impl Storage for Payload {
    fn backend_type(&self) -> &str {
        CPU
    }

    fn byte_len(&self) -> usize {
        self.0.len()
    }

    fn host_bytes(&self) -> Option<&[u8]> {
        Some(&self.0)
    }

    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError> {
        out.copy_from_slice(&self.0);
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
