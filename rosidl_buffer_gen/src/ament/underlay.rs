//! Crates for packages that are installed and have none, because they were built without us.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::{
    index::{CRATES, installed_crates},
    manifest::Manifest,
    unreadable, unwritable,
};
use crate::{
    Config, Error,
    config::AmentPackage,
    name::{PackageName, crate_name},
    package::{Place, Root},
};

/// What was generated.
#[derive(Debug, Default)]
pub struct Underlay {
    /// The packages that got a crate.
    pub packages: Vec<String>,
    /// How many packages with interfaces have a crate already, elsewhere.
    pub present: usize,
}

/// Writes crates for all interface packages of the prefixes that have none, or for those named and the
/// packages that they refer to. `out` becomes a prefix itself, with the crates and their index and nothing
/// else: put first in `AMENT_PREFIX_PATH`, it is found.
///
/// # Errors
/// Whatever is wrong with the interfaces; a package that is not found; a file that cannot be written. What
/// was written before is whole.
pub fn generate_underlay(
    prefixes: &[PathBuf],
    out: &Path,
    packages: &[String],
) -> Result<Underlay, Error> {
    // Crates of an earlier run are brought up to date.
    let others: Vec<_> = prefixes
        .iter()
        .filter(|prefix| *prefix != out)
        .cloned()
        .collect();
    let present = installed_crates(&others);
    let found = installed_packages(&others)?;
    let wanted = match packages {
        [] => found.keys().cloned().collect(),
        named => closure(&others, named)?,
    };
    let mut done = Underlay::default();
    let has_service_msgs = found.keys().any(|name| name.as_str() == "service_msgs");
    for (name, folder) in found {
        if !wanted.contains(&name) {
            continue;
        }
        if present.contains_key(&crate_name(&name)) {
            done.present += 1;
            continue;
        }
        let manifest = Manifest::read(&folder.join("package.xml"))?;
        let target = out.join("share").join(crate_name(&name)).join("rust");
        let mut config = config(&others).package(name.as_str()).out_dir(&target);
        config.ament = Some(AmentPackage {
            name: name.clone(),
            version: manifest.version,
            license: manifest.license,
            files: None,
            has_service_msgs,
        });
        config.generate()?;
        let index = out.join(CRATES);
        let marker = index.join(crate_name(&name));
        fs::create_dir_all(&index)
            .and_then(|()| fs::write(&marker, ""))
            .map_err(|error| unwritable(&marker, &error))?;
        done.packages.push(name.to_string());
    }
    Ok(done)
}

fn config(prefixes: &[PathBuf]) -> Config {
    Config::new().cargo_metadata(false).ament_prefixes(prefixes)
}

/// The packages with interfaces and their folders; of two of one name the first counts.
fn installed_packages(prefixes: &[PathBuf]) -> Result<BTreeMap<PackageName, PathBuf>, Error> {
    let mut found = BTreeMap::new();
    for prefix in prefixes {
        let root = Root::installed(prefix).map_err(|error| {
            let help = "it is in AMENT_PREFIX_PATH";
            unreadable(prefix, error, help)
        })?;
        for package in root.iter().flat_map(Root::packages) {
            if let Place::Folder(folder) = &package.place {
                let name = package.name.clone();
                found.entry(name).or_insert_with(|| folder.clone());
            }
        }
    }
    Ok(found)
}

/// The packages named and all that they refer to.
fn closure(prefixes: &[PathBuf], named: &[String]) -> Result<BTreeSet<PackageName>, Error> {
    let none: [&str; 0] = [];
    let (_, report) = config(prefixes).packages(named).describe(&none)?;
    let found = report.packages().map(|(name, _)| PackageName::new(name));
    Ok(found.flatten().collect())
}
