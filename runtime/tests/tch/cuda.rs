//! On a GPU, with torch's CUDA; each test says why it skips where there is none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rosidl_buffer_runtime::cuda::{CudaBackend, CudaStream, Device as Gpu};
use rosidl_buffer_runtime::shm::ShmBackend;
use rosidl_buffer_runtime::tensor::tch::{
    StreamGuard, TorchError, allocate_tensor_msg, copy_to_tensor_msg, current_stream,
    from_input_tensor_msg, from_output_tensor_msg, into_tensor_msg, load_cuda, to_tensor_msg,
    view_input_tensor_msg,
};
use rosidl_buffer_runtime::tensor::{DType, TensorMessage as _};
use rosidl_buffer_runtime::{BackendRegistry, Buffer, BufferBackend as _, cdr};
use tch::{Device, IndexOp as _, Kind, Tensor};

use crate::types::{KINDS, sample};
use crate::{Message, address, bytes};

const GPU: Device = Device::Cuda(0);
const FLOAT: (Kind, Device) = (Kind::Float, GPU);
const SOON: Duration = Duration::from_secs(20);

/// A backend of the test's own, among the backends of a program.
struct Side {
    cuda: CudaBackend,
    backends: BackendRegistry,
    stream: CudaStream,
}

impl Side {
    fn new() -> Option<Self> {
        let skipped = |why: String| eprintln!("skipped: {why}");
        let cuda = CudaBackend::new()
            .map_err(|error| skipped(error.to_string()))
            .ok()?;
        load_cuda()
            .map_err(|error| skipped(error.to_string()))
            .ok()?;
        let mut backends = BackendRegistry::new();
        backends.register(Arc::new(cuda.clone())).unwrap();
        let stream = cuda.new_stream().unwrap();
        Some(Self {
            cuda,
            backends,
            stream,
        })
    }

    fn gpu(&self) -> &Gpu {
        self.cuda.devices().next().unwrap()
    }

