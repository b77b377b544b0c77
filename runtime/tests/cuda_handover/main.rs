//! GPU memory handed over between processes and within one. Each test says why it skips where there is no device;
//! `bench/gpu` takes this binary to a machine that has one. Run with one thread: some tests look at the device's free memory.

#![cfg(all(target_os = "linux", feature = "cuda"))]
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking; some files are the measurements' too"
)]

#[allow(unsafe_code)] // memory of others
mod adopt;
#[allow(unsafe_code)] // a call into the driver
mod broken;
mod frames;
#[allow(unsafe_code)] // calls into the driver
mod gpu;
#[allow(unsafe_code)] // captures, pinned memory, a fork
mod hazards;
mod kills;
#[allow(unsafe_code)] // memory of others
mod lent;
#[allow(unsafe_code)] // maps shared words
mod link;
mod local;
#[path = "../common/log.rs"]
mod log;
mod other;
mod peers;
mod queue;
mod side;
#[allow(unsafe_code)] // memory of others
mod sources;
mod strange;
