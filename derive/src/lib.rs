//! `#[derive(BufferMessage)]`, `#[derive(Service)]`, `#[derive(Action)]`: ROS 2 interfaces from Rust structs.
//!
//! A struct with named fields comes in; implementations of the runtime's traits come out: CDR, views, type name, type
//! description and hash, access to its buffers, `Default`, and serde's traits when the runtime's `serde` feature is on.
//! A struct without fields stands for a service or an action and ties its parts together. Generated code and hand-written
//! structs use the same derives. Use them through `rosidl_buffer_runtime`, which re-exports them; the attributes are
//! described at [`macro@BufferMessage`], [`macro@Service`] and [`macro@Action`].
//!
//! `attr` reads attributes, `interface`, `input` and `marker` the structs, `check` refuses what no interface could say,
//! `expand` writes code. All mistakes of a struct are reported at once, each at its place.
#![forbid(unsafe_code)]

mod attr;
mod check;
mod expand;
mod input;
mod interface;
mod marker;
mod value;

use proc_macro::TokenStream;
use syn::{DeriveInput, Result};

fn derive(
    tokens: TokenStream,
    expand: impl FnOnce(&DeriveInput) -> Result<proc_macro2::TokenStream>,
) -> TokenStream {
    syn::parse(tokens)
        .and_then(|item| expand(&item))
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Makes a ROS 2 message of a struct with named fields.
///
/// Implements `Message` (CDR, borrowed views, `TYPE_NAME`, type description and hash, buffer access), `GeneratedMessage` where the hash is
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
/// | `source = TEXT` | the file that the struct was made from: a constant or a literal |
/// | `encoding = "msg"` | how `source` is written: `msg`, `srv`, `action` or `idl`; without it, as files of this `kind` are |
/// | `definition = TEXT` | the fields as a `.msg` file has them, if `source` is not just that |
/// | `view`, `view = Name` | the borrowed view stands beside the struct as `TypeRef`, or under another name |
/// | `crate = "path"` | where the runtime is, if not `::rosidl_buffer_runtime` |
/// | `no_default` | do not implement `Default` |
/// | `no_serde` | do not implement serde's traits |
///
/// # On a field: `#[ros2(…)]`
///
/// | attribute | meaning |
/// |---|---|
/// | `name = "type"` | the field's name in ROS, if it is not the one in Rust |
/// | `byte` | `u8` is ROS `byte` (IDL `octet`), which hashes differently from `uint8` |
/// | `char` | `u8` is ROS `char`, which ROS 2 maps to `uint8` |
/// | `idl_char` | `u8` is `char` of an `.idl` file, which is a type of its own |
/// | `wchar` | `u16` is `wchar` of an `.idl` file, a UTF-16 code unit |
/// | `wstring` | `String` travels as `wstring` |
/// | `bound = N` | a `Vec` or `Buffer` of at most `N` elements, `T[<=N]` |
/// | `string_bound = N` | a string of at most `N` Unicode code points, `string<=N` |
/// | `default = literal` | the initial value: a number, boolean, string, or an array `[a, b]` of these |
///
/// Types carry the rest: `BoundedString<N>`, `BoundedSequence<T, N>`, `WString`, `[T; N]`.
///
/// # The view
/// `cdr::view` gives a struct with the message's fields as they lie in the bytes, each as public as the message's own. It
/// is called `View<'_, Message>`; with the attribute `view` it stands beside the message as `MessageRef<'_>` too. Patterns
/// of it end in `..`.
#[proc_macro_derive(BufferMessage, attributes(ros2))]
pub fn derive_buffer_message(tokens: TokenStream) -> TokenStream {
    derive(tokens, |item| {
        let message = input::Message::from_item(item)?;
        check::check(&message)?;
        Ok(expand::expand(&message))
    })
}

/// Makes a ROS 2 service of a struct without fields: `struct AddTwoInts;`.
///
/// Implements `Service`, and `GeneratedService` where the hash is given. The request and the response are messages with
/// `kind = "srv"`; unless attributes say otherwise, they are the structs `AddTwoInts_Request` and `AddTwoInts_Response`
/// beside this one.
///
/// # Attributes: `#[ros2(…)]`
///
/// | attribute | meaning |
/// |---|---|
/// | `package = "my_msgs"` | the package; required |
/// | `name = "Type"` | the service's name, if it is not the struct's |
/// | `hash = "RIHS01_…"` | the type hash, if it is known; else it is computed from the parts |
/// | `source = TEXT`, `encoding = "srv"` | the file that the service was made from, and how it is written |
/// | `request = Type`, `response = Type` | the parts, if the structs have other names; the ROS names are `Type_Request` and `Type_Response` all the same |
/// | `event_info = Type` | `service_msgs/msg/ServiceEventInfo`, if it is not to be the runtime's own struct |
/// | `crate = "path"` | where the runtime is, if not `::rosidl_buffer_runtime` |
#[proc_macro_derive(Service, attributes(ros2))]
pub fn derive_service(tokens: TokenStream) -> TokenStream {
    derive(tokens, |item| {
        marker::Marker::from_item(item, &marker::SERVICE).map(|marker| expand::service(&marker))
    })
}

/// Makes a ROS 2 action of a struct without fields: `struct Fibonacci;`.
///
/// Implements `Action`, and `GeneratedAction` where the hash is given. Goal, result and feedback are messages with
/// `kind = "action"`; unless attributes say otherwise, they are the structs `Fibonacci_Goal`, `Fibonacci_Result` and
/// `Fibonacci_Feedback` beside this one.
///
/// # Attributes: `#[ros2(…)]`
///
/// | attribute | meaning |
/// |---|---|
/// | `package = "my_msgs"` | the package; required |
/// | `name = "Type"` | the action's name, if it is not the struct's |
/// | `hash = "RIHS01_…"` | the type hash, if it is known; else it is computed from the parts |
/// | `source = TEXT`, `encoding = "action"` | the file that the action was made from, and how it is written |
/// | `goal = Type`, `result = Type`, `feedback = Type` | the parts, if the structs have other names; the ROS names are `Type_Goal`, `Type_Result` and `Type_Feedback` all the same |
/// | `goal_id = Type` | `unique_identifier_msgs/msg/UUID`, if it is not to be the runtime's own struct |
/// | `time = Type` | `builtin_interfaces/msg/Time`, likewise |
/// | `event_info = Type` | `service_msgs/msg/ServiceEventInfo`, likewise |
/// | `crate = "path"` | where the runtime is, if not `::rosidl_buffer_runtime` |
#[proc_macro_derive(Action, attributes(ros2))]
pub fn derive_action(tokens: TokenStream) -> TokenStream {
    derive(tokens, |item| {
        marker::Marker::from_item(item, &marker::ACTION).map(|marker| expand::action(&marker))
    })
}