    /// Where the message's memory is on the device.
    fn place(&self, message: &Message) -> usize {
        let read = self
            .cuda
            .from_input_buffer(&message.data, &self.stream)
            .unwrap();
        usize::try_from(read.address()).unwrap()
    }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn every_kind_goes_through_the_gpu() {
    let Some(side) = Side::new() else { return };
    for (kind, _, _) in KINDS {
        let on_host = sample(kind);
        let expected = bytes(&on_host);
        for tensor in [on_host.to_device(GPU), on_host] {
            let message: Message = to_tensor_msg(&side.backends, &tensor, Some("cuda_rs")).unwrap();
            assert_eq!(message.data.backend_type(), "cuda_rs");
            assert_eq!(message.data.to_vec().unwrap(), expected, "{kind:?}");
            let copy = from_input_tensor_msg(&message).unwrap();
            assert_eq!((copy.kind(), copy.device()), (kind, GPU));
            assert_eq!(bytes(&copy), expected, "{kind:?}");
            // SAFETY: it is only read, on one stream.
            let view = unsafe { view_input_tensor_msg(&message) }.unwrap();
            assert_eq!(address(&view), side.place(&message));
            assert_ne!(address(&copy), address(&view));
            assert_eq!(bytes(&view), expected);
            drop(view);

            let mut output: Message =
                allocate_tensor_msg(&side.backends, tensor.size(), kind, None).unwrap();
            assert_eq!(output.data.backend_type(), "cuda_rs"); // the best there is
            let mut target = from_output_tensor_msg(&mut output).unwrap();
            assert_eq!((target.kind(), target.device()), (kind, GPU));
            target.copy_(&tensor);
            let written = address(&target);
            drop(target);
            assert_eq!(side.place(&output), written);
            assert_eq!(output.data.to_vec().unwrap(), expected, "{kind:?}");
        }
    }
}

#[test]
fn tensors_cross_between_host_and_gpu() {
    let Some(side) = Side::new() else { return };
    let tensor = Tensor::arange(60, FLOAT)
        .reshape([3, 4, 5])
        .permute([2, 0, 1]);
    let message: Message = to_tensor_msg(&side.backends, &tensor, Some("cpu")).unwrap();
    assert_eq!(message.data, bytes(&tensor));
    let near: Message = to_tensor_msg(&side.backends, &tensor, None).unwrap();
    assert_eq!(near.data.backend_type(), "cuda_rs");
    let on_host = tensor.to_device(Device::Cpu);
    let near: Message = to_tensor_msg(&side.backends, &on_host, None).unwrap();
    assert_eq!(near.data.backend_type(), "cpu"); // nobody asked for a device
    let mut there: Message =
        allocate_tensor_msg(&side.backends, [60], Kind::Float, Some("cuda_rs")).unwrap();
    copy_to_tensor_msg(&on_host, &mut there).unwrap();
    assert_eq!(there.shape, [5, 3, 4]);
    assert_eq!(there.data.to_vec().unwrap(), bytes(&tensor));
    let again = copy_to_tensor_msg(&on_host, &mut there);
    assert!(matches!(again, Err(TorchError::Access(_))), "{again:?}");
    let wire = cdr::encode(&there).unwrap();
    let received: Message = cdr::decode(&wire).unwrap();
    assert!(from_input_tensor_msg(&received).unwrap().equal(&on_host));
}

#[test]
fn shared_memory_that_the_gpu_copies_to_is_registered_with_it() {
    let Some(mut side) = Side::new() else { return };
    let shm = ShmBackend::new().unwrap();
    side.backends.register(Arc::new(shm.clone())).unwrap();
    let rows = Tensor::arange(1 << 20, FLOAT).reshape([1 << 10, 1 << 10]);
    for part in [rows.shallow_clone(), rows.tr(), rows.i((.., 3..40))] {
        for round in 0..3 {
            let tensor = &part + round;
            let message: Message = to_tensor_msg(&side.backends, &tensor, Some("shm")).unwrap();
            assert_eq!(message.data.backend_type(), "shm");
            assert_eq!(message.data, bytes(&tensor), "round {round}");
            // SAFETY: it is only looked at.
            let view = unsafe { view_input_tensor_msg(&message) }.unwrap();
            assert!(view.is_pinned(GPU));
        }
    }
    let stats = shm.stats();
    assert!(stats.made <= 2, "{stats:?}"); // of two sizes, used again and again
}

#[test]
fn large_tensors_of_the_host_go_to_the_gpu_by_shared_memory() {
    let rows = Tensor::arange(1 << 20, (Kind::Float, Device::Cpu)).reshape([1 << 10, 1 << 10]);
    let made = |shm: ShmBackend, tensors: &[Tensor]| {
        let mut side = Side::new()?;
        side.backends.register(Arc::new(shm.clone())).unwrap();
        let _guard = StreamGuard::new(&side.stream).unwrap();
        for tensor in tensors {
            let expected = bytes(tensor);
            let message: Message = to_tensor_msg(&side.backends, tensor, Some("cuda_rs")).unwrap();
            let _ = tensor.shallow_clone().zero_(); // it was copied before
            assert_eq!(message.data.backend_type(), "cuda_rs");
            assert_eq!(message.shape, tensor.size());
            let copy = from_input_tensor_msg(&message).unwrap();
            assert_eq!((bytes(&copy), copy.device()), (expected, GPU));
        }
        Some(shm.stats().made)
    };
    let several: Vec<_> = (0..6)
        .map(|round| match round % 2 {
            0 => &rows + round,
            _ => (&rows + round).tr(),
        })
        .collect();
    let Some(blocks) = made(ShmBackend::new().unwrap(), &several) else {
        return;
    };
    assert!(blocks > 0);
    // Memory that is pinned goes directly, and what there is no shared memory for.
    let pinned = rows.pin_memory(GPU);
    assert_eq!(made(ShmBackend::new().unwrap(), &[pinned]), Some(0));
    let few = ShmBackend::builder().max_bytes(1 << 20).build().unwrap();
    assert_eq!(made(few, &[&rows + 1]), Some(0));
}

#[test]
fn elements_that_are_not_aligned_are_copied_and_not_viewed() {
    let Some(side) = Side::new() else { return };
    let tensor = Tensor::arange(16, (Kind::Uint8, GPU));
    let mut message: Message = to_tensor_msg(&side.backends, &tensor, Some("cuda_rs")).unwrap();
    (message.dtype_code, message.dtype_bits) = (2, 32);
    (message.shape, message.strides, message.byte_offset) = (vec![2], vec![2], 1);
    // SAFETY: it is only read.
    let viewed = unsafe { view_input_tensor_msg(&message) };
    assert!(matches!(viewed, Err(TorchError::Unaligned(_))));
    let copy = from_input_tensor_msg(&message).unwrap();
    assert_eq!(copy.device(), GPU);
    assert_eq!(bytes(&copy), [1, 2, 3, 4, 9, 10, 11, 12]);

    let mut message: Message =
        allocate_tensor_msg(&side.backends, [4], Kind::Float, Some("cuda_rs")).unwrap();
    (message.shape, message.byte_offset) = (vec![3], 1);
    let refused = from_output_tensor_msg(&mut message).unwrap_err();
    assert!(matches!(refused, TorchError::Unaligned(_)), "{refused}");
    message.byte_offset = 4;
    drop(from_output_tensor_msg(&mut message).unwrap());
}

#[test]
fn memory_for_bools_is_false_before_torch_writes_some() {
    let Some(side) = Side::new() else { return };
    let mut message: Message =
        allocate_tensor_msg(&side.backends, [1000], Kind::Bool, Some("cuda_rs")).unwrap();
    drop(from_output_tensor_msg(&mut message).unwrap());
    assert_eq!(message.data.to_vec().unwrap(), [0; 1000]);
}

#[cfg(feature = "dlpack")]
#[test]
fn a_tensor_made_for_another_stream_is_refused() {
    use rosidl_buffer_runtime::tensor::DlTensor;
    use rosidl_buffer_runtime::tensor::tch::from_dlpack;

    let Some(side) = Side::new() else { return };
    let tensor = Tensor::arange(16, FLOAT);
    let message: Message = to_tensor_msg(&side.backends, &tensor, Some("cuda_rs")).unwrap();
    let shared = || {
        let view = message.tensor().unwrap();
        DlTensor::from_cuda(&view, &side.cuda, &side.stream).unwrap()
    };
    assert!(matches!(
        from_dlpack(shared()),
        Err(TorchError::OtherStream)
    ));
    let _guard = StreamGuard::new(&side.stream).unwrap();
    assert!(from_dlpack(shared()).unwrap().equal(&tensor));
}

#[test]
fn a_stream_of_ours_is_torch_s_while_it_is_guarded() {
    let Some(side) = Side::new() else { return };
    let current = || current_stream(&side.cuda, side.gpu()).unwrap().handle();
    let before = current();
    let other = side.cuda.new_stream().unwrap();
    let guard = StreamGuard::new(&side.stream).unwrap();
    assert_eq!(current(), side.stream.handle());
    {
        let _inner = StreamGuard::new(&other).unwrap();
        assert_eq!(current(), other.handle());
        std::thread::scope(|threads| {
            threads
                .spawn(|| assert_eq!(current(), before))
                .join()
                .unwrap();
        });
        let default = side.cuda.default_stream(side.gpu().uuid()).unwrap();
        let _default = StreamGuard::new(&default).unwrap();
        assert_eq!(current(), default.handle());
    }
    assert_eq!(current(), side.stream.handle());
    drop(guard);
    assert_eq!(current(), before);
}

#[test]
fn what_one_stream_writes_another_reads_without_the_host() {
    let Some(side) = Side::new() else { return };
    let writing = side.cuda.new_stream().unwrap();
    let busy = Tensor::ones([4096, 4096], FLOAT);
    tch::Cuda::synchronize(0);
    for round in 0..20 {
        let guard = StreamGuard::new(&writing).unwrap();
        let mut message: Message =
            allocate_tensor_msg(&side.backends, [1 << 22], Kind::Float, None).unwrap();
        let mut output = from_output_tensor_msg(&mut message).unwrap();
        let work = busy.matmul(&busy).matmul(&busy); // milliseconds, before the tensor is written
        output.copy_(&(work.i((0, 0)) * 0.0 + f64::from(round)).expand([1 << 22], false));
        drop(output);
        drop(guard);
        let _guard = StreamGuard::new(&side.stream).unwrap();
        // SAFETY: it is only read, on this stream.
        let view = unsafe { view_input_tensor_msg(&message) }.unwrap();
        let right = view.eq(f64::from(round)).sum(Kind::Int64);
        drop(view);
        drop(message);
        assert_eq!(right.int64_value(&[]), 1 << 22, "round {round}");
    }
}

#[test]
fn the_block_is_kept_until_torch_s_last_tensor() {
    let Some(side) = Side::new() else { return };
    let tensor = Tensor::arange(1 << 20, FLOAT);
    let message: Message = to_tensor_msg(&side.backends, &tensor, None).unwrap();
    // SAFETY: it is only read, on one stream.
    let view = unsafe { view_input_tensor_msg(&message) }.unwrap();
    let part = view.i(7..);
    drop((message, view));
    let used = || {
        let stats = side.cuda.stats();
        stats.blocks - stats.blocks_free
    };
    assert_eq!(used(), 1);
    assert_eq!(part.i(0).double_value(&[]).to_string(), "7");
    std::thread::spawn(move || drop(part)).join().unwrap();
    eventually("the block is free", || used() == 0);
}

#[test]
fn a_tensor_goes_to_another_backend_without_the_host() {
    let Some(side) = Side::new() else { return };
    let reader = CudaBackend::new().unwrap();
    reader.connect(&side.cuda.backend_metadata(), SOON).unwrap();
    assert!(side.cuda.wait_for_reader(&reader.backend_metadata(), SOON));
    for number in 0..3 {
        let tensor = Tensor::arange(1 << 16, FLOAT) + number;
        let place = address(&tensor);
        let expected = tensor.copy();
        // Torch's own memory, and a copy in ours.
        let message: Message = if number == 0 {
            to_tensor_msg(&side.backends, &tensor, None).unwrap()
        } else {
            let message = into_tensor_msg(&side.backends, tensor).unwrap();
            assert_eq!(side.place(&message), place);
            message
        };
        let storage = message.data.storage().unwrap();
        let metadata = reader.backend_metadata();
        let descriptor = side.cuda.create_descriptor(storage, &metadata).unwrap();
        let storage = reader.from_descriptor(descriptor.unwrap()).unwrap();
        drop(message);
        let data = Buffer::from_storage(storage).unwrap();
        let received = Message::from_buffer(DType::F32, [1 << 16], data).unwrap();
        // SAFETY: it is only read, on one stream.
        let view = unsafe { view_input_tensor_msg(&received) }.unwrap();
        assert_eq!(view.device(), GPU);
        assert!(view.equal(&expected));
    }
    let shared = Tensor::ones([4], FLOAT);
    let _part = shared.i(..2);
    let refused = into_tensor_msg::<Message>(&side.backends, shared);
    assert!(matches!(refused, Err(TorchError::Shared)));
}
