//! `Message` and `GeneratedMessage`: name, hash, description.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::definition;
use super::field::bounds;
use crate::input::{Field, Identity, Message, Text};
use crate::value;

/// The field's type in a type description, with what attributes say of it.
fn field_type(field: &Field) -> TokenStream {
    let ty = &field.ty;
    let span = ty.span();
    let by_text = match field.text {
        Text::AsTyped => quote_spanned!(span=> <#ty as __rt::Field>::field_type()),
        Text::Byte => quote_spanned!(span=> __rt::byte_field_type::<#ty>()),
        Text::Char => quote_spanned!(span=> __rt::char_field_type::<#ty>()),
        Text::IdlChar => quote_spanned!(span=> __rt::idl_char_field_type::<#ty>()),
        Text::WChar => quote_spanned!(span=> __rt::wchar_field_type::<#ty>()),
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

/// One field of `describe_own`.
fn describe(field: &Field) -> TokenStream {
    let (name, ty) = (&field.name, field_type(field));
    match &field.default {
        Some(default) => {
            let default = value::python(default);
            quote!(__rt::describe_default(#name, #ty, #default))
        }
        None => quote!(__rt::describe_field(#name, #ty)),
    }
}

pub(super) fn expand(message: &Message) -> TokenStream {
    let head = message.implement(&quote!(__rt::Message), &[]);
    let own = message.fields.iter().map(describe);
    let nested = message.fields.iter().filter(|field| !field.is_leaf()).map(
        |Field { ty, .. }| quote_spanned!(ty.span()=> <#ty as __rt::Field>::describe(__nested);),
    );
    let source = definition::source(message);
    let text_defaults = definition::text_defaults(message);
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
    quote! {
        #head {
            const TYPE_NAME: &'static str = #type_name;
            #source
            #text_defaults
            #[inline]
            fn type_hash() -> __rt::TypeHash {
                #type_hash
            }
            #[inline]
            fn describe_own() -> __rt::IndividualTypeDescription {
                __rt::describe_message::<Self, _>([#(#own),*])
            }
            #[inline]
            fn describe_nested(__nested: &mut __rt::Descriptions) {
                #(#nested)*
            }
        }
        #generated
    }
}
