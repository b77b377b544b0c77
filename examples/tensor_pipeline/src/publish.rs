//! The publisher: makes a tensor of each picture, on the GPU or in shared memory where it can, and publishes it at a steady rate.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rosidl_buffer_interfaces::tensor_msgs::msg::ExperimentalTensor;
use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_runtime::cuda::{CudaBackend, CudaStream};
use rosidl_buffer_runtime::shm::ShmBackend;
use rosidl_buffer_runtime::tensor::{DType, TensorMessage as _, choose_backend};
use rosidl_buffer_zenoh::{Publisher, QosProfile};

use crate::picture::{Source, write_tensor};
use crate::{Backend, CUDA, Options};

/// How long to wait for somebody who wants the tensors.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for memory where another one will do as well.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);
/// How long to wait for the reader to give a block of memory back before a tensor is sent as bytes.
const BLOCK_PATIENCE: Duration = Duration::from_millis(100);

/// Where tensors go.
enum Memory {
    Cpu,
    Shm(ShmBackend),
    Cuda(CudaBackend, CudaStream),
}

impl Memory {
    /// The memory that is asked for, or the best that somebody will read there.
    fn new(
        asked: Backend,
        publisher: &Publisher<ExperimentalTensor>,
    ) -> Result<Self, Box<dyn Error>> {
        let backends = publisher.node().context().backends();
        match asked {
            Backend::Cpu => return Ok(Self::Cpu),
            Backend::Shm if publisher.wait_for_backend("shm", PATIENCE) => {
                return Ok(Self::Shm(ShmBackend::shared()?));
            }
            Backend::Shm => {
                return Err("the subscriber cannot be reached with shared memory: it runs on another host, as another user, \
                            or with --backend cpu"
                    .into());
            }
            Backend::Cuda | Backend::Auto => {}
        }
        let named = (asked == Backend::Cuda).then_some(CUDA);
        let best = match choose_backend(backends, named) {
            Err(error) if asked == Backend::Cuda => {
                eprintln!(
                    "tensor_pipeline: no tensors on the GPU, the next best memory is used: {error}"
                );
                "shm"
            }
            best => best?,
        };
        if best == CUDA {
            let patience = if asked == Backend::Cuda {
                PATIENCE / 4
            } else {
                SHORT_PATIENCE
            };
            if publisher.wait_for_backend(CUDA, patience) {
                let cuda = CudaBackend::shared()?;
                let stream = cuda.new_stream()?;
                return Ok(Self::Cuda(cuda, stream));
            }
            if asked == Backend::Cuda {
                eprintln!(
                    "tensor_pipeline: the subscriber cannot be reached with memory of this GPU, the next best is used"
                );
            }
        }
        if best != "cpu" && publisher.wait_for_backend("shm", SHORT_PATIENCE) {
            return Ok(Self::Shm(ShmBackend::shared()?));
        }
        Ok(Self::Cpu)
    }

    /// The elements of picture `number`, in new memory.
    fn tensor(&self, source: &Source, number: u32) -> Result<Buffer<u8>, Box<dyn Error>> {
        let pixels = source.draw(number)?;
        let image = source.image(&pixels)?;
        if let Self::Shm(shared) = self {
            match shared.allocate(source.tensor_len(), BLOCK_PATIENCE) {
                Ok(mut block) => {
                    write_tensor(&image, &mut block)?;
                    return Ok(block.into_buffer());
                }
                Err(error) => eprintln!("frame {number} is sent as bytes: {error}"),
            }
        }
        let mut bytes = vec![0; source.tensor_len()];
        write_tensor(&image, &mut bytes)?;
        if let Self::Cuda(cuda, stream) = self {
            return Ok(cuda.to_buffer(&bytes, stream)?);
        }
        Ok(bytes.into())
    }
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let source = Source::of(options)?;
    let node = options.node("tensor_publisher")?;
    let publisher =
        node.create_publisher::<ExperimentalTensor>(&options.topic, QosProfile::default())?;
    if !publisher.wait_for_subscription(PATIENCE) {
        let (topic, seconds) = (publisher.topic_name(), PATIENCE.as_secs());
        return Err(format!("nobody subscribed to {topic} within {seconds} s").into());
    }
    let memory = Memory::new(options.backend, &publisher)?;
    let start = Instant::now();
    for number in 0..options.frames {
        let data = memory.tensor(&source, number)?;
        let message = ExperimentalTensor::from_buffer(DType::F32, source.shape(), data)?;
        if options.rate > 0.0 {
            let due = start + Duration::from_secs_f64(f64::from(number) / options.rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        publisher.publish(&message)?;
    }
    if let Memory::Cuda(_, stream) = &memory {
        stream.synchronize()?; // what is on its way when the process ends is lost
    }
    for (reason, count) in &publisher.stats().fallbacks {
        eprintln!("{count} tensors in such memory were sent as bytes: {reason:?}");
    }
    Ok(ExitCode::SUCCESS)
}
