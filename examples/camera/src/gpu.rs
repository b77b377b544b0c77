//! Frames on the GPU: drawn and compared by kernels, so that no pixel comes to the host.
//!
//! In: the picture, once. Out: a buffer in device memory that may be published, or how many pixels of one are wrong. The
//! kernels are launched with cudarc, on a stream that the buffers are ordered by; launching them is what is unsafe here.

use std::error::Error;
use std::sync::Arc;

use cudarc::driver::{
    CudaContext, CudaFunction, CudaModule, CudaSlice, CudaStream as Queue, LaunchConfig,
    PushKernelArg as _,
};
use cudarc::nvrtc::{self, Ptx};
use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_runtime::cuda::{CudaBackend, CudaStream, Device};

use crate::picture::{PIXEL, Source};

/// The name under which buffers in this memory are known.
pub(crate) const BACKEND: &str = "cuda_rs";

const THREADS: u32 = 256;

/// Whether there is a GPU to draw on; without opening it.
pub(crate) fn look() -> Result<(), Box<dyn Error>> {
    if Device::all()?.is_empty() {
        return Err("CUDA shows no device; does CUDA_VISIBLE_DEVICES hide it?".into());
    }
    Ok(())
}

/// The picture on the first device, and the kernels.
pub(crate) struct Gpu {
    draw: CudaFunction,
    check: CudaFunction,
    picture: CudaSlice<u8>,
    wrong: CudaSlice<u32>,
    width: u32,
    pixels: u32,
    /// The stream as cudarc sees it.
    queue: Arc<Queue>,
    // Last: the others use it.
    stream: CudaStream,
    cuda: CudaBackend,
}

impl Gpu {
    pub(crate) fn new(source: &Source) -> Result<Self, Box<dyn Error>> {
        // First: it says in an error what cudarc would panic about.
        let cuda = CudaBackend::shared()?;
        let stream = cuda.new_stream()?;
        let context = CudaContext::new(usize::try_from(stream.device().ordinal())?)?;
        let handle = std::ptr::with_exposed_provenance_mut(stream.handle());
        // SAFETY: the stream is of this device's primary context, which `context` is; it is dropped after all that uses it.
        let queue = unsafe { context.wrap_borrowed_stream(handle) };
        let module = load(&context)?;
        let (width, height) = source.size();
        Ok(Self {
            draw: module.load_function("draw")?,
            check: module.load_function("check")?,
            picture: queue.clone_htod(source.picture())?,
            wrong: queue.alloc_zeros(1)?,
            width,
            pixels: width * height,
            queue,
            stream,
            cuda,
        })
    }

    /// Frame `number`, in new memory. The device may still be drawing it, which concerns nobody.
    pub(crate) fn draw(&self, number: u32) -> Result<Buffer<u8>, Box<dyn Error>> {
        let mut buffer = self.cuda.allocate_buffer(self.pixels as usize * PIXEL)?;
        let write = self.cuda.from_output_buffer(&mut buffer, &self.stream)?;
        let (frame, shift) = (write.address(), Source::shift(number, self.width));
        let mut launch = self.queue.launch_builder(&self.draw);
        launch.arg(&self.picture).arg(&frame).arg(&self.width);
        launch.arg(&self.pixels).arg(&shift);
        // SAFETY: the arguments are those of the kernel; it reads and writes three bytes for each of `pixels` pixels, which is
        // how long the picture and the frame are; nobody else writes the frame while there is its write handle.
        unsafe { launch.launch(self.threads()) }?;
        write.finish()?;
        Ok(buffer)
    }

    /// How many pixels of a frame are not those of frame `number`. The frame is as long as the picture, wherever it is.
    pub(crate) fn wrong_pixels(
        &mut self,
        frame: &Buffer<u8>,
        number: u32,
    ) -> Result<u32, Box<dyn Error>> {
        let read = self.cuda.from_input_buffer(frame, &self.stream)?;
        if read.len() != self.picture.len() {
            return Err(format!("{} bytes, {} expected", read.len(), self.picture.len()).into());
        }
        self.queue.memset_zeros(&mut self.wrong)?;
        let threads = self.threads();
        let (frame, shift) = (read.address(), Source::shift(number, self.width));
        let mut launch = self.queue.launch_builder(&self.check);
        launch.arg(&self.picture).arg(&frame).arg(&self.width);
        launch.arg(&self.pixels).arg(&shift).arg(&mut self.wrong);
        // SAFETY: the arguments are those of the kernel; it reads three bytes for each of `pixels` pixels, which is how long
        // the picture is and, as compared above, the frame, which is held until the read handle goes; it counts in one word.
        unsafe { launch.launch(threads) }?;
        let wrong = self.queue.clone_dtoh(&self.wrong)?;
        self.stream.synchronize()?;
        read.finish()?;
        Ok(wrong[0])
    }

    /// Waits until all is drawn: a frame whose process ends before is lost.
    pub(crate) fn finish(&self) -> Result<(), Box<dyn Error>> {
        Ok(self.stream.synchronize()?)
    }

    fn threads(&self) -> LaunchConfig {
        LaunchConfig {
            grid_dim: (self.pixels.div_ceil(THREADS), 1, 1),
            block_dim: (THREADS, 1, 1),
            shared_mem_bytes: 0,
        }
    }
}

/// The kernels, compiled here where there is NVRTC, else by the driver.
fn load(context: &Arc<CudaContext>) -> Result<Arc<CudaModule>, Box<dyn Error>> {
    // SAFETY: opening NVRTC runs its initialisers only, which touch nothing of ours.
    if unsafe { nvrtc::sys::is_culib_present() } {
        let compiled = nvrtc::compile_ptx(include_str!("kernels.cu"));
        match compiled
            .map_err(Box::<dyn Error>::from)
            .and_then(|ptx| Ok(context.load_module(ptx)?))
        {
            Ok(module) => {
                tracing::info!("kernels are compiled by NVRTC");
                return Ok(module);
            }
            Err(error) => tracing::info!("NVRTC is of no use here: {error}"),
        }
    }
    Ok(context.load_module(Ptx::from_src(include_str!("kernels.ptx")))?)
}
