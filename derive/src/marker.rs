//! The struct that stands for a service or an action, and its attributes.
//!
//! It has no fields: the parts are messages of their own, found by name beside it or given by attributes.

use quote::format_ident;
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Fields, Result, Type};

use crate::attr::{self, Errors};
use crate::interface::Interface;

/// A struct that is to become a service or an action.
pub(crate) struct Marker {
    pub(crate) interface: Interface,
    kind: &'static MarkerKind,
    types: Vec<(String, Type)>,
}

/// What differs between services and actions here.
pub(crate) struct MarkerKind {
    /// `srv` or `action`.
    kind: &'static str,
    /// "a service", "an action".
    what: &'static str,
    /// The parts: the attribute and the suffix of the struct's name.
    parts: &'static [(&'static str, &'static str)],
    /// Attributes for messages of other packages.
    others: &'static [&'static str],
}

pub(crate) const SERVICE: MarkerKind = MarkerKind {
    kind: "srv",
    what: "a service",
    parts: &[("request", "Request"), ("response", "Response")],
    others: &["event_info"],
};

pub(crate) const ACTION: MarkerKind = MarkerKind {
    kind: "action",
    what: "an action",
    parts: &[
        ("goal", "Goal"),
        ("result", "Result"),
        ("feedback", "Feedback"),
    ],
    others: &["goal_id", "time", "event_info"],
};

impl Marker {
    pub(crate) fn from_item(item: &DeriveInput, kind: &'static MarkerKind) -> Result<Self> {
        let mut errors = Errors::default();
        let names: Vec<_> = kind.parts.iter().map(|(name, _)| *name).collect();
        let allowed: Vec<_> = names.iter().chain(kind.others).copied().collect();
        let attrs = attr::marker(&item.attrs, kind.what, &allowed, &mut errors);
        let is_empty_struct = matches!(&item.data, Data::Struct(data) if data.fields.is_empty() && !matches!(data.fields, Fields::Unnamed(_)));
        if !is_empty_struct || !item.generics.params.is_empty() {
            let span = if item.generics.params.is_empty() {
                item.ident.span()
            } else {
                item.generics.span()
            };
            errors.push(Error::new(
                span,
                format!(
                    "{} is a struct without fields or parameters: `struct {};`; its parts are messages of their own",
                    kind.what, item.ident
                ),
            ));
        }
        let interface = Interface::new(
            &item.ident,
            attrs.interface,
            kind.kind.to_owned(),
            kind.what,
            &mut errors,
        );
        errors.finish()?;
        let mut errors = Errors::default();
        interface.check(&mut errors);
        if interface.name.value().contains('_') {
            errors.push(Error::new(
                interface.name.span(),
                format!(
                    "{} has a name without `_`; its parts have suffixes",
                    kind.what
                ),
            ));
        }
        errors.finish()?;
        let mut types = attrs.types;
        for (name, suffix) in kind.parts {
            if !types.iter().any(|(given, _)| given == name) {
                let ident = format_ident!(
                    "{}_{suffix}",
                    interface.name.value(),
                    span = item.ident.span()
                );
                types.push(((*name).to_owned(), syn::parse_quote!(#ident)));
            }
        }
        Ok(Self {
            interface,
            kind,
            types,
        })
    }

    /// The attributes of the parts and the suffixes of their names.
    pub(crate) fn parts(&self) -> &'static [(&'static str, &'static str)] {
        self.kind.parts
    }

    /// The type of that attribute, given or found by its name.
    pub(crate) fn ty(&self, name: &str) -> Option<&Type> {
        let (_, ty) = self.types.iter().find(|(given, _)| given == name)?;
        Some(ty)
    }
}
