//! Bytes that are no message: errors that say what is wrong and where.

#![forbid(unsafe_code)] // what the derive emits has to pass
#![allow(clippy::unwrap_used)]

mod common;

use common::Header;
use rosidl_buffer_runtime::{Buffer, BufferMessage, DecodeErrorKind, cdr};

#[derive(Debug, Clone, BufferMessage)]
#[ros2(package = "vec_pkg")]
struct Long {
    items: Vec<f64>,
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
    let error = cdr::decode::<Long>(&bytes).unwrap_err();
    assert!(
        matches!(error.kind(), DecodeErrorKind::Count { .. }),
        "{error}"
    );
    assert_eq!(error.field(), "vec_pkg/msg/Long.items");

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
