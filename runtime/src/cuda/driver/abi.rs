//! What the driver takes and gives, in C's layout.
//!
//! Handles and constants are those of the bindings. Structs that the driver writes to have plain integers here where the
//! bindings have Rust enums, for which a value that they do not know is undefined behaviour; status codes likewise.

use core::ffi::{c_int, c_uchar, c_uint, c_ushort, c_void};

use cudarc::driver::sys;

pub(super) use cudarc::driver::sys::{CUcontext, CUdeviceptr, CUevent, CUstream};

/// What every call gives back; a number, since newer drivers have more of them than we know.
pub(super) type Status = c_int;
/// Ordinal of a device in this process.
pub(super) type CUdevice = c_int;
/// An allocation that is mapped nowhere by itself.
pub(super) type AllocationHandle = u64;

pub(super) const SUCCESS: Status = sys::CUresult::CUDA_SUCCESS as Status;
pub(super) const OUT_OF_MEMORY: Status = sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY as Status;
pub(super) const NOT_READY: Status = sys::CUresult::CUDA_ERROR_NOT_READY as Status;
pub(super) const DEINITIALIZED: Status = sys::CUresult::CUDA_ERROR_DEINITIALIZED as Status;
pub(super) const CONTEXT_IS_DESTROYED: Status =
    sys::CUresult::CUDA_ERROR_CONTEXT_IS_DESTROYED as Status;
pub(super) const INVALID_VALUE: Status = sys::CUresult::CUDA_ERROR_INVALID_VALUE as Status;

/// Attributes of a device. Some versions of the bindings lack the last one.
pub(super) mod attribute {
    use super::{c_int, sys::CUdevice_attribute as A};
    pub(in super::super) const UNIFIED_ADDRESSING: c_int =
        A::CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING as c_int;
    pub(in super::super) const VIRTUAL_MEMORY: c_int =
        A::CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED as c_int;
    pub(in super::super) const POSIX_FD: c_int =
        A::CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED as c_int;
    pub(in super::super) const READ_ONLY_REGISTRATION: c_int =
        A::CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED as c_int;
    pub(in super::super) const STREAM_WORDS: c_int = 122;
}

pub(super) const HANDLE_TYPE_POSIX_FD: c_uint =
    sys::CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR.0;
pub(super) const ALLOCATION_PINNED: c_int =
    sys::CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED as c_int;
pub(super) const LOCATION_DEVICE: c_int =
    sys::CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE as c_int;
pub(super) const GRANULARITY_MINIMUM: c_int =
    sys::CUmemAllocationGranularity_flags::CU_MEM_ALLOC_GRANULARITY_MINIMUM as c_int;
pub(super) const ACCESS_READ: c_int =
    sys::CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READ as c_int;
pub(super) const ACCESS_READ_WRITE: c_int =
    sys::CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE as c_int;
pub(super) const EVENT_DISABLE_TIMING: c_uint =
    sys::CUevent_flags::CU_EVENT_DISABLE_TIMING as c_uint;
pub(super) const STREAM_NON_BLOCKING: c_uint =
    sys::CUstream_flags::CU_STREAM_NON_BLOCKING as c_uint;
pub(super) const CAPTURE_MODE_RELAXED: c_uint =
    sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED as c_uint;
pub(super) const NOT_CAPTURING: c_uint =
    sys::CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE as c_uint;
pub(super) const REGISTER_PORTABLE: c_uint = sys::CU_MEMHOSTREGISTER_PORTABLE;
pub(super) const REGISTER_READ_ONLY: c_uint = sys::CU_MEMHOSTREGISTER_READ_ONLY;

pub(super) const POINTER_MEMORY_TYPE: c_int =
    sys::CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE as c_int;
pub(super) const POINTER_DEVICE_ORDINAL: c_int =
    sys::CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL as c_int;
pub(super) const POINTER_MAPPING_SIZE: c_int =
    sys::CUpointer_attribute::CU_POINTER_ATTRIBUTE_MAPPING_SIZE as c_int;
