//! What tests and measurements do on the device themselves: kernels that write, compare every word and wait.
//!
//! The library launches nothing. A pattern depends on the word's place and on the frame's number, so a word of another
//! frame is seen as wrong; matches are counted, so that a kernel that did not run is seen too.

use std::ffi::{CStr, c_void};
use std::time::{Duration, Instant};

use cudarc::driver::sys::{
    self, CUcontext, CUfunction, CUmemorytype, CUpointer_attribute, CUresult, CUstream,
};
use rosidl_buffer_runtime::cuda::Device;

const PTX: &str = concat!(include_str!("kernels.ptx"), "\0");
const THREADS: u32 = 256;
const BLOCKS: u32 = 2048;
/// `CU_MEMHOSTALLOC_DEVICEMAP`
const MAPPED: u32 = 2;

/// Kernels on a device, and a count of right words; for one thread.
pub struct Gpu {
    context: CUcontext,
    fill: CUfunction,
    check: CUfunction,
    spin: CUfunction,
    /// What the blocks of a kernel add up; on the device.
    state: u64,
    /// The words that were right since the last reset; in the host's memory, where the kernel writes it.
    result: *mut u64,
}

fn ok(status: CUresult) -> Result<(), CUresult> {
    if status == CUresult::CUDA_SUCCESS {
        Ok(())
    } else {
        Err(status)
    }
}

fn pointer<T>(value: &mut T) -> *mut c_void {
    (&raw mut *value).cast()
}

impl Gpu {
    /// On the primary context of the first device. There is one.
    pub fn new() -> Self {
        Self::on(&Device::all().unwrap()[0])
    }

    /// On the primary context of a device, which becomes the thread's current one.
    pub fn on(device: &Device) -> Self {
        // SAFETY: there are no flags; done once or more.
        ok(unsafe { sys::cuInit(0) }).unwrap();
        let mut context = std::ptr::null_mut();
        // SAFETY: the pointer is valid for one handle.
        ok(unsafe { sys::cuDevicePrimaryCtxRetain(&raw mut context, device.ordinal()) }).unwrap();
        // SAFETY: the call before wrote it, and it is never released.
        ok(unsafe { sys::cuCtxSetCurrent(context) }).unwrap();
        let mut module = std::ptr::null_mut();
        // SAFETY: the text ends with a zero; a context is current.
        ok(unsafe { sys::cuModuleLoadData(&raw mut module, PTX.as_ptr().cast()) }).unwrap();
        let function = |name: &CStr| {
            let mut function = std::ptr::null_mut();
            // SAFETY: the module is loaded, and is never unloaded; the name ends with a zero.
            ok(unsafe { sys::cuModuleGetFunction(&raw mut function, module, name.as_ptr()) })
                .unwrap();
            function
        };
        let (mut state, mut result) = (0, std::ptr::null_mut());
        // SAFETY: the pointer is valid for one address.
        ok(unsafe { sys::cuMemAlloc_v2(&raw mut state, 16) }).unwrap();
        // SAFETY: 16 bytes are there.
        ok(unsafe { sys::cuMemsetD8_v2(state, 0, 16) }).unwrap();
        // SAFETY: the pointer is valid for one address.
        ok(unsafe { sys::cuMemHostAlloc(&raw mut result, 8, MAPPED) }).unwrap();
        Self {
            context,
            fill: function(c"fill"),
            check: function(c"check"),
            spin: function(c"spin"),
            state,
            result: result.cast(),
        }
    }

    /// Writes the pattern of `frame` into all words.
    pub fn fill(&self, stream: usize, address: u64, bytes: usize, frame: u64) {
        let (mut address, mut count, mut seed) = (address, words(bytes), seed(frame));
        let arguments = [
            pointer(&mut address),
            pointer(&mut count),
            pointer(&mut seed),
        ];
        self.launch(self.fill, stream, count, arguments).unwrap();
    }

    /// Adds how many words have the pattern of `frame` to the result.
    pub fn check(
        &self,
        stream: usize,
        address: u64,
        bytes: usize,
        frame: u64,
    ) -> Result<(), CUresult> {
        let (mut address, mut count, mut seed) = (address, words(bytes), seed(frame));
        // With unified addresses a device uses the host's.
        let (mut state, mut result) = (self.state, self.result);
        let arguments = [
            pointer(&mut address),
            pointer(&mut count),
            pointer(&mut seed),
            pointer(&mut state),
            pointer(&mut result),
        ];
        self.launch(self.check, stream, count, arguments)
    }

