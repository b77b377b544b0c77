//! This project, used as its users do.

use std::sync::Arc;

use rosidl_buffer_runtime::cuda::{ReadHandle, WriteHandle, driver_calls};
use rosidl_buffer_runtime::{Buffer, BufferBackend as _, Storage};

use crate::link::{Link, WORDS, from_words, to_words};
use crate::round::{Publisher, Subscriber};
use crate::side::Side;

pub struct OurPublisher {
    pub side: Side,
    reader: String,
    buffer: Option<Buffer<u8>>,
    write: Option<WriteHandle>,
    /// What is kept, so that every frame needs a new block.
    kept: Option<Vec<Buffer<u8>>>,
}

impl OurPublisher {
    pub fn new(side: Side, link: &Link) -> Self {
        let reader = side.serve(link);
        Self::with_reader(side, reader)
    }

    /// For the reader with this metadata.
    pub fn with_reader(side: Side, reader: String) -> Self {
        Self {
            side,
            reader,
            buffer: None,
            write: None,
            kept: None,
        }
    }

    /// Of the frame that was written.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        self.buffer.as_ref().unwrap().storage().unwrap()
    }

    pub fn keeping(mut self) -> Self {
        self.kept = Some(Vec::with_capacity(1024));
        self
    }
}

impl Publisher for OurPublisher {
    fn begin(&mut self, len: usize) -> u64 {
        let mut buffer = self.side.cuda.allocate_buffer(len).unwrap();
        let write = self
            .side
            .cuda
            .from_output_buffer(&mut buffer, &self.side.stream)
            .unwrap();
        let address = write.address();
        (self.buffer, self.write) = (Some(buffer), Some(write));
        address
    }

    fn record(&mut self) {
        self.write.take().unwrap().finish().unwrap();
    }

    fn describe(&mut self) -> [u64; WORDS] {
        let storage = self.storage();
        let descriptor = self
            .side
            .cuda
            .create_descriptor(storage, &self.reader)
            .unwrap();
        to_words(&descriptor.expect("connected"))
    }

    fn finish(&mut self) {
        let buffer = self.buffer.take().unwrap();
        if let Some(kept) = &mut self.kept {
            kept.push(buffer);
        }
    }

    fn stream(&self) -> usize {
        self.side.stream.handle()
    }

    fn blocks(&self) -> usize {
        self.side.cuda.stats().blocks
    }

    fn block_of(&self, words: &[u64; WORDS]) -> u64 {
        words[6]
    }

    fn calls(&self) -> u64 {
        driver_calls()
    }
}

pub struct OurSubscriber {
    pub side: Side,
    read: Option<ReadHandle>,
}

impl OurSubscriber {
    pub fn new(side: Side, link: &Link) -> Self {
        side.join(link);
        Self { side, read: None }
    }
}

impl Subscriber for OurSubscriber {
    fn take(&mut self, words: &[u64; WORDS], _len: usize) -> u64 {
        let read = self
            .side
            .cuda
            .read(&from_words(words), &self.side.stream)
            .unwrap();
        let address = read.address();
        self.read = Some(read);
        address
    }

    fn release(&mut self) {
        self.read = None;
    }

    fn stream(&self) -> usize {
        self.side.stream.handle()
    }

    fn calls(&self) -> u64 {
        driver_calls()
    }
}