pub(super) const POINTER_MAPPING_START: c_int =
    sys::CUpointer_attribute::CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR as c_int;
pub(super) const MEMORY_TYPE_DEVICE: c_uint = sys::CUmemorytype::CU_MEMORYTYPE_DEVICE as c_uint;
#[cfg(feature = "tch")]
pub(super) const MEMORY_TYPE_HOST: c_uint = sys::CUmemorytype::CU_MEMORYTYPE_HOST as c_uint;

/// `CU_STREAM_WAIT_VALUE_GEQ` and `CU_STREAM_WRITE_VALUE_DEFAULT`, with its barrier.
pub(super) const WAIT_AT_LEAST: c_uint =
    sys::CUstreamWaitValue_flags::CU_STREAM_WAIT_VALUE_GEQ as c_uint;
pub(super) const WRITE_AFTER_ALL: c_uint =
    sys::CUstreamWriteValue_flags::CU_STREAM_WRITE_VALUE_DEFAULT as c_uint;

/// The legacy default stream and the per-thread one, as `cuda.h` has them: pointers to nothing.
pub(super) const STREAM_LEGACY: usize = 1;
pub(super) const STREAM_PER_THREAD: usize = 2;

/// `CUmemLocation`; later bindings have a union in place of `id`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Location {
    pub(super) kind: c_int,
    pub(super) id: c_int,
}

impl Location {
    pub(super) fn device(ordinal: CUdevice) -> Self {
        Self {
            kind: LOCATION_DEVICE,
            id: ordinal,
        }
    }
}

/// `CUmemAllocationProp`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct AllocationProperties {
    pub(super) kind: c_int,
    pub(super) handle_types: c_uint,
    pub(super) location: Location,
    pub(super) win32_metadata: *mut c_void,
    pub(super) flags: AllocationFlags,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AllocationFlags {
    pub(super) compression: c_uchar,
    pub(super) gpu_direct_rdma: c_uchar,
    pub(super) usage: c_ushort,
    pub(super) reserved: [c_uchar; 4],
}

impl AllocationProperties {
    /// Memory of one device that may be exported as a file descriptor.
    pub(super) fn shareable(ordinal: CUdevice) -> Self {
        Self {
            kind: ALLOCATION_PINNED,
            handle_types: HANDLE_TYPE_POSIX_FD,
            location: Location::device(ordinal),
            win32_metadata: core::ptr::null_mut(),
            flags: AllocationFlags::default(),
        }
    }
}

/// `CUmemAccessDesc`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct AccessDescription {
    pub(super) location: Location,
    pub(super) flags: c_int,
}

#[cfg(test)]
mod tests {
    use core::mem::{align_of, offset_of, size_of};

    use super::*;

    #[test]
    fn structs_are_laid_out_as_in_the_bindings() {
        macro_rules! same {
            ($($ours:ty => $theirs:ty { $($field:ident => $other:ident),* })*) => {$(
                assert_eq!(size_of::<$ours>(), size_of::<$theirs>(), stringify!($ours));
                assert_eq!(align_of::<$ours>(), align_of::<$theirs>(), stringify!($ours));
                $(assert_eq!(offset_of!($ours, $field), offset_of!($theirs, $other), stringify!($ours.$field));)*
            )*};
        }
        same! {
            Location => sys::CUmemLocation { kind => type_ }
            AllocationProperties => sys::CUmemAllocationProp {
                kind => type_, handle_types => requestedHandleTypes, location => location,
                win32_metadata => win32HandleMetaData, flags => allocFlags
            }
            AllocationFlags => sys::CUmemAllocationProp_st__bindgen_ty_1 {
                compression => compressionType, gpu_direct_rdma => gpuDirectRDMACapable, usage => usage
            }
            AccessDescription => sys::CUmemAccessDesc { location => location, flags => flags }
            CUdevice => sys::CUdevice {}
            AllocationHandle => sys::CUmemGenericAllocationHandle {}
            Status => sys::CUresult {}
        }
        assert_eq!(offset_of!(Location, id), 4); // a union in later bindings
    }
}
