//! GPU memory as a kind of memory to share: mapped blocks, on the writer's side and on the reader's, and the words that say
//! how far they are written.
//!
//! A domain is a device that was opened. The writer makes the block's memory and exports it once; a reader maps it read-only.
//! The words are common to all blocks of an engine. What comes from a peer is checked before it is mapped. When to write a
//! word and when to wait for one is decided above.

mod adopted;
mod patience;
mod words;

use core::mem::ManuallyDrop;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::driver::{Access, Allocation, Context, CudaError, Device, DeviceUuid, Mapped, Stream};
use crate::graveyard;
use crate::ipc::memory::{Created, Memory};
use crate::ipc::wire::Extra;

use adopted::Mapping;
pub(crate) use adopted::NotInPlace;
pub(crate) use patience::PATIENCE;
use words::OwnWords;
pub(crate) use words::{Word, Words};

pub(crate) use crate::ipc::word::Written;

/// Where data may begin in a block: at multiples of this, as kernels read words and vectors.
pub(crate) const ALIGNMENT: u64 = 256;

/// The memory of the devices that were opened.
#[derive(Debug)]
pub(crate) struct CudaMemory {
    opened: Vec<Arc<Context>>,
    words: Arc<OwnWords>,
    /// Whether devices read the memory of others in place.
    peers: bool,
    // Last: then what is registered goes too.
    _user: graveyard::User,
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
    /// Opens devices, one at least, all of which can share memory; a device's domain is its position. Whether they read the
    /// memory of others in place, where they can, is up to `peers`.
    pub(crate) fn open(devices: &[Device], peers: bool) -> io::Result<Self> {
        let open = |device: &Device| {
            device.check_can_share()?;
            Context::retain(device)
        };
        let opened: Vec<_> = devices.iter().map(open).collect::<Result<_, _>>()?;
        let words = Arc::new(OwnWords::create(&opened[0])?);
        Ok(Self {
            opened,
            words,
            peers,
            _user: graveyard::User::new(),
        })
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
            if self.can_read(context, &owner)? {
                return Ok(Reach::Peer(domain, owner));
            }
        }
        Err(CudaError::NoPeerAccess { uuid })
    }

    /// Whether memory of the device `owner` is read in place by this context's device, which is another one.
    fn can_read(&self, context: &Context, owner: &Device) -> Result<bool, CudaError> {
        Ok(self.peers && context.device().can_access_peer(owner)?)
    }

    /// Lets this context's device read a mapping of memory that is on the device `owner`; false where it cannot.
    fn open_to(
        &self,
        context: &Context,
        mapped: &Mapped,
        owner: &Device,
    ) -> Result<bool, CudaError> {
        let uuid = context.device().uuid();
        if uuid == mapped.context().device().uuid() {
            return Ok(true);
        }
        // Memory of this very device may have been mapped for another one.
        if uuid != owner.uuid() && !self.can_read(context, owner)? {
            return Ok(false);
        }
        mapped.open_to(context)?;
        Ok(true)
    }

    fn create_block(
        &self,
        domain: u32,
        cell: u32,
        size: usize,
    ) -> Result<Created<CudaBlock>, CudaError> {
        let context = self
            .context(domain)
            .ok_or(CudaError::NotOpened { domain })?;
        let allocation = Allocation::create(context, size)?;
        let mapped = Mapped::new(context, &allocation, size, Access::ReadWrite)?;
        let device = context.device().uuid();
        Ok(Created {
            fd: allocation.export()?,
            extra: BlockExtra { device }.write(),
            block: self.block(Place::Own(mapped), cell),
        })
    }

    fn block(&self, place: Place, cell: u32) -> CudaBlock {
        CudaBlock {
            place: ManuallyDrop::new(place),
            words: Arc::clone(&self.words),
            cell,
        }
    }

    fn import_block(
        &self,
        fd: &OwnedFd,
        size: usize,
        extra: &BlockExtra,
    ) -> Result<CudaImport, CudaError> {
        let (domain, owner) = match self.reach(extra.device)? {
            Reach::Opened(domain) => (domain, None),
            Reach::Peer(domain, owner) => (domain, Some(owner)),
        };
        let reader = self
            .context(domain)
            .ok_or(CudaError::NoSuchDevice { uuid: extra.device })?;
        let owner = owner.unwrap_or_else(|| reader.device().clone());
        let allocation = Allocation::import(reader, &owner, fd.as_fd())?;
        let mapped = Mapped::new(reader, &allocation, size, Access::Read)?;
        Ok(CudaImport { mapped, owner })
    }
}

