//! RVL, a lossless code for depth: runs of zeros, then runs of differences, each number in nibbles of three bits and one that says
//! whether more follow; eight nibbles are a little-endian word, the first in its highest bits.
//!
//! Bytes come in, numbers of 16 bits go out, and back. Bytes come from strangers: each run is compared with what is left.

/// `pixels` numbers; `None` when the bytes end before, or a run goes beyond. Memory grows with what was read.
pub(super) fn decode(bytes: &[u8], pixels: usize) -> Option<Vec<u16>> {
    let mut nibbles = bytes.as_chunks::<4>().0.iter().flat_map(|word| {
        let word = u32::from_le_bytes(*word);
        (0..8).rev().map(move |at| word >> (4 * at) & 0xF)
    });
    let mut number = || {
        let mut number = 0;
        for shift in (0..30).step_by(3) {
            let nibble = nibbles.next()?;
            number |= (nibble & 7) << shift;
            if nibble & 8 == 0 {
                return Some(number);
            }
        }
        None
    };
    let mut out = Vec::new();
    let mut previous = 0_u16;
    while out.len() < pixels {
        let zeros = usize::try_from(number()?).ok()?;
        let end = out.len().checked_add(zeros).filter(|&end| end <= pixels)?;
        out.resize(end, 0);
        let others = usize::try_from(number()?).ok()?;
        let end = end.checked_add(others).filter(|&end| end <= pixels)?;
        while out.len() < end {
            let difference = number()?;
            // Signs are folded: 0, -1, 1, -2, …
            let sign = 0_u32.wrapping_sub(difference & 1);
            let [low, high, ..] = ((difference >> 1) ^ sign).to_le_bytes();
            previous = previous.wrapping_add(u16::from_le_bytes([low, high]));
            out.push(previous);
        }
    }
    Some(out)
}

pub(super) fn encode(pixels: &[u16]) -> Vec<u8> {
    let (mut out, mut word, mut filled) = (Vec::new(), 0_u32, 0);
    let mut put = |mut number: u32| {
        loop {
            let more = u32::from(number > 7) << 3;
            word = word << 4 | more | number & 7;
            number >>= 3;
            filled += 1;
            if filled == 8 {
                out.extend(word.to_le_bytes());
                (word, filled) = (0, 0);
            }
            if more == 0 {
                return;
            }
        }
    };
    // A run is at most an image, which has fewer pixels than a number has values.
    let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    let (mut left, mut previous) = (pixels, 0_u16);
    while !left.is_empty() {
        let zeros = left.iter().take_while(|&&pixel| pixel == 0).count();
        let (_, rest) = left.split_at(zeros);
        let others = rest.iter().take_while(|&&pixel| pixel != 0).count();
        let (run, rest) = rest.split_at(others);
        put(count(zeros));
        put(count(others));
        for &pixel in run {
            let difference = i32::from(pixel) - i32::from(previous);
            put(((difference << 1) ^ (difference >> 31)).cast_unsigned());
            previous = pixel;
        }
        left = rest;
    }
    if filled > 0 {
        out.extend((word << (4 * (8 - filled))).to_le_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_by_hand() {
        // Two zeros; two others: +1000 = 2000 folded = 0o3720 in nibbles 0, 2, 7, 3 from the lowest; -1 = 1 folded; padding.
        let nibbles = [2, 2, 8, 2 + 8, 7 + 8, 3, 1, 0_u32];
        let word = nibbles.iter().fold(0, |word, nibble| word << 4 | nibble);
        let pixels = [0, 0, 1000, 999];
        assert_eq!(decode(&word.to_le_bytes(), 4).unwrap(), pixels);
        assert_eq!(encode(&pixels), word.to_le_bytes());
    }

    #[test]
    fn all_differences_come_back() {
        let pixels = [0, 65535, 1, 65535, 0, 0, 7, 8, 9, 0, 32768, 1, 0];
        for end in 0..=pixels.len() {
            let encoded = encode(&pixels[..end]);
            assert_eq!(decode(&encoded, end).unwrap(), pixels[..end]);
        }
        let long = vec![0_u16; 100_000];
        assert_eq!(encode(&long).len(), 4); // six nibbles for the zeros, one for no others
        assert_eq!(decode(&encode(&long), long.len()).unwrap(), long);
    }

    #[test]
    fn what_goes_beyond_is_refused() {
        let encoded = encode(&[0, 5, 6]);
        assert_eq!(decode(&encoded, 2), None, "a run goes beyond");
        assert_eq!(decode(&encoded[..3], 3), None, "no whole word");
        assert_eq!(decode(&encoded, 400), None, "the bytes end");
        assert_eq!(decode(&[0xFF; 400], 3), None, "a number has no end");
    }
}
