//! Tensors on a GPU, in memory of [`CudaBackend`]: read and written in the order of torch's current stream.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Range;
use core::ptr;
use std::sync::{Mutex, PoisonError};

use ::tch::Tensor;

use super::error::TorchError;
use super::ffi::{self, Description, Memory, Place};
use super::input::{check_alignment, strides};
use super::library::load_cuda;
use crate::buffer::Buffer;
use crate::cuda::{CudaBackend, CudaStream, Device};
use crate::host::HostMapping;
use crate::registry::BackendRegistry;
use crate::tensor::choice::host;
use crate::tensor::dtype::DType;
use crate::tensor::error::TensorError;
use crate::tensor::shape::Layout;
use crate::tensor::view::TensorView;

/// A device whose memory torch can use, and the stream that orders it.
pub(super) struct OnDevice {
    backend: CudaBackend,
    stream: CudaStream,
    index: i32,
}

/// The device that a buffer's memory is read on; `None` for memory that is not on one.
pub(super) fn reach(data: &Buffer<u8>) -> Option<Result<OnDevice, TorchError>> {
    let (backend, uuid) = CudaBackend::of(data)?;
    let device = backend.devices().find(|device| device.uuid() == uuid)?;
    let index = device.ordinal();
    let stream = current_stream(&backend, device);
    Some(stream.map(|stream| OnDevice {
        backend,
        stream,
        index,
    }))
}

/// The stream that torch puts this thread's work for a device on, for other work that has to be in its order.
///
/// # Errors
/// [`TorchError::NoCuda`]; when the backend did not open the device.
pub fn current_stream(backend: &CudaBackend, device: &Device) -> Result<CudaStream, TorchError> {
    load_cuda()?;
    // Both count the devices that CUDA shows this process.
    let handle = ffi::current_stream(device.ordinal())?;
    // SAFETY: torch works in the device's primary context and never destroys its streams; what others gave it has to exist as
    // long as torch uses it, which `StreamGuard` sees to.
    Ok(unsafe { backend.foreign_stream(device.uuid(), handle) }?)
}

impl OnDevice {
    /// # Safety
    /// As [`view_input_tensor_msg`](super::view_input_tensor_msg).
    pub(super) unsafe fn view(
        &self,
        view: &TensorView<'_>,
        layout: Layout<'_>,
    ) -> Result<Tensor, TorchError> {
        let read = self
            .backend
            .from_input_buffer(view.buffer(), &self.stream)?;
        let strides = strides(&layout);
        let memory = self.memory(read.address(), view.byte_range(), &layout, &strides)?;
        // SAFETY: the range was measured for this layout and begins where its type may, and the handle keeps it there, written, until
        // it is dropped; that nobody writes is the caller's promise.
        unsafe { ffi::from_memory(&memory, read) }
    }

    /// As [`view`](Self::view), or over a copy of torch's own where the elements are not aligned for torch: a kernel that reads
    /// such would fail, and with it whatever the process does on the device from then on.
    ///
    /// # Safety
    /// As [`view`](Self::view).
    pub(super) unsafe fn source(
        &self,
        view: &TensorView<'_>,
        layout: Layout<'_>,
    ) -> Result<Tensor, TorchError> {
        // SAFETY: the caller's promise.
        let viewed = unsafe { self.view(view, layout) };
        if !matches!(viewed, Err(TorchError::Unaligned(_))) {
            return viewed;
        }
        let range = view.byte_range();
        let size = i64::try_from(range.len()).map_err(|_| TensorError::TooLarge)?;
        let bytes = Layout {
            dtype: DType::U8,
            shape: &[size],
            strides: &[],
            byte_offset: layout.byte_offset,
        };
        // SAFETY: it is only read here, and dropped.
        let bytes = unsafe { self.view(&TensorView::new(bytes, view.buffer())?, bytes) }?;
        let moved = ffi::copy(&bytes)?;
        let strides = strides(&layout);
        let memory = self.memory(
            moved.data_ptr().addr() as u64,
            0..range.len(),
            &layout,
            &strides,
        )?;
        // SAFETY: a copy of the range that was measured for this layout, which begins where its type may; the tensor keeps it, and
        // nobody else has that.
        unsafe { ffi::from_memory(&memory, moved) }
    }

