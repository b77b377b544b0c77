//! What can go wrong with CUDA, in CUDA's words where it has some.

use std::io;

use thiserror::Error;

use super::abi::{self, Status};
use super::device::DeviceUuid;

/// Why a call to CUDA, or all of CUDA, does not work.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CudaError {
    /// No driver library was found.
    #[error(
        "this machine has no CUDA driver ({tried}); install NVIDIA's driver, or pass its libraries into the container, to use GPU memory"
    )]
    NoDriver {
        /// Which libraries were looked for, and what the loader said.
        tried: String,
    },
    /// The driver is older than what this crate needs.
    #[error(
        "the CUDA driver `{library}` offers CUDA {found}, and {needed} is needed; update the driver"
    )]
    TooOld {
        /// The library that was found.
        library: String,
        /// The CUDA version that it offers.
        found: String,
        /// The oldest version that serves.
        needed: String,
    },
    /// The driver lacks functions, so it is none, or a broken one.
    #[error("`{library}` lacks {}; is it NVIDIA's driver? Update it", missing.join(", "))]
    MissingFunctions {
        /// The library that was found.
        library: String,
        /// The functions that it lacks.
        missing: Vec<&'static str>,
    },
    /// The driver is there and does not start.
    #[error("the CUDA driver `{library}` does not start: {name} ({code}): {text}; {help}")]
    Start {
        /// The library that was found.
        library: String,
        /// CUDA's status code.
        code: i32,
        /// CUDA's name of it.
        name: String,
        /// CUDA's words for it.
        text: String,
        /// What to do.
        help: &'static str,
    },
    /// A call failed.
    #[error("{call} failed: {name} ({code}): {text}")]
    Call {
        /// The function.
        call: &'static str,
        /// CUDA's status code.
        code: i32,
        /// CUDA's name of it.
        name: String,
        /// CUDA's words for it.
        text: String,
    },
    /// This process was forked after CUDA was started in its parent.
    #[error(
        "this process was forked after CUDA was started in its parent, and CUDA does not work in such a child; start the child with `exec`, or fork before CUDA is used"
    )]
    Forked,
    /// Another library of this process destroyed the device's context (`cuDevicePrimaryCtxReset`, `cudaDeviceReset`).
    #[error(
        "the CUDA context of {uuid} was destroyed by another library of this process, and all that was made in it is gone; start the process anew, and do not reset the device while buffers are in use"
    )]
    Destroyed {
        /// The device.
        uuid: DeviceUuid,
    },
    /// No device of this process is the one that is meant.
    #[error("no device here is {uuid}; does CUDA_VISIBLE_DEVICES hide it?")]
    NoSuchDevice {
        /// The device that is meant.
        uuid: DeviceUuid,
    },
    /// The device lacks what sharing its memory takes.
    #[error("the memory of {device} cannot be shared between processes: it lacks {lacks}")]
    NotShareable {
        /// The device's name.
        device: String,
        /// What it lacks.
        lacks: &'static str,
    },
    /// The memory is on a device that no device opened here can read.
    #[error(
        "memory of {uuid} cannot be read here: this process has not opened that device, and none that it has opened has peer access to it"
    )]
    NoPeerAccess {
        /// The device whose memory it is.
        uuid: DeviceUuid,
    },
    /// No device of this number was opened.
    #[error(
        "no device {domain} is opened here; devices are numbered from 0 in the order in which they were opened"
    )]
    NotOpened {
        /// The number.
        domain: u32,
    },
    /// What another process sent is no memory to map, or what was asked for is none to make.
    #[error("memory was refused: {0}")]
    Refused(String),
}

impl CudaError {
    /// CUDA's status code, where the driver gave one.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Call { code, .. } | Self::Start { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether all later calls of this process on the same device fail too, so that only a new process helps: a kernel
    /// that faulted, a device that was lost, a context that was destroyed.
    pub fn is_sticky(&self) -> bool {
        matches!(self, Self::Destroyed { .. })
            || matches!(self, Self::Call { code, .. } if STICKY.contains(code))
    }

    /// Whether the device runs nothing of this process any more, so that there is nothing to wait for.
    pub(crate) fn is_final(&self) -> bool {
        self.is_sticky() || *self == Self::Forked
    }

    /// Whether the device's memory is used up.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Call { code, .. } if *code == abi::OUT_OF_MEMORY)
    }

    /// Whether the process ends and the driver is gone already; nobody needs to be told.
    pub(super) fn is_shutdown(&self) -> bool {
        matches!(self, Self::Call { code, .. } if *code == abi::DEINITIALIZED)
    }
}

