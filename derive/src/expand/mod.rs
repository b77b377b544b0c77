//! Writes the implementations and a hidden view struct, in an anonymous constant, with every path through the runtime's `__private` door.
//!
//! Names that start with `__` cannot clash with a field's: no ROS name has two underscores in a row.

mod default;
mod description;
mod field;
mod implicit;
mod marker;
mod message;
mod serde;
mod tensor;
mod view;
mod well_known;

use proc_macro2::TokenStream;
use quote::quote;

pub(crate) use marker::{action, service};

use crate::input::Message;

pub(crate) fn expand(message: &Message) -> TokenStream {
    let runtime = &message.runtime;
    let field = field::expand(message);
    let own = message::expand(message);
    let default = default::expand(message);
    let implicit = implicit::expand(message);
    let well_known = well_known::expand(message);
    let tensor = tensor::expand(message);
    let serde = serde::expand(message);
    let (named_view, view) = view::expand(message);
    quote! {
        #named_view
        const _: () = {
            #[allow(unused_imports)]
            use #runtime::__private as __rt;
            #field
            #view
            #own
            #default
            #implicit
            #well_known
            #tensor
            #serde
        };
    }
}
