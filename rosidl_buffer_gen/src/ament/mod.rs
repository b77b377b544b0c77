//! What the ament package `rosidl_generator_buffer_rs` asks of this program: see `colcon/`.
//!
//! For an interface package that colcon builds, the crate of its own ([`generate`]); the same for packages
//! that are installed and have none ([`generate_underlay`]); the runtime's crates as they are installed
//! beside them ([`write_runtime_crates`]); and how a plain `cargo build` finds all these
//! ([`cargo_config()`]). Nothing here knows CMake: arguments are files and folders.

mod arguments;
#[cfg(feature = "cli")]
mod cargo_config;
mod index;
mod manifest;
#[cfg(feature = "cli")]
mod runtime_crates;
mod underlay;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

#[cfg(feature = "cli")]
pub use cargo_config::cargo_config;
#[cfg(feature = "cli")]
pub use runtime_crates::write_runtime_crates;
pub use underlay::{Underlay, generate_underlay};

use crate::{
    Config, Error, Report,
    config::AmentPackage,
    diagnostic::{Code, Diagnostic},
};
use arguments::Arguments;
use manifest::Manifest;

/// Writes the crate of the interface package that is being built.
///
/// `arguments` is the JSON file that `rosidl_write_generator_arguments` of ROS 2 writes. Of it are used
/// `package_name`, `output_dir`, `idl_tuples`, `ros_interface_files` (the files that people wrote, which
/// are read instead of the IDL made of them), `ros_interface_dependencies` and
/// `type_description_tuples`, if ROS 2 has these: then the type hashes are compared. The crate has the
/// version and the licence of `package_xml`; without one, it has version 0.0.0.
///
/// `stamp` is written last, also where all files were right already: its time is that of the run.
///
/// # Errors
/// Whatever is wrong with the arguments, `package.xml` and the interfaces; nothing is written then. Or a
/// file that cannot be written; there is no new stamp then.
pub fn generate(
    arguments: &Path,
    package_xml: Option<&Path>,
    stamp: Option<&Path>,
) -> Result<Report, Error> {
    let arguments = Arguments::read(arguments)?;
    let manifest = package_xml.map_or_else(|| Ok(Manifest::unknown()), Manifest::read)?;
    let has_service_msgs = arguments.package.as_str() == "service_msgs"
        || arguments.dependencies.contains_key("service_msgs");
    let mut config = Config::new()
        .cargo_metadata(false)
        .ament_prefixes(Vec::<PathBuf>::new())
        .package(arguments.package.as_str())
        .out_dir(arguments.output_dir);
    for folder in arguments.dependencies.into_values() {
        config = config.search_path(folder);
    }
    config.ament = Some(AmentPackage {
        name: arguments.package,
        version: manifest.version,
        license: manifest.license,
        files: Some(arguments.files),
        has_service_msgs,
    });
    let report = config.generate()?;
    if let Some(stamp) = stamp {
        // Not empty: what changes nothing might leave the file its old time.
        fs::write(stamp, "rosidl_buffer_gen\n").map_err(|error| unwritable(stamp, &error))?;
    }
    Ok(report)
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    let message = format!("cannot write {}: {error}", path.display());
    Diagnostic::new(Code::Unwritable, message).into()
}

fn unreadable(path: &Path, error: impl std::fmt::Display, help: &str) -> Error {
    let message = format!("cannot read {}: {error}", path.display());
    Diagnostic::new(Code::Unreadable, message).help(help).into()
}