impl Memory for CudaMemory {
    type Block = CudaBlock;
    type Import = CudaImport;
    type Common = Words;
    const BACKEND: &'static str = "cuda_rs";

    fn granule(&self, domain: u32) -> u64 {
        self.context(domain)
            .map_or(1, |context| context.device().granularity())
    }

    fn create(&self, domain: u32, cell: u32, size: u64) -> io::Result<Created<CudaBlock>> {
        Ok(self.create_block(domain, cell, length(size)?)?)
    }

    fn import(&self, fd: OwnedFd, size: u64, extra: &Extra) -> io::Result<CudaImport> {
        let extra = BlockExtra::parse(extra).map_err(CudaError::Refused)?;
        Ok(self.import_block(&fd, length(size)?, &extra)?)
    }

    fn common(&self) -> Option<BorrowedFd<'_>> {
        Some(self.words.fd())
    }

    fn import_common(&self, fd: OwnedFd) -> io::Result<Words> {
        Words::open(&self.opened[0], fd)
    }

    fn release(words: &Words) {
        words.release();
    }

    fn len(words: &Words, cell: u32) -> Option<u64> {
        words.len(cell)
    }

    fn is_unfinished(words: &Words, cell: u32, generation: u64) -> bool {
        let word = words.word(cell);
        word.is_some_and(|word| word.look(generation) == Written::Never)
    }
}

fn length(size: u64) -> Result<usize, CudaError> {
    let len = usize::try_from(size).ok().filter(|len| *len > 0);
    len.ok_or_else(|| CudaError::Refused(format!("a block cannot have {size} bytes")))
}

/// Who mapped a block.
#[derive(Debug)]
enum Place {
    Own(Mapped),
    /// Somebody else of this process, who also unmaps it.
    Adopted(Mapping),
}

/// A block as its writer has it.
#[derive(Debug)]
pub(crate) struct CudaBlock {
    place: ManuallyDrop<Place>,
    words: Arc<OwnWords>,
    cell: u32,
}

impl Drop for CudaBlock {
    /// Unmapping waits for nobody, and a kernel that still writes would fault: what was written and never read may be on
    /// its way.
    fn drop(&mut self) {
        if self.words.settle(self.cell, self.context()) {
            // SAFETY: nothing writes there any more; dropped here only.
            unsafe { ManuallyDrop::drop(&mut self.place) };
        } else {
            tracing::error!(
                bytes = self.len(),
                "a block that was dropped is still being written; its memory stays with the process"
            );
            std::mem::forget(Arc::clone(&self.words));
        }
    }
}

impl CudaBlock {
    /// The device of the block.
    pub(crate) fn context(&self) -> &Arc<Context> {
        match &*self.place {
            Place::Own(mapped) => mapped.context(),
            Place::Adopted(mapping) => mapping.context(),
        }
    }

    /// Lets this context's device read the block; false where it cannot.
    pub(crate) fn open_to(
        &self,
        context: &Context,
        memory: &CudaMemory,
    ) -> Result<bool, CudaError> {
        match &*self.place {
            Place::Own(mapped) => memory.open_to(context, mapped, self.context().device()),
            Place::Adopted(mapping) => Ok(mapping.context().device() == context.device()),
        }
    }

