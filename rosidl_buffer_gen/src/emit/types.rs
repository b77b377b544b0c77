//! Rust types of fields and constants. Every path is absolute: a message may be called `Vec`.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use crate::{
    model::{BasicType, Field, FieldType, Interfaces, Placement, Storage, ValueType},
    name::{InterfaceName, rust_name},
};

/// The type of a field of `message`.
pub(super) fn field_type(
    field: &Field,
    message: &InterfaceName,
    interfaces: &Interfaces,
) -> TokenStream {
    let item = value_type(field.field_type.value_type(), message, interfaces);
    let runtime = quote!(::rosidl_buffer_runtime);
    match (&field.field_type, field.storage) {
        (FieldType::Single(_), _) => item,
        (FieldType::Array(_, length), storage) => {
            let length = Literal::u64_unsuffixed(*length);
            if storage == Storage::Boxed {
                quote!(::std::boxed::Box<[#item; #length]>)
            } else {
                quote!([#item; #length])
            }
        }
        (FieldType::BoundedSequence(_, bound), storage) => {
            let bound = Literal::u64_unsuffixed(*bound);
            if storage == Storage::Buffer {
                quote!(#runtime::BoundedBuffer<#item, #bound>)
            } else {
                quote!(#runtime::BoundedSequence<#item, #bound>)
            }
        }
        (FieldType::UnboundedSequence(_), Storage::Buffer) => quote!(#runtime::Buffer<#item>),
        (FieldType::UnboundedSequence(_), _) => quote!(::std::vec::Vec<#item>),
    }
}

/// The type of a constant.
pub(super) fn constant_type(value_type: &ValueType) -> TokenStream {
    match value_type {
        ValueType::Basic(basic) => basic_type(*basic),
        _ => quote!(&'static str),
    }
}

fn value_type(value: &ValueType, message: &InterfaceName, interfaces: &Interfaces) -> TokenStream {
    match value {
        ValueType::Basic(basic) => basic_type(*basic),
        ValueType::String => quote!(::std::string::String),
        ValueType::WString => quote!(::rosidl_buffer_runtime::WString),
        ValueType::BoundedString(bound) => {
            let bound = Literal::u64_unsuffixed(*bound);
            quote!(::rosidl_buffer_runtime::BoundedString<#bound>)
        }
        ValueType::BoundedWString(bound) => {
            let bound = Literal::u64_unsuffixed(*bound);
            quote!(::rosidl_buffer_runtime::BoundedWString<#bound>)
        }
        ValueType::Namespaced(target) => path(target, message, interfaces),
    }
}

/// The way from the module of one interface to a message.
pub(super) fn path(
    target: &InterfaceName,
    from: &InterfaceName,
    interfaces: &Interfaces,
) -> TokenStream {
    let name = format_ident!("{}", rust_name(target.name()));
    let kind = format_ident!("{}", target.kind().as_str());
    if let Some(Placement::Extern(module)) = interfaces.packages.get(target.package()) {
        // Settings are checked to hold paths.
        let module: TokenStream = module.parse().unwrap_or_default();
        return quote!(#module::#kind::#name);
    }
    if target.package() == from.package() && target.kind() == from.kind() {
        return quote!(super::#name);
    }
    let package = format_ident!("{}", rust_name(target.package().as_str()));
    quote!(super::super::super::#package::#kind::#name)
}

fn basic_type(basic: BasicType) -> TokenStream {
    match basic {
        BasicType::Boolean => quote!(bool),
        BasicType::Byte | BasicType::Char | BasicType::Uint8 | BasicType::IdlChar => quote!(u8),
        BasicType::Int8 => quote!(i8),
        BasicType::Int16 => quote!(i16),
        BasicType::Uint16 => quote!(u16),
        BasicType::Int32 => quote!(i32),
        BasicType::Uint32 => quote!(u32),
        BasicType::Int64 => quote!(i64),
        BasicType::Uint64 => quote!(u64),
        BasicType::Float => quote!(f32),
        BasicType::Double => quote!(f64),
    }
}
