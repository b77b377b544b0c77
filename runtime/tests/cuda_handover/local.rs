//! Within one process: copies, clones, promotion, the contract of a backend.

use std::sync::Arc;
use std::time::Duration;

use rosidl_buffer_runtime::conformance::{self, Pair};
use rosidl_buffer_runtime::cuda::{AccessError, CudaBackend};
use rosidl_buffer_runtime::{AllocateError, Buffer, BufferBackend as _, HostPool, HostWrite};

use crate::log;
use crate::side::{Side, eventually};

const MB: usize = 1 << 20;

#[test]
fn the_contract_is_kept() {
    if Side::new().is_some() {
        conformance::check(|| {
            let both = CudaBackend::new().unwrap();
            pair(&both, &both)
        });
    }
}

#[test]
fn the_contract_is_kept_between_two_backends() {
    if Side::new().is_some() {
        conformance::check(|| {
            let (writer, reader) = (CudaBackend::new().unwrap(), CudaBackend::new().unwrap());
            let soon = Duration::from_secs(5);
            reader.connect(&writer.backend_metadata(), soon).unwrap();
            assert!(writer.wait_for_reader(&reader.backend_metadata(), soon));
            pair(&writer, &reader)
        });
    }
}

fn pair(writer: &CudaBackend, reader: &CudaBackend) -> Pair<CudaBackend> {
    let (store, in_use) = (writer.clone(), writer.clone());
    let stream = writer.new_stream().unwrap();
    Pair {
        writer: Arc::new(writer.clone()),
        reader: Arc::new(reader.clone()),
        store: Box::new(move |bytes| {
            let buffer = store.to_buffer(bytes, &stream)?;
            Ok(Arc::clone(buffer.storage().ok_or("there is no storage")?))
        }),
        in_use: Box::new(move || {
            let stats = in_use.stats();
            stats.blocks - stats.blocks_free
        }),
        patience: Duration::from_secs(1),
    }
}

