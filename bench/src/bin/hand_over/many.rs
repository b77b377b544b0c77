//! One writer and several reader processes: what a frame costs the writer. The readers share a core and yield to each other,
//! the writer has its own; it hands a frame to all of them, then waits for all.

use std::{hint::spin_loop, thread, time::Duration};

use rosidl_buffer_bench::{SLOTS, Shared, now};
use rosidl_buffer_runtime::{BufferBackend as _, shm::ShmBackend};

use crate::{ours, pair};

const SOON: Duration = Duration::from_secs(10);
const WRITER: u64 = u64::MAX;
const READER: u64 = u64::MAX - 1;

pub fn write(shared: &Shared, len: usize, frames: u64, readers: usize) {
    assert!(readers <= SLOTS);
    pair::pin(0);
    let shm = ShmBackend::new().unwrap();
    let slots: Vec<_> = (0..readers).map(|index| shared.slot(index)).collect();
    slots
        .iter()
        .for_each(|slot| ours::tell(slot, WRITER, &shm.backend_metadata()));
    let names: Vec<String> = slots
        .iter()
        .map(|slot| ours::told(slot.wait(READER)))
        .collect();
    names
        .iter()
        .for_each(|name| assert!(shm.wait_for_reader(name, SOON)));
    slots.iter().for_each(|slot| slot.publish(0, [0; 8]));
    let mut costs = Vec::with_capacity(frames as usize);
    for number in 1..=frames {
        let mut block = shm.try_allocate(len).unwrap();
        pair::mark(&mut block, number);
        let buffer = block.into_buffer();
        let storage = buffer.storage().unwrap();
        let start = now();
        for (slot, name) in slots.iter().zip(&names) {
            let descriptor = shm.create_descriptor(storage, name).unwrap().unwrap();
            slot.publish(number, ours::pack(&descriptor));
        }
        costs.push(now() - start);
        drop(buffer);
        for slot in &slots {
            while slot.consumed() != number {
                spin_loop();
            }
        }
    }
    costs.sort_unstable();
    println!("cost {}", costs[costs.len() / 2]);
}

pub fn read(shared: &Shared, frames: u64, index: usize) {
    pair::pin(1);
    let shm = ShmBackend::new().unwrap();
    let slot = shared.slot(index);
    shm.connect(&ours::told(slot.wait(WRITER)), SOON).unwrap();
    ours::tell(slot, READER, &shm.backend_metadata());
    for number in 1..=frames {
        while slot.published.load(std::sync::atomic::Ordering::Acquire) != number {
            thread::yield_now();
        }
        let block = shm.read(&ours::unpack(slot.words())).unwrap();
        assert_eq!(block[..8], number.to_le_bytes());
        drop(block);
        slot.consume(number);
    }
}
