//! What becomes of descriptors when something fails: nothing stays described, nothing stays held, nothing is copied.

use rosidl_buffer_runtime::{
    BackendError, BackendRegistry, Buffer, DecodeErrorKind, EncodeErrorKind, Loss, cdr,
};

use super::depot::{Depot, known};
use super::{Load, Train, encoded, train};

#[test]
fn what_does_not_leave_is_retracted() {
    let depot = Depot::new("depot");
    let (registry, peer) = known(&depot);
    let message = train(&depot, "a", "b");
    let mut bytes = Vec::new();
    let described = cdr::encode_for(&message, &registry, &peer, &mut bytes).unwrap();
    assert_eq!(format!("{described:?}"), r#"["depot", "depot"]"#);
    assert_eq!(depot.pending(), [1, 2]);
    drop(described);
    assert_eq!((depot.pending(), depot.retracted()), (vec![], vec![1, 2]));
    assert_eq!(depot.metadata(), ["pier 7"; 4]);

    cdr::encode_for(&message, &registry, &peer, &mut bytes)
        .unwrap()
        .sent();
    assert_eq!(
        (depot.pending(), depot.retracted()),
        (vec![3, 4], vec![1, 2])
    );
}

#[test]
fn descriptors_of_any_length_are_retracted() {
    // From those that fit beside others in a small place up to one that takes all that is allowed.
    static NOTE: [u8; 4068] = [b'n'; 4068];
    let depot = Depot::new("depot");
    let (registry, peer) = known(&depot);
    let note = |len: usize| std::str::from_utf8(&NOTE[..len]).unwrap();
    let mut count = 0;
    for (first, second) in [
        (0, 60),
        (100, 120),
        (300, 1),
        (1, 300),
        (4068, 7),
        (3000, 4000),
    ] {
        let message = train(&depot, note(first), note(second));
        let mut bytes = Vec::new();
        let described = cdr::encode_for(&message, &registry, &peer, &mut bytes).unwrap();
        assert_eq!(described.count(), 2);
        drop(described);
        count += 2;
        assert_eq!(depot.pending(), [0; 0], "{first} and {second}");
        assert_eq!(depot.retracted().len(), count);
        let read = encoded(&depot, &message);
        let read = cdr::decode_payload_with::<Train>(read.into(), &registry).unwrap();
        assert_eq!(read, message);
    }
}

#[test]
fn when_encoding_fails_what_was_described_is_retracted() {
    let depot = Depot::new("depot");
    let (registry, peer) = known(&depot);
    let mut bytes = Vec::new();

    let message = train(&depot, "", "broken");
    let error = cdr::encode_for(&message, &registry, &peer, &mut bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot encode depot_msgs/msg/Train.second: backend `depot`: the backend cannot be used here: the depot is closed"
    );
    assert_eq!((depot.pending(), depot.retracted()), (vec![], vec![1]));

    // It would go as bytes, which cannot be had.
    let message = Train {
        second: Depot::new("other").goods(10, "unreadable"),
        ..message
    };
    let error = cdr::encode_for(&message, &registry, &peer, &mut bytes).unwrap_err();
    assert!(
        matches!(error.kind(), EncodeErrorKind::Buffer(_)),
        "{error}"
    );
    assert_eq!((depot.pending(), depot.retracted()), (vec![], vec![1, 2]));
}

#[test]
fn descriptors_that_are_too_long_are_neither_sent_nor_taken() {
    let depot = Depot::new("depot");
    let (registry, peer) = known(&depot);
    let mut bytes = Vec::new();
    let message = train(&depot, "", "long");
    let error = cdr::encode_for(&message, &registry, &peer, &mut bytes).unwrap_err();
    assert_eq!(error.field(), "depot_msgs/msg/Train.second");
    assert!(
        error
            .to_string()
            .ends_with("a descriptor takes at most 4096 bytes, this one 5028"),
        "{error}"
    );
    assert_eq!((depot.pending(), depot.retracted()), (vec![], vec![2, 1]));

    let note = 5000usize;
    let mut hostile = vec![0, 1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x32, 0x53, 0x4F, 0x52];
    hostile.extend([6, 0, 0, 0]);
    hostile.extend(b"depot\0\0\0\0\0\0\0"); // up to 24
    hostile.extend([0; 16]);
    hostile.extend(u32::try_from(note).unwrap().to_le_bytes());
    hostile.resize(hostile.len() + note + 4, 0);
    let error = cdr::decode_payload_with::<Load>(hostile.into(), &registry).unwrap_err();
    assert_eq!(
        *error.kind(),
        DecodeErrorKind::Backend {
            backend: "depot".into(),
            cause: BackendError::Limit(
                "a descriptor takes at most 4096 bytes, this one goes on".into()
            ),
        }
    );
}

#[test]
fn a_loss_names_field_and_backend_and_gives_back_what_came_before() {
    let depot = Depot::new("depot");
    let bytes = encoded(&depot, &train(&depot, "", "lost"));
    let (registry, _) = known(&depot);
    let error = cdr::decode_payload_with::<Train>(bytes.into(), &registry).unwrap_err();
    assert_eq!(error.field(), "depot_msgs/msg/Train.second");
    assert_eq!(
        *error.kind(),
        DecodeErrorKind::Backend {
            backend: "depot".into(),
            cause: BackendError::Lost(Loss::Expired),
        }
    );
    assert!(
        error
            .to_string()
            .contains("backend `depot`: the sample is lost"),
        "{error}"
    );
    assert_eq!(
        depot.alive(),
        1,
        "the second is still pending, the first is not held"
    );
}

#[test]
fn when_decoding_fails_what_was_taken_is_dropped() {
    let depot = Depot::new("depot");
    let (registry, _) = known(&depot);
    let mut bytes = encoded(&depot, &train(&depot, "", ""));
    let last = bytes.len() - 2;
    bytes[last] = 0xFF; // not UTF-8
    let error = cdr::decode_payload_with::<Train>(bytes.into(), &registry).unwrap_err();
    assert_eq!(error.field(), "depot_msgs/msg/Train.last");
    assert_eq!((depot.alive(), depot.pending()), (0, vec![]));

    // What stands behind the wrong place stays pending.
    let mut bytes = encoded(&depot, &train(&depot, "", ""));
    let name = bytes.windows(6).position(|text| text == b"Orient").unwrap();
    bytes[name] = 0xFF;
    let error = cdr::decode_payload_with::<Train>(bytes.into(), &registry).unwrap_err();
    assert_eq!(error.field(), "depot_msgs/msg/Train.name");
    assert_eq!((depot.alive(), depot.pending()), (1, vec![4]));
}

#[test]
fn a_payload_cut_anywhere_holds_nothing() {
    let depot = Depot::new("depot");
    let (registry, _) = known(&depot);
    let whole = encoded(&depot, &train(&depot, "x", "y"));
    for len in 0..whole.len() {
        // Each round takes what it can, so each has descriptors of its own.
        let bytes = encoded(&depot, &train(&depot, "x", "y"));
        cdr::decode_payload_with::<Train>(bytes[..len].to_vec().into(), &registry).unwrap_err();
        assert_eq!(depot.alive(), depot.pending().len(), "{len} bytes");
    }
}

#[test]
fn a_descriptor_in_a_descriptor_is_refused() {
    let depot = Depot::new("depot");
    let (registry, _) = known(&depot);
    let mut bytes = encoded(&depot, &train(&depot, "", ""));
    let descriptor = bytes[4..24].to_vec();
    // `rest`, the last field of the first descriptor: behind marker, name, padding, two numbers and an empty note.
    let rest = 4 + 24 + 16 + 8;
    assert_eq!(bytes[rest..rest + 4], [0; 4]);
    bytes.splice(rest..rest + 4, descriptor);
    let error = cdr::decode_payload_with::<Train>(bytes.into(), &registry).unwrap_err();
    assert_eq!(error.field(), "depot_msgs/msg/Train.first.rest");
    assert_eq!(*error.kind(), DecodeErrorKind::NoBuffer("depot".into()));
}

#[test]
fn a_backend_that_is_not_here_is_named() {
    let depot = Depot::new("depot");
    let bytes = encoded(&depot, &train(&depot, "", ""));
    let (registry, _) = known(&Depot::new("depo"));
    for registry in [registry, BackendRegistry::new()] {
        let error = cdr::decode_payload_with::<Train>(bytes.clone().into(), &registry).unwrap_err();
        assert_eq!(
            *error.kind(),
            DecodeErrorKind::UnknownBackend("depot".into())
        );
        assert_eq!(error.field(), "depot_msgs/msg/Train.first");
    }
}

#[test]
fn what_goes_as_a_descriptor_takes_no_memory_here() {
    let depot = Depot::new("depot");
    let (registry, peer) = known(&depot);
    let message = Load {
        data: depot.goods(usize::MAX / 4, ""),
    };
    let mut bytes = Vec::new();
    cdr::encode_for(&message, &registry, &peer, &mut bytes)
        .unwrap()
        .sent();
    assert!(bytes.capacity() <= 1024, "{} bytes", bytes.capacity());
    let decoded: Load = cdr::decode_payload_with(bytes.into(), &registry).unwrap();
    assert_eq!(decoded.data.len(), usize::MAX / 4);

    let without = Load {
        data: Buffer::new(),
    };
    let mut bytes = Vec::new();
    drop(cdr::encode_for(&without, &registry, &peer, &mut bytes).unwrap());
    assert_eq!(
        bytes.capacity(),
        bytes.len(),
        "sized exactly before it was written"
    );
}
