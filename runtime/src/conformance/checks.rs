//! The checks, each with a pair of its own; what a check is called stands in the list of the module above.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;

use super::{Outcome, Pair, Random, ensure, expect_bytes, pattern, said};
use crate::{
    BackendRegistry, Buffer, BufferBackend, BufferError, BufferMessage, Peer, Storage, cdr,
};

/// A message to hand storages over in.
#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "conformance_msgs")]
struct Chunk {
    first: u8,
    data: Buffer<u8>,
    last: u64,
}

pub(super) fn names<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    let mut registry = BackendRegistry::new();
    registry
        .register(Arc::clone(&pair.writer))
        .map_err(said("it cannot be registered"))?;
    let name = pair.writer.backend_type();
    ensure(
        name == pair.reader.backend_type(),
        "the two ends have different names",
    )?;
    for (end, metadata) in [
        ("writer", pair.writer.backend_metadata()),
        ("reader", pair.reader.backend_metadata()),
    ] {
        let legal = |c: char| c.is_ascii_alphanumeric() || ".-_=+".contains(c);
        ensure(
            metadata.chars().all(legal),
            format_args!(
                "the {end}'s metadata `{metadata}` has other characters than letters, digits and `.-_=+`"
            ),
        )?;
        ensure(
            metadata.len() <= 255,
            format_args!(
                "the {end}'s metadata is {} bytes long, more than 255",
                metadata.len()
            ),
        )?;
    }
    let storage = pair.stored(&[1])?;
    ensure(
        storage.backend_type() == name,
        format_args!(
            "its storages say that they belong to `{}`, not `{name}`",
            storage.backend_type()
        ),
    )
}

pub(super) fn lengths<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    for len in [1, 4095, 4096, 4097, 1 << 20] {
        let bytes = pattern(len, 1);
        let arrived = pair.handed_over(&bytes)?;
        expect_bytes(&arrived, &bytes, format_args!("a storage of {len} bytes"))?;
    }
    // A backend may refuse to hold nothing; if it does not, nothing has to arrive.
    if let Ok(empty) = (pair.store)(&[])
        && let Ok(Some(descriptor)) = pair
            .writer
            .create_descriptor(&empty, &pair.reader.backend_metadata())
    {
        expect_bytes(&pair.taken(descriptor)?, &[], "an empty storage")?;
    }
    Ok(())
}

pub(super) fn messages<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    let (mut writer, mut reader) = (BackendRegistry::new(), BackendRegistry::new());
    writer
        .register(Arc::clone(&pair.writer))
        .map_err(said("the writer cannot be registered"))?;
    reader
        .register(Arc::clone(&pair.reader))
        .map_err(said("the reader cannot be registered"))?;
    let peer: Peer = reader.endpoint_backends().into_iter().collect();
    let bytes = pattern(10_000, 2);
    let data = Buffer::from_storage(pair.stored(&bytes)?)
        .map_err(said("the storage cannot be put into a buffer"))?;
    let message = Chunk {
        first: 1,
        data,
        last: 2,
    };
    let mut encoded = Vec::new();
    let described = cdr::encode_for(&message, &writer, &peer, &mut encoded)
        .map_err(said("the message cannot be encoded"))?;
    ensure(
        described.count() == 1 && encoded.len() < bytes.len(),
        format_args!(
            "the message has {} descriptors and {} bytes",
            described.count(),
            encoded.len()
        ),
    )?;
    described.sent();
    let decoded: Chunk = cdr::decode_payload_with(encoded.into(), &reader)
        .map_err(said("the message cannot be decoded"))?;
    ensure(
        decoded.data.backend_type() == pair.reader.backend_type(),
        format_args!(
            "the buffer arrived in backend `{}`",
            decoded.data.backend_type()
        ),
    )?;
    ensure(decoded == message, "the message arrived with other content")
}

pub(super) fn views<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    let bytes = pattern(5000, 3);
    let stored = pair.stored(&bytes)?;
    let arrived = pair.taken(pair.described(&stored)?)?;
    for (which, storage) in [("the writer's", stored), ("the reader's", arrived)] {
        ensure(
            storage.byte_len() == bytes.len(),
            format_args!(
                "{which} storage says that it has {} bytes",
                storage.byte_len()
            ),
        )?;
        ensure(
            storage.host_bytes().is_some() == pair.writer.is_host_readable(),
            format_args!("`is_host_readable` and {which} storage disagree"),
        )?;
        expect_bytes(&storage, &bytes, format_args!("{which} storage"))?;
        let buffer = Buffer::<u8>::from_storage(storage)
            .map_err(said("the storage cannot be put into a buffer"))?;
        let vec = buffer
            .to_vec()
            .map_err(said("the buffer cannot be copied"))?;
        ensure(
            vec == bytes,
            format_args!("a vector of {which} buffer has other bytes"),
        )?;
    }
    Ok(())
}

