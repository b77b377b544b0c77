//! Definitions that the settings give, with those that they refer to.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    LoadedFile, LoadedMessage, LoadedPackage,
    loader::{Loader, references},
};
use crate::{
    diagnostic::{Code, Diagnostic},
    name::{InterfaceName, Kind},
    package::Language,
    source::Source,
    syntax::{Embedded, parse_definition},
};
impl Loader<'_> {
    /// Reads the definitions that the settings give.
    pub(super) fn request_definitions(&mut self) {
        for (type_name, text) in &self.config.definitions {
            let name = InterfaceName::parse(type_name).filter(|name| name.kind() == Kind::Msg);
            let Some(name) = name else {
                let message =
                    format!("`{type_name}`, of which a definition is given, is no message");
                self.error(
                    Code::BadName,
                    message,
                    "a full name is like `std_msgs/msg/Header`",
                );
                continue;
            };
            let source = Source::new(format!("definition of {name}"), text.clone());
            let (tree, span, embedded) = parse_definition(&source, self.diagnostics);
            let top = Embedded { name, span, tree };
            self.embed(
                &Arc::new(source),
                embedded.into_iter().chain([top]).collect(),
            );
        }
    }

    /// Keeps the definitions of one text, and asks for what they refer to beyond one another.
    fn embed(&mut self, source: &Arc<Source>, definitions: Vec<Embedded>) {
        let text = |source: &Arc<Source>, found: &Embedded| {
            source.text()[found.span.clone()].trim().to_owned()
        };
        for found in definitions {
            if let Some((other_source, other)) = self.embedded.get(&found.name) {
                if text(other_source, other) != text(source, &found) {
                    let message = format!("there is another definition of {}", found.name);
                    self.diagnostics.push(
                        Diagnostic::new(Code::Duplicate, message)
                            .at(source, found.span, "")
                            .help(format!("it is in {}", other_source.name())),
                    );
                }
                continue;
            }
            self.embedded
                .insert(found.name.clone(), (source.clone(), found));
        }
        let definitions = self.embedded.values();
        let here = definitions.filter(|(other, _)| Arc::ptr_eq(other, source));
        let missing: BTreeSet<_> = here
            .flat_map(|(_, found)| references(&found.tree, found.name.package()))
            .filter(|(package, name)| {
                let target = InterfaceName::new(package.clone(), Kind::Msg, name);
                target.is_none_or(|target| !self.embedded.contains_key(&target))
            })
            .map(|(package, _)| package)
            .collect();
        for package in missing {
            self.enqueue(&package);
        }
    }

    /// What was inside of other definitions comes before what was found elsewhere: a recording is read
    /// as it was written.
    pub(super) fn add_embedded(&mut self) {
        for (name, (source, Embedded { span, tree, .. })) in std::mem::take(&mut self.embedded) {
            let package = name.package().clone();
            let placement = self.placement(&package);
            self.loaded
                .packages
                .entry(package)
                .or_insert_with(|| LoadedPackage {
                    placement,
                    found: source.name().to_owned(),
                    hides: Vec::new(),
                    is_embedded: true,
                });
            let message = LoadedMessage {
                source: source.clone(),
                tree,
            };
            self.loaded.messages.insert(name.clone(), message);
            let file = LoadedFile {
                source,
                language: Language::Ros,
                hashes: None,
                span,
                is_embedded: true,
            };
            self.loaded.declarations.insert(name, file);
        }
    }
}
