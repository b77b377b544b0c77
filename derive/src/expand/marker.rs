//! `Service` and `Action`: the parts, the names and hashes of the implicit types.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::description;
use crate::marker::Marker;

/// `type Name = …;`, with the runtime's own struct where no other is given.
fn associated(marker: &Marker, name: &str, associated: &str, default: &TokenStream) -> TokenStream {
    let ty = marker
        .ty(name)
        .map_or_else(|| default.clone(), |ty| quote!(#ty));
    let associated = format_ident!("{associated}");
    quote!(type #associated = #ty;)
}

/// Compares the names of the parts when the struct compiles: hashes and names on the wire are made from the marker's alone.
fn part_checks(marker: &Marker, of: &TokenStream) -> TokenStream {
    let (ident, type_name) = (&marker.interface.ident, marker.interface.type_name());
    let checks = marker.parts().iter().map(|(part, suffix)| {
        let span = marker.ty(part).map_or_else(|| ident.span(), Spanned::span);
        let name = format!("{type_name}_{suffix}");
        let associated = format_ident!("{suffix}");
        quote_spanned!(span=> const _: () = __rt::require_part::<<#ident as __rt::#of>::#associated>(#part, #name);)
    });
    quote!(#(#checks)*)
}

fn anonymous(marker: &Marker, of: &TokenStream, implementation: &TokenStream) -> TokenStream {
    let runtime = &marker.interface.runtime;
    let checks = part_checks(marker, of);
    quote! {
        const _: () = {
            #[allow(unused_imports)]
            use #runtime::__private as __rt;
            #checks
            #implementation
        };
    }
}

pub(crate) fn service(marker: &Marker) -> TokenStream {
    let interface = &marker.interface;
    let ident = &interface.ident;
    let type_name = interface.type_name();
    let event = format!("{type_name}_Event");
    let none = quote!(());
    let types = [
        associated(marker, "request", "Request", &none),
        associated(marker, "response", "Response", &none),
        associated(marker, "event_info", "EventInfo", &quote!(__rt::EventInfo)),
    ];
    let source = description::marker_source(interface);
    let (type_hash, generated) = interface.type_hash(&quote!(GeneratedService), &quote!(Service));
    anonymous(
        marker,
        &quote!(Service),
        &quote! {
            impl __rt::Service for #ident {
                #(#types)*
                const TYPE_NAME: &'static str = #type_name;
                const EVENT_TYPE_NAME: &'static str = #event;
                #source
                #[inline]
                fn type_hash() -> __rt::TypeHash {
                    #type_hash
                }
                #[inline]
                fn event_type_hash() -> __rt::TypeHash {
                    static __HASH: __rt::OnceLock<__rt::TypeHash> = __rt::OnceLock::new();
                    *__HASH.get_or_init(|| <__rt::Event<Self> as __rt::Message>::type_description().type_hash())
                }
            }
            #generated
        },
    )
}

/// The implicit types of an action: the field in the runtime's tables and the suffix of the name.
const IMPLICIT: [(&str, &str); 9] = [
    ("send_goal", "SendGoal"),
    ("send_goal_request", "SendGoal_Request"),
    ("send_goal_response", "SendGoal_Response"),
    ("send_goal_event", "SendGoal_Event"),
    ("get_result", "GetResult"),
    ("get_result_request", "GetResult_Request"),
    ("get_result_response", "GetResult_Response"),
    ("get_result_event", "GetResult_Event"),
    ("feedback_message", "FeedbackMessage"),
];

pub(crate) fn action(marker: &Marker) -> TokenStream {
    let interface = &marker.interface;
    let ident = &interface.ident;
    let type_name = interface.type_name();
    let none = quote!(());
    let types = [
        associated(marker, "goal", "Goal", &none),
        associated(marker, "result", "Result", &none),
        associated(marker, "feedback", "Feedback", &none),
        associated(marker, "goal_id", "GoalId", &quote!(__rt::GoalId)),
        associated(marker, "time", "Time", &quote!(__rt::Time)),
        associated(marker, "event_info", "EventInfo", &quote!(__rt::EventInfo)),
    ];
    let names = IMPLICIT.iter().map(|(field, suffix)| {
        let (field, name) = (format_ident!("{field}"), format!("{type_name}_{suffix}"));
        quote!(#field: #name)
    });
    let source = description::marker_source(interface);
    let (type_hash, generated) = interface.type_hash(&quote!(GeneratedAction), &quote!(Action));
    anonymous(
        marker,
        &quote!(Action),
        &quote! {
            impl __rt::Action for #ident {
                #(#types)*
                const TYPE_NAME: &'static str = #type_name;
                const NAMES: __rt::Names = __rt::Names { #(#names),* };
                #source
                #[inline]
                fn type_hash() -> __rt::TypeHash {
                    #type_hash
                }
                #[inline]
                fn hashes() -> &'static __rt::Hashes {
                    static __HASHES: __rt::OnceLock<__rt::Hashes> = __rt::OnceLock::new();
                    __HASHES.get_or_init(__rt::Hashes::of::<Self>)
                }
            }
            #generated
        },
    )
}
