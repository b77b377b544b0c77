//! `#[derive(BufferMessage)]`: a ROS 2 message from a Rust struct.
//!
//! A struct with named fields comes in; implementations of the runtime's traits come out: CDR, type name, type
//! description and hash, access to its buffers, `Default`, and serde's traits when the runtime's `serde` feature is on.
//! Generated code and hand-written structs use the same derive. Use it through `rosidl_buffer_runtime`, which re-exports
//! it; the attributes are described at [`macro@BufferMessage`].
//!
//! `attr` reads attributes, `input` the struct, `check` refuses what no interface could say, `expand` writes code. All
//! mistakes of a struct are reported at once, each at its place.
#![forbid(unsafe_code)]

mod attr;
mod check;
mod expand;
mod input;

use proc_macro::TokenStream;

/// Makes a ROS 2 message of a struct with named fields.
///
/// Implements `Message` (CDR, `TYPE_NAME`, type description and hash, buffer access), `GeneratedMessage` where the hash is
/// given, `Default` with the declared default values, and serde's `Serialize` and `Deserialize` when the runtime's
/// `serde` feature is on. The struct must be `Clone`.
///
/// A field's ROS name is its Rust name without `r#` and without one trailing `_`, so that `type_` is the field `type`.
/// Mark a struct of numbers `#[repr(C)]` and sequences of it are copied whole where its memory is its encoding.
///
/// # On the struct: `#[ros2(…)]`
///
/// | attribute | meaning |
/// |---|---|
/// | `package = "my_msgs"` | the package; required |
/// | `name = "Type"` | the interface's name, if it is not the struct's |
/// | `kind = "msg"` | `msg` (the default), `srv` or `action` |
/// | `hash = "RIHS01_…"` | the type hash, if it is known; else it is computed from the fields |
/// | `crate = "path"` | where the runtime is, if not `::rosidl_buffer_runtime` |
/// | `no_default` | do not implement `Default` |
/// | `no_serde` | do not implement serde's traits |
///
/// # On a field: `#[ros2(…)]`
///
/// | attribute | meaning |
/// |---|---|
/// | `byte` | `u8` is ROS `byte` (IDL `octet`), which hashes differently from `uint8` |
/// | `char` | `u8` is ROS `char`, which ROS 2 maps to `uint8` |
/// | `wstring` | `String` travels as `wstring` |
/// | `bound = N` | a `Vec` or `Buffer` of at most `N` elements, `T[<=N]` |
/// | `string_bound = N` | a string of at most `N` Unicode code points, `string<=N` |
/// | `default = literal` | the initial value: a number, boolean, string, or an array `[a, b]` of these |
///
/// Types carry the rest: `BoundedString<N>`, `BoundedSequence<T, N>`, `WString`, `[T; N]`.
#[proc_macro_derive(BufferMessage, attributes(ros2))]
pub fn derive_buffer_message(tokens: TokenStream) -> TokenStream {
    let parsed = syn::parse::<syn::DeriveInput>(tokens).and_then(|item| {
        let message = input::Message::from_item(&item)?;
        check::check(&message)?;
        Ok(expand::expand(&message))
    });
    parsed.unwrap_or_else(syn::Error::into_compile_error).into()
}
