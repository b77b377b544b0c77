//! Rust types of fields and constants. Every path is absolute: a message may be called `Vec`.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::Context;
use crate::{
    model::{BasicType, Field, FieldType, Storage, ValueType},
    name::InterfaceName,
};

/// The type of a field of `message`.
pub(super) fn field_type(
    field: &Field,
    message: &InterfaceName,
    context: &Context<'_>,
) -> TokenStream {
    let item = value_type(field.field_type.value_type(), message, context);
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

fn value_type(value: &ValueType, message: &InterfaceName, context: &Context<'_>) -> TokenStream {
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
        ValueType::Namespaced(target) => context.path(target, message),
    }
}

fn basic_type(basic: BasicType) -> TokenStream {
    match basic {
        BasicType::Boolean => quote!(bool),
        BasicType::Byte | BasicType::Char | BasicType::Uint8 | BasicType::IdlChar => quote!(u8),
        BasicType::Int8 => quote!(i8),
        BasicType::Int16 => quote!(i16),
        BasicType::Uint16 | BasicType::IdlWchar => quote!(u16),
        BasicType::Int32 => quote!(i32),
        BasicType::Uint32 => quote!(u32),
        BasicType::Int64 => quote!(i64),
        BasicType::Uint64 => quote!(u64),
        BasicType::Float => quote!(f32),
        BasicType::Double => quote!(f64),
    }
}
