//! The node with the camera: a kernel fills each frame by its number. First one frame at a time, sixty times a second; then
//! as fast as it goes, with a few on their way.

use std::time::{Duration, Instant};

use rosidl_buffer_interfaces::sensor_msgs::msg::Image;
use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_runtime::cuda::{AccessError, CudaBackend, CudaStream};
use rosidl_buffer_runtime::{AllocateError, BufferBackend as _};
use rosidl_buffer_zenoh::Publisher;

use crate::gpu::Gpu;
use crate::link::{Link, now};
use crate::memory::Device;
use crate::{LEN, TOPIC, VERIFIED, WATCHED, WRONG, node, qos};

const SOON: Duration = Duration::from_secs(30);
const PERIOD: Duration = Duration::from_nanos(1_000_000_000 / 60);
const WARM_UP: u32 = 30;
const ONE_BY_ONE: u32 = 180;
const THROUGHPUT: Duration = Duration::from_secs(2);
/// Frames on their way at most, when it is about throughput.
const WINDOW: u64 = 4;

/// How frames are filled and what is published of them.
trait Camera {
    /// Puts the filling of a frame on the stream.
    fn fill(&mut self, number: u32);
    fn stream(&self) -> &CudaStream;
    /// What a message holds of it; as long as it takes.
    fn data(&mut self) -> Buffer<u8>;
    /// What is left of a message that was published.
    fn give_back(&mut self, data: Buffer<u8>);
}

/// Memory that is handed over.
struct Shared {
    cuda: CudaBackend,
    stream: CudaStream,
    gpu: Gpu,
    filled: Option<Buffer<u8>>,
}

impl Camera for Shared {
    fn fill(&mut self, number: u32) {
        let began = Instant::now();
        let mut buffer = loop {
            match self.cuda.allocate_buffer(LEN) {
                Err(AccessError::Allocate(AllocateError::Exhausted { .. }))
                    if began.elapsed() < SOON =>
                {
                    std::thread::yield_now()
                }
                other => break other.unwrap(),
            }
        };
        let write = self
            .cuda
            .from_output_buffer(&mut buffer, &self.stream)
            .unwrap();
        self.gpu
            .fill(self.stream.handle(), write.address(), LEN, number.into());
        write.finish().unwrap();
        self.filled = Some(buffer);
    }

    fn stream(&self) -> &CudaStream {
        &self.stream
    }

    fn data(&mut self) -> Buffer<u8> {
        self.filled.take().unwrap()
    }

    fn give_back(&mut self, _: Buffer<u8>) {}
}

/// Memory that is copied into the message, which is page-locked for that.
struct Copied {
    device: Device,
    bytes: Option<Buffer<u8>>,
}

impl Camera for Copied {
    fn fill(&mut self, number: u32) {
        let device = &self.device;
        device
            .gpu
            .fill(device.stream.handle(), device.address, LEN, number.into());
    }

    fn stream(&self) -> &CudaStream {
        &self.device.stream
    }

    fn data(&mut self) -> Buffer<u8> {
        let mut bytes = self.bytes.take().unwrap();
        self.device.download(bytes.as_mut_slice().unwrap());
        bytes
    }

    fn give_back(&mut self, data: Buffer<u8>) {
        self.bytes = Some(data);
    }
}

pub fn write(way: &str, reader: &str, watcher: &str, link: &Link) {
    let node = node("camera", way);
    let publisher = node.create_publisher::<Image>(TOPIC, qos()).unwrap();
    let readers = 1 + usize::from(watcher != "none");
    let start = Instant::now();
    while publisher.subscription_count() < readers {
        assert!(
            start.elapsed() < SOON,
            "{} of {readers} readers",
            publisher.subscription_count()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(publisher.wait_for_subscription(SOON));
    for memory in [reader, watcher]
        .into_iter()
        .filter(|name| !matches!(*name, "cpu" | "none"))
    {
        assert!(
            publisher.wait_for_backend(memory, SOON),
            "nobody takes {memory}"
        );
    }
    if way == "cuda_rs" {
        let cuda = CudaBackend::shared().unwrap();
        assert!(node.context().backends().contains(cuda.backend_type()));
        let stream = cuda.new_stream().unwrap();
        measure(
            Shared {
                cuda,
                stream,
                gpu: Gpu::new(),
                filled: None,
            },
            &publisher,
            link,
        );
    } else {
        let device = Device::new(LEN);
        let mut bytes = Buffer::from(vec![0; LEN]);
        device.register(bytes.as_mut_slice().unwrap());
        measure(
            Copied {
                device,
                bytes: Some(bytes),
            },
            &publisher,
            link,
        );
    }
    let stats = publisher.stats();
    eprintln!(
        "{way} {reader} {watcher}: described {:?}, fell back {:?}",
        stats.described, stats.fallbacks
    );
}

fn measure(mut camera: impl Camera, publisher: &Publisher<Image>, link: &Link) {
    let mut message = Image {
        width: 3840,
        height: 2160,
        step: 3840 * 4,
        encoding: "rgba8".to_owned(),
        ..Image::default()
    };
    // How long the call took, in nanoseconds.
    let mut publish = |camera: &mut dyn Camera, number: u32| {
        message.header.stamp.nanosec = number;
        message.data = camera.data();
        let start = now();
        publisher.publish(&message).unwrap();
        let took = now() - start;
        camera.give_back(std::mem::take(&mut message.data));
        took
    };
    let wait = |consumed: u64| {
        let start = Instant::now();
        while link.consumed.get() < consumed {
            assert!(
                start.elapsed() < SOON,
                "the reader stands at {} of {consumed}",
                link.consumed.get()
            );
            std::hint::spin_loop();
        }
    };
    let mut times = Vec::new();
    let began = Instant::now();
    for number in 0..WARM_UP + ONE_BY_ONE {
        std::thread::sleep((PERIOD * number).saturating_sub(began.elapsed()));
        camera.fill(number);
        camera.stream().synchronize().unwrap();
        let start = now();
        publish(&mut camera, number);
        wait(u64::from(number) + 1);
        if number >= WARM_UP {
            times.push((link.marks[VERIFIED].get() - start).to_string());
        }
    }
    let first = WARM_UP + ONE_BY_ONE;
    let (watched, dropped) = (link.marks[WATCHED].get(), publisher.stats().dropped);
    let (mut number, began) = (first, Instant::now());
    let mut calls = Vec::new();
    while began.elapsed() < THROUGHPUT {
        camera.fill(number);
        calls.push(publish(&mut camera, number).to_string());
        number += 1;
        wait((u64::from(number) + 1).saturating_sub(WINDOW));
    }
    wait(number.into());
    let seconds = began.elapsed().as_secs_f64();
    let rate = |frames: f64| (frames / seconds * 1e3) as u64; // in thousandths
    let watched = link.marks[WATCHED].get() - watched;
    println!("rate {}", rate((number - first).into()));
    println!("watched {}", rate(watched as f64));
    println!("dropped {}", publisher.stats().dropped - dropped);
    println!("times {}\ncalls {}", times.join(" "), calls.join(" "));
    println!("wrong {}", link.marks[WRONG].get());
}
