//! A publisher and a subscriber with a live connection, and descriptors that lie: what three bytes say is done, one step after
//! the other. Whatever a descriptor says, what is held stays what it was when it was taken, and an untouched descriptor gives the
//! frame that it was made for.
#![no_main]

use std::{sync::OnceLock, time::Duration};

use libfuzzer_sys::fuzz_target;
use rosidl_buffer_runtime::{
    BufferBackend as _, cdr,
    shm::{ReadHandle, ShmBackend, ShmBufferDescriptor},
};

const MOST: usize = 6;

struct Ends {
    writer: ShmBackend,
    reader: ShmBackend,
    /// The reader's metadata.
    name: String,
}

fn ends() -> &'static Ends {
    static ENDS: OnceLock<Ends> = OnceLock::new();
    ENDS.get_or_init(|| {
        // Descriptors that nobody takes must not be waited for.
        let writer = ShmBackend::builder()
            .max_blocks(2 * MOST + 2)
            .pending_deadline(Duration::ZERO);
        let writer = writer.build().unwrap();
        let reader = ShmBackend::new().unwrap();
        let soon = Duration::from_secs(10);
        reader.connect(&writer.backend_metadata(), soon).unwrap();
        let name = reader.backend_metadata();
        assert!(writer.wait_for_reader(&name, soon));
        Ends {
            writer,
            reader,
            name,
        }
    })
}

/// What was taken, and what it was then.
struct Taken(ReadHandle, Vec<u8>);

impl Taken {
    fn new(handle: ReadHandle) -> Self {
        let bytes = handle.to_vec();
        Self(handle, bytes)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        assert!(*self.0 == *self.1, "it changed while it was held");
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ends {
        writer,
        reader,
        name,
    } = ends();
    let mut sent: Vec<(ShmBufferDescriptor, Vec<u8>)> = Vec::new();
    let mut held: Vec<Taken> = Vec::new();
    let mut mark = 0_u8;
    for (index, row) in bytes.chunks_exact(3).enumerate() {
        let (which, argument) = (usize::from(row[1]), row[2]);
        match row[0] % 8 {
            0 if sent.len() < MOST => {
                mark = mark.wrapping_add(1);
                let frame = vec![mark; 1 + 40 * usize::from(argument)];
                let Ok(buffer) = writer.to_buffer(&frame) else {
                    continue;
                };
                let descriptor = writer
                    .create_descriptor(buffer.storage().unwrap(), name)
                    .unwrap();
                sent.extend(descriptor.map(|descriptor| (descriptor, frame)));
            }
            1 if which < sent.len() => {
                let (descriptor, frame) = &sent[which];
                if let Ok(handle) = reader.read(descriptor) {
                    assert!(*handle == **frame, "another frame");
                    held.push(Taken::new(handle));
                }
            }
            2 if !sent.is_empty() => {
                let mut encoded = cdr::encode(&sent[which % sent.len()].0).unwrap();
                let at = 4 + which % (encoded.len() - 4);
                encoded[at] ^= argument;
                let descriptor: ShmBufferDescriptor = cdr::decode(&encoded).unwrap();
                held.extend(reader.read(&descriptor).ok().map(Taken::new));
            }
            7 if which < sent.len() => {
                // One field of another descriptor.
                let mut descriptor = sent[which].0.clone();
                let other = &sent[usize::from(argument / 6) % sent.len()].0;
                match argument % 6 {
                    0 => descriptor.cell = other.cell,
                    1 => descriptor.block_id = other.block_id,
                    2 => descriptor.generation = other.generation,
                    3 => descriptor.block_size = other.block_size,
                    4 => descriptor.offset = other.size,
                    _ => descriptor.size = other.size,
                }
                held.extend(reader.read(&descriptor).ok().map(Taken::new));
            }
            3 if which < held.len() => drop(held.swap_remove(which)),
            4 if which < sent.len() => writer.retract_descriptor(sent[which].0.clone(), name),
            5 => drop(writer.trim(Duration::ZERO)),
            6 => {
                if let Ok(descriptor) =
                    cdr::decode::<ShmBufferDescriptor>(&bytes[3 * (index + 1)..])
                {
                    assert!(reader.read(&descriptor).is_err(), "nobody made this");
                }
                break;
            }
            _ => {}
        }
        held.truncate(MOST);
    }
});
