//! Memory that a peer does not reach: the same bytes in host memory that it does, brought there once.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::any::Any;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use rosidl_buffer_runtime::shm::ShmBackend;
use rosidl_buffer_runtime::{
    BackendRegistry, Buffer, BufferBackend as _, BufferError, BufferMessage, HostPool as _,
    Message as _, Peer, Storage, cdr,
};

/// As memory of a device: only a copy of it is on the host.
struct Device {
    bytes: Vec<u8>,
    pool: ShmBackend,
    host: OnceLock<Arc<dyn Storage>>,
    copies: Arc<AtomicU32>,
}

impl Storage for Device {
    fn backend_type(&self) -> &'static str {
        "device"
    }
    fn byte_len(&self) -> usize {
        self.bytes.len()
    }
    fn host_bytes(&self) -> Option<&[u8]> {
        None
    }
    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError> {
        self.copies.fetch_add(1, Ordering::Relaxed);
        out.copy_from_slice(&self.bytes);
        Ok(())
    }
    fn host_storage(&self) -> Option<Arc<dyn Storage>> {
        let make = || {
            let mut block = self.pool.allocate_host(self.bytes.len()).unwrap();
            self.copy_to_host(&mut block).unwrap();
            block.freeze()
        };
        Some(Arc::clone(self.host.get_or_init(make)))
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct Frame {
    number: u32,
    data: Buffer<u8>,
}

#[test]
fn one_copy_serves_all_who_do_not_reach_the_device() {
    let (writer, reader) = (ShmBackend::new().unwrap(), ShmBackend::new().unwrap());
    let metadata = writer.backend_metadata();
    reader.connect(&metadata, Duration::from_secs(5)).unwrap();
    let registry = |shm: &ShmBackend| {
        let mut registry = BackendRegistry::new();
        registry.register(Arc::new(shm.clone())).unwrap();
        registry
    };
    let copies = Arc::new(AtomicU32::new(0));
    let device = Device {
        bytes: (0..100_000_u32).map(|at| at.to_le_bytes()[0]).collect(),
        pool: writer.clone(),
        host: OnceLock::new(),
        copies: Arc::clone(&copies),
    };
    let expected = device.bytes.clone();
    let frame = Frame {
        number: 7,
        data: Buffer::from_storage(Arc::new(device)).unwrap(),
    };
    let shm = Peer::from_iter([("shm".to_owned(), reader.backend_metadata())]);
    let (ours, theirs) = (registry(&writer), registry(&reader));
    let mut out = Vec::new();
    for _ in 0..3 {
        let described = cdr::encode_for(&frame, &ours, &shm, &mut out).unwrap();
        assert_eq!(described.backends().collect::<Vec<_>>(), ["shm"]);
        described.sent();
        let payload = Bytes::from(out.clone());
        let read: Frame = cdr::decode_payload_with(payload, &theirs).unwrap();
        assert_eq!((read.number, read.data.backend_type()), (7, "shm"));
        assert_eq!(read.data.as_slice(), Some(&expected[..]));
    }
    // Bytes come from the same copy.
    let bytes = cdr::encode(&frame).unwrap();
    assert_eq!(cdr::decode::<Frame>(&bytes).unwrap().data, expected);
    // So do buffers of this process, which may share it.
    for (accepted, memory) in [("shm", "shm"), ("device 2", "cpu")] {
        let mut here = frame.clone();
        here.for_each_buffer_mut(&mut |_, buffer| {
            buffer.make_host(&|backend| backend == accepted).unwrap();
        });
        assert_eq!(here.data.backend_type(), memory);
        assert_eq!(here.data.as_slice(), Some(&expected[..]));
    }
    assert_eq!(copies.load(Ordering::Relaxed), 1);
}
