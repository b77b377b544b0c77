//! The memories that messages are in: three of the host, and that of a GPU where there is one.

use bytes::Bytes;
use rosidl_buffer_runtime::Buffer;
#[cfg(feature = "cuda")]
use rosidl_buffer_runtime::cuda::{CudaBackend, CudaStream};
use rosidl_buffer_runtime::shm::ShmBackend;
use rosidl_buffer_runtime::tensor::DlTensor;
#[cfg(feature = "cuda")]
use rosidl_buffer_runtime::tensor::TensorMessage as _;

use crate::{Counted, Result, Tensor};

/// The bytes in the memory of this name.
pub(crate) fn make(place: &str, bytes: &[u8]) -> Result<Buffer<u8>> {
    match place {
        "own" => Ok(Buffer::from(bytes.to_vec())),
        "vec" => Counted::buffer(Buffer::from(bytes.to_vec())),
        "payload" => Counted::buffer(Buffer::from(Bytes::copy_from_slice(bytes))),
        "shm" => Counted::buffer(ShmBackend::shared()?.to_buffer(bytes)?),
        #[cfg(feature = "cuda")]
        "cuda" => {
            let cuda = CudaBackend::shared()?;
            Ok(cuda.to_buffer(bytes, &cuda.new_stream()?)?)
        }
        #[cfg(feature = "cuda")]
        "cuda, unwritten" => Ok(CudaBackend::shared()?.allocate_buffer(bytes.len())?),
        _ => Err(format!("there is no memory `{place}` in this library").into()),
    }
}

/// Python's numbers of streams are CUDA's handles.
#[cfg(feature = "cuda")]
fn stream(cuda: &CudaBackend, handle: usize) -> Result<CudaStream> {
    let first = cuda.devices().next().ok_or("there is no GPU")?.uuid();
    // SAFETY: the program's promise: a stream of an array library, which is the primary context's and stays.
    Ok(unsafe { cuda.foreign_stream(first, handle) }?)
}

#[cfg_attr(not(feature = "cuda"), expect(unused_variables))]
pub(crate) fn lend(message: &Tensor, handle: usize) -> Result<DlTensor> {
    #[cfg(feature = "cuda")]
    if message.data.as_slice().is_none() {
        let cuda = CudaBackend::shared()?;
        let stream = stream(&cuda, handle)?;
        return Ok(DlTensor::from_cuda(&message.tensor()?, &cuda, &stream)?);
    }
    Ok(DlTensor::from_message(message)?)
}

/// # Safety
/// Nobody reads the message until the tensor is deleted.
#[cfg_attr(not(feature = "cuda"), expect(unused_variables))]
pub(crate) unsafe fn write(message: &mut Tensor, handle: usize) -> Result<DlTensor> {
    #[cfg(feature = "cuda")]
    if message.data.as_slice().is_none() {
        let cuda = CudaBackend::shared()?;
        let stream = stream(&cuda, handle)?;
        let (layout, data) = message.parts_mut();
        let write = cuda.from_output_buffer(data, &stream)?;
        return Ok(DlTensor::from_cuda_write(layout, write)?);
    }
    // SAFETY: the caller's promise.
    Ok(unsafe { DlTensor::from_message_mut(message) }?)
}

/// # Safety
/// On a device, what writes the tensor is on the stream.
#[cfg_attr(not(feature = "cuda"), expect(unused_variables))]
pub(crate) unsafe fn take(tensor: DlTensor, handle: usize) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if !tensor.device().is_host() {
        let cuda = CudaBackend::shared()?;
        let stream = stream(&cuda, handle)?;
        // SAFETY: the caller's promise.
        return Ok(unsafe { tensor.into_cuda_message(&cuda, &stream) }?);
    }
    Ok(tensor.into_message()?)
}
