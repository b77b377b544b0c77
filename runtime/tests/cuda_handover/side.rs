//! One end: a backend, a stream and the kernels.

use std::time::{Duration, Instant};

use rosidl_buffer_runtime::cuda::{
    AccessError, CudaBackend, CudaBuilder, CudaStream, Device, DeviceUuid,
};
use rosidl_buffer_runtime::{AllocateError, Buffer, BufferBackend as _};

use crate::gpu::Gpu;
use crate::link::{End, Frame, Link, now, to_words};

pub struct Side {
    pub cuda: CudaBackend,
    pub stream: CudaStream,
    pub gpu: Gpu,
}

/// Tells a started process which device to use; the first unless set.
const DEVICE: &str = "ROSIDL_BUFFER_GPU_DEVICE";

/// For the environment of a process that is to use this device.
pub fn place(device: &Device) -> (&'static str, String) {
    let number = u128::from_be_bytes(device.uuid().0);
    (DEVICE, format!("{number:032x}"))
}

/// With the device that this process was told to use.
pub fn builder() -> CudaBuilder {
    let told = std::env::var(DEVICE).ok();
    told.into_iter()
        .fold(CudaBackend::builder(), |builder, text| {
            let number = u128::from_str_radix(&text, 16).unwrap();
            builder.device(DeviceUuid(number.to_be_bytes()))
        })
}

impl Side {
    /// `None`, said on the standard output, where there is no device.
    pub fn new() -> Option<Self> {
        Self::with(builder())
    }

    /// With a stream and kernels on the builder's first device.
    pub fn with(builder: CudaBuilder) -> Option<Self> {
        match builder.build() {
            Ok(cuda) => {
                let stream = cuda.new_stream().unwrap();
                let gpu = Gpu::on(stream.device());
                Some(Self { cuda, stream, gpu })
            }
            Err(error) => {
                println!("skipped: {error}");
                None
            }
        }
    }

    /// A buffer with the pattern of `frame`, on its way: the device is kept busy for `busy` before it writes.
    pub fn write(&self, len: usize, frame: u64, busy: Duration) -> Result<Buffer<u8>, AccessError> {
        let mut buffer = self.cuda.allocate_buffer(len)?;
        let write = self.cuda.from_output_buffer(&mut buffer, &self.stream)?;
        if !busy.is_zero() {
            self.gpu.spin(self.stream.handle(), busy);
        }
        self.gpu
            .fill(self.stream.handle(), write.address(), write.len(), frame);
        write.finish()?;
        Ok(buffer)
    }

    /// As [`write`](Self::write), but waits for a block.
    pub fn write_soon(&self, len: usize, frame: u64, busy: Duration) -> Buffer<u8> {
        let start = Instant::now();
        loop {
            match self.write(len, frame, busy) {
                Err(AccessError::Allocate(AllocateError::Exhausted { .. }))
                    if start.elapsed() < Duration::from_secs(10) =>
                {
                    std::thread::yield_now();
                }
                other => return other.unwrap(),
            }
        }
    }

    /// Describes the buffer to the reader with this metadata and sends it; false if the reader would have to be sent bytes.
    pub fn send(&self, link: &Link, frame: u64, buffer: &Buffer<u8>, reader: &str) -> bool {
        let start = now();
        let storage = buffer.storage().unwrap();
        let Some(descriptor) = self.cuda.create_descriptor(storage, reader).unwrap() else {
            return false;
        };
        link.publish(&Frame {
            number: frame,
            start,
            words: to_words(&descriptor),
        });
        true
    }

    /// Exchanges metadata with the process at the other end, and waits until it reads from us.
    pub fn serve(&self, link: &Link) -> String {
        link.say(End::Writer, &self.cuda.backend_metadata());
        let reader = link.hear(End::Reader);
        assert!(self.cuda.wait_for_reader(&reader, Duration::from_secs(20)));
        reader
    }

    /// Exchanges metadata with the process at the other end, and connects to it.
    pub fn join(&self, link: &Link) {
        link.say(End::Reader, &self.cuda.backend_metadata());
        let writer = link.hear(End::Writer);
        self.cuda.connect(&writer, Duration::from_secs(20)).unwrap();
    }

    /// Blocks that somebody has.
    pub fn in_use(&self) -> usize {
        let stats = self.cuda.stats();
        stats.blocks - stats.blocks_free
    }
}

/// Fails if it is not so soon enough; gives the time it took.
pub fn eventually(what: &str, patience: Duration, mut is_so: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < patience,
            "not within {patience:?}: {what}"
        );
        std::thread::sleep(Duration::from_micros(200));
    }
    start.elapsed()
}
