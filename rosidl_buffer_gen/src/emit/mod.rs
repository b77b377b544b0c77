//! Model → files, as text.
//!
//! What depends on a type is put together from tokens and formatted (`message`, `types`, `value`,
//! `doc`); files that are mostly fixed text are templates (`scaffold`). Nothing is decided here and
//! nothing can fail on input.

mod doc;
mod message;
mod scaffold;
mod types;
mod value;

use std::{collections::BTreeMap, path::PathBuf};

use rosidl_type_description::TypeHash;

use crate::{
    config::CratePackage,
    model::{Interfaces, Message, Placement},
    name::{InterfaceName, Kind, module_names, rust_name},
};

/// A file to be written, its path relative to the output folder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutputFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// All files for the packages that are generated here.
pub(crate) fn emit(
    interfaces: &Interfaces,
    hashes: &BTreeMap<InterfaceName, TypeHash>,
    crate_package: Option<&CratePackage>,
) -> Vec<OutputFile> {
    let mut files = Vec::new();
    let mut packages = Vec::new();
    let sources = PathBuf::from(if crate_package.is_some() { "src" } else { "" });
    for (package, placement) in &interfaces.packages {
        if *placement != Placement::Emitted {
            continue;
        }
        let module = rust_name(package.as_str());
        let folder = sources.join(&module);
        let mut kinds = Vec::new();
        for kind in Kind::ALL {
            let of_kind = |message: &&Message| {
                message.name.package() == package && message.name.kind() == kind
            };
            let messages: Vec<_> = interfaces.messages.values().filter(of_kind).collect();
            if messages.is_empty() {
                continue;
            }
            let folder = folder.join(kind.as_str());
            let modules = module_names(messages.iter().map(|message| message.name.name()));
            let mut entries = Vec::new();
            for (message, module) in messages.into_iter().zip(modules) {
                files.push(OutputFile {
                    path: folder.join(format!("{module}.rs")),
                    text: message::emit(message, interfaces, hashes.get(&message.name)),
                });
                let name = rust_name(message.name.name());
                entries.push(scaffold::Entry { name, module });
            }
            files.push(OutputFile {
                path: folder.join("mod.rs"),
                text: scaffold::kind(package.as_str(), &entries),
            });
            kinds.push(kind.as_str());
        }
        files.push(OutputFile {
            path: folder.join("mod.rs"),
            text: scaffold::package(package.as_str(), &kinds),
        });
        packages.push(scaffold::Entry {
            name: package.to_string(),
            module,
        });
    }
    let root = scaffold::interfaces(&packages);
    match crate_package {
        None => files.push(OutputFile {
            path: "interfaces.rs".into(),
            text: root,
        }),
        Some(package) => {
            files.push(OutputFile {
                path: "src/lib.rs".into(),
                text: scaffold::lib(&root),
            });
            files.push(OutputFile {
                path: "Cargo.toml".into(),
                text: scaffold::cargo_toml(package),
            });
        }
    }
    files
}
