//! Bytes that are on the device already, and streams of cudarc's.

use std::sync::Arc;
use std::time::Duration;

use cudarc::driver::CudaContext;
use rosidl_buffer_runtime::cuda::{AccessError, CudaError};

use crate::side::Side;

const MB: usize = 1 << 20;

#[test]
fn slices_of_cudarc_are_copied_behind_their_work_and_before_what_comes_later() {
    let Some(side) = Side::new() else { return };
    let context = CudaContext::new(0).unwrap();
    for stream in [
        context.default_stream(),
        context.per_thread_stream(),
        context.new_stream().unwrap(),
    ] {
        let ours = side.cuda.cudarc_stream(Arc::clone(&stream)).unwrap();
        for number in 0..20_u8 {
            side.gpu.spin(ours.handle(), Duration::from_millis(2));
            let mut slice = stream.clone_htod(&vec![u32::from(number); MB]).unwrap();
            let buffer = side.cuda.to_buffer_from_slice(&slice).unwrap();
            stream.memset_zeros(&mut slice).unwrap();
            drop(slice);
            assert_eq!(buffer.len(), MB);
            assert_eq!(buffer.backend_type(), "cuda_rs");
            let numbers = buffer.to_vec().unwrap();
            assert!(numbers.iter().all(|found| *found == u32::from(number)));
        }
    }
    let none = context.default_stream().null::<u8>().unwrap();
    let empty = side.cuda.to_buffer_from_slice(&none).unwrap();
    assert!(empty.is_empty());
}

#[test]
fn memory_of_others_is_copied_on_their_stream() {
    let Some(side) = Side::new() else { return };
    let stream = CudaContext::new(0).unwrap().new_stream().unwrap();
    let ours = side.cuda.cudarc_stream(Arc::clone(&stream)).unwrap();
    let mut source = side.cuda.allocate_buffer(4 * MB).unwrap();
    let write = side.cuda.from_output_buffer(&mut source, &ours).unwrap();
    let (address, len) = (write.address(), write.len());
    side.gpu.spin(ours.handle(), Duration::from_millis(20));
    side.gpu.fill(ours.handle(), address, len, 5);
    // SAFETY: a block of ours that is written on this stream and nowhere else, and kept until the end of this function.
    let buffer = unsafe { side.cuda.to_buffer_from_device(address, len, &ours) }.unwrap();
    write.finish().unwrap();
    let read = side.cuda.from_input_buffer(&buffer, &side.stream).unwrap();
    let stream = side.stream.handle();
    assert!(side.gpu.is_right(stream, read.address(), read.len(), 5));
    let host = [1_u8; 64];
    // SAFETY: there is no device memory, which is refused.
    let refused = unsafe {
        side.cuda
            .to_buffer_from_device(host.as_ptr() as u64, 64, &side.stream)
    };
    assert!(matches!(refused, Err(AccessError::Cuda(_))), "{refused:?}");
}

/// The stream exists as long as what was made of it.
#[test]
fn streams_of_cudarc_are_kept() {
    let Some(side) = Side::new() else { return };
    let context = CudaContext::new(0).unwrap();
    let theirs = context.new_stream().unwrap();
    let kept = Arc::downgrade(&theirs);
    let stream = side.cuda.cudarc_stream(theirs).unwrap();
    let mut buffer = side.cuda.allocate_buffer(MB).unwrap();
    let write = side.cuda.from_output_buffer(&mut buffer, &stream).unwrap();
    drop(stream);
    assert!(kept.upgrade().is_some());
    let handle = write.stream().handle();
    side.gpu.fill(handle, write.address(), write.len(), 1);
    write.finish().unwrap();
    assert!(kept.upgrade().is_none());
    let read = side.cuda.from_input_buffer(&buffer, &side.stream).unwrap();
    let stream = side.stream.handle();
    assert!(side.gpu.is_right(stream, read.address(), read.len(), 1));
}

#[test]
fn streams_of_another_context_are_refused() {
    let Some(side) = Side::new() else { return };
    let all = CudaContext::device_count().unwrap();
    let Some(other) = (1..all).next() else {
        println!("skipped: there is one device");
        return;
    };
    let context = CudaContext::new(usize::try_from(other).unwrap()).unwrap();
    let refused = side.cuda.cudarc_stream(context.default_stream());
    assert!(
        matches!(refused, Err(AccessError::Cuda(CudaError::Refused(_)))),
        "{refused:?}"
    );
}
