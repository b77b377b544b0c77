//! Frames that show where they come from: the number at the start of every page, and a checksum over number and length at the
//! end. And descriptors as text.

use std::fmt::Write as _;

use rosidl_buffer_runtime::{cdr, shm::ShmBufferDescriptor};

const STEP: usize = 4096;

fn checksum(number: u64, len: usize) -> u64 {
    (number ^ 0x9E37_79B9_7F4A_7C15)
        .wrapping_mul(0xD6E8_FEB8_6659_FD93)
        .rotate_left(29)
        ^ len as u64
}

/// Makes `bytes` frame `number`; at least 16 bytes.
pub(crate) fn stamp(bytes: &mut [u8], number: u64) {
    let len = bytes.len();
    let (pages, end) = bytes.split_at_mut(len - 8);
    for page in pages.chunks_mut(STEP) {
        if let Some(start) = page.first_chunk_mut() {
            *start = number.to_le_bytes();
        }
    }
    end.copy_from_slice(&checksum(number, len).to_le_bytes());
}

/// The number of a frame that is whole.
pub(crate) fn check(bytes: &[u8]) -> Result<u64, String> {
    let (pages, end) = bytes.split_at(bytes.len() - 8);
    let number = u64::from_le_bytes(*bytes.first_chunk().ok_or("too short")?);
    for (index, page) in pages.chunks(STEP).enumerate() {
        match page.first_chunk() {
            Some(start) if u64::from_le_bytes(*start) != number => {
                let other = u64::from_le_bytes(*start);
                return Err(format!(
                    "torn: page {index} of frame {number} is of {other}"
                ));
            }
            _ => {}
        }
    }
    if *end != checksum(number, bytes.len()).to_le_bytes() {
        return Err(format!("torn: frame {number} has the end of another"));
    }
    Ok(number)
}

/// The descriptor's encoding as hexadecimal digits.
pub(crate) fn to_hex(descriptor: &ShmBufferDescriptor) -> String {
    cdr::encode(descriptor)
        .unwrap()
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
}

/// The way back; the text comes from a process of these tests.
pub(crate) fn from_hex(text: &str) -> ShmBufferDescriptor {
    let digits = text.as_bytes().chunks(2);
    let bytes: Vec<u8> = digits
        .map(|digits| u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap())
        .collect();
    cdr::decode(&bytes).unwrap()
}

#[test]
fn a_torn_frame_is_noticed() {
    let (mut old, mut new) = (vec![0; 20_000], vec![0; 20_000]);
    stamp(&mut old, 6);
    stamp(&mut new, 7);
    assert_eq!(check(&new), Ok(7));
    for cut in [8, 4_100, 12_288, 19_992] {
        let torn = [&new[..cut], &old[cut..]].concat();
        assert!(check(&torn).is_err(), "cut at {cut}");
    }
}
