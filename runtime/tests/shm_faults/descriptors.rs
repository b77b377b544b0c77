//! Descriptors that lie: replayed, changed, from elsewhere, from the dead, or plain noise. Each gives an error of a known kind,
//! and none holds on to a block.

use std::time::{Duration, Instant};

use rosidl_buffer_runtime::{
    BackendError, BufferBackend as _, Loss, cdr,
    shm::{ShmBackend, ShmBufferDescriptor},
};

use crate::{
    counts::{Random, SOON, all_free, alone, within},
    frames,
    other::{Other, Settings, send, take},
};

const LEN: usize = 10_000;
const DEADLINE: Duration = Duration::from_millis(100);

/// A writer with this many blocks, and a reader that is connected to it.
fn pair(max_blocks: usize) -> (ShmBackend, ShmBackend, String) {
    let settings = Settings {
        max_blocks,
        deadline: DEADLINE,
        ..Settings::default()
    };
    let (writer, reader) = (settings.build().unwrap(), settings.build().unwrap());
    reader.connect(&writer.backend_metadata(), SOON).unwrap();
    let metadata = reader.backend_metadata();
    (writer, reader, metadata)
}

fn describe(writer: &ShmBackend, reader: &str, number: u64) -> ShmBufferDescriptor {
    let (_, descriptor) = send(writer, reader, number, LEN).unwrap();
    descriptor.expect("connected")
}

#[test]
fn a_descriptor_is_worth_something_once_and_nothing_after_its_block_was_used_again() {
    let _turn = alone();
    let (writer, reader, name) = pair(1);
    let mut old = Vec::new();
    for number in 1..=50 {
        let descriptor = describe(&writer, &name, number);
        let (found, handle) = take(&reader, &descriptor).unwrap();
        assert_eq!(found, number);
        let again = reader.read(&descriptor).map(drop);
        assert_eq!(again, Err(BackendError::Lost(Loss::Expired)));
        drop(handle);
        for old in &old {
            let late = reader.read(old).map(drop);
            assert_eq!(late, Err(BackendError::Lost(Loss::Reused)));
        }
        old.push(descriptor);
    }
    // Also while the next use is on its way: what is pending is not theirs.
    let next = describe(&writer, &name, 51);
    for old in &old {
        assert!(matches!(reader.read(old), Err(BackendError::Lost(_))));
    }
    assert_eq!(take(&reader, &next).unwrap().0, 51);
    assert_eq!(reader.stats().lost_expired, 50);
    all_free(&writer, SOON);
}

#[test]
fn every_field_that_lies_is_an_error() {
    let _turn = alone();
    let (writer, reader, name) = pair(4);
    let (stranger, _, _) = pair(4);
    let elsewhere: [u8; 16] = {
        let (_, own) = send(&stranger, &stranger.backend_metadata(), 1, LEN).unwrap();
        own.unwrap().engine_id
    };
    type Lie = fn(&mut ShmBufferDescriptor);
    let malformed: [(&str, Lie); 10] = [
        ("another version", |d| d.version = 2),
        ("version 0", |d| d.version = 0),
        ("a cell beyond the lease", |d| d.cell = 1024),
        ("the last cell there could be", |d| d.cell = u32::MAX),
        ("end beyond the block", |d| d.size = d.block_size + 1),
        ("offset beyond the block", |d| d.offset = d.block_size),
        ("offset + size overflows", |d| {
            d.offset = u64::MAX - d.size + 1;
        }),
        ("size overflows", |d| (d.offset, d.size) = (1, u64::MAX)),
        ("another size of the block", |d| d.block_size += 4096),
        ("more than there is memory", |d| {
            (d.block_size, d.size) = (u64::MAX, u64::MAX - d.offset);
        }),
    ];
    for (what, lie) in malformed {
        let mut descriptor = describe(&writer, &name, 7);
        lie(&mut descriptor);
        let error = reader.read(&descriptor).map(drop).unwrap_err();
        assert!(
            matches!(error, BackendError::Malformed(_)),
            "{what}: {error:?}"
        );
        let error = reader.from_descriptor(descriptor).map(drop).unwrap_err();
        let named = matches!(error, BackendError::Malformed(_) | BackendError::Lost(_));
        assert!(named, "{what}, as a storage: {error:?}");
        all_free(&writer, SOON);
    }
    let lost: [(&str, Lie); 5] = [
        ("the next generation", |d| d.generation += 1),
        ("the generation before", |d| d.generation -= 1),
        ("no generation", |d| d.generation = 0),
        ("more than a generation can be", |d| d.generation |= 1 << 40),
        ("another block's cell", |d| d.cell += 1),
    ];
    for (what, lie) in lost {
        // Not the first use of the block, so that there is a generation before.
        drop(take(&reader, &describe(&writer, &name, 6)).unwrap());
        let mut descriptor = describe(&writer, &name, 7);
        lie(&mut descriptor);
        let error = reader.read(&descriptor).map(drop).unwrap_err();
        let named = matches!(error, BackendError::Lost(_) | BackendError::Malformed(_));
        assert!(named, "{what}: {error:?}");
        all_free(&writer, SOON);
    }
    let mut descriptor = describe(&writer, &name, 7);
    descriptor.engine_id = elsewhere;
    let error = reader.read(&descriptor).map(drop).unwrap_err();
    assert!(matches!(error, BackendError::Disconnected(_)), "{error:?}");
    descriptor.engine_id[0] ^= 1;
    assert!(reader.read(&descriptor).is_err());
    // A part of what was described is a part.
    let mut part = describe(&writer, &name, 8);
    (part.offset, part.size) = (4096, 8);
    assert_eq!(reader.read(&part).unwrap()[..], 8_u64.to_le_bytes());
    assert_eq!(take(&reader, &describe(&writer, &name, 9)).unwrap().0, 9);
    all_free(&writer, SOON);
}

