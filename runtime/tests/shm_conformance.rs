//! Shared host memory passes what every backend has to pass.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use rosidl_buffer_runtime::BufferBackend as _;
use rosidl_buffer_runtime::conformance::{self, Pair};
use rosidl_buffer_runtime::shm::ShmBackend;

#[test]
fn shm_keeps_the_contract() {
    conformance::check(|| {
        let (writer, reader) = (ShmBackend::new().unwrap(), ShmBackend::new().unwrap());
        let second = Duration::from_secs(1);
        reader.connect(&writer.backend_metadata(), second).unwrap();
        pair(&writer, &reader)
    });
}

/// Within one process descriptors need no connection.
#[test]
fn shm_keeps_the_contract_with_itself() {
    conformance::check(|| {
        let both = ShmBackend::new().unwrap();
        pair(&both, &both)
    });
}

fn pair(writer: &ShmBackend, reader: &ShmBackend) -> Pair<ShmBackend> {
    let (store, in_use) = (writer.clone(), writer.clone());
    Pair {
        writer: Arc::new(writer.clone()),
        reader: Arc::new(reader.clone()),
        store: Box::new(move |bytes| {
            let buffer = store.to_buffer(bytes)?;
            Ok(Arc::clone(buffer.storage().ok_or("there is no storage")?))
        }),
        in_use: Box::new(move || {
            let stats = in_use.stats();
            stats.blocks - stats.blocks_free
        }),
    }
}
