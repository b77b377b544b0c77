//! A stranger's tokens and samples, without a Zenoh session: what the fuzz target `node` and the tests call.
//!
//! In: any bytes, read as a list of things that the stranger does. Out: nothing, or a panic where the node would have
//! counted wrong, kept what is gone, or panicked itself.

use rosidl_buffer_runtime::{BackendRegistry, Buffer, BufferMessage, cdr};
use zenoh::sample::{Sample, SampleBuilder};

use crate::{graph::Tokens, inbox::Inbox, queue::Wait};

/// A message with everything that a stranger may lie about: a count, a text, a buffer.
#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "fuzz_msgs")]
struct Frame {
    numbers: Vec<u16>,
    name: String,
    data: Buffer<u8>,
}

/// Plays what `bytes` say: each step is one byte for what is done, one for a length, and so many bytes.
///
/// # Panics
/// When the node does not do what it promises.
pub fn node(bytes: &[u8]) {
    node_with(bytes, &BackendRegistry::new());
}

/// As [`node`], with these backends on the subscription's own channel.
///
/// # Panics
/// When the node does not do what it promises.
pub fn node_with(mut bytes: &[u8], backends: &BackendRegistry) {
    let mut tokens = Tokens::new();
    let inbox = Inbox::<Frame>::new("/fuzz", Some(8));
    let (mut pushed, mut attachment) = (0, Vec::new());
    while let [what, length, rest @ ..] = bytes {
        let (content, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        bytes = rest;
        let text = || String::from_utf8_lossy(content).into_owned();
        match what % 8 {
            0 => tokens.insert(&text()),
            1 => tokens.insert_own(&format!("@ros2_lv/0/{}", text())),
            2 => tokens.remove(&text()),
            3 => tokens.remove_one(usize::from(*length)),
            4 => attachment = content.to_vec(),
            5 => {
                pushed += 1;
                inbox.push(&sample(content, &attachment));
            }
            6 => {
                pushed += 1;
                inbox.push_described(&sample(content, &attachment), backends);
            }
            _ => drop(inbox.take(Wait::No)),
        }
    }
    while inbox.take(Wait::No).is_ok_and(|taken| taken.is_some()) {}
    let stats = inbox.stats();
    assert!(stats.received <= pushed, "{stats:?}");
    assert!(
        stats.undecodable + stats.buffers_lost + stats.dropped <= pushed,
        "{stats:?}"
    );
    tokens.remove_all();
}

fn sample(payload: &[u8], attachment: &[u8]) -> Sample {
    let key = zenoh::key_expr::KeyExpr::try_from("0/fuzz/t/h");
    #[expect(clippy::expect_used, reason = "a constant")]
    let builder = SampleBuilder::put(key.expect("a key expression"), payload.to_vec());
    builder.attachment(attachment.to_vec()).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Steps that are likelier to be understood than random bytes.
    fn step() -> impl Strategy<Value = (u8, Vec<u8>)> {
        let token = "[0-9a]{1,3}/[0-9]{1,3}/[0-9]{1,3}/(NN|MP|MS|SS|SC)/%/%/n/(%t|%u)/a::msg::dds_::B_/h[0-9]?/[0-4]?:[0-4]?:,[0-9]{0,3}:,:,:,,(/backends:[a-z:;%]{0,9})?";
        let whole = cdr::encode(&Frame {
            numbers: vec![1, 2],
            name: "a".to_owned(),
            data: vec![1, 2, 3].into(),
        });
        let whole = whole.unwrap();
        prop_oneof![
            token.prop_map(|text| (1, text.into_bytes())),
            any::<u8>().prop_map(|which| (3, vec![0; usize::from(which)])),
            prop::collection::vec(any::<u8>(), 30..36).prop_map(|bytes| (4, bytes)),
            (5..7_u8, 0..whole.len(), any::<u8>()).prop_map(move |(what, at, byte)| {
                let mut broken = whole.clone();
                broken[at] = byte;
                (what, broken)
            }),
            (any::<u8>(), prop::collection::vec(any::<u8>(), 0..60)),
        ]
    }

    proptest! {
        #[test]
        fn a_stranger_breaks_nothing(steps in prop::collection::vec(step(), 0..40)) {
            let mut bytes = Vec::new();
            for (what, content) in steps {
                bytes.push(what);
                bytes.push(u8::try_from(content.len()).unwrap_or(u8::MAX));
                bytes.extend(content);
            }
            node(&bytes);
        }
    }
}
