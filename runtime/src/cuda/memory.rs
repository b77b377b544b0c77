//! GPU memory as a kind of memory to share: a mapped block and its event, on the writer's side and on the reader's.
//!
//! A domain is a device that was opened. The writer makes the block's memory and one interprocess event, and exports both
//! once; a reader maps the memory read-only and opens the event. What comes from a peer is checked before it is mapped, and
//! an event that cannot be opened is an error: without it there is no order. When to record and to wait is decided above.

use core::sync::atomic::{AtomicU64, Ordering};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use super::driver::{
    Access, Allocation, Context, CudaError, Device, DeviceUuid, Event, IpcEventHandle, Mapped,
    Stream, StreamId,
};
use crate::ipc::memory::{Created, Memory};
use crate::ipc::wire::Extra;

/// The memory of the devices that were opened.
#[derive(Debug)]
pub(crate) struct CudaMemory {
    opened: Vec<Arc<Context>>,
}

/// How this process gets at the memory of a device.
#[derive(Debug, Clone)]
pub(crate) enum Reach {
    /// The device is opened: this domain.
    Opened(u32),
    /// This domain's device has peer access to it; the device itself is seen here, and not opened.
    Peer(u32, Device),
}

impl CudaMemory {
    /// Opens devices, all of which can share memory; a device's domain is its position.
    pub(crate) fn open(devices: &[Device]) -> Result<Self, CudaError> {
        let open = |device: &Device| {
            device.check_can_share()?;
            Context::retain(device)
        };
        let opened = devices.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { opened })
    }

    /// The contexts of the opened devices, by domain.
    pub(crate) fn contexts(&self) -> &[Arc<Context>] {
        &self.opened
    }

    /// The context of a domain's device.
    pub(crate) fn context(&self, domain: u32) -> Option<&Arc<Context>> {
        self.opened.get(domain as usize)
    }

    /// The domain of a device that is opened.
    pub(crate) fn domain(&self, uuid: DeviceUuid) -> Option<u32> {
        let found = self
            .opened
            .iter()
            .position(|context| context.device().uuid() == uuid)?;
        u32::try_from(found).ok()
    }

    /// Whether memory of this device can be mapped here, and for whom. [`CudaError::NoSuchDevice`] and
    /// [`CudaError::NoPeerAccess`] if not; such a reader needs bytes.
    pub(crate) fn reach(&self, uuid: DeviceUuid) -> Result<Reach, CudaError> {
        if let Some(domain) = self.domain(uuid) {
            return Ok(Reach::Opened(domain));
        }
        let owner = Device::by_uuid(uuid)?;
        for (context, domain) in self.opened.iter().zip(0..) {
            if context.device().can_access_peer(&owner)? {
                return Ok(Reach::Peer(domain, owner));
            }
        }
        Err(CudaError::NoPeerAccess { uuid })
    }

    fn create_block(&self, domain: u32, size: usize) -> Result<Created<CudaBlock>, CudaError> {
        let context = self
            .context(domain)
            .ok_or(CudaError::NotOpened { domain })?;
        let allocation = Allocation::create(context, size)?;
        let mapped = Mapped::new(context, &allocation, size, Access::ReadWrite)?;
        let event = Arc::new(Event::interprocess(context)?);
        let extra = BlockExtra {
            device: context.device().uuid(),
            event: event.export()?,
        };
        Ok(Created {
            fd: allocation.export()?,
            extra: extra.write(),
            block: CudaBlock {
                mapped,
                event,
                written_on: AtomicU64::new(0),
            },
        })
    }

    fn import_block(
        &self,
        fd: &OwnedFd,
        size: usize,
        extra: &BlockExtra,
    ) -> Result<CudaImport, CudaError> {
        let (domain, owner) = match self.reach(extra.device)? {
            Reach::Opened(domain) => (domain, None),
            Reach::Peer(domain, owner) => (domain, Some(Context::retain(&owner)?)),
        };
        let reader = self
            .context(domain)
            .ok_or(CudaError::NoSuchDevice { uuid: extra.device })?;
        let owner = owner.as_ref().unwrap_or(reader);
        let allocation = Allocation::import(owner, fd.as_fd())?;
        let mapped = Mapped::new(reader, &allocation, size, Access::Read)?;
        let event = Event::open(owner, &extra.event)?;
        Ok(CudaImport {
            mapped,
            event,
            domain,
        })
    }
}

impl Memory for CudaMemory {
    type Block = CudaBlock;
    type Import = CudaImport;
    const BACKEND: &'static str = "cuda_rs";

    fn granule(&self, domain: u32) -> u64 {
        self.context(domain)
            .map_or(1, |context| context.device().granularity())
    }

    fn create(&self, domain: u32, size: u64) -> io::Result<Created<CudaBlock>> {
        Ok(self.create_block(domain, length(size)?)?)
    }

    fn import(&self, fd: OwnedFd, size: u64, extra: &Extra) -> io::Result<CudaImport> {
        let extra = BlockExtra::parse(extra).map_err(CudaError::Refused)?;
        Ok(self.import_block(&fd, length(size)?, &extra)?)
    }
}

fn length(size: u64) -> Result<usize, CudaError> {
    let len = usize::try_from(size).ok().filter(|len| *len > 0);
    len.ok_or_else(|| CudaError::Refused(format!("a block cannot have {size} bytes")))
}

/// A block as its writer has it. Not to be dropped while the device uses it, see [`Mapped`].
#[derive(Debug)]
pub(crate) struct CudaBlock {
    mapped: Mapped,
    event: Arc<Event>,
    /// Which stream the event was last recorded on; 0 is not known.
    written_on: AtomicU64,
}

