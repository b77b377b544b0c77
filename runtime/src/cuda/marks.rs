//! Marks that streams of this process set when they come by: the ends of reads.
//!
//! A mark is a word of registered host memory, so that it is looked at without a call. An event has to be asked, and asking
//! spoils whatever another thread is capturing into a graph at the time. Marks are used again once they are set. Nothing here
//! waits.

use std::io;
use std::sync::Arc;

use super::driver::{Context, CudaError, Stream};
use super::memory::{Words, Written};
use crate::ipc::lease::CELLS;

/// One mark, for one stream at a time.
#[derive(Debug)]
pub(super) struct Mark {
    words: Arc<Words>,
    cell: u32,
    /// Which use of the word.
    generation: u64,
}

impl Mark {
    /// As many new ones as a page has.
    pub(super) fn many(context: &Arc<Context>) -> io::Result<Vec<Self>> {
        let words = Arc::new(Words::create(context)?);
        let mark = |cell| Self {
            words: Arc::clone(&words),
            cell,
            generation: 1,
        };
        Ok((0..).take(CELLS).map(mark).collect())
    }

    /// Has the stream set the mark behind all that is on it by now.
    pub(super) fn set(&self, stream: &Stream) -> Result<(), CudaError> {
        match self.words.word(self.cell) {
            Some(word) => word.write(stream, self.generation),
            None => Ok(()), // never: each was made for a cell
        }
    }

    /// Whether the stream has come by.
    pub(super) fn is_set(&self) -> bool {
        let word = self.words.word(self.cell);
        word.is_none_or(|word| word.look(self.generation) == Written::Done)
    }

    /// The same word, not set, after it was.
    pub(super) fn again(self) -> Self {
        let generation = self.generation + 1;
        Self { generation, ..self }
    }
}
