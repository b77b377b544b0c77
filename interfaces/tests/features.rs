//! Each bundled package is a feature that brings the packages it refers to.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The arrays of the manifest's `[features]`, whose form is ours.
fn features() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = include_str!("../Cargo.toml");
    let section = manifest.split("[features]").nth(1).unwrap();
    section
        .split_inclusive(']')
        .filter_map(|entry| entry.split_once('='))
        .map(|(name, list)| {
            let items = list.split('"').skip(1).step_by(2).map(str::to_owned);
            (name.trim().to_owned(), items.collect())
        })
        .collect()
}

#[test]
fn features_are_the_packages_and_what_they_refer_to() {
    let mut features = features();
    let all = features.remove("all").unwrap();
    features.remove("default");
    features.remove("serde");
    let msg = Path::new(env!("CARGO_MANIFEST_DIR")).join("../msg");
    if !msg.is_dir() {
        return println!("skipped: the bundled packages are not beside this crate");
    }
    let packages: BTreeSet<String> = std::fs::read_dir(&msg)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(all, packages);
    assert_eq!(features.keys().cloned().collect::<BTreeSet<_>>(), packages);

    let none: [&str; 0] = [];
    for (package, stated) in &features {
        let out = std::env::temp_dir().join(format!(
            "rosidl_buffer_interfaces_{}_{package}",
            std::process::id()
        ));
        let report = rosidl_buffer_gen::Config::new()
            .ament_prefixes(none)
            .cargo_metadata(false)
            .package(package)
            .out_dir(&out)
            .generate()
            .unwrap();
        std::fs::remove_dir_all(&out).unwrap();
        let mut brought = BTreeSet::from([package.clone()]);
        let mut todo: Vec<&String> = stated.iter().collect();
        while let Some(next) = todo.pop() {
            if brought.insert(next.clone()) {
                todo.extend(&features[next]);
            }
        }
        for (needed, _) in report.packages() {
            assert!(
                brought.contains(needed),
                "{package} refers to {needed}, its feature does not"
            );
        }
    }
}