#[test]
fn bytes_come_back_and_clones_share() {
    let Some(side) = Side::new() else { return };
    for len in [0, 1, 4095, 3 * MB + 7] {
        let bytes: Vec<u8> = (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let buffer = side.cuda.to_buffer(&bytes, &side.stream).unwrap();
        assert_eq!(buffer.backend_type(), "cuda_rs");
        assert!(buffer.as_slice().is_none_or(<[u8]>::is_empty));
        assert_eq!(buffer.to_vec().unwrap(), bytes);
        let clone = buffer.clone();
        assert_eq!(clone, buffer);
        assert_eq!(buffer, Buffer::from(bytes.clone()), "{len}");
        let again = side.cuda.to_buffer(&bytes, &side.stream).unwrap();
        assert_eq!(again, buffer);
        if len > 0 {
            let mut other = bytes.clone();
            other[len / 2] ^= 1;
            assert_ne!(side.cuda.to_buffer(&other, &side.stream).unwrap(), buffer);
        }
        drop(buffer);
        assert_eq!(clone.into_vec().unwrap(), bytes);
    }
    eventually("all blocks come back", Duration::from_secs(5), || {
        side.in_use() == 0
    });
}

/// A kernel that has not run yet when the bytes are asked for.
#[test]
fn copies_wait_for_the_end_of_writing() {
    let Some(side) = Side::new() else { return };
    for frame in 0..20 {
        let buffer = side.write(MB, frame, Duration::from_millis(5)).unwrap();
        let bytes = buffer.to_vec().unwrap();
        let right = bytes.chunks_exact(4).zip(0..).all(|(bytes, index)| {
            u32::from_ne_bytes(bytes.try_into().unwrap()) == crate::gpu::word(index, frame)
        });
        assert!(right, "frame {frame}");
    }
}

#[test]
fn a_block_is_not_used_again_before_the_device_has_read_it() {
    let builder = CudaBackend::builder().max_blocks(2);
    let Some(side) = Side::with(builder) else {
        return;
    };
    let reading = side.cuda.new_stream().unwrap();
    side.gpu.reset();
    let frames = 300;
    for frame in 0..frames {
        let buffer = side.write_soon(4 * MB, frame, Duration::ZERO);
        let read = side.cuda.from_input_buffer(&buffer, &reading).unwrap();
        drop(buffer);
        side.gpu.spin(reading.handle(), Duration::from_micros(500)); // still to be read when the handle goes
        side.gpu
            .check(reading.handle(), read.address(), read.len(), frame)
            .unwrap();
    }
    let right = side
        .gpu
        .answer(reading.handle(), Duration::from_secs(20))
        .unwrap();
    assert_eq!(right, Some(frames * MB as u64));
    assert_eq!(side.cuda.stats().blocks, 2);
    eventually("all blocks come back", Duration::from_secs(5), || {
        side.in_use() == 0
    });
    assert_eq!(side.cuda.unfinished_reads(), 0);
}

#[test]
fn buffers_of_the_host_are_promoted() {
    let Some(side) = Side::new() else { return };
    // For reading: copied, and the copy can be had.
    let words: Vec<u32> = (0..100_000)
        .map(|index| crate::gpu::word(index, 9))
        .collect();
    let host = Buffer::from(words.clone());
    let read = side.cuda.from_input_buffer(&host, &side.stream).unwrap();
    assert_eq!(read.len(), 400_000);
    assert!(
        side.gpu
            .is_right(side.stream.handle(), read.address(), read.len(), 9)
    );
    let promoted = read.buffer().expect("the copy");
    assert_eq!(promoted.backend_type(), "cuda_rs");
    drop(read);
    let twice = side
        .cuda
        .from_input_buffer(&promoted, &side.stream)
        .unwrap();
    assert!(
        side.gpu
            .is_right(side.stream.handle(), twice.address(), twice.len(), 9)
    );
    drop(twice);
    // For writing: fresh memory.
    let mut output = Buffer::from(vec![0u8; 4 * MB]);
    let write = side
        .cuda
        .from_output_buffer(&mut output, &side.stream)
        .unwrap();
    side.gpu
        .fill(side.stream.handle(), write.address(), write.len(), 3);
    assert!(matches!(
        side.cuda.from_input_buffer(&output, &side.stream),
        Err(AccessError::NotWritten)
    ));
    write.finish().unwrap();
    assert_eq!(output.backend_type(), "cuda_rs");
    let clone = output.clone();
    assert!(matches!(
        side.cuda.from_output_buffer(&mut output, &side.stream),
        Err(AccessError::Shared)
    ));
    drop(clone);
    assert!(matches!(
        side.cuda.from_output_buffer(&mut output, &side.stream),
        Err(AccessError::Written)
    ));
    let read = side.cuda.from_input_buffer(&output, &side.stream).unwrap();
    assert!(
        side.gpu
            .is_right(side.stream.handle(), read.address(), read.len(), 3)
    );
}

#[test]
fn what_nobody_wrote_is_not_read_or_sent() {
    let Some(side) = Side::new() else { return };
    let buffer = side.cuda.allocate_buffer(MB).unwrap();
    let read = side.cuda.from_input_buffer(&buffer, &side.stream);
    assert!(matches!(read, Err(AccessError::NotWritten)));
    assert!(buffer.to_vec().is_err());
    let metadata = side.cuda.backend_metadata();
    let sent = side
        .cuda
        .create_descriptor(buffer.storage().unwrap(), &metadata);
    assert!(sent.is_err());
}

#[test]
fn out_of_memory_is_an_error_and_passes() {
    let builder = CudaBackend::builder().max_bytes(1 << 50);
    let Some(side) = Side::with(builder) else {
        return;
    };
    let error = side.cuda.allocate_buffer(300 << 30).unwrap_err();
    assert!(
        matches!(error, AccessError::Allocate(AllocateError::Memory { .. })),
        "{error}"
    );
    println!("{error}");
    let free = side.gpu.free_memory();
    let mut all = Vec::new();
    let error = loop {
        match side.cuda.allocate_buffer(16 << 30) {
            Ok(buffer) => all.push(buffer),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(error, AccessError::Allocate(AllocateError::Memory { .. })),
        "{error}"
    );
    drop(all);
    assert!(side.cuda.trim(Duration::ZERO) > free / 2);
    assert!(side.gpu.free_memory() + (64 << 20) >= free, "all came back");
    let buffer = side.write(MB, 1, Duration::ZERO).unwrap();
    assert_eq!(buffer.to_vec().unwrap().len(), MB);
    // A limit of our own.
    let side = Side::with(CudaBackend::builder().max_bytes(4 << 20)).unwrap();
    let _one = side.cuda.allocate_buffer(4 * MB).unwrap();
    let error = side.cuda.allocate_buffer(MB).unwrap_err();
    assert!(
        matches!(
            error,
            AccessError::Allocate(AllocateError::Exhausted { .. })
        ),
        "{error}"
    );
}

/// Host memory that is used up.
struct NoPool;

impl HostPool for NoPool {
    fn allocate_host(&self, asked: usize) -> Result<Box<dyn HostWrite>, AllocateError> {
        let asked = asked as u64;
        Err(AllocateError::TooLarge { asked, limit: 0 })
    }
}

#[test]
fn without_host_memory_readers_get_bytes_and_that_is_said_once() {
    let Some(side) = Side::with(CudaBackend::builder().host_pool(Arc::new(NoPool))) else {
        return;
    };
    let said = log::collect(|| {
        for frame in 0..3 {
            let buffer = side.write(MB, frame, Duration::ZERO).unwrap();
            assert!(buffer.storage().unwrap().host_storage().is_none());
            assert_eq!(buffer.to_vec().unwrap().len(), MB, "the bytes");
        }
    });
    let cause = NoPool.allocate_host(MB).err().unwrap();
    let line = format!(
        "WARN readers without a GPU get bytes, no shared host memory (said once) error={cause}"
    );
    assert_eq!(said, [line]);
}

/// Per thread, and a stream that somebody else made.
#[test]
#[allow(unsafe_code)] // the streams are those of this thread and of this test
fn foreign_streams_order_too() {
    let Some(side) = Side::new() else { return };
    let device = side.cuda.devices().next().unwrap().uuid();
    let theirs = side.cuda.new_stream().unwrap();
    for handle in [0, 1, 2, theirs.handle()] {
        // SAFETY: default streams, and one that lives until the end of this function.
        let stream = unsafe { side.cuda.foreign_stream(device, handle) }.unwrap();
        for frame in 0..50 {
            let mut buffer = side.cuda.allocate_buffer(MB).unwrap();
            let write = side.cuda.from_output_buffer(&mut buffer, &stream).unwrap();
            side.gpu.spin(stream.handle(), Duration::from_micros(300));
            side.gpu
                .fill(stream.handle(), write.address(), write.len(), frame);
            drop(write);
            let read = side.cuda.from_input_buffer(&buffer, &side.stream).unwrap();
            assert!(
                side.gpu
                    .is_right(side.stream.handle(), read.address(), read.len(), frame)
            );
            drop(read);
            let read = side.cuda.from_input_buffer(&buffer, &stream).unwrap();
            assert!(
                side.gpu
                    .is_right(stream.handle(), read.address(), read.len(), frame)
            );
        }
    }
    eventually("all blocks come back", Duration::from_secs(5), || {
        side.in_use() == 0
    });
}
