//! Ours: the descriptor's fields as words in the slot.

use std::{collections::VecDeque, time::Duration};

use rosidl_buffer_bench::{Shared, Slot, now};
use rosidl_buffer_runtime::{
    Buffer, BufferBackend as _,
    shm::{ShmBackend, ShmBufferDescriptor},
};

use crate::pair;

const SOON: Duration = Duration::from_secs(10);

/// The descriptor as words; the way back is [`unpack`].
pub fn pack(descriptor: &ShmBufferDescriptor) -> [u64; 8] {
    let (low, high) = descriptor.engine_id.split_at(8);
    let word = |half: &[u8]| u64::from_le_bytes(half.try_into().unwrap());
    [
        word(low),
        word(high),
        u64::from(descriptor.version) << 32 | u64::from(descriptor.cell),
        descriptor.block_id,
        descriptor.generation,
        descriptor.block_size,
        descriptor.offset,
        descriptor.size,
    ]
}

pub fn unpack(words: [u64; 8]) -> ShmBufferDescriptor {
    let mut engine_id = [0; 16];
    engine_id[..8].copy_from_slice(&words[0].to_le_bytes());
    engine_id[8..].copy_from_slice(&words[1].to_le_bytes());
    ShmBufferDescriptor {
        version: (words[2] >> 32) as u8,
        engine_id,
        cell: words[2] as u32,
        block_id: words[3],
        generation: words[4],
        block_size: words[5],
        offset: words[6],
        size: words[7],
    }
}

/// Metadata of an endpoint, through a slot: `1.<32 hex>.<32 hex>`.
pub fn tell(slot: &Slot, number: u64, metadata: &str) {
    let mut bytes = [0; 64];
    let mut parts = metadata.strip_prefix("1.").unwrap().split('.');
    bytes[..32].copy_from_slice(parts.next().unwrap().as_bytes());
    bytes[32..].copy_from_slice(parts.next().unwrap().as_bytes());
    let words = std::array::from_fn(|index| {
        let hex = std::str::from_utf8(&bytes[8 * index..][..8]).unwrap();
        u64::from_str_radix(hex, 16).unwrap()
    });
    slot.publish(number, words);
}

pub fn told(words: [u64; 8]) -> String {
    let hex: String = words.iter().map(|word| format!("{word:08x}")).collect();
    format!("1.{}.{}", &hex[..32], &hex[32..])
}

const GREETING: u64 = u64::MAX;

/// The writer's side of getting to know each other: says its name, hears the reader's, waits until that is connected.
pub fn meet_reader(shm: &ShmBackend, slot: &Slot, answers: &Slot) -> String {
    tell(slot, GREETING, &shm.backend_metadata());
    let reader = told(answers.wait(GREETING - 1));
    assert!(
        shm.wait_for_reader(&reader, SOON),
        "the reader did not connect"
    );
    reader
}

/// The reader's side; answers come back through a slot that is not used otherwise.
pub fn meet_writer(shm: &ShmBackend, slot: &Slot, answers: &Slot) {
    let writer = told(slot.wait(GREETING));
    shm.connect(&writer, SOON).unwrap();
    tell(answers, GREETING - 1, &shm.backend_metadata());
}

pub struct Writer {
    shm: ShmBackend,
    reader: String,
    prepared: Option<Buffer<u8>>,
}

impl Writer {
    pub fn new(shared: &Shared) -> Self {
        let shm = ShmBackend::new().unwrap();
        let reader = meet_reader(&shm, shared.slot(0), shared.slot(1));
        Self {
            shm,
            reader,
            prepared: None,
        }
    }
}

impl pair::Write for Writer {
    fn prepare(&mut self, number: u64, len: usize) {
        let mut block = self.shm.try_allocate(len).unwrap();
        pair::mark(&mut block, number);
        self.prepared = Some(block.into_buffer());
    }

    fn send(&mut self, number: u64, slot: &Slot) {
        let buffer = self.prepared.take().unwrap();
        let descriptor = self
            .shm
            .create_descriptor(buffer.storage().unwrap(), &self.reader)
            .unwrap()
            .unwrap();
        slot.publish(number, pack(&descriptor));
    }
}

pub struct Reader {
    shm: ShmBackend,
}

impl Reader {
    pub fn new(shared: &Shared) -> Self {
        let shm = ShmBackend::new().unwrap();
        meet_writer(&shm, shared.slot(0), shared.slot(1));
        Self { shm }
    }
}

impl pair::Read for Reader {
    fn receive(&mut self, number: u64, slot: &Slot, look: impl FnOnce(&[u8])) {
        let descriptor = unpack(slot.wait(number));
        look(&self.shm.read(&descriptor).unwrap());
    }
}

/// Frames that each come in a block of their own, which the reader has not seen: the writer holds on to them all.
pub fn write_cold(shared: &Shared, len: usize, frames: u64) {
    pair::pin(0);
    let shm = ShmBackend::builder()
        .max_bytes(u64::MAX)
        .max_blocks(frames as usize)
        .build()
        .unwrap();
    let slot = shared.slot(0);
    let reader = meet_reader(&shm, slot, shared.slot(1));
    let mut held = VecDeque::new();
    for number in 1..=frames {
        let mut block = shm.try_allocate(len).unwrap();
        pair::mark(&mut block, number);
        let buffer = block.into_buffer();
        slot.start
            .store(now(), std::sync::atomic::Ordering::Relaxed);
        let descriptor = shm
            .create_descriptor(buffer.storage().unwrap(), &reader)
            .unwrap()
            .unwrap();
        slot.publish(number, pack(&descriptor));
        held.push_back(buffer);
        while slot.consumed() != number {
            std::hint::spin_loop();
        }
    }
}

pub fn read_cold(shared: &Shared, len: usize, frames: u64) {
    pair::pin(1);
    let shm = ShmBackend::new().unwrap();
    let slot = shared.slot(0);
    meet_writer(&shm, slot, shared.slot(1));
    let mut times = Vec::new();
    for number in 1..=frames {
        let descriptor = unpack(slot.wait(number));
        let block = shm.read(&descriptor).unwrap();
        let ends = std::hint::black_box((block[0], block[len - 1]));
        times.push(now() - slot.start.load(std::sync::atomic::Ordering::Relaxed));
        assert_eq!(ends.0, number as u8);
        drop(block);
        slot.consume(number);
    }
    pair::percentiles(times);
}
