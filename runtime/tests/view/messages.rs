//! Messages of every kind of field, with values.

use rosidl_buffer_runtime::{
    BoundedBuffer, BoundedSequence, BoundedString, BoundedWString, Buffer, BufferMessage, WString,
};

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "view_msgs")]
#[repr(C)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// Neither plain nor of one length everywhere: 10 bytes after an odd place, 17 after the count of a sequence.
#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "view_msgs")]
pub(crate) struct Padded {
    pub(crate) first: bool,
    pub(crate) number: f64,
    pub(crate) last: u8,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "view_msgs")]
pub(crate) struct Nothing {}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "view_msgs", view)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) points: Vec<Point>,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "view_msgs", view = Whole)]
pub(crate) struct Everything {
    pub(crate) flag: bool,
    pub(crate) i8: i8,
    pub(crate) u16: u16,
    pub(crate) i32: i32,
    pub(crate) f32: f32,
    pub(crate) u64: u64,
    pub(crate) type_: u8,
    pub(crate) text: String,
    pub(crate) short: BoundedString<5>,
    pub(crate) wide: WString,
    pub(crate) short_wide: BoundedWString<3>,
    #[ros2(wstring)]
    pub(crate) as_wide: String,
    #[ros2(wstring)]
    pub(crate) wide_list: Vec<String>,
    #[ros2(wstring)]
    pub(crate) wide_bounded: BoundedSequence<String, 2>,
    #[ros2(wstring)]
    pub(crate) wide_array: [String; 2],
    pub(crate) part: Part,
    pub(crate) nothing: Nothing,
    pub(crate) nothings: Vec<Nothing>,
    pub(crate) flags: [bool; 3],
    pub(crate) doubles: [f64; 2],
    pub(crate) boxed: Box<[u16; 3]>,
    pub(crate) names: [String; 2],
    pub(crate) bytes: Vec<u8>,
    pub(crate) few: BoundedSequence<i32, 4>,
    pub(crate) data: Buffer<u8>,
    pub(crate) some_data: BoundedBuffer<f32, 4>,
    #[ros2(bound = 3)]
    pub(crate) limited: Vec<u16>,
    #[ros2(string_bound = 3)]
    pub(crate) limited_texts: Vec<String>,
    #[ros2(wstring, bound = 2, string_bound = 3)]
    pub(crate) limited_wide: Vec<String>,
    pub(crate) parts: Vec<Part>,
    pub(crate) padded: Vec<Padded>,
    pub(crate) points: [Point; 2],
    pub(crate) last: u8,
}

pub(crate) fn part(name: &str, count: i32) -> Part {
    let points = (0..count).map(f64::from).map(|x| Point { x, y: -x });
    Part {
        name: name.into(),
        points: points.collect(),
    }
}

pub(crate) fn padded(count: u8) -> Vec<Padded> {
    let items = (0..count).map(|last| Padded {
        first: last % 2 == 0,
        number: f64::from(last) / 2.0,
        last,
    });
    items.collect()
}

pub(crate) fn everything() -> Everything {
    let text = |text: &str| text.to_owned();
    Everything {
        flag: true,
        i8: -1,
        u16: 2,
        i32: -3,
        f32: 4.5,
        u64: u64::MAX - 5,
        type_: 6,
        text: text("päß"),
        short: "abcde".parse().unwrap(),
        wide: WString::from(vec![0x6f22, 0xd800]),
        short_wide: "a😀".try_into().unwrap(),
        as_wide: text("漢字"),
        wide_list: vec![text("x"), text(""), text("😀")],
        wide_bounded: vec![text("y")].try_into().unwrap(),
        wide_array: [text("p"), text("qr")],
        part: part("one", 3),
        nothing: Nothing {},
        nothings: vec![Nothing {}; 3],
        flags: [true, false, true],
        doubles: [1.0, -0.0],
        boxed: Box::new([1, 2, 3]),
        names: [text("left"), text("right")],
        bytes: vec![1, 2, 3],
        few: vec![-1, 1].try_into().unwrap(),
        data: vec![9, 8, 7].into(),
        some_data: vec![0.5, 1.5].try_into().unwrap(),
        limited: vec![1, 2, 3],
        limited_texts: vec![text("abc")],
        limited_wide: vec![text("a😀b"), text("")],
        parts: vec![part("two", 0), part("three", 2), part("", 1)],
        padded: padded(6),
        points: [Point { x: 1.0, y: 2.0 }, Point { x: 3.0, y: 4.0 }],
        last: 77,
    }
}

/// Places `bytes` so that the body, which follows the header of four bytes, starts `offset` bytes after a multiple of 16.
pub(crate) fn placed(bytes: &[u8], offset: usize) -> (Vec<u8>, usize) {
    let mut room = vec![0; bytes.len() + 32];
    let start = room.as_ptr().align_offset(16) + 12 + offset;
    room[start..start + bytes.len()].copy_from_slice(bytes);
    (room, start)
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "view_msgs")]
pub(crate) struct Runs {
    pub(crate) count: u32,
    pub(crate) bytes: Buffer<u8>,
    pub(crate) floats: Buffer<f32>,
    pub(crate) doubles: Vec<f64>,
    pub(crate) points: Vec<Point>,
}

pub(crate) fn runs() -> Runs {
    Runs {
        count: 1,
        bytes: vec![1, 2, 3, 4, 5].into(),
        floats: vec![1.5, 2.5].into(),
        doubles: vec![3.5, 4.5, 5.5],
        points: part("", 3).points,
    }
}
