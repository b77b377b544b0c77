//! Byte for byte: where marker, name and fields of a descriptor stand.

use rosidl_buffer_runtime::{BackendRegistry, Buffer, BufferMessage, Peer, cdr};

use super::Load;
use super::depot::{Depot, known};

/// `FF FF FF FF`, "ROS2" from the high byte down.
const MARKER: [u8; 8] = [0xFF, 0xFF, 0xFF, 0xFF, 0x32, 0x53, 0x4F, 0x52];

#[test]
fn a_descriptor_at_the_start_of_a_message() {
    let depot = Depot::new("cuda");
    let (registry, peer) = known(&depot);
    let message = Load {
        data: depot.goods(0x1234, ""),
    };
    let mut bytes = Vec::new();
    let described = cdr::encode_for(&message, &registry, &peer, &mut bytes).unwrap();
    assert_eq!(described.count(), 1);
    described.sent();

    let body = &bytes[cdr::HEADER_LEN..];
    assert_eq!(body[..8], MARKER);
    assert_eq!(body[8..12], [5, 0, 0, 0]);
    assert_eq!(body[12..17], *b"cuda\0");
    assert_eq!(body[17..24], [0; 7]);
    assert_eq!(body[24..32], 0x1234u64.to_le_bytes()); // size
    assert_eq!(body[32..40], 1u64.to_le_bytes()); // number
    assert_eq!(body[40..45], [1, 0, 0, 0, 0]); // note
    assert_eq!(body[45..48], [0; 3]);
    assert_eq!(body[48..], [0; 4]); // rest
    assert_eq!(bytes[..4], [0, 1, 0, 0]);

    let decoded: Load = cdr::decode_payload_with(bytes.into(), &registry).unwrap();
    assert_eq!(decoded.data.backend_type(), "cuda");
    assert_eq!(decoded, message);
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "depot_msgs")]
struct Odd {
    before: u8,
    data: Buffer<u8>,
    after: u16,
}

/// `Odd` with a descriptor of 9 bytes that is the 1st: each line is one field.
fn odd(number: impl Fn(u64) -> [u8; 8], word: impl Fn(u32) -> [u8; 4], half: [u8; 2]) -> Vec<u8> {
    let mut body = vec![7, 0, 0, 0]; // before
    body.extend(word(0xFFFF_FFFF));
    body.extend(word(0x524F_5332));
    body.extend(word(3));
    body.extend(b"ab\0\0\0\0\0\0");
    body.extend(number(9)); // 24: size
    body.extend(number(1)); // 32: number
    body.extend(word(3)); // 40: note
    body.extend(b"hi\0\0"); // 44
    body.extend(word(0)); // 48: rest
    body.extend(half); // 52: after
    body
}

#[test]
fn alignment_goes_on_from_the_messages_start() {
    let depot = Depot::new("ab");
    let (registry, peer) = known(&depot);
    let message = Odd {
        before: 7,
        data: depot.goods(9, "hi"),
        after: 0x0102,
    };
    let mut bytes = Vec::new();
    cdr::encode_for(&message, &registry, &peer, &mut bytes)
        .unwrap()
        .sent();
    let expected = odd(u64::to_le_bytes, u32::to_le_bytes, [2, 1]);
    assert_eq!(bytes[cdr::HEADER_LEN..], expected);
    assert_eq!(
        cdr::decode_payload_with::<Odd>(bytes.into(), &registry).unwrap(),
        message
    );
}

#[test]
fn a_descriptor_in_the_other_byte_order_is_read() {
    let depot = Depot::new("ab");
    let (registry, peer) = known(&depot);
    let message = Odd {
        before: 7,
        data: depot.goods(9, "hi"),
        after: 0x0102,
    };
    cdr::encode_for(&message, &registry, &peer, &mut Vec::new())
        .unwrap()
        .sent();
    let mut bytes = vec![0, 0, 0, 0];
    bytes.extend(odd(u64::to_be_bytes, u32::to_be_bytes, [1, 2]));
    let decoded: Odd = cdr::decode_payload_with(bytes.into(), &registry).unwrap();
    assert_eq!(decoded, message);
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "depot_msgs")]
struct Wagon {
    number: u8,
    data: Buffer<u8>,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "depot_msgs")]
