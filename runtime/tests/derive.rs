//! The derive on hand-written structs: bytes, descriptions, defaults, bounds.

#![forbid(unsafe_code)] // what the derive emits has to pass
#![allow(clippy::unwrap_used)]

use rosidl_buffer_runtime::type_description::type_id;
use rosidl_buffer_runtime::{
    BoundedBuffer, BoundedSequence, BoundedString, BoundedWString, Buffer, BufferMessage,
    DecodeErrorKind, GeneratedMessage, Message, WString, cdr,
};

#[derive(Debug, Clone, Copy, PartialEq, BufferMessage)]
#[ros2(
    package = "builtin_interfaces",
    hash = "RIHS01_b106235e25a4c5ed35098aa0a61a3ee9c9b18d197f398b0e4206cea9acf9c197"
)]
#[repr(C)]
struct Time {
    sec: i32,
    nanosec: u32,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "std_msgs")]
struct Header {
    stamp: Time,
    frame_id: String,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "sensor_msgs")]
struct Image {
    header: Header,
    height: u32,
    width: u32,
    encoding: String,
    is_bigendian: u8,
    step: u32,
    data: Buffer<u8>,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "std_msgs", name = "Empty")]
struct Nothing {}

/// `vec_pkg/msg/Edge`, whose hash and type ids were computed by rosidl's own generator.
#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "vec_pkg")]
struct Edge {
    #[ros2(byte)]
    a: Vec<u8>,
    #[ros2(char)]
    b: Vec<u8>,
    #[ros2(default = [1, 2])]
    c: Buffer<u8>,
    #[ros2(bound = 16)]
    d: Vec<u8>,
    e: [u8; 16],
    #[ros2(byte, default = 5)]
    f: u8,
    #[ros2(char, default = 65)]
    g: u8,
    #[ros2(string_bound = 5)]
    h: String,
    i: BoundedSequence<BoundedString<5>, 3>,
    #[ros2(wstring)]
    j: [String; 2],
    k: BoundedWString<7>,
    #[ros2(default = [true, false])]
    l: Vec<bool>,
    #[ros2(default = 1.0)]
    m: f32,
    #[ros2(default = "x")]
    n: String,
    o: Vec<Time>,
    #[ros2()]
    p: Duration,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "builtin_interfaces")]
struct Duration {
    sec: i32,
    nanosec: u32,
}

#[test]
fn hashes_equal_those_of_ros() {
    let hash = |text: &str| text.parse().unwrap();
    assert_eq!(
        Image::type_hash(),
        hash("RIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47")
    );
    assert_eq!(
        Nothing::type_hash(),
        hash("RIHS01_20b625256f32d5dbc0d04fee44f43c41e51c70d3502f84b4a08e7a9c26a96312")
    );
    assert_eq!(
        Edge::type_hash(),
        hash("RIHS01_4b50af1188f5aac70938240336427026f83fe01ed15858d72c4c5c1d39b20eac")
    );
    assert_eq!(
        Time::TYPE_HASH,
        Time::type_description().type_hash().to_string(),
        "the attribute says the truth"
    );
    let ids: Vec<u8> = Edge::type_description()
        .type_description
        .fields
        .iter()
        .map(|f| f.field_type.type_id)
        .collect();
    assert_eq!(
        ids,
        [
            160,
            147,
            147,
            99,
            51,
            16,
            3,
            21,
            117,
            66,
            22,
            159,
            10,
            17,
            145,
            type_id::NESTED_TYPE
        ]
    );
}

#[test]
fn defaults_are_those_declared() {
    let edge = Edge::default();
    assert_eq!(edge.c, [1, 2]);
    assert_eq!((edge.f, edge.g, edge.m, edge.n.as_str()), (5, 65, 1.0, "x"));
    assert_eq!(edge.l, [true, false]);
}

fn edge() -> Edge {
    Edge {
        a: vec![1, 2, 3],
        d: vec![9; 16],
        h: "päß".into(),
        i: vec!["a".parse().unwrap(), "bcdef".parse().unwrap()]
            .try_into()
            .unwrap(),
        j: ["漢".into(), "😀".into()],
        k: BoundedWString::try_from("é").unwrap(),
        o: vec![
            Time {
                sec: -1,
                nanosec: 2
            };
            3
        ],
        ..Edge::default()
    }
}

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

