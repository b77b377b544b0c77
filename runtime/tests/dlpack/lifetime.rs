//! How long memory is kept: until the deleter is called, once, on any thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_runtime::tensor::{DType, DlTensor, Layout, TensorMessage as _};

use crate::capsule::Said;
use crate::messages::Tensor;

fn lent(returned: &Arc<AtomicUsize>) -> Tensor {
    let returned = Arc::clone(returned);
    let data = Buffer::from_owner(vec![1_u8; 8], move |_| {
        returned.fetch_add(1, Ordering::SeqCst);
    });
    Tensor::from_buffer(DType::U8, [8], data).unwrap()
}

#[test]
fn a_tensor_keeps_the_memory_of_its_message_until_another_thread_drops_it() {
    let returned = Arc::default();
    let message = lent(&returned);
    let tensor = DlTensor::from_message(&message).unwrap();
    let other = DlTensor::from_message(&message).unwrap();
    drop(message);
    drop(other);
    assert_eq!(returned.load(Ordering::SeqCst), 0);
    thread::spawn(move || drop(tensor)).join().unwrap();
    assert_eq!(returned.load(Ordering::SeqCst), 1);
}

#[test]
fn a_message_keeps_the_memory_of_a_library_until_another_thread_drops_it() {
    let deleted = Arc::default();
    let raw = Said::new(DType::U8, &[8], vec![0]).lend(&deleted, |_| ());
    // SAFETY: from `lend`.
    let message: Tensor = unsafe { DlTensor::from_raw(raw) }
        .unwrap()
        .into_message()
        .unwrap();
    let (send, take) = channel::<Tensor>();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let clone = message.clone();
            thread::spawn(move || assert_eq!(clone.data, [0; 8]))
        })
        .collect();
    send.send(message).unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(deleted.load(Ordering::SeqCst), 0);
    thread::spawn(move || drop(take.recv())).join().unwrap();
    assert_eq!(deleted.load(Ordering::SeqCst), 1);
}

#[test]
fn what_cannot_go_out_is_given_back() {
    let returned = Arc::default();
    let message = lent(&returned);
    let shape = vec![1; 65];
    let deep = Tensor::from_parts(DType::U8, shape, vec![], 0, message.data.clone());
    assert!(DlTensor::from_message(&deep).is_err());
    assert!(
        DlTensor::from_message(&message)
            .unwrap()
            .into_raw_legacy()
            .is_err()
    );
    drop((deep, message));
    assert_eq!(returned.load(Ordering::SeqCst), 1);
}

#[test]
fn memory_that_was_given_away_goes_with_the_older_struct_too() {
    let layout = Layout {
        dtype: DType::U8,
        shape: &[4],
        strides: &[],
        byte_offset: 0,
    };
    let deleted = Arc::default();
    let raw = Said::new(DType::U8, &[8], vec![0]).lend(&deleted, |_| ());
    // SAFETY: from `lend`.
    let foreign = unsafe { DlTensor::from_raw(raw) }.unwrap();
    for tensor in [
        DlTensor::from_owned(layout, vec![0; 4].into()).unwrap(),
        foreign,
    ] {
        let raw = tensor.into_raw_legacy().unwrap();
        // SAFETY: of `into_raw_legacy`, used once.
        let back = unsafe { DlTensor::from_raw_legacy(raw) }.unwrap();
        let raw = back.into_raw();
        // SAFETY: of `into_raw`, used once.
        let back = unsafe { DlTensor::from_raw(raw) }.unwrap();
        thread::spawn(move || drop(back)).join().unwrap();
    }
    assert_eq!(deleted.load(Ordering::SeqCst), 1);
}

/// A block of shared memory is not written again while a library reads it.
#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn a_block_of_shared_memory_is_the_readers_until_the_deleter_is_called() {
    use rosidl_buffer_runtime::BufferBackend as _;
    use rosidl_buffer_runtime::shm::ShmBackend;
    use std::time::{Duration, Instant};

    let (writer, reader) = (ShmBackend::new().unwrap(), ShmBackend::new().unwrap());
    let soon = Duration::from_secs(20);
    reader.connect(&writer.backend_metadata(), soon).unwrap();
    let sent = writer.to_buffer(&[7; 64]).unwrap();
    let descriptor = writer
        .describe(sent.storage().unwrap().as_ref(), &reader.backend_metadata())
        .unwrap()
        .expect("connected");
    let taken = reader.from_descriptor(descriptor).unwrap();
    let data = Buffer::from_storage(taken).unwrap();
    let message = Tensor::from_buffer(DType::U8, [64], data).unwrap();
    let tensor = DlTensor::from_message(&message).unwrap();
    drop((sent, message));
    assert_eq!(writer.trim(Duration::ZERO), 0); // the block is in use
    thread::spawn(move || drop(tensor)).join().unwrap();
    let deadline = Instant::now() + soon;
    while writer.trim(Duration::ZERO) == 0 {
        assert!(Instant::now() < deadline, "the block did not come back");
        thread::sleep(Duration::from_millis(1));
    }
}
