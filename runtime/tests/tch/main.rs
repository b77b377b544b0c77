//! Tensors of torch from messages and back: on the host, and on a GPU where there is one. Needs libtorch: `scripts/libtorch`.

#![cfg(all(target_os = "linux", feature = "tch"))]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[cfg(feature = "cuda")]
#[allow(unsafe_code)] // views
mod cuda;
#[cfg(feature = "dlpack")]
#[allow(unsafe_code)] // views
mod dlpack;
#[allow(unsafe_code)] // views
mod input;
#[allow(unsafe_code)] // views
mod lifetime;
mod output;
mod refusals;
#[allow(unsafe_code)] // views
mod types;

use rosidl_buffer_runtime::shm::ShmBackend;
use rosidl_buffer_runtime::{BackendRegistry, Buffer, BufferMessage};
use std::sync::Arc;
use tch::{Kind, Tensor};

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "tensor_msgs", name = "ExperimentalTensor")]
struct Message {
    dtype_code: u8,
    dtype_bits: u8,
    dtype_lanes: u16,
    shape: Vec<i64>,
    strides: Vec<i64>,
    byte_offset: u64,
    data: Buffer<u8>,
}

/// `shm` beside `cpu`.
fn backends() -> (BackendRegistry, ShmBackend) {
    let shm = ShmBackend::new().unwrap();
    let mut backends = BackendRegistry::new();
    backends.register(Arc::new(shm.clone())).unwrap();
    (backends, shm)
}

/// The bytes of the elements in row-major order.
fn bytes(tensor: &Tensor) -> Vec<u8> {
    let flat = tensor.contiguous().reshape([-1]).view_dtype(Kind::Uint8);
    Vec::try_from(flat.to_device(tch::Device::Cpu)).unwrap()
}

/// Where the elements lie.
fn address(tensor: &Tensor) -> usize {
    tensor.data_ptr().addr()
}

/// Where a message's data lies on the host.
fn data_address(message: &Message) -> usize {
    message.data.as_slice().unwrap().as_ptr().addr()
}