#[test]
fn bounds_in_attributes_hold_both_ways() {
    let too_long = Edge {
        d: vec![0; 17],
        ..edge()
    };
    let error = cdr::encode(&too_long).unwrap_err();
    assert_eq!(error.field(), "vec_pkg/msg/Edge.d");
    assert_eq!(
        error.to_string(),
        "cannot encode vec_pkg/msg/Edge.d: sequence of length 17 exceeds the bound 16"
    );

    #[derive(Debug, Clone, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Loose {
        d: Vec<u8>,
        h: String,
    }
    #[derive(Debug, Clone, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Tight {
        d: BoundedBuffer<u8, 2>,
        #[ros2(string_bound = 2)]
        h: String,
    }
    let decode = |d: &[u8], h: &str| {
        cdr::decode::<Tight>(
            &cdr::encode(&Loose {
                d: d.to_vec(),
                h: h.into(),
            })
            .unwrap(),
        )
    };
    assert!(decode(&[1, 2], "äß").is_ok());
    assert_eq!(
        decode(&[1, 2, 3], "").unwrap_err().field(),
        "vec_pkg/msg/Tight.d"
    );
    let error = decode(&[], "abc").unwrap_err();
    assert!(matches!(error.kind(), DecodeErrorKind::Bound(_)), "{error}");
    assert_eq!(error.field(), "vec_pkg/msg/Tight.h");
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
fn hostile_lengths_are_errors_that_name_the_field() {
    // A header whose frame_id claims 4 GB.
    let mut bytes = vec![0, 1, 0, 0];
    bytes.extend([0; 8]);
    bytes.extend(u32::MAX.to_le_bytes());
    bytes.extend([0; 4]);
    let error = cdr::decode::<Header>(&bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot decode std_msgs/msg/Header.frame_id: 4294967295 bytes needed, 4 left (at byte 12 of the body)"
    );
    let mut bytes = vec![0, 1, 0, 0];
    bytes.extend(0x4000_0000u32.to_le_bytes());
    let error = cdr::decode::<Shifted>(&bytes).unwrap_err();
    assert!(
        matches!(error.kind(), DecodeErrorKind::Count { .. }),
        "{error}"
    );
    assert_eq!(error.field(), "vec_pkg/msg/Shifted.items");

    assert!(matches!(
        cdr::decode::<Header>(&[]).unwrap_err().kind(),
        DecodeErrorKind::Encapsulation(_)
    ));
    assert!(matches!(
        cdr::decode::<Header>(&[0, 3, 0, 0]).unwrap_err().kind(),
        DecodeErrorKind::Encapsulation(_)
    ));
}

#[test]
fn a_descriptor_for_a_backend_that_is_not_here_is_named() {
    let mut bytes = vec![0, 1, 0, 0];
    bytes.extend([0xFF, 0xFF, 0xFF, 0xFF, 0x32, 0x53, 0x4F, 0x52, 5, 0, 0, 0]);
    bytes.extend(b"cuda\0");
    #[derive(Debug, Clone, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Bytes {
        data: Buffer<u8>,
    }
    let error = cdr::decode::<Bytes>(&bytes).unwrap_err();
    assert_eq!(
        *error.kind(),
        DecodeErrorKind::UnknownBackend("cuda".into())
    );
    assert_eq!(error.field(), "vec_pkg/msg/Bytes.data");
}

#[test]
fn strings_are_checked() {
    let encode = |text: &[u8]| {
        let mut bytes = vec![0, 1, 0, 0];
        bytes.extend([0; 8]);
        bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        bytes.extend(text);
        cdr::decode::<Header>(&bytes).map(|header| header.frame_id)
    };
    assert_eq!(encode(b"map\0").unwrap(), "map");
    assert_eq!(
        encode(b"map").unwrap(),
        "map",
        "some writers leave the NUL out"
    );
    assert_eq!(encode(b"").unwrap(), "");
    assert_eq!(
        *encode(b"ab\xFF\0").unwrap_err().kind(),
        DecodeErrorKind::Utf8(2)
    );
}

