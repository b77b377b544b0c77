//! What the markers of a JPEG file say before it is decoded: a file comes in; whether it has an end, and how much memory its
//! decoder takes, go out. Markers: ITU-T T.81, annex B.

/// A coefficient, for each component of a pixel.
const COEFFICIENT: u64 = 2;
/// As many components as there are in a pixel at most.
const COMPONENTS: u64 = 4;

const START_OF_SCAN: u8 = 0xDA;
const END_OF_IMAGE: u8 = 0xD9;

/// Whether the file's last scan has an end. In what is before a scan there may be whole files: small pictures of cameras.
pub(super) fn is_whole(file: &[u8]) -> bool {
    let is = |marker: u8| move |bytes: &[u8]| bytes == [0xFF, marker];
    let scan = file.windows(2).rposition(is(START_OF_SCAN));
    // No marker is a part of a scan's own bytes.
    scan.is_some_and(|scan| file[scan..].windows(2).any(is(END_OF_IMAGE)))
}

/// Bytes that a decoder keeps for each pixel beside the pixel itself: all coefficients of an image that comes in several scans, each of
/// which may change any. A file that cannot be read up to its first scan is taken for the worst there is.
pub(super) fn kept_per_pixel(file: &[u8]) -> u64 {
    let worst = COEFFICIENT * COMPONENTS;
    first_scan(file).unwrap_or(worst)
}

fn first_scan(file: &[u8]) -> Option<u64> {
    let mut frame = None;
    let mut rest = file.get(2..)?;
    loop {
        let (&[start, marker], after) = rest.split_first_chunk()?;
        if start != 0xFF {
            return None;
        }
        match marker {
            0xFF => {
                rest = rest.get(1..)?; // filled up
                continue;
            }
            0x01 | 0xD0..=0xD7 => {
                rest = after; // nothing but the marker
                continue;
            }
            _ => {}
        }
        let (&length, _) = after.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(length));
        let segment = after.get(2..length)?;
        match marker {
            // Tables have numbers among those of frames.
            0xC4 | 0xC8 | 0xCC => {}
            0xC0..=0xCF => {
                let is_progressive = matches!(marker, 0xC2 | 0xC6 | 0xCA | 0xCE);
                frame = Some((is_progressive, *segment.get(5)?));
            }
            START_OF_SCAN => {
                let (is_progressive, components) = frame?;
                let is_single = !is_progressive && *segment.first()? >= components;
                return Some(if is_single {
                    0
                } else {
                    COEFFICIENT * u64::from(components)
                });
            }
            _ => {}
        }
        rest = after.get(length..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As far as the first scan, of one or all of three components.
    fn file(frame: u8, in_scan: u8) -> Vec<u8> {
        let mut file = vec![0xFF, 0xD8, 0xFF, 0xC4, 0, 3, 0, 0xFF, 0xFF, frame, 0, 8];
        file.extend([8, 0, 16, 0, 16, 3]);
        file.extend([0xFF, START_OF_SCAN, 0, 3, in_scan]);
        file
    }

    #[test]
    fn what_comes_in_several_scans_takes_more() {
        assert_eq!(kept_per_pixel(&file(0xC0, 3)), 0);
        assert_eq!(kept_per_pixel(&file(0xC0, 1)), 6);
        assert_eq!(kept_per_pixel(&file(0xC2, 3)), 6);
        let baseline = file(0xC0, 3);
        for len in 0..baseline.len() {
            assert_eq!(kept_per_pixel(&baseline[..len]), 8, "{len}");
        }
    }

    #[test]
    fn the_end_of_a_small_picture_before_the_scan_is_not_the_end() {
        let mut file = vec![0xFF, 0xD8, 0xFF, 0xE1, 0, 8];
        file.extend([0xFF, START_OF_SCAN, 1, 2, 0xFF, END_OF_IMAGE]);
        file.extend([0xFF, START_OF_SCAN, 7, 7]);
        assert!(!is_whole(&file));
        file.extend([0xFF, END_OF_IMAGE]);
        assert!(is_whole(&file));
        assert!(!is_whole(&[]));
    }
}
