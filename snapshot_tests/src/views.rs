//! A message's view beside the decoded message, for any type: both are refused with one error, or both print the same.

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
    // The view's structs are called `ImageRef`; nothing else tells the two texts apart, once all buffers are written out.
    let decoded = whole_text(&decoded).replace("Ref", "");
    let viewed = viewed.replace("Ref", "");
    // Of more than 64 numbers a view prints the first few only.
    if decoded == viewed || viewed.contains("]… ") {
        Ok(())
    } else {
        Err(format!("decoded: {decoded}\nviewed: {viewed}"))
    }
}

/// The message as `{:?}` prints it, each buffer as the list of its elements.
fn whole_text<M: Message + Debug>(message: &M) -> String {
    let mut lists = Vec::new();
    message.for_each_buffer(&mut |_, buffer| lists.push(elements(buffer)));
    let text = format!("{message:?}");
    let mut parts = text.split("Buffer(cpu, ");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for (part, list) in parts.zip(lists) {
        // The first eight elements stand in brackets, so the next `)` is the buffer's.
        whole += &list;
        whole += part.split_once(')').map_or("", |(_, rest)| rest);
    }
    whole
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
