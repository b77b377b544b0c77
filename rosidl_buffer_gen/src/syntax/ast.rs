//! The syntax tree of an interface file: what is written there, not yet what it means.
//!
//! A `.msg` file is one [`Message`], a `.srv` file two and an `.action` file three, whatever the
//! language it is written in.

use crate::{name::Kind, source::Span};

/// A message file, or one part of a file that has several.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub(crate) comment: Comment,
    /// In the order of the file.
    pub(crate) fields: Vec<Field>,
    /// In the order of the file.
    pub(crate) constants: Vec<Constant>,
}

/// A comment without its `#`s, indentation and surplus empty lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Comment {
    pub(crate) lines: Vec<String>,
    /// The inside of the one `[…]` that was in the text.
    pub(crate) unit: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) comment: Comment,
    pub(crate) field_type: Type,
    pub(crate) name: Name,
    pub(crate) default: Option<Value>,
}

#[derive(Debug)]
pub(crate) struct Constant {
    pub(crate) comment: Comment,
    pub(crate) primitive: Primitive,
    pub(crate) name: Name,
    pub(crate) value: Value,
}

/// A legal field or constant name and its place.
#[derive(Debug)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) base: Base,
    pub(crate) array: Option<Array>,
    pub(crate) span: Span,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Base {
    Primitive(Primitive),
    /// `string<=N`, `wstring<=N`.
    BoundedText {
        wide: bool,
        bound: u64,
    },
    /// Legal names; the package is missing if it is the file's own.
    Named {
        package: Option<String>,
        kind: Kind,
        name: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Array {
    /// `[N]`
    Fixed(u64),
    /// `[<=N]`
    AtMost(u64),
    /// `[]`
    Unbounded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Primitive {
    Bool,
    Byte,
    Char,
    Float32,
    Float64,
    Int8,
    Uint8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Uint64,
    String,
    Wstring,
    /// `char` of an `.idl` file, which `.msg` files have no word for.
    IdlChar,
    /// The same for `wchar`, a UTF-16 code unit.
    IdlWchar,
}

impl Primitive {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bool" => Self::Bool,
            "byte" => Self::Byte,
            "char" => Self::Char,
            "float32" => Self::Float32,
            "float64" => Self::Float64,
            "int8" => Self::Int8,
            "uint8" => Self::Uint8,
            "int16" => Self::Int16,
            "uint16" => Self::Uint16,
            "int32" => Self::Int32,
            "uint32" => Self::Uint32,
            "int64" => Self::Int64,
            "uint64" => Self::Uint64,
            "string" => Self::String,
            "wstring" => Self::Wstring,
            _ => return None,
        })
    }
}

/// A default value or the value of a constant, read by the rules of its type but not yet compared
/// with the type's range, bound or length.
#[derive(Debug, PartialEq)]
pub(crate) struct Value {
    pub(crate) kind: ValueKind,
    pub(crate) span: Span,
}

#[derive(Debug, PartialEq)]
pub(crate) enum ValueKind {
    Bool(bool),
    /// What does not fit is the nearest number that does.
    Integer(i128),
    Float(f64),
    Text {
        /// With escape sequences decoded.
        text: String,
        /// How many characters there were before that: upstream compares this with the bound.
        written: usize,
    },
    List(Vec<Value>),
}
