//! A type together with all types that it refers to: their descriptions, their sources, their texts.
//!
//! [`Descriptions`] collects who is referred to, each once and in the order of first mention; what is then asked of them
//! comes from functions that the derive writes.

use std::borrow::Cow;

use rosidl_type_description::{
    Field, FieldType, IndividualTypeDescription, TypeDescription, TypeSource, type_id,
};

use crate::definition::{SEPARATOR, split};
use crate::message::Message;
use crate::service::Service;

/// Where the text of an interface comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// A file.
    File {
        /// `msg`, `srv`, `action` or `idl`.
        encoding: &'static str,
        /// All of it.
        text: &'static str,
    },
    /// Part of another interface's file, or made from another interface.
    Implicit,
    /// A Rust struct: the text is made from the description.
    Rendered,
}

impl Source {
    pub(crate) fn into_type_source(
        self,
        type_name: &str,
        render: impl FnOnce() -> String,
    ) -> TypeSource {
        let (encoding, text) = match self {
            Self::File { encoding, text } => (encoding, text.to_owned()),
            Self::Implicit => ("implicit", String::new()),
            Self::Rendered => ("msg", render()),
        };
        TypeSource {
            type_name: type_name.to_owned(),
            encoding: encoding.to_owned(),
            raw_file_contents: text,
        }
    }
}

/// What can be asked of a type that is referred to.
#[derive(Debug)]
struct Entry {
    type_name: &'static str,
    description: fn() -> IndividualTypeDescription,
    source: fn() -> TypeSource,
    text: fn() -> Cow<'static, str>,
}

/// The types that a type refers to, in the order of first mention, depth first.
#[derive(Debug, Default)]
pub struct Descriptions(Vec<Entry>);

impl Descriptions {
    /// Whether the type is new here.
    fn is_new(&self, type_name: &str) -> bool {
        !self.0.iter().any(|entry| entry.type_name == type_name)
    }

    /// Adds `M` and all that it refers to, once.
    pub fn add<M: Message>(&mut self) {
        if self.is_new(M::TYPE_NAME) {
            self.0.push(Entry {
                type_name: M::TYPE_NAME,
                description: M::describe_own,
                source: message_source::<M>,
                text: message_text::<M>,
            });
            M::describe_nested(self);
        }
    }

    /// Adds a service of an action and all that it refers to, once.
    pub(crate) fn add_service<S: Service>(&mut self) {
        if self.is_new(S::TYPE_NAME) {
            self.0.push(Entry {
                type_name: S::TYPE_NAME,
                description: S::describe_own,
                source: || S::SOURCE.into_type_source(S::TYPE_NAME, String::new),
                text: || Cow::Borrowed(""),
            });
            S::describe_nested(self);
        }
    }

    pub(crate) fn into_type_description(self, top: IndividualTypeDescription) -> TypeDescription {
        TypeDescription::new(top, self.0.into_iter().map(|entry| (entry.description)()))
    }

    /// The sources: the type's own first, then in the order of the description.
    pub(crate) fn into_type_sources(mut self, top: TypeSource) -> Vec<TypeSource> {
        self.0.retain(|entry| entry.type_name != top.type_name);
        self.0.sort_by_key(|entry| entry.type_name);
        let referenced = self.0.iter().map(|entry| (entry.source)());
        std::iter::once(top).chain(referenced).collect()
    }

    /// The texts as a recording has them.
    pub(crate) fn into_definition(self, top: Cow<'static, str>) -> String {
        let mut out = top.into_owned();
        for entry in &self.0 {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            let (package, name) = split(entry.type_name);
            out.push_str(SEPARATOR);
            out.push_str(package);
            out.push('/');
            out.push_str(name);
            out.push('\n');
            out.push_str(&(entry.text)());
        }
        out
    }
}

pub(crate) fn message_source<M: Message>() -> TypeSource {
    M::SOURCE.into_type_source(M::TYPE_NAME, || message_text::<M>().into_owned())
}

/// The message's own text: what was given, else what its description says.
pub(crate) fn message_text<M: Message>() -> Cow<'static, str> {
    match M::MENTION.and_then(|definition| definition.text) {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(render(&M::describe_own().fields, M::TEXT_DEFAULTS)),
    }
}

/// Fields as a `.msg` file has them. Left out are defaults that cannot stand in such a file: strings with quotes of both
/// kinds, with `#`, backslashes or line ends.
fn render(fields: &[Field], defaults: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for field in fields {
        out.push_str(&type_text(&field.field_type));
        out.push(' ');
        out.push_str(&field.name);
        if let Some((_, default)) = defaults.iter().find(|(name, _)| *name == field.name) {
            out.push(' ');
            out.push_str(default);
        }
        out.push('\n');
    }
    out
}

/// `uint8`, `string<=5[<=3]`, `std_msgs/Header[]`.
fn type_text(field: &FieldType) -> String {
    let (id, offset) = type_id::split(field.type_id);
    let item = match id {
        type_id::NESTED_TYPE => {
            let (package, name) = split(&field.nested_type_name);
            format!("{package}/{name}")
        }
        type_id::BOUNDED_STRING => format!("string<={}", field.string_capacity),
        type_id::BOUNDED_WSTRING => format!("wstring<={}", field.string_capacity),
        id => primitive_text(id).to_owned(),
    };
    match offset {
        type_id::ARRAY_OFFSET => format!("{item}[{}]", field.capacity),
        type_id::BOUNDED_SEQUENCE_OFFSET => format!("{item}[<={}]", field.capacity),
        type_id::UNBOUNDED_SEQUENCE_OFFSET => format!("{item}[]"),
        _ => item,
    }
}

fn primitive_text(id: u8) -> &'static str {
    match id {
        type_id::INT8 => "int8",
        type_id::INT16 => "int16",
        // A `.msg` file has no `wchar`; on the wire it is this.
        type_id::UINT16 | type_id::WCHAR => "uint16",
        type_id::INT32 => "int32",
        type_id::UINT32 => "uint32",
        type_id::INT64 => "int64",
        type_id::UINT64 => "uint64",
        type_id::FLOAT => "float32",
        type_id::DOUBLE => "float64",
        type_id::BOOLEAN => "bool",
        type_id::BYTE => "byte",
        type_id::STRING => "string",
        type_id::WSTRING => "wstring",
        // IDL's `char` is one byte on the wire too.
        _ => "uint8",
    }
}
