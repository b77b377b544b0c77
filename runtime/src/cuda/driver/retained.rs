//! Memory that somebody else of this process mapped: which allocation it is, kept from then on, and how far it goes.
//!
//! Only what was made by `cuMemCreate` has an allocation that can be asked for. A mapping begins where its allocation does and is
//! as long.

use core::ffi::c_int;
use std::sync::Arc;

use super::abi::{self, CUdeviceptr};
use super::context::Context;
use super::error::CudaError;
use super::vmm::Allocation;

impl Allocation {
    /// The allocation that is mapped at an address; `None` where the driver knows of none.
    pub(crate) fn mapped_at(
        context: &Arc<Context>,
        address: CUdeviceptr,
    ) -> Result<Option<Self>, CudaError> {
        let _current = context.enter()?;
        let mut handle = 0;
        let address = usize::try_from(address).unwrap_or(0); // never 0: addresses of this process fit
        // SAFETY: the pointer is valid for one handle; the driver knows which addresses are mapped, and follows none.
        let status = unsafe {
            (context.driver.table.cuMemRetainAllocationHandle)(
                &raw mut handle,
                core::ptr::without_provenance_mut(address),
            )
        };
        if status == abi::INVALID_VALUE {
            return Ok(None);
        }
        context.check("cuMemRetainAllocationHandle", status)?;
        Ok(Some(Self {
            context: Arc::clone(context),
            handle,
        }))
    }

    /// The same for all references to one allocation, and no other's while one of them lives.
    pub(crate) fn id(&self) -> u64 {
        self.handle
    }

    /// Whether it was made to be exported as a file descriptor, on the context's device.
    pub(crate) fn is_shareable(&self) -> Result<bool, CudaError> {
        let found = self.properties()?;
        let device = self.context.device().ordinal();
        let here = (found.kind, found.location.kind, found.location.id)
            == (abi::ALLOCATION_PINNED, abi::LOCATION_DEVICE, device);
        Ok(here && found.handle_types & abi::HANDLE_TYPE_POSIX_FD != 0)
    }
}

impl Context {
    /// First address and length of the mapping that this address is in.
    pub(crate) fn mapping_at(
        &self,
        address: CUdeviceptr,
    ) -> Result<(CUdeviceptr, usize), CudaError> {
        let start = self.number_of(abi::POINTER_MAPPING_START, address)?;
        let len = self.number_of(abi::POINTER_MAPPING_SIZE, address)?;
        let len = usize::try_from(len)
            .map_err(|_| CudaError::Refused(format!("a mapping of {len} bytes")))?;
        Ok((start, len))
    }

    /// An attribute that is an address or a size.
    fn number_of(&self, attribute: c_int, address: CUdeviceptr) -> Result<u64, CudaError> {
        let _current = self.enter()?;
        let mut number = 0_u64;
        // SAFETY: for these attributes the driver writes 64 bits; it knows which addresses it gave out.
        let status = unsafe {
            (self.driver.table.cuPointerGetAttribute)((&raw mut number).cast(), attribute, address)
        };
        self.check("cuPointerGetAttribute", status)?;
        Ok(number)
    }
}
