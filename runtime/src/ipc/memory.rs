//! What a kind of memory offers so that processes can share blocks of it.
//!
//! The writer creates a block and gets a file descriptor for it; the descriptor and at most [`Extra::MAX`] bytes travel to
//! the reader, which imports them. Pool, leases and hand-over are written once above this trait and know nothing else.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

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
    /// What all blocks of another process's engine have in common, as a reader has it.
    type Common: Send + Sync;
    /// Name of the backend, as in a token's `backends:` and on the wire.
    const BACKEND: &'static str;

    /// Sizes of blocks in a domain are multiples of this many bytes, a power of two.
    fn granule(&self, domain: u32) -> u64;

    /// A new block of exactly `size` bytes in a domain, to stand at `cell`.
    fn create(&self, domain: u32, cell: u32, size: u64) -> io::Result<Created<Self::Block>>;

    /// A block of another process. Checks all that the descriptor claims before anything is mapped.
    fn import(&self, fd: OwnedFd, size: u64, extra: &Extra) -> io::Result<Self::Import>;

    /// The file of what all blocks have in common, which each reader gets before any block; `None` if there is nothing.
    fn common(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// What another process's blocks have in common. Checks all of it before anything is mapped.
    fn import_common(&self, _fd: OwnedFd) -> io::Result<Self::Common> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The process whose memory this is has ended: whoever waits for it is let go.
    fn release(_common: &Self::Common) {}

    /// Bytes of the present use of the block at `cell`, where its writer says so beside the descriptor.
    fn len(_common: &Self::Common, _cell: u32) -> Option<u64> {
        None
    }

    /// Whether this use of the block at `cell` was still being written when its process ended.
    fn is_unfinished(_common: &Self::Common, _cell: u32, _generation: u64) -> bool {
        false
    }
}

/// A new block and what its readers need.
pub(crate) struct Created<B> {
    pub(crate) block: B,
    /// Travels to each reader once.
    pub(crate) fd: OwnedFd,
    /// Travels beside the descriptor.
    pub(crate) extra: Extra,
}
