//! Bytes as an encoded message: two bytes pick the type, the rest is the payload. What can be decoded can be
//! encoded, and what was encoded means the same; a view agrees with it. libFuzzer's `-malloc_limit_mb` bounds what may
//! be allocated.
#![no_main]

use libfuzzer_sys::fuzz_target;
use snapshot_tests::codecs;

fuzz_target!(|bytes: &[u8]| {
    let Some((pick, payload)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let codec = codecs()[usize::from(u16::from_le_bytes(*pick)) % codecs().len()];
    if let Err(error) = (codec.round_trip)(payload).and_then(|()| (codec.check_view)(payload)) {
        panic!("{}: {error}", codec.name);
    }
});
