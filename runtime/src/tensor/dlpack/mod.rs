//! Tensors that array libraries share without a copy, as [DLPack](https://dmlc.github.io/dlpack/latest/) describes them.
//!
//! A view, a message or a handle on device memory comes in, and a [`DlTensor`] goes out, whose pointer any library takes; or the
//! other way round. Whoever has one has a reference to the memory: a buffer stays as it is, a block of shared memory is not used
//! again, until the deleter is called, by whatever thread, once. What is wrong with a foreign tensor is an error here,
//! as far as its numbers tell. No element is ever copied.

#[cfg(all(target_os = "linux", feature = "cuda", not(all(test, loom))))]
mod cuda;
mod describe;
mod device;
mod error;
mod export;
mod import;

use core::ffi::c_void;
use core::fmt;
use core::ptr::NonNull;

use dlpark::DlpackFlags;
use dlpark::ffi::{DLManagedTensor, DLManagedTensorVersioned, DLTensor};
use dlpark::versioned::Dlpack;

pub use device::DlDevice;
pub use error::DlpackError;

use super::dtype::DType;

/// More dimensions than any array library has mean that the number is none.
const MAX_RANK: usize = 64;

/// A tensor that is shared with an array library: DLPack's `DLManagedTensorVersioned`, and the reference to memory that it
/// stands for.
///
/// ```
/// use rosidl_buffer_runtime::Buffer;
/// use rosidl_buffer_runtime::tensor::{DType, DlDevice, DlTensor, Layout, TensorView};
///
/// let data = Buffer::from(vec![0_u8, 1, 2, 3, 4, 5]);
/// let transposed = Layout { dtype: DType::U8, shape: &[3, 2], strides: &[1, 3], byte_offset: 0 };
/// let tensor = DlTensor::from_view(&TensorView::new(transposed, &data)?)?;
/// assert_eq!((tensor.shape(), tensor.strides()), (&[3, 2][..], &[1, 3][..]));
/// assert_eq!((tensor.device(), tensor.is_read_only()), (DlDevice::CPU, true));
///
/// let pointer = tensor.into_raw(); // what a Python capsule `dltensor_versioned` holds, for instance
/// // SAFETY: the pointer is one of `into_raw`, used once, and nobody writes the data.
/// let back = unsafe { DlTensor::from_raw(pointer) }?;
/// assert_eq!(back.data_address(), data.as_slice().unwrap().as_ptr().addr());
/// # Ok::<(), rosidl_buffer_runtime::tensor::DlpackError>(())
/// ```
pub struct DlTensor {
    /// Checked: what its numbers say can be relied on.
    managed: Dlpack,
    /// What orders the memory, where it was made for a stream.
    #[cfg(all(target_os = "linux", feature = "cuda", not(all(test, loom))))]
    stream: Option<crate::cuda::CudaStream>,
}

impl DlTensor {
    fn new(managed: Dlpack) -> Self {
        Self {
            managed,
            #[cfg(all(target_os = "linux", feature = "cuda", not(all(test, loom))))]
            stream: None,
        }
    }

    fn descriptor(&self) -> &DLTensor {
        // SAFETY: `managed` owns it, and nobody changes what a tensor says.
        unsafe { self.managed.tensor() }
    }

    /// Type of the elements.
    pub fn dtype(&self) -> DType {
        dtype(self.descriptor())
    }

    /// Elements in each dimension, none of them negative.
    pub fn shape(&self) -> &[i64] {
        self.numbers(self.descriptor().shape)
    }

    /// Elements from one index to the next in each dimension; empty for row-major. Of a dimension without steps it may be any number.
    pub fn strides(&self) -> &[i64] {
        self.numbers(self.descriptor().strides)
    }

    fn numbers(&self, at: *const i64) -> &[i64] {
        let rank = usize::try_from(self.descriptor().ndim).unwrap_or(0); // seen not to be negative
        // SAFETY: shape or strides of the tensor, which nobody changes while `managed` lives.
        unsafe { import::numbers(at, rank) }
    }

    /// Where the memory is.
    pub fn device(&self) -> DlDevice {
        device(self.descriptor())
    }

    /// Whether nobody may write the elements: others read them too. Some libraries ignore it, torch among them.
    pub fn is_read_only(&self) -> bool {
        self.managed.flags().contains(DlpackFlags::READ_ONLY)
    }

    /// Address of the first element, on its device; 0 or any where there is none.
    pub fn data_address(&self) -> usize {
        self.first().addr()
    }

    fn first(&self) -> *mut u8 {
        let tensor = self.descriptor();
        let offset = usize::try_from(tensor.byte_offset).unwrap_or(0); // seen to be in range
        tensor.data.cast::<u8>().wrapping_add(offset)
    }

    /// A `DLManagedTensorVersioned *`, to be given to a library; whoever has it calls its deleter, or gives it to
    /// [`from_raw`](Self::from_raw).
    pub fn into_raw(self) -> NonNull<c_void> {
        let tensor: *mut DLManagedTensorVersioned = self.managed.into_raw();
        // SAFETY: a managed tensor is never at address 0.
        unsafe { NonNull::new_unchecked(tensor.cast()) }
    }

    /// A `DLManagedTensor *`, for libraries of before DLPack 1.0. Allocates one more time.
    ///
    /// # Errors
    /// [`DlpackError::ReadOnly`] for memory that others read too, and [`DlpackError::Packed`] for elements of less than eight bits: the
    /// older struct can say neither.
    pub fn into_raw_legacy(self) -> Result<NonNull<c_void>, DlpackError> {
        let flags = self.managed.flags();
        if flags.contains(DlpackFlags::READ_ONLY) {
            return Err(DlpackError::ReadOnly);
        }
        if flags.contains(DlpackFlags::IS_SUBBYTE_TYPE_PADDED) {
            return Err(DlpackError::Packed(self.dtype()));
        }
        let described = self.checked()?.described;
        // SAFETY: the numbers of a checked tensor, which is kept as the owner; it is writable, as was looked up.
        let legacy = unsafe { described.managed::<DLManagedTensor, _>(self) }?;
        // SAFETY: a managed tensor is never at address 0.
        Ok(unsafe { NonNull::new_unchecked(legacy.into_raw().cast()) })
    }
}

fn dtype(tensor: &DLTensor) -> DType {
    let dtype = tensor.dtype;
    DType {
        code: dtype.code.0,
        bits: dtype.bits,
        lanes: dtype.lanes,
    }
}

fn device(tensor: &DLTensor) -> DlDevice {
    DlDevice {
        kind: tensor.device.device_type.0,
        index: tensor.device.device_id,
    }
}

impl fmt::Debug for DlTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = if self.is_read_only() {
            "read-only"
        } else {
            "writable"
        };
        let (dtype, device) = (self.dtype(), self.device());
        write!(
            f,
            "DlTensor({dtype} {:?}, {access} on {device}",
            self.shape()
        )?;
        write!(f, ", at {:#x})", self.data_address())
    }
}
