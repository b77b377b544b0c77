//! The arguments that ROS 2 writes for a generator: a JSON file.
//!
//! Which keys there are depends on the version of rosidl and on what is empty, so what is missing counts
//! as empty and what is unknown as not there.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::unreadable;
use crate::{
    Error,
    config::AmentFile,
    diagnostic::{Code, Diagnostic},
    name::{Kind, PackageName},
};

/// What this program needs of them.
#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) package: PackageName,
    pub(super) output_dir: PathBuf,
    pub(super) files: Vec<AmentFile>,
    /// The packages below this one, directly or not, and the folders where their interfaces are installed.
    pub(super) dependencies: BTreeMap<String, PathBuf>,
}

impl Arguments {
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let help = "rosidl_write_generator_arguments() of ROS 2 writes this file: configure the package again";
        let text = fs::read_to_string(path).map_err(|error| unreadable(path, error, help))?;
        let value: Value =
            serde_json::from_str(&text).map_err(|error| unreadable(path, error, help))?;
        Self::new(&value).map_err(|message| {
            let message = format!("{}: {message}", path.display());
            Diagnostic::new(Code::BadConfig, message).help(help).into()
        })
    }

    fn new(value: &Value) -> Result<Self, String> {
        let text = |key: &str| {
            let text = value[key].as_str();
            text.ok_or_else(|| format!("there is no text `{key}`"))
        };
        let name = text("package_name")?;
        let package = PackageName::new(name)
            .ok_or_else(|| format!("`{name}` is not a name for a package"))?;
        let hashes = list(value, "type_description_tuples")?;
        let hashes: BTreeMap<&str, &str> = hashes
            .into_iter()
            .filter_map(|tuple| tuple.split_once(':'))
            .collect();
        let originals = Originals::new(list(value, "ros_interface_files")?);
        let mut files = Vec::new();
        for tuple in list(value, "idl_tuples")? {
            let (root, relative) = tuple
                .rsplit_once(':')
                .ok_or_else(|| format!("`{tuple}` in `idl_tuples` is not `folder:file`"))?;
            let (kind, path) = originals.find(Path::new(root), Path::new(relative))?;
            files.push(AmentFile {
                kind,
                path,
                hashes: hashes.get(relative).map(PathBuf::from),
            });
        }
        if files.is_empty() {
            return Err("`idl_tuples` names no interface".to_owned());
        }
        let mut dependencies = BTreeMap::new();
        for tuple in list(value, "ros_interface_dependencies")? {
            let found = tuple
                .split_once(':')
                .and_then(|(package, idl)| Some((package, Path::new(idl).parent()?.parent()?)));
            let (package, folder) = found.ok_or_else(|| {
                format!("`{tuple}` in `ros_interface_dependencies` is not `package:file`")
            })?;
            dependencies
                .entry(package.to_owned())
                .or_insert_with(|| folder.to_owned());
        }
        Ok(Self {
            package,
            output_dir: text("output_dir")?.into(),
            files,
            dependencies,
        })
    }
}

/// The texts of a list; none, if the key is not there.
fn list<'a>(value: &'a Value, key: &str) -> Result<Vec<&'a str>, String> {
    let wrong = || format!("`{key}` is not a list of texts");
    match &value[key] {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => {
            let texts = items.iter().map(|item| item.as_str().ok_or_else(wrong));
            texts.collect()
        }
        _ => Err(wrong()),
    }
}

/// The interface files that people wrote, by their folder's name and their own without an extension.
/// Among them are also messages that ROS 2 before Jazzy makes of services; those are in no tuple.
struct Originals<'a>(BTreeMap<(&'a str, &'a str), Vec<&'a Path>>);

impl<'a> Originals<'a> {
    fn new(paths: Vec<&'a str>) -> Self {
        let mut originals = BTreeMap::<_, Vec<_>>::new();
        for path in paths.into_iter().map(Path::new) {
            if let Some(key) = key(path) {
                originals.entry(key).or_default().push(path);
            }
        }
        Self(originals)
    }

