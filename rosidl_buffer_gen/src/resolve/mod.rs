//! Syntax trees → model: names looked up, values checked, an order found, storage decided.
//!
//! All that is wrong is told, so the model may have gaps when there were errors; it must not be used
//! then. What comes out needs no more checks: everything after it cannot fail on input.

mod buffers;
mod message;
mod order;
mod storage;
mod unknown;
mod value;

pub(crate) use unknown::unknown;

use std::collections::BTreeMap;

use crate::{config::Config, diagnostic::Diagnostics, load::Loaded, model::Interfaces};

/// Resolves everything that was loaded.
pub(crate) fn resolve(
    loaded: &Loaded,
    config: &Config,
    diagnostics: &mut Diagnostics,
) -> Interfaces {
    let mut references = BTreeMap::new();
    let mut messages = BTreeMap::new();
    for (name, parsed) in &loaded.messages {
        let resolver = message::Resolver {
            loaded,
            name,
            source: &parsed.source,
            diagnostics,
        };
        let (message, refers_to) = resolver.resolve(&parsed.tree);
        messages.insert(name.clone(), message);
        references.insert(name.clone(), refers_to);
    }
    let mut interfaces = Interfaces {
        order: order::sort(loaded, &references, diagnostics),
        messages,
        packages: loaded
            .packages
            .iter()
            .map(|(name, package)| (name.clone(), package.placement.clone()))
            .collect(),
        inputs: loaded.inputs.clone(),
    };
    buffers::decide(&mut interfaces, &config.buffer_fields, diagnostics);
    storage::decide(&mut interfaces, loaded, diagnostics);
    interfaces
}
