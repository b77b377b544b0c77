//! Memory is kept until torch has dropped the last tensor over it, on whatever thread, and given back once.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use rosidl_buffer_runtime::shm::ShmBackend;
use rosidl_buffer_runtime::tensor::tch::{
    from_input_tensor_msg, into_tensor_msg, view_input_tensor_msg,
};
use rosidl_buffer_runtime::tensor::{DType, TensorMessage as _};
use rosidl_buffer_runtime::{BackendRegistry, Buffer, BufferBackend as _};
use tch::{Device, IndexOp as _, Kind, Tensor};

use crate::{Message, address};

const SOON: Duration = Duration::from_secs(10);

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn memory_goes_once_with_the_last_tensor_on_its_thread() {
    let (gone, goes) = channel();
    let data = Buffer::from_owner(vec![3_u8; 64], move |owner| {
        gone.send((owner, thread::current().id())).unwrap();
    });
    let message = Message::from_buffer(DType::F32, [4, 4], data).unwrap();
    // SAFETY: it is only read.
    let view = unsafe { view_input_tensor_msg(&message) }.unwrap();
    let (row, transposed) = (view.i(2), view.tr());
    drop(from_input_tensor_msg(&message).unwrap());
    drop(message);
    drop(view);
    drop(row);
    assert!(goes.try_recv().is_err());
    let last = thread::spawn(move || {
        assert_eq!(transposed.size(), [4, 4]);
        drop(transposed);
        thread::current().id()
    });
    let last = last.join().unwrap();
    assert_eq!(goes.recv_timeout(SOON).unwrap(), (vec![3; 64], last));
    assert!(goes.try_recv().is_err()); // the sender went with the first
}

#[test]
fn a_publisher_s_block_is_held_as_long_as_torch_reads_it() {
    let (writer, reader) = (ShmBackend::new().unwrap(), ShmBackend::new().unwrap());
    reader.connect(&writer.backend_metadata(), SOON).unwrap();
    let sent = writer.to_buffer(&[7; 4096]).unwrap();
    let storage = sent.storage().unwrap().as_ref();
    let descriptor = writer
        .describe(storage, &reader.backend_metadata())
        .unwrap();
    drop(sent);
    let data = Buffer::from(reader.read(&descriptor.unwrap()).unwrap());
    let place = data.as_slice().unwrap().as_ptr().addr();
    let message = Message::from_buffer(DType::U8, [4096], data).unwrap();
    // SAFETY: it is only read.
    let view = unsafe { view_input_tensor_msg(&message) }.unwrap();
    drop(message);
    assert_eq!(address(&view), place);
    for _ in 0..3 {
        drop(writer.try_allocate(4096).unwrap()); // another block
    }
    let stats = writer.stats();
    assert_eq!((stats.held, stats.blocks), (1, 2), "{stats:?}");
    assert_eq!(view.sum(Kind::Int64).int64_value(&[]), 7 * 4096);
    thread::spawn(move || drop(view)).join().unwrap();
    eventually("the block is free", || writer.stats().held == 0);
    assert_eq!(writer.stats().blocks_free, 2);
}

#[test]
fn a_tensor_that_was_given_away_goes_with_the_message() {
    let backends = BackendRegistry::new();
    // The memory of a message, in a tensor, in a message.
    let (gone, goes) = channel();
    let data = Buffer::from_owner(vec![1_u8; 8], move |owner| gone.send(owner).unwrap());
    let inner = Message::from_buffer(DType::U8, [8], data).unwrap();
    // SAFETY: it is only read.
    let view = unsafe { view_input_tensor_msg(&inner) }.unwrap();
    drop(inner);
    let outer: Message = into_tensor_msg(&backends, view).unwrap();
    let copy = outer.clone();
    drop(outer);
    assert!(goes.try_recv().is_err());
    assert_eq!(copy.data, [1; 8]);
    drop(copy);
    assert_eq!(goes.recv_timeout(SOON).unwrap(), [1; 8]);
    let _: Message =
        into_tensor_msg(&backends, Tensor::ones([2], (Kind::Float, Device::Cpu))).unwrap();
}