struct Trains {
    engine: Wagon,
    #[ros2(bound = 4)]
    wagons: Vec<Wagon>,
    pair: [Wagon; 2],
    plain: Buffer<u8>,
}

#[test]
fn buffers_in_nested_messages_arrays_and_sequences_go_as_descriptors() {
    let depot = Depot::new("mailbox");
    let (registry, peer) = known(&depot);
    let wagon = |number: u8| Wagon {
        number,
        data: depot.goods(usize::from(number) * 5000, "note"),
    };
    let message = Trains {
        engine: wagon(1),
        wagons: (2..6).map(wagon).collect(),
        pair: [wagon(6), wagon(7)],
        plain: vec![9; 5000].into(),
    };
    let mut bytes = Vec::new();
    let described = cdr::encode_for(&message, &registry, &peer, &mut bytes).unwrap();
    assert_eq!(
        described.count(),
        7,
        "more than are kept without an allocation"
    );
    assert!(described.backends().eq(["mailbox"; 7]));
    described.sent();
    assert!(bytes.len() < 6000, "{} bytes", bytes.len());
    assert_eq!(depot.pending(), [1, 2, 3, 4, 5, 6, 7]);

    let payload = bytes::Bytes::from(bytes);
    let decoded: Trains = cdr::decode_payload_with(payload.clone(), &registry).unwrap();
    assert_eq!(decoded, message);
    assert_eq!(depot.pending(), [0; 0]);
    let borrowed = decoded.plain.as_slice().unwrap().as_ptr();
    assert!(
        payload.as_ptr_range().contains(&borrowed),
        "bytes are borrowed as ever"
    );
    drop((message, decoded));
    assert_eq!(depot.alive(), 0);
}

#[test]
fn for_a_peer_that_gets_bytes_the_bytes_are_those_of_everybody() {
    let depot = Depot::new("mailbox");
    let (registry, named) = known(&depot);
    let message = Load {
        data: depot.goods(300, "refused"),
    };
    let everybody = cdr::encode(&message).unwrap();
    assert_eq!(everybody.len(), cdr::encoded_len(&message));
    let mut bytes = Vec::new();
    for (what, registry, peer) in [
        ("the backend says no", &registry, &named),
        ("the peer names nothing", &registry, &Peer::default()),
        (
            "the peer names another",
            &registry,
            &super::depot::peer("cuda"),
        ),
        ("nothing is registered", &BackendRegistry::default(), &named),
    ] {
        let described = cdr::encode_for(&message, registry, peer, &mut bytes).unwrap();
        assert_eq!(described.count(), 0, "{what}");
        drop(described);
        assert_eq!(bytes, everybody, "{what}");
    }
    assert_eq!(depot.retracted(), [0; 0]);
}

#[test]
fn a_view_refuses_descriptors_as_decoding_without_backends_does() {
    let depot = Depot::new("mailbox");
    let (registry, peer) = known(&depot);
    let message = Load {
        data: depot.goods(5000, ""),
    };
    let mut bytes = Vec::new();
    cdr::encode_for(&message, &registry, &peer, &mut bytes)
        .unwrap()
        .sent();
    let error = cdr::view::<Load>(&bytes).unwrap_err();
    assert_eq!(error, cdr::decode::<Load>(&bytes).unwrap_err());
    assert_eq!(
        error.to_string(),
        "cannot decode depot_msgs/msg/Load.data: the bytes lie in memory of backend `mailbox`, which is not available \
         here; ask the publisher for CPU bytes (at byte 20 of the body)"
    );
}
