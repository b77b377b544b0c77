//! What to say about a type that does not exist.

use crate::{
    diagnostic::{Code, Diagnostic},
    load::Loaded,
    name::{InterfaceName, Kind, PackageName},
    package::bundled_message,
    suggest::closest,
};

/// An interface that is not there, and that `user` or the user refers to.
pub(crate) fn unknown(
    loaded: &Loaded,
    user: Option<&InterfaceName>,
    target: &InterfaceName,
) -> Diagnostic {
    let package = target.package();
    if !loaded.packages.contains_key(package) {
        return loaded.unknown_package(package);
    }
    let message = format!(
        "there is no {} `{}` in the package `{package}`",
        target.kind().noun(),
        target.name()
    );
    let diagnostic = Diagnostic::new(Code::UnknownType, message);
    let in_package = loaded
        .declarations
        .keys()
        .filter(|name| name.package() == package && name.kind() == target.kind());
    let suggestion = match closest(target.name(), in_package.map(InterfaceName::name)) {
        Some(close) if user.is_some_and(|user| user.package() == package) => Some(close.to_owned()),
        Some(close) => Some(written(package, target.kind(), close)),
        None => elsewhere(loaded, target),
    };
    match suggestion {
        Some(suggestion) => diagnostic.help(format!("did you mean `{suggestion}`?")),
        None => diagnostic.help(format!(
            "the package was found here: {}",
            loaded.packages[package].place()
        )),
    }
}

/// An interface of the same name in another package.
fn elsewhere(loaded: &Loaded, target: &InterfaceName) -> Option<String> {
    let is_same =
        |name: &&InterfaceName| name.name() == target.name() && name.kind() == target.kind();
    let found = loaded.declarations.keys().find(is_same).cloned();
    let found =
        found.or_else(|| (target.kind() == Kind::Msg).then(|| bundled_message(target.name()))?);
    found.map(|found| written(found.package(), found.kind(), found.name()))
}

/// The name as interface files and people have it: of messages without the kind.
fn written(package: &PackageName, kind: Kind, name: &str) -> String {
    match kind {
        Kind::Msg => format!("{package}/{name}"),
        _ => format!("{package}/{kind}/{name}"),
    }
}
