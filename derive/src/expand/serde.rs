//! serde's traits. The runtime's `__if_serde!` keeps or drops them: its features are known to it alone, since one
//! build of this crate may serve two builds of the runtime. Fields go by their ROS names.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use crate::input::Message;

pub(super) fn expand(message: &Message) -> TokenStream {
    if message.no_serde {
        return TokenStream::new();
    }
    let name = message.name();
    let count = message.fields.len();
    let names: Vec<_> = message.fields.iter().map(|field| &field.name).collect();
    let idents = message.fields.iter().map(|field| &field.ident);
    let reads = message.fields.iter().enumerate().map(|(index, field)| {
        let (index, ident) = (Literal::usize_unsuffixed(index), &field.ident);
        match super::field::bounds(field) {
            Some(bounds) => quote!(#index => __rt::serde::Source::bounded(__source, &mut self.#ident, &#bounds),),
            None => quote!(#index => __rt::serde::Source::field(__source, &mut self.#ident),),
        }
    });
    let runtime = &message.runtime;
    let put = [quote!(__rt::serde::SerdeField)];
    let both = [quote!(__rt::serde::SerdeField), quote!(__rt::FieldInit)];
    let serialize = message.implement(&quote!(__rt::serde::Serialize), &put);
    let deserialize = message.implement_with(
        Some(syn::parse_quote!('de)),
        &quote!(__rt::serde::Deserialize<'de>),
        &both,
    );
    let record = message.implement(&quote!(__rt::serde::Record), &both);
    let field = message.implement(&quote!(__rt::serde::SerdeField), &both);
    quote! {
        #runtime::__if_serde! {
        #serialize {
            fn serialize<__S: __rt::serde::Serializer>(&self, __serializer: __S) -> __rt::Result<__S::Ok, __S::Error> {
                #[allow(unused_mut)]
                let mut __struct = __rt::serde::start(__serializer, #name, #count)?;
                #(__rt::serde::field(&mut __struct, #names, &self.#idents)?;)*
                __rt::serde::SerializeStruct::end(__struct)
            }
        }
        #deserialize {
            fn deserialize<__D: __rt::serde::Deserializer<'de>>(__deserializer: __D) -> __rt::Result<Self, __D::Error> {
                __rt::serde::record(__deserializer)
            }
        }
        #record {
            const NAME: &'static str = #name;
            const FIELDS: &'static [&'static str] = &[#(#names),*];
            #[allow(unused_variables)]
            fn read<'de, __A: __rt::serde::Source<'de>>(
                &mut self,
                __index: usize,
                __source: &mut __A,
            ) -> __rt::Result<bool, __A::Error> {
                match __index {
                    #(#reads)*
                    _ => __rt::Ok(false),
                }
            }
        }
        #field {
            fn put<__S: __rt::serde::Serializer>(&self, __serializer: __S) -> __rt::Result<__S::Ok, __S::Error> {
                <Self as __rt::serde::Serialize>::serialize(self, __serializer)
            }
            fn get<'de, __D: __rt::serde::Deserializer<'de>>(__deserializer: __D) -> __rt::Result<Self, __D::Error> {
                __rt::serde::record(__deserializer)
            }
        }
        }
    }
}
