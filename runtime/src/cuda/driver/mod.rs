//! The driver: the only place that calls CUDA.
//!
//! Floors, from below: [`abi`] (what the driver takes and gives) → [`table`] (its functions) · [`error`] → [`library`]
//! ([`Driver`]: found once, or an error that says why not) → [`device`] → [`context`] → [`vmm`] (allocations and mappings),
//! [`stream`], [`event`], [`copy`], [`word`], [`pointer`], [`retained`] (mappings of others). Every wrapper names the call that failed and never panics; what it opens it closes, except
//! in a forked child, where CUDA does not work. Conditions that the driver cannot check are left to the caller as `unsafe`.

mod abi;
mod context;
mod copy;
mod device;
mod error;
mod event;
mod library;
mod pointer;
mod retained;
mod stream;
mod table;
mod vmm;
mod word;

pub(crate) use context::Context;
pub(crate) use copy::Registered;
pub use device::{Device, DeviceUuid};
pub use error::CudaError;
pub(crate) use event::{Event, Progress};
#[cfg(test)]
pub(crate) use library::Driver;
#[cfg(test)]
pub(crate) use library::calls;
#[cfg(feature = "count_calls")]
pub use library::driver_calls;
pub(crate) use stream::{Stream, StreamId};
pub(crate) use vmm::{Access, Allocation, Mapped};