pub(super) fn clones<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    let before = (pair.in_use)();
    let bytes = pattern(4096, 4);
    let buffer = Buffer::<u8>::from_storage(pair.handed_over(&bytes)?)
        .map_err(said("the storage cannot be put into a buffer"))?;
    let clone = buffer.clone();
    ensure(buffer == clone, "a clone is unequal")?;
    drop(buffer);
    let vec = clone
        .to_vec()
        .map_err(said("a clone cannot be read when the first is gone"))?;
    ensure(
        vec == bytes,
        "a clone has other bytes when the first is gone",
    )?;
    drop(clone);
    pair.free_down_to(before)
}

pub(super) fn equality<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    let in_buffer =
        |storage| Buffer::<u8>::from_storage(storage).map_err(|error| error.to_string());
    let stored = pair.stored(&pattern(4096, 5))?;
    let arrived = in_buffer(pair.taken(pair.described(&stored)?)?)?;
    let other = in_buffer(pair.handed_over(&pattern(4096, 6))?)?;
    ensure(
        in_buffer(stored)? == arrived,
        "what arrived is unequal to what was sent",
    )?;
    ensure(
        arrived == pattern(4096, 5),
        "what arrived is unequal to the bytes that were sent",
    )?;
    ensure(arrived != other, "buffers with different bytes are equal")
}

pub(super) fn descriptors<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    for len in [1, 1 << 20] {
        let stored = pair.stored(&pattern(len, 7))?;
        let descriptor = pair.described(&stored)?;
        let encoded = cdr::encode(&descriptor).map_err(said("the descriptor cannot be encoded"))?;
        ensure(
            encoded.len() - cdr::HEADER_LEN <= cdr::DESCRIPTOR_MAX,
            format_args!(
                "the descriptor of {len} bytes takes {} bytes",
                encoded.len()
            ),
        )?;
        let decoded: B::Descriptor =
            cdr::decode(&encoded).map_err(said("the encoded descriptor cannot be decoded"))?;
        let again =
            cdr::encode(&decoded).map_err(said("the decoded descriptor cannot be encoded"))?;
        ensure(
            again == encoded,
            "the descriptor changes when it is decoded and encoded again",
        )?;
        expect_bytes(
            &pair.taken(decoded)?,
            &pattern(len, 7),
            "the decoded descriptor",
        )?;
    }
    Ok(())
}

pub(super) fn taken_twice<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    let before = (pair.in_use)();
    let bytes = pattern(4096, 8);
    let stored = pair.stored(&bytes)?;
    let descriptor = pair.described(&stored)?;
    let first = pair.taken(descriptor.clone())?;
    // The second may be refused, but it may not hurt the first.
    if let Ok(second) = pair.reader.from_descriptor(descriptor.clone()) {
        expect_bytes(&second, &bytes, "the second storage of a descriptor")?;
    }
    expect_bytes(
        &first,
        &bytes,
        "the first storage, after the descriptor was taken again,",
    )?;
    drop((stored, first));
    pair.free_down_to(before)?;
    // By now the memory may hold other bytes, which this descriptor must not show.
    let others: Vec<_> = (0..8)
        .map(|_| pair.described(&pair.stored(&pattern(4096, 9))?))
        .collect::<Result<_, _>>()?;
    if let Ok(late) = pair.reader.from_descriptor(descriptor) {
        expect_bytes(
            &late,
            &bytes,
            "the storage of a descriptor that is taken after everything was dropped",
        )?;
    }
    drop(others);
    Ok(())
}

pub(super) fn outlives<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    let bytes = pattern(4096, 10);
    let stored = pair.stored(&bytes)?;
    let descriptor = pair.described(&stored)?;
    drop(stored);
    // What the writer makes next must not get the memory that the descriptor stands for.
    let next = pair.stored(&pattern(4096, 11))?;
    expect_bytes(
        &pair.taken(descriptor)?,
        &bytes,
        "the storage of a dropped buffer",
    )?;
    drop(next);
    Ok(())
}

pub(super) fn outlived<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    let bytes = pattern(4096, 12);
    let arrived = pair.handed_over(&bytes)?;
    for round in 0..8 {
        drop(pair.stored(&pattern(4096, 13 + round))?);
    }
    expect_bytes(
        &arrived,
        &bytes,
        "a storage that the reader holds while the writer goes on",
    )
}

