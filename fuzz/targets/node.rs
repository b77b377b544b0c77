//! A stranger's tokens, attachments and payloads on all kinds of channel, descriptors of shared memory among them, played against
//! what a node keeps of them; see `zenoh/src/fuzz.rs`. No Zenoh session is opened.
#![no_main]

use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use rosidl_buffer_runtime::{BackendRegistry, shm::ShmBackend};
use rosidl_buffer_zenoh::fuzz;

fuzz_target!(|bytes: &[u8]| {
    static BACKENDS: OnceLock<BackendRegistry> = OnceLock::new();
    let backends = BACKENDS.get_or_init(|| {
        let mut backends = BackendRegistry::new();
        let shm = ShmBackend::new().unwrap();
        backends.register(Arc::new(shm)).unwrap();
        backends
    });
    fuzz::node_with(bytes, backends);
});
