//! What every file that is emitted may ask for.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use crate::{
    describe::Descriptions,
    model::{Interfaces, Placement},
    name::{InterfaceName, Kind, rust_name},
};

pub(super) struct Context<'a> {
    pub(super) interfaces: &'a Interfaces,
    pub(super) descriptions: &'a Descriptions,
    /// Whether code is laid out for people.
    pub(super) format: bool,
    /// Whether there is a type for the information in a service's events.
    pub(super) has_event_info: bool,
}

impl Context<'_> {
    /// What a type is called in Rust.
    pub(super) fn ident(&self, name: &InterfaceName) -> Ident {
        match self.interfaces.rust_names.get(name) {
            Some(chosen) => format_ident!("{chosen}"),
            None => format_ident!("{}", rust_name(name.name())),
        }
    }

    /// The way from the module of one interface to a message.
    pub(super) fn path(&self, target: &InterfaceName, from: &InterfaceName) -> TokenStream {
        let name = self.ident(target);
        let kind = format_ident!("{}", target.kind().as_str());
        if let Some(Placement::Extern(module)) = self.interfaces.packages.get(target.package()) {
            // Settings are checked to hold paths.
            let module: TokenStream = module.parse().unwrap_or_default();
            return quote!(#module::#kind::#name);
        }
        if target.package() == from.package() && target.kind() == from.kind() {
            return quote!(super::#name);
        }
        if target.package() == from.package() {
            return quote!(super::super::#kind::#name);
        }
        let package = format_ident!("{}", rust_name(target.package().as_str()));
        quote!(super::super::super::#package::#kind::#name)
    }

    /// The attribute of services and actions for the type in their events; without it, it is the runtime's.
    pub(super) fn event_info(&self, from: &InterfaceName) -> Option<TokenStream> {
        self.has_event_info.then(|| {
            let path = self.path(&InterfaceName::event_info(), from);
            quote!(event_info = #path)
        })
    }

    /// The attributes that tell a type from all others.
    pub(super) fn identity(&self, name: &InterfaceName) -> TokenStream {
        let package = name.package().as_str();
        // The derives of services and actions know the kind.
        let is_part = name.kind() != Kind::Msg && !self.interfaces.declarations.contains_key(name);
        let kind = is_part.then(|| {
            let kind = name.kind().as_str();
            quote!(kind = #kind,)
        });
        let hash = self.descriptions.hash(name).map(|hash| hash.to_string());
        let hash = hash.iter();
        let name = name.name();
        quote!(package = #package, #kind name = #name #(, hash = #hash)*)
    }
}
