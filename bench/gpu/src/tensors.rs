//! Torch's tensors from one process to another, beside the buffers that they lie in: what a message and two tensors add.
//!
//! A frame is a tensor over a block, written by a kernel, described, and a tensor over the same block elsewhere.

use std::sync::Arc;

use rosidl_buffer_runtime::cuda::driver_calls;
use rosidl_buffer_runtime::shm::ShmBackend;
use rosidl_buffer_runtime::tensor::tch::{
    StreamGuard, allocate_tensor_msg, copy_to_tensor_msg, from_output_tensor_msg, to_tensor_msg,
    view_input_tensor_msg,
};
use rosidl_buffer_runtime::tensor::{DType, TensorMessage as _};
use rosidl_buffer_runtime::{BackendRegistry, Buffer, BufferBackend as _, BufferMessage};
use tch::{Device, Kind, Tensor};

use crate::gpu::Gpu;
use crate::link::{Link, WORDS, from_words, now, to_words};
use crate::other::{Other, WRITER_CORE, pin, unpin};
use crate::round::{Frames, Publisher, Result, Subscriber, publish};
use crate::side::Side;
use crate::warm::{Way, run, warm};
use crate::{count, median, quantile, sorted};

const MB: usize = 1 << 20;

#[derive(Clone, BufferMessage)]
#[ros2(package = "tensor_msgs")]
struct ExperimentalTensor {
    dtype_code: u8,
    dtype_bits: u8,
    dtype_lanes: u16,
    shape: Vec<i64>,
    strides: Vec<i64>,
    byte_offset: u64,
    data: Buffer<u8>,
}

struct TorchPublisher {
    side: Side,
    reader: String,
    backends: BackendRegistry,
    message: Option<ExperimentalTensor>,
    output: Option<Tensor>,
    _guard: StreamGuard,
}

impl TorchPublisher {
    fn new(side: Side, link: &Link) -> Self {
        let reader = side.serve(link);
        let mut backends = BackendRegistry::new();
        backends.register(Arc::new(side.cuda.clone())).unwrap();
        let guard = StreamGuard::new(&side.stream).unwrap();
        Self {
            side,
            reader,
            backends,
            message: None,
            output: None,
            _guard: guard,
        }
    }
}

impl Publisher for TorchPublisher {
    fn begin(&mut self, len: usize) -> u64 {
        let shape = [i64::try_from(len / 4).unwrap()];
        let message = allocate_tensor_msg(&self.backends, shape, Kind::Int, None);
        let message: &mut ExperimentalTensor = self.message.insert(message.unwrap());
        let output = from_output_tensor_msg(message).unwrap();
        self.output.insert(output).data_ptr().addr() as u64
    }

    fn record(&mut self) {
        self.output = None;
    }

    fn describe(&mut self) -> [u64; WORDS] {
        let storage = self.message.as_ref().unwrap().data.storage().unwrap();
        let descriptor = self.side.cuda.create_descriptor(storage, &self.reader);
        to_words(&descriptor.unwrap().expect("connected"))
    }

    fn finish(&mut self) {
        self.message = None;
    }

    fn stream(&self) -> usize {
        self.side.stream.handle()
    }

    fn blocks(&self) -> usize {
        self.side.cuda.stats().blocks
    }

    fn block_of(&self, words: &[u64; WORDS]) -> u64 {
        words[6]
    }

    fn calls(&self) -> u64 {
        driver_calls()
    }
}

pub struct TorchSubscriber {
    side: Side,
    view: Option<Tensor>,
    _guard: StreamGuard,
}

impl TorchSubscriber {
    pub fn new(side: Side, link: &Link) -> Self {
        let guard = StreamGuard::new(&side.stream).unwrap();
        side.join(link);
        Self {
            side,
            view: None,
            _guard: guard,
        }
    }
}

impl Subscriber for TorchSubscriber {
    fn take(&mut self, words: &[u64; WORDS], len: usize) -> u64 {
        let storage = self.side.cuda.from_descriptor(from_words(words)).unwrap();
        let data = Buffer::from_storage(storage).unwrap();
        let shape = [i64::try_from(len / 4).unwrap()];
        let message = ExperimentalTensor::from_buffer(DType::I32, shape, data).unwrap();
        // SAFETY: a kernel reads it, on this stream.
        let view = unsafe { view_input_tensor_msg(&message) }.unwrap();
        self.view.insert(view).data_ptr().addr() as u64
    }

    fn release(&mut self) {
        self.view = None;
    }

    fn stream(&self) -> usize {
        self.side.stream.handle()
    }

    fn calls(&self) -> u64 {
        driver_calls()
    }
}

fn run_torch(frames: Frames) -> Result {
    unpin();
    let other = Other::start("tensors");
    let mut publisher = TorchPublisher::new(Side::new().unwrap(), &other.link);
    let gpu = Gpu::new();
    other.wait_until_ready();
    pin(WRITER_CORE);
    let result = publish(&mut publisher, &gpu, &other.link, frames);
    assert!(other.end().success());
    unpin();
    result
}

