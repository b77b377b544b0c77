//! Memory of a device: allocations that can be exported, and their mappings.
//!
//! An allocation has no address until it is mapped; it may be mapped by several processes, each with rights of its own, and
//! goes when the last mapping, handle and file descriptor of it are gone, also when they go because a process was killed.

use core::ffi::c_int;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use super::abi::{
    self, AccessDescription, AllocationHandle, AllocationProperties, CUdeviceptr, Location,
};
use super::context::Context;
use super::device::{Device, DeviceUuid};
use super::error::CudaError;

/// Memory of a device, not mapped by itself.
#[derive(Debug)]
pub(crate) struct Allocation {
    pub(super) context: Arc<Context>,
    pub(super) handle: AllocationHandle,
}

impl Allocation {
    /// New memory on the context's device. The size is a multiple of its granularity.
    pub(crate) fn create(context: &Arc<Context>, size: usize) -> Result<Self, CudaError> {
        let _current = context.enter()?;
        let properties = AllocationProperties::shareable(context.device().ordinal());
        let mut handle = 0;
        // SAFETY: both pointers are valid, the first for one handle; the driver checks the size.
        let status = unsafe {
            (context.driver.table.cuMemCreate)(&raw mut handle, size, &raw const properties, 0)
        };
        context.driver.check("cuMemCreate", status)?;
        Ok(Self {
            context: Arc::clone(context),
            handle,
        })
    }

    /// A file descriptor by which another process imports this memory.
    pub(crate) fn export(&self) -> Result<OwnedFd, CudaError> {
        let driver = self.context.driver;
        let _current = self.context.enter()?;
        let mut fd: c_int = -1;
        // SAFETY: for this kind of handle the driver writes one C integer.
        let status = unsafe {
            (driver.table.cuMemExportToShareableHandle)(
                (&raw mut fd).cast(),
                self.handle,
                abi::HANDLE_TYPE_POSIX_FD,
                0,
            )
        };
        driver.check("cuMemExportToShareableHandle", status)?;
        if fd < 0 {
            return Err(CudaError::Refused(format!(
                "the driver exported it as file descriptor {fd}"
            )));
        }
        // SAFETY: the driver opened it for us, and nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// Memory that another process exported, on the device `owner`, which need not be the context's; refused if it is anything
    /// else. The descriptor may be closed afterwards.
    pub(crate) fn import(
        context: &Arc<Context>,
        owner: &Device,
        fd: BorrowedFd<'_>,
    ) -> Result<Self, CudaError> {
        let driver = context.driver;
        let _current = context.enter()?;
        let mut handle = 0;
        // SAFETY: the pointer is valid for one handle; for this kind the second argument is the number of an open descriptor,
        // as wide as a pointer; the driver looks what is behind it.
        let status = unsafe {
            (driver.table.cuMemImportFromShareableHandle)(
                &raw mut handle,
                core::ptr::without_provenance_mut(fd.as_raw_fd().unsigned_abs() as usize),
                abi::HANDLE_TYPE_POSIX_FD,
            )
        };
        driver.check("cuMemImportFromShareableHandle", status)?;
        let allocation = Self {
            context: Arc::clone(context),
            handle,
        };
        let found = allocation.properties()?;
        let ordinal = owner.ordinal();
        if (found.kind, found.location.kind, found.location.id)
            != (abi::ALLOCATION_PINNED, abi::LOCATION_DEVICE, ordinal)
        {
            return Err(CudaError::Refused(format!(
                "it is of kind {}, at location {} of kind {}, where memory of device {ordinal} was told of",
                found.kind, found.location.id, found.location.kind
            )));
        }
        Ok(allocation)
    }

    pub(super) fn properties(&self) -> Result<AllocationProperties, CudaError> {
        let driver = self.context.driver;
        let mut found = AllocationProperties::shareable(-1);
        // SAFETY: the pointer is valid for one struct, whose fields are plain numbers and an address that is not followed.
        let status = unsafe {
            (driver.table.cuMemGetAllocationPropertiesFromHandle)(&raw mut found, self.handle)
        };
        driver.check("cuMemGetAllocationPropertiesFromHandle", status)?;
        Ok(found)
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        let driver = self.context.driver;
        if driver.is_child() {
            return;
        }
        // SAFETY: made, imported or retained by this value and released once; mappings of it go on.
        let status = unsafe { (driver.table.cuMemRelease)(self.handle) };
        driver.check_drop("cuMemRelease", status);
    }
}

/// What a mapping may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    ReadWrite,
}

