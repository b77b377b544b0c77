//! Shared memory when things go wrong: processes that are killed or stopped, strangers at the socket, descriptors that lie,
//! and systems that lack something.
//!
//! The test binary starts itself again (`other`); what cannot be arranged on this machine is skipped with a line that says why.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod counts;
mod descriptors;
mod forked;
mod frames;
mod kills;
mod limits;
mod other;
mod pool;
mod soak;
mod stopped;
mod strangers;
