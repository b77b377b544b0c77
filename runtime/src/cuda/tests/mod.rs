//! Tests that need a GPU. Each says why it skips where there is none; `bench/gpu` takes them to a machine that has one.
//!
//! What is about two processes starts this program a second time as a [`peer`], which does what it is told over a socket.

mod calls;
mod faults;
mod kernels;
mod order;
mod peer;
mod sharing;
mod waits;

use std::sync::Arc;

use super::driver::{Context, CudaError, Device};
use super::memory::CudaMemory;

/// Where all blocks of these tests stand; their generations go up.
const CELL: u32 = 0;

/// The first device that can share memory; says so if there is none.
fn device() -> Option<Device> {
    let devices = Device::all().and_then(|all| {
        let device = all.into_iter().find(Device::can_share);
        device.ok_or_else(|| CudaError::Refused("no device can share memory".to_owned()))
    });
    match devices {
        Ok(device) => Some(device),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

/// The context of the first device, and its memory.
fn gpu() -> Option<(Arc<Context>, CudaMemory)> {
    let device = device()?;
    let memory = CudaMemory::open(&[device], true).unwrap();
    Some((Arc::clone(&memory.contexts()[0]), memory))
}

/// Runs in the second process.
#[test]
#[ignore = "started by other tests as a second process"]
fn second_process() {
    peer::serve();
}
