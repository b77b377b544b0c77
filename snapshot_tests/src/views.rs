//! A message's view beside the decoded message, for any type: both are refused with one error, or both print the same.
//!
//! Compared are the texts of `{:?}`, which differ where they have to: views are called `ImageRef`, a buffer prints what
//! memory it is in, and of more than 64 numbers a view prints the first few only. Each of these is looked for only where
//! the texts part, so that no string in a message can be taken for one; of a long run the rest is counted, not compared.

use std::fmt::Debug;

use rosidl_buffer_runtime::{AnyBuffer, Buffer, Message, cdr};

/// Checks what a view of the bytes is against what they decode to; the text says how the two differ.
///
/// # Errors
/// When the values or the errors differ.
pub(crate) fn check<M: Message + Debug>(bytes: &[u8]) -> crate::Result<()> {
    let (decoded, viewed) = (cdr::decode::<M>(bytes), cdr::view::<M>(bytes));
    let (decoded, viewed) = match (decoded, viewed) {
        (Ok(decoded), Ok(viewed)) => (decoded, format!("{viewed:?}")),
        (Err(decoded), Err(viewed)) if decoded == viewed => return Ok(()),
        (decoded, viewed) => {
            let decoded = decoded.map(drop);
            return Err(format!("decoded: {decoded:?}, viewed: {viewed:?}"));
        }
    };
    let mut lists = Vec::new();
    decoded.for_each_buffer(&mut |_, buffer| lists.push(elements(buffer)));
    let decoded = format!("{decoded:?}");
    if same(&decoded, &viewed, &lists) {
        Ok(())
    } else {
        Err(format!("decoded: {decoded}\nviewed: {viewed}"))
    }
}

/// Whether the texts are those of one message; `lists` are the elements of its buffers.
fn same(decoded: &str, viewed: &str, lists: &[String]) -> bool {
    let (mut decoded, mut viewed) = (decoded.to_owned(), viewed);
    let mut lists = lists.iter();
    loop {
        let equal = decoded.bytes().zip(viewed.bytes());
        let mut at = equal.take_while(|(left, right)| left == right).count();
        while !decoded.is_char_boundary(at) || !viewed.is_char_boundary(at) {
            at -= 1;
        }
        decoded.drain(..at);
        viewed = &viewed[at..];
        if let Some(rest) = decoded.strip_prefix("Buffer(cpu, ") {
            // The first eight elements stand in brackets, so the next `)` is the buffer's.
            let (Some((_, rest)), Some(list)) = (rest.split_once(')'), lists.next()) else {
                return false;
            };
            decoded = format!("{list}{rest}");
        } else if let Some(rest) = viewed.strip_prefix("Ref") {
            viewed = rest;
        } else if let Some((len, rest)) = run_end(viewed) {
            let Some((left, end)) = rest_of_list(&decoded) else {
                return false;
            };
            if left + PRINTED_FIRST != len {
                return false;
            }
            decoded.drain(..end);
            viewed = rest;
        } else {
            return decoded.is_empty() && viewed.is_empty();
        }
    }
}

/// How many items of a long run a view prints.
const PRINTED_FIRST: usize = 8;

/// The length in `]… 100 items`, and what follows.
fn run_end(viewed: &str) -> Option<(usize, &str)> {
    let (len, rest) = viewed.strip_prefix("]… ")?.split_once(" items")?;
    Some((len.parse().ok()?, rest))
}

/// How many items follow, each behind a comma, to the end of the list, and where that is. They are numbers or messages
/// of numbers: no text is in them.
fn rest_of_list(decoded: &str) -> Option<(usize, usize)> {
    let (mut depth, mut items) = (0, 0);
    for (at, byte) in decoded.bytes().enumerate() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' if depth == 0 => return Some((items, at + 1)),
            b']' | b'}' => depth -= 1,
            b',' if depth == 0 => items += 1,
            _ => {}
        }
    }
    None
}

fn elements(buffer: &dyn AnyBuffer) -> String {
    macro_rules! print_as {
        ($($element:ty)*) => {
            $(if let Some(buffer) = buffer.as_any().downcast_ref::<Buffer<$element>>() {
                return format!("{:?}", buffer.as_slice().unwrap_or_default());
            })*
        };
    }
    print_as!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_hides_nothing_behind_it() {
        let numbers: Vec<_> = (0..100).collect();
        let decoded = |numbers: &[i32], after: &str| format!("A {{ a: {numbers:?}, b: {after} }}");
        let viewed =
            |len: usize| format!("ARef {{ a: [0, 1, 2, 3, 4, 5, 6, 7]… {len} items, b: 5 }}");
        assert!(same(&decoded(&numbers, "5"), &viewed(100), &[]));
        assert!(!same(&decoded(&numbers, "6"), &viewed(100), &[]));
        assert!(!same(&decoded(&numbers, "5"), &viewed(101), &[]));
        assert!(!same(&decoded(&numbers[1..], "5"), &viewed(99), &[]));
        let points = |len| format!("[{}]", vec!["P { x: 1, y: [2, 3] }"; len].join(", "));
        let viewed = points(8).replace("P ", "PRef ") + "… 70 items";
        assert!(same(&points(70), &viewed, &[]));
        assert!(!same(&points(71), &viewed, &[]));
    }

    #[test]
    fn buffers_are_written_out_and_strings_are_not_taken_for_one() {
        let lists = ["[1, 2]".to_owned(), format!("{:?}", vec![3; 70])];
        let decoded = r#"A { a: "Buffer(cpu, [9]) ]… 9 items Ref", b: Buffer(cpu, [1, 2]), c: Buffer(cpu, [3, 3, 3, 3, 3, 3, 3, 3]… 70 items) }"#;
        let viewed = |b: &str| {
            format!(
                r#"ARef {{ a: "Buffer(cpu, [9]) ]… 9 items Ref", b: {b}, c: [3, 3, 3, 3, 3, 3, 3, 3]… 70 items }}"#
            )
        };
        assert!(same(decoded, &viewed("[1, 2]"), &lists));
        assert!(!same(decoded, &viewed("[1, 4]"), &lists));
        assert!(!same(decoded, &viewed("[]"), &lists));
    }

    #[test]
    fn characters_of_several_bytes() {
        assert!(same("\"日\"", "\"日\"", &[]));
        assert!(!same("\"日\"", "\"旧\"", &[]));
    }
}