    /// A tensor over memory that nobody wrote yet; one of `bool` is filled with `false`.
    pub(super) fn output(
        &self,
        data: &mut Buffer<u8>,
        range: Range<usize>,
        layout: &Layout<'_>,
    ) -> Result<Tensor, TorchError> {
        // Blocks begin at multiples of more: so nothing is taken that would be refused.
        check_alignment(layout.dtype, range.start)?;
        let write = self.backend.from_output_buffer(data, &self.stream)?;
        let strides = strides(layout);
        let memory = self.memory(write.address(), range.clone(), layout, &strides)?;
        if layout.dtype == DType::BOOL {
            let size = [i64::try_from(range.len()).map_err(|_| TensorError::TooLarge)?];
            let bytes = Memory {
                dtype: DType::U8,
                shape: &size,
                strides: &[1],
                ..memory
            };
            // SAFETY: the range is within the handle's memory, which nobody else uses; bytes may begin anywhere; the tensor is
            // dropped before the handle, and what it does is on the handle's stream.
            let mut bytes = unsafe { ffi::from_memory(&bytes, ()) }?;
            let _ = bytes.f_zero_()?;
        }
        // SAFETY: the range was measured for this layout and begins where its type may; the handle is the only one to write there and
        // lets nobody read before it is dropped.
        unsafe { ffi::from_memory(&memory, write) }
    }

    /// The range, which was measured for the memory that begins at `start`.
    fn memory<'a>(
        &self,
        start: u64,
        range: Range<usize>,
        layout: &Layout<'a>,
        strides: &'a [i64],
    ) -> Result<Memory<'a>, TorchError> {
        let start = usize::try_from(start).unwrap_or_default(); // addresses are as wide
        let first = start + range.start;
        check_alignment(layout.dtype, first)?;
        Ok(Memory {
            data: ptr::with_exposed_provenance_mut(first),
            dtype: layout.dtype,
            shape: layout.shape,
            strides,
            place: Place::Cuda(self.index),
        })
    }
}

/// Memory on the device that torch counts so, or else on the backend's first one.
pub(super) fn allocate(
    cuda: &CudaBackend,
    len: usize,
    near: Place,
) -> Result<Buffer<u8>, TorchError> {
    let device = match near {
        Place::Cuda(index) => cuda.devices().find(|device| device.ordinal() == index),
        Place::Host => None,
    };
    Ok(match device {
        Some(device) => cuda.allocate_buffer_on(device.uuid(), len),
        None => cuda.allocate_buffer(len),
    }?)
}

/// Has torch's device copy to memory of the host at the speed of its link, if there is a backend of devices.
pub(super) fn register(
    backends: &BackendRegistry,
    index: i32,
    mapping: &HostMapping<'_>,
) -> Result<(), TorchError> {
    let Some(cuda) = backend(backends) else {
        return Ok(());
    };
    let device = cuda.devices().find(|device| device.ordinal() == index);
    Ok(device.map_or(Ok(()), |device| cuda.register_host(device.uuid(), mapping))?)
}

/// Fewer bytes go from the host to a device directly.
const LARGE: usize = 1 << 20;

/// The backend whose memory a tensor on the host goes to the first device through, as the device copies from there at the speed of its
/// link, and torch's copy has the driver do so piece by piece. `None` where the direct way is as good or the only one.
pub(super) fn way<'r>(
    backends: &'r BackendRegistry,
    cuda: &CudaBackend,
    tensor: &Tensor,
    is: &Description<'_>,
    len: usize,
) -> Option<&'r str> {
    if is.place != Place::Host || len < LARGE {
        return None;
    }
    let device = cuda.devices().next()?.uuid();
    let is_pinned = cuda.is_pinned(device, tensor.data_ptr().addr());
    host(backends).filter(|_| !is_pinned)
}

