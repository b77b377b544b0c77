//! Where a tensor is, in DLPack's numbers.

use core::fmt;

/// Kind and number of a device: DLPack's `DLDevice`, and what Python's `__dlpack_device__` returns. Any numbers can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DlDevice {
    /// `kDLCPU` is 1, `kDLCUDA` 2, and so on.
    pub kind: u32,
    /// Which of that kind; for CUDA the ordinal in this process.
    pub index: i32,
}

const HOST: u32 = 1;
const CUDA: u32 = 2;
const CUDA_HOST: u32 = 3;
const ROCM_HOST: u32 = 11;

impl DlDevice {
    /// Host memory.
    pub const CPU: Self = Self {
        kind: HOST,
        index: 0,
    };

    /// A GPU of NVIDIA's, by its ordinal in this process.
    pub const fn cuda(index: i32) -> Self {
        Self { kind: CUDA, index }
    }

    /// Whether the host reads it in place, pinned memory included.
    pub const fn is_host(self) -> bool {
        matches!(self.kind, HOST | CUDA_HOST | ROCM_HOST)
    }
}

impl fmt::Display for DlDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            HOST => f.write_str("cpu"),
            CUDA => write!(f, "cuda:{}", self.index),
            CUDA_HOST | ROCM_HOST => f.write_str("pinned memory of the host"),
            kind => write!(f, "device {} of DLPack's type {kind}", self.index),
        }
    }
}
