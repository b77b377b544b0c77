//! Sequences, arrays and buffers: slices, items by index, either byte order.

use rosidl_buffer_runtime::{Buffer, BufferMessage, SeqRef, View, cdr};

use crate::messages::{Everything, Padded, Runs, everything, padded, placed, runs};
use crate::refusals::error;

fn check_runs(view: View<'_, Runs>) {
    assert_eq!(view.bytes, [1, 2, 3, 4, 5]);
    assert_eq!(view.bytes.as_bytes(), Some(&[1, 2, 3, 4, 5][..]));
    assert_eq!(view.bytes.as_slice(), Some(&[1, 2, 3, 4, 5][..]));
    assert_eq!(view.floats, [1.5, 2.5]);
    assert_eq!(view.doubles, [3.5, 4.5, 5.5]);
    let mut copy = [0.0; 3];
    view.doubles.copy_to_slice(&mut copy);
    assert_eq!(copy, [3.5, 4.5, 5.5]);
    assert_eq!(view.doubles.get(2), Some(5.5));
    assert_eq!(view.points.to_vec(), runs().points);
    let by_index = (0..3).map(|index| view.points.get(index).unwrap().x);
    assert!(by_index.eq(view.points.iter().map(|point| point.x)));
}

#[test]
fn slices_are_there_where_memory_is_aligned_and_items_everywhere() {
    let bytes = cdr::encode(&runs()).unwrap();
    for offset in 0..=8 {
        let (room, start) = placed(&bytes, offset);
        let view = cdr::view::<Runs>(&room[start..start + bytes.len()]).unwrap();
        check_runs(view);
        assert_eq!(
            view.floats.as_slice().is_some(),
            offset % 4 == 0,
            "{offset}"
        );
        assert_eq!(
            view.doubles.as_slice().is_some(),
            offset % 8 == 0,
            "{offset}"
        );
        assert_eq!(
            view.points.as_slice(),
            (offset % 8 == 0).then_some(&runs().points[..])
        );
        assert_eq!(view.doubles.as_bytes().unwrap()[..8], 3.5f64.to_le_bytes());
    }
}

#[test]
fn empty_runs_are_empty_slices_and_other_items_have_none() {
    let message = Runs {
        bytes: Buffer::new(),
        doubles: vec![],
        points: vec![],
        ..runs()
    };
    let bytes = cdr::encode(&message).unwrap();
    let view = cdr::view::<Runs>(&bytes).unwrap();
    assert_eq!(view.bytes.as_slice(), Some(&[][..]));
    assert_eq!(view.doubles.as_bytes(), Some(&[][..]));
    assert!(view.points.is_empty() && view.points.get(0).is_none());
    let bytes = cdr::encode(&everything()).unwrap();
    let view = cdr::view::<Everything>(&bytes).unwrap();
    assert!(view.names.as_slice().is_none() && view.names.as_bytes().is_none());
    assert!(view.padded.as_slice().is_none() && view.padded.as_bytes().is_none());
}

#[test]
fn big_endian_is_read_item_by_item() {
    let mut bytes = vec![0, 0, 0, 0];
    bytes.extend(1u32.to_be_bytes());
    bytes.extend(5u32.to_be_bytes());
    bytes.extend([1, 2, 3, 4, 5, 0, 0, 0]);
    bytes.extend(2u32.to_be_bytes());
    bytes.extend([1.5f32, 2.5].map(f32::to_be_bytes).concat());
    bytes.extend(3u32.to_be_bytes());
    bytes.extend([3.5f64, 4.5, 5.5].map(f64::to_be_bytes).concat());
    bytes.extend(3u32.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(
        [0.0f64, 0.0, 1.0, -1.0, 2.0, -2.0]
            .map(f64::to_be_bytes)
            .concat(),
    );
    assert_eq!(cdr::decode::<Runs>(&bytes).unwrap(), runs());
    let view = cdr::view::<Runs>(&bytes).unwrap();
    check_runs(view);
    assert!(view.floats.as_slice().is_none() && view.floats.as_bytes().is_none());
    assert!(view.points.as_slice().is_none());
    for len in 0..bytes.len() {
        error::<Runs>(&bytes[..len]);
    }
}

#[test]
fn items_of_one_length_are_found_at_once_wherever_the_run_starts() {
    macro_rules! at {
        ($($len:literal)*) => {$({
            #[derive(Debug, Clone, PartialEq, BufferMessage)]
            #[ros2(package = "view_msgs")]
            struct Shifted {
                before: [u8; $len],
                padded: [Padded; 6],
                flags: Vec<bool>,
            }
            let message = Shifted {
                before: [0; $len],
                padded: padded(6).try_into().unwrap(),
                flags: vec![true, false, false, true, true],
            };
            let bytes = cdr::encode(&message).unwrap();
            let view = cdr::view::<Shifted>(&bytes).unwrap();
            for (index, item) in message.padded.iter().enumerate() {
                let found = view.padded.get(index).unwrap();
                assert_eq!(
                    (found.first, found.number, found.last),
                    (item.first, item.number, item.last),
                );
            }
            let flags: Vec<_> = (0..5).map(|index| view.flags.get(index).unwrap()).collect();
            assert_eq!(flags, message.flags);
        })*};
    }
    at!(1 2 3 4 5 6 7 8);
}

#[test]
fn iterators_know_their_length() {
    let bytes = cdr::encode(&everything()).unwrap();
    let names: SeqRef<'_, String> = cdr::view::<Everything>(&bytes).unwrap().names;
    let mut iter = names.iter();
    assert_eq!(iter.len(), 2);
    assert_eq!(iter.next(), Some("left"));
    assert_eq!(iter.clone().collect::<Vec<_>>(), ["right"]);
    assert_eq!(format!("{iter:?}"), "SeqIter([\"right\"])");
    assert_eq!(
        (iter.len(), iter.next(), iter.next(), iter.len()),
        (1, Some("right"), None, 0)
    );
}

#[test]
#[should_panic(expected = "a slice of 2 items cannot take 3")]
fn a_copy_needs_a_slice_of_its_length() {
    let bytes = cdr::encode(&runs()).unwrap();
    let view = cdr::view::<Runs>(&bytes).unwrap();
    view.doubles.copy_to_slice(&mut [0.0; 2]);
}
