//! Memory that somebody else made: read in place in this process, and kept until the GPU is done with it.
//!
//! The order is an event of this process, recorded behind what writes the memory; there is no block, so no word. For
//! readers in other processes the backend makes it one, or copies it into one of ours, when the first of them is told of the frame.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::access::AccessError;
use super::driver::{Context, CudaError, Event, Progress, Stream};
use super::memory::PATIENCE;

const PAUSE: Duration = Duration::from_micros(50);

/// Memory of a device that this process reads and somebody else owns.
pub(super) struct Adopted {
    address: u64,
    len: usize,
    /// Stands for the end of writing.
    written: Event,
    /// What keeps the memory there. In a lock because it may be of a type that only one thread at a time may touch.
    keep: Mutex<Option<Box<dyn Send>>>,
}

impl Adopted {
    /// Memory that is written when `written` has passed.
    pub(super) fn new((address, len): (u64, usize), written: Event, keep: Box<dyn Send>) -> Self {
        Self {
            address,
            len,
            written,
            keep: Mutex::new(Some(keep)),
        }
    }

    pub(super) fn context(&self) -> &Arc<Context> {
        self.written.context()
    }

    pub(super) fn address(&self) -> u64 {
        self.address
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Makes the stream wait for the end of writing; only asks where that is over.
    pub(super) fn wait_to_read(&self, stream: &Stream) -> Result<(), CudaError> {
        match self.written.query()? {
            Progress::Done => Ok(()),
            Progress::Running => stream.wait(&self.written),
        }
    }

    /// Waits on the host for the end of writing, no longer than `patience`.
    pub(super) fn wait_on_host(&self, patience: Duration) -> Result<(), AccessError> {
        let start = Instant::now();
        while self.written.query()? == Progress::Running {
            if start.elapsed() >= patience {
                return Err(AccessError::Late(PATIENCE));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Adopted {
    /// Whoever made the memory may give it back with calls that need its context, on whatever thread this is. In a forked
    /// child it is not given back: it is the parent's.
    fn drop(&mut self) {
        let current = self.written.context().enter();
        let keep = self.keep.get_mut().unwrap_or_else(PoisonError::into_inner);
        if matches!(current, Err(CudaError::Forked)) {
            std::mem::forget(keep.take());
        } else {
            drop(keep.take());
        }
        drop(current);
    }
}

impl fmt::Debug for Adopted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Adopted({} bytes at {:#x})", self.len, self.address)
    }
}
