//! What types and attributes say of fields: defaults, bounds, wide strings, buffers.

#![forbid(unsafe_code)] // what the derive emits has to pass
#![allow(clippy::unwrap_used)]

mod common;

use common::{Edge, Header, Image, edge};
use rosidl_buffer_runtime::{
    BoundedBuffer, Buffer, BufferMessage, DecodeErrorKind, Message, WString, cdr,
};

#[test]
fn defaults_are_those_declared() {
    let edge = Edge::default();
    assert_eq!(edge.c, [1, 2]);
    assert_eq!((edge.f, edge.g, edge.m, edge.n.as_str()), (5, 65, 1.0, "x"));
    assert_eq!(edge.l, [true, false]);
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

/// As hostile payloads go: each empty string is four bytes there and 24 in memory.
#[test]
fn sequences_of_wide_strings_take_the_memory_that_they_need() {
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Words {
        #[ros2(wstring)]
        words: Vec<String>,
    }
    let words = Words {
        words: vec![String::new(); 32_769],
    };
    let bytes = cdr::encode(&words).unwrap();
    let decoded = cdr::decode::<Words>(&bytes).unwrap();
    assert_eq!(decoded, words);
    assert!(decoded.words.capacity() * size_of::<String>() <= 8 * bytes.len());

    #[derive(Debug, Clone, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Pages {
        pages: Vec<Words>,
    }
    // Each count fits into what is left, both together do not.
    let mut bytes = vec![0, 1, 0, 0];
    bytes.extend(999u32.to_le_bytes());
    bytes.extend(998u32.to_le_bytes());
    bytes.resize(4 + 4000, 0);
    let error = cdr::decode::<Pages>(&bytes).unwrap_err();
    assert!(
        matches!(error.kind(), DecodeErrorKind::Nested { .. }),
        "{error}"
    );
    assert_eq!(error.field(), "vec_pkg/msg/Pages.pages[0].words");
    assert_eq!(cdr::view::<Pages>(&bytes).unwrap_err(), error);
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

/// Types as generated code spells them: the derive knows what is in them, and what that is.
#[test]
fn absolute_paths_of_strings_and_sequences_are_what_they_say() {
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Name {
        text: ::std::string::String,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "vec_pkg")]
    struct Names {
        names: ::std::vec::Vec<Name>,
        words: ::std::vec::Vec<::std::string::String>,
        numbers: [u8; 4],
    }
    let name = |text: &str| Name { text: text.into() };
    let names = Names {
        names: vec![name("a"), name("a longer one"), name(""), name("last")],
        words: vec!["x".into(), "yy".into()],
        numbers: [1, 2, 3, 4],
    };
    let bytes = cdr::encode(&names).unwrap();
    assert_eq!(cdr::decode::<Names>(&bytes).unwrap(), names);
    let view = cdr::view::<Names>(&bytes).unwrap();
    for (index, name) in names.names.iter().enumerate() {
        assert_eq!(view.names.get(index).unwrap().text, name.text);
    }
    assert_eq!(view.words.get(1), Some("yy"));
    names.for_each_buffer(&mut |name, _| panic!("{name} is no buffer"));
}
