//! Words of host memory that streams write and wait for: order between processes that outlives a process.
//!
//! CUDA's own interprocess events will not do: one whose process was killed before it was reached is never reached, and a stream
//! that waits for it waits for good. A word in memory that both processes have mapped and registered does the same for
//! less, can be looked at without a call, and can be set by whoever learns that the other process is gone.

use super::abi::{self, CUdeviceptr};
use super::copy::Registered;
use super::error::CudaError;
use super::stream::Stream;

impl Stream {
    /// Writes `value` when all that is on the stream by now is done and can be seen by all who see the word.
    ///
    /// # Safety
    /// The word is 8 aligned bytes of registered memory, at the address for the stream's device ([`Registered::address`]),
    /// until it is written, and is accessed atomically by all others.
    pub(crate) unsafe fn write_word(&self, word: CUdeviceptr, value: u64) -> Result<(), CudaError> {
        let _current = self.enter()?;
        let driver = self.context().driver;
        // SAFETY: the caller's promise; the stream is alive.
        let status = unsafe {
            (driver.table.cuStreamWriteValue64_v2)(self.handle(), word, value, abi::WRITE_AFTER_ALL)
        };
        self.context().check("cuStreamWriteValue64_v2", status)
    }

    /// What is put on this stream from now on runs once the word is at least `value`, as signed numbers that may wrap. Does
    /// not wait on the host.
    ///
    /// # Safety
    /// As [`write_word`](Self::write_word), until it is that large.
    pub(crate) unsafe fn wait_for_word(
        &self,
        word: CUdeviceptr,
        value: u64,
    ) -> Result<(), CudaError> {
        let _current = self.enter()?;
        let driver = self.context().driver;
        // SAFETY: the caller's promise; the stream is alive.
        let status = unsafe {
            (driver.table.cuStreamWaitValue64_v2)(self.handle(), word, value, abi::WAIT_AT_LEAST)
        };
        self.context().check("cuStreamWaitValue64_v2", status)
    }
}

impl Registered {
    /// Address of the first byte for devices.
    pub(crate) fn address(&self) -> Result<CUdeviceptr, CudaError> {
        let (context, start) = self.host();
        let _current = context.enter()?;
        let mut address = 0;
        // SAFETY: the pointer is valid for one address; the memory is registered; there are no flags.
        let status = unsafe {
            (context.driver.table.cuMemHostGetDevicePointer_v2)(&raw mut address, start, 0)
        };
        context.check("cuMemHostGetDevicePointer_v2", status)?;
        Ok(address)
    }
}
