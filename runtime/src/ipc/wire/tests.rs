//! What is written is read again, and whatever else comes in is an error.

use proptest::prelude::*;

use super::*;

fn extra() -> impl Strategy<Value = Extra> {
    proptest::collection::vec(any::<u8>(), 0..=Extra::MAX)
        .prop_map(|bytes| Extra::try_from(&bytes[..]).unwrap())
}

fn to_writer() -> impl Strategy<Value = ToWriter> {
    prop_oneof![
        any::<[u8; 16]>().prop_map(|reader| ToWriter::Hello { reader }),
        any::<u64>().prop_map(|block| ToWriter::Need { block }),
        any::<u64>().prop_map(|block| ToWriter::Failed { block }),
    ]
}

fn to_reader() -> impl Strategy<Value = ToReader> {
    prop_oneof![
        any::<[u8; 16]>().prop_map(|writer| ToReader::Welcome { writer }),
        Just(ToReader::Common),
        (any::<u64>(), 1..=isize::MAX as u64, extra())
            .prop_map(|(block, size, extra)| ToReader::Block { block, size, extra }),
        any::<u64>().prop_map(|block| ToReader::Retire { block }),
        (0..Refusal::ALL.len()).prop_map(|i| ToReader::Refused {
            reason: Refusal::ALL[i].1
        }),
    ]
}

fn bytes(write: impl Fn(&mut [u8; MAX_MESSAGE]) -> usize) -> Vec<u8> {
    let mut out = [0xee; MAX_MESSAGE];
    let len = write(&mut out);
    out[..len].to_vec()
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { 2 } else { 500 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn messages_to_a_writer_come_back(message in to_writer()) {
        let bytes = bytes(|out| message.write(out));
        prop_assert_eq!(ToWriter::parse(&bytes), Ok(message));
        for cut in 0..bytes.len() {
            prop_assert!(ToWriter::parse(&bytes[..cut]).is_err());
        }
        prop_assert!(ToReader::parse(&bytes).is_err(), "the other direction");
    }

    #[test]
    fn messages_to_a_reader_come_back(message in to_reader()) {
        let bytes = bytes(|out| message.write(out));
        prop_assert_eq!(ToReader::parse(&bytes), Ok(message));
        for cut in 0..bytes.len() {
            prop_assert!(ToReader::parse(&bytes[..cut]).is_err());
        }
        prop_assert!(ToWriter::parse(&bytes).is_err(), "the other direction");
    }

    /// A message that is read at all is the only one that is written so: nothing is guessed, filled in or left over.
    #[test]
    fn any_bytes_are_a_message_or_an_error(
        kind in prop_oneof![any::<u8>(), Just(HELLO), Just(NEED), Just(FAILED), Just(WELCOME), Just(BLOCK), Just(RETIRE), Just(REFUSED), Just(COMMON)],
        greeting in any::<bool>(),
        rest in proptest::collection::vec(any::<u8>(), 0..MAX_MESSAGE),
    ) {
        let mut message = vec![kind];
        if greeting {
            message.extend_from_slice(&MAGIC);
            message.extend_from_slice(&VERSION.to_le_bytes());
        }
        message.extend_from_slice(&rest);
        message.truncate(MAX_MESSAGE);
        if let Ok(read) = ToWriter::parse(&message) {
            prop_assert_eq!(&bytes(|out| read.write(out)), &message);
        }
        if let Ok(read) = ToReader::parse(&message) {
            prop_assert_eq!(&bytes(|out| read.write(out)), &message);
        }
    }
}

/// What two builds must agree on.
#[test]
fn bytes_on_the_wire() {
    let hello = ToWriter::Hello {
        reader: *b"0123456789abcdef",
    };
    assert_eq!(
        bytes(|out| hello.write(out)),
        b"\x01RBuf\x01\x000123456789abcdef"
    );
    assert_eq!(
        bytes(|out| ToWriter::Need { block: 0x0102 }.write(out)),
        b"\x02\x02\x01\0\0\0\0\0\0"
    );
    assert_eq!(
        bytes(|out| ToWriter::Failed { block: 0x0102 }.write(out)),
        b"\x03\x02\x01\0\0\0\0\0\0"
    );
    let welcome = ToReader::Welcome {
        writer: *b"0123456789abcdef",
    };
    assert_eq!(
        bytes(|out| welcome.write(out)),
        b"\x81RBuf\x01\x000123456789abcdef"
    );
    assert_eq!(bytes(|out| ToReader::Common.write(out)), b"\x85");
    let extra = Extra::try_from(&b"xy"[..]).unwrap();
    let block = ToReader::Block {
        block: 7,
        size: 4096,
        extra,
    };
    assert_eq!(
        bytes(|out| block.write(out)),
        b"\x82\x07\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\x02xy"
    );
    assert_eq!(
        bytes(|out| ToReader::Retire { block: 7 }.write(out)),
        b"\x83\x07\0\0\0\0\0\0\0"
    );
    let refused = ToReader::Refused {
        reason: Refusal::Version,
    };
    assert_eq!(bytes(|out| refused.write(out)), b"\x84\x02");
}

#[test]
fn each_field_is_checked() {
    assert_eq!(ToWriter::parse(b""), Err(WireError::Short("kind")));
    assert_eq!(
        ToWriter::parse(b"\x01HTTP\x01\x000123456789abcdef"),
        Err(WireError::Magic)
    );
    assert_eq!(
        ToWriter::parse(b"\x01RBuf\x02\x00whatever"),
        Err(WireError::Version(2))
    );
    assert_eq!(
        ToReader::parse(b"\x81RBuf\x00\x000123456789abcdef"),
        Err(WireError::Version(0))
    );
    assert_eq!(
        ToReader::parse(b"\x02\0\0\0\0\0\0\0\0"),
        Err(WireError::Kind(NEED))
    );
    assert_eq!(
        ToReader::parse(b"\x83\0\0\0\0\0\0\0\0!"),
        Err(WireError::Long(1))
    );
    assert_eq!(
        ToReader::parse(b"\x84\0"),
        Err(WireError::Field {
            field: "reason",
            value: 0
        })
    );
    for size in [0, isize::MAX as u64 + 1, u64::MAX] {
        let block = ToReader::Block {
            block: 1,
            size,
            extra: Extra::EMPTY,
        };
        let error = WireError::Field {
            field: "size",
            value: size,
        };
        assert_eq!(ToReader::parse(&bytes(|out| block.write(out))), Err(error));
    }
    let mut block = b"\x82\x07\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0".to_vec();
    block.push(129);
    block.extend_from_slice(&[0; 129]);
    let error = WireError::Field {
        field: "extra",
        value: 129,
    };
    assert_eq!(ToReader::parse(&block), Err(error.clone()));
    assert_eq!(Extra::try_from(&[0; 129][..]), Err(error));
}
