//! The view: a struct with the message's fields as they look in encoded bytes, and how they are read there.
//!
//! It stands beside the message if the `view` attribute is given, else in the anonymous constant, where only
//! `View<'a, Message>` reaches it. All work is in the runtime's generic functions, so that a view costs little to compile.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Generics, Ident, Path, parse_quote};

use super::field::{bounds, tried};
use crate::attr::View;
use crate::input::{Field, Message, Text};

fn name(message: &Message) -> Ident {
    match &message.view {
        View::Named(name) => name.clone(),
        View::Beside | View::Unnamed => format_ident!("{}Ref", message.ident),
    }
}

/// The lifetime of the bytes and the message's generics.
fn generics(message: &Message) -> Generics {
    let mut generics = message.generics.clone();
    generics.params.insert(0, parse_quote!('a));
    generics
}

/// The view's type, with the lifetime `'a`.
pub(super) fn ident_with_lifetime(message: &Message) -> TokenStream {
    let (ident, generics) = (name(message), generics(message));
    let (_, type_generics, _) = generics.split_for_impl();
    quote!(#ident #type_generics)
}

/// The field's type in the view; what is wrong with it is told where the message's field has its type.
fn field_type(field: &Field, runtime: &Path) -> TokenStream {
    let ty = &field.ty;
    let span = ty.span();
    if field.is_leaf() && field.text != Text::WString {
        return quote!(#ty);
    }
    let path = match field.text {
        Text::WString => quote!(#runtime::__private::WideRef),
        _ => quote!(#runtime::View),
    };
    let path = path.into_iter().map(|mut token| {
        token.set_span(span);
        token
    });
    quote_spanned!(span=> #(#path)*<'a, #ty>)
}

/// What stands beside the message, and what stands in the constant.
pub(super) fn expand(message: &Message) -> (TokenStream, TokenStream) {
    let (ident, vis, runtime) = (name(message), &message.vis, &message.runtime);
    let unnamed = matches!(message.view, View::Unnamed);
    let generics = generics(message);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let fields = message.fields.iter().map(|field| {
        let (ident, vis, docs) = (&field.ident, &field.vis, &field.docs);
        let docs = (!unnamed).then(|| quote!(#(#docs)*));
        let ty = field_type(field, runtime);
        quote!(#docs #vis #ident: #ty,)
    });
    let doc = format!(
        "View of an encoded [`{0}`]: its fields where they lie in the bytes, as `cdr::view::<{0}>` gives them.",
        message.ident
    );
    let structure = quote! {
        #[doc = #doc]
        // The names are the message's own, and what is allowed there is allowed here.
        #[allow(missing_docs, unreachable_pub, non_camel_case_types, non_snake_case)]
        #vis struct #ident #impl_generics #where_clause {
            #(#fields)*
            // Where nothing is borrowed the lifetime is used all the same. It stands last because a field of a type that
            // is none there would bring an error for everything that needs the struct's size.
            __lifetime: #runtime::__private::core::marker::PhantomData<&'a ()>,
        }
    };

    let name = ident.to_string();
    let names = message.fields.iter().map(|field| {
        let name = field.ident.to_string();
        name.strip_prefix("r#").unwrap_or(&name).to_owned()
    });
    let values = message.fields.iter().map(|field| &field.ident);
    let implementations = quote! {
        #[automatically_derived]
        impl #impl_generics __rt::core::marker::Copy for #ident #type_generics #where_clause {}
        #[automatically_derived]
        impl #impl_generics __rt::core::clone::Clone for #ident #type_generics #where_clause {
            #[inline]
            fn clone(&self) -> Self {
                *self
            }
        }
        impl #impl_generics __rt::core::fmt::Debug for #ident #type_generics #where_clause {
            #[inline]
            fn fmt(&self, __f: &mut __rt::core::fmt::Formatter<'_>) -> __rt::core::fmt::Result {
                __rt::debug_view(__f, #name, &[#(#names),*], &[#(&self.#values),*])
            }
        }
    };
    if unnamed {
        (TokenStream::new(), quote!(#structure #implementations))
    } else {
        (structure, implementations)
    }
}

/// The struct's value, read from `__decoder`.
pub(super) fn read(message: &Message) -> TokenStream {
    let ident = name(message);
    let fields = message.fields.iter().map(|field| {
        let (ident, name, ty) = (&field.ident, &field.name, &field.ty);
        let span = ty.span();
        let read = match field.text {
            Text::WString => quote_spanned!(span=> __rt::view_wide::<#ty>),
            _ => quote_spanned!(span=> __rt::view_field::<#ty>),
        };
        let bounds = match bounds(field) {
            Some(bounds) => quote!(__rt::Some(&#bounds)),
            None => quote!(__rt::None),
        };
        let read = tried(&quote!(#read(__decoder, #bounds, #name)));
        quote!(#ident: #read,)
    });
    quote!(#ident { #(#fields)* __lifetime: __rt::core::marker::PhantomData })
}
