//! The contract between a buffer and the memory that its bytes live in.
//!
//! A [`Storage`] is a run of bytes somewhere. It says where, gives a view when the host can read it in place, and
//! copies to the host when it cannot. A [`BufferBackend`] hands storages over: a storage goes in, a small message that
//! describes it comes out, and the other way round in the process that receives it. Neither interprets the bytes, and
//! neither knows how messages travel.

use core::any::Any;
use std::sync::Arc;

use crate::error::{BackendError, BufferError};
use crate::host::{HostMapping, HostPool};
use crate::message::Message;

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

    /// The mapping that [`host_bytes`](Self::host_bytes) lie in, for a backend that registers it with a device.
    fn host_mapping(&self) -> Option<HostMapping<'_>> {
        None
    }

    /// The same bytes in host memory that peers can be handed, where the host cannot read this storage in place: copied once,
    /// when first asked for. `None` where there is no such memory; peers then get bytes.
    fn host_storage(&self) -> Option<Arc<dyn Storage>> {
        None
    }

    /// The storage itself, for a backend that looks for its own kind.
    fn as_any(&self) -> &dyn Any;
}

/// Memory that processes hand over to each other by a descriptor, in place of the bytes themselves.
///
/// A backend is registered with a [`BackendRegistry`](crate::BackendRegistry); from there
/// [`cdr::encode_for`](crate::cdr::encode_for) and [`cdr::decode_payload_with`](crate::cdr::decode_payload_with) use it.
/// All methods are called from any thread, also at the same time.
///
/// Endpoints tell each other a text per backend, the metadata: how this process can be reached, say. It travels in
/// discovery and is therefore made of ASCII letters, digits, `.`, `-`, `_`, `=` and `+`; what it says is the backend's
/// business.
///
/// With the feature `conformance` the function `conformance::check` tells whether a backend keeps this contract.
pub trait BufferBackend: Send + Sync + 'static {
    /// What describes a storage to another process: at most
    /// [`cdr::DESCRIPTOR_MAX`](crate::cdr::DESCRIPTOR_MAX) bytes when encoded.
    type Descriptor: Message;

    /// The name on the wire, made of `a` to `z`, digits and `_`; the same as [`Storage::backend_type`] of its storages.
    fn backend_type(&self) -> &str;

    /// What endpoints of this process tell others about this backend.
    fn backend_metadata(&self) -> String {
        String::new()
    }

    /// Whether the host reads storages of this backend in place; such backends are accepted unless the user says otherwise.
    fn is_host_readable(&self) -> bool {
        false
    }

    /// Where host memory of this backend is given out, if it has some to write messages into.
    fn host_pool(&self) -> Option<&dyn HostPool> {
        None
    }

    /// An endpoint of another process was discovered that names this backend with this metadata. Must not block; may be
    /// called often, and with anything that a stranger writes.
    fn on_discovering_endpoint(&self, _metadata: &str) {}

    /// Whether a storage of this backend would go to this peer as a descriptor, as far as is known now. Must not block.
    fn is_ready(&self, _peer_metadata: &str) -> bool {
        true
    }

    /// Describes the storage to one peer. `None`: this peer gets the bytes, because it is unknown or cannot reach the
    /// memory, or because the storage is none of this backend's.
    ///
    /// # Errors
    /// When the storage cannot be described although it should; a publisher then sends the bytes and counts it.
    fn create_descriptor(
        &self,
        storage: &Arc<dyn Storage>,
        peer_metadata: &str,
    ) -> Result<Option<Self::Descriptor>, BackendError>;

    /// The message with this descriptor did not leave after all, so nobody will take it.
    fn retract_descriptor(&self, _descriptor: Self::Descriptor, _peer_metadata: &str) {}

    /// The storage that a descriptor stands for. The descriptor comes from a stranger: everything in it is checked.
    ///
    /// # Errors
    /// When there is no such memory, or no longer.
    #[expect(
        clippy::wrong_self_convention,
        reason = "the name that ROS's backends have for it"
    )]
    fn from_descriptor(
        &self,
        descriptor: Self::Descriptor,
    ) -> Result<Arc<dyn Storage>, BackendError>;
}
