//! The crates that generated code needs, as they are installed beside it: without the workspace in which
//! they are developed, so that Cargo can build them where they lie.
//!
//! In comes a folder with the sources of this project; out go folders `share/<crate>/rust`. Registries of
//! crates are not asked.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use super::{unreadable, unwritable};
use crate::{
    Error,
    diagnostic::{Code, Diagnostic},
    emit::OutputFile,
    output::write,
};

/// The crates and their folders in the repository, each after those that it depends on.
const CRATES: [(&str, &str); 3] = [
    ("rosidl_type_description", "type_description"),
    ("rosidl_buffer_derive", "derive"),
    ("rosidl_buffer_runtime", "runtime"),
];

/// What is not for who only builds the crate.
const LEFT_OUT: [&str; 6] = [
    "COLCON_IGNORE",
    "Cargo.lock",
    "Cargo.toml",
    "benches",
    "target",
    "tests",
];

/// Sections of a manifest that hold dependencies.
const DEPENDENCIES: [&str; 2] = ["dependencies", "build-dependencies"];

/// Writes the runtime, its derive and the type descriptions, from the sources in `repository` to
/// `share/<crate>/rust` in `out`, and gives back their names. What is right already is left alone.
///
/// # Errors
/// If `repository` is not the sources of this project; if a file cannot be read or written.
pub fn write_runtime_crates(repository: &Path, out: &Path) -> Result<Vec<&'static str>, Error> {
    let workspace = read_manifest(&repository.join("Cargo.toml"))?;
    for (name, folder) in CRATES {
        let folder = repository.join(folder);
        let path = folder.join("Cargo.toml");
        let manifest = read_manifest(&path)?;
        let manifest = alone(manifest, &workspace).map_err(|message| {
            let message = format!("{}: {message}", path.display());
            Error::from(Diagnostic::new(Code::BadConfig, message))
        })?;
        let mut files = vec![OutputFile {
            path: "Cargo.toml".into(),
            text: manifest.to_string(),
        }];
        let collected = collect(&folder, Path::new(""), &mut files);
        collected.map_err(|(path, error)| unreadable(&path, error, HELP))?;
        let target = out.join("share").join(name).join("rust");
        write(&target, &files).map_err(|(path, error)| unwritable(&path, &error))?;
    }
    Ok(CRATES.map(|(name, _)| name).to_vec())
}

const HELP: &str = "the folder with the sources of rosidl_buffer_gen, rosidl_buffer_runtime and so on is \
                    expected: rosidl_generator_buffer_rs is built inside of it";

fn read_manifest(path: &Path) -> Result<Table, Error> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, error, HELP))?;
    text.parse()
        .map_err(|error: toml::de::Error| unreadable(path, error.message(), HELP))
}

/// Adds the files below a folder of the crate.
fn collect(
    root: &Path,
    folder: &Path,
    files: &mut Vec<OutputFile>,
) -> Result<(), (PathBuf, io::Error)> {
    let at = root.join(folder);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| (path, error)
    };
    for entry in fs::read_dir(&at).map_err(failed(&at))? {
        let entry = entry.map_err(failed(&at))?;
        let name = entry.file_name();
        if folder == Path::new("") && LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        let (path, source) = (folder.join(&name), entry.path());
        if source.is_dir() {
            collect(root, &path, files)?;
        } else {
            let text = fs::read_to_string(&source).map_err(failed(&source))?;
            files.push(OutputFile { path, text });
        }
    }
    Ok(())
}

