//! What every file that is emitted may ask for.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::{
    describe::Descriptions,
    model::{Interfaces, Message},
    name::{InterfaceName, Kind, rust_name, view_names},
};

pub(super) struct Context<'a> {
    pub(super) interfaces: &'a Interfaces,
    descriptions: &'a Descriptions,
    /// The names of views that are not made in the usual way.
    views: BTreeMap<InterfaceName, String>,
}

impl<'a> Context<'a> {
    pub(super) fn new(interfaces: &'a Interfaces, descriptions: &'a Descriptions) -> Self {
        Self {
            interfaces,
            descriptions,
            views: view_names(descriptions.names(), interfaces.messages.keys()),
        }
    }

    /// The attributes that tell a type from all others.
    pub(super) fn identity(&self, name: &InterfaceName, with_kind: bool) -> TokenStream {
        let package = name.package().as_str();
        let kind = with_kind.then(|| {
            let kind = name.kind().as_str();
            quote!(kind = #kind,)
        });
        let hash = self.descriptions.hash(name).map(|hash| hash.to_string());
        let hash = hash.iter();
        let name = name.name();
        quote!(package = #package, #kind name = #name #(, hash = #hash)*)
    }

    /// The attribute that asks for a view.
    pub(super) fn view(&self, message: &InterfaceName) -> TokenStream {
        match self.views.get(message) {
            Some(name) => {
                let name = format_ident!("{name}");
                quote!(view = #name)
            }
            None => quote!(view),
        }
    }

    /// The attributes of a part that was not written in the language of `.msg` files.
    pub(super) fn rendered(&self, part: &Message, kind: Kind) -> TokenStream {
        let source = (kind == Kind::Msg).then(|| quote!(source = SOURCE_, encoding = "idl",));
        let _ = (part, rust_name(""), &self.interfaces);
        quote!(#source definition = "")
    }
}
