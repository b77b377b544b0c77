//! The contract between a buffer and the memory that its bytes live in.
//!
//! A [`Storage`] is a run of bytes somewhere. It says where, gives a view when the host can read it in place, and
//! copies to the host when it cannot. It never interprets the bytes.

use core::any::Any;

use crate::error::BufferError;

/// Bytes in some memory, shared between the clones of a buffer and never changed while shared.
///
/// # Example
/// A storage outside this crate: bytes that exist only once they are asked for.
/// ```
/// use std::{any::Any, sync::Arc};
/// use rosidl_buffer_runtime::{Buffer, BufferError, Storage};
///
/// struct Ramp(usize);
///
/// impl Storage for Ramp {
///     fn backend_type(&self) -> &str { "ramp" }
///     fn byte_len(&self) -> usize { self.0 }
///     fn host_bytes(&self) -> Option<&[u8]> { None }
///     fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError> {
///         for (i, byte) in out.iter_mut().enumerate() { *byte = i as u8; }
///         Ok(())
///     }
///     fn as_any(&self) -> &dyn Any { self }
/// }
///
/// let buffer = Buffer::<u8>::from_storage(Arc::new(Ramp(4)))?;
/// assert_eq!(buffer.as_slice(), None);
/// assert_eq!(buffer.to_vec()?, [0, 1, 2, 3]);
/// # Ok::<(), BufferError>(())
/// ```
pub trait Storage: Send + Sync + 'static {
    /// The backend's name on the wire, `"cpu"` for host memory of this process.
    fn backend_type(&self) -> &str;

    /// Length in bytes.
    fn byte_len(&self) -> usize;

    /// The bytes in place, if the host can read them without a copy.
    fn host_bytes(&self) -> Option<&[u8]>;

    /// Copies all bytes to host memory; `out` is [`byte_len`](Self::byte_len) long.
    ///
    /// # Errors
    /// When the memory cannot be read, with the cause.
    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError>;

    /// The storage itself, for a backend that looks for its own kind.
    fn as_any(&self) -> &dyn Any;
}
