//! Streams: our own, and those of whoever calls us.
//!
//! The two default streams are no objects but numbers that mean a stream of the thread's current context, so calls on them
//! are made with the right context; calls on all others need none.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use super::abi::{self, CUstream};
use super::context::{Context, Current};
use super::error::CudaError;
use super::event::{Event, Progress};

/// A queue of work on a device.
pub(crate) struct Stream {
    context: Arc<Context>,
    handle: CUstream,
    own: bool,
    id: StreamId,
    /// Keeps a stream of somebody else.
    keep: Option<Box<dyn Send + Sync>>,
}

/// Tells one value of [`Stream`] from all others that this process has or had; unlike a handle, it is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamId(pub(crate) u64);

impl StreamId {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

// SAFETY: a stream may be used from all threads; the handle is an address that only the driver looks behind.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    /// A new stream, which does not wait for the legacy default stream; destroyed with this value, after its work.
    pub(crate) fn new(context: &Arc<Context>) -> Result<Self, CudaError> {
        let _current = context.enter()?;
        let mut handle = core::ptr::null_mut();
        // SAFETY: the pointer is valid for one handle; a context is current.
        let status = unsafe {
            (context.driver.table.cuStreamCreate)(&raw mut handle, abi::STREAM_NON_BLOCKING)
        };
        context.check("cuStreamCreate", status)?;
        Ok(Self {
            context: Arc::clone(context),
            handle,
            own: true,
            id: StreamId::new(),
            keep: None,
        })
    }

    /// The legacy default stream of this context: the one that most frameworks use unless told otherwise.
    pub(crate) fn legacy(context: &Arc<Context>) -> Self {
        Self::special(context, abi::STREAM_LEGACY)
    }

    /// The default stream of whichever thread makes a call with this value.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests on a device"))]
    pub(crate) fn per_thread(context: &Arc<Context>) -> Self {
        Self::special(context, abi::STREAM_PER_THREAD)
    }

    fn special(context: &Arc<Context>, number: usize) -> Self {
        Self {
            context: Arc::clone(context),
            handle: core::ptr::without_provenance_mut(number),
            own: false,
            id: StreamId::new(),
            keep: None,
        }
    }

    /// A stream of somebody else, which stays theirs. Null is the legacy default stream; the numbers that `cuda.h` has for
    /// the two default streams mean what they mean there.
    ///
    /// # Safety
    /// The stream belongs to this context, the device's primary one, and exists as long as this value.
    pub(crate) unsafe fn foreign(context: &Arc<Context>, handle: CUstream) -> Self {
        if handle.is_null() {
            return Self::legacy(context);
        }
        Self {
            context: Arc::clone(context),
            handle,
            own: false,
            id: StreamId::new(),
            keep: None,
        }
    }

    /// The same stream, which `keep` keeps there as long as this value.
    pub(crate) fn kept_by(mut self, keep: impl Send + Sync + 'static) -> Self {
        self.keep = Some(Box::new(keep));
        self
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// `None` for the stream that is another one in each thread.
    pub(crate) fn id(&self) -> Option<StreamId> {
        (!self.is_per_thread()).then_some(self.id)
    }

    /// Whether it is another stream in each thread.
    pub(crate) fn is_per_thread(&self) -> bool {
        self.handle.addr() == abi::STREAM_PER_THREAD
    }

    /// For calls of others; valid as long as this value.
    pub(crate) fn handle(&self) -> CUstream {
        self.handle
    }

    /// What a call on this stream needs: a current context if the stream is one of the two that have no handle.
    pub(super) fn enter(&self) -> Result<Option<Current<'_>>, CudaError> {
        if self.handle.addr() <= abi::STREAM_PER_THREAD {
            return self.context.enter().map(Some);
        }
        self.context.check_usable()?;
        Ok(None)
    }

    /// What is put on this stream from now on runs after all that the event stood for when it was last recorded. Does not wait
    /// on the host. The event may be another device's or another process's.
    pub(crate) fn wait(&self, event: &Event) -> Result<(), CudaError> {
        let _current = self.enter()?;
        let driver = self.context.driver;
        // SAFETY: both handles are alive; there are no flags.
        let status = unsafe { (driver.table.cuStreamWaitEvent)(self.handle, event.handle(), 0) };
        self.context.check("cuStreamWaitEvent", status)
    }

    /// Refuses a stream that is being captured into a graph: what is put on it does not run now.
    pub(crate) fn check_not_captured(&self) -> Result<(), CudaError> {
        let _current = self.enter()?;
        let driver = self.context.driver;
        let mut state = abi::NOT_CAPTURING;
        // SAFETY: the handle is alive; the pointer is valid for one C enum.
        let status = unsafe { (driver.table.cuStreamIsCapturing)(self.handle, &raw mut state) };
        self.context.check("cuStreamIsCapturing", status)?;
        if state == abi::NOT_CAPTURING {
            return Ok(());
        }
        Err(CudaError::Refused(
            "the stream is being captured into a graph; make and drop handles outside of the capture, on a stream that runs".to_owned(),
        ))
    }

    /// Whether all work on this stream is done.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests on a device"))]
    pub(crate) fn query(&self) -> Result<Progress, CudaError> {
        let _current = self.enter()?;
        let driver = self.context.driver;
        // SAFETY: the handle is alive.
        let status = unsafe { (driver.table.cuStreamQuery)(self.handle) };
        Progress::of(&self.context, "cuStreamQuery", status)
    }

    /// Waits on the host until all work on this stream is done. Not for the path of a frame.
    pub(crate) fn synchronize(&self) -> Result<(), CudaError> {
        let _current = self.enter()?;
        let _relaxed = self.context.relax()?;
        let driver = self.context.driver;
        // SAFETY: the handle is alive.
        let status = unsafe { (driver.table.cuStreamSynchronize)(self.handle) };
        self.context.check("cuStreamSynchronize", status)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let driver = self.context.driver;
        if driver.is_child() {
            core::mem::forget(self.keep.take()); // it is the parent's
        }
        if !self.own || self.context.check_usable().is_err() {
            return;
        }
        // SAFETY: made by this value and destroyed once; work on it is finished by the driver first.
        let status = unsafe { (driver.table.cuStreamDestroy_v2)(self.handle) };
        driver.check_drop("cuStreamDestroy_v2", status);
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("handle", &self.handle)
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}
