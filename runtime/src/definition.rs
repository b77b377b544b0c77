//! Message definitions as recordings carry them (`ros2msg`): a message's own text, and those of all messages that it
//! mentions, each behind a line of 80 `=` and a line `MSG: package/Name`.
//!
//! The order is that of first mention, depth first, each message once. The texts are constants of the messages;
//! [`GeneratedMessage::DEFINITION`](crate::GeneratedMessage::DEFINITION) puts them together while a program compiles, and
//! only if it is asked for. Nothing here parses.

use core::marker::PhantomData;

use crate::description::{Described, Mentions};
use crate::message::Message;

/// Between a text and the next one.
pub(crate) const SEPARATOR: &str =
    "================================================================================\nMSG: ";

/// No message has more types in it. The largest of ROS 2's own have about 20.
const MAX_TYPES: usize = 512;

/// A message and what it mentions, depth first, each once.
struct Listed {
    types: [Option<&'static Described>; MAX_TYPES],
    count: usize,
}

pub(crate) const fn equal(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    // Names that have a package in common differ at their ends.
    let mut at = left.len();
    while at > 0 {
        at -= 1;
        if left[at] != right[at] {
            return false;
        }
    }
    true
}

impl Listed {
    const fn of(top: &'static Described) -> Self {
        let mut listed = Self {
            types: [None; MAX_TYPES],
            count: 0,
        };
        listed.add(top);
        listed
    }

    const fn add(&mut self, described: &'static Described) {
        let mut index = 0;
        while index < self.count {
            if let Some(other) = self.types[index]
                && equal(other.type_name, described.type_name)
            {
                return;
            }
            index += 1;
        }
        assert!(
            self.count < MAX_TYPES,
            "too many types for a constant: `Message::definition` has no limit"
        );
        self.types[self.count] = Some(described);
        self.count += 1;
        self.add_all(&described.mentions);
    }

    const fn add_all(&mut self, mentions: &Mentions) {
        match mentions {
            Mentions::Two(left, right) => {
                self.add_all(left);
                self.add_all(right);
            }
            Mentions::One(Some(mention)) => self.add(mention),
            Mentions::One(None) | Mentions::None => {}
        }
    }

    /// Writes the whole text, or measures it where `out` is empty; the length in bytes.
    const fn write(&self, out: &mut [u8]) -> usize {
        let mut len = 0;
        let mut index = 0;
        while index < self.count {
            if let Some(described) = self.types[index] {
                if index > 0 {
                    let (package, name) = split(described.type_name);
                    len = push(out, len, SEPARATOR);
                    len = push(out, len, package);
                    len = push(out, len, "/");
                    len = push(out, len, name);
                    len = push(out, len, "\n");
                }
                let Some(text) = described.text else {
                    panic!(
                        "a message in here was given no `source` or `definition`: `Message::definition` puts its text together"
                    )
                };
                len = push(out, len, text);
                if index + 1 < self.count && !ends_line(text) {
                    len = push(out, len, "\n");
                }
            }
            index += 1;
        }
        len
    }
}

pub(crate) const fn push(out: &mut [u8], at: usize, text: &str) -> usize {
    let end = at + text.len();
    if !out.is_empty() {
        let (_, rest) = out.split_at_mut(at);
        let (place, _) = rest.split_at_mut(text.len());
        place.copy_from_slice(text.as_bytes());
    }
    end
}

const fn ends_line(text: &str) -> bool {
    matches!(text.as_bytes(), [] | [.., b'\n'])
}

/// `sensor_msgs` and `Image` of `sensor_msgs/msg/Image`.
pub(crate) const fn split(type_name: &str) -> (&str, &str) {
    let bytes = type_name.as_bytes();
    let mut first = 0;
    while first < bytes.len() && bytes[first] != b'/' {
        first += 1;
    }
    let mut last = bytes.len();
    while last > first && bytes[last - 1] != b'/' {
        last -= 1;
    }
    (type_name.split_at(first).0, type_name.split_at(last).1)
}

/// The text of `M`'s definition, evaluated when somebody mentions it.
pub(crate) struct Composed<M>(PhantomData<M>);

impl<M: Message> Composed<M> {
    const LISTED: Listed = Listed::of(M::DESCRIBED);
    const LEN: usize = Self::LISTED.write(&mut []);