#[test]
fn a_block_that_never_was_is_an_error_in_bounded_time() {
    let _turn = alone();
    let (writer, reader, name) = pair(4);
    let mut descriptor = describe(&writer, &name, 1);
    descriptor.block_id += 1024 * 1000; // of the same cell
    let start = Instant::now();
    let error = reader.read(&descriptor).map(drop).unwrap_err();
    assert!(matches!(error, BackendError::Malformed(_)), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(take(&reader, &describe(&writer, &name, 2)).unwrap().0, 2);
    all_free(&writer, SOON);
}

/// Its cell would protect the one, its slice would show the other.
#[test]
fn the_cell_of_one_block_does_not_open_another() {
    let _turn = alone();
    let (writer, reader, name) = pair(4);
    let kept: Vec<_> = (1..=2)
        .map(|number| send(&writer, &name, number, LEN).unwrap())
        .collect();
    let [first, second] = [&kept[0].1, &kept[1].1].map(|descriptor| descriptor.clone().unwrap());
    // The reader has both blocks mapped.
    assert_eq!(take(&reader, &second).unwrap().0, 2);
    let mut lie = first.clone();
    lie.block_id = second.block_id;
    let error = reader.read(&lie).map(drop).unwrap_err();
    let named = matches!(error, BackendError::Malformed(_) | BackendError::Lost(_));
    assert!(named, "{error:?}");
    // The same through the writer's own engine.
    let own = writer.backend_metadata();
    let storage = kept[0].0.storage().unwrap();
    let mut lie = writer.create_descriptor(storage, &own).unwrap().unwrap();
    lie.block_id = second.block_id;
    assert!(writer.read(&lie).is_err());
    drop(kept);
    all_free(&writer, SOON);
}

#[test]
fn another_readers_descriptor_is_worth_nothing() {
    let _turn = alone();
    let (writer, reader, name) = pair(4);
    let third = Settings::default().build().unwrap();
    third.connect(&writer.backend_metadata(), SOON).unwrap();
    let descriptor = describe(&writer, &name, 1);
    let stolen = third.read(&descriptor).map(drop).unwrap_err();
    assert!(matches!(stolen, BackendError::Lost(_)), "{stolen:?}");
    assert_eq!(take(&reader, &descriptor).unwrap().0, 1);
    let unknown = Settings::default().build().unwrap();
    let error = unknown.read(&descriptor).map(drop).unwrap_err();
    assert!(matches!(error, BackendError::Disconnected(_)), "{error:?}");
    all_free(&writer, SOON);
}

#[test]
fn noise_is_an_error() {
    let _turn = alone();
    let (writer, reader, name) = pair(4);
    let mut random = Random::new();
    let good = describe(&writer, &name, 1);
    let encoded = cdr::encode(&good).unwrap();
    let mut refused = 0;
    for _ in 0..20_000 {
        // Each byte new, behind the four that say how it is encoded; or one bit of what is right.
        let mut bytes = encoded.clone();
        if random.below(2) == 0 {
            for byte in &mut bytes[4..] {
                *byte = random.next().to_le_bytes()[0];
            }
        } else {
            let bit = random.below(8 * (bytes.len() as u64 - 4));
            bytes[4 + usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
        }
        let descriptor: ShmBufferDescriptor = cdr::decode(&bytes).unwrap();
        // A bit in the block's number means a wait for a block that does not come; one in the size may be a shorter one.
        if descriptor.block_id == good.block_id {
            refused += u32::from(reader.read(&descriptor).is_err());
        } else if descriptor.engine_id != good.engine_id {
            assert!(reader.read(&descriptor).is_err());
            refused += 1;
        }
    }
    assert!(refused > 15_000, "{refused}");
    assert_eq!(take(&reader, &describe(&writer, &name, 2)).unwrap().0, 2);
    all_free(&writer, SOON);
}

#[test]
fn a_dead_process_is_not_waited_for() {
    let _turn = alone();
    let shm = Settings::default().build().unwrap();
    let own = shm.backend_metadata();
    let mut other = Other::start();
    shm.connect(&other.metadata, SOON).unwrap();
    assert_eq!(other.ask(&format!("sees {own}")), "true");
    let ask = format!("send {own} 1 10000");
    let mut descriptors: Vec<_> = (0..3).map(|_| frames::from_hex(&other.ask(&ask))).collect();
    // What is on its way when the writer dies may still be taken for a moment.
    other.kill();
    assert_eq!(take(&shm, &descriptors.remove(0)).unwrap().0, 1);
    within(Duration::from_secs(1), "it is forgotten", || {
        shm.stats().writers == 0
    });
    for descriptor in &descriptors {
        let error = shm.read(descriptor).map(drop).unwrap_err();
        assert!(matches!(error, BackendError::Disconnected(_)), "{error:?}");
    }
    within(SOON, "and what was mapped of it", || {
        shm.stats().imports == 0
    });
}

/// Identities are random numbers: nothing that a later process could be given again.
#[test]
fn a_pid_that_is_used_again_means_nothing() {
    let _turn = alone();
    let shm = Settings::default().build().unwrap();
    let own = shm.backend_metadata();
    let descriptor_of = |other: &mut Other, number: u64| {
        shm.connect(&other.metadata, SOON).unwrap();
        assert_eq!(other.ask(&format!("sees {own}")), "true");
        frames::from_hex(&other.ask(&format!("send {own} {number} 10000")))
    };
    let mut first = Other::start();
    let (pid, metadata) = (first.id(), first.metadata.clone());
    let taken = descriptor_of(&mut first, 1);
    let handle = take(&shm, &taken).unwrap().1;
    let waiting = frames::from_hex(&first.ask(&format!("send {own} 2 10000")));
    first.kill();
    // The kernel can be told which number is next; others may be faster.
    let last: u32 = pid.parse::<u32>().unwrap() - 1;
    let second = (0..50).find_map(|_| {
        std::fs::write("/proc/sys/kernel/ns_last_pid", last.to_string()).ok()?;
        Some(Other::start()).filter(|other| other.id() == pid)
    });
    let Some(mut second) = second else {
        return println!("skipped: no process could be given the pid {pid} again");
    };
    assert_ne!(second.metadata, metadata);
    // Same pid, same cell, same block number, same generation; another process.
    let new = descriptor_of(&mut second, 3);
    assert_eq!(
        (new.cell, new.block_id, new.generation),
        (taken.cell, taken.block_id, taken.generation)
    );
    assert_ne!(new.engine_id, taken.engine_id);
    let late = shm.read(&waiting).map(|handle| frames::check(&handle));
    assert!(!matches!(late, Ok(Ok(3))), "{late:?}");
    assert_eq!(take(&shm, &new).unwrap().0, 3);
    assert_eq!(
        frames::check(&handle),
        Ok(1),
        "what was held is what it was"
    );
}
