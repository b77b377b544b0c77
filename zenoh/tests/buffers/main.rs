//! Which key carries what, and in which form, when buffers lie in memory of a backend. A plain Zenoh session listens to
//! all keys of the topic, and the backend is one of the test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;

mod arrival;
mod channels;
mod fallbacks;
mod scene;
mod tokens;