impl Drop for CudaBlock {
    /// Unmapping waits for nobody, and a kernel that still writes would fault: what was written and never read may be on
    /// its way.
    fn drop(&mut self) {
        if let Err(error) = self.event.synchronize() {
            tracing::debug!(%error, "the last write to a block could not be waited for");
        }
    }
}

impl CudaBlock {
    /// The device of the block.
    pub(crate) fn context(&self) -> &Arc<Context> {
        self.mapped.context()
    }

    /// Address on the device; for reading and writing.
    pub(crate) fn address(&self) -> u64 {
        self.mapped.address()
    }

    pub(crate) fn len(&self) -> usize {
        self.mapped.len()
    }

    /// Stands for the end of writing; recorded by the writer, waited for by readers.
    pub(crate) fn event(&self) -> &Event {
        &self.event
    }

    /// Makes the stream wait for the end of the last writing; without a call where that was on this very stream.
    pub(crate) fn wait(&self, stream: &Stream) -> Result<(), CudaError> {
        let last = self.written_on.load(Ordering::Acquire);
        if last != 0 && stream.id() == Some(StreamId(last)) {
            return Ok(());
        }
        stream.wait(&self.event)
    }

    /// Ends writing on the stream.
    pub(crate) fn record(&self, stream: &Stream) -> Result<(), CudaError> {
        let recorded = self.event.record(stream);
        let id = stream.id().filter(|_| recorded.is_ok());
        let id = id.map_or(0, |StreamId(id)| id);
        self.written_on.store(id, Ordering::Release);
        recorded
    }
}

/// A block as a reader has it. Not to be dropped while the device uses it, see [`Mapped`].
#[derive(Debug)]
pub(crate) struct CudaImport {
    mapped: Mapped,
    event: Arc<Event>,
    domain: u32,
}

impl CudaImport {
    /// The device that the block is mapped for, which need not be the one it is on.
    pub(crate) fn context(&self) -> &Arc<Context> {
        self.mapped.context()
    }

    /// The domain of that device.
    pub(crate) fn domain(&self) -> u32 {
        self.domain
    }

    /// Address on the device; for reading only, a kernel that writes there faults.
    pub(crate) fn address(&self) -> u64 {
        self.mapped.address()
    }

    pub(crate) fn len(&self) -> usize {
        self.mapped.len()
    }

    /// Stands for the end of writing. Not to be recorded here.
    pub(crate) fn event(&self) -> &Event {
        &self.event
    }
}

/// What a reader is told of a block beside its file descriptor.
#[derive(Clone, PartialEq, Eq)]
struct BlockExtra {
    device: DeviceUuid,
    event: IpcEventHandle,
}

impl BlockExtra {
    const VERSION: u8 = 1;
    /// Version, flags (none yet), device, event.
    const LEN: usize = 2 + 16 + 64;

    fn write(&self) -> Extra {
        let mut bytes = [0; Self::LEN];
        bytes[0] = Self::VERSION;
        bytes[2..18].copy_from_slice(&self.device.0);
        bytes[18..].copy_from_slice(&self.event.0);
        Extra::from(bytes)
    }

    fn parse(extra: &Extra) -> Result<Self, String> {
        let bytes = extra.as_slice();
        let Some((&version, rest)) = bytes.split_first() else {
            return Err("it came without its event".to_owned());
        };
        if version != Self::VERSION {
            return Err(format!(
                "it is described in version {version}, and {} is known; build both sides with the same version",
                Self::VERSION
            ));
        }
        let Ok(rest) = <&[u8; Self::LEN - 1]>::try_from(rest) else {
            return Err(format!(
                "{} bytes describe it, where {} do",
                bytes.len(),
                Self::LEN
            ));
        };
        if rest[0] != 0 {
            return Err(format!(
                "it has the flags {:#04x}, and none are known",
                rest[0]
            ));
        }
        let mut parsed = Self {
            device: DeviceUuid([0; 16]),
            event: IpcEventHandle([0; 64]),
        };
        parsed.device.0.copy_from_slice(&rest[1..17]);
        parsed.event.0.copy_from_slice(&rest[17..]);
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> BlockExtra {
        BlockExtra {
            device: DeviceUuid(core::array::from_fn(|i| u8::try_from(i).unwrap())),
            event: IpcEventHandle(core::array::from_fn(|i| u8::try_from(100 + i).unwrap())),
        }
    }

    #[test]
    fn what_describes_a_block_comes_back() {
        let extra = sample().write();
        assert_eq!(extra.as_slice().len(), BlockExtra::LEN);
        assert!(BlockExtra::parse(&extra) == Ok(sample()));
    }

    #[test]
    fn what_cannot_be_right_is_named() {
        let good = sample().write();
        let with = |at: usize, value: u8| {
            let mut bytes = good.as_slice().to_vec();
            bytes[at] = value;
            bytes
        };
        let short = good.as_slice()[..BlockExtra::LEN - 1].to_vec();
        let long = [good.as_slice(), &[0]].concat();
        for (bytes, says) in [
            (vec![], "without its event"),
            (vec![1], "1 bytes describe it, where 82 do"),
            (short, "81 bytes describe it"),
            (long, "83 bytes describe it"),
            (with(0, 2), "in version 2, and 1 is known"),
            (with(1, 0x80), "the flags 0x80"),
        ] {
            let extra = Extra::try_from(&bytes[..]).unwrap();
            let said = BlockExtra::parse(&extra).err().expect("cannot be right");
            assert!(said.contains(says), "{said}");
        }
    }
}
