//! What is written in an `.idl` file: its structs, typedefs and constants, before names are looked up.

use std::collections::HashMap;

use crate::{
    source::Span,
    syntax::ast::{Name, Primitive},
};

#[derive(Debug, Default)]
pub(super) struct File {
    /// In the order of the file.
    pub(super) structs: Vec<Struct>,
    /// ROS 2 knows them by their last name alone, whatever module they are in.
    pub(super) typedefs: HashMap<String, Typedef>,
    pub(super) constants: Vec<ConstantModule>,
}

#[derive(Debug)]
pub(super) struct Struct {
    pub(super) name: Name,
    pub(super) annotations: Vec<Annotation>,
    pub(super) members: Vec<Member>,
}

/// A module with constants. ROS 2 asks for its last name alone.
#[derive(Debug)]
pub(super) struct ConstantModule {
    /// Empty for constants outside of all modules.
    pub(super) name: String,
    pub(super) constants: Vec<Constant>,
}

#[derive(Debug)]
pub(super) struct Constant {
    pub(super) annotations: Vec<Annotation>,
    pub(super) primitive: Primitive,
    pub(super) name: Name,
    pub(super) value: Literal,
}

/// One type and the fields that have it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) annotations: Vec<Annotation>,
    pub(super) type_spec: TypeSpec,
    pub(super) type_span: Span,
    pub(super) declarators: Vec<Declarator>,
}

#[derive(Debug)]
pub(super) struct Declarator {
    pub(super) name: Name,
    /// The length of an array.
    pub(super) length: Option<u64>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Typedef {
    pub(super) type_spec: TypeSpec,
    pub(super) length: Option<u64>,
}

#[derive(Debug, PartialEq)]
pub(super) enum TypeSpec {
    Element(Element),
    Sequence {
        element: Element,
        bound: Option<u64>,
    },
}

#[derive(Debug, PartialEq)]
pub(super) enum Element {
    Primitive(Primitive),
    BoundedText {
        wide: bool,
        bound: u64,
    },
    /// The parts of a name that may have modules before it.
    Named(Vec<String>),
}

#[derive(Debug)]
pub(super) struct Annotation {
    /// With its modules, which no annotation of ROS 2 has.
    pub(super) name: String,
    pub(super) span: Span,
    pub(super) parameters: Parameters,
}

#[derive(Debug)]
pub(super) enum Parameters {
    None,
    /// `@name(value)`
    Single(Literal),
    /// `@name(key=value, …)`
    Named(Vec<(String, Literal)>),
}

/// A value as it is written: whether it fits a type is asked later.
#[derive(Debug)]
pub(super) struct Literal {
    pub(super) kind: LiteralKind,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) enum LiteralKind {
    /// What does not fit is the nearest number that does.
    Integer(i128),
    Float(f64),
    Boolean(bool),
    /// Decoded, and joined if there were several.
    Text(String),
    /// The name of something, with its sign.
    Name(String),
}