#[test]
fn wide_strings_keep_what_utf8_cannot() {
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Wide {
        w: WString,
    }
    #[derive(Debug, Clone, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct AsUtf8 {
        #[ros2(wstring)]
        w: String,
    }
    let lone = Wide {
        w: vec![0xD800].into(),
    };
    let bytes = cdr::encode(&lone).unwrap();
    assert_eq!(bytes[4..], [1, 0, 0, 0, 0, 0xD8, 0, 0]);
    assert_eq!(cdr::decode::<Wide>(&bytes).unwrap(), lone);
    assert_eq!(
        *cdr::decode::<AsUtf8>(&bytes).unwrap_err().kind(),
        DecodeErrorKind::Surrogate(0xD800)
    );
    let mut too_wide = bytes.clone();
    too_wide[10] = 1;
    assert_eq!(
        *cdr::decode::<Wide>(&too_wide).unwrap_err().kind(),
        DecodeErrorKind::WideChar(0x1_D800)
    );
}

#[test]
fn buffers_are_found_wherever_they_are() {
    #[derive(Debug, Clone, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Album {
        title: String,
        pages: Vec<Image>,
        cover: BoundedBuffer<f32, 4>,
    }
    const { assert!(Album::HAS_BUFFERS && !Header::HAS_BUFFERS) };
    use rosidl_buffer_runtime::Field as _;
    let mut album = Album {
        pages: vec![Image::default(); 2],
        ..Album::default()
    };
    let mut names = Vec::new();
    album.for_each_buffer(&mut |name, buffer| names.push((name, buffer.element_size())));
    assert_eq!(names, [("data", 1), ("data", 1), ("cover", 4)]);
    album.for_each_buffer_mut(&mut |_, buffer| {
        if let Some(buffer) = buffer.as_any_mut().downcast_mut::<Buffer<f32>>() {
            *buffer = vec![0.0; 5].into();
        }
    });
    assert_eq!(
        cdr::encode(&album).unwrap_err().field(),
        "vec_pkg/msg/Album.cover",
        "a visitor cannot break a bound"
    );
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

#[test]
fn counts_that_nest_cannot_claim_the_payload_again_and_again() {
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Leaf {
        names: Vec<String>,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Branch {
        leaves: Vec<Leaf>,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Tree {
        branches: Vec<Branch>,
    }
    let words = 1 << 16;
    let mut bytes = vec![0, 1, 0, 0];
    for depth in 0..3u32 {
        bytes.extend((words - 1 - depth).to_le_bytes());
    }
    bytes.resize(4 + 4 * words as usize, 0);
    let error = cdr::decode::<Tree>(&bytes).unwrap_err();
    assert!(
        matches!(error.kind(), DecodeErrorKind::Nested { .. }),
        "{error}"
    );
    assert_eq!(error.field(), "vec_pkg/msg/Tree.branches[0].leaves");

    // The densest honest payload, all counts zero, is read.
    let leaf = Leaf {
        names: vec![String::new(); 1000],
    };
    let tree = Tree {
        branches: vec![
            Branch {
                leaves: vec![leaf; 10]
            };
            10
        ],
    };
    assert_eq!(
        cdr::decode::<Tree>(&cdr::encode(&tree).unwrap()).unwrap(),
        tree
    );
    let tree = Tree {
        branches: vec![
            Branch {
                leaves: vec![Leaf::default(); 100]
            };
            100
        ],
    };
    assert_eq!(
        cdr::decode::<Tree>(&cdr::encode(&tree).unwrap()).unwrap(),
        tree
    );
}

mod std_msgs {
    #[derive(Debug, Clone, PartialEq, rosidl_buffer_runtime::BufferMessage)]
    #[ros2(package = "std_msgs")]
    pub(super) struct String {
        pub(super) data: std::string::String,
    }
}
mod user {
    use super::std_msgs::String;

    #[derive(Debug, Clone, PartialEq, rosidl_buffer_runtime::BufferMessage)]
    #[ros2(package = "demo_msgs")]
    pub(super) struct Note {
        pub(super) text: String,
    }
}

#[test]
fn a_message_named_string_is_a_message() {
    let description = user::Note::type_description();
    assert_eq!(
        description.referenced_type_descriptions[0].type_name,
        "std_msgs/msg/String"
    );
    let note = user::Note {
        text: std_msgs::String { data: "hi".into() },
    };
    assert_eq!(
        cdr::decode::<user::Note>(&cdr::encode(&note).unwrap()).unwrap(),
        note
    );
}
