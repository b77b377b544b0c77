//! Events: marks in the work of a stream, within a process or between processes.
//!
//! An event is made once and recorded again and again. Recording, waiting and asking need no current context, so a frame
//! costs one call each.
//!
//! If a process is killed before its work is done, its event is never reached, and what waits for it waits for good. See
//! [`word`](super::word) for what to do where that matters.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::abi::{self, CUevent, IpcEventHandle, Status};
use super::context::Context;
use super::error::CudaError;
use super::library::Driver;
use super::stream::Stream;

/// Whether work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Done,
    Running,
}

impl Progress {
    pub(super) fn of(
        driver: &Driver,
        call: &'static str,
        status: Status,
    ) -> Result<Self, CudaError> {
        if status == abi::NOT_READY {
            Driver::count();
            return Ok(Self::Running);
        }
        driver.check(call, status).map(|()| Self::Done)
    }
}

/// The events that this process exported, by handle. The driver, too, keeps them for the whole process.
fn exported() -> MutexGuard<'static, BTreeMap<[u8; 64], Weak<Event>>> {
    static EXPORTED: Mutex<BTreeMap<[u8; 64], Weak<Event>>> = Mutex::new(BTreeMap::new());
    EXPORTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A mark that is set when the work before it is done.
pub(crate) struct Event {
    context: Arc<Context>,
    handle: CUevent,
}

// SAFETY: an event may be used from all threads; the handle is an address that only the driver looks behind.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    /// An event of this process; without times. It counts as done until it is first recorded.
    pub(crate) fn local(context: &Arc<Context>) -> Result<Self, CudaError> {
        Self::create(context, abi::EVENT_DISABLE_TIMING)
    }

    /// An event that other processes can open.
    pub(crate) fn interprocess(context: &Arc<Context>) -> Result<Self, CudaError> {
        Self::create(context, abi::EVENT_DISABLE_TIMING | abi::EVENT_INTERPROCESS)
    }

    fn create(context: &Arc<Context>, flags: u32) -> Result<Self, CudaError> {
        let _current = context.enter()?;
        let mut handle = core::ptr::null_mut();
        // SAFETY: the pointer is valid for one handle; a context is current.
        let status = unsafe { (context.driver.table.cuEventCreate)(&raw mut handle, flags) };
        context.driver.check("cuEventCreate", status)?;
        Ok(Self {
            context: Arc::clone(context),
            handle,
        })
    }

    /// What another process opens this event by, as long as it exists here. Only for one made [`interprocess`](Self::interprocess).
    pub(crate) fn export(self: &Arc<Self>) -> Result<IpcEventHandle, CudaError> {
        let _current = self.context.enter()?;
        let mut handle = IpcEventHandle([0; 64]);
        // SAFETY: the pointer is valid for one handle; the event is alive.
        let status = unsafe {
            (self.context.driver.table.cuIpcGetEventHandle)(&raw mut handle, self.handle)
        };
        self.context.driver.check("cuIpcGetEventHandle", status)?;
        let mut exported = exported();
        exported.retain(|_, event| event.strong_count() > 0);
        exported.insert(handle.0, Arc::downgrade(self));
        Ok(handle)
    }

    /// Another process's event, in the context of the device that it was made on. The driver does not open an event in the
    /// process that exported it: there it is the event itself.
    pub(crate) fn open(
        context: &Arc<Context>,
        from: &IpcEventHandle,
    ) -> Result<Arc<Self>, CudaError> {
        let _current = context.enter()?;
        let mut handle = core::ptr::null_mut();
        // SAFETY: the pointer is valid for one handle; the driver checks what the other process sent.
        let status = unsafe { (context.driver.table.cuIpcOpenEventHandle)(&raw mut handle, *from) };
        let opened = context.driver.check("cuIpcOpenEventHandle", status);
        if status == abi::INVALID_CONTEXT
            && let Some(own) = exported().get(&from.0).and_then(Weak::upgrade)
        {
            return Ok(own);
        }
        opened?;
        Ok(Arc::new(Self {
            context: Arc::clone(context),
            handle,
        }))
    }

    /// For calls of others; valid as long as this value.
    pub(crate) fn handle(&self) -> CUevent {
        self.handle
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Stands from now on for all work that is on the stream by now. The stream must be of the event's device.
    pub(crate) fn record(&self, stream: &Stream) -> Result<(), CudaError> {
        let _current = stream.enter()?;
        let driver = self.context.driver;
        // SAFETY: both handles are alive.
        let status = unsafe { (driver.table.cuEventRecord)(self.handle, stream.handle()) };
        driver.check("cuEventRecord", status)
    }

    /// Whether the work that the event stands for is done. Does not wait.
    pub(crate) fn query(&self) -> Result<Progress, CudaError> {
        let driver = self.context.driver;
        if driver.is_child() {
            return Err(CudaError::Forked);
        }
        // SAFETY: the handle is alive.
        let status = unsafe { (driver.table.cuEventQuery)(self.handle) };
        Progress::of(driver, "cuEventQuery", status)
    }

    /// Waits on the host for the work that the event stands for. Not for the path of a frame.
    pub(crate) fn synchronize(&self) -> Result<(), CudaError> {
        let driver = self.context.driver;
        if driver.is_child() {
            return Err(CudaError::Forked);
        }
        // SAFETY: the handle is alive.
        let status = unsafe { (driver.table.cuEventSynchronize)(self.handle) };
        driver.check("cuEventSynchronize", status)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let driver = self.context.driver;
        if driver.is_child() {
            return;
        }
        // SAFETY: made or opened by this value and destroyed once; the driver keeps what waits for it until that is over.
        let status = unsafe { (driver.table.cuEventDestroy_v2)(self.handle) };
        driver.check_drop("cuEventDestroy_v2", status);
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}
