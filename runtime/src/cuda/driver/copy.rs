//! Copies, and host memory that the device copies at full speed.
//!
//! Whatever says `_async` is put on a stream and returns; the others wait on the host and are not for the path of a frame.
//! Addresses are not checked here, so all is `unsafe`.

use core::ffi::c_void;
use std::sync::Arc;

use super::abi::{self, CUdeviceptr};
use super::context::Context;
use super::error::CudaError;
use super::stream::Stream;

/// Copies on streams.
impl Stream {
    /// Copies `len` bytes from the host to the device.
    ///
    /// # Safety
    /// Both ranges are valid for the copy until it is done on the stream, and nothing else writes to either, nor reads the
    /// device's, meanwhile. From memory that is not registered the driver copies before it returns.
    pub(crate) unsafe fn htod_async(
        &self,
        to: CUdeviceptr,
        from: *const u8,
        len: usize,
    ) -> Result<(), CudaError> {
        let _current = self.context().enter()?;
        let driver = self.context().driver;
        // SAFETY: the caller's promise; the stream is alive.
        let status = unsafe {
            (driver.table.cuMemcpyHtoDAsync_v2)(to, from.cast::<c_void>(), len, self.handle())
        };
        self.context().check("cuMemcpyHtoDAsync_v2", status)
    }

    /// Copies `len` bytes from the device to the host.
    ///
    /// # Safety
    /// Both ranges are valid for the copy until it is done on the stream; nothing else writes to either, nor reads the host's,
    /// meanwhile.
    pub(crate) unsafe fn dtoh_async(
        &self,
        to: *mut u8,
        from: CUdeviceptr,
        len: usize,
    ) -> Result<(), CudaError> {
        let _current = self.context().enter()?;
        let driver = self.context().driver;
        // SAFETY: the caller's promise; the stream is alive.
        let status = unsafe {
            (driver.table.cuMemcpyDtoHAsync_v2)(to.cast::<c_void>(), from, len, self.handle())
        };
        self.context().check("cuMemcpyDtoHAsync_v2", status)
    }

    /// Copies `len` bytes within what this stream's device can access: its own memory, and mappings of another device's.
    ///
    /// # Safety
    /// Both ranges are valid for the copy until it is done on the stream; nothing else writes to either, nor reads the target,
    /// meanwhile; they do not overlap.
    pub(crate) unsafe fn dtod_async(
        &self,
        to: CUdeviceptr,
        from: CUdeviceptr,
        len: usize,
    ) -> Result<(), CudaError> {
        let _current = self.context().enter()?;
        let driver = self.context().driver;
        // SAFETY: the caller's promise; the stream is alive.
        let status = unsafe { (driver.table.cuMemcpyDtoDAsync_v2)(to, from, len, self.handle()) };
        self.context().check("cuMemcpyDtoDAsync_v2", status)
    }

    /// Copies `len` bytes between two devices; without peer access the driver goes through the host.
    ///
    /// # Safety
    /// As [`dtod_async`](Self::dtod_async); each range is accessible to the device of its context.
    pub(crate) unsafe fn peer_async(
        &self,
        (to, to_context): (CUdeviceptr, &Context),
        (from, from_context): (CUdeviceptr, &Context),
        len: usize,
    ) -> Result<(), CudaError> {
        let _current = self.context().enter()?;
        let driver = self.context().driver;
        // SAFETY: the caller's promise; stream and contexts are alive.
        let status = unsafe {
            (driver.table.cuMemcpyPeerAsync)(
                to,
                to_context.handle(),
                from,
                from_context.handle(),
                len,
                self.handle(),
            )
        };
        self.context().check("cuMemcpyPeerAsync", status)
    }

    /// Sets `len` bytes of the device's memory.
    ///
    /// # Safety
    /// The range is valid for writing until it is done on the stream, and nothing else uses it meanwhile.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests on a device"))]
    pub(crate) unsafe fn set_async(
        &self,
        to: CUdeviceptr,
        value: u8,
        len: usize,
    ) -> Result<(), CudaError> {
        let _current = self.context().enter()?;
        let driver = self.context().driver;
        // SAFETY: the caller's promise; the stream is alive.
        let status = unsafe { (driver.table.cuMemsetD8Async)(to, value, len, self.handle()) };
        self.context().check("cuMemsetD8Async", status)
    }
}

