//! A message, or a part of a service or an action, as a struct and its constants.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::{Context, doc, types, value};
use crate::{
    model::{BasicType, Constant, Field, Message, ValueType},
    name::{is_lower_name, rust_name},
};

/// The struct and its constants. `text` is what the struct says about its definition.
pub(super) fn emit(
    message: &Message,
    text: &TokenStream,
    context: &Context<'_>,
) -> Vec<TokenStream> {
    let docs = doc::attributes(&message.doc);
    let ident = context.ident(&message.name);
    let identity = context.identity(&message.name);
    let view = view(message, &ident);
    let derives = tokens(&message.derives);
    let attributes = tokens(&message.attributes);
    // Fields stay in their order, so that an array of such structs is one piece of memory.
    let repr = message.is_plain.then(|| quote!(#[repr(C)]));
    let fields = message.fields.iter();
    let fields = fields.map(|field| emit_field(field, message, context));
    let mut items = vec![quote! {
        #docs
        #[derive(Debug, Clone, PartialEq, #(#derives,)* ::rosidl_buffer_runtime::BufferMessage)]
        #[ros2(#identity, #view, #text)]
        #repr
        #(#attributes)*
        pub struct #ident {
            #(#fields,)*
        }
    }];
    items.extend(emit_constants(&message.constants, &ident));
    items
}

/// The attribute that asks for a view, with its name where that is not the usual one.
fn view(message: &Message, ident: &Ident) -> TokenStream {
    if *ident == message.view.strip_suffix("Ref").unwrap_or_default() {
        return quote!(view);
    }
    let view = format_ident!("{}", message.view);
    quote!(view = #view)
}

/// Settings, which are checked to be Rust.
fn tokens(settings: &[String]) -> Vec<TokenStream> {
    let texts = settings.iter();
    texts.map(|text| text.parse().unwrap_or_default()).collect()
}

fn emit_field(field: &Field, message: &Message, context: &Context<'_>) -> TokenStream {
    let docs = doc::attributes(&field.doc);
    let ident = format_ident!("{}", field.rust_name);
    let attributes = tokens(&field.attributes);
    let field_type = types::field_type(field, &message.name, context);
    let value_type = field.field_type.value_type();
    let same_in_rust = match value_type {
        ValueType::Basic(BasicType::Byte) => Some(quote!(byte)),
        ValueType::Basic(BasicType::Char) => Some(quote!(char)),
        ValueType::Basic(BasicType::IdlChar) => Some(quote!(idl_char)),
        ValueType::Basic(BasicType::IdlWchar) => Some(quote!(wchar)),
        _ => None,
    };
    let default = field.default.as_ref().map(|default| {
        let default = value::emit(default, value_type);
        quote!(default = #default)
    });
    let is_usual = field.rust_name == rust_name(&field.name) && is_lower_name(&field.name);
    let name = (!is_usual).then(|| {
        let name = &field.name;
        quote!(name = #name)
    });
    let mut settings = name
        .into_iter()
        .chain(same_in_rust)
        .chain(default)
        .peekable();
    let attribute = settings
        .peek()
        .is_some()
        .then(|| quote!(#[ros2(#(#settings),*)]));
    quote!(#docs #attribute #(#attributes)* pub #ident: #field_type)
}

fn emit_constants(constants: &[Constant], message: &Ident) -> Option<TokenStream> {
    let constants = constants.iter().map(|constant| {
        let docs = doc::attributes(&constant.doc);
        let ident = format_ident!("{}", rust_name(&constant.name));
        let constant_type = types::constant_type(&constant.constant_type);
        let value = value::emit(&constant.value, &constant.constant_type);
        quote!(#docs pub const #ident: #constant_type = #value;)
    });
    (constants.len() > 0).then(|| quote!(impl #message { #(#constants)* }))
}
