//! Bytes that nobody meant: every bundled type, random and damaged payloads. No panic, no allocation beyond the payload's
//! own scale, none at all for a view, and a view and decoding agree.
//!
//! `peak_alloc` counts what is allocated, so this file holds a single test: others would count too.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use peak_alloc::PeakAlloc;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde::Deserialize;
use snapshot_tests::{Codec, codecs, find, from_hex};

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// What a decoded message may own for each byte of its payload (see `cdr`), and what an error takes.
const FACTOR: usize = 8;
const SLACK: usize = 4096;

fn check(codec: &Codec, payload: Vec<u8>) -> Result<(), TestCaseError> {
    let limit = FACTOR * payload.len() + SLACK;
    let payload = Bytes::from(payload);
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let result = (codec.try_decode)(payload.clone());
    let grown = ALLOCATED.peak_usage().saturating_sub(before);
    prop_assert!(
        grown <= limit,
        "{}: {grown} bytes allocated, {limit} allowed",
        codec.name
    );
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let viewed = (codec.try_view)(&payload);
    let grown = ALLOCATED.peak_usage().saturating_sub(before);
    prop_assert!(
        grown == 0 || viewed.is_err() && grown <= SLACK,
        "{}: {grown} bytes allocated for a view",
        codec.name
    );
    prop_assert_eq!(&viewed, &result, "{}", codec.name);
    if let Err(error) = result {
        prop_assert!(error.starts_with("cannot decode "), "{error}");
        prop_assert!(
            error.contains(codec.name),
            "the error names the message: {error}"
        );
    }
    Ok(())
}

/// Half of the counts that hostile bytes spell should be small, or nothing behind the first is ever reached.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        4 => (0u32..8).prop_map(u32::to_le_bytes),
        1 => any::<u32>().prop_map(u32::to_le_bytes),
        1 => Just([0xFF; 4]),
        1 => Just(*b"2SOR"),
    ];
    (
        any::<bool>(),
        prop::collection::vec(word, 0..200),
        0usize..4,
    )
        .prop_map(|(little, words, cut)| {
            let mut bytes = vec![0, u8::from(little), 0, 0];
            bytes.extend(words.concat());
            bytes.truncate(bytes.len().saturating_sub(cut));
            bytes
        })
}

#[derive(Deserialize)]
struct Vector {
    r#type: String,
    cdr: String,
}

#[test]
fn no_bytes_make_a_decoder_panic_or_allocate_without_measure() {
    let config = Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    };
    for codec in codecs() {
        let mut runner = TestRunner::new(config.clone());
        runner
            .run(&body(), |bytes| check(codec, bytes))
            .unwrap_or_else(|error| panic!("{}: {error}", codec.name));
    }
    // Real payloads with one byte changed, and cut short: these get deeper than random ones.
    for line in include_str!("../data/cdr_vectors.jsonl").lines() {
        let vector: Vector = serde_json::from_str(line).unwrap();
        let Some(codec) = find(&vector.r#type) else {
            continue;
        };
        let bytes = from_hex(&vector.cdr).unwrap();
        let damage = (0..bytes.len(), any::<u8>(), 0..=bytes.len());
        let mut runner = TestRunner::new(Config {
            cases: 8,
            ..config.clone()
        });
        let run = runner.run(&damage, |(index, byte, len)| {
            let mut damaged = bytes.clone();
            damaged[index] = byte;
            check(codec, damaged.clone())?;
            prop_assert_eq!((codec.check_view)(&damaged), Ok(()));
            damaged.truncate(len);
            check(codec, damaged)
        });
        run.unwrap_or_else(|error| panic!("{}: {error}", codec.name));
    }
}
