//! Syntax trees → model: names looked up, values checked, an order found, storage decided.
//!
//! All that is wrong is told, so the model may have gaps when there were errors; it must not be used
//! then. What comes out needs no more checks: everything after it cannot fail on input.

mod buffers;
mod filter;
mod message;
mod order;
mod settings;
mod storage;
mod unknown;
mod value;

pub(crate) use unknown::unknown;

use std::collections::BTreeMap;

use crate::{
    config::Config,
    diagnostic::{Code, Diagnostic, Diagnostics},
    load::{Loaded, LoadedFile},
    model::{Declaration, Interfaces},
    name::InterfaceName,
    package::Language,
};

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
    check_names(loaded, diagnostics);
    for (name, file) in &loaded.declarations {
        check_implied(loaded, name, file, diagnostics);
    }
    let declarations = loaded.declarations.iter();
    let mut interfaces = Interfaces {
        order: order::sort(loaded, &references, diagnostics),
        declarations: declarations
            .map(|(name, file)| (name.clone(), declaration(name, file)))
            .collect(),
        messages,
        packages: loaded
            .packages
            .iter()
            .map(|(name, package)| (name.clone(), package.placement.clone()))
            .collect(),
        rust_names: BTreeMap::new(),
        inputs: loaded.inputs.clone(),
    };
    filter::apply(&mut interfaces, loaded, config, diagnostics);
    settings::apply(&mut interfaces, config, diagnostics);
    buffers::decide(&mut interfaces, &config.buffer_fields, diagnostics);
    storage::decide(&mut interfaces, loaded, diagnostics);
    interfaces
}

/// A service `X_Request` would be called like the request of a service `X`.
fn check_names(loaded: &Loaded, diagnostics: &mut Diagnostics) {
    for (name, file) in &loaded.declarations {
        let parts = name.kind().parts().iter().filter(|part| !part.is_empty());
        for suffix in parts.chain(name.kind().implicit()) {
            if let Some(other) = loaded.declarations.get(&name.with(suffix)) {
                let text = format!("`{}` is the name of a part of `{name}`", name.with(suffix));
                diagnostics.push(
                    Diagnostic::new(Code::Duplicate, text)
                        .at(&other.source, 0..other.source.text().len(), "")
                        .help(format!("that one is in {}", file.source.name())),
                );
            }
        }
    }
}

/// The messages that every service or action needs may be missing where their package is an old one.
fn check_implied(
    loaded: &Loaded,
    name: &InterfaceName,
    file: &LoadedFile,
    diagnostics: &mut Diagnostics,
) {
    for message in name.kind().implied_messages() {
        if loaded.messages.contains_key(&message) {
            continue;
        }
        let text = format!("{} needs {message}", name.kind().with_article());
        let diagnostic = Diagnostic::new(Code::UnknownType, text).at(
            &file.source,
            0..file.source.text().len(),
            "",
        );
        let found = loaded.packages.get(message.package());
        diagnostics.push(match found {
            Some(package) => {
                diagnostic.help(format!("it is not in the package at {}", package.found))
            }
            None => diagnostic,
        });
    }
}

fn declaration(name: &InterfaceName, file: &LoadedFile) -> Declaration {
    Declaration {
        text: file.source.text()[file.span.clone()].to_owned(),
        encoding: match file.language {
            Language::Ros => name.kind().as_str(),
            Language::Idl => "idl",
        },
    }
}
