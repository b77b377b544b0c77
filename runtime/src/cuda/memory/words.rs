//! Words that say how far writing is: order between streams of several processes that outlives any of them.
//!
//! An engine has one page of them, a word for each cell, in a sealed memfd that its readers map too and that everybody
//! registers with CUDA. A word is the largest generation whose writing is done: the writer's stream writes it behind the last
//! work on a block, a reader's stream waits until it is large enough, and whoever looks sees it without a call. When a
//! writer's process is gone, its readers add a mark that lets all streams go; what was done before can still be told, by the end
//! beside the word. There also stands how many bytes were written, so that no descriptor can claim more.

use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicU64, Ordering};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::driver::{Access, Context, CudaError, Registered, Stream, StreamId};
use super::patience::Patience;
use crate::graveyard;
use crate::ipc::lease::{CELLS, Lease};
use crate::ipc::word::{self, Written};

/// Looks in quick succession, before pauses begin.
const SPINS: u32 = 2000;
const PAUSE: Duration = Duration::from_micros(50);
/// Pauses after which the device is asked whether it still works.
const PROBE: u32 = 400;

/// Words and their ends.
fn cells(words: &Lease) -> impl Iterator<Item = (&AtomicU64, &AtomicU64)> {
    (0..).map_while(|cell| words.cell(cell).zip(words.end(cell)))
}

/// Every reader of a gone process does this, in any order.
fn mark_gone(words: &Lease) {
    for (word, end) in cells(words) {
        word::mark_gone(word, end);
    }
}

/// The words of an engine, mapped and registered. Goes when no stream uses them any more: the handles on a block keep them,
/// until the work is done that they stand for.
#[derive(Debug)]
pub(crate) struct Words {
    /// Of the first word, for devices.
    start: u64,
    memory: ManuallyDrop<Memory>,
}

#[derive(Debug)]
struct Memory {
    // Before the cells, which are in use until then.
    _registered: Registered,
    cells: Lease,
}

impl Drop for Words {
    /// Later: CUDA unregisters memory only when the device is through with all that it has to do, which may be to wait for
    /// another process, and lets no other thread call meanwhile.
    fn drop(&mut self) {
        // SAFETY: taken once, here.
        let memory = unsafe { ManuallyDrop::take(&mut self.memory) };
        graveyard::bury(memory, 0);
    }
}

impl Words {
    /// Those of another process's engine.
    pub(crate) fn open(context: &Arc<Context>, fd: OwnedFd) -> io::Result<Self> {
        Ok(Self::register(context, Lease::open(fd)?)?)
    }

    /// Words that only streams of this process write.
    pub(crate) fn create(context: &Arc<Context>) -> io::Result<Self> {
        let (cells, _file) = Lease::create()?; // shared, so that a child of `fork` takes no page away from the device
        Ok(Self::register(context, cells)?)
    }

    fn register(context: &Arc<Context>, cells: Lease) -> Result<Self, CudaError> {
        let mapping = cells.mapping();
        let start = mapping.as_ptr().as_ptr();
        // SAFETY: mapped for reading and writing until after this is dropped; mapped here, so registered here only.
        let registered =
            unsafe { Registered::new(context, start, mapping.len(), Access::ReadWrite) }?;
        Ok(Self {
            start: registered.address()?,
            memory: ManuallyDrop::new(Memory {
                _registered: registered,
                cells,
            }),
        })
    }

    /// The word of a cell; `None` where there is no such cell.
    pub(crate) fn word(&self, cell: u32) -> Option<Word<'_>> {
        Some(Word {
            host: self.memory.cells.cell(cell)?,
            end: self.memory.cells.end(cell)?,
            device: self.start + u64::from(cell) * Lease::STRIDE as u64,
        })
    }

    /// Bytes of the block's present use; settled when it is described.
    pub(crate) fn len(&self, cell: u32) -> Option<u64> {
        Some(self.memory.cells.beside(cell)?.load(Ordering::Acquire))
    }

    /// Lets everybody go who waits for the process that these words are of: it is gone.
    pub(crate) fn release(&self) {
        mark_gone(&self.memory.cells);
    }
}

/// How far the writing of the block at one cell is.
#[derive(Clone, Copy)]
pub(crate) struct Word<'a> {
    host: &'a AtomicU64,
    end: &'a AtomicU64,
    device: u64,
}

