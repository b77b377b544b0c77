//! Device memory as programs have it that send bytes: allocated once, copied to and from the message.

use cudarc::driver::sys::{self, CUresult, CUstream};
use rosidl_buffer_runtime::cuda::{CudaBackend, CudaStream};

use crate::gpu::Gpu;

fn ok(status: CUresult) {
    assert_eq!(status, CUresult::CUDA_SUCCESS);
}

/// One allocation, and a stream for the thread that made it.
pub struct Device {
    pub gpu: Gpu,
    pub stream: CudaStream,
    pub address: u64,
    len: usize,
}

impl Device {
    pub fn new(len: usize) -> Self {
        let stream = CudaBackend::shared().unwrap().new_stream().unwrap();
        let gpu = Gpu::new();
        let mut address = 0;
        // SAFETY: the pointer is valid for one address; `gpu` made the context current.
        ok(unsafe { sys::cuMemAlloc_v2(&raw mut address, len) });
        Self {
            gpu,
            stream,
            address,
            len,
        }
    }

    fn stream(&self) -> CUstream {
        self.stream.handle() as CUstream
    }

    /// Makes copies from and to the bytes as fast as the link. They stay where they are until the process ends.
    pub fn register(&self, bytes: &mut [u8]) {
        // SAFETY: the bytes are valid, and registered once.
        ok(unsafe { sys::cuMemHostRegister_v2(bytes.as_mut_ptr().cast(), bytes.len(), 0) });
    }

    /// The allocation's bytes, when all on the stream is done.
    pub fn download(&self, bytes: &mut [u8]) {
        assert_eq!(bytes.len(), self.len);
        // SAFETY: both are valid for that many bytes, and nobody uses them until the stream is done.
        ok(unsafe {
            sys::cuMemcpyDtoHAsync_v2(
                bytes.as_mut_ptr().cast(),
                self.address,
                self.len,
                self.stream(),
            )
        });
        self.stream.synchronize().unwrap();
    }

    /// Puts the copy on the stream; the bytes stay until it is done.
    pub fn upload(&self, bytes: &[u8]) {
        assert_eq!(bytes.len(), self.len);
        // SAFETY: both are valid for that many bytes; the caller keeps them until the stream is done.
        ok(unsafe {
            sys::cuMemcpyHtoDAsync_v2(self.address, bytes.as_ptr().cast(), self.len, self.stream())
        });
    }
}
