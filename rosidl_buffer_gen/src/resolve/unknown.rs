//! What to say about a type that does not exist.

use crate::{
    diagnostic::{Code, Diagnostic},
    load::Loaded,
    name::InterfaceName,
    package::bundled_message,
    suggest::closest,
};

/// A message that is not there, and that `user` or the user refers to.
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

/// A message of the same name in another package.
fn elsewhere(loaded: &Loaded, target: &InterfaceName) -> Option<String> {
    let is_same = |name: &&InterfaceName| name.name() == target.name();
    let found = loaded.messages.keys().find(is_same).cloned();
    let found = found.or_else(|| bundled_message(target.name()));
    found.map(|found| format!("{}/{}", found.package(), found.name()))
}
