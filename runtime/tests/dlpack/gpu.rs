//! In memory of a GPU. Each test says why it skips where there is none; `bench/gpu` takes this binary to a machine that has one.

use std::thread;
use std::time::{Duration, Instant};

use rosidl_buffer_runtime::cuda::{AccessError, CudaBackend};
use rosidl_buffer_runtime::tensor::{
    DType, DlDevice, DlTensor, DlpackError, Layout, TensorMessage as _,
};

use crate::messages::Tensor;

const SOON: Duration = Duration::from_secs(20);

fn backend() -> Option<CudaBackend> {
    CudaBackend::new()
        .inspect_err(|error| println!("skipped: {error}"))
        .ok()
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_tensor_goes_out_and_comes_back_in_place() {
    let Some(cuda) = backend() else { return };
    let stream = cuda.new_stream().unwrap();
    let bytes: Vec<u8> = (0..200).collect();
    let data = cuda.to_buffer(&bytes, &stream).unwrap();
    let address = cuda.from_input_buffer(&data, &stream).unwrap().address();
    let (shape, strides) = (vec![2, 3], vec![5, 1]);
    let message = Tensor::from_parts(DType::F32, shape.clone(), strides.clone(), 8, data);
    let view = message.tensor().unwrap();
    assert!(DlTensor::from_view(&view).is_err()); // the host does not read it

    let tensor = DlTensor::from_cuda(&view, &cuda, &stream).unwrap();
    let device = DlDevice::cuda(stream.device().ordinal());
    assert_eq!((tensor.device(), tensor.is_read_only()), (device, true));
    assert_eq!(
        (tensor.shape(), tensor.strides()),
        (&shape[..], &strides[..])
    );
    assert_eq!(tensor.data_address() as u64, address + 8);
    drop(message);
    let raw = tensor.into_raw();
    // SAFETY: of `into_raw`, used once; nobody writes the data.
    let tensor = unsafe { DlTensor::from_raw(raw) }.unwrap();
    // SAFETY: the data was written on this stream.
    let back: Tensor = unsafe { tensor.into_cuda_message(&cuda, &stream) }.unwrap();
    assert_eq!(
        (&back.shape, &back.strides, back.offset),
        (&shape, &strides, 0)
    );
    assert_eq!(back.data.to_vec().unwrap(), bytes[8..8 + 8 * 4]);
    let read = cuda.from_input_buffer(&back.data, &stream).unwrap();
    assert_eq!(read.address(), address + 8);
    drop(read);
    assert_eq!(cuda.stats().blocks_used_here, 1);
    thread::spawn(move || drop(back)).join().unwrap();
    eventually("the block is free", || cuda.stats().blocks_used_here == 0);
}

#[test]
fn what_is_written_ends_with_the_deleter() {
    let Some(cuda) = backend() else { return };
    let stream = cuda.new_stream().unwrap();
    let mut data = cuda.allocate_buffer(64).unwrap();
    let layout = Layout {
        dtype: DType::I64,
        shape: &[4],
        strides: &[2],
        byte_offset: 8,
    };
    let write = cuda.from_output_buffer(&mut data, &stream).unwrap();
    let address = write.address();
    let tensor = DlTensor::from_cuda_write(layout, write).unwrap();
    assert!(!tensor.is_read_only());
    assert_eq!(tensor.data_address() as u64, address + 8);
    let unwritten = cuda.from_input_buffer(&data, &stream).unwrap_err();
    assert!(matches!(unwritten, AccessError::NotWritten), "{unwritten}");
    drop(tensor);
    assert_eq!(cuda.from_input_buffer(&data, &stream).unwrap().len(), 64);

    let mut short = cuda.allocate_buffer(63).unwrap();
    let write = cuda.from_output_buffer(&mut short, &stream).unwrap();
    assert!(DlTensor::from_cuda_write(layout, write).is_err());
}

#[test]
fn tensors_of_the_host_are_copied_to_the_device_and_not_adopted_there() {
    let Some(cuda) = backend() else { return };
    let stream = cuda.new_stream().unwrap();
    let message = Tensor::from_vec([3], vec![1_u64, 2, 3]).unwrap();
    let view = message.tensor().unwrap();
    let tensor = DlTensor::from_cuda(&view, &cuda, &stream).unwrap();
    assert_eq!(tensor.device().kind, 2);
    let refused = tensor.into_message::<Tensor>().unwrap_err();
    assert!(matches!(refused, DlpackError::Device { .. }), "{refused}");
    let tensor = DlTensor::from_message(&message).unwrap();
    // SAFETY: refused before anything is used.
    let refused = unsafe { tensor.into_cuda_message::<Tensor>(&cuda, &stream) }.unwrap_err();
    assert!(
        refused.to_string().contains("is on cpu, and cuda:"),
        "{refused}"
    );
}
