//! Buffers that go as descriptors: which, to whom, with what bytes, and what becomes of them when something fails.

#![forbid(unsafe_code)] // what the derive emits has to pass
#![allow(clippy::unwrap_used)]

mod bytes;
mod depot;
mod faults;
#[path = "../common/mailbox.rs"]
#[allow(dead_code)] // only its ends are used here
mod mailbox;
mod places;
mod registry;

use std::sync::Arc;

use depot::{Depot, known};
use rosidl_buffer_runtime::{Buffer, BufferMessage, cdr};

/// A message as short as can be.
#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "depot_msgs")]
struct Load {
    data: Buffer<u8>,
}

/// Two buffers, and a string behind each that can be made wrong.
#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "depot_msgs")]
struct Train {
    first: Buffer<u8>,
    name: String,
    second: Buffer<u8>,
    last: String,
}

fn train(depot: &Depot, first: &'static str, second: &'static str) -> Train {
    Train {
        first: depot.goods(10_000, first),
        name: "Orient".into(),
        second: depot.goods(20_000, second),
        last: "Express".into(),
    }
}

/// The encoding for a peer that knows the backend; it left.
fn encoded(depot: &Arc<Depot>, train: &Train) -> Vec<u8> {
    let (registry, peer) = known(depot);
    let mut bytes = Vec::new();
    cdr::encode_for(train, &registry, &peer, &mut bytes)
        .unwrap()
        .sent();
    bytes
}
