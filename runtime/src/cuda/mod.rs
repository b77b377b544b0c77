//! Memory of NVIDIA's GPUs that processes share: backend `cuda_rs`.
//!
//! Floors, from below: `driver` (the only place that calls CUDA) → `memory` (blocks on a device, for the engine of
//! `ipc`), `adopted` (memory that others made) → `access` (order by streams), `reaper` (what the GPU still reads), `lent` (what others made and others read) →
//! [`CudaBackend`]. Nothing here waits for the
//! GPU, except where bytes are brought to the host: order between processes is made by words that streams write and wait for. A program
//! with this feature starts and works on a machine that has no driver, and is told so in an error ([`CudaError`]).

#[allow(unsafe_code)] // copies between addresses; what others made is taken at their word
mod access;
mod adopted;
mod backend;
mod buffers;
mod builder;
mod descriptor;
#[allow(unsafe_code)] // calls into the driver
mod driver;
mod exchange;
mod lent;
mod marks;
#[allow(unsafe_code)] // mapped blocks are written by whoever has them
mod memory;
mod notes;
mod reaper;
mod storage;
mod stream;

#[cfg(test)]
#[allow(unsafe_code)] // they stand in for those who write kernels
mod tests;

pub use access::{AccessError, ReadHandle, WriteHandle};
pub use backend::CudaBackend;
pub use builder::CudaBuilder;
pub use descriptor::CudaRsBufferDescriptor;
#[cfg(feature = "count_calls")]
pub use driver::driver_calls;
pub use driver::{CudaError, Device, DeviceUuid};
pub use stream::CudaStream;

pub use crate::ipc::stats::Stats;
