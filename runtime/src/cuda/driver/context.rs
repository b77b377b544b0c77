//! Contexts: the primary one of a device, kept alive, and made current for the calls that need it.
//!
//! Frameworks of the same process use the same primary context, so pointers, streams and events are common to all. What a
//! thread had as its current context is what it has afterwards.

use core::ffi::c_uint;
use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use super::abi::{self, CUcontext, Status};
use super::device::Device;
use super::error::CudaError;
use super::library::Driver;

/// The primary context of a device; lives until the last reference to it goes, here and in other libraries.
pub(crate) struct Context {
    pub(super) driver: &'static Driver,
    handle: CUcontext,
    device: Device,
    /// Some call said that it does not exist any more: streams and events of it are addresses of something else by now.
    destroyed: AtomicBool,
}

// SAFETY: a context may be used from all threads; the handle is an address that only the driver looks behind.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// The primary context of this device, made if nobody had it (a tenth of a second, hundreds of megabytes).
    pub(crate) fn retain(device: &Device) -> Result<Arc<Self>, CudaError> {
        let driver = Driver::get()?;
        let mut handle = core::ptr::null_mut();
        // SAFETY: the pointer is valid for one handle; the ordinal is the driver's.
        let status =
            unsafe { (driver.table.cuDevicePrimaryCtxRetain)(&raw mut handle, device.ordinal()) };
        driver.check("cuDevicePrimaryCtxRetain", status)?;
        Ok(Arc::new(Self {
            driver,
            handle,
            device: device.clone(),
            destroyed: AtomicBool::new(false),
        }))
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    pub(crate) fn handle(&self) -> CUcontext {
        self.handle
    }

    /// Free bytes of the device and all of them.
    pub(crate) fn memory(&self) -> Result<(u64, u64), CudaError> {
        let _current = self.enter()?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: both pointers are valid for one number each.
        let status = unsafe { (self.driver.table.cuMemGetInfo_v2)(&raw mut free, &raw mut total) };
        self.check("cuMemGetInfo_v2", status)?;
        Ok((free as u64, total as u64))
    }

    /// Whether handles of this context may be given to the driver: not in a forked child, and not after another library of the
    /// process destroyed the context.
    pub(super) fn check_usable(&self) -> Result<(), CudaError> {
        if self.driver.is_child() {
            return Err(CudaError::Forked);
        }
        if self.destroyed.load(Ordering::Relaxed) {
            let uuid = self.device.uuid();
            return Err(CudaError::Destroyed { uuid });
        }
        Ok(())
    }

    /// Whether this process is a child of the one that made the context: nothing that a thread of the parent may have locked is
    /// to be locked then.
    pub(crate) fn is_forked(&self) -> bool {
        self.driver.is_child()
    }

    /// Waits on the host for all work of this process on the device, of all streams. Not for the path of a frame.
    pub(crate) fn synchronize(&self) -> Result<(), CudaError> {
        let _current = self.enter()?;
        let _relaxed = self.relax()?;
        // SAFETY: a context is current.
        let status = unsafe { (self.driver.table.cuCtxSynchronize)() };
        self.check("cuCtxSynchronize", status)
    }

    /// Until the guard goes, calls of this thread that ask or wait neither fail nor spoil what another thread is capturing into a
    /// graph. None of them may be about a stream that is captured.
    pub(super) fn relax(&self) -> Result<Relaxed, CudaError> {
        let driver = self.driver;
        let mut mode = abi::CAPTURE_MODE_RELAXED;
        // SAFETY: the pointer is valid for one C enum, with a value that the driver knows, and gets the mode of before.
        let status = unsafe { (driver.table.cuThreadExchangeStreamCaptureMode)(&raw mut mode) };
        driver.check("cuThreadExchangeStreamCaptureMode", status)?;
        Ok(Relaxed {
            driver,
            before: mode,
            _this_thread: PhantomData,
        })
    }

    /// A status of a call on this context as a result.
    pub(super) fn check(&self, call: &'static str, status: Status) -> Result<(), CudaError> {
        if status == abi::CONTEXT_IS_DESTROYED {
            self.destroyed.store(true, Ordering::Relaxed);
        }
        self.driver.check(call, status)
    }

    /// Makes this context the thread's current one until the guard goes. One call if it is already, three if not.
    pub(crate) fn enter(&self) -> Result<Current<'_>, CudaError> {
        self.check_usable()?;
        let mut current = core::ptr::null_mut();
        // SAFETY: the pointer is valid for one handle.
        let status = unsafe { (self.driver.table.cuCtxGetCurrent)(&raw mut current) };
        self.check("cuCtxGetCurrent", status)?;
        let pushed = current != self.handle;
        if pushed {
            // SAFETY: the context is retained, so it exists; the guard pops it again on this thread.
            let status = unsafe { (self.driver.table.cuCtxPushCurrent_v2)(self.handle) };
            self.check("cuCtxPushCurrent_v2", status)?;
        }
        Ok(Current {
            driver: self.driver,
            pushed,
            _this_thread: PhantomData,
            _context: PhantomData,
        })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if self.check_usable().is_err() {
            return;
        }
        // SAFETY: retained once by this value; streams, events and memory that need it hold a reference to this value.
        let status =
            unsafe { (self.driver.table.cuDevicePrimaryCtxRelease_v2)(self.device.ordinal()) };
        self.driver
            .check_drop("cuDevicePrimaryCtxRelease_v2", status);
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// A context is this thread's current one as long as this lives.
#[must_use]
pub(crate) struct Current<'a> {
    driver: &'static Driver,
    pushed: bool,
    _this_thread: PhantomData<*const ()>,
    _context: PhantomData<&'a Context>,
}

impl Drop for Current<'_> {
    fn drop(&mut self) {
        if !self.pushed || self.driver.is_child() {
            return;
        }
        let mut popped = core::ptr::null_mut();
        // SAFETY: the pointer is valid for one handle; what is on top of this thread's stack is what `enter` put there.
        let status = unsafe { (self.driver.table.cuCtxPopCurrent_v2)(&raw mut popped) };
        self.driver.check_drop("cuCtxPopCurrent_v2", status);
    }
}

/// This thread's calls may be made beside captures as long as this lives.
#[must_use]
pub(super) struct Relaxed {
    driver: &'static Driver,
    before: c_uint,
    _this_thread: PhantomData<*const ()>,
}

impl Drop for Relaxed {
    fn drop(&mut self) {
        if self.driver.is_child() {
            return;
        }
        let mut mode = self.before;
        // SAFETY: the pointer is valid for one C enum, whose value the driver gave.
        let status =
            unsafe { (self.driver.table.cuThreadExchangeStreamCaptureMode)(&raw mut mode) };
        self.driver
            .check_drop("cuThreadExchangeStreamCaptureMode", status);
    }
}