/// Buffers and tensors in turn.
pub fn hop() {
    let rounds = count(3, 1);
    println!(
        "\n## A tensor's whole hop: tensor -> message -> other process -> tensor (µs; median of {rounds} runs, range of their p50)\n"
    );
    println!(
        "| MB | | allocate and make writable p50 / p99 | host part p50 / p99 | both p50 | writer's own work p50 | verified p50 | wrong |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for mb in [1, 16, 64] {
        let frames = Frames::new(mb * MB, count(3000, 1000));
        let mut results: [Vec<Result>; 2] = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            results[0].push(run(Way::Ours, frames));
            results[1].push(run_torch(frames));
        }
        let mut both = [0.0; 2];
        for (at, name) in ["buffers", "tensors"].into_iter().enumerate() {
            let middle = |share: f64, of: fn(&crate::round::Times) -> u64| {
                let of_run = |result: &Result| quantile(&warm(result, of), share);
                median(results[at].iter().map(of_run).collect())
            };
            let sum = middle(0.5, |times| times.allocate + times.host);
            both[at] = sum.0;
            println!(
                "| {mb} | {name} | {:.2} / {:.1} | {:.2} / {:.1} | **{:.2}** ({:.2}–{:.2}) | {:.2} | {:.2} | {} |",
                middle(0.5, |times| times.allocate).0,
                middle(0.99, |times| times.allocate).0,
                middle(0.5, |times| times.host).0,
                middle(0.99, |times| times.host).0,
                sum.0,
                sum.1,
                sum.2,
                middle(0.5, |times| times.own).0,
                middle(0.5, |times| times.verified).0,
                results[at].iter().map(|result| result.wrong).sum::<u64>(),
            );
        }
        println!(
            "| {mb} | **added** | | | **{:.2}** | | | |",
            both[1] - both[0]
        );
    }
}

/// A tensor into a message, beside what torch does alone; the device is waited for. New memory beside new memory, memory that is there
/// beside memory that is there. Of the messages only one with a vector is written again; blocks of the other backends are used again.
pub fn copies() {
    let side = Side::new().unwrap();
    let _guard = StreamGuard::new(&side.stream).unwrap();
    let mut backends = BackendRegistry::new();
    backends.register(Arc::new(side.cuda.clone())).unwrap();
    let shm = ShmBackend::new().unwrap();
    backends.register(Arc::new(shm)).unwrap();
    println!("\n## A tensor into a message, 64 MB of `float32` (µs, p50 of 50)\n");
    println!(
        "| tensor on | into | `to_tensor_msg` | torch's `to` a new tensor | `copy_to_tensor_msg` | torch's `copy_` into a tensor | GB/s |"
    );
    println!("|---|---|---|---|---|---|---|");
    let (gpu, host) = (Device::Cuda(0), Device::Cpu);
    let on_host = Tensor::rand([16 * 1024 * 1024], (Kind::Float, host));
    for (tensor, name, into) in [
        (
            on_host.to_device(gpu),
            "GPU",
            &["cuda_rs", "shm", "cpu"][..],
        ),
        (on_host.shallow_clone(), "host", &["cpu", "shm", "cuda_rs"]),
        (on_host.pin_memory(gpu), "host, pinned", &["cuda_rs"]),
    ] {
        for &backend in into {
            let message = || -> ExperimentalTensor {
                to_tensor_msg(&backends, &tensor, Some(backend)).unwrap()
            };
            let new = time(|| drop(message()));
            let place = if backend == "cuda_rs" { gpu } else { host };
            let torchs_new = time(|| drop(tensor.to_device_(place, Kind::Float, false, true)));
            let mut there = message();
            let again = (backend == "cpu")
                .then(|| time(|| copy_to_tensor_msg(&tensor, &mut there).unwrap()));
            let mut target = Tensor::zeros([16 * 1024 * 1024], (Kind::Float, place));
            let torchs = time(|| target.copy_(&tensor));
            let best = again.unwrap_or(new);
            let rate = 64.0 * 1.048_576 / best * 1e3;
            let again = again.map_or_else(|| "–".to_owned(), |time| format!("**{time:.0}**"));
            println!(
                "| {name} | `{backend}` | **{new:.0}** | {torchs_new:.0} | {again} | {torchs:.0} | {rate:.0} |"
            );
        }
    }
}

/// Median in microseconds, with the device done.
fn time(mut work: impl FnMut()) -> f64 {
    let mut once = || {
        let start = now();
        work();
        tch::Cuda::synchronize(0);
        now() - start
    };
    (0..5).for_each(|_| _ = once());
    quantile(&sorted((0..50).map(|_| once())), 0.5)
}
