//! Allocations that somebody else made and mapped, as blocks: exported once for each and found again by their handle.
//!
//! A block keeps its allocation, so the number of its handle is no other's as long as there is the block: memory that was
//! given back and made anew at the same address is not taken for it. It is read at the address where its owner mapped it, and
//! never mapped or unmapped here.

use std::sync::Arc;

use thiserror::Error;

use super::super::driver::{Allocation, Context, CudaError};
use super::{ALIGNMENT, BlockExtra, CudaBlock, CudaMemory, Place};
use crate::error::AllocateError;
use crate::ipc::block::Block;
use crate::ipc::memory::Created;
use crate::ipc::pool::Pool;
use crate::ipc::pool::adopted::{Found, Part};

/// A mapping that somebody else made, and its allocation.
#[derive(Debug)]
pub(super) struct Mapping {
    allocation: Allocation,
    context: Arc<Context>,
    start: u64,
    len: usize,
}

impl Mapping {
    pub(super) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    pub(super) fn start(&self) -> u64 {
        self.start
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

/// Why adopted memory is copied for readers in other processes.
#[derive(Debug, Clone, Error)]
pub(crate) enum NotInPlace {
    #[error("it is no memory that can be exported, as `cuMemCreate` makes it where it is told to")]
    NotShareable,
    #[error("it lies in several allocations")]
    Several,
    #[error(
        "it is a part of an allocation of {0} bytes, and readers could map all of it; see `CudaBuilder::expose_allocations`"
    )]
    Part(usize),
    #[error("it begins {0} bytes into its allocation, which is no multiple of {ALIGNMENT}")]
    Unaligned(u64),
    #[error("readers still have another buffer in the same place")]
    InUse,
    #[error(transparent)]
    Allocate(#[from] AllocateError),
    #[error(transparent)]
    Cuda(#[from] CudaError),
    #[error("no thread to wait for its readers: {0}")]
    Thread(Arc<std::io::Error>),
}

impl CudaMemory {
    /// Adopted memory as a block of the pool, at a use of its own: the one that it was before, if it is still the same. Readers
    /// could map all of its allocation; whether that may be more than is adopted is up to `expose`.
    pub(crate) fn adopt(
        &self,
        pool: &Pool<Self>,
        context: &Arc<Context>,
        (address, len): (u64, usize),
        expose: bool,
    ) -> Result<Arc<Block<Self>>, NotInPlace> {
        let found = Allocation::mapped_at(context, address)?;
        let allocation = found.ok_or(NotInPlace::NotShareable)?;
        let fits = |offset: u64, size: usize| {
            let end = offset.checked_add(len as u64);
            if end.is_none_or(|end| end > size as u64) {
                return Err(NotInPlace::Several);
            }
            if len < size && !expose {
                return Err(NotInPlace::Part(size));
            }
            Ok(())
        };
        let is_it = |block: &Block<Self>| {
            block.memory.allocation() == Some(allocation.id())
                && block.memory.address() + block.offset() == address
                && fits(block.offset(), block.memory.len()).is_ok()
        };
        match pool.adopted(len as u64, is_it) {
            Found::Free(block) => return Ok(block),
            Found::InUse => return Err(NotInPlace::InUse),
            Found::Unknown => {}
        }
        // Whoever gives up one allocation for another waits for the memory of the first.
        Self::drop_unmapped(pool);
        if !allocation.is_shareable()? {
            return Err(NotInPlace::NotShareable);
        }
        let (start, size) = context.mapping_at(address)?;
        let offset = address.checked_sub(start).ok_or(NotInPlace::Several)?; // never: it is in the mapping
        fits(offset, size)?;
        if !offset.is_multiple_of(ALIGNMENT) {
            return Err(NotInPlace::Unaligned(offset));
        }
        let domain = self.domain(context.device().uuid());
        let domain = domain.ok_or(NotInPlace::NotShareable)?; // always there: buffers are adopted on opened devices
        let part = Part {
            offset,
            len: len as u64,
            size: size as u64,
        };
        let mapping = Mapping {
            allocation,
            context: Arc::clone(context),
            start,
            len: size,
        };
        let block = pool.adopt(domain, part, |cell| {
            Ok(Created {
                fd: mapping.allocation.export()?,
                extra: BlockExtra {
                    device: context.device().uuid(),
                }
                .write(),
                block: self.block(Place::Adopted(mapping), cell),
            })
        })?;
        Ok(block)
    }

    /// Drops idle blocks whose memory its owner has unmapped.
    fn drop_unmapped(pool: &Pool<Self>) {
        let look = |block: &Block<Self>| {
            let memory = &block.memory;
            (
                block.id,
                Arc::clone(memory.context()),
                memory.address(),
                memory.allocation(),
            )
        };
        // The driver is not asked under the lock.
        let mut gone = pool.all_adopted(look);
        gone.retain(|(_, context, address, id)| {
            let there = Allocation::mapped_at(context, *address);
            there.is_ok_and(|there| there.map(|there| there.id()) != *id)
        });
        if !gone.is_empty() {
            pool.drop_adopted(core::time::Duration::ZERO, |block| {
                gone.iter().any(|(id, ..)| *id == block.id)
            });
        }
    }
}

impl CudaBlock {
    /// The handle of the allocation that somebody else made.
    fn allocation(&self) -> Option<u64> {
        match &*self.place {
            Place::Own(_) => None,
            Place::Adopted(mapping) => Some(mapping.allocation.id()),
        }
    }
}