/// Copies that the host waits for. They are ordered after the legacy default stream, and nothing else.
impl Context {
    /// Copies `len` bytes from the host to the device.
    ///
    /// # Safety
    /// Both ranges are valid; nothing else writes to either, nor reads the device's, meanwhile.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests on a device"))]
    pub(crate) unsafe fn htod(
        &self,
        to: CUdeviceptr,
        from: *const u8,
        len: usize,
    ) -> Result<(), CudaError> {
        let _current = self.enter()?;
        // SAFETY: the caller's promise.
        let status = unsafe { (self.driver.table.cuMemcpyHtoD_v2)(to, from.cast::<c_void>(), len) };
        self.check("cuMemcpyHtoD_v2", status)
    }

    /// Copies `len` bytes from the device to the host.
    ///
    /// # Safety
    /// Both ranges are valid; nothing else writes to either, nor reads the host's, meanwhile.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests on a device"))]
    pub(crate) unsafe fn dtoh(
        &self,
        to: *mut u8,
        from: CUdeviceptr,
        len: usize,
    ) -> Result<(), CudaError> {
        let _current = self.enter()?;
        // SAFETY: the caller's promise.
        let status = unsafe { (self.driver.table.cuMemcpyDtoH_v2)(to.cast::<c_void>(), from, len) };
        self.check("cuMemcpyDtoH_v2", status)
    }

    /// Copies `len` bytes on the device. The host does not wait for this one; a later call that waits does.
    ///
    /// # Safety
    /// As [`Stream::dtod_async`], on the legacy default stream.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests on a device"))]
    pub(crate) unsafe fn dtod(
        &self,
        to: CUdeviceptr,
        from: CUdeviceptr,
        len: usize,
    ) -> Result<(), CudaError> {
        let _current = self.enter()?;
        // SAFETY: the caller's promise.
        let status = unsafe { (self.driver.table.cuMemcpyDtoD_v2)(to, from, len) };
        self.check("cuMemcpyDtoD_v2", status)
    }

    /// Sets `len` bytes of the device's memory. The host does not wait for this one either.
    ///
    /// # Safety
    /// As [`Stream::set_async`], on the legacy default stream.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests on a device"))]
    pub(crate) unsafe fn set(
        &self,
        to: CUdeviceptr,
        value: u8,
        len: usize,
    ) -> Result<(), CudaError> {
        let _current = self.enter()?;
        // SAFETY: the caller's promise.
        let status = unsafe { (self.driver.table.cuMemsetD8_v2)(to, value, len) };
        self.check("cuMemsetD8_v2", status)
    }
}

/// Host memory that is registered with CUDA: pinned, and copied from and to at the speed of the link by all devices.
#[derive(Debug)]
pub(crate) struct Registered {
    context: Arc<Context>,
    start: *mut c_void,
}

// SAFETY: registering is the process's, not a thread's; the address is not read through.
unsafe impl Send for Registered {}
// SAFETY: as above.
unsafe impl Sync for Registered {}

impl Registered {
    /// Registers host memory for reading and writing by devices, or for reading only, which memory that is mapped read-only
    /// needs and which not all devices can ([`Device::registers_read_only`](super::Device::registers_read_only)).
    ///
    /// # Safety
    /// The range is mapped, with these rights at least, until this value is dropped, and is not registered otherwise.
    pub(crate) unsafe fn new(
        context: &Arc<Context>,
        start: *mut u8,
        len: usize,
        access: super::Access,
    ) -> Result<Self, CudaError> {
        let _current = context.enter()?;
        let flags = match access {
            super::Access::Read => abi::REGISTER_PORTABLE | abi::REGISTER_READ_ONLY,
            super::Access::ReadWrite => abi::REGISTER_PORTABLE,
        };
        let start = start.cast::<c_void>();
        // SAFETY: the caller's promise.
        let status = unsafe { (context.driver.table.cuMemHostRegister_v2)(start, len, flags) };
        context.check("cuMemHostRegister_v2", status)?;
        Ok(Self {
            context: Arc::clone(context),
            start,
        })
    }

    pub(super) fn host(&self) -> (&Context, *mut c_void) {
        (&self.context, self.start)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let driver = self.context.driver;
        let Ok(_current) = self.context.enter() else {
            return; // a forked child, or CUDA is gone
        };
        // SAFETY: registered once by this value.
        let status = unsafe { (driver.table.cuMemHostUnregister)(self.start) };
        driver.check_drop("cuMemHostUnregister", status);
    }
}
