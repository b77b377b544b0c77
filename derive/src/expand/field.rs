//! `Field`: size, encoding, decoding, buffers.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use crate::input::{Field, Message, Text};

/// The bounds in a field's attributes, as a `Bounds` constant.
pub(super) fn bounds(field: &Field) -> Option<TokenStream> {
    if field.bound.is_none() && field.string_bound.is_none() {
        return None;
    }
    let number = |bound: Option<u32>| {
        bound.map_or_else(
            || quote!(__rt::core::primitive::usize::MAX),
            |bound| {
                let bound = Literal::u32_unsuffixed(bound);
                quote!(#bound)
            },
        )
    };
    let (sequence, string) = (number(field.bound), number(field.string_bound));
    Some(quote!(__rt::Bounds { sequence: #sequence, string: #string }))
}

fn end(field: &Field) -> TokenStream {
    let ident = &field.ident;
    let span = field.ty.span();
    match field.text {
        Text::WString => {
            quote_spanned!(span=> let __at = __rt::WideField::wide_end(&self.#ident, __at);)
        }
        _ => quote_spanned!(span=> let __at = __rt::Field::end(&self.#ident, __at);),
    }
}

/// `#call?`, spelled out: less for the compiler to resolve, which counts in a library of messages.
pub(super) fn tried(call: &TokenStream) -> TokenStream {
    quote! {
        match #call {
            __rt::Ok(__value) => __value,
            __rt::Err(__error) => return __rt::Err(__error),
        }
    }
}

fn encode(field: &Field) -> TokenStream {
    let (ident, name) = (&field.ident, &field.name);
    let span = field.ty.span();
    let check = bounds(field).map(|bounds| {
        let check = tried(&quote!(__rt::check_encode(&self.#ident, &#bounds, #name)));
        quote!(#check;)
    });
    let encode = tried(&match field.text {
        Text::WString => quote_spanned!(span=> __rt::encode_wide(&self.#ident, __encoder, #name)),
        _ if field.is_ordinary_buffer() => {
            quote_spanned!(span=> __rt::encode_ordinary(&self.#ident, __encoder, #name))
        }
        _ => quote_spanned!(span=> __rt::encode_field(&self.#ident, __encoder, #name)),
    });
    quote!(#check #encode;)
}

fn decode(field: &Field) -> TokenStream {
    let (ident, name) = (&field.ident, &field.name);
    let span = field.ty.span();
    let decode = tried(&match field.text {
        Text::WString => quote_spanned!(span=> __rt::decode_wide(__decoder, #name)),
        _ if field.is_ordinary_buffer() => {
            quote_spanned!(span=> __rt::decode_ordinary(__decoder, #name))
        }
        _ => quote_spanned!(span=> __rt::decode_field(__decoder, #name)),
    });
    match bounds(field) {
        Some(bounds) => {
            let check = tried(&quote!(__rt::check_decode(__value, __decoder, &#bounds, #name)));
            quote!(#ident: {
                let __value = #decode;
                #check
            },)
        }
        None => quote!(#ident: #decode,),
    }
}

/// For a struct that may be plain: how the compiler finds out, and the short way through it.
#[derive(Default)]
struct Plain {
    constants: TokenStream,
    encode: TokenStream,
    decode: TokenStream,
    view: TokenStream,
}

fn plain(message: &Message) -> Plain {
    if !message.repr_c
        || message.fields.is_empty()
        || message
            .fields
            .iter()
            .any(|field| field.text == Text::WString)
    {
        return Plain::default();
    }
    let steps = message.fields.iter().map(
        |Field { ident, ty, .. }| quote!(.field::<#ty>(__rt::core::mem::offset_of!(Self, #ident))),
    );
    // The struct might not be what the derive saw, if another macro changed it later.
    let types = message
        .fields
        .iter()
        .map(|Field { ident, ty, .. }| quote!(let _: &#ty = &__self.#ident;));
    Plain {
        constants: quote! {
            const PLAIN: __rt::Plain<Self> = {
                let _: fn(&Self) = |__self| { #(#types)* };
                let __layout = __rt::Layout::START #(#steps)*;
                // SAFETY: `Layout` compared every field's place in the struct with its place in CDR and found no padding.
                unsafe { __rt::Plain::assume(__layout.is_plain(__rt::core::mem::size_of::<Self>()), __layout.max_align()) }
            };
        },
        encode: quote! {
            if __rt::encode_plain(self, __encoder) {
                return __rt::Ok(());
            }
        },
        decode: quote! {
            if let __rt::Some(__value) = __rt::decode_plain::<Self>(__decoder)? {
                return __rt::Ok(__value);
            }
        },
        view: quote!(__rt::view_plain::<Self>(__decoder)?;),
    }
}

pub(super) fn expand(message: &Message) -> TokenStream {
    let head = message.implement(&quote!(__rt::Field), &[]);
    let types: Vec<_> = message.fields.iter().map(|field| &field.ty).collect();
    let nested: Vec<_> = message
        .fields
        .iter()
        .filter(|field| !field.is_closed())
        .collect();
    let has_buffers = nested
        .iter()
        .map(|Field { ty, .. }| quote_spanned!(ty.span()=> <#ty as __rt::Field>::HAS_BUFFERS));
    let has_ros_buffers = nested.iter().map(|field| {
        let ty = &field.ty;
        // What stands in an array or sequence is a buffer of its own message.
        let unless = field
            .is_ordinary_buffer()
            .then(|| quote_spanned!(ty.span()=> && !<#ty as __rt::Field>::IS_BUFFER));
        quote_spanned!(ty.span()=> || <#ty as __rt::Field>::HAS_ROS_BUFFERS #unless)
    });
    let Plain {
        constants,
        encode: encode_plain,
        decode: decode_plain,
        view: view_plain,
    } = plain(message);
    let fixed_len = message
        .fields
        .iter()
        .filter(|field| !field.is_leaf())
        .map(|Field { ty, .. }| quote_spanned!(ty.span()=> && <#ty as __rt::Field>::FIXED_LEN));
    let view = super::view::ident_with_lifetime(message);
    let view_fields = super::view::read(message);

    let first_align = types.first().map_or_else(
        || quote!(1),
        |ty| quote_spanned!(ty.span()=> <#ty as __rt::Field>::FIRST_ALIGN),
    );
    let min_len = if types.is_empty() {
        quote!(1)
    } else {
        let lengths = types
            .iter()
            .map(|ty| quote_spanned!(ty.span()=> <#ty as __rt::Field>::MIN_LEN));
        quote!(#(#lengths)+*)
    };
    let ends = message.fields.iter().map(end);
    let encodes = message.fields.iter().map(encode);
    let decodes = message.fields.iter().map(decode);
    let empty = message.fields.is_empty();
    let end_empty = empty.then(|| quote!(let __at = __at + 1;));
    let encode_empty = empty.then(|| quote!(__rt::encode_empty(__encoder);));
    let decode_empty = empty.then(|| quote!(__rt::decode_empty(__decoder)?;));

    let visits = (!nested.is_empty()).then(|| {
        let visit = nested.iter().map(|Field { ident, name, .. }| quote!(__rt::Field::visit_buffers(&self.#ident, #name, __visit);));
        let visit_mut =
            nested.iter().map(|Field { ident, name, .. }| quote!(__rt::Field::visit_buffers_mut(&mut self.#ident, #name, __visit);));
        quote! {
            const HAS_BUFFERS: bool = #(#has_buffers)||*;
            const HAS_ROS_BUFFERS: bool = false #(#has_ros_buffers)*;
            #[inline]
            fn visit_buffers(&self, _: &'static str, __visit: &mut dyn __rt::core::ops::FnMut(&'static str, &dyn __rt::AnyBuffer)) {
                #(#visit)*
            }
            #[inline]
            fn visit_buffers_mut(&mut self, _: &'static str, __visit: &mut dyn __rt::core::ops::FnMut(&'static str, &mut dyn __rt::AnyBuffer)) {
                #(#visit_mut)*
            }
        }
    });

    // Evaluated by `cargo check` too, so that what a type refuses is told where it stands.
    let checks = nested
        .iter()
        .filter(|field| !field.is_generic)
        .map(|Field { ty, .. }| quote_spanned!(ty.span()=> const _: usize = <#ty as __rt::Field>::MIN_LEN;));

    quote! {
        #(#checks)*
        #head {
            const FIRST_ALIGN: usize = #first_align;
            const MIN_LEN: usize = #min_len;
            const FIXED_LEN: bool = true #(#fixed_len)*;
            const MENTION: __rt::Option<&'static __rt::Described> = __rt::mention::<Self>();
            #constants
            type Ref<'a> = #view;
            #[inline]
            fn end(&self, __at: usize) -> usize {
                #(#ends)*
                #end_empty
                __at
            }
            #[inline]
            fn encode(&self, __encoder: &mut __rt::Encoder<'_>) -> __rt::Result<(), __rt::EncodeError> {
                #encode_plain
                #(#encodes)*
                #encode_empty
                __rt::Ok(())
            }
            #[inline]
            fn decode(__decoder: &mut __rt::Decoder<'_>) -> __rt::Result<Self, __rt::DecodeError> {
                #decode_plain
                #decode_empty
                __rt::Ok(Self { #(#decodes)* })
            }
            #[inline]
            fn view<'a>(__decoder: &mut __rt::Decoder<'a>) -> __rt::Result<Self::Ref<'a>, __rt::DecodeError> {
                #view_plain
                #decode_empty
                __rt::Ok(#view_fields)
            }
            #visits
        }
    }
}
