//! Texts: the message's own in the form of a `.msg` file, the file that it came from, and the messages that it mentions.
//! All are constants that nobody evaluates until a definition is asked for.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use crate::input::{Field, Identity, Message};
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

/// `Field::MENTION`: how other messages' definitions find this one's.
pub(super) fn mention(message: &Message) -> TokenStream {
    let text = own_text(message).map_or_else(
        || quote!(__rt::core::option::Option::None),
        |text| quote!(__rt::core::option::Option::Some(#text)),
    );
    let mentions = message
        .fields
        .iter()
        .filter(|field| !field.is_leaf())
        .map(|Field { ty, .. }| quote_spanned!(ty.span()=> <#ty as __rt::Field>::MENTION));
    quote! {
        const MENTION: __rt::core::option::Option<&'static __rt::Definition> =
            __rt::core::option::Option::Some(&__rt::Definition {
                type_name: <Self as __rt::Message>::TYPE_NAME,
                text: #text,
                mentions: &[#(#mentions),*],
            });
    }
}

/// `SOURCE` of a message, service or action that came from a file.
pub(super) fn file(interface: &Interface) -> Option<TokenStream> {
    let text = interface.source.as_ref()?;
    let encoding = interface.encoding();
    Some(quote! {
        const SOURCE: __rt::Source = __rt::Source::File { encoding: #encoding, text: #text };
    })
}

/// `Message::SOURCE`, where it is not that of a hand-written message.
pub(super) fn source(message: &Message) -> Option<TokenStream> {
    let implicit = || {
        quote!(
            const SOURCE: __rt::Source = __rt::Source::Implicit;
        )
    };
    match &message.identity {
        Identity::Implicit { .. } => Some(implicit()),
        Identity::Interface(interface) => {
            file(interface).or_else(|| (interface.kind != "msg").then(implicit))
        }
    }
}

/// `Message::TEXT_DEFAULTS`, for a text that has to be put together.
pub(super) fn text_defaults(message: &Message) -> Option<TokenStream> {
    if own_text(message).is_some() {
        return None;
    }
    let defaults: Vec<_> = message
        .fields
        .iter()
        .filter_map(|Field { name, default, .. }| {
            let text = value::in_msg_file(default.as_ref()?)?;
            Some(quote!((#name, #text)))
        })
        .collect();
    (!defaults.is_empty()).then(|| {
        quote! {
            const TEXT_DEFAULTS: &'static [(&'static str, &'static str)] = &[#(#defaults),*];
        }
    })
}