    /// Address on the device; for reading and writing, unless somebody else made it.
    pub(crate) fn address(&self) -> u64 {
        match &*self.place {
            Place::Own(mapped) => mapped.address(),
            Place::Adopted(mapping) => mapping.start(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &*self.place {
            Place::Own(mapped) => mapped.len(),
            Place::Adopted(mapping) => mapping.len(),
        }
    }

    /// Says how far writing is.
    pub(crate) fn word(&self) -> Option<Word<'_>> {
        self.words.word(self.cell)
    }

    /// Makes the stream wait for the end of the last writing.
    pub(crate) fn wait_to_write(&self, stream: &Stream) -> Result<(), CudaError> {
        self.words.wait_to_write(self.cell, stream)
    }

    /// Ends the writing of `len` bytes on the stream.
    pub(crate) fn end_write(
        &self,
        stream: &Stream,
        generation: u64,
        len: u64,
    ) -> Result<(), CudaError> {
        self.words.end_write(self.cell, (generation, len), stream)
    }
}

/// A block as a reader has it. Not to be dropped while the device uses it, see [`Mapped`].
#[derive(Debug)]
pub(crate) struct CudaImport {
    mapped: Mapped,
    /// The device that it is on.
    owner: Device,
}

impl CudaImport {
    /// Lets this context's device read the block; false where it cannot.
    pub(crate) fn open_to(
        &self,
        context: &Context,
        memory: &CudaMemory,
    ) -> Result<bool, CudaError> {
        memory.open_to(context, &self.mapped, &self.owner)
    }

    /// The device that the block is on.
    pub(crate) fn owner(&self) -> &Device {
        &self.owner
    }

    /// The device that the block is mapped for, which need not be the one it is on.
    pub(crate) fn context(&self) -> &Arc<Context> {
        self.mapped.context()
    }

    /// Address on the device; for reading only, a kernel that writes there faults.
    pub(crate) fn address(&self) -> u64 {
        self.mapped.address()
    }

    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests on a device"))]
    pub(crate) fn len(&self) -> usize {
        self.mapped.len()
    }
}

/// What a reader is told of a block beside its file descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct BlockExtra {
    device: DeviceUuid,
}

impl BlockExtra {
    const VERSION: u8 = 1;
    /// Version, flags (none yet), device.
    const LEN: usize = 2 + 16;

    fn write(&self) -> Extra {
        let mut bytes = [0; Self::LEN];
        bytes[0] = Self::VERSION;
        bytes[2..].copy_from_slice(&self.device.0);
        Extra::from(bytes)
    }

    fn parse(extra: &Extra) -> Result<Self, String> {
        let bytes = extra.as_slice();
        let Some((&version, rest)) = bytes.split_first() else {
            return Err("nothing says which device it is on".to_owned());
        };
        if version != Self::VERSION {
            return Err(format!(
                "it is described in version {version}, and {} is known; build both sides with the same version",
                Self::VERSION
            ));
        }
        let Ok([flags, device @ ..]) = <&[u8; Self::LEN - 1]>::try_from(rest) else {
            return Err(format!(
                "{} bytes describe it, where {} do",
                bytes.len(),
                Self::LEN
            ));
        };
        if *flags != 0 {
            return Err(format!("it has the flags {flags:#04x}, and none are known"));
        }
        let device = DeviceUuid(*device);
        Ok(Self { device })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> BlockExtra {
        BlockExtra {
            device: DeviceUuid(core::array::from_fn(|i| u8::try_from(i).unwrap())),
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
            (vec![], "which device"),
            (vec![1], "1 bytes describe it, where 18 do"),
            (short, "17 bytes describe it"),
            (long, "19 bytes describe it"),
            (with(0, 2), "in version 2, and 1 is known"),
            (with(1, 0x80), "the flags 0x80"),
        ] {
            let extra = Extra::try_from(&bytes[..]).unwrap();
            let said = BlockExtra::parse(&extra).expect_err("cannot be right");
            assert!(said.contains(says), "{said}");
        }
    }
}
