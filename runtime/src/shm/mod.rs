//! Host memory that processes share.

#[allow(unsafe_code)] // mapped memory
mod memory;
