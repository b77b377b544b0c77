//! Memory of NVIDIA's GPUs that processes share.
//!
//! Floors, from below: `driver` (the only place that calls CUDA) → `memory` (blocks on a device, for the engine of
//! `ipc`). Nothing here waits for the GPU: order between processes is made by events on the GPU itself. A program with this
//! feature starts and works on a machine that has no driver, and is told so in an error ([`CudaError`]).

#![allow(dead_code, unused_imports)] // the backend that stands on these floors follows

#[allow(unsafe_code)] // calls into the driver
mod driver;
#[allow(unsafe_code)] // mapped blocks are written by whoever has them
mod memory;

#[cfg(test)]
#[allow(unsafe_code)] // they stand in for those who write kernels
mod tests;

pub use driver::{CudaError, Device, DeviceUuid};
