//! Borrowed views: the same values and the same errors as decoding, from bytes that stay where they are.

#![forbid(unsafe_code)] // what the derive emits has to pass
#![allow(clippy::unwrap_used)]
#![allow(clippy::float_cmp)] // numbers are read, not computed

mod messages;
mod refusals;
mod runs;
mod values;