    pub(crate) const TEXT: &'static str = fitting::<M>();
}

/// The same, in memory of `N` bytes.
struct Held<M, const N: usize>(PhantomData<M>);

impl<M: Message, const N: usize> Held<M, N> {
    const BYTES: [u8; N] = {
        let mut bytes = [0; N];
        Composed::<M>::LISTED.write(&mut bytes);
        bytes
    };
}

const fn held<M: Message, const N: usize>() -> &'static str {
    let (text, _) = Held::<M, N>::BYTES.split_at(Composed::<M>::LEN);
    match core::str::from_utf8(text) {
        Ok(text) => text,
        Err(_) => panic!("texts that follow one another are text"),
    }
}

/// An array's length cannot be computed from a type parameter, so the smallest of a few lengths is taken.
macro_rules! fitting {
    ($($len:literal)*) => {
        const fn fitting<M: Message>() -> &'static str {
            $(if Composed::<M>::LEN <= $len {
                return held::<M, $len>();
            })*
            panic!("a definition of more than a megabyte: `Message::definition` has no limit")
        }
    };
}

fitting! {
    128 256 512 768 1024 1536 2048 3072 4096 6144 8192 12288 16384 24576 32768 49152 65536 98304 131_072 262_144
    524_288 1_048_576
}

/// The text of one part of a `.srv` or `.action` file: from the line after the `index`-th separator to the next one. Parts
/// count from 0, and a separator is a line that is just `---`.
///
/// ```
/// use rosidl_buffer_runtime::part;
///
/// const SOURCE: &str = "int64 a\nint64 b\n---\nint64 sum\n";
/// const REQUEST: &str = part(SOURCE, 0);
/// assert_eq!(REQUEST, "int64 a\nint64 b\n");
/// assert_eq!(part(SOURCE, 1), "int64 sum\n");
/// ```
///
/// # Panics
/// When there is no such part: while the program compiles, where the text is a constant.
pub const fn part(source: &str, index: usize) -> &str {
    let bytes = source.as_bytes();
    let (mut at, mut start, mut found) = (0, 0, 0);
    while at < bytes.len() {
        if bytes[at] == b'-' && is_separator(bytes, at) {
            if found == index {
                return source.split_at(at).0.split_at(start).1;
            }
            found += 1;
            at += 3;
            at += line_end(bytes, at);
            start = at;
        } else {
            at += 1;
        }
    }
    assert!(found == index, "the file has fewer parts than that");
    source.split_at(start).1
}

/// Whether a line that is `---` starts here.
const fn is_separator(bytes: &[u8], at: usize) -> bool {
    at + 3 <= bytes.len()
        && bytes[at + 1] == b'-'
        && bytes[at + 2] == b'-'
        && (at + 3 == bytes.len() || line_end(bytes, at + 3) > 0)
        && follows_line_end(bytes, at)
}

/// The length of what ends a line here, as Python's `splitlines` has it; 0 if nothing does.
const fn line_end(bytes: &[u8], at: usize) -> usize {
    if at >= bytes.len() {
        return 0;
    }
    match bytes[at] {
        b'\r' if at + 1 < bytes.len() && bytes[at + 1] == b'\n' => 2,
        b'\n' | b'\r' | 0x0B | 0x0C | 0x1C..=0x1E => 1,
        // NEL, U+2028 and U+2029 in UTF-8.
        0xC2 if bytes[at + 1] == 0x85 => 2,
        0xE2 if bytes[at + 1] == 0x80 && matches!(bytes[at + 2], 0xA8 | 0xA9) => 3,
        _ => 0,
    }
}

const fn follows_line_end(bytes: &[u8], at: usize) -> bool {
    at == 0
        || line_end(bytes, at - 1) == 1
        || (at >= 2 && line_end(bytes, at - 2) == 2)
        || (at >= 3 && line_end(bytes, at - 3) == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_between_lines_of_three_dashes() {
        for end in ["\n", "\r\n", "\r", "\u{b}", "\u{1e}", "\u{85}", "\u{2028}"] {
            let text = format!("a{end}b{end}---{end}c{end}----{end}---{end}");
            assert_eq!(part(&text, 0), format!("a{end}b{end}"), "{end:?}");
            assert_eq!(part(&text, 1), format!("c{end}----{end}"), "{end:?}");
            assert_eq!(part(&text, 2), "", "{end:?}");
        }
        assert_eq!(part("---", 0), "");
        assert_eq!(part("---", 1), "");
        assert_eq!(part("--- \n # ---\n-- -", 0), "--- \n # ---\n-- -");
        assert_eq!(part("x é---\n---\ny", 1), "y");
    }

    #[test]
    #[should_panic = "fewer parts"]
    fn a_part_that_is_not_there() {
        part("a\n---\nb", 2);
    }

    #[test]
    fn names_lose_their_kind() {
        assert_eq!(split("sensor_msgs/msg/Image"), ("sensor_msgs", "Image"));
    }
}
