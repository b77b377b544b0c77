//! Devices: who they are and what they can do.
//!
//! A device is known by its UUID, never by its ordinal, which depends on what `CUDA_VISIBLE_DEVICES` lets a process see; an
//! instance of a partitioned device (MIG) has a UUID of its own.

use core::ffi::{CStr, c_char, c_int};
use core::fmt;

use super::abi::{self, AllocationProperties, CUdevice, attribute};
use super::error::CudaError;
use super::library::Driver;

/// The identity of a device or of an instance of a partitioned one; the same in all processes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceUuid(pub [u8; 16]);

/// As `nvidia-smi -L` writes it, without what comes before (`GPU-` or `MIG-`).
impl fmt::Display for DeviceUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for DeviceUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A device that this process sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    ordinal: CUdevice,
    uuid: DeviceUuid,
    name: String,
    lacks: Option<&'static str>,
    granularity: u64,
    registers_read_only: bool,
}

impl Device {
    /// All devices that this process sees, by ordinal.
    ///
    /// # Errors
    /// If there is no driver, or it fails.
    pub fn all() -> Result<Vec<Self>, CudaError> {
        let driver = Driver::get()?;
        let mut count = 0;
        // SAFETY: the pointer is valid for one number.
        let status = unsafe { (driver.table.cuDeviceGetCount)(&raw mut count) };
        driver.check("cuDeviceGetCount", status)?;
        (0..count).map(|index| Self::read(driver, index)).collect()
    }

    /// The device with this UUID.
    ///
    /// # Errors
    /// [`CudaError::NoSuchDevice`] if this process does not see it; other errors if the driver fails.
    pub fn by_uuid(uuid: DeviceUuid) -> Result<Self, CudaError> {
        let found = Self::all()?.into_iter().find(|device| device.uuid == uuid);
        found.ok_or(CudaError::NoSuchDevice { uuid })
    }

    fn read(driver: &'static Driver, index: c_int) -> Result<Self, CudaError> {
        let mut ordinal = 0;
        // SAFETY: the pointer is valid for one handle; the driver checks the index.
        let status = unsafe { (driver.table.cuDeviceGet)(&raw mut ordinal, index) };
        driver.check("cuDeviceGet", status)?;
        let mut uuid = DeviceUuid([0; 16]);
        // SAFETY: the pointer is valid for 16 bytes.
        let status = unsafe { (driver.table.cuDeviceGetUuid_v2)(&raw mut uuid.0, ordinal) };
        driver.check("cuDeviceGetUuid_v2", status)?;
        let mut name = [0u8; 256];
        // SAFETY: the pointer is valid for as many bytes as are told, and the driver ends the name within them.
        let status = unsafe {
            (driver.table.cuDeviceGetName)(name.as_mut_ptr().cast::<c_char>(), 256, ordinal)
        };
        driver.check("cuDeviceGetName", status)?;
        let name = CStr::from_bytes_until_nul(&name).unwrap_or_default();
        let lacks = lacks(driver, ordinal)?;
        Ok(Self {
            ordinal,
            uuid,
            name: name.to_string_lossy().into_owned(),
            lacks,
            granularity: match lacks {
                Some(_) => 0,
                None => granularity(driver, ordinal)?,
            },
            registers_read_only: attribute(driver, attribute::READ_ONLY_REGISTRATION, ordinal)?
                != 0,
        })
    }

    /// Position among the devices that this process sees; means nothing elsewhere.
    pub fn ordinal(&self) -> i32 {
        self.ordinal
    }

    /// Identity, the same in all processes.
    pub fn uuid(&self) -> DeviceUuid {
        self.uuid
    }

    /// The product's name, `NVIDIA H200` for instance.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether memory of this device can be shared between processes.
    pub fn can_share(&self) -> bool {
        self.lacks.is_none()
    }

    /// As [`can_share`](Self::can_share), saying what is lacking.
    pub(crate) fn check_can_share(&self) -> Result<(), CudaError> {
        self.lacks.map_or(Ok(()), |lacks| {
            Err(CudaError::NotShareable {
                device: self.name.clone(),
                lacks,
            })
        })
    }

    /// Sizes of shared blocks are multiples of this many bytes; 0 if nothing can be shared.
    pub fn granularity(&self) -> u64 {
        self.granularity
    }

    /// Whether host memory that is mapped read-only can be registered.
    pub(crate) fn registers_read_only(&self) -> bool {
        self.registers_read_only
    }

    /// Whether this device can read and write the memory of another one; not asked of a device and itself.
    ///
    /// # Errors
    /// If the driver fails.
    pub fn can_access_peer(&self, other: &Self) -> Result<bool, CudaError> {
        let driver = Driver::get()?;
        let mut can = 0;
        // SAFETY: the pointer is valid for one number; both ordinals are the driver's.
        let status = unsafe {
            (driver.table.cuDeviceCanAccessPeer)(&raw mut can, self.ordinal, other.ordinal)
        };
        driver.check("cuDeviceCanAccessPeer", status)?;
        Ok(can != 0)
    }
}

fn attribute(driver: &Driver, attribute: c_int, ordinal: CUdevice) -> Result<c_int, CudaError> {
    let mut value = 0;
    // SAFETY: the pointer is valid for one number; an unknown attribute is an error.
    let status = unsafe { (driver.table.cuDeviceGetAttribute)(&raw mut value, attribute, ordinal) };
    driver.check("cuDeviceGetAttribute", status)?;
    Ok(value)
}

/// What sharing takes and the device has not.
fn lacks(driver: &Driver, ordinal: CUdevice) -> Result<Option<&'static str>, CudaError> {
    for (needed, name) in [
        (attribute::UNIFIED_ADDRESSING, "unified addressing"),
        (attribute::VIRTUAL_MEMORY, "virtual memory management"),
        (attribute::POSIX_FD, "export of memory as a file descriptor"),
    ] {
        if attribute(driver, needed, ordinal)? == 0 {
            return Ok(Some(name));
        }
    }
    let words = match attribute(driver, attribute::STREAM_WORDS, ordinal) {
        // The driver is older than what it is asked for.
        Err(error) if error.code() == Some(abi::INVALID_VALUE) => false,
        other => other? != 0,
    };
    Ok((!words).then_some("streams that write and wait for 64-bit words"))
}

fn granularity(driver: &Driver, ordinal: CUdevice) -> Result<u64, CudaError> {
    let properties = AllocationProperties::shareable(ordinal);
    let mut bytes = 0;
    // SAFETY: both pointers are valid, the first for one number.
    let status = unsafe {
        (driver.table.cuMemGetAllocationGranularity)(
            &raw mut bytes,
            &raw const properties,
            abi::GRANULARITY_MINIMUM,
        )
    };
    driver.check("cuMemGetAllocationGranularity", status)?;
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_reads_as_nvidia_smi_writes_it() {
        let uuid = DeviceUuid(core::array::from_fn(|i| u8::try_from(i * 17).unwrap()));
        assert_eq!(uuid.to_string(), "00112233-4455-6677-8899-aabbccddeeff");
    }
}