/// As CUDA numbers them: driver gone; uncorrectable memory error, lost link, contained fault; illegal address, timeout, destroyed
/// context, assertion; stack error, illegal instruction, misaligned address, address space, program counter, launch failed;
/// leaked tensor memory.
const STICKY: [Status; 15] = [
    abi::DEINITIALIZED,
    214,
    220,
    226,
    700,
    702,
    709,
    710,
    714,
    715,
    716,
    717,
    718,
    719,
    721,
];

/// What to do when `cuInit` fails.
pub(super) fn start_help(code: Status) -> &'static str {
    match code {
        3 => {
            "was this process forked after CUDA was started in its parent? Fork earlier, or start the child with `exec`"
        }
        34 => "this is the toolkit's stub, for linking only; take its folder off the library path",
        100 => "the machine has no NVIDIA GPU, or CUDA_VISIBLE_DEVICES or the container hides it",
        803 => {
            "the kernel module and the library are of different driver versions; restart the machine or update both"
        }
        802 | 804..=809 => {
            "ask the machine's administrator: a service of the driver (fabric manager, MPS) or a compatibility package is not set up"
        }
        _ => "try `nvidia-smi`: if it fails too, the driver is not set up",
    }
}

impl From<CudaError> for io::Error {
    fn from(error: CudaError) -> Self {
        let kind = match &error {
            CudaError::NoDriver { .. }
            | CudaError::TooOld { .. }
            | CudaError::MissingFunctions { .. }
            | CudaError::Start { .. }
            | CudaError::NotShareable { .. }
            | CudaError::NoPeerAccess { .. } => io::ErrorKind::Unsupported,
            CudaError::NoSuchDevice { .. } | CudaError::NotOpened { .. } => io::ErrorKind::NotFound,
            CudaError::Refused(_) => io::ErrorKind::InvalidData,
            CudaError::Call { .. } if error.is_out_of_memory() => io::ErrorKind::OutOfMemory,
            CudaError::Call { .. } | CudaError::Forked | CudaError::Destroyed { .. } => {
                io::ErrorKind::Other
            }
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(code: i32) -> CudaError {
        CudaError::Call {
            call: "cuMemCreate",
            code,
            name: "CUDA_ERROR_OUT_OF_MEMORY".to_owned(),
            text: "out of memory".to_owned(),
        }
    }

    #[test]
    fn a_failed_call_is_named_with_cudas_words() {
        let error = failed(2);
        let said = "cuMemCreate failed: CUDA_ERROR_OUT_OF_MEMORY (2): out of memory";
        assert_eq!(error.to_string(), said);
        assert!(error.is_out_of_memory() && !error.is_sticky());
        assert_eq!(error.code(), Some(2));
    }

    #[test]
    fn the_cause_survives_in_an_io_error() {
        let error = io::Error::from(failed(2));
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
        assert_eq!(cause, Some(&failed(2)));
    }

    #[test]
    fn faults_that_stay_are_known() {
        for code in [700, 719, 709, 214] {
            assert!(failed(code).is_sticky(), "{code}");
        }
        for code in [1, 2, 400, 600, 801, 12_345] {
            assert!(!failed(code).is_sticky(), "{code}");
        }
    }

    /// What only cannot be asked now is not over.
    #[test]
    fn beside_a_capture_nothing_is_known() {
        for code in [900, 901, 906, 907] {
            assert!(!failed(code).is_final(), "{code}");
        }
        assert!(failed(700).is_final() && CudaError::Forked.is_final());
    }

    #[test]
    fn what_the_bindings_call_these_codes() {
        use cudarc::driver::sys::CUresult as C;
        let named = [
            C::CUDA_ERROR_ECC_UNCORRECTABLE,
            C::CUDA_ERROR_NVLINK_UNCORRECTABLE,
            C::CUDA_ERROR_ILLEGAL_ADDRESS,
            C::CUDA_ERROR_LAUNCH_TIMEOUT,
            C::CUDA_ERROR_CONTEXT_IS_DESTROYED,
            C::CUDA_ERROR_ASSERT,
            C::CUDA_ERROR_HARDWARE_STACK_ERROR,
            C::CUDA_ERROR_ILLEGAL_INSTRUCTION,
            C::CUDA_ERROR_MISALIGNED_ADDRESS,
            C::CUDA_ERROR_INVALID_ADDRESS_SPACE,
            C::CUDA_ERROR_INVALID_PC,
            C::CUDA_ERROR_LAUNCH_FAILED,
        ];
        for code in named {
            assert!(STICKY.contains(&(code as Status)), "{code:?}");
        }
    }
}
