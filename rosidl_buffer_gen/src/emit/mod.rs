//! Model → files, as text.
//!
//! What depends on a type is put together from tokens and formatted (`interface`, `message`, `types`,
//! `value`, `doc`); files that are mostly fixed text are templates (`scaffold`). Nothing is decided
//! here and nothing can fail on input.

mod context;
mod definition;
mod dependencies;
mod doc;
mod interface;
mod message;
mod scaffold;
mod types;
mod value;

use std::{num::NonZero, path::PathBuf, thread};

use context::Context;

use crate::{
    config::Config,
    describe::Descriptions,
    model::{Declaration, Interfaces, Placement},
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
    descriptions: &Descriptions,
    config: &Config,
) -> Vec<OutputFile> {
    let mut files = Vec::new();
    let mut packages = Vec::new();
    let mut jobs = Vec::new();
    let crate_package = config.crate_package.as_ref();
    let ament = config.ament.as_ref();
    let is_crate = crate_package.is_some() || ament.is_some();
    let sources = PathBuf::from(if is_crate { "src" } else { "" });
    let mut kinds_of_crate = Vec::new();
    for (package, placement) in &interfaces.packages {
        if *placement != Placement::Emitted {
            continue;
        }
        let module = rust_name(package.as_str());
        let folder_name = folder_name(&module);
        // An ament package has a crate of its own, and needs no module in it.
        let folder = match ament {
            Some(_) => sources.clone(),
            None => sources.join(&folder_name),
        };
        let mut kinds = Vec::new();
        for kind in Kind::ALL {
            let declarations = interfaces.declarations.iter();
            let declarations: Vec<_> = declarations
                .filter(|(name, _)| name.package() == package && name.kind() == kind)
                .collect();
            if declarations.is_empty() {
                continue;
            }
            let folder = folder.join(kind.as_str());
            let modules = module_names(declarations.iter().map(|(name, _)| name.name()));
            for ((name, declaration), module) in declarations.into_iter().zip(&modules) {
                jobs.push(Job {
                    path: folder.join(format!("{module}.rs")),
                    name,
                    declaration,
                });
            }
            files.push(OutputFile {
                path: folder.join("mod.rs"),
                text: scaffold::kind(package.as_str(), &modules),
            });
            kinds.push(kind.as_str());
        }
        if ament.is_some() {
            kinds_of_crate = kinds;
            continue;
        }
        if kinds.is_empty() {
            continue;
        }
        files.push(OutputFile {
            path: folder.join("mod.rs"),
            text: scaffold::package(package.as_str(), &kinds),
        });
        packages.push(scaffold::Entry {
            name: package.to_string(),
            module,
            folder: folder_name,
        });
    }
    let context = Context {
        interfaces,
        descriptions,
        format: config.format,
        has_event_info: ament.is_none_or(|ament| ament.has_service_msgs),
    };
    files.extend(emit_all(&jobs, &context));
    if let Some(ament) = ament {
        let dependencies = dependencies::of(ament, interfaces);
        files.push(OutputFile {
            path: "src/lib.rs".into(),
            text: scaffold::ament_lib(ament.name.as_str(), &kinds_of_crate),
        });
        files.push(OutputFile {
            path: "Cargo.toml".into(),
            text: scaffold::ament_cargo_toml(ament, dependencies),
        });
        return files;
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

/// The folder of a package's module. Some names have a meaning beside the file that declares the modules.
fn folder_name(module: &str) -> String {
    match module {
        "interfaces" | "lib" | "bin" => format!("{module}_"),
        other => other.to_owned(),
    }
}

/// The file for one interface, still to be made.
struct Job<'a> {
    path: PathBuf,
    name: &'a InterfaceName,
    declaration: &'a Declaration,
}

/// So many files are worth a thread.
const FILES_PER_THREAD: usize = 32;

/// The files in the order of the jobs, whoever makes them.
fn emit_all(jobs: &[Job<'_>], context: &Context<'_>) -> Vec<OutputFile> {
    let emit = |jobs: &[Job<'_>]| -> Vec<OutputFile> {
        let files = jobs.iter().map(|job| OutputFile {
            path: job.path.clone(),
            text: interface::emit(job.name, job.declaration, context),
        });
        files.collect()
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = cores.min(jobs.len() / FILES_PER_THREAD);
    if threads < 2 {
        return emit(jobs);
    }
    thread::scope(|scope| {
        let chunks = jobs.chunks(jobs.len().div_ceil(threads));
        let workers: Vec<_> = chunks
            .map(|chunk| (chunk, scope.spawn(move || emit(chunk))))
            .collect();
        let files = workers.into_iter();
        // A thread that could not do it: again, and here, so that what is wrong is heard of.
        files
            .flat_map(|(chunk, worker)| worker.join().unwrap_or_else(|_| emit(chunk)))
            .collect()
    })
}
