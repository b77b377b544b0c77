//! Bytes as a message of shared memory's socket, and as an endpoint's metadata; see `runtime/src/fuzz.rs`.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use rosidl_buffer_runtime::{fuzz, shm::ShmBackend};

fuzz_target!(|bytes: &[u8]| {
    static SHM: OnceLock<ShmBackend> = OnceLock::new();
    fuzz::wire(bytes);
    if let Ok(metadata) = std::str::from_utf8(bytes) {
        let shm = SHM.get_or_init(|| ShmBackend::new().unwrap());
        assert!(!shm.is_connected(metadata));
    }
});