/// Memory at an address of this process, for one device's use, and for others' that it is opened to.
///
/// Dropping it unmaps at once and waits for nothing: a kernel or copy that still uses the memory faults, and the whole context
/// with it ([`CudaError::is_sticky`]). Whoever drops the last owner has seen that the work is done.
#[derive(Debug)]
pub(crate) struct Mapped {
    range: Range,
    /// Devices beside the context's that may read it.
    opened_to: Mutex<Vec<DeviceUuid>>,
}

impl Mapped {
    /// Maps the first `size` bytes of an allocation for the context's device, which may be another one than the memory's
    /// if it has peer access to it. The size is a multiple of the granularity; an allocation that is smaller is refused.
    pub(crate) fn new(
        context: &Arc<Context>,
        allocation: &Allocation,
        size: usize,
        access: Access,
    ) -> Result<Self, CudaError> {
        let driver = context.driver;
        let _current = context.enter()?;
        let mut range = Range::reserve(context, size)?;
        // SAFETY: the range is reserved, `size` long and not mapped; the driver compares the size with the allocation's.
        let status = unsafe { (driver.table.cuMemMap)(range.start, size, 0, allocation.handle, 0) };
        driver.check("cuMemMap", status)?;
        range.is_mapped = true;
        range.allow(context, access)?;
        Ok(Self {
            range,
            opened_to: Mutex::default(),
        })
    }

    /// Lets another device, which has peer access to the memory's, read it at the same address. One call, the first time.
    pub(crate) fn open_to(&self, context: &Context) -> Result<(), CudaError> {
        let mut opened_to = self
            .opened_to
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let uuid = context.device().uuid();
        if !opened_to.contains(&uuid) {
            let _current = context.enter()?;
            self.range.allow(context, Access::Read)?;
            opened_to.push(uuid);
        }
        Ok(())
    }

    /// Address of the first byte on the device; valid for [`len`](Self::len) bytes while `self` lives.
    pub(crate) fn address(&self) -> CUdeviceptr {
        self.range.start
    }

    pub(crate) fn len(&self) -> usize {
        self.range.len
    }

    /// Of the device that it was mapped for.
    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.range.context
    }
}

/// Addresses of this process; given back, and unmapped first, on drop.
#[derive(Debug)]
struct Range {
    context: Arc<Context>,
    start: CUdeviceptr,
    len: usize,
    is_mapped: bool,
}

impl Range {
    fn reserve(context: &Arc<Context>, len: usize) -> Result<Self, CudaError> {
        let mut start = 0;
        // SAFETY: the pointer is valid for one address; place and alignment are the driver's choice.
        let status =
            unsafe { (context.driver.table.cuMemAddressReserve)(&raw mut start, len, 0, 0, 0) };
        context.driver.check("cuMemAddressReserve", status)?;
        Ok(Self {
            context: Arc::clone(context),
            start,
            len,
            is_mapped: false,
        })
    }

    /// Gives a device rights. Some context is current.
    fn allow(&self, context: &Context, access: Access) -> Result<(), CudaError> {
        let driver = context.driver;
        let description = AccessDescription {
            location: Location::device(context.device().ordinal()),
            flags: match access {
                Access::Read => abi::ACCESS_READ,
                Access::ReadWrite => abi::ACCESS_READ_WRITE,
            },
        };
        // SAFETY: the range is `len` long, and the driver checks that it is mapped; the pointer is valid for one description.
        let status = unsafe {
            (driver.table.cuMemSetAccess)(self.start, self.len, &raw const description, 1)
        };
        driver.check("cuMemSetAccess", status)
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        let driver = self.context.driver;
        if driver.is_child() {
            return;
        }
        if self.is_mapped {
            // SAFETY: mapped once, the whole range; who used the memory on the device has said that it is done with it.
            let status = unsafe { (driver.table.cuMemUnmap)(self.start, self.len) };
            driver.check_drop("cuMemUnmap", status);
        }
        // SAFETY: reserved once, the whole range, not mapped any more.
        let status = unsafe { (driver.table.cuMemAddressFree)(self.start, self.len) };
        driver.check_drop("cuMemAddressFree", status);
    }
}
