//! Shared host memory passes what every backend has to pass.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use rosidl_buffer_runtime::conformance::{self, Pair};
use rosidl_buffer_runtime::shm::{ShmBackend, ShmBufferDescriptor};
use rosidl_buffer_runtime::{BackendError, BufferBackend as _};

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

/// A descriptor is a stranger's word: it must not keep the thread that takes it waiting.
#[test]
fn a_block_that_never_was_is_refused_at_once() {
    let (writer, reader) = (ShmBackend::new().unwrap(), ShmBackend::new().unwrap());
    let second = Duration::from_secs(1);
    reader.connect(&writer.backend_metadata(), second).unwrap();
    let buffer = writer.to_buffer(&[7; 4096]).unwrap();
    for round in 0..20 {
        let descriptor = writer
            .create_descriptor(buffer.storage().unwrap(), &reader.backend_metadata())
            .unwrap()
            .unwrap();
        let wrong = ShmBufferDescriptor {
            block_id: descriptor.block_id + 1024 * (1 + round), // numbers of one cell
            ..descriptor
        };
        let start = Instant::now();
        let error = reader.read(&wrong).unwrap_err();
        assert!(
            start.elapsed() < second / 2,
            "{:?}: {error}",
            start.elapsed()
        );
        assert!(matches!(error, BackendError::Malformed(_)), "{error}");
    }
    assert_eq!(writer.stats().held + writer.stats().pending, 0);
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
        patience: Duration::from_secs(10),
    }
}
