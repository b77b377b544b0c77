//! Names: ROS names that are known to be legal, and the Rust names made from them.
//!
//! The rules are those of ROS 2's own front end, in a form that needs one pass over the name.
//! No other module puts a Rust identifier together. What Rust cannot use as a name gets a trailing
//! `_`: no legal ROS name ends in one, so the result never meets another name.

use std::{borrow::Borrow, fmt, sync::Arc};

/// The constant beside generated types in which their text is kept: a service may be called `SOURCE`, but
/// no ROS name ends in `_`.
pub(crate) const SOURCE: &str = "SOURCE_";

/// The name of a package, such as `sensor_msgs`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PackageName(Arc<str>);

impl PackageName {
    /// Takes a legal name: lower case, digits, single underscores inside.
    pub(crate) fn new(name: &str) -> Option<Self> {
        is_lower_name(name).then(|| Self(name.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The crate that is made of an ament package of this name. Not the same name: that one belongs to the
/// crates of `rosidl_generator_rs`.
pub(crate) fn crate_name(package: &PackageName) -> String {
    format!("{package}_buffer")
}

impl Borrow<str> for PackageName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What sort of interface a file declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Msg,
    Srv,
    Action,
}

impl Kind {
    /// Every kind, in the order in which packages list them.
    pub(crate) const ALL: [Self; 3] = [Self::Msg, Self::Srv, Self::Action];

    /// The name of the folder, the file extension and the module.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Msg => "msg",
            Self::Srv => "srv",
            Self::Action => "action",
        }
    }

    /// The kind that a folder or a file extension is called after.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// What people call an interface of this kind.
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::Msg => "message",
            Self::Srv => "service",
            Self::Action => "action",
        }
    }

    /// The same with `a` or `an`.
    pub(crate) const fn with_article(self) -> &'static str {
        match self {
            Self::Msg => "a message",
            Self::Srv => "a service",
            Self::Action => "an action",
        }
    }

    /// What ROS 2 appends to the interface's name for each part of a file, in their order.
    pub(crate) const fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Msg => &[""],
            Self::Srv => &["_Request", "_Response"],
            Self::Action => &["_Goal", "_Result", "_Feedback"],
        }
    }

    /// The messages that are in the types which ROS 2 adds.
    pub(crate) fn implied_messages(self) -> Vec<InterfaceName> {
        match self {
            Self::Msg => Vec::new(),
            Self::Srv => vec![InterfaceName::event_info()],
            Self::Action => vec![
                InterfaceName::goal_id(),
                InterfaceName::time(),
                InterfaceName::event_info(),
            ],
        }
    }

    /// What ROS 2 appends for the types that it adds to those of the file.
    pub(crate) const fn implicit(self) -> &'static [&'static str] {
        match self {
            Self::Msg => &[],
            Self::Srv => &["_Event"],
            Self::Action => &[
                "_SendGoal",
                "_SendGoal_Request",
                "_SendGoal_Response",
                "_SendGoal_Event",
                "_GetResult",
                "_GetResult_Request",
                "_GetResult_Response",
                "_GetResult_Event",
                "_FeedbackMessage",
            ],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The full name of an interface, such as `sensor_msgs/msg/Image`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct InterfaceName {
    package: PackageName,
    kind: Kind,
    name: Arc<str>,
}

impl InterfaceName {
    /// Takes a legal interface name, such as `Image`.
    pub(crate) fn new(package: PackageName, kind: Kind, name: &str) -> Option<Self> {
        is_message_name(name).then(|| Self {
            package,
            kind,
            name: name.into(),
        })
    }

    /// Takes the name of an interface file: with what ROS 2 adds to it, too, it must be a legal name.
    pub(crate) fn of_file(package: PackageName, kind: Kind, stem: &str) -> Option<Self> {
        let is_legal = |suffix: &&str| is_message_name(&format!("{stem}{suffix}"));
        let name = Self::new(package, kind, stem)?;
        kind.parts().iter().all(is_legal).then_some(name)
    }

    /// Reads `package/msg/Name`, or `package/Name` for a message. Of services and actions also the
    /// names of parts and of implicit types, such as `package/srv/Name_Event`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (package, rest) = text.split_once('/')?;
        let (kind, name) = match rest.split_once('/') {
            Some((kind, name)) => (Kind::named(kind)?, name),
            None => (Kind::Msg, rest),
        };
        let package = PackageName::new(package)?;
        let suffixes = kind.implicit().iter().rev();
        let of_implicit = suffixes
            .filter_map(|suffix| Some((name.strip_suffix(suffix)?, suffix)))
            .find_map(|(name, suffix)| Some(Self::new(package.clone(), kind, name)?.with(suffix)));
        of_implicit.or_else(|| Self::new(package, kind, name))
    }

    /// The message that tells what happened to a service's request.
    pub(crate) fn event_info() -> Self {
        Self::message("service_msgs", "ServiceEventInfo")
    }

    /// The message that tells one goal of an action from the others.
    pub(crate) fn goal_id() -> Self {
        Self::message("unique_identifier_msgs", "UUID")
    }

    /// The message that tells when a goal was accepted.
    pub(crate) fn time() -> Self {
        Self::message("builtin_interfaces", "Time")
    }

    /// A message whose names are known to be legal.
    fn message(package: &str, name: &str) -> Self {
        Self {
            package: PackageName(package.into()),
            kind: Kind::Msg,
            name: name.into(),
        }
    }

    /// The name of a type that belongs to this interface, such as its `_Request`.
    pub(crate) fn with(&self, suffix: &str) -> Self {
        Self {
            package: self.package.clone(),
            kind: self.kind,
            name: format!("{}{suffix}", self.name).into(),
        }
    }

    pub(crate) fn package(&self) -> &PackageName {
        &self.package
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The last part, such as `Image`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.package, self.kind, self.name)
    }
}

