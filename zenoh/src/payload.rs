//! The payload of a sample before it is decoded: whether it may describe memory, and its bytes in one piece.

use bytes::Bytes;
use zenoh::bytes::ZBytes;

/// Whether the words that begin a descriptor stand anywhere in a payload where words stand: if not, it is bytes and needs
/// no hurry. That they stand there by chance costs an early decoding, and nothing else.
pub(crate) fn may_describe<'a>(slices: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut marked = false;
    let mut found = |word: [u8; 4]| {
        let magic = marked && (word == *b"2SOR" || word == *b"ROS2");
        marked = word == [0xFF; 4];
        magic
    };
    // A word may lie across the border of two slices.
    let (mut part, mut filled) = ([0; 4], 0);
    for mut slice in slices {
        if filled > 0 {
            let taken = slice.len().min(4 - filled);
            part[filled..filled + taken].copy_from_slice(&slice[..taken]);
            filled += taken;
            slice = &slice[taken..];
            if filled < 4 {
                continue;
            }
            if found(part) {
                return true;
            }
        }
        let (words, rest) = slice.as_chunks();
        if words.iter().any(|word| found(*word)) {
            return true;
        }
        part[..rest.len()].copy_from_slice(rest);
        filled = rest.len();
    }
    false
}

/// The payload as one piece: Zenoh's own memory when it is one already, else copied once.
pub(crate) fn contiguous(payload: ZBytes) -> Bytes {
    struct Owner(ZBytes);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            self.0.slices().next().unwrap_or_default()
        }
    }
    if payload.slices().count() > 1 {
        return Bytes::from(payload.to_bytes().into_owned());
    }
    Bytes::from_owner(Owner(payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_found_wherever_slices_end() {
        let mut payload = vec![7; 20];
        payload.extend(*b"\xff\xff\xff\xff2SOR");
        payload.extend([7; 9]);
        for first in 0..payload.len() {
            for second in first..payload.len() {
                let slices = [
                    &payload[..first],
                    &payload[first..second],
                    &payload[second..],
                ];
                assert!(may_describe(slices.into_iter()), "{first} {second}");
                let misplaced = [&payload[1..=first.max(1)], &payload[first.max(1) + 1..]];
                assert!(!may_describe(misplaced.into_iter()), "{first}");
            }
        }
        let other_order = [&b"\0\0\0\0\xff\xff\xff\xffROS2"[..]];
        assert!(may_describe(other_order.into_iter()));
        for bytes in [&[0xFF; 64][..], b"2SOR2SOR", b"\xff\xff\xff\xff", b""] {
            assert!(!may_describe([bytes].into_iter()), "{bytes:?}");
        }
    }
}
