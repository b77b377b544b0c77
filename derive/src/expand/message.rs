//! `Message` and `GeneratedMessage`: name, hash, description.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::field::bounds;
use crate::input::{Field, Message, Text};

/// The field's type in a type description, with what attributes say of it.
fn field_type(field: &Field) -> TokenStream {
    let ty = &field.ty;
    let span = ty.span();
    let by_text = match field.text {
        Text::AsTyped => quote_spanned!(span=> <#ty as __rt::Field>::field_type()),
        Text::Byte => quote_spanned!(span=> __rt::byte_field_type::<#ty>()),
        Text::Char => quote_spanned!(span=> __rt::char_field_type::<#ty>()),
        Text::WString => quote_spanned!(span=> __rt::wide_field_type::<#ty>()),
    };
    let Some(bounds) = bounds(field) else {
        return by_text;
    };
    let sequence = field
        .bound
        .map(|_| quote_spanned!(span=> __rt::require_sequence::<#ty>();));
    let string = field
        .string_bound
        .map(|_| quote_spanned!(span=> __rt::require_string::<#ty>();));
    quote!({
        #sequence
        #string
        __rt::with_bounds(#by_text, &#bounds)
    })
}

pub(super) fn expand(message: &Message) -> TokenStream {
    let ident = &message.ident;
    let type_name = message.type_name();
    let own = message.fields.iter().map(|field| {
        let (name, ty) = (&field.name, field_type(field));
        quote!(__rt::describe_field(#name, #ty))
    });
    let nested = message.fields.iter().filter(|field| !field.is_leaf()).map(
        |Field { ty, .. }| quote_spanned!(ty.span()=> <#ty as __rt::Field>::describe(__nested);),
    );
    let (type_hash, generated) = match (message.hash_bytes(), &message.hash) {
        (Some(bytes), Some(text)) => {
            let bytes = Literal::byte_string(&bytes);
            let generated = quote! {
                impl __rt::GeneratedMessage for #ident {
                    const TYPE_HASH: &'static str = #text;
                }
            };
            (quote!(__rt::TypeHash::from_bytes(*#bytes)), Some(generated))
        }
        _ => {
            let computed = quote! {
                static __HASH: __rt::OnceLock<__rt::TypeHash> = __rt::OnceLock::new();
                *__HASH.get_or_init(|| <Self as __rt::Message>::type_description().type_hash())
            };
            (computed, None)
        }
    };
    quote! {
        impl __rt::Message for #ident {
            const TYPE_NAME: &'static str = #type_name;
            fn type_hash() -> __rt::TypeHash {
                #type_hash
            }
            fn describe_own() -> __rt::IndividualTypeDescription {
                __rt::describe_message::<Self, _>([#(#own),*])
            }
            fn describe_nested(__nested: &mut __rt::Descriptions) {
                #(#nested)*
            }
        }
        #generated
    }
}