/// Whether this may name a package or a field: `[a-z](_?[a-z0-9])*`.
pub(crate) fn is_lower_name(name: &str) -> bool {
    is_grouped(name, |byte| byte.is_ascii_lowercase())
}

/// Whether this may name a constant: `[A-Z](_?[A-Z0-9])*`.
pub(crate) fn is_constant_name(name: &str) -> bool {
    is_grouped(name, |byte| byte.is_ascii_uppercase())
}

/// A letter, then letters and digits with at most one underscore before each.
fn is_grouped(name: &str, is_letter: impl Fn(u8) -> bool) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|first| is_letter(*first))
        && bytes.last() != Some(&b'_')
        && bytes.windows(2).all(|pair| {
            pair[1] == b'_' && pair[0] != b'_' || is_letter(pair[1]) || pair[1].is_ascii_digit()
        })
}

/// Whether this may name a message: `[A-Z][A-Za-z0-9]*` without the parts that ROS 2 adds.
pub(crate) fn is_message_name(name: &str) -> bool {
    let mut name = name.strip_prefix("Sample_").unwrap_or(name);
    for suffix in ["_Request", "_Response", "_Goal", "_Result", "_Feedback"] {
        name = name.strip_suffix(suffix).unwrap_or(name);
    }
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The Rust name of a field, a package's module or a type.
pub(crate) fn rust_name(name: &str) -> String {
    let mut name = name.to_owned();
    if is_keyword(&name) {
        name.push('_');
    }
    name
}

/// The Rust names of the modules of some interfaces, in their order.
///
/// As for C++ headers, `PointCloud2` is in `point_cloud2`. Where that is a keyword, or another
/// interface of the list already has it, underscores are appended.
pub(crate) fn module_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut taken = std::collections::HashSet::new();
    names
        .into_iter()
        .map(|name| {
            let mut module = rust_name(&snake_case(name));
            while !taken.insert(module.clone()) {
                module.push('_');
            }
            module
        })
        .collect()
}

/// The name of the view of a type; underscores are appended while it is taken.
pub(crate) fn view_name(of: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut name = format!("{}Ref", of.trim_end_matches('_'));
    while is_taken(&name) {
        name.push('_');
    }
    name
}

/// The name of an interface as ROS 2 writes it in header names.
fn snake_case(name: &str) -> String {
    let bytes = name.as_bytes();
    let mut snake = String::with_capacity(name.len() + 4);
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && byte.is_ascii_uppercase() {
            let before = bytes[index - 1];
            let starts_word = bytes.get(index + 1).is_some_and(u8::is_ascii_lowercase);
            let ends_word = before.is_ascii_lowercase() || before.is_ascii_digit();
            if before != b'_' && (starts_word || ends_word) {
                snake.push('_');
            }
        }
        snake.push(char::from(byte.to_ascii_lowercase()));
    }
    snake
}

/// All strict and reserved words up to edition 2024, and `mod`'s file `mod.rs` among them.
fn is_keyword(name: &str) -> bool {
    matches!(
        name,
        "Self"
            | "abstract"
            | "as"
            | "async"
            | "await"
            | "become"
            | "box"
            | "break"
            | "const"
            | "continue"
            | "crate"
            | "do"
            | "dyn"
            | "else"
            | "enum"
            | "extern"
            | "false"
            | "final"
            | "fn"
            | "for"
            | "gen"
            | "if"
            | "impl"
            | "in"
            | "let"
            | "loop"
            | "macro"
            | "match"
            | "mod"
            | "move"
            | "mut"
            | "override"
            | "priv"
            | "pub"
            | "ref"
            | "return"
            | "self"
            | "static"
            | "struct"
            | "super"
            | "trait"
            | "true"
            | "try"
            | "type"
            | "typeof"
            | "unsafe"
            | "unsized"
            | "use"
            | "virtual"
            | "where"
            | "while"
            | "yield"
    )
}

#[cfg(test)]
mod tests;
