//! Accessors of the messages that the runtime itself knows, where name and fields are theirs: those of services and actions here,
//! tensors beside it.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};

use crate::input::Message;

/// Whether the fields are exactly these; an empty type stands for any, and one that starts with `…` for any path to it.
pub(super) fn has_fields(message: &Message, expected: &[(&str, &str)]) -> bool {
    message.fields.len() == expected.len()
        && message
            .fields
            .iter()
            .zip(expected)
            .all(|(field, (name, ty))| {
                let spelled = field.ty.to_token_stream().to_string().replace(' ', "");
                let fits = match ty.strip_prefix('…') {
                    None => ty.is_empty() || spelled == *ty,
                    Some(ty) => spelled
                        .strip_suffix(ty)
                        .is_some_and(|path| path.is_empty() || path.ends_with("::")),
                };
                field.name == *name && fits
            })
}

pub(super) fn expand(message: &Message) -> Option<TokenStream> {
    let ident = &message.ident;
    // The Rust names, which attributes may part from the ROS names.
    let fields: Vec<_> = message.fields.iter().map(|field| &field.ident).collect();
    match message.interface()?.type_name().as_str() {
        "unique_identifier_msgs/msg/UUID" if has_fields(message, &[("uuid", "[u8;16]")]) => {
            let uuid = fields[0];
            Some(quote! {
                impl __rt::UuidMessage for #ident {
                    fn from_bytes(__bytes: [u8; 16]) -> Self {
                        Self { #uuid: __bytes }
                    }
                    fn bytes(&self) -> [u8; 16] {
                        self.#uuid
                    }
                }
            })
        }
        "builtin_interfaces/msg/Time"
            if has_fields(message, &[("sec", "i32"), ("nanosec", "u32")]) =>
        {
            let (sec, nanosec) = (fields[0], fields[1]);
            Some(quote! {
                impl __rt::TimeMessage for #ident {
                    fn from_parts(__sec: i32, __nanosec: u32) -> Self {
                        Self { #sec: __sec, #nanosec: __nanosec }
                    }
                    fn parts(&self) -> (i32, u32) {
                        (self.#sec, self.#nanosec)
                    }
                }
            })
        }
        "service_msgs/msg/ServiceEventInfo"
            if has_fields(
                message,
                &[
                    ("event_type", "u8"),
                    ("stamp", ""),
                    ("client_gid", "[u8;16]"),
                    ("sequence_number", "i64"),
                ],
            ) =>
        {
            let (event_type, stamp) = (fields[0], fields[1]);
            let (client_gid, sequence_number) = (fields[2], fields[3]);
            let time = &message.fields[1].ty;
            Some(quote! {
                impl __rt::ServiceEventInfoMessage for #ident {
                    type Time = #time;
                    fn from_parts(__event_type: u8, __stamp: #time, __client_gid: [u8; 16], __sequence_number: i64) -> Self {
                        Self {
                            #event_type: __event_type,
                            #stamp: __stamp,
                            #client_gid: __client_gid,
                            #sequence_number: __sequence_number,
                        }
                    }
                    fn event_type(&self) -> u8 {
                        self.#event_type
                    }
                    fn stamp(&self) -> &#time {
                        &self.#stamp
                    }
                    fn client_gid(&self) -> [u8; 16] {
                        self.#client_gid
                    }
                    fn sequence_number(&self) -> i64 {
                        self.#sequence_number
                    }
                }
            })
        }
        _ => None,
    }
}
