//! Events: marks in the work of a stream, within a process.
//!
//! An event is made once and recorded again and again. Recording, waiting and asking need no current context, so a frame
//! costs one call each.
//!
//! Between processes [`word`](super::word)s make the order: an event whose process is killed is never reached, and what waits
//! for it waits for good.

use core::fmt;
use std::sync::Arc;

use super::abi::{self, CUevent, Status};
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
        context: &Context,
        call: &'static str,
        status: Status,
    ) -> Result<Self, CudaError> {
        if status == abi::NOT_READY {
            Driver::count();
            return Ok(Self::Running);
        }
        context.check(call, status).map(|()| Self::Done)
    }
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
    /// A new event, without times. It counts as done until it is first recorded.
    pub(crate) fn local(context: &Arc<Context>) -> Result<Self, CudaError> {
        let _current = context.enter()?;
        let mut handle = core::ptr::null_mut();
        // SAFETY: the pointer is valid for one handle; a context is current.
        let status = unsafe {
            (context.driver.table.cuEventCreate)(&raw mut handle, abi::EVENT_DISABLE_TIMING)
        };
        context.check("cuEventCreate", status)?;
        Ok(Self {
            context: Arc::clone(context),
            handle,
        })
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
        self.context.check("cuEventRecord", status)
    }

    /// Whether the work that the event stands for is done. Does not wait.
    pub(crate) fn query(&self) -> Result<Progress, CudaError> {
        self.context.check_usable()?;
        let _relaxed = self.context.relax()?;
        let driver = self.context.driver;
        // SAFETY: the handle is alive.
        let status = unsafe { (driver.table.cuEventQuery)(self.handle) };
        Progress::of(&self.context, "cuEventQuery", status)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let driver = self.context.driver;
        if self.context.check_usable().is_err() {
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
