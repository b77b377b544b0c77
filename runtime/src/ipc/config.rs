//! Settings and limits of an engine.

use std::time::Duration;

/// Reader processes that an engine serves at most; further ones get bytes.
pub(crate) const MAX_READERS: usize = 64;
/// Connections that have not said who they are; further ones push out the oldest.
pub(crate) const MAX_GREETING: usize = 32;
/// Publishers that a reader remembers, connected or not.
pub(crate) const MAX_WRITERS: usize = 1024;
/// A connection that has not greeted by then is closed, from either side.
pub(crate) const GREETING: Duration = Duration::from_secs(1);
/// How long a reader waits for a block that was described to it but whose memory has not arrived.
pub(crate) const IMPORT: Duration = Duration::from_millis(500);
/// How long a block that came is kept for its first descriptor: twice as long as writers wait, unless told otherwise.
pub(crate) const FRESH: Duration = Duration::from_secs(2);
/// How long a reader that could not map a block is sent no further ones.
pub(crate) const REST: Duration = Duration::from_secs(1);
/// How long frames of a publisher that is gone may still be taken.
pub(crate) const GRACE: Duration = Duration::from_millis(500);
/// How long after the end of a publisher's process its memory is released: what the system still undoes is undone by then.
pub(crate) const RELEASE: Duration = Duration::from_millis(100);
/// A publisher that could not be reached is tried again after this time, then after twice as long each time.
pub(crate) const RETRY: Duration = Duration::from_secs(1);
/// How often that time doubles: up to half a minute.
pub(crate) const MAX_DOUBLINGS: u32 = 5;
/// What the kernel shows for users that a user namespace does not know: anybody, so nobody is let in as that one.
pub(crate) const OVERFLOW_UID: u32 = 65534;

/// What a user may set.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Bytes of all blocks together.
    pub(crate) max_bytes: u64,
    /// Number of blocks.
    pub(crate) max_blocks: usize,
    /// How long a block waits for a reader to take what was sent.
    pub(crate) pending_deadline: Duration,
    /// Bytes of other processes' blocks that stay mapped while nobody reads them.
    pub(crate) import_limit: u64,
    /// Effective user ids that are let in beside our own.
    pub(crate) users: Vec<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_bytes: 1 << 30,
            max_blocks: super::lease::CELLS,
            pending_deadline: Duration::from_secs(1),
            import_limit: 4 << 30,
            users: Vec::new(),
        }
    }
}

/// The setters of `config` that all memories' builders have.
macro_rules! setters {
    (bytes: $bytes:literal, imports: $imports:literal, memory: $memory:literal) => {
        #[doc = concat!("Bytes of all blocks together; ", $bytes, " unless set. ", $memory)]
        #[must_use]
        pub fn max_bytes(mut self, bytes: u64) -> Self {
            self.config.max_bytes = bytes;
            self
        }

        /// Number of blocks; 1,024 unless set, and not more.
        #[must_use]
        pub fn max_blocks(mut self, blocks: usize) -> Self {
            self.config.max_blocks = blocks.min($crate::ipc::config::Config::default().max_blocks);
            self
        }

        /// How long a block waits for a descriptor to arrive; 1 s unless set. It then may be used again, and the descriptor
        /// is worth nothing. What has arrived is kept for as long as the reader wants.
        #[must_use]
        pub fn pending_deadline(mut self, deadline: std::time::Duration) -> Self {
            self.config.pending_deadline = deadline;
            self
        }

        /// Lets processes of this user read from us, and reads from theirs, beside those of our own effective user. It may
        /// be said several times. User 65534 stands for all users that a user namespace does not know, so it is let in only if
        /// it is named here, also by a process that runs as that user.
        #[must_use]
        pub fn allow_user(mut self, uid: u32) -> Self {
            self.config.users.push(uid);
            self
        }

        #[doc = concat!("Bytes of other processes' blocks that stay mapped while nobody reads them; ", $imports, " unless set.")]
        /// What is read does not count. It is looked at when a further block comes, and the longest unused ones go first; one
        /// that comes back later has to be asked for.
        #[must_use]
        pub fn import_limit(mut self, bytes: u64) -> Self {
            self.config.import_limit = bytes;
            self
        }
    };
}
pub(crate) use setters;
