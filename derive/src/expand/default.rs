//! `Default`: what the interface declares, zero or empty where it declares nothing.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Expr;
use syn::spanned::Spanned as _;

use crate::check::strings;
use crate::input::{Field, Message};

/// Lengths of literals against the bounds of the field's type, compared when the struct compiles.
fn length_checks(field: &Field) -> Option<TokenStream> {
    let default = field.default.as_ref()?;
    let ty = &field.ty;
    let longest = strings(default)
        .into_iter()
        .map(|text| text.value().chars().count())
        .max();
    let check = |constant: TokenStream, len: usize| {
        quote_spanned!(default.span()=>
            const _: () = __rt::core::assert!(#len <= <#ty as __rt::Field>::#constant, "the default value is longer than the bound of its type");
        )
    };
    Some(match default {
        Expr::Array(array) => {
            let items = longest.map(|len| check(quote!(ITEM_MAX_LEN), len));
            let whole = check(quote!(MAX_LEN), array.elems.len());
            quote!(#whole #items)
        }
        _ => check(quote!(MAX_LEN), longest?),
    })
}

pub(super) fn expand(message: &Message) -> TokenStream {
    let checks = message.fields.iter().filter_map(length_checks);
    let values = message.fields.iter().map(|Field { ident, ty, default, .. }| match default {
        Some(value) => quote_spanned!(value.span()=> #ident: <#ty as __rt::FieldDefault<_>>::from_default(#value),),
        None => quote_spanned!(ty.span()=> #ident: <#ty as __rt::FieldInit>::init(),),
    });
    let bounds = [quote!(__rt::FieldInit)];
    let default = (!message.no_default).then(|| {
        let head = message.implement(&quote!(__rt::core::default::Default), &bounds);
        quote! {
            #head {
                #[inline]
                fn default() -> Self {
                    <Self as __rt::FieldInit>::init()
                }
            }
        }
    });
    let head = message.implement(&quote!(__rt::FieldInit), &bounds);
    quote! {
        #(#checks)*
        #default
        #head {
            #[inline]
            fn init() -> Self {
                Self { #(#values)* }
            }
        }
    }
}
