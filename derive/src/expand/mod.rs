//! Writes the implementations, in an anonymous constant, with every path through the runtime's `__private` door.
//!
//! Names that start with `__` cannot clash with a field's: no ROS name has two underscores in a row.

mod default;
mod field;
mod message;
mod serde;

use proc_macro2::TokenStream;
use quote::quote;

use crate::input::Message;

pub(crate) fn expand(message: &Message) -> TokenStream {
    let runtime = &message.runtime;
    let field = field::expand(message);
    let own = message::expand(message);
    let default = default::expand(message);
    let serde = serde::expand(message);
    quote! {
        const _: () = {
            #[allow(unused_imports)]
            use #runtime::__private as __rt;
            #field
            #own
            #default
            #serde
        };
    }
}
