//! Host memory that processes share: backend `shm`.
//!
//! [`ShmBackend`] gives blocks to write ([`WriteHandle`]), which become buffers; a subscriber in another process of this host
//! reads them in place ([`ReadHandle`], or a [`Buffer`](crate::Buffer) in a message). No daemon, no file, no copy. How a
//! block lives is told in `docs/shared-memory.md`.

mod backend;
mod descriptor;
#[allow(unsafe_code)] // slices of mapped memory
mod handle;
#[allow(unsafe_code)] // mapped memory
mod memory;

pub use backend::{ShmBackend, ShmBuilder};
pub use descriptor::ShmBufferDescriptor;
pub use handle::{ReadHandle, WriteHandle};
#[cfg(test)]
pub(crate) use memory::HostMemory;

pub use crate::ipc::stats::Stats;
