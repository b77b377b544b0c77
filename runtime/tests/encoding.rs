//! Bytes: every kind of field, alignment, padding, byte order, borrowing.

#![forbid(unsafe_code)] // what the derive emits has to pass
#![allow(clippy::unwrap_used)]

mod common;

use common::{Edge, Header, Image, Nothing, Time, edge};
use rosidl_buffer_runtime::{Buffer, BufferMessage, cdr};

#[test]
fn a_message_of_every_kind_of_field_survives() {
    let bytes = cdr::encode(&edge()).unwrap();
    assert_eq!(bytes.len(), cdr::encoded_len(&edge()));
    assert_eq!(
        bytes.capacity(),
        bytes.len(),
        "sized exactly before it was written"
    );
    assert_eq!(cdr::decode::<Edge>(&bytes).unwrap(), edge());
    let mut tail = bytes.clone();
    tail.extend([0xAB; 88]);
    assert_eq!(
        cdr::decode::<Edge>(&tail).unwrap(),
        edge(),
        "bytes after the message are ignored"
    );
    for len in 0..bytes.len() {
        cdr::decode::<Edge>(&bytes[..len]).unwrap_err();
    }
}

/// Alignment 4 first, 8 inside: where it lies decides whether its memory is its encoding.
#[derive(Debug, Clone, Copy, PartialEq, BufferMessage)]
#[ros2(package = "vec_pkg")]
#[repr(C)]
struct Mixed {
    a: u32,
    b: u32,
    c: f64,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "vec_pkg")]
struct Shifted {
    items: Vec<Mixed>,
    last: u8,
}

#[test]
fn plain_structs_are_placed_as_their_fields_would_be() {
    let items = vec![Mixed { a: 1, b: 2, c: 3.0 }, Mixed { a: 4, b: 5, c: 6.0 }];
    let message = Shifted { items, last: 7 };
    let bytes = cdr::encode(&message).unwrap();
    // count at 0, a at 4, b at 8, c at 16 (padded from 12), a at 24, b at 28, c at 32, last at 40
    assert_eq!(bytes.len(), 4 + 41);
    let body = &bytes[4..];
    assert_eq!(body[4..8], 1u32.to_le_bytes());
    assert_eq!(body[8..12], 2u32.to_le_bytes());
    assert_eq!(body[12..16], [0; 4]);
    assert_eq!(body[16..24], 3f64.to_le_bytes());
    assert_eq!(body[24..28], 4u32.to_le_bytes());
    assert_eq!(body[32..40], 6f64.to_le_bytes());
    assert_eq!(body[40], 7);
    assert_eq!(cdr::decode::<Shifted>(&bytes).unwrap(), message);
}

/// `sensor_msgs/msg/NavSatStatus`: one byte of padding, which must neither be copied nor left unwritten.
#[derive(Debug, Clone, Copy, PartialEq, BufferMessage)]
#[ros2(package = "vec_pkg")]
#[repr(C)]
struct Padded {
    status: i8,
    service: u16,
}

#[test]
fn padding_inside_a_struct_is_zero_on_the_wire() {
    for _ in 0..100 {
        let dirty = std::hint::black_box([0xAAu8; 64]);
        let padded = std::hint::black_box(Padded {
            status: -1,
            service: 2,
        });
        assert_eq!(cdr::encode(&padded).unwrap(), [0, 1, 0, 0, 0xFF, 0, 2, 0]);
        std::hint::black_box(dirty);
    }
    use rosidl_buffer_runtime::__private::Field;
    const { assert!(!<Padded as Field>::PLAIN.get() && <Mixed as Field>::PLAIN.get()) };
}

#[test]
fn big_endian_is_read() {
    let bytes = [
        0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFE, 0, 0, 0, 3, 0, 0, 0, 2, b'x', 0,
    ];
    let header = cdr::decode::<Header>(&bytes).unwrap();
    assert_eq!(
        header,
        Header {
            stamp: Time {
                sec: -2,
                nanosec: 3
            },
            frame_id: "x".into()
        }
    );
}

#[test]
fn an_empty_message_is_one_zero_byte() {
    let bytes = cdr::encode(&Nothing {}).unwrap();
    assert_eq!(bytes, [0, 1, 0, 0, 0]);
    assert_eq!(cdr::decode::<Nothing>(&bytes).unwrap(), Nothing {});
    cdr::decode::<Nothing>(&bytes[..4]).unwrap_err();
}

#[test]
fn large_buffers_borrow_their_payload_and_small_ones_do_not() {
    for (len, borrows) in [(cdr::BORROW_MIN, true), (cdr::BORROW_MIN - 1, false)] {
        let image = Image {
            data: vec![7; len].into(),
            ..Image::default()
        };
        let payload = bytes::Bytes::from(cdr::encode(&image).unwrap());
        let range = payload.as_ptr_range();
        let decoded = cdr::decode_payload::<Image>(payload.clone()).unwrap();
        let address = decoded.data.as_slice().unwrap().as_ptr();
        assert_eq!(range.contains(&address), borrows, "{len} bytes");
        assert_eq!(decoded, image);
        assert_eq!(decoded.data.backend_type(), "cpu");
    }
}

#[test]
fn wider_elements_borrow_only_where_they_are_aligned() {
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Samples {
        values: Buffer<f64>,
    }
    let message = Samples {
        values: (0..1024).map(f64::from).collect(),
    };
    let encoded = cdr::encode(&message).unwrap();
    for shift in 0..8 {
        let mut moved = vec![0; shift];
        moved.extend(&encoded);
        let payload = bytes::Bytes::from(moved).slice(shift..);
        let decoded = cdr::decode_payload::<Samples>(payload.clone()).unwrap();
        assert_eq!(decoded, message);
        let aligned = payload[12..].as_ptr().align_offset(8) == 0;
        let borrowed = payload
            .as_ptr_range()
            .contains(&decoded.values.as_slice().unwrap().as_ptr().cast());
        assert_eq!(borrowed, aligned, "shift {shift}");
    }
}

#[test]
fn arrays_may_be_long_and_large() {
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Long {
        small: [bool; 40],
        large: Box<[f64; 1 << 20]>,
    }
    let mut long = Long::default();
    long.large[1 << 19] = 1.5;
    let bytes = cdr::encode(&long).unwrap();
    assert_eq!(bytes.len(), 4 + 40 + (8 << 20));
    assert_eq!(cdr::decode::<Long>(&bytes).unwrap(), long);
    cdr::decode::<Long>(&bytes[..bytes.len() - 1]).unwrap_err();
}
