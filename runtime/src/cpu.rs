//! Host memory of this process: the payload of a received message, kept alive and read in place, and what a program adopts.
//!
//! Vectors need no storage of their own: [`Buffer`](crate::Buffer) holds them directly, so that they go in and out
//! without a copy.

use core::any::Any;

use bytes::Bytes;

use crate::backend::Storage;
use crate::buffer::Buffer;
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

impl Buffer<u8> {
    /// Shares memory of the caller's own without a copy, and gives it back: when the last clone of the buffer is dropped,
    /// `released` gets the owner, on the thread that drops.
    ///
    /// A publisher that fills the same memory again and again waits for it here; so does one whose memory comes from a
    /// driver that wants it back.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use rosidl_buffer_runtime::Buffer;
    ///
    /// let (free, back) = channel();
    /// let buffer = Buffer::from_owner(vec![7u8; 4], move |owner| drop(free.send(owner)));
    /// let sent = buffer.clone();
    /// drop(buffer);
    /// assert!(back.try_recv().is_err()); // somebody still has it
    /// drop(sent);
    /// assert_eq!(back.try_recv()?, [7; 4]);
    /// # Ok::<(), std::sync::mpsc::TryRecvError>(())
    /// ```
    pub fn from_owner<O>(owner: O, released: impl FnOnce(O) + Send + 'static) -> Self
    where
        O: AsRef<[u8]> + Send + 'static,
    {
        Self::from_bytes(Bytes::from_owner(Owned {
            owner: Some(owner),
            released: Some(released),
        }))
    }
}

/// Memory of somebody's own, given back when it is dropped.
struct Owned<O, F: FnOnce(O)> {
    /// There until the end.
    owner: Option<O>,
    released: Option<F>,
}

impl<O: AsRef<[u8]>, F: FnOnce(O)> AsRef<[u8]> for Owned<O, F> {
    fn as_ref(&self) -> &[u8] {
        self.owner.as_ref().map_or(&[], AsRef::as_ref)
    }
}

impl<O, F: FnOnce(O)> Drop for Owned<O, F> {
    fn drop(&mut self) {
        if let (Some(owner), Some(released)) = (self.owner.take(), self.released.take()) {
            released(owner);
        }
    }
}
