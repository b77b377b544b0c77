//! What a stranger may send, at random: no parser panics, and what it accepts it writes again.

use proptest::prelude::*;

use super::{
    GRAPH_PREFIX, Token,
    backend::{BACKENDS, Backend, format_backends, parse_backends},
    parse_qos,
};

proptest! {
    #[test]
    fn hostile_text_never_panics(text in "\\PC*") {
        let _ = text.parse::<Token>();
        let _ = text.parse::<super::TopicKey>();
        let _ = text.parse::<super::ChannelKey>();
        let _ = text.parse::<super::Gid>();
        let _ = parse_qos(&text);
        let _ = parse_backends(&text);
        let _ = super::ros_type_name(&text);
        let _ = super::expand_topic_name(&text, "/", "n");
        let _ = super::check_namespace(&text);
    }

    #[test]
    fn accepted_tokens_survive_a_round_trip(
        ids in "[0-9]{1,3}/[0-9a-f]{1,32}/[0-9]{1,20}/[0-9]{1,4}",
        kind in "NN|MP|MS|SS|SC",
        names in "[%a-zA-Z0-9_ä:]{1,9}(/[%a-zA-Z0-9_ä:]{1,9}){2,5}",
        qos in "[0-4]?:[0-4]?:[0-2]?,[0-9]{0,11}:[0-9]{0,11},[0-9]{0,9}:[0-9]{0,3},[0-9]{0,20}:[0-3]?,,",
        extra in "(/backends:[a-z%:;0-9B]{0,20})?(/future)?",
    ) {
        let text = format!("{GRAPH_PREFIX}/{ids}/{kind}/{names}/{qos}{extra}");
        if let Ok(token) = text.parse::<Token>() {
            let written = token.to_string();
            let again = written.parse::<Token>().map(|token| token.to_string());
            prop_assert_eq!(again, Ok(written));
        }
    }

    #[test]
    fn backends_survive_a_round_trip(name in "[^\0]{1,8}", metadata in "\\PC{0,12}") {
        let backends = vec![Backend { name, metadata }];
        let text = format_backends(&backends);
        prop_assert!(!text.contains('/'));
        prop_assert_eq!(parse_backends(text.strip_prefix(BACKENDS).unwrap()), Some(backends));
    }

    #[test]
    fn attachments_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..70)) {
        if let Ok(read) = super::Attachment::from_bytes(&bytes) {
            prop_assert_eq!(&read.to_bytes()[..], &bytes[..]);
        }
    }
}
