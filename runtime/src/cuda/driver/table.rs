//! The driver's functions, all looked up at the start, so that a missing one is an error and not a panic in the middle.
//!
//! The list is what this project calls and no more; each stands in CUDA 11.7's interface. Names carry their version, as the
//! driver exports them. Nothing is called here.

use core::ffi::{c_char, c_int, c_uchar, c_uint, c_ulonglong, c_void};

use libloading::Library;

use super::abi::{
    AccessDescription, AllocationHandle, AllocationProperties, CUcontext, CUdevice, CUdeviceptr,
    CUevent, CUstream, Status,
};

macro_rules! functions {
    ($($name:ident($($argument:ty),*);)*) => {
        /// Addresses of the driver's functions; they stay valid because the library is never closed.
        #[allow(non_snake_case)] // CUDA's names
        pub(super) struct Table {
            $(pub(super) $name: unsafe extern "C" fn($($argument),*) -> Status,)*
        }

        impl Table {
            /// Looks all of them up; names those that are missing.
            ///
            /// # Safety
            /// The library is CUDA's driver or one that has its interface, and stays open as long as the table is used.
            #[allow(non_snake_case)]
            pub(super) unsafe fn load(library: &Library) -> Result<Self, Vec<&'static str>> {
                let mut missing = Vec::new();
                $(
                    let name = concat!(stringify!($name), "\0").as_bytes();
                    // SAFETY: the function has this signature in the interface that the library is promised to have.
                    let found = unsafe { library.get::<unsafe extern "C" fn($($argument),*) -> Status>(name) };
                    let $name = found.map(|symbol| *symbol).map_err(|_| missing.push(stringify!($name)));
                )*
                match ($($name,)*) {
                    ($(Ok($name),)*) => Ok(Self { $($name),* }),
                    _ => Err(missing),
                }
            }
        }

        #[cfg(test)]
        mod tests {
            #[test]
            fn the_bindings_know_each_function() {
                // A name that the bindings do not have does not compile.
                $(let _ = cudarc::driver::sys::$name as *const ();)*
            }
        }
    };
}

functions! {
    cuInit(c_uint);
    cuDriverGetVersion(*mut c_int);
    cuGetErrorName(Status, *mut *const c_char);
    cuGetErrorString(Status, *mut *const c_char);
    cuDeviceGetCount(*mut c_int);
    cuDeviceGet(*mut CUdevice, c_int);
    cuDeviceGetName(*mut c_char, c_int, CUdevice);
    cuDeviceGetUuid_v2(*mut [u8; 16], CUdevice);
    cuDeviceGetAttribute(*mut c_int, c_int, CUdevice);
    cuDeviceCanAccessPeer(*mut c_int, CUdevice, CUdevice);
    cuDevicePrimaryCtxRetain(*mut CUcontext, CUdevice);
    cuDevicePrimaryCtxRelease_v2(CUdevice);
    cuCtxGetCurrent(*mut CUcontext);
    cuCtxPushCurrent_v2(CUcontext);
    cuCtxPopCurrent_v2(*mut CUcontext);
    cuCtxSynchronize();
    cuThreadExchangeStreamCaptureMode(*mut c_uint);
    cuMemGetInfo_v2(*mut usize, *mut usize);
    cuMemGetAllocationGranularity(*mut usize, *const AllocationProperties, c_int);
    cuMemCreate(*mut AllocationHandle, usize, *const AllocationProperties, c_ulonglong);
    cuMemRelease(AllocationHandle);
    cuMemExportToShareableHandle(*mut c_void, AllocationHandle, c_uint, c_ulonglong);
    cuMemImportFromShareableHandle(*mut AllocationHandle, *mut c_void, c_uint);
    cuMemGetAllocationPropertiesFromHandle(*mut AllocationProperties, AllocationHandle);
    cuMemRetainAllocationHandle(*mut AllocationHandle, *mut c_void);
    cuMemAddressReserve(*mut CUdeviceptr, usize, usize, CUdeviceptr, c_ulonglong);
    cuMemAddressFree(CUdeviceptr, usize);
    cuMemMap(CUdeviceptr, usize, usize, AllocationHandle, c_ulonglong);
    cuMemUnmap(CUdeviceptr, usize);
    cuMemSetAccess(CUdeviceptr, usize, *const AccessDescription, usize);
    cuPointerGetAttribute(*mut c_void, c_int, CUdeviceptr);
    cuEventCreate(*mut CUevent, c_uint);
    cuEventDestroy_v2(CUevent);
    cuEventRecord(CUevent, CUstream);
    cuEventQuery(CUevent);
    cuStreamCreate(*mut CUstream, c_uint);
    cuStreamDestroy_v2(CUstream);
    cuStreamWaitEvent(CUstream, CUevent, c_uint);
    cuStreamIsCapturing(CUstream, *mut c_uint);
    cuStreamQuery(CUstream);
    cuStreamSynchronize(CUstream);
    cuMemcpyHtoD_v2(CUdeviceptr, *const c_void, usize);
    cuMemcpyDtoH_v2(*mut c_void, CUdeviceptr, usize);
    cuMemcpyDtoD_v2(CUdeviceptr, CUdeviceptr, usize);
    cuMemcpyHtoDAsync_v2(CUdeviceptr, *const c_void, usize, CUstream);
    cuMemcpyDtoHAsync_v2(*mut c_void, CUdeviceptr, usize, CUstream);
    cuMemcpyDtoDAsync_v2(CUdeviceptr, CUdeviceptr, usize, CUstream);
    cuMemcpyPeerAsync(CUdeviceptr, CUcontext, CUdeviceptr, CUcontext, usize, CUstream);
    cuMemsetD8_v2(CUdeviceptr, c_uchar, usize);
    cuMemsetD8Async(CUdeviceptr, c_uchar, usize, CUstream);
    cuMemHostRegister_v2(*mut c_void, usize, c_uint);
    cuMemHostUnregister(*mut c_void);
    cuMemHostGetDevicePointer_v2(*mut CUdeviceptr, *mut c_void, c_uint);
    cuStreamWriteValue64_v2(CUstream, CUdeviceptr, u64, c_uint);
    cuStreamWaitValue64_v2(CUstream, CUdeviceptr, u64, c_uint);
}