    /// The file to read for an interface, and its kind.
    fn find(&self, root: &Path, relative: &Path) -> Result<(Kind, PathBuf), String> {
        let key = key(relative);
        let kind = key.and_then(|(folder, _)| Kind::named(folder));
        let kind = kind.ok_or_else(|| {
            format!(
                "{} is in no folder `msg`, `srv` or `action`: which of these it is cannot be told",
                relative.display()
            )
        })?;
        let written = key.and_then(|key| self.0.get(&key)).into_iter().flatten();
        let has_kind = |path: &&&Path| path.extension().is_some_and(|found| found == kind.as_str());
        let original = written.copied().find(|path| has_kind(&path));
        let path = original.map_or_else(|| root.join(relative), Path::to_owned);
        Ok((kind, path))
    }
}

fn key(path: &Path) -> Option<(&str, &str)> {
    let folder = path.parent()?.file_name()?.to_str()?;
    Some((folder, path.file_stem()?.to_str()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn as_different_versions_of_rosidl_write_them() {
        let value = json!({
            "package_name": "p",
            "output_dir": "/b/out",
            "unknown": 7,
            "idl_tuples": ["/b/a:dapter/p:msg/A.idl", "/b/p:srv/S.idl", "/s/p:msg/Idl.idl"],
            "ros_interface_files": ["/s/p/msg/A.msg", "/b/x/srv/S_Request.msg", "/s/p/srv/S.srv", "/s/p/msg/Idl.idl"],
            "ros_interface_dependencies": ["q:/i/share/q/msg/X.idl", "q:/i/share/q/srv/Y.idl", "r:/j/share/r/cmake/../msg/Z.idl"],
            "type_description_tuples": ["msg/A.idl:/b/d/msg/A.json"],
        });
        let arguments = Arguments::new(&value).unwrap();
        assert_eq!(arguments.package.as_str(), "p");
        let files = arguments.files.iter();
        let files: Vec<_> = files
            .map(|file| (file.kind, file.path.to_str().unwrap(), file.hashes.as_ref()))
            .collect();
        let hashes = PathBuf::from("/b/d/msg/A.json");
        let expected = [
            (Kind::Msg, "/s/p/msg/A.msg", Some(&hashes)),
            (Kind::Srv, "/s/p/srv/S.srv", None),
            (Kind::Msg, "/s/p/msg/Idl.idl", None),
        ];
        assert_eq!(files, expected);
        let folders: Vec<_> = arguments.dependencies.into_iter().collect();
        let expected = [("q", "/i/share/q"), ("r", "/j/share/r/cmake/..")];
        let expected = expected.map(|(name, folder)| (name.to_owned(), folder.into()));
        assert_eq!(folders, expected);
    }

    #[test]
    fn what_cannot_be_understood() {
        let right = json!({"package_name": "p", "output_dir": "o", "idl_tuples": ["/r:msg/A.idl"]});
        Arguments::new(&right).unwrap();
        for (key, value, message) in [
            (
                "package_name",
                json!(null),
                "there is no text `package_name`",
            ),
            (
                "package_name",
                json!("P"),
                "`P` is not a name for a package",
            ),
            ("output_dir", json!([]), "there is no text `output_dir`"),
            ("idl_tuples", json!([]), "names no interface"),
            (
                "idl_tuples",
                json!("x"),
                "`idl_tuples` is not a list of texts",
            ),
            (
                "idl_tuples",
                json!([1]),
                "`idl_tuples` is not a list of texts",
            ),
            (
                "idl_tuples",
                json!(["A.idl"]),
                "`A.idl` in `idl_tuples` is not",
            ),
            (
                "idl_tuples",
                json!(["/r:other/A.idl"]),
                "other/A.idl is in no folder",
            ),
            (
                "ros_interface_dependencies",
                json!(["q"]),
                "is not `package:file`",
            ),
        ] {
            let mut wrong = right.clone();
            wrong[key] = value;
            let error = Arguments::new(&wrong).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
