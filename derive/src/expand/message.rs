//! `Message` and `GeneratedMessage`: name and hash.

use proc_macro2::TokenStream;
use quote::quote;

use super::description;
use crate::input::{Identity, Message};

pub(super) fn expand(message: &Message) -> TokenStream {
    let head = message.implement(&quote!(__rt::Message), &[]);
    let (type_name, type_hash, generated) = match &message.identity {
        Identity::Interface(interface) => {
            let type_name = interface.type_name();
            let (type_hash, generated) =
                interface.type_hash(&quote!(GeneratedMessage), &quote!(Message));
            (quote!(#type_name), type_hash, generated)
        }
        Identity::Implicit {
            type_name,
            type_hash,
        } => (quote!(#type_name), quote!(#type_hash), None),
    };
    let description = description::constants(message);
    quote! {
        #head {
            const TYPE_NAME: &'static str = #type_name;
            #description
            #[inline]
            fn type_hash() -> __rt::TypeHash {
                #type_hash
            }
        }
        #generated
    }
}
