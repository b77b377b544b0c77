//! What an engine counts.

use super::cell::TakeError;

/// Sizes as they are now, and counts since the engine was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Blocks of this process's pool, adopted memory that readers elsewhere read in place among them.
    pub blocks: usize,
    /// Blocks that nobody refers to.
    pub blocks_free: usize,
    /// Blocks that are written or kept by this process.
    pub blocks_used_here: usize,
    /// Bytes of all blocks, without adopted memory.
    pub bytes: u64,
    /// Descriptors on their way to readers.
    pub pending: u64,
    /// References that readers hold.
    pub held: u64,
    /// Other processes that are connected to read from us.
    pub readers: usize,
    /// Other processes that we are connected to, to read from them.
    pub writers: usize,
    /// Blocks of other processes that are mapped here.
    pub imports: usize,
    /// Bytes of these.
    pub imported_bytes: u64,
    /// Blocks asked for.
    pub allocated: u64,
    /// Blocks that had to be made.
    pub made: u64,
    /// Requests that waited for a block.
    pub waited: u64,
    /// Requests that found no block, attempts while waiting included.
    pub exhausted: u64,
    /// Descriptors given out.
    pub described: u64,
    /// Descriptors not given out, because the reader did not keep up or could not map the block: it got bytes.
    pub unsent: u64,
    /// Blocks that a reader could not map: it got bytes for a while.
    pub unmapped: u64,
    /// Descriptors taken back because no reader took them in time.
    pub expired: u64,
    /// Descriptors taken.
    pub taken: u64,
    /// Descriptors that came after their time, and whose block was not used again yet.
    pub lost_expired: u64,
    /// Descriptors that came after their block was used again, or that never were.
    pub lost_reused: u64,
    /// Descriptors of a process that is gone, or whose memory did not come.
    pub lost_unreachable: u64,
    /// Frames whose process ended before they were written.
    pub lost_unfinished: u64,
    /// Descriptors that cannot be right.
    pub lost_malformed: u64,
}

/// The counts of one side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub(crate) allocated: u64,
    pub(crate) made: u64,
    pub(crate) waited: u64,
    pub(crate) exhausted: u64,
    pub(crate) described: u64,
    pub(crate) unsent: u64,
    pub(crate) unmapped: u64,
    pub(crate) expired: u64,
    pub(crate) taken: u64,
    pub(crate) lost_expired: u64,
    pub(crate) lost_reused: u64,
    pub(crate) lost_unreachable: u64,
}

impl Counts {
    /// Counts an attempt to take.
    pub(crate) fn count(&mut self, error: Option<&TakeError>) {
        match error {
            None => self.taken += 1,
            Some(TakeError::Reused) => self.lost_reused += 1,
            Some(TakeError::Expired | TakeError::Full) => self.lost_expired += 1,
        }
    }

    pub(crate) fn add_to(&self, stats: &mut Stats) {
        stats.allocated += self.allocated;
        stats.made += self.made;
        stats.waited += self.waited;
        stats.exhausted += self.exhausted;
        stats.described += self.described;
        stats.unsent += self.unsent;
        stats.unmapped += self.unmapped;
        stats.expired += self.expired;
        stats.taken += self.taken;
        stats.lost_expired += self.lost_expired;
        stats.lost_reused += self.lost_reused;
        stats.lost_unreachable += self.lost_unreachable;
    }
}