pub(super) fn hostile<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    let content = pattern(4096, 14);
    let stored = pair.stored(&content)?;
    let mut random = Random(0x5EED);
    for round in 0..2000 {
        let descriptor = pair.described(&stored)?;
        let valid = cdr::encode(&descriptor).map_err(said("the descriptor cannot be encoded"))?;
        let (mut bytes, body) = (valid.clone(), cdr::HEADER_LEN..valid.len());
        if round < valid.len() {
            ensure(
                cdr::decode::<B::Descriptor>(&valid[..round]).is_err(),
                format_args!(
                    "{round} of the descriptor's {} bytes are enough",
                    valid.len()
                ),
            )?;
        }
        // One wrong bit, eight wrong bytes, or nothing that is right.
        let at = body.start + random.below(body.len());
        match round % 3 {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at..]
                .iter_mut()
                .take(8)
                .for_each(|byte| *byte = random.byte()),
            _ => bytes[body].fill_with(|| random.byte()),
        }
        let taken = cdr::decode::<B::Descriptor>(&bytes)
            .map_err(|error| error.to_string())
            .and_then(|wrong| pair.taken(wrong));
        let Ok(storage) = taken else {
            pair.writer
                .retract_descriptor(descriptor, &pair.reader.backend_metadata());
            continue;
        };
        // It was harmless, or less of the same memory is named. Anything else is memory that nobody handed over.
        let mut copy = vec![0; storage.byte_len()];
        storage.copy_to_host(&mut copy).map_err(said(
            "a storage was given for a wrong descriptor, but it cannot be read",
        ))?;
        ensure(
            copy.is_empty() || content.windows(copy.len()).any(|part| part == copy),
            format_args!(
                "{bytes:02x?}, made from {valid:02x?}, gives {} bytes that were not described",
                copy.len()
            ),
        )?;
    }
    Ok(())
}

pub(super) fn strangers<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    let stored = pair.stored(&pattern(4096, 15))?;
    for metadata in [
        "",
        "a stranger",
        "1.00",
        ";:%/*",
        "\u{0}\u{FFFF}",
        &"x".repeat(10_000),
    ] {
        pair.writer.on_discovering_endpoint(metadata);
        match pair.writer.create_descriptor(&stored, metadata) {
            Ok(None) => {}
            Ok(Some(_)) => {
                return Err(format!(
                    "the unknown peer with the metadata {metadata:?} gets a descriptor"
                ));
            }
            Err(error) => {
                return Err(format!(
                    "the unknown peer with the metadata {metadata:?} is an error, so that it gets no bytes either: {error}"
                ));
            }
        }
        ensure(
            !pair.writer.is_ready(metadata),
            format_args!("the unknown peer with the metadata {metadata:?} is said to be ready"),
        )?;
    }
    ensure(
        pair.writer.is_ready(&pair.reader.backend_metadata()),
        "a connected peer is said not to be ready",
    )
}

pub(super) fn foreign<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    let name = pair.writer.backend_type().to_owned();
    for backend in ["elsewhere".to_owned(), name] {
        let storage: Arc<dyn Storage> = Arc::new(Foreign {
            backend,
            bytes: pattern(4096, 16).into(),
        });
        match pair
            .writer
            .create_descriptor(&storage, &pair.reader.backend_metadata())
        {
            Ok(None) => {}
            Ok(Some(_)) => {
                return Err(format!(
                    "a storage that is another's, called `{}`, is described",
                    storage.backend_type()
                ));
            }
            Err(error) => {
                return Err(format!(
                    "a storage that is another's is an error, so that it does not go as bytes either: {error}"
                ));
            }
        }
    }
    Ok(())
}

pub(super) fn retracted<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    let before = (pair.in_use)();
    let bytes = pattern(4096, 17);
    let stored = pair.stored(&bytes)?;
    let descriptor = pair.described(&stored)?;
    let other = pair.described(&stored)?;
    pair.writer
        .retract_descriptor(descriptor, &pair.reader.backend_metadata());
    expect_bytes(
        &pair.taken(other)?,
        &bytes,
        "the descriptor beside one that was retracted",
    )?;
    drop(stored);
    pair.free_down_to(before)
}

pub(super) fn threads<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    let before = (pair.in_use)();
    let stored = pair.stored(&pattern(4096, 18))?;
    let arrived = pair.taken(pair.described(&stored)?)?;
    let dropped = std::thread::spawn(move || drop((arrived, stored))).join();
    ensure(dropped.is_ok(), "dropping panicked")?;
    pair.free_down_to(before)
}

pub(super) fn a_thousand<B: BufferBackend>(pair: &Pair<B>) -> Outcome {
    let before = (pair.in_use)();
    let (mut largest, bytes) = (before, pattern(4096, 19));
    for _ in 0..1000 {
        let arrived = pair.handed_over(&bytes)?;
        largest = largest.max((pair.in_use)());
        drop(arrived);
    }
    ensure(
        largest <= before + 2,
        format_args!(
            "{largest} storages are in use where one at a time is handed over, {before} before"
        ),
    )?;
    pair.free_down_to(before)
}

/// A storage that is none of the backend's, whatever it is called.
struct Foreign {
    backend: String,
    bytes: Bytes,
}

impl Storage for Foreign {
    fn backend_type(&self) -> &str {
        &self.backend
    }

    fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    fn host_bytes(&self) -> Option<&[u8]> {
        Some(&self.bytes)
    }

    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError> {
        out.copy_from_slice(&self.bytes);
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
