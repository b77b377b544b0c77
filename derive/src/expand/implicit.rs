//! `Clone`, `Debug` and `PartialEq` for the runtime's generic structs: what `std`'s derives would demand of the parameter,
//! which is a mere name, these demand of the fields.

use proc_macro2::TokenStream;
use quote::quote;

use crate::input::Message;

pub(super) fn expand(message: &Message) -> TokenStream {
    if !message.is_generic() {
        return TokenStream::new();
    }
    let name = message.name();
    let idents: Vec<_> = message.fields.iter().map(|field| &field.ident).collect();
    let names = message.fields.iter().map(|field| &field.name);
    // Messages and what they consist of are `Clone`.
    let clone = message.implement(&quote!(__rt::core::clone::Clone), &[]);
    let debug = quote!(__rt::core::fmt::Debug);
    let debug = message.implement(&debug, std::slice::from_ref(&debug));
    let equal = quote!(__rt::core::cmp::PartialEq);
    let equal = message.implement(&equal, std::slice::from_ref(&equal));
    quote! {
        #clone {
            fn clone(&self) -> Self {
                Self { #(#idents: __rt::core::clone::Clone::clone(&self.#idents)),* }
            }
        }
        #debug {
            fn fmt(&self, __f: &mut __rt::core::fmt::Formatter<'_>) -> __rt::core::fmt::Result {
                __f.debug_struct(#name)#(.field(#names, &self.#idents))*.finish()
            }
        }
        #equal {
            fn eq(&self, __other: &Self) -> bool {
                #(self.#idents == __other.#idents)&&*
            }
        }
    }
}