/// The manifest with all that it has from its workspace written out, and no path in it.
fn alone(mut manifest: Table, workspace: &Table) -> Result<Table, String> {
    let inherited = workspace.get("workspace").and_then(Value::as_table);
    let inherited = inherited.ok_or("the manifest above it has no `workspace`")?;
    let from = |section: &str, key: &str| {
        let value = inherited.get(section).and_then(|section| section.get(key));
        let missing = || format!("`{key}` is not in `workspace.{section}`");
        value.cloned().ok_or_else(missing)
    };
    for key in ["dev-dependencies", "lints", "test", "bench", "example"] {
        manifest.remove(key);
    }
    if let Some(lints) = inherited.get("lints") {
        manifest.insert("lints".to_owned(), lints.clone());
    }
    if let Some(package) = manifest.get_mut("package").and_then(Value::as_table_mut) {
        // They name files that do not come along.
        package.remove("readme");
        package.remove("include");
        for (key, value) in package.iter_mut() {
            if is_inherited(value) {
                *value = from("package", key)?;
            }
        }
    }
    write_out_dependencies(&mut manifest, &from)?;
    if let Some(targets) = manifest.get_mut("target").and_then(Value::as_table_mut) {
        for target in targets
            .iter_mut()
            .filter_map(|(_, value)| value.as_table_mut())
        {
            target.remove("dev-dependencies");
            write_out_dependencies(target, &from)?;
        }
        targets.retain(|_, target| target.as_table().is_some_and(|target| !target.is_empty()));
    }
    manifest.insert("workspace".to_owned(), Value::Table(Table::new()));
    Ok(manifest)
}

fn write_out_dependencies(
    section: &mut Table,
    from: &impl Fn(&str, &str) -> Result<Value, String>,
) -> Result<(), String> {
    for key in DEPENDENCIES {
        let dependencies = section.get_mut(key).and_then(Value::as_table_mut);
        for (name, value) in dependencies.into_iter().flatten() {
            if is_inherited(value) {
                *value = merged(from("dependencies", name)?, value);
            }
            if let Some(table) = value.as_table_mut() {
                table.remove("path");
            }
        }
    }
    Ok(())
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

/// What the workspace says of a dependency, and what its member adds: features come together.
fn merged(of_workspace: Value, of_member: &Value) -> Value {
    let mut merged = match of_workspace {
        Value::Table(table) => table,
        version => Table::from_iter([("version".to_owned(), version)]),
    };
    let own = of_member.as_table().into_iter().flatten();
    for (key, value) in own.filter(|(key, _)| *key != "workspace") {
        match (merged.get_mut(key), value) {
            (Some(Value::Array(features)), Value::Array(more)) => {
                features.extend(more.iter().cloned());
            }
            _ => {
                merged.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Table(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_workspace_is_left() {
        let workspace = r#"
            [workspace.package]
            version = "1.2.3"
            [workspace.dependencies]
            bytes = "1"
            derive = { path = "derive", version = "1.2.3" }
            gpu = { version = "0.2", default-features = false, features = ["a"] }
            [workspace.lints.rust]
            missing_docs = "warn"
        "#;
        let manifest = r#"
            [package]
            name = "runtime"
            version.workspace = true
            readme.workspace = true
            include = ["/src"]
            [features]
            gpu = ["dep:gpu"]
            [lints]
            workspace = true
            [dependencies]
            bytes.workspace = true
            derive.workspace = true
            half = { version = "2", optional = true }
            [dev-dependencies]
            runtime = { path = "." }
            [[test]]
            name = "left_out"
            [target.'cfg(unix)'.dependencies]
            gpu = { workspace = true, optional = true, features = ["b"] }
            [target.'cfg(loom)'.dev-dependencies]
            loom.workspace = true
        "#;
        let manifest = alone(manifest.parse().unwrap(), &workspace.parse().unwrap()).unwrap();
        insta::assert_snapshot!(manifest.to_string());
    }

    #[test]
    fn what_the_workspace_does_not_have() {
        let manifest = "[dependencies]\nx.workspace = true"
            .parse::<Table>()
            .unwrap();
        let workspace = "[workspace.dependencies]\ny = '1'"
            .parse::<Table>()
            .unwrap();
        let error = alone(manifest.clone(), &workspace).unwrap_err();
        assert_eq!(error, "`x` is not in `workspace.dependencies`");
        assert!(alone(manifest, &Table::new()).is_err());
    }
}
