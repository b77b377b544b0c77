//! Whole files: those that were converted from other languages, what is accepted, what is refused.
//! What ROS 2's own parser says of each construct was asked of `rosidl_parser`.

mod accepted;
mod converted;
mod refused;

use super::*;
use crate::{
    name::PackageName,
    syntax::ast::{Value, ValueKind},
};

fn name(package: &str, kind: Kind, name: &str) -> InterfaceName {
    InterfaceName::new(PackageName::new(package).unwrap(), kind, name).unwrap()
}

/// The trees, and the errors and warnings in the order of the file.
fn read(name: &InterfaceName, text: &str) -> (Vec<Message>, Vec<String>) {
    let source = Source::new("A.idl".to_owned(), text.to_owned());
    let mut diagnostics = Diagnostics::default();
    let messages = parse_idl(name, &source, &mut diagnostics);
    let (Ok(told) | Err(told)) = diagnostics.finish();
    (messages, told.iter().map(Diagnostic::one_line).collect())
}

/// What is inside of `module p { module msg { … }; };`, as one line for each error.
fn told(inside: &str) -> Vec<String> {
    let text = format!("module p {{ module msg {{\n{inside}\n}}; }};");
    read(&name("p", Kind::Msg, "A"), &text).1
}

fn struct_of(inside: &str) -> (Message, Vec<String>) {
    let text = format!("module p {{ module msg {{\n{inside}\n}}; }};");
    let (mut messages, told) = read(&name("p", Kind::Msg, "A"), &text);
    (messages.remove(0), told)
}

/// The message of a file without errors or warnings.
fn message(inside: &str) -> Message {
    let (message, told) = struct_of(inside);
    assert!(told.is_empty(), "{inside}: {told:?}");
    message
}

fn member(member: &str) -> Message {
    message(&format!("struct A {{ {member} }};"))
}

fn value(value: &Value) -> String {
    match &value.kind {
        ValueKind::Text { text, .. } => format!("{text:?}"),
        ValueKind::List(items) => {
            let items: Vec<_> = items.iter().map(self::value).collect();
            items.join(", ")
        }
        other => format!("{other:?}"),
    }
}