    /// Keeps the stream busy.
    pub fn spin(&self, stream: usize, time: Duration) {
        let mut nanoseconds = u64::try_from(time.as_nanos()).unwrap();
        self.launch(self.spin, stream, 1, [pointer(&mut nanoseconds)])
            .unwrap();
    }

    /// The result is 0 from here on; nothing is being checked.
    pub fn reset(&self) {
        // SAFETY: the word is ours, and no kernel uses it now.
        unsafe { self.result.write_volatile(0) };
    }

    /// Spins until the stream is done, and gives the result; `None` if that takes longer than `patience`.
    pub fn answer(&self, stream: usize, patience: Duration) -> Result<Option<u64>, CUresult> {
        self.enter();
        let start = Instant::now();
        loop {
            // SAFETY: the stream is alive.
            match unsafe { sys::cuStreamQuery(stream as CUstream) } {
                CUresult::CUDA_SUCCESS => break,
                CUresult::CUDA_ERROR_NOT_READY if start.elapsed() < patience => {}
                CUresult::CUDA_ERROR_NOT_READY => return Ok(None),
                error => return Err(error),
            }
            std::hint::spin_loop();
        }
        // SAFETY: the kernels are done; nothing writes there until the next one.
        Ok(Some(unsafe { self.result.read_volatile() }))
    }

    /// How many words have the pattern of `frame`; waits for the device.
    pub fn count(
        &self,
        stream: usize,
        address: u64,
        bytes: usize,
        frame: u64,
    ) -> Result<Option<u64>, CUresult> {
        self.reset();
        self.check(stream, address, bytes, frame)?;
        self.answer(stream, Duration::from_secs(5))
    }

    /// Whether all words have the pattern of `frame`.
    pub fn is_right(&self, stream: usize, address: u64, bytes: usize, frame: u64) -> bool {
        self.count(stream, address, bytes, frame) == Ok(Some(u64::from(words(bytes))))
    }

    /// Bytes of the device that nobody has.
    pub fn free_memory(&self) -> u64 {
        self.enter();
        let (mut free, mut total) = (0, 0);
        // SAFETY: both pointers are valid for one number.
        ok(unsafe { sys::cuMemGetInfo_v2(&raw mut free, &raw mut total) }).unwrap();
        free as u64
    }

    /// Makes the context the thread's current one: kernels on several devices take turns.
    fn enter(&self) {
        // SAFETY: retained when this was made, and never released.
        ok(unsafe { sys::cuCtxSetCurrent(self.context) }).unwrap();
    }

    fn launch<const N: usize>(
        &self,
        function: CUfunction,
        stream: usize,
        items: u32,
        mut arguments: [*mut c_void; N],
    ) -> Result<(), CUresult> {
        self.enter();
        let blocks = items.div_ceil(THREADS).clamp(1, BLOCKS);
        let (threads, none) = (THREADS, std::ptr::null_mut());
        let (stream, arguments) = (stream as CUstream, arguments.as_mut_ptr());
        // SAFETY: the arguments are those of the kernel, which reads and writes what the caller has on this device.
        ok(unsafe {
            sys::cuLaunchKernel(
                function, blocks, 1, 1, threads, 1, 1, 0, stream, arguments, none,
            )
        })
    }

    /// Whether devices copy from this host memory at full speed.
    pub fn is_registered(&self, bytes: &[u8]) -> bool {
        self.enter();
        let mut kind = 0u32;
        let attribute = CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE;
        // SAFETY: the pointer is valid for one number; the address is looked up, not followed.
        let found = unsafe {
            sys::cuPointerGetAttribute(pointer(&mut kind), attribute, bytes.as_ptr() as u64)
        };
        ok(found).is_ok() && kind == CUmemorytype::CU_MEMORYTYPE_HOST as u32
    }
}

/// The pattern on the host: the word at `index` of `frame`.
pub fn word(index: u32, frame: u64) -> u32 {
    index.wrapping_mul(0x9E37_79B1).wrapping_add(seed(frame))
}

/// Words that a pattern of so many bytes has.
pub fn words(bytes: usize) -> u32 {
    u32::try_from(bytes / 4).unwrap()
}

#[allow(clippy::cast_possible_truncation)] // a hash
fn seed(frame: u64) -> u32 {
    (frame as u32).wrapping_add(1).wrapping_mul(0x85EB_CA6B)
}
