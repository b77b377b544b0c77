//! What a kind of memory offers so that processes can share blocks of it.
//!
//! The writer creates a block and gets a file descriptor for it; the descriptor and at most [`Extra::MAX`] bytes travel to
//! the reader, which imports them. Pool, leases and hand-over are written once above this trait and know nothing else.

use std::io;
use std::os::fd::OwnedFd;

use super::wire::Extra;

/// A kind of memory, for example host memory in sealed memfds.
///
/// It may lie in several places, such as the devices of a machine: each is a *domain*, with blocks of its own. A memory that
/// has one place only has domain 0.
pub(crate) trait Memory: Send + Sync + 'static {
    /// A block as its writer has it.
    type Block: Send + Sync;
    /// A block as a reader in another process has it.
    type Import: Send + Sync;
    /// Name of the backend, as in a token's `backends:` and on the wire.
    const BACKEND: &'static str;

    /// Sizes of blocks in a domain are multiples of this many bytes, a power of two.
    fn granule(&self, domain: u32) -> u64;

    /// A new block of exactly `size` bytes in a domain.
    fn create(&self, domain: u32, size: u64) -> io::Result<Created<Self::Block>>;

    /// A block of another process. Checks all that the descriptor claims before anything is mapped.
    fn import(&self, fd: OwnedFd, size: u64, extra: &Extra) -> io::Result<Self::Import>;
}

/// A new block and what its readers need.
pub(crate) struct Created<B> {
    pub(crate) block: B,
    /// Travels to each reader once.
    pub(crate) fd: OwnedFd,
    /// Travels beside the descriptor.
    pub(crate) extra: Extra,
}
