//! Addresses that somebody else got from the driver: whose memory is there.

use core::ffi::{c_int, c_uint};

use super::abi::{self, CUdeviceptr};
use super::context::Context;
use super::error::CudaError;

impl Context {
    /// Whether the driver knows of memory of the host at this address, which it does of what is pinned.
    #[cfg(feature = "tch")]
    pub(crate) fn is_pinned(&self, address: usize) -> bool {
        let Ok(_current) = self.enter() else {
            return false; // the next call says why
        };
        let mut kind: c_uint = 0;
        // SAFETY: for this attribute the driver writes one C integer, or gives an error for an address that it does not know.
        let status = unsafe {
            (self.driver.table.cuPointerGetAttribute)(
                (&raw mut kind).cast(),
                abi::POINTER_MEMORY_TYPE,
                address as CUdeviceptr,
            )
        };
        status == abi::SUCCESS && kind == abi::MEMORY_TYPE_HOST
    }

    /// Refuses an address at which there is no memory of this context's device. How far the memory goes is not looked at.
    pub(crate) fn check_address(&self, address: CUdeviceptr) -> Result<(), CudaError> {
        let _current = self.enter()?;
        let mut kind: c_uint = 0;
        // SAFETY: for this attribute the driver writes one C integer; it knows which addresses it gave out.
        let status = unsafe {
            (self.driver.table.cuPointerGetAttribute)(
                (&raw mut kind).cast(),
                abi::POINTER_MEMORY_TYPE,
                address,
            )
        };
        self.check("cuPointerGetAttribute", status)?;
        if kind != abi::MEMORY_TYPE_DEVICE {
            return Err(CudaError::Refused(format!(
                "there is no memory of a device at {address:#x}; `to_buffer` copies from the host"
            )));
        }
        let mut ordinal: c_int = -1;
        // SAFETY: as above.
        let status = unsafe {
            (self.driver.table.cuPointerGetAttribute)(
                (&raw mut ordinal).cast(),
                abi::POINTER_DEVICE_ORDINAL,
                address,
            )
        };
        self.check("cuPointerGetAttribute", status)?;
        let own = self.device().ordinal();
        if ordinal != own {
            return Err(CudaError::Refused(format!(
                "the memory at {address:#x} is of device {ordinal}, and the stream of device {own}"
            )));
        }
        Ok(())
    }
}
