//! What to say about a type that does not exist.

use crate::{
    diagnostic::{Code, Diagnostic},
    load::Loaded,
    name::{InterfaceName, PackageName},
    package::bundled_message,
};

/// A message that is not there, and that `user` or the user refers to.
pub(crate) fn unknown(
    loaded: &Loaded,
    user: Option<&InterfaceName>,
    target: &InterfaceName,
) -> Diagnostic {
    let package = target.package();
    if !loaded.packages.contains_key(package) {
        return unknown_package(loaded, package);
    }
    let message = format!(
        "there is no message `{}` in the package `{package}`",
        target.name()
    );
    let diagnostic = Diagnostic::new(Code::UnknownType, message);
    let in_package = loaded
        .messages
        .keys()
        .filter(|name| name.package() == package);
    let suggestion = match closest(target.name(), in_package.map(InterfaceName::name)) {
        Some(close) if user.is_some_and(|user| user.package() == package) => Some(close.to_owned()),
        Some(close) => Some(format!("{package}/{close}")),
        None => elsewhere(loaded, target),
    };
    match suggestion {
        Some(suggestion) => diagnostic.help(format!("did you mean `{suggestion}`?")),
        None => diagnostic.help(format!(
            "the package was found here: {}",
            loaded.packages[package].found
        )),
    }
}

/// A package that is in none of the places that were searched.
pub(crate) fn unknown_package(loaded: &Loaded, package: &PackageName) -> Diagnostic {
    let known = loaded.available.iter().map(PackageName::as_str);
    let help = match closest(package.as_str(), known) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("looked in {}", loaded.searched.join(", ")),
    };
    let message = format!("there is no package `{package}`");
    Diagnostic::new(Code::UnknownPackage, message).help(help)
}

/// A message of the same name in another package.
fn elsewhere(loaded: &Loaded, target: &InterfaceName) -> Option<String> {
    let is_same = |name: &&InterfaceName| name.name() == target.name();
    let found = loaded.messages.keys().find(is_same).cloned();
    let found = found.or_else(|| bundled_message(target.name()));
    found.map(|found| format!("{}/{}", found.package(), found.name()))
}

/// The name that differs least, if it differs in little.
fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = 1 + name.len() / 5;
    candidates
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= allowed)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed && *distance * 2 <= name.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many characters to insert, remove or replace, not counting upper and lower case.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, byte) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(byte != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_close() {
        let names = ["Image", "Imu", "PointCloud", "PointCloud2"];
        let close = |name| closest(name, names.into_iter());
        assert_eq!(close("Imge"), Some("Image"));
        assert_eq!(close("IMU"), Some("Imu"));
        assert_eq!(close("PointCluod2"), Some("PointCloud2"));
        assert_eq!(close("Header"), None);
        assert_eq!(
            closest("d", ["c"].into_iter()),
            None,
            "nothing of it is the same"
        );
        assert_eq!(close(&"I".repeat(100_000)), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
