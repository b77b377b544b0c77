//! What decoding refuses a view refuses, with the same error.

use std::fmt::Debug;

use rosidl_buffer_runtime::{
    BoundedBuffer, BoundedSequence, BoundedWString, Buffer, BufferMessage, DecodeError,
    DecodeErrorKind, Message, WString, cdr,
};

use crate::messages::{Everything, Nothing, everything};

/// The error that both give.
pub(crate) fn error<M: Message + Debug>(bytes: &[u8]) -> DecodeError {
    let error = cdr::decode::<M>(bytes).unwrap_err();
    assert_eq!(cdr::view::<M>(bytes).unwrap_err(), error);
    error
}

#[test]
fn a_cut_message_is_refused_as_decoding_refuses_it() {
    let bytes = cdr::encode(&everything()).unwrap();
    for len in 0..bytes.len() {
        error::<Everything>(&bytes[..len]);
    }
    // The same words in the other byte order: most are refused for a count, some run out.
    let mut turned = bytes.clone();
    turned[1] = 0;
    for len in 0..turned.len() {
        error::<Everything>(&turned[..len]);
    }
    let mut tail = bytes;
    tail.extend([0xAB; 9]);
    assert_eq!(cdr::view::<Everything>(&tail).unwrap().last, 77);
}

#[test]
fn a_changed_byte_is_read_or_refused_as_decoding_does() {
    let bytes = cdr::encode(&everything()).unwrap();
    let mut refused = 0;
    for index in 0..bytes.len() {
        for bit in [0x01, 0x80] {
            let mut damaged = bytes.clone();
            damaged[index] ^= bit;
            match cdr::decode::<Everything>(&damaged) {
                Ok(message) => {
                    let view = cdr::view::<Everything>(&damaged).unwrap();
                    assert_eq!(view.text, message.text);
                    assert_eq!(
                        view.wide_list,
                        message
                            .wide_list
                            .iter()
                            .map(String::as_str)
                            .collect::<Vec<_>>()
                    );
                    assert_eq!(view.last, message.last);
                }
                Err(refusal) => {
                    assert_eq!(cdr::view::<Everything>(&damaged).unwrap_err(), refusal);
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 50, "only {refused}");
}

#[test]
fn hostile_counts_are_refused_before_anything_is_looped_over() {
    let words = |words: &[u32]| -> Vec<u8> {
        let body = words.iter().flat_map(|word| word.to_le_bytes());
        [0, 1, 0, 0].into_iter().chain(body).collect()
    };
    #[derive(Debug, Clone, BufferMessage)]
    #[ros2(package = "view_msgs")]
    struct Empties {
        items: Vec<Nothing>,
    }
    let refusal = error::<Empties>(&words(&[u32::MAX - 1, 0]));
    assert!(matches!(refusal.kind(), DecodeErrorKind::Count { .. }));

    #[derive(Debug, Clone, BufferMessage)]
    #[ros2(package = "view_msgs")]
    struct Inner {
        items: Vec<String>,
    }
    #[derive(Debug, Clone, BufferMessage)]
    #[ros2(package = "view_msgs")]
    struct Outer {
        items: Vec<Inner>,
    }
    // Each count fits what is left, all of them together do not.
    let mut nested = vec![1000];
    nested.extend((0..1000).rev());
    let refusal = error::<Outer>(&words(&nested));
    assert!(
        matches!(refusal.kind(), DecodeErrorKind::Nested { .. }),
        "{refusal}"
    );
    assert!(
        refusal
            .field()
            .starts_with("view_msgs/msg/Outer.items[0].items"),
        "{refusal}"
    );
}

#[test]
fn bounds_strings_and_descriptors_are_checked_as_by_decoding() {
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "view_msgs")]
    struct Loose {
        texts: Vec<String>,
        #[ros2(wstring)]
        wides: Vec<String>,
        buffer: Vec<u8>,
        sequence: Vec<u16>,
        wide: WString,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "view_msgs")]
    struct Tight {
        #[ros2(bound = 2, string_bound = 2)]
        texts: Vec<String>,
        #[ros2(wstring, bound = 2, string_bound = 2)]
        wides: Vec<String>,
        buffer: BoundedBuffer<u8, 2>,
        sequence: BoundedSequence<u16, 2>,
        wide: BoundedWString<2>,
    }
    let fits = Loose {
        texts: vec!["äß".into(); 2],
        wides: vec!["😀😀".into(); 2],
        buffer: vec![1, 2],
        sequence: vec![1, 2],
        wide: "😀😀".into(),
    };
    let bytes = cdr::encode(&fits).unwrap();
    assert_eq!(cdr::view::<Tight>(&bytes).unwrap().texts, ["äß", "äß"]);
    let refused = |change: fn(&mut Loose)| {
        let mut message = fits.clone();
        change(&mut message);
        let refusal = error::<Tight>(&cdr::encode(&message).unwrap());
        assert!(
            matches!(refusal.kind(), DecodeErrorKind::Bound(_)),
            "{refusal}"
        );
        refusal.field()
    };
    assert_eq!(
        refused(|m| m.texts.push(String::new())),
        "view_msgs/msg/Tight.texts"
    );
    assert_eq!(
        refused(|m| m.texts[1].push('x')),
        "view_msgs/msg/Tight.texts"
    );
    assert_eq!(
        refused(|m| m.wides.push(String::new())),
        "view_msgs/msg/Tight.wides"
    );
    assert_eq!(
        refused(|m| m.wides[1].push('x')),
        "view_msgs/msg/Tight.wides"
    );
    assert_eq!(refused(|m| m.buffer.push(0)), "view_msgs/msg/Tight.buffer");
    assert_eq!(
        refused(|m| m.sequence.push(0)),
        "view_msgs/msg/Tight.sequence"
    );
    assert_eq!(
        refused(|m| m.wide = "abc".into()),
        "view_msgs/msg/Tight.wide"
    );

    #[derive(Debug, Clone, BufferMessage)]
    #[ros2(package = "view_msgs")]
    struct Data {
        data: Buffer<u8>,
    }
    let refusal = error::<Data>(b"\0\x01\0\0\xFF\xFF\xFF\xFF2SOR\x05\0\0\0cuda\0");
    assert_eq!(
        *refusal.kind(),
        DecodeErrorKind::UnknownBackend("cuda".into())
    );

    #[derive(Debug, Clone, BufferMessage)]
    #[ros2(package = "view_msgs")]
    struct Texts {
        #[ros2(wstring)]
        wide: String,
        text: String,
    }
    let refusal = error::<Texts>(b"\0\x01\0\0\x01\0\0\0\0\xD8\0\0\0\0\0\0");
    assert_eq!(*refusal.kind(), DecodeErrorKind::Surrogate(0xD800));
    let refusal = error::<Texts>(b"\0\x01\0\0\x01\0\0\0\0\0\x01\0\0\0\0\0");
    assert_eq!(*refusal.kind(), DecodeErrorKind::WideChar(0x1_0000));
    let refusal = error::<Texts>(b"\0\x01\0\0\0\0\0\0\x03\0\0\0a\xFF\0");
    assert_eq!(*refusal.kind(), DecodeErrorKind::Utf8(1));
    // Writers that leave the NUL out, or the empty string's count at 0, are understood.
    let bytes = b"\0\x01\0\0\0\0\0\0\x01\0\0\0a";
    assert_eq!(cdr::view::<Texts>(bytes).unwrap().text, "a");
}
