//! Messages read where they lie: what stands in a view for strings, sequences, arrays and buffers.
//!
//! [`cdr::view`](crate::cdr::view) passes over a message once and checks all that [`cdr::decode`](crate::cdr::decode)
//! checks. What comes out holds places in those bytes and reads them again when it is asked; nothing here allocates
//! unless its name says so, and nothing can fail any more.

mod seq;
mod wide;

pub use seq::{SeqIter, SeqRef};
pub use wide::WStrRef;

use crate::error::DecodeError;
use crate::field::Field;

/// What [`cdr::view`](crate::cdr::view) gives for the message `M`: a struct with the fields of `M` that borrows the bytes.
///
/// Numbers and booleans are there by value, strings as `&str`, wide strings as [`WStrRef`], other messages as their own
/// views, and sequences, arrays and buffers as [`SeqRef`].
///
/// A view is invariant in `'a`: one that borrows for longer cannot stand where a shorter lifetime is asked for.
pub type View<'a, M> = <M as Field>::Ref<'a>;

/// What is read once more from bytes that were checked when the view was made, and that have not changed since.
#[inline]
fn checked<T>(read: Result<T, DecodeError>) -> T {
    read.unwrap_or_else(|error| unreachable!("the view's bytes were checked: {error}"))
}
