//! Kernels that write, check and wait. They are the tests' own: the library launches nothing.

use core::ffi::{CStr, c_void};
use std::sync::Arc;
use std::time::Duration;

use cudarc::driver::sys::{self, CUfunction, CUresult};

use super::super::driver::{Access, Allocation, Context, CudaError, Mapped, Stream};

const PTX: &str = concat!(include_str!("kernels.ptx"), "\0");
const BLOCK: u32 = 256;

/// The tests' kernels on one device.
pub(super) struct Kernels {
    fill: CUfunction,
    check: CUfunction,
    spin: CUfunction,
    /// Counts what was right.
    counter: Mapped,
}

impl Kernels {
    pub(super) fn load(context: &Arc<Context>) -> Self {
        let _current = context.enter().unwrap();
        let mut module = core::ptr::null_mut();
        // SAFETY: the text ends with a zero; a context is current.
        let status = unsafe { sys::cuModuleLoadData(&raw mut module, PTX.as_ptr().cast()) };
        assert_eq!(status, CUresult::CUDA_SUCCESS);
        let function = |name: &CStr| {
            let mut function = core::ptr::null_mut();
            // SAFETY: the module is loaded, and is never unloaded; the name ends with a zero.
            let status =
                unsafe { sys::cuModuleGetFunction(&raw mut function, module, name.as_ptr()) };
            assert_eq!(status, CUresult::CUDA_SUCCESS);
            function
        };
        let size = usize::try_from(context.device().granularity()).unwrap();
        let allocation = Allocation::create(context, size).unwrap();
        Self {
            fill: function(c"fill"),
            check: function(c"check"),
            spin: function(c"spin"),
            counter: Mapped::new(context, &allocation, size, Access::ReadWrite).unwrap(),
        }
    }

    /// Writes a pattern of `seed` into all words.
    pub(super) fn fill(&self, stream: &Stream, address: u64, bytes: usize, seed: u32) {
        let (mut address, mut count, mut seed) = (address, words(bytes), seed);
        let arguments = [
            pointer(&mut address),
            pointer(&mut count),
            pointer(&mut seed),
        ];
        launch(self.fill, stream, count.div_ceil(BLOCK), arguments);
    }

    /// How many words have the pattern of `seed`; waits for the stream.
    pub(super) fn check(
        &self,
        stream: &Stream,
        address: u64,
        bytes: usize,
        seed: u32,
    ) -> Result<u32, CudaError> {
        let (mut address, mut count, mut seed) = (address, words(bytes), seed);
        let mut counter = self.counter.address();
        // SAFETY: the counter is ours, and only this stream uses it.
        unsafe { stream.set_async(counter, 0, 4) }?;
        let arguments = [
            pointer(&mut address),
            pointer(&mut count),
            pointer(&mut seed),
            pointer(&mut counter),
        ];
        launch(self.check, stream, count.div_ceil(BLOCK), arguments);
        let mut right = [0; 4];
        // SAFETY: both are valid; the stream is waited for before the array is read.
        unsafe { stream.dtoh_async(right.as_mut_ptr(), counter, 4) }?;
        stream.synchronize()?;
        Ok(u32::from_ne_bytes(right))
    }

    /// Keeps the stream busy.
    pub(super) fn spin(&self, stream: &Stream, time: Duration) {
        let mut nanoseconds = u64::try_from(time.as_nanos()).unwrap();
        launch(self.spin, stream, 1, [pointer(&mut nanoseconds)]);
    }
}

pub(super) fn words(bytes: usize) -> u32 {
    u32::try_from(bytes / 4).unwrap()
}

fn pointer<T>(value: &mut T) -> *mut c_void {
    (&raw mut *value).cast()
}

fn launch<const N: usize>(
    function: CUfunction,
    stream: &Stream,
    blocks: u32,
    mut arguments: [*mut c_void; N],
) {
    let _current = stream.context().enter().unwrap();
    // SAFETY: the arguments are those of the kernel, which reads and writes what the test gave it.
    let status = unsafe {
        sys::cuLaunchKernel(
            function,
            blocks,
            1,
            1,
            BLOCK,
            1,
            1,
            0,
            stream.handle(),
            arguments.as_mut_ptr(),
            core::ptr::null_mut(),
        )
    };
    assert_eq!(status, CUresult::CUDA_SUCCESS);
}
