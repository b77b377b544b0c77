//! A backend from outside the crate, `common/mailbox.rs`, passes what every backend has to pass.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

#[path = "common/mailbox.rs"]
mod mailbox;

use std::sync::Arc;
use std::time::Duration;

use mailbox::Mailbox;
use rosidl_buffer_runtime::conformance::{self, Pair};

#[test]
fn the_mailbox_keeps_the_contract() {
    conformance::check(|| {
        let (writer, reader) = Mailbox::pair("post_office");
        let (store, in_use) = (Arc::clone(&writer), Arc::clone(&writer));
        Pair {
            store: Box::new(move |bytes| Ok(store.store(bytes))),
            in_use: Box::new(move || in_use.letters()),
            patience: Duration::ZERO,
            writer,
            reader,
        }
    });
}