/// What is in memory of the host, on the first device, copied on torch's current stream there.
pub(super) fn upload(cuda: &CudaBackend, data: &Buffer<u8>) -> Result<Buffer<u8>, TorchError> {
    let missing = |what: &str| TorchError::NoCuda(what.to_owned()); // never: it opened one, and copies into memory there
    let device = cuda.devices().next();
    let device = device.ok_or_else(|| missing("the backend has no device"))?;
    let read = cuda.from_input_buffer(data, &current_stream(cuda, device)?)?;
    let copied = read.buffer();
    copied.ok_or_else(|| missing("the backend gave no memory of the device"))
}

fn backend(backends: &BackendRegistry) -> Option<&CudaBackend> {
    let mut names = backends.names();
    names.find_map(|name| backends.backend::<CudaBackend>(name))
}

/// The memory of a tensor, which nobody else uses, as a buffer.
pub(super) fn adopt(
    backends: &BackendRegistry,
    tensor: Tensor,
    (address, len): (usize, usize),
    index: i32,
) -> Result<Buffer<u8>, TorchError> {
    let cuda = backend(backends).ok_or_else(|| {
        TorchError::NoCuda(
            "memory of a GPU needs a backend `cuda_rs`, and none is registered; `to_tensor_msg` copies the tensor to the host"
                .to_owned(),
        )
    })?;
    let device = cuda.devices().find(|device| device.ordinal() == index);
    let device = device.ok_or_else(|| {
        TorchError::NoCuda(format!("the backend did not open torch's device {index}"))
    })?;
    let stream = current_stream(cuda, device)?;
    // SAFETY: the tensor has so many bytes there in the device's primary context and keeps them; it is the only one over its
    // memory, so nobody writes there, but for work that is over or on torch's current stream, as torch itself assumes.
    Ok(unsafe { cuda.adopt(address as u64, len, &stream, tensor) }?)
}

/// Makes a stream torch's current one on this thread, for the stream's device, and puts back the one before when it is
/// dropped.
///
/// Torch keeps memory for each stream that it worked on, so the stream is kept for as long as the process lives: use a few, again
/// and again.
///
/// ```no_run
/// use rosidl_buffer_runtime::cuda::CudaBackend;
/// use rosidl_buffer_runtime::tensor::tch::StreamGuard;
///
/// let cuda = CudaBackend::shared()?;
/// let stream = cuda.new_stream()?;
/// let guard = StreamGuard::new(&stream)?;
/// // … what torch does here is on `stream` …
/// drop(guard);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the stream is torch's as long as this lives"]
pub struct StreamGuard {
    index: i32,
    before: i64,
    /// Torch has a current stream for each thread.
    here: PhantomData<*const ()>,
}

impl StreamGuard {
    /// # Errors
    /// [`TorchError::NoCuda`], and when torch refuses.
    pub fn new(stream: &CudaStream) -> Result<Self, TorchError> {
        load_cuda()?;
        keep(stream);
        let index = stream.device().ordinal();
        // Torch's number of a stream that it did not make is the address, and that of the default stream is 0.
        let id = match stream.handle() {
            0 | 1 => 0,
            handle => i64::try_from(handle).unwrap_or_default(), // addresses are not that large
        };
        // SAFETY: a stream of the device's primary context, which is kept.
        let before = unsafe { ffi::exchange_stream(index, id) }?;
        Ok(Self {
            index,
            before,
            here: PhantomData,
        })
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        // SAFETY: torch gave the number for this device.
        if let Err(error) = unsafe { ffi::exchange_stream(self.index, self.before) } {
            tracing::error!(%error, "torch's current stream could not be put back");
        }
    }
}

impl fmt::Debug for StreamGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamGuard(device {})", self.index)
    }
}

/// Keeps a stream that torch may use from now on.
fn keep(stream: &CudaStream) {
    static KEPT: Mutex<Vec<CudaStream>> = Mutex::new(Vec::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if !kept.iter().any(|other| other.handle() == stream.handle()) {
        kept.push(stream.clone());
    }
}