impl Word<'_> {
    /// Without a call.
    pub(crate) fn look(&self, generation: u64) -> Written {
        word::look(self.host, self.end, generation)
    }

    /// What is put on the stream from now on runs after the writing of this use, or after the end of its process.
    pub(crate) fn wait(&self, stream: &Stream, generation: u64) -> Result<(), CudaError> {
        // SAFETY: an aligned word of registered memory, at its address for devices, which everybody accesses atomically; whoever
        // makes a stream wait keeps the block, and with it the words, until the stream is past it.
        unsafe { stream.wait_for_word(self.device, generation) }
    }

    /// Says that this use is done when all that is on the stream by now is.
    pub(crate) fn write(&self, stream: &Stream, generation: u64) -> Result<(), CudaError> {
        // SAFETY: as above; the block, or the mark, is kept until this is done: see `OwnWords::settle` and the reaper.
        unsafe { stream.write_word(self.device, generation) }
    }

    /// Waits on the host, with a deadline. An error is the device's, which then writes nothing any more.
    pub(crate) fn wait_on_host(
        &self,
        generation: u64,
        patience: Duration,
        device: &Context,
    ) -> Result<Written, CudaError> {
        for _ in 0..SPINS {
            match self.look(generation) {
                Written::NotYet => core::hint::spin_loop(),
                other => return Ok(other),
            }
        }
        let start = Instant::now();
        for pauses in 1.. {
            match self.look(generation) {
                Written::NotYet if start.elapsed() < patience => std::thread::sleep(PAUSE),
                other => return Ok(other),
            }
            if pauses % PROBE == 0 {
                match device.memory() {
                    Err(error) if error.is_sticky() || error == CudaError::Forked => {
                        return Err(error);
                    }
                    _ => {}
                }
            }
        }
        Ok(Written::NotYet) // never: the pauses end by the clock
    }
}

/// The words of this process's engine, and what was put on streams to write them.
#[derive(Debug)]
pub(crate) struct OwnWords {
    words: Words,
    fd: OwnedFd,
    /// By cell; a cell's next block goes on where the last one ended.
    last: Box<[Last]>,
    patience: Patience,
}

/// The last writing of a cell's block.
#[derive(Debug, Default)]
struct Last {
    /// 0: there was none.
    generation: AtomicU64,
    /// Which stream it was on; 0: it is not known.
    stream: AtomicU64,
}

impl OwnWords {
    pub(crate) fn create(context: &Arc<Context>) -> io::Result<Self> {
        let (memory, fd) = Lease::create()?;
        Ok(Self {
            words: Words::register(context, memory)?,
            fd,
            last: (0..CELLS).map(|_| Last::default()).collect(),
            patience: Patience::default(),
        })
    }

    /// For readers.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(crate) fn word(&self, cell: u32) -> Option<Word<'_>> {
        self.words.word(cell)
    }

    /// Makes the stream wait for the end of the last writing at this cell; without a call where that is done, or was on this
    /// very stream.
    pub(crate) fn wait_to_write(&self, cell: u32, stream: &Stream) -> Result<(), CudaError> {
        let (Some(last), Some(word)) = (self.last.get(cell as usize), self.word(cell)) else {
            return Ok(()); // never: blocks have cells that there are
        };
        let (generation, on) = (
            last.generation.load(Ordering::Acquire),
            last.stream.load(Ordering::Acquire),
        );
        let is_same = on != 0 && stream.id() == Some(StreamId(on));
        if is_same || word.look(generation) == Written::Done {
            return Ok(());
        }
        word.wait(stream, generation)
    }

    /// Ends a writing of so many bytes: all that is on the stream by now.
    pub(crate) fn end_write(
        &self,
        cell: u32,
        (generation, len): (u64, u64),
        stream: &Stream,
    ) -> Result<(), CudaError> {
        let (Some(last), Some(word)) = (self.last.get(cell as usize), self.word(cell)) else {
            return Ok(()); // as above
        };
        if let Some(beside) = self.words.memory.cells.beside(cell) {
            beside.store(len, Ordering::Release);
        }
        word.write(stream, generation)?;
        let id = stream.id().map_or(0, |StreamId(id)| id);
        last.stream.store(id, Ordering::Release);
        last.generation.store(generation, Ordering::Release);
        Ok(())
    }

    /// Waits on the host until no stream writes the block at this cell any more; false if one still may after
    /// [`PATIENCE`](super::PATIENCE), which blocks that follow each other have in common.
    pub(crate) fn settle(&self, cell: u32, device: &Context) -> bool {
        let last = self.last.get(cell as usize);
        let generation = last.map_or(0, |last| last.generation.load(Ordering::Acquire));
        let Some(word) = self.word(cell) else {
            return true; // as above
        };
        match word.wait_on_host(generation, self.patience.left(), device) {
            Ok(Written::Done) => true,
            Ok(Written::NotYet | Written::Never) => {
                self.patience.give_up();
                false
            }
            Err(error) => {
                tracing::debug!(%error, "the last write to a block was not waited for");
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_process_is_marked_in_all_words() {
        let words = Lease::private().unwrap();
        words.cell(3).unwrap().store(7, Ordering::Relaxed);
        mark_gone(&words);
        assert_eq!(cells(&words).count(), CELLS);
        for (cell, (word, end)) in cells(&words).enumerate() {
            let left = if cell == 3 {
                Written::Done
            } else {
                Written::Never
            };
            assert_eq!(word::look(word, end, 7), left, "{cell}");
        }
    }
}
