//! What the fuzz targets in `fuzz/` call beyond the public interface: the messages of shared memory. Nothing here may panic.
#![allow(clippy::missing_panics_doc, missing_docs)]

use crate::ipc::wire::{MAX_MESSAGE, ToReader, ToWriter};

/// Bytes as a message in either direction: what can be read can be written, and is the same bytes again.
pub fn wire(bytes: &[u8]) {
    let mut again = [0; MAX_MESSAGE];
    if let Ok(message) = ToReader::parse(bytes) {
        let len = message.write(&mut again);
        assert_eq!(bytes, &again[..len], "{message:?}");
    }
    if let Ok(message) = ToWriter::parse(bytes) {
        let len = message.write(&mut again);
        assert_eq!(bytes, &again[..len], "{message:?}");
    }
}
