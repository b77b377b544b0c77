//! A message's description: fields, texts, and the messages that it mentions. All are constants that nobody evaluates until
//! they are asked for, so that they cost little to compile and nothing else.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Expr;
use syn::spanned::Spanned as _;

use super::field::bounds;
use crate::input::{Field, Identity, Message, Text};
use crate::interface::Interface;
use crate::value;

/// The expression of the message's own text, if one is given.
fn own_text(message: &Message) -> Option<TokenStream> {
    if let Some(text) = &message.definition {
        return Some(quote!(#text));
    }
    let interface = message.interface()?;
    let source = interface.source.as_ref()?;
    (interface.encoding() == "msg").then(|| quote!(#source))
}

/// The function that gives the field's type in a type description, with what attributes say of it.
fn field_type(field: &Field) -> TokenStream {
    let ty = &field.ty;
    let span = ty.span();
    let by_text = match field.text {
        Text::AsTyped => quote_spanned!(span=> <#ty as __rt::Field>::field_type),
        Text::Byte => quote_spanned!(span=> __rt::byte_field_type::<#ty>),
        Text::Char => quote_spanned!(span=> __rt::char_field_type::<#ty>),
        Text::IdlChar => quote_spanned!(span=> __rt::idl_char_field_type::<#ty>),
        Text::WChar => quote_spanned!(span=> __rt::wchar_field_type::<#ty>),
        Text::WString => quote_spanned!(span=> __rt::wide_field_type::<#ty>),
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
    quote!(|| {
        #sequence
        #string
        __rt::with_bounds(#by_text(), &#bounds)
    })
}

fn describe(field: &Field, has_text: bool) -> TokenStream {
    let (name, ty) = (&field.name, field_type(field));
    let Some(default) = &field.default else {
        return quote!(__rt::DescribedField::new(#name, #ty));
    };
    // Where the text is given, nobody asks for parts of one.
    let text = if has_text {
        quote!("")
    } else {
        text_default(field, default)
    };
    let python = value::python(default);
    quote!(__rt::DescribedField { name: #name, field_type: #ty, default: #python, text_default: #text })
}

/// Nothing, if ROS 2 would refuse the text of a string for being longer than the bound of its type.
fn text_default(field: &Field, default: &Expr) -> TokenStream {
    let text = value::in_msg_file(default);
    let Some(len) = value::grown_len(default) else {
        return quote!(#text);
    };
    let ty = &field.ty;
    let bound = match (field.string_bound, default) {
        (Some(bound), _) => quote!(#bound as __rt::core::primitive::usize),
        (None, Expr::Array(_)) => quote_spanned!(ty.span()=> <#ty as __rt::Field>::ITEM_MAX_LEN),
        (None, _) => quote_spanned!(ty.span()=> <#ty as __rt::Field>::MAX_LEN),
    };
    quote!(if #len <= #bound { #text } else { "" })
}

/// Types as a tree, so that many do not nest deeply.
fn tree(types: &[TokenStream]) -> TokenStream {
    match types {
        [] => quote!(()),
        [one] => one.clone(),
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            let (left, right) = (tree(left), tree(right));
            quote!((#left, #right))
        }
    }
}

/// What `Message` has for the description.
pub(super) fn constants(message: &Message) -> TokenStream {
    let text = own_text(message);
    let has_text = text.is_some();
    let fields = message.fields.iter().map(|field| describe(field, has_text));
    let text = text.map(|text| {
        quote! {
            const TEXT: __rt::Option<&'static str> = __rt::Some(#text);
        }
    });
    let source = source(message);
    let mentions: Vec<_> = message
        .fields
        .iter()
        .filter(|field| !field.is_closed())
        .map(|Field { ty, .. }| quote_spanned!(ty.span()=> __rt::Mentioned<#ty>))
        .collect();
    let mentions = tree(&mentions);
    quote! {
        type Mentions = #mentions;
        const FIELDS: &'static [__rt::DescribedField] = &[#(#fields),*];
        const SOURCE: __rt::Source = #source;
        #text
    }
}

/// Where the text comes from, if that is a file.
fn file(interface: &Interface) -> Option<TokenStream> {
    let text = interface.source.as_ref()?;
    let encoding = interface.encoding();
    Some(quote!(__rt::Source::File { encoding: #encoding, text: #text }))
}

fn source(message: &Message) -> TokenStream {
    match &message.identity {
        Identity::Interface(interface) if interface.source.is_some() || interface.kind == "msg" => {
            file(interface).unwrap_or_else(|| quote!(__rt::Source::Rendered))
        }
        _ => quote!(__rt::Source::Implicit),
    }
}

/// `SOURCE` of a service or an action that came from a file.
pub(super) fn marker_source(interface: &Interface) -> Option<TokenStream> {
    let source = file(interface)?;
    Some(quote!(const SOURCE: __rt::Source = #source;))
}
